"""Whom an `error` of the provider is about: by the event id it carries, else by code, message and parameter.

Never here: what an error means to a reader (fsm.audit.explain), judgement.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.record import Record
from fsm.audit.talk import Asked, Create, Fault, Moment, Talk, mapping

BUSY = "conversation_already_has_active_response"
_BUSY_TEXT = "Conversation already has an active response"
_OPENINGS = (
    (_BUSY_TEXT, "response.create"),
    ("Cancellation failed", "response.cancel"),
    ("Error committing input audio buffer", "input_audio_buffer.commit"),
    ("Audio content of", "conversation.item.truncate"),
    ("Only model output audio messages", "conversation.item.truncate"),
    ("Cannot update a conversation's voice", "session.update"),
)
_CODES = {
    BUSY: "response.create",
    "response_cancel_not_active": "response.cancel",
    "input_audio_buffer_commit_empty": "input_audio_buffer.commit",
    "cannot_update_voice": "session.update",
    "invalid_tool_call_id": "conversation.item.create",
    "item_not_found": "conversation.item.truncate",
}
_PARAMS = (("session", "session.update"), ("response", "response.create"), ("item", "conversation.item.create"))


def fault_of(talk: Talk, record: Record) -> Fault:
    """The error of a record, and the client's event it is about."""
    body = mapping(record.event.get("error"))
    code, message, param, event_id = (
        value if isinstance(value := body.get(key), str) else "" for key in ("code", "message", "param", "event_id")
    )
    fault = Fault(record.evidence(), code, message, param, event_id)
    fault.about = _by_id(talk, event_id) or _by_words(fault)
    return fault


def _by_id(talk: Talk, event_id: str) -> str:
    if not event_id:
        return ""
    if any(c.event_id == event_id for c in talk.creates):
        return "response.create"
    if any(u.event_id == event_id for u in talk.updates):
        return "session.update"
    return next((a.type for a in talk.asked if a.event_id == event_id), "")


def _by_words(fault: Fault) -> str:
    if fault.code in _CODES:
        return _CODES[fault.code]
    for opening, about in _OPENINGS:
        if fault.message.startswith(opening):
            return about
    for name, about in _PARAMS:
        in_param = fault.param == name or fault.param.startswith(f"{name}.")
        if in_param or f"'{name}." in fault.message:
            return about
    return ""


def error(talk: Talk, record: Record) -> Iterator[Moment]:
    """An error settles what it is about; one about nothing known is told as it is."""
    fault = fault_of(talk, record)
    if fault.about == "response.create":
        create = _rejected(talk, fault)
        talk.rejections += 1
        yield Moment("create_rejected", fault.evidence, talk.now_ms, create=create, fault=fault, response=talk.active)
    elif fault.about == "session.update":
        update = next((u for u in talk.updates if u.event_id and u.event_id == fault.event_id), None)
        update = update or (talk.updates[0] if talk.updates else None)
        if update is not None:
            talk.updates.remove(update)
        talk.rejected_update = fault
        yield Moment("update_rejected", fault.evidence, talk.now_ms, update=update, fault=fault)
    else:
        asked = _asked(talk, fault)
        yield Moment("error", fault.evidence, talk.now_ms, asked=asked, fault=fault)


def _rejected(talk: Talk, fault: Fault) -> Create | None:
    """The create an error is about. Without an id the newest, if two crossed before the first had its response."""
    waiting = [c for c in talk.creates if not c.outside]
    crossing = _crossing(talk, fault, bool(waiting))
    if crossing is not None:
        return crossing
    named = [c for c in waiting if fault.event_id and c.event_id == fault.event_id]
    if not named and fault.event_id and all(c.event_id for c in waiting):
        return None
    crossed = talk.active is None and len(waiting) > 1
    found = named or (waiting[-1:] if crossed else waiting[:1])
    if not found:
        return None
    talk.creates.remove(found[0])
    return found[0]


def _crossing(talk: Talk, fault: Fault, others_wait: bool) -> Create | None:
    """The create that crossed a response of the provider's own, which was taken for its answer until now."""
    for response in talk.responses.values():
        create = response.create
        if create is None or not response.unsure or fault.code not in ("", BUSY):
            continue
        is_named = bool(fault.event_id) and create.event_id == fault.event_id
        if is_named or not (others_wait or (fault.event_id and create.event_id)):
            response.create, response.unsure = None, False
            return create
    return None


def _asked(talk: Talk, fault: Fault) -> Asked | None:
    named = [a for a in talk.asked if fault.event_id and a.event_id == fault.event_id]
    found = named or [a for a in talk.asked if a.type == fault.about and not a.settled]
    if not found:
        return None
    found[0].settled = found[0].rejected = True
    return found[0]
