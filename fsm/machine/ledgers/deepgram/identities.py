"""Which variant an event is by its ids, and which ids are known after it. Never here: turns, slots, time.

Source: docs/facts/deepgram_agent.md sections 5 and 6.
"""

from __future__ import annotations

from fsm.language.ledger import Data
from fsm.machine.ledgers.call import Responses, Tools, kept, text, without
from fsm.machine.ledgers.deepgram.ids import AgentIds, NamedCall

_MOST_CALLS = 16


def closed(ledger: AgentIds, data: Data) -> tuple[str, AgentIds]:
    return ("fatal" if data.get("fatal") is True else "retryable"), ledger.without_session()


def user_started(ledger: AgentIds, _data: Data) -> tuple[str, AgentIds]:
    """The provider drops an answer that it is sending; the end of that one may never be said."""
    current, ended = ledger.responses.current, ledger.responses.ended
    if current is None:
        return "alone", ledger
    after = ledger.without_answer()
    dropped = after.responses._replace(open=(current,), ended=kept(ended, current, 16))
    return "over", after._replace(responses=dropped)


def voice_began(ledger: AgentIds, data: Data) -> tuple[str, AgentIds]:
    speech, known = text(data, "speech_id"), ledger.responses
    if speech is None or speech == known.current or speech in known.ended:
        return "again", ledger
    return "new", ledger._replace(responses=Responses(current=speech, open=(speech,), ended=known.ended))


def voice_ended(ledger: AgentIds, data: Data) -> tuple[str, AgentIds]:
    speech, known = text(data, "speech_id"), ledger.responses
    if speech is None or speech != known.current:
        return "stale", ledger
    return "current", ledger._replace(responses=Responses(answered=speech, ended=kept(known.ended, speech, 16)))


def tool_called(ledger: AgentIds, data: Data) -> tuple[str, AgentIds]:
    call, (called, running) = text(data, "call_id"), ledger.tools
    if call is None or call in called:
        return "seen", ledger
    calls = (*ledger.calls, NamedCall(call, text(data, "name") or ""))[-_MOST_CALLS:]
    return "new", ledger.with_tools(Tools(kept(called, call, 64), running))._replace(calls=calls)


def tool_withdrawn(ledger: AgentIds, data: Data) -> tuple[str, AgentIds]:
    call, (called, running) = text(data, "call_id"), ledger.tools
    if call is None or call not in running:
        return "over", ledger
    return "running", ledger.with_tools(Tools(called, without(running, call))).without_call(call)
