"""Bookkeeping of the session: what was asked of it, confirmed, refused; how audio is to be counted; how it closed.

Never here: responses, turns, tools, judgement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm.audit.record import Record
from fsm.audit.talk import Moment, Talk, Update, mapping
from fsm.machine.wire import at_path

_BYTES_MS = {"audio/pcmu": 8.0, "audio/pcma": 8.0, "g711_ulaw": 8.0, "g711_alaw": 8.0}
_SILENT_EVENTS = 40  # server events after an update of which one should have been its answer
_IN_FLIGHT_MS = 2000.0


def update_sent(talk: Talk, record: Record) -> Iterator[Moment]:
    """session.update. What was rejected before and is asked for again is not lived with."""
    early = talk.created is None and talk.server_events == 0
    update = Update(
        record.evidence(), talk.now_ms, early, record.text("event_id"), talk.server_events, talk.responses_ended
    )
    talk.said_for = (-1, None)  # told something new, the agent may speak again
    talk.updates.append(update)
    yield Moment("update_sent", update.evidence, talk.now_ms, update=update)


def created(talk: Talk, record: Record) -> Iterator[Moment]:
    """session.created: the provider's defaults hold."""
    talk.created = record.evidence()
    talk.began_ms = talk.now_ms
    _apply(talk, mapping(record.event.get("session")))
    yield Moment("session_created", talk.created, talk.now_ms)


def updated(talk: Talk, record: Record) -> Iterator[Moment]:
    """session.updated says the whole session; it confirms every update that waits."""
    evidence = record.evidence()
    _apply(talk, mapping(record.event.get("session")))
    talk.mode.transcription_only = talk.mode.transcription_only or record.type.startswith("transcription")
    if talk.configured_ms is None:
        talk.configured, talk.configured_ms = evidence, talk.now_ms
    for update in talk.updates:
        yield Moment("update_confirmed", update.evidence, talk.now_ms, update=update, before=evidence)
    talk.updates.clear()
    talk.said_for = (-1, None)
    if talk.rejected_update is not None:
        talk.rejected_update = None


def _apply(talk: Talk, session: Mapping[str, object]) -> None:
    detection = at_path(session, "audio.input.turn_detection")
    if detection is None:
        detection = session.get("turn_detection")
    mode = talk.mode
    mode.described = mode.described or bool(session)
    known = "turn_detection" in session or "turn_detection" in mapping(at_path(session, "audio.input"))
    if known:
        found = mapping(detection)
        mode.vad = str(found.get("type") or "unknown") if found else "none"
        mode.create_response = found.get("create_response") is not False
        mode.interrupt_response = found.get("interrupt_response") is not False
    kinds = (session.get("type"), session.get("object"))
    mode.transcription_only = "transcription" in kinds or "realtime.transcription_session" in kinds
    modalities = session.get("output_modalities", session.get("modalities"))
    mode.speaks = "audio" in modalities if isinstance(modalities, list | tuple) else mode.speaks
    talk.sound.in_bytes_ms = _bytes_ms(session, "input", talk.sound.in_bytes_ms)
    talk.sound.out_bytes_ms = _bytes_ms(session, "output", talk.sound.out_bytes_ms)


def _bytes_ms(session: Mapping[str, object], side: str, default: float) -> float:
    flat = session.get(f"{side}_audio_format")
    name = flat if isinstance(flat, str) else at_path(session, f"audio.{side}.format.type")
    return _BYTES_MS.get(name, 48.0) if isinstance(name, str) else default


def lost_updates(talk: Talk) -> Iterator[Moment]:
    """At the end of a session: updates without an answer, and what went on after a rejected one."""
    if talk.rejected_update is not None and talk.lived_with:
        fault = talk.rejected_update
        yield Moment("lived_with", fault.evidence, talk.now_ms, fault=fault, count=talk.lived_with)
    for update in list(talk.updates):
        waited = talk.now_ms - max(update.at_ms, talk.began_ms)
        ended, came = talk.responses_ended - update.ended_before, talk.server_events - update.events_before
        went_on = came > 0 and (ended > 0 or came >= _SILENT_EVENTS or waited > talk.options.dead_air_ms)
        if talk.server_events > 0:
            name = "update_lost" if went_on and (waited > _IN_FLIGHT_MS or not talk.timed) else "update_open"
            yield Moment(name, update.evidence, talk.now_ms, update=update, before=talk.created, ms=waited)
            talk.updates.remove(update)


def closed(talk: Talk, record: Record) -> Iterator[Moment]:
    """The socket ended; `code` and `reason` as the log has them."""
    code = record.number("code")
    yield Moment("closed", record.evidence(), talk.now_ms, text=record.text("reason"), count=int(code or 0))
