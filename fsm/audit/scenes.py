"""Scenes: the last beats before a finding and the next ones after it. Bounded; words only, never judgement."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from fsm.audit.mirror import Act
from fsm.audit.record import CLOSED, FLUSHED, PLAYOUT, Record, seconds
from fsm.audit.report import Beat, Lane, Scene
from fsm.audit.talk import Moment

_WRONG = "impossible"
_BEFORE = 14
_AFTER = 8
_CALLER = (
    "input_audio_buffer.speech", "input_audio_buffer.timeout", "conversation.item.input_audio_transcription.com",
    "caller.",
)  # fmt: skip
_OURS = PLAYOUT | {
    FLUSHED,
    "operator.hang_up_requested",
    "application.say_requested",
}  # of a journal of ours
_QUIET = (
    ".delta", "content_part", "rate_limits", "transcription", "input_audio_buffer.append", "conversation.item.done",
    "audio.done", "audio_transcript.done", "text.done", "function_call_arguments", "response.output_item.added", "ping",
    "call.started", "uplink.committable", "playout.progressed",
)  # fmt: skip


class Scenes:
    """Remembers the last beats; opens a scene at a finding and fills it as the log goes on."""

    def __init__(self) -> None:
        self._last: deque[Beat] = deque(maxlen=_BEFORE)
        self._open: list[Scene] = []

    def add(self, beats: Iterable[Beat]) -> None:
        for beat in beats:
            self._last.append(beat)
            for scene in self._open:
                scene.beats.append(beat)
                scene.left -= 1
        if self._open:
            self._open = [scene for scene in self._open if scene.left > 0]

    def open(self, line: int, at_ms: float) -> Scene:
        """A scene that holds what has just happened."""
        scene = Scene(line, at_ms, list(self._last), _AFTER)
        self._open.append(scene)
        return scene


def beats_of(record: Record, moments: list[Moment], acts: list[Act], now_ms: float) -> list[Beat]:
    """A record, and what our machine did at it, in a few words each. Content passes without a word."""
    telling = [act for act in acts if act.effects or act.before != act.after or act.outcome == _WRONG]
    own = [Beat(a.at_ms, a.line, "turnspec", act_words(a), a.outcome == _WRONG) for a in telling]
    found = [beat for beat in own if beat.at_ms < now_ms]  # deadlines and playout, before what the log has here
    began = record.direction == "server" and any(m.name == "audio_began" for m in moments)
    if began or not any(word in record.type for word in _QUIET):
        bad = record.type == "error" or any(m.name.endswith(("rejected", "refused")) for m in moments)
        found.append(Beat(now_ms, record.line, _lane(record), "audio begins" if began else _words(record), bad))
    return found + [beat for beat in own if beat.at_ms >= now_ms]


def _lane(record: Record) -> Lane:
    if record.type.startswith(_CALLER):
        return "caller"
    return "client" if record.direction == "client" or record.type in _OURS else "provider"


def _words(record: Record) -> str:
    name = record.type.removeprefix("input_audio_buffer.") if _lane(record) == "caller" else record.type
    name = name.removeprefix("effect.")
    if record.type == CLOSED:
        return f"closed {int(record.number('code') or 0)} {record.text('reason')}".strip()
    if record.type == "error":
        return f"error: {record.text('error.message') or record.text('error.code')}"
    if record.type == "response.done":
        status = record.text("response.status")
        reason = record.text("response.status_details.reason")
        return f"response.done {status}{' (' + reason + ')' if reason else ''} {record.text('response.id')}".strip()
    if record.text("item.type") in ("function_call", "function_call_output"):
        return f"{name} {record.text('item.type')} {record.text('item.call_id')}"
    detail = record.text("response.id") or record.text("item_id") or record.text("response_id")
    if record.type == "conversation.item.truncate":
        detail = f"{detail} at {seconds(record.number('audio_end_ms') or 0.0)}"
    return f"{name} {detail}".strip()


def act_words(act: Act) -> str:
    """What the machine did: the state it went to, the effects, what was assumed."""
    state = act.after if act.before == act.after else f"{act.before} → {act.after}"
    effects = f": {', '.join(act.effects)}" if act.effects else ""
    why = f" [assumed {act.event}]" if act.assumed else f" [{act.event}]" if act.event.startswith("timer.") else ""
    wrong = f" cannot happen: {act.reason}" if act.outcome == "impossible" else ""
    return f"{state}{effects}{why}{wrong}"
