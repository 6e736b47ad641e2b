"""Identities turned around: what a provider would say so that an event comes out as a given variant."""

from __future__ import annotations

from fsm.language.ledger import Data, Fresh
from fsm.machine.ledgers.call import last
from fsm.machine.ledgers.deepgram.ids import AgentIds


def closed(tag: str, _ledger: AgentIds, _fresh: Fresh) -> Data | None:
    return {"code": 1008 if tag == "fatal" else 1006, "fatal": tag == "fatal"}


def user_started(tag: str, ledger: AgentIds, _fresh: Fresh) -> Data | None:
    return {} if (tag == "over") == (ledger.responses.current is not None) else None


def voice_began(tag: str, ledger: AgentIds, fresh: Fresh) -> Data | None:
    if tag == "new":
        return {"speech_id": fresh("answer")}
    return {"speech_id": ledger.responses.current} if ledger.responses.current else None


def voice_ended(tag: str, ledger: AgentIds, fresh: Fresh) -> Data | None:
    if tag == "stale":
        return {"speech_id": fresh("answer")}
    return {"speech_id": ledger.responses.current} if ledger.responses.current else None


def tool_called(tag: str, ledger: AgentIds, fresh: Fresh) -> Data | None:
    call = fresh("call") if tag == "new" else last(ledger.tools.called)
    return {"call_id": call, "name": "look_up", "arguments": "{}"} if call else None


def tool_withdrawn(tag: str, ledger: AgentIds, fresh: Fresh) -> Data | None:
    if tag == "over":
        return {"call_id": fresh("call")}
    return {"call_id": ledger.tools.running[-1]} if ledger.tools.running else None


def decisive(ledger: AgentIds) -> tuple[object, ...]:
    """What the ids decide about what can come."""
    responses, tools = ledger.responses, ledger.tools
    return responses.current is not None, responses.answered is not None, bool(tools.running), bool(tools.called)
