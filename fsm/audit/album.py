"""The timelines of the calls of a log: those in which something was found before the others. Bounded. Never pixels."""

from __future__ import annotations

from fsm.audit.drawing import Drawing
from fsm.audit.report import Heard, Timeline
from fsm.audit.talk import Sound

DRAWN = 24  # calls of a log


class Album:
    """Collects what was drawn of each call."""

    def __init__(self) -> None:
        self._kept: list[Timeline] = []
        self.undrawn = 0
        self._seen: set[Heard] = set()

    def add(self, call: str, drawing: Drawing, sound: Sound) -> None:
        """A call is over. `call` is its name, if the log names it."""
        if not drawing.has_begun and self._kept:
            return
        if sound.guessed or drawing.lanes.heard:
            self._seen.add(_how(sound))
        where = f"from line {drawing.line}" if drawing.line else ""
        name = ", ".join(part for part in (call, where) if part)
        if len(self._kept) >= DRAWN:
            self.undrawn += 1
            clean = next((n for n, kept in reversed(list(enumerate(self._kept))) if not kept.lanes.found), None)
            if not drawing.lanes.found or clean is None:
                return
            del self._kept[clean]
        self._kept.append(Timeline(name, drawing.lanes))

    @property
    def timelines(self) -> list[Timeline]:
        """In the order in which the calls began."""
        return sorted(self._kept, key=lambda timeline: timeline.lanes.start_at)

    @property
    def heard(self) -> Heard:
        """How the log shows when the agent was heard; where calls differ, the least sure."""
        ways: tuple[Heard, ...] = ("unknown", "guessed", "reckoned", "told")
        return next((way for way in ways if way in self._seen), "unknown")


def _how(sound: Sound) -> Heard:
    """A text is there when it comes; audio of which the log has cut the payload has no length."""
    if sound.told or not (sound.logged or sound.guessed):
        return "told"
    return "guessed" if sound.guessed else "reckoned" if sound.known else "unknown"
