"""Tracking of the session: what was asked of it, confirmed, refused; whom an error is about; how it closed.

An error is about what its event id names, else what its code, message or parameter says. What it means to a reader
stands in fsm.audit.realtime_errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm.audit.conversation import LoggedConversation, LoggedSession, ProviderError, Update, mapping
from fsm.audit.exchange import ClientRequest, Create, RequestState
from fsm.audit.observations import (
    Closed,
    CreateRejected,
    ErrorReported,
    FormatDiffers,
    Observation,
    RejectionLivedWith,
    UpdateConfirmed,
    UpdateLost,
    UpdateOpen,
    UpdateRejected,
)
from fsm.audit.record import Record
from fsm.audit.tracking import requests
from fsm.machine.wire import at_path

_BYTES_MS = {"audio/pcmu": 8.0, "audio/pcma": 8.0, "g711_ulaw": 8.0, "g711_alaw": 8.0}
_FORMATS = {
    "audio/pcm": "audio/pcm", "pcm16": "audio/pcm", "pcm": "audio/pcm", "audio/pcmu": "audio/pcmu",
    "g711_ulaw": "audio/pcmu", "pcmu": "audio/pcmu", "audio/pcma": "audio/pcma", "g711_alaw": "audio/pcma",
    "pcma": "audio/pcma",
}  # fmt: skip  # the names of the GA protocol; one that is not here is compared with none
_SILENT_EVENTS = 40  # server events after an update of which one should have been its answer
_IN_FLIGHT_MS = 2000.0


BUSY = "conversation_already_has_active_response"
_BUSY_TEXT = "Conversation already has an active response"
_OPENINGS = (
    (_BUSY_TEXT, "response.create"),
    ("Cancellation failed", "response.cancel"),
    ("Error committing input audio buffer", "input_audio_buffer.commit"),
    ("Audio content of", "conversation.item.truncate"),
    ("Only model output audio messages", "conversation.item.truncate"),
    ("Cannot update a conversation's voice", "session.update"),
    ("Invalid 'audio'", "input_audio_buffer.append"),
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


def update_sent(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """session.update. What was rejected before and is asked for again is not lived with."""
    events, ended = conversation.log.server_events, conversation.responses.ended
    early = conversation.session.created is None and events == 0
    formats = _formats(mapping(record.event.get("session")))
    update = Update(record.evidence(), conversation.now_ms, early, record.text("event_id"), events, ended, formats)
    conversation.responses.said_for = (-1, None)  # with something new, the agent may speak again
    conversation.session.updates.append(update)
    return ()


def created(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """session.created: the provider's defaults hold."""
    conversation.session.created = record.evidence()
    conversation.session.began_ms = conversation.now_ms
    _apply(conversation, mapping(record.event.get("session")))
    return ()


def updated(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """session.updated says the whole session; it confirms every update that waits."""
    session, evidence = conversation.session, record.evidence()
    _apply(conversation, mapping(record.event.get("session")))
    session.mode.transcription_only = session.mode.transcription_only or record.type.startswith("transcription")
    if session.configured_ms is None:
        session.configured, session.configured_ms = evidence, conversation.now_ms
    got = _formats(mapping(record.event.get("session")))
    asked = {side: (update, name) for update in session.updates for side, name in update.formats.items()}
    for side, (update, name) in asked.items():
        if side in got and _differ(name, got[side]):
            yield FormatDiffers(evidence, conversation.now_ms, update, side, name, got[side])
    for update in session.updates:
        yield UpdateConfirmed(update.evidence, conversation.now_ms, update, evidence)
    session.updates.clear()
    session.rejected_update = None
    conversation.responses.said_for = (-1, None)


def _apply(conversation: LoggedConversation, session: Mapping[str, object]) -> None:
    detection = at_path(session, "audio.input.turn_detection")
    if detection is None:
        detection = session.get("turn_detection")
    mode = conversation.session.mode
    mode.described = mode.described or bool(session)
    known = "turn_detection" in session or "turn_detection" in mapping(at_path(session, "audio.input"))
    if known:
        found = mapping(detection)
        mode.vad = str(found.get("type") or "unknown") if found else "none"
        mode.create_response = found.get("create_response") is not False
    kinds = (session.get("type"), session.get("object"))
    mode.transcription_only = "transcription" in kinds or "realtime.transcription_session" in kinds
    modalities = session.get("output_modalities", session.get("modalities"))
    mode.speaks = "audio" in modalities if isinstance(modalities, list | tuple) else mode.speaks
    conversation.caller_audio.bytes_ms = _bytes_ms(session, "input", conversation.caller_audio.bytes_ms)
    conversation.agent_audio.bytes_ms = _bytes_ms(session, "output", conversation.agent_audio.bytes_ms)


def _formats(session: Mapping[str, object]) -> dict[str, str]:
    """The audio formats an update asks for, or a session has, by the names of the GA protocol."""
    made: dict[str, str] = {}
    for side in ("input", "output"):
        flat, nested = session.get(f"{side}_audio_format"), at_path(session, f"audio.{side}.format")
        name = flat if isinstance(flat, str) else mapping(nested).get("type") or nested
        known = _FORMATS.get(name) if isinstance(name, str) else None
        if known is not None:
            rate = mapping(nested).get("rate")
            made[side] = known + (f" at {rate} Hz" if isinstance(rate, int) else "")
    return made


def _differ(asked: str, got: str) -> bool:
    """A rate that one of them does not say is not another one."""
    (name, _, rate), (other, _, other_rate) = asked.partition(" at "), got.partition(" at ")
    return name != other or bool(rate and other_rate and rate != other_rate)


def _bytes_ms(session: Mapping[str, object], side: str, default: float) -> float:
    flat = session.get(f"{side}_audio_format")
    name = flat if isinstance(flat, str) else at_path(session, f"audio.{side}.format.type")
    return _BYTES_MS.get(name, 48.0) if isinstance(name, str) else default


def lost_updates(conversation: LoggedConversation) -> Iterator[Observation]:
    """At the end of a session: updates without an answer, and what went on after a rejected one."""
    session, now_ms = conversation.session, conversation.now_ms
    if session.rejected_update is not None and session.lived_with:
        error = session.rejected_update
        yield RejectionLivedWith(error.evidence, now_ms, error, session.lived_with)
    for update in list(session.updates) if conversation.log.shows_provider else ():
        waited = now_ms - max(update.at_ms, session.began_ms)
        ended = conversation.responses.ended - update.ended_before
        came = conversation.log.server_events - update.events_before
        went_on = came > 0 and (ended > 0 or came >= _SILENT_EVENTS or waited > conversation.options.dead_air_ms)
        shows_session = session.created is not None or session.configured is not None
        went_on = went_on and conversation.log.may_miss("session.updated", "transcription_session.updated")
        went_on = went_on and (shows_session or update.early)
        is_lost = went_on and (waited > _IN_FLIGHT_MS or not conversation.timed)
        yield (UpdateLost if is_lost else UpdateOpen)(update.evidence, now_ms, update)
        session.updates.remove(update)


def closed(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """The socket ended; `code` and `reason` as the log has them."""
    code = record.number("code")
    yield Closed(record.evidence(), conversation.now_ms, int(code or 0), record.text("reason"))


def error_of(conversation: LoggedConversation, record: Record) -> ProviderError:
    """The error of a record, and the client's event it is about."""
    body = mapping(record.event.get("error"))
    code, message, param, event_id = (
        value if isinstance(value := body.get(key), str) else "" for key in ("code", "message", "param", "event_id")
    )
    error = ProviderError(record.evidence(), code, message, param, event_id)
    error.about = _by_id(conversation, event_id) or _by_words(error)
    return error


def _by_id(conversation: LoggedConversation, event_id: str) -> str:
    if not event_id:
        return ""
    if any(c.event_id == event_id for c in conversation.creates.waiting):
        return "response.create"
    if any(u.event_id == event_id for u in conversation.session.updates):
        return "session.update"
    return next((a.type for a in conversation.requests if a.event_id == event_id), "")


def _by_words(error: ProviderError) -> str:
    if error.code in _CODES:
        return _CODES[error.code]
    for opening, about in _OPENINGS:
        if error.message.startswith(opening):
            return about
    for name, about in _PARAMS:
        in_param = error.param == name or error.param.startswith(f"{name}.")
        if in_param or f"'{name}." in error.message:
            return about
    return ""


def reported(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """An error settles what it is about; one about nothing known is reported as it is."""
    error = error_of(conversation, record)
    if error.about == "response.create":
        create = _rejected(conversation, error)
        conversation.creates.rejections += 1
        active = conversation.responses.active
        yield CreateRejected(error.evidence, conversation.now_ms, error, create, active)
    elif error.about == "session.update":
        update = _refused_update(conversation.session, error)
        yield UpdateRejected(error.evidence, conversation.now_ms, error, update)
    else:
        request = _refused(conversation, error)
        if request is not None and request.note == "function_call_output":
            requests.refused(conversation, request, error)
        yield ErrorReported(error.evidence, conversation.now_ms, error, request)


def _refused_update(session: LoggedSession, error: ProviderError) -> Update | None:
    session.rejected_update = error
    named = [u for u in session.updates if u.event_id and u.event_id == error.event_id]
    update = next(iter(named or session.updates), None)
    if update is not None:
        session.updates.remove(update)
    return update


def _rejected(conversation: LoggedConversation, error: ProviderError) -> Create | None:
    """The create an error is about. Without an id the newest, if two crossed before the first had its response."""
    waiting = [c for c in conversation.creates.waiting if not c.is_outside]
    crossing = _crossing(conversation, error, bool(waiting))
    if crossing is not None:
        return crossing
    named = [c for c in waiting if error.event_id and c.event_id == error.event_id]
    if not named and error.event_id and all(c.event_id for c in waiting):
        return None
    crossed = conversation.responses.active is None and len(waiting) > 1
    found = named or (waiting[-1:] if crossed else waiting[:1])
    if not found:
        return None
    conversation.creates.waiting.remove(found[0])
    return found[0]


def _crossing(conversation: LoggedConversation, error: ProviderError, others_wait: bool) -> Create | None:
    """The create that crossed a response of the provider's own, which was taken for its answer until now."""
    for response in conversation.responses.by_id.values():
        create = response.create
        if create is None or not response.create_presumed or error.code not in ("", BUSY):
            continue
        is_named = bool(error.event_id) and create.event_id == error.event_id
        if is_named or not (others_wait or (error.event_id and create.event_id)):
            response.create, response.create_presumed = None, False
            return create
    return None


def _refused(conversation: LoggedConversation, error: ProviderError) -> ClientRequest | None:
    """The request an error is about. Without an id: of items the one that was sent last, else the one that waits."""
    named = [r for r in conversation.requests if error.event_id and r.event_id == error.event_id]
    waiting = [r for r in conversation.requests if r.type == error.about and r.state is RequestState.OPEN]
    found = named or (waiting[-1:] if error.about == "conversation.item.create" else waiting[:1])
    if not found:
        return None
    found[0].state = RequestState.REJECTED
    return found[0]
