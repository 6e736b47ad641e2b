"""Timelines: what the lanes of each call of a log hold, collected while the log is read. Bounded.

Pixels are made of them in adapters.audit.page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import AgentAudio, Response, Shown
from fsm.audit.observations import (
    AudioBegan,
    CreateRejected,
    ErrorReported,
    Observation,
    ResponseBegan,
    ResponseEnded,
    TurnBegan,
    TurnCommitted,
    TurnEnded,
    UpdateRejected,
)
from fsm.audit.record import CLOSED, FLUSHED, PLAYOUT, Record
from fsm.audit.report.report import Bar, Heard, Lanes, Mark, Timeline
from fsm.audit.shadow import ShadowStep
from fsm.audit.turn_owner import OPENINGS, TurnTaken, VoiceBegan
from fsm.audit.turn_table import TurnBook

T = TypeVar("T")
DRAWN = 24  # calls of a log
_KEPT = 2000
_PLAYING = 8  # responses whose end may still change
_ASKED = {
    "session.update": "update", "response.create": "create", "response.cancel": "cancel",
    "conversation.item.truncate": "truncate", "conversation.item.create": "item",
    "input_audio_buffer.commit": "commit", "input_audio_buffer.clear": "clear", "output_audio_buffer.clear": "clear",
}  # fmt: skip
_ANSWER_ENDS = frozenset({"voice.ended", "UserStartedSpeaking", "interrupted"})
_SOUND_ENDS = frozenset({FLUSHED, "playout.drained"})


class TimelineDrawing:
    """Fills the lanes of one call, record by record."""

    def __init__(self, start_at: float = 0.0, line: int = 0) -> None:
        """`line` is where the call begins, if another one came before it in the same log."""
        self.lanes = Lanes(start_at=start_at)
        self.line = line
        self.has_begun = False
        self._speech: Bar | None = None
        self._made: dict[str, Bar] = {}
        self._heard: dict[str, Bar] = {}
        self._state: Bar | None = None
        self._order = 0
        self._at = 0.0

    def add(
        self, record: Record, observed: Sequence[Observation], steps: Sequence[ShadowStep],
        conversation: LoggedConversation, number: int,
    ) -> None:  # fmt: skip
        """One record, the `number`th, and all that came of it."""
        self._order = number
        before, self.has_begun = self.has_begun, True
        self.lanes.by_order = not conversation.timed
        self._at = conversation.now_ms if conversation.timed else float(self._order)
        if not before and not self.line:
            self.lanes.start_at = self._at
        if record.type in (CLOSED, "session.created") or record.type in OPENINGS:
            self._session_over()
        for each in observed:
            self._observe(each, conversation)
        if conversation.owner.opened is not None:
            self._owned(record)
        elif record.type in PLAYOUT:
            self._report(record, conversation)
        if record.type.endswith("audio.delta") or conversation.agent_audio.is_heard:
            self._grow(conversation)
        elif record.direction != "server":
            self._cut(conversation)
        kind = _ASKED.get(record.type) if record.direction == "client" else None
        if kind is not None:
            self._keep(self.lanes.asked, Mark(self._at, kind, record.type))
        for step in steps:
            self._step(step, conversation)

    def _session_over(self) -> None:
        """Whatever a session was still giving ends with it."""
        for bar in self._made.values():
            bar.end_ms = self._at
        self._made.clear()

    def _observe(self, observed: Observation, conversation: LoggedConversation) -> None:
        if isinstance(observed, TurnBegan):
            self._speech = Bar(self._at, self._at, "speech", f"turn {observed.turn.number}")
            self._keep(self.lanes.speech, self._speech)
        elif isinstance(observed, TurnEnded | TurnCommitted | TurnTaken) and self._speech is not None:
            self._speech.end_ms = self._at
            self._speech = None
        elif isinstance(observed, ResponseBegan):
            self._begin(observed.response)
        elif isinstance(observed, VoiceBegan):
            self._made[observed.speech_id] = Bar(self._at, self._at, "own", observed.speech_id)
            self._keep(self.lanes.generated, self._made[observed.speech_id])
        elif isinstance(observed, ResponseEnded):
            self._end(observed.response, conversation)
        elif isinstance(observed, AudioBegan):
            begin = max(self._at, observed.quiet_since_ms) if conversation.timed else self._at
            name = observed.response.id
            self._heard[name] = Bar(begin, begin, "heard", name)
            self._keep(self.lanes.heard, self._heard[name])
        elif isinstance(observed, CreateRejected | UpdateRejected | ErrorReported):
            self._reject(observed)

    def _begin(self, response: Response) -> None:
        by = "asked for" if response.create is not None else "own"
        self._made[response.id] = Bar(self._at, self._at, by, response.id)
        self._keep(self.lanes.generated, self._made[response.id])

    def _end(self, response: Response, conversation: LoggedConversation) -> None:
        bar = self._made.pop(response.id, None)
        if bar is not None:
            bar.end_ms = self._at
            bar.text = f"{response.id}: {response.state.value} {response.reason}".rstrip()
        self._end_heard(response, conversation)

    def _reject(self, observed: CreateRejected | UpdateRejected | ErrorReported) -> None:
        self._keep(self.lanes.asked, Mark(self._at, "rejected", observed.error.message))
        response = observed.response if isinstance(observed, CreateRejected) else None
        if response is not None and response.create is None and response.id in self._made:
            self._made[response.id].kind = "own"

    def _grow(self, conversation: LoggedConversation) -> None:
        playing = conversation.agent_audio.playing
        bar = self._heard.get(playing.id) if playing is not None else None
        if bar is not None and playing is not None and playing.cut is None:
            bar.end_ms = conversation.agent_audio.heard_until_ms if conversation.timed else self._at

    def _report(self, record: Record, conversation: LoggedConversation) -> None:
        """A fact of our playout: what begins again is another bar, what ends has ended now."""
        playing = conversation.agent_audio.playing
        bar = self._heard.get(playing.id) if playing is not None else None
        if bar is None or playing is None:
            return
        if record.type == "playout.started" and bar.end_ms > bar.start_ms and conversation.agent_audio.is_heard:
            self._heard[playing.id] = Bar(self._at, self._at, "heard", playing.id)
            self._keep(self.lanes.heard, self._heard[playing.id])
        elif record.type == "playout.drained":
            bar.end_ms = max(self._at, bar.start_ms)

    def _owned(self, record: Record) -> None:
        """Of a provider that owns its turns: its answers have no ends but in the order of what it sends."""
        if record.type in _ANSWER_ENDS:
            self._session_over()
        if record.type == "UserStartedSpeaking":
            self._speech = self._speech or Bar(self._at, self._at, "speech", "caller")
            if self._speech.start_ms == self._at:
                self._keep(self.lanes.speech, self._speech)
        elif record.type == "playout.started":
            self._heard[""] = Bar(self._at, self._at, "heard", record.text("response_id"))
            self._keep(self.lanes.heard, self._heard[""])
        elif record.type in _SOUND_ENDS and "" in self._heard:
            self._heard.pop("").end_ms = self._at

    def _cut(self, conversation: LoggedConversation) -> None:
        """What was flushed is not heard any more."""
        for name, bar in self._heard.items():
            response = conversation.responses.by_id.get(name)
            if response is not None and response.cut is not None and conversation.timed:
                bar.end_ms = max(min(bar.end_ms, response.cut.at_ms), bar.start_ms)

    def _end_heard(self, response: Response, conversation: LoggedConversation) -> None:
        bar = self._heard.get(response.id)
        if bar is None:
            return
        while len(self._heard) > _PLAYING:
            self._heard.pop(next(iter(self._heard)))
        if not conversation.timed:
            bar.end_ms = self._at
        elif response.cut is None:
            bar.end_ms = max(bar.end_ms, conversation.agent_audio.heard_until_ms)
        else:
            bar.end_ms = max(min(bar.end_ms, response.cut.at_ms), bar.start_ms)

    def _step(self, step: ShadowStep, conversation: LoggedConversation) -> None:
        at = step.at_ms if conversation.timed else self._at
        if self._state is None or self._state.kind != step.after:
            if self._state is not None:
                self._state.end_ms = at
            self._state = Bar(at, at, step.after, step.after)
            self._keep(self.lanes.states, self._state)
        for effect in step.effects:
            self._keep(self.lanes.effects, Mark(at, effect.partition("(")[0], effect))

    def end(self, now_ms: float) -> Lanes:
        """What is still open ends here."""
        self.lanes.end_at = float(self._order) if self.lanes.by_order else now_ms
        for bar in (self._speech, self._state, *self._made.values()):
            if bar is not None:
                bar.end_ms = max(bar.end_ms, self.lanes.end_at)
        return self.lanes

    def found(self, at_ms: float, name: str) -> None:
        """A finding, for the ruler; `name` is its group's."""
        at = self._at if self.lanes.by_order else at_ms
        self.lanes.first_found.setdefault(name, at)
        self._keep(self.lanes.found, Mark(at, "finding", name))

    def _keep(self, lane: list[T], thing: T) -> None:
        if len(lane) < _KEPT:
            lane.append(thing)
        else:
            self.lanes.dropped += 1


class Timelines:
    """Collects what was drawn of each call: those in which something was found before the others."""

    def __init__(self) -> None:
        self._kept: list[Timeline] = []
        self.undrawn = 0
        self._seen: set[Heard] = set()

    def add(self, call: str, drawing: TimelineDrawing, agent: AgentAudio, book: TurnBook) -> None:
        """A call is over. `call` is its name, if the log names it."""
        if not drawing.has_begun and self._kept:
            return
        if Shown.TOKENS in agent.shown or drawing.lanes.heard:
            self._seen.add(_how(agent.shown))
        where = f"from line {drawing.line}" if drawing.line else ""
        name = ", ".join(part for part in (call, where) if part)
        if len(self._kept) >= DRAWN:
            self.undrawn += 1
            clean = next((n for n, kept in reversed(list(enumerate(self._kept))) if not kept.lanes.found), None)
            if not drawing.lanes.found or clean is None:
                return
            del self._kept[clean]
        timed = not drawing.lanes.by_order
        book.finish(drawing.lanes, timed)
        self._kept.append(Timeline(name, drawing.lanes, book.rows, book.said, book.usage, timed))

    @property
    def kept(self) -> list[Timeline]:
        """In the order in which the calls began."""
        return sorted(self._kept, key=lambda timeline: timeline.lanes.start_at)

    @property
    def heard(self) -> Heard:
        """How the log shows when the agent was heard; where calls differ, the least sure."""
        ways: tuple[Heard, ...] = ("unknown", "guessed", "reckoned", "told")
        return next((way for way in ways if way in self._seen), "unknown")


def _how(shown: Shown) -> Heard:
    """A text is there when it comes; audio of which the log has cut the payload has no length."""
    if Shown.PLAYOUT in shown or not shown & (Shown.TIMES | Shown.TOKENS):
        return "told"
    return "guessed" if Shown.TOKENS in shown else "reckoned" if Shown.LENGTHS in shown else "unknown"
