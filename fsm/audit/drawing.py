"""What the lanes of a timeline hold, collected while a log is read. Bounded. Never pixels (fsm.audit.svg)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fsm.audit.mirror import Act
from fsm.audit.record import CLOSED, PLAYOUT, Record
from fsm.audit.report import Bar, Lanes, Mark
from fsm.audit.talk import Moment, Response, Talk

_KEPT = 2000
_PLAYING = 8  # responses whose end may still change
_ASKED = {
    "session.update": "update", "response.create": "create", "response.cancel": "cancel",
    "conversation.item.truncate": "truncate", "conversation.item.create": "item",
    "input_audio_buffer.commit": "commit", "input_audio_buffer.clear": "clear", "output_audio_buffer.clear": "clear",
}  # fmt: skip
T = TypeVar("T")


class Drawing:
    """Fills the lanes, record by record."""

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
        self, record: Record, moments: Sequence[Moment], acts: Sequence[Act], talk: Talk, number: int
    ) -> None:  # fmt: skip
        """One record, the `number`th, and all that came of it."""
        self._order = number
        before, self.has_begun = self.has_begun, True
        self.lanes.by_order = not talk.timed
        self._at = talk.now_ms if talk.timed else float(self._order)
        if not before and not self.line:
            self.lanes.start_at = self._at
        if record.type in (CLOSED, "session.created"):
            self._session_over()
        for moment in moments:
            self._moment(moment, talk)
        if record.type in PLAYOUT:
            self._told(record, talk)
        if record.type.endswith("audio.delta") or talk.sound.is_heard:
            self._grow(talk)
        elif record.direction != "server":
            self._cut(talk)
        kind = _ASKED.get(record.type) if record.direction == "client" else None
        if kind is not None:
            self._keep(self.lanes.asked, Mark(self._at, kind, record.type))
        for act in acts:
            self._act(act, talk)

    def _session_over(self) -> None:
        """Whatever a session was still giving ends with it."""
        for bar in self._made.values():
            bar.end_ms = self._at
        self._made.clear()

    def _moment(self, moment: Moment, talk: Talk) -> None:
        at, response, name = self._at, moment.response, moment.name
        if name == "turn_began" and moment.turn is not None:
            self._speech = Bar(at, at, "speech", f"turn {moment.turn.number}")
            self._keep(self.lanes.speech, self._speech)
        elif name in ("turn_ended", "turn_committed") and self._speech is not None:
            self._speech.end_ms = at
            self._speech = None
        elif name == "response_began" and response is not None:
            by = "asked for" if response.create is not None else "own"
            self._made[response.id] = Bar(at, at, by, response.id)
            self._keep(self.lanes.generated, self._made[response.id])
        elif name == "response_ended" and response is not None:
            bar = self._made.pop(response.id, None)
            if bar is not None:
                bar.end_ms = at
                bar.text = f"{response.id}: {response.status} {response.reason}".rstrip()
            self._end_heard(response, talk)
        elif name == "audio_began" and response is not None:
            begin = max(at, moment.ms) if talk.timed else at
            self._heard[response.id] = Bar(begin, begin, "heard", response.id)
            self._keep(self.lanes.heard, self._heard[response.id])
        elif name in ("create_rejected", "update_rejected", "error"):
            self._keep(self.lanes.asked, Mark(at, "rejected", moment.fault.message if moment.fault else ""))
            if response is not None and response.create is None and response.id in self._made:
                self._made[response.id].kind = "own"

    def _grow(self, talk: Talk) -> None:
        playing = talk.sound.playing
        bar = self._heard.get(playing.id) if playing is not None else None
        if bar is not None and playing is not None and playing.flushed is None:
            bar.end_ms = talk.sound.heard_until_ms if talk.timed else self._at

    def _told(self, record: Record, talk: Talk) -> None:
        """A fact of our playout: what begins again is another bar, what ends has ended now."""
        playing = talk.sound.playing
        bar = self._heard.get(playing.id) if playing is not None else None
        if bar is None or playing is None:
            return
        if record.type == "playout.started" and bar.end_ms > bar.start_ms and talk.sound.is_heard:
            self._heard[playing.id] = Bar(self._at, self._at, "heard", playing.id)
            self._keep(self.lanes.heard, self._heard[playing.id])
        elif record.type == "playout.drained":
            bar.end_ms = max(self._at, bar.start_ms)

    def _cut(self, talk: Talk) -> None:
        """What was flushed is not heard any more."""
        for name, bar in self._heard.items():
            response = talk.responses.get(name)
            if response is not None and response.flushed is not None and talk.timed:
                bar.end_ms = max(min(bar.end_ms, response.flushed_ms), bar.start_ms)

    def _end_heard(self, response: Response, talk: Talk) -> None:
        bar = self._heard.get(response.id)
        if bar is None:
            return
        while len(self._heard) > _PLAYING:
            self._heard.pop(next(iter(self._heard)))
        if not talk.timed:
            bar.end_ms = self._at
        elif response.flushed is None:
            bar.end_ms = max(bar.end_ms, talk.sound.heard_until_ms)
        else:
            bar.end_ms = max(min(bar.end_ms, response.flushed_ms), bar.start_ms)

    def _act(self, act: Act, talk: Talk) -> None:
        at = act.at_ms if talk.timed else self._at
        if self._state is None or self._state.kind != act.after:
            if self._state is not None:
                self._state.end_ms = at
            self._state = Bar(at, at, act.after, act.after)
            self._keep(self.lanes.states, self._state)
        for effect in act.effects:
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
