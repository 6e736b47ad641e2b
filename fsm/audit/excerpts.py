"""Excerpts of a log: the last lines before a finding and the next ones after it, in words. Bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from fsm.audit.observations import AudioBegan, CreateRejected, Observation, UpdateRejected
from fsm.audit.record import CLOSED, FLUSHED, PLAYOUT, Record, seconds
from fsm.audit.report.report import Excerpt, ExcerptLine, Lane
from fsm.audit.shadow import ShadowStep

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


class Excerpts:
    """Remembers the last lines; opens an excerpt at a finding and fills it while the log is read on."""

    def __init__(self) -> None:
        self._last: deque[ExcerptLine] = deque(maxlen=_BEFORE)
        self._open: list[Excerpt] = []

    def add(self, lines: Iterable[ExcerptLine]) -> None:
        for line in lines:
            self._last.append(line)
            for excerpt in self._open:
                excerpt.lines.append(line)
                excerpt.left -= 1
        if self._open:
            self._open = [excerpt for excerpt in self._open if excerpt.left > 0]

    def open(self, line: int, at_ms: float) -> Excerpt:
        """An excerpt that holds what has just happened."""
        excerpt = Excerpt(line, at_ms, list(self._last), _AFTER)
        self._open.append(excerpt)
        return excerpt


def lines_of(record: Record, observed: list[Observation], steps: list[ShadowStep], now_ms: float) -> list[ExcerptLine]:
    """A record, and what our machine did at it, in a few words each. Content passes without a word."""
    shown = [s for s in steps if s.effects or s.before != s.after or s.outcome == _WRONG]
    own = [ExcerptLine(s.at_ms, s.line, "turnspec", step_words(s), s.outcome == _WRONG) for s in shown]
    found = [line for line in own if line.at_ms < now_ms]  # deadlines and playout, before what the log has here
    began = record.direction == "server" and any(isinstance(each, AudioBegan) for each in observed)
    if began or not any(word in record.type for word in _QUIET):
        bad = record.type == "error" or any(isinstance(each, CreateRejected | UpdateRejected) for each in observed)
        words = "audio begins" if began else _words(record)
        found.append(ExcerptLine(now_ms, record.line, _lane(record), words, bad))
    return found + [line for line in own if line.at_ms >= now_ms]


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


def step_words(step: ShadowStep) -> str:
    """What the machine did: the state it went to, the effects, what was assumed."""
    state = step.after if step.before == step.after else f"{step.before} → {step.after}"
    effects = f": {', '.join(step.effects)}" if step.effects else ""
    why = f" [assumed {step.event}]" if step.assumed else f" [{step.event}]" if step.event.startswith("timer.") else ""
    wrong = f" cannot happen: {step.reason}" if step.outcome == "impossible" else ""
    return f"{state}{effects}{why}{wrong}"
