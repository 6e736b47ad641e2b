"""Which variant an event is by its ids, and which ids are known after it. Never here: turns, slots, time.

Source: docs/facts/gpt_live.md section 5.
"""

from __future__ import annotations

from fsm.language.ledger import Data
from fsm.machine.ledgers.call import Responses, Tools, kept, text, without
from fsm.machine.ledgers.live.ids import LiveIds, OpenCall, Work

_MOST_CALLS = 16


def closed(ledger: LiveIds, data: Data) -> tuple[str, LiveIds]:
    return ("fatal" if data.get("fatal") is True else "retryable"), ledger.without_session()


# --- what the model says ----------------------------------------------------------------------------------------------


def voice_began(ledger: LiveIds, data: Data) -> tuple[str, LiveIds]:
    speech, known = text(data, "speech_id"), ledger.responses
    if speech is None or speech == known.current or speech in known.ended:
        return "again", ledger
    return "new", ledger._replace(responses=Responses(current=speech, open=(speech,), ended=known.ended))


def voice_ended(ledger: LiveIds, data: Data) -> tuple[str, LiveIds]:
    speech, known = text(data, "speech_id"), ledger.responses
    if speech is None or speech != known.current:
        return "stale", ledger
    return "current", ledger._replace(responses=Responses(answered=speech, ended=kept(known.ended, speech, 16)))


# --- what it delegates ------------------------------------------------------------------------------------------------


def _delegation(data: Data) -> str:
    """Of a response that we have continued the provider says none."""
    return text(data, "delegation_id") or ""


def delegation_created(ledger: LiveIds, data: Data) -> tuple[str, LiveIds]:
    target, name, work = text(data, "target"), text(data, "delegation_id"), ledger.work
    if name is None or target not in ("client", "responses"):
        return "other", ledger
    if target == "client":
        return "client", ledger.with_work(work._replace(inquiries=kept(work.inquiries, name, 8)))
    return "responses", ledger.with_work(work._replace(open=kept(work.open, name, 8)))


def delegation_continued(ledger: LiveIds, data: Data) -> tuple[str, LiveIds]:
    name, work = _delegation(data), ledger.work
    if not work.is_continued or (name and name in work.open):
        return "known", ledger
    return "ours", ledger.with_work(work._replace(open=kept(work.open, name, 8), is_continued=False))


def delegation_ended(ledger: LiveIds, data: Data) -> tuple[str, LiveIds]:
    """A failed response takes its calls with it: an output for one would be refused."""
    name, work = _delegation(data), ledger.work
    if name not in work.open:
        return "stale", ledger
    failed = text(data, "how") == "response.failed"
    calls = tuple([each for each in work.calls if each.delegation != name]) if failed else work.calls
    still_open = without(work.open, name)
    after = ledger.with_work(work._replace(open=still_open, calls=calls))
    if still_open or work.is_continued:
        return "among", after
    return ("failed" if failed and not calls else "completed"), after


def continuation_rejected(ledger: LiveIds, _data: Data) -> tuple[str, LiveIds]:
    work = ledger.work
    return ("among" if work.open else "free"), ledger.with_work(work._replace(is_continued=False))


def tool_called(ledger: LiveIds, data: Data) -> tuple[str, LiveIds]:
    call, name, work, (called, running) = text(data, "call_id"), _delegation(data), ledger.work, ledger.tools
    if call is None or call in called:
        return "seen", ledger
    noted = ledger.with_tools(Tools(kept(called, call, 64), running))
    if name not in work.open:
        return "void", noted
    calls = (*work.calls, OpenCall(call, name))[-_MOST_CALLS:]
    return "new", noted.with_work(work._replace(calls=calls))


def with_output(work: Work, call_id: str, output: str) -> Work:
    """The call has its output; one that is not open any more stays unknown."""
    calls = [each._replace(output=output) if each.call_id == call_id else each for each in work.calls]
    return work._replace(calls=tuple(calls))
