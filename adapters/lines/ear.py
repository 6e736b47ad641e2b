"""Who hears the caller: the one listener of a leg, what came before there was one, and the end. Never a wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from adapters.lines.line import LegListener


class CallerEar:
    """At most `early_max_messages` are kept for a listener that is still to come; then the oldest go.

    `note_failure`: a listener has raised; it is called within the except clause, so it can log.
    """

    def __init__(self, early_max_messages: int, note_failure: Callable[[str], None]) -> None:
        self.early_dropped = 0
        self._note_failure = note_failure
        self._listener: LegListener | None = None
        self._early: deque[Callable[[LegListener], None]] | None = deque(maxlen=early_max_messages)
        self._end: str | None = None

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener; it hears first what came before there was one, and the end if it comes too late."""
        self._listener = listener
        while self._early:
            self._tell(self._early.popleft(), listener)
        self._early = None  # nothing is early any more
        self._tell_end()

    def hear(self, pcm: bytes, rate_hz: int) -> None:
        if self._listener is None:
            self._keep(lambda listener: listener.on_audio(pcm, rate_hz))
            return
        try:
            self._listener.on_audio(pcm, rate_hz)
        except Exception:
            self._note_failure("listener")

    def press(self, digit: str) -> None:
        if self._listener is None:
            self._keep(lambda listener: listener.on_key(digit))
        else:
            self._tell(lambda listener: listener.on_key(digit), self._listener)

    def end(self, reason: str) -> None:
        """The line is gone: the last thing heard, once."""
        if self._end is None:
            self._end = reason
            self._tell_end()

    def _keep(self, what: Callable[[LegListener], None]) -> None:
        if self._early is not None:
            self.early_dropped += len(self._early) == self._early.maxlen
            self._early.append(what)

    def _tell_end(self) -> None:
        listener = self._listener
        if self._end is not None and listener is not None:
            self._listener = None
            self._tell(partial(_say_end, self._end), listener)

    def _tell(self, what: Callable[[LegListener], None], listener: LegListener) -> None:
        try:
            what(listener)
        except Exception:
            self._note_failure("listener")


def _say_end(reason: str, listener: LegListener) -> None:
    listener.on_gone(reason)
