"""An event by its role: data that makes an event come out as a given variant. The ledger turned around.

`response.created.ours` needs the event id of our create, `tool.returned.pending` the id of a tool that runs: what the
provider, the playout or a tool would say is made up here from the ids the call knows. Never here: slots, states, time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fsm.machine.ledgers.realtime import CLASSIFY, FATAL_CODES, UNKNOWN_RESPONSE, Ledger

Data = Mapping[str, object]
Fresh = Callable[[str], str]
"""`fresh("item")` gives an id nobody has seen: `item_1`, `item_2`, ..."""

Role = Callable[[str, Ledger, Fresh], Data | None]


def role_data(identity: str | None, event: str, tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    """Data with which `event` has variant `tag` in a call that knows the ids of `ledger`; None: nothing could.

    `identity` is the vocabulary's word for how the event is told apart, None where it has no variants.
    """
    if identity is None:
        return {"text": "One moment, please."} if event == "application.say_requested" else {}
    role = _ROLES.get(identity)
    data = role(tag, ledger, fresh) if role is not None else None
    if data is None or CLASSIFY[identity](ledger, data)[0] != tag:
        return None
    return data


def _current(ledger: Ledger) -> bool:
    return ledger.response is not None and ledger.response not in ledger.ended_responses


def _last(entries: tuple[str, ...]) -> str | None:
    return entries[-1] if entries else None


def _response_created(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    if tag == "known":
        known = _last((*ledger.ended_responses, *ledger.open_responses))
        return {"response_id": known, "tag": None} if known else None
    if tag in ("begun", "found"):  # its response.created was lost; an item shows it, taken for ours if we asked
        return {"response_id": fresh("resp")} if (tag == "begun") == (ledger.create is not None) else None
    if tag == "ours" and ledger.create is None:
        return None
    return {"response_id": fresh("resp"), "tag": ledger.create if tag == "ours" else None}


_DONE: Mapping[str, Data] = {
    "completed": {"status": "completed"},
    "incomplete": {"status": "incomplete", "reason": "max_output_tokens"},
    "filtered": {"status": "incomplete", "reason": "content_filter"},
    "interrupted": {"status": "cancelled", "reason": "turn_detected"},
    "cancelled": {"status": "cancelled", "reason": "client_cancelled"},
    "failed": {"status": "failed", "code": "server_error"},
    "fatal": {"status": "failed", "code": min(FATAL_CODES)},
}


def _response_done(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    if tag == "stale":
        ended = _last(ledger.ended_responses)
        unknown = fresh("resp") if ledger.response != UNKNOWN_RESPONSE else None
        return {"response_id": ended or unknown, **_DONE["completed"]} if ended or unknown else None
    if not _current(ledger):
        return None
    response = fresh("resp") if ledger.response == UNKNOWN_RESPONSE else ledger.response
    return {"response_id": response, **_DONE[tag]}


def _create_rejected(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    if tag == "foreign":
        return {"code": "conversation_already_has_active_response"}
    if tag == "stale":
        return {"event_id": "ts_create_response_0"}
    if ledger.create is None:
        return None
    active = {"over": _last(ledger.ended_responses), "busy": ledger.response}.get(tag)
    active = fresh("resp") if tag == "crossed" else active
    about = f": {active}" if active and active != UNKNOWN_RESPONSE else ""
    return {"event_id": ledger.create, "message": f"Conversation already has an active response{about}"}


def _create_failed(tag: str, ledger: Ledger, _fresh: Fresh) -> Data | None:
    if tag == "stale":
        return {"event_id": "ts_create_response_0"}
    return {"event_id": ledger.create} if ledger.create is not None else None


def _tool_called(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    call = fresh("call") if tag == "new" else _last(ledger.calls)
    return {"call_id": call, "name": "look_up", "arguments": "{}"} if call else None


def _tool_returned(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    if tag == "late":
        return {"call_id": fresh("call"), "output": "done"}
    return {"call_id": ledger.running[0], "output": "done"} if ledger.running else None


def _echo(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    if tag == "other":
        return {"item_id": fresh("item")}
    return {"item_id": ledger.unechoed[0][-1]} if ledger.unechoed else None


def _turn(phase: str) -> Role:
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


def _playout_started(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    response = fresh("resp") if tag == "other" else ledger.response
    return {"response_id": response} if response else None


def _playout_judged(tag: str, ledger: Ledger, fresh: Fresh) -> Data | None:
    response = fresh("resp") if tag == "other" else ledger.response or ledger.answered
    return {"response_id": response} if response else None


def _closed(tag: str, _ledger: Ledger, _fresh: Fresh) -> Data | None:
    return {"code": 4000 if tag == "fatal" else 1006, "fatal": tag == "fatal"}


def _key(tag: str, ledger: Ledger, _fresh: Fresh) -> Data | None:
    if tag == "other":
        return {"digit": "5" if ledger.talk_key != "5" else "6"}
    return {"digit": ledger.talk_key} if ledger.talk_key else None


_ROLES: Mapping[str, Role] = {
    "response_created": _response_created,
    "response_done": _response_done,
    "create_rejected": _create_rejected,
    "create_failed": _create_failed,
    "tool_called": _tool_called,
    "tool_returned": _tool_returned,
    "echo": _echo,
    "turn_started": _turn("started"),
    "turn_stopped": _turn("stopped"),
    "turn_committed": _turn("committed"),
    "playout_started": _playout_started,
    "playout_judged": _playout_judged,
    "closed": _closed,
    "key": _key,
}  # fmt: skip
