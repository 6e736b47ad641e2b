"""Identities turned around: what a provider would say so that an event comes out as a given variant."""

from __future__ import annotations

from fsm.language.ledger import Data, Fresh
from fsm.machine.ledgers.call import last
from fsm.machine.ledgers.live.ids import LiveIds


def closed(tag: str, _ledger: LiveIds, _fresh: Fresh) -> Data | None:
    return {"code": 1008 if tag == "fatal" else 1006, "fatal": tag == "fatal"}


def voice_began(tag: str, ledger: LiveIds, fresh: Fresh) -> Data | None:
    if tag == "new":
        return {"speech_id": fresh("speech")}
    return {"speech_id": ledger.responses.current} if ledger.responses.current else None


def voice_ended(tag: str, ledger: LiveIds, fresh: Fresh) -> Data | None:
    if tag == "stale":
        return {"speech_id": fresh("speech")}
    return {"speech_id": ledger.responses.current} if ledger.responses.current else None


def delegation_created(tag: str, _ledger: LiveIds, fresh: Fresh) -> Data | None:
    target = "decisions" if tag == "other" else tag
    return {"delegation_id": fresh("item"), "target": target, "said": "Where is my order?"}


def delegation_continued(tag: str, ledger: LiveIds, fresh: Fresh) -> Data | None:
    if tag == "ours":
        return {"event_type": "response.created"} if ledger.work.is_continued else None
    return {"delegation_id": last(ledger.work.open) or fresh("item")} if not ledger.work.is_continued else None


def delegation_ended(tag: str, ledger: LiveIds, fresh: Fresh) -> Data | None:
    opened, calls = ledger.work.open, ledger.work.calls
    if tag == "stale":
        return {"delegation_id": fresh("item"), "how": "response.completed"}
    if not opened or (tag == "among") != (len(opened) > 1 or ledger.work.is_continued):
        return None
    name = opened[0]
    if tag == "failed" and any(each.delegation != name for each in calls):
        return None
    return {"delegation_id": name, "how": f"response.{'failed' if tag == 'failed' else 'completed'}"}


def continuation_rejected(tag: str, ledger: LiveIds, _fresh: Fresh) -> Data | None:
    return {"code": "invalid_request"} if (tag == "among") == bool(ledger.work.open) else None


def tool_called(tag: str, ledger: LiveIds, fresh: Fresh) -> Data | None:
    called, opened = ledger.tools.called, ledger.work.open
    if tag == "seen":
        return {"call_id": called[-1]} if called else None
    if tag == "new" and not opened:
        return None
    name = fresh("item") if tag == "void" else opened[-1]
    return {"delegation_id": name, "call_id": fresh("call"), "name": "look_up", "arguments": "{}"}


def decisive(ledger: LiveIds) -> tuple[object, ...]:
    """What the ids decide about what can come."""
    work = ledger.work
    return (
        ledger.responses.current is not None,
        ledger.responses.answered is not None,
        bool(ledger.tools.running),
        min(len(work.open), 2),
        frozenset(each.delegation == (work.open[0] if work.open else None) for each in work.calls),
        work.is_continued,
    )
