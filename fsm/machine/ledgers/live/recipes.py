"""How the arguments of effects are made from the ids. Never here: whether an effect is due.

Source: docs/facts/gpt_live.md sections 3 to 5.
"""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Args, Data, Made
from fsm.machine.ledgers.call import Keys, text
from fsm.machine.ledgers.live.identities import with_output
from fsm.machine.ledgers.live.ids import LiveIds, Work, event_id

TOO_MANY_TOOLS: Final = '{"error": "too many tools are running at once; ask again for this one when they are done"}'
TOOL_OVERDUE: Final = '{"error": "the tool did not answer in time"}'
FAILED: Final = "What the caller was promised has failed."
"""Where an event does not say what."""


def _next(effect: str, ledger: LiveIds) -> tuple[str, LiveIds]:
    serial = ledger.serial + 1
    return event_id(effect, serial), ledger._replace(serial=serial)


def leave(_effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    return ({},), ledger.without_session()


def numbered(effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    name, ledger = _next(effect, ledger)
    return ({"event_id": name},), ledger


def continuation(effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    name, ledger = _next(effect, ledger)
    return ({"event_id": name},), ledger.with_work(ledger.work._replace(is_continued=True))


def request(effect: str, ledger: LiveIds, literal: str | None, data: Data) -> Made[LiveIds]:
    name, ledger = _next(effect, ledger)
    wish = (text(data, "text") or ledger.wish) if literal == "say" else None
    args: Args = {"event_id": name, "cause": literal, "instructions": wish}
    return (args,), ledger if wish is None else ledger._replace(wish=wish)


def take_turn(_effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    """Nothing goes out: the model decides when a turn is over."""
    return (), ledger


def note_wish(_effect: str, ledger: LiveIds, _literal: str | None, data: Data) -> Made[LiveIds]:
    return (), ledger._replace(wish=text(data, "text") or ledger.wish)


def notice(effect: str, ledger: LiveIds, _literal: str | None, data: Data) -> Made[LiveIds]:
    name, ledger = _next(effect, ledger)
    return ({"event_id": name, "text": text(data, "text") or FAILED},), ledger


def digits(effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    name, ledger = _next(effect, ledger)
    args: Args = {"event_id": name, "digits": ledger.keys.digits}
    return (args,), ledger.with_keys(Keys(ledger.keys.talk))


# --- what the application answers -------------------------------------------------------------------------------------


def _settled(ledger: LiveIds, data: Data, newest: bool = False) -> tuple[str | None, LiveIds]:
    """The delegation that the event names, else the oldest (or the newest) that is open; it is not open after that."""
    inquiries = ledger.work.inquiries
    named = text(data, "delegation_id")
    if named not in inquiries:
        named = (inquiries[-1] if newest else inquiries[0]) if inquiries else None
    left = tuple([each for each in inquiries if each != named])
    return named, ledger.with_work(ledger.work._replace(inquiries=left))


def answer(effect: str, ledger: LiveIds, _literal: str | None, data: Data) -> Made[LiveIds]:
    """What the application found. Where its session is gone, the new one is told all the same."""
    name, ledger = _next(effect, ledger)
    delegation, ledger = _settled(ledger, data)
    return ({"event_id": name, "delegation_id": delegation, "text": text(data, "text") or ""},), ledger


def no_answer(effect: str, ledger: LiveIds, literal: str | None, data: Data) -> Made[LiveIds]:
    """`overdue`: none that is open will be answered."""
    delegation, left = _settled(ledger, data, newest=literal == "too_many")
    if literal == "overdue":
        made: list[Args] = []
        for each in ledger.work.inquiries:
            name, ledger = _next(effect, ledger)
            made.append({"event_id": name, "delegation_id": each, "text": literal})
        return tuple(made), ledger.with_work(ledger.work._replace(inquiries=()))
    name, left = _next(effect, left)
    return ({"event_id": name, "delegation_id": delegation, "text": literal or ""},), left


# --- a round of tools -------------------------------------------------------------------------------------------------


def keep_output(_effect: str, ledger: LiveIds, _literal: str | None, data: Data) -> Made[LiveIds]:
    call, output = text(data, "call_id") or "", str(data.get("output", ""))
    return (), ledger.with_work(with_output(ledger.work, call, output))


def keep_refusal(_effect: str, ledger: LiveIds, _literal: str | None, data: Data) -> Made[LiveIds]:
    return (), ledger.with_work(with_output(ledger.work, text(data, "call_id") or "", TOO_MANY_TOOLS))


def keep_overdue(_effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    work = ledger.work
    for call in ledger.tools.running:
        work = with_output(work, call, TOOL_OVERDUE)
    return (), ledger.with_work(work)


def outputs(effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    """Every output of the round, in the order of the calls; each once."""
    made: list[Args] = []
    for each in ledger.work.calls:
        if each.output is not None:
            name, ledger = _next(effect, ledger)
            made.append({"event_id": name, "call_id": each.call_id, "output": each.output})
    left = tuple([each for each in ledger.work.calls if each.output is None])
    return tuple(made), ledger.with_work(ledger.work._replace(calls=left))


def forget_delegations(_effect: str, ledger: LiveIds, _literal: str | None, _data: Data) -> Made[LiveIds]:
    return (), ledger.with_work(Work(inquiries=ledger.work.inquiries))
