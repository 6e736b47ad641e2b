"""Identities turned around: what a provider would say so that an event comes out as a given variant.

`response.created.ours` needs the event id of our create; it is made up here from the ids that the call knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsm.language.ledger import Data, Fresh, Role
from fsm.machine.ledgers.call import UNKNOWN_RESPONSE, last
from fsm.machine.ledgers.realtime.identities import FATAL_CODES
from fsm.machine.ledgers.realtime.ids import Ledger


def response_created(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    create, _, _, opened, ended = ledger.responses
    if tag == "known":
        known = last((*ended, *opened))
        return {"response_id": known, "tag": None} if known else None
    if tag in ("begun", "found"):  # its response.created was lost; an item shows it, taken for ours if we asked
        return {"response_id": fresh("resp")} if (tag == "begun") == (create is not None) else None
    if tag in ("ours", "unnamed") and create is None:
        return None
    if tag == "unnamed":
        return {"response_id": fresh("resp"), "tag": None, "echoes": 0}
    return {"response_id": fresh("resp"), "tag": create if tag == "ours" else None}


_DONE: Mapping[str, Data] = {
    "completed": {"status": "completed"},
    "incomplete": {"status": "incomplete", "reason": "max_output_tokens"},
    "filtered": {"status": "incomplete", "reason": "content_filter"},
    "interrupted": {"status": "cancelled", "reason": "turn_detected"},
    "cancelled": {"status": "cancelled", "reason": "client_cancelled"},
    "failed": {"status": "failed", "code": "server_error"},
    "fatal": {"status": "failed", "code": min(FATAL_CODES)},
}


def response_done(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    current, all_ended = ledger.responses.current, ledger.responses.ended
    if tag == "stale":
        ended = last(all_ended)
        unknown = fresh("resp") if current != UNKNOWN_RESPONSE else None
        return {"response_id": ended or unknown, **_DONE["completed"]} if ended or unknown else None
    if current is None or current in all_ended:
        return None
    response = fresh("resp") if current == UNKNOWN_RESPONSE else current
    return {"response_id": response, **_DONE[tag]}


def create_rejected(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    create, current, _, _, ended = ledger.responses
    if tag == "foreign":
        return {"code": "conversation_already_has_active_response"}
    if tag == "stale":
        return {"event_id": "ts_create_response_0"}
    if create is None:
        return None
    active = {"over": last(ended), "busy": current}.get(tag)
    active = fresh("resp") if tag == "crossed" else active
    about = f": {active}" if active and active != UNKNOWN_RESPONSE else ""
    return {"event_id": create, "message": f"Conversation already has an active response{about}"}


def create_failed(tag: str, ledger: Ledger, _fresh: Fresh) -> Data | None:
    if tag == "stale":
        return {"event_id": "ts_create_response_0"}
    create = ledger.responses.create
    return {"event_id": create} if create is not None else None


def echo(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    if tag == "other":
        return {"item_id": fresh("item")}
    unechoed = ledger.sent.unechoed
    return {"item_id": unechoed[0][-1]} if unechoed else None


def item_rejected(tag: str, ledger: Ledger, _fresh: Fresh) -> Data | None:
    """An error about an item of ours: an answer to a tool call, the same for the second time, or another one."""
    if tag == "other":
        return {"event_id": "ts_send_tool_output_0"}
    return next(({"event_id": name} for name, kind in _unshown(ledger).items() if kind == tag), None)


def _unshown(ledger: Ledger) -> Mapping[str, str]:
    """What a rejection of each item would be that was sent and not shown yet, by the id of the event that sent it."""
    _, unechoed, _, answers = ledger.sent
    outputs = dict(answers.unshown)
    return {
        name: "ours" if item not in outputs else "output_again" if item in answers.rejected else "output"
        for name, item in unechoed
    }


def turn(phase: str) -> Role[Ledger]:
    before = {"started": (), "stopped": ("started",), "committed": ("started",)}[phase]

    def made(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
        """The turn that is in the phase before; where the tag says that none is, a new one."""
        if tag == "again":
            found = [item for item, reached in ledger.turns if reached == phase]
        elif tag == "expected":
            found = [item for item, reached in ledger.turns if reached == "stopped"]
        else:
            found = [item for item, reached in ledger.turns if reached in before] or [fresh("item")]
        return {"item_id": found[-1]} if found else None

    return made


def transcribed(tag: str, ledger: Ledger, _fresh: Fresh) -> Data | None:
    if tag == "other":
        return {"item_id": "", "transcript": None}
    item, phase = ledger.turns[-1] if ledger.turns else ("", "")
    if tag == "words":
        return {"item_id": item, "transcript": "Hello."}
    return {"item_id": item, "transcript": ""} if phase == "committed" else None


def closed(tag: str, _ledger: Ledger, _fresh: Fresh) -> Data | None:
    return {"code": 4000 if tag == "fatal" else 1006, "fatal": tag == "fatal"}


def decisive(ledger: Ledger) -> tuple[object, ...]:
    """What the ids decide about what can come."""
    responses = ledger.responses
    current = "none" if responses.current is None else "ended" if responses.current in responses.ended else "current"
    return (
        responses.create is not None,
        "unknown" if responses.current == UNKNOWN_RESPONSE else current,
        bool(ledger.tools.running),
        frozenset(_unshown(ledger).values()),
        any(phase == "stopped" for _, phase in ledger.turns),
        bool(ledger.turns) and ledger.turns[-1][1] == "committed",
    )
