"""How the arguments of effects are made from the ids. Never here: whether an effect is due.

Source: docs/facts/deepgram_agent.md sections 4 and 6.
"""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Args, Data, Made
from fsm.machine.ledgers.call import Keys, text
from fsm.machine.ledgers.deepgram.ids import AgentIds

TOO_MANY_TOOLS: Final = '{"error": "too many tools are running at once; ask again for this one when they are done"}'
TOOL_OVERDUE: Final = '{"error": "the tool did not answer in time"}'
FAILED: Final = "What the caller was promised has failed."
"""Where an event does not say what."""


def leave(_effect: str, ledger: AgentIds, _literal: str | None, _data: Data) -> Made[AgentIds]:
    return ({},), ledger.without_session()


def request(_effect: str, ledger: AgentIds, literal: str | None, data: Data) -> Made[AgentIds]:
    wish = (text(data, "text") or ledger.wish) if literal == "say" else None
    args: Args = {"cause": literal, "instructions": wish}
    return (args,), ledger if wish is None else ledger._replace(wish=wish)


def note_wish(_effect: str, ledger: AgentIds, _literal: str | None, data: Data) -> Made[AgentIds]:
    return (), ledger._replace(wish=text(data, "text") or ledger.wish)


def take_turn(_effect: str, ledger: AgentIds, _literal: str | None, _data: Data) -> Made[AgentIds]:
    """Nothing goes out: the provider decides when a turn is over."""
    return (), ledger


def notice(_effect: str, ledger: AgentIds, _literal: str | None, data: Data) -> Made[AgentIds]:
    return ({"text": text(data, "text") or FAILED},), ledger


def digits(_effect: str, ledger: AgentIds, _literal: str | None, _data: Data) -> Made[AgentIds]:
    return ({"digits": ledger.keys.digits},), ledger.with_keys(Keys(ledger.keys.talk))


def _answered(ledger: AgentIds, call_id: str, result: str) -> Made[AgentIds]:
    return ({"call_id": call_id, "name": ledger.name_of(call_id), "output": result},), ledger.without_call(call_id)


def output(_effect: str, ledger: AgentIds, _literal: str | None, data: Data) -> Made[AgentIds]:
    return _answered(ledger, text(data, "call_id") or "", str(data.get("output", "")))


def refusal(_effect: str, ledger: AgentIds, _literal: str | None, data: Data) -> Made[AgentIds]:
    return _answered(ledger, text(data, "call_id") or "", TOO_MANY_TOOLS)


def overdue(_effect: str, ledger: AgentIds, _literal: str | None, _data: Data) -> Made[AgentIds]:
    made: list[Args] = []
    for call_id in ledger.tools.running:
        args, ledger = _answered(ledger, call_id, TOOL_OVERDUE)
        made.extend(args)
    return tuple(made), ledger


def withdraw(_effect: str, ledger: AgentIds, _literal: str | None, data: Data) -> Made[AgentIds]:
    """The call that the event names; it is not among the running ones any more."""
    call = text(data, "call_id")
    return ({"call_ids": [call] if call else []},), ledger
