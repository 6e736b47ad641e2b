"""Who watches a call (the journal, a display), and that none of them can harm it. Never what they make of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, runtime_checkable

import structlog

from adapters.call.lifecycle import Lifecycle
from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.providers.provider import WireEvent
from fsm.machine.machine import Step
from fsm.machine.takeover import Takeover


class Observer(Protocol):
    """Watches a call. May not slow it down; what it raises is logged and ends nothing."""

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None: ...

    def wire(self, direction: Literal["in", "out"], event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None: ...


@runtime_checkable
class TakeoverObserver(Protocol):
    """One that depends on the spec of a call: told that the call goes on under another, before its first step there."""

    def took_over(self, lifecycle: Lifecycle, taken: Takeover, provider: str, at_ms: int) -> None: ...


class Observers:
    """All observers of one call, as one. `at_ms` is milliseconds since the call began."""

    def __init__(self, observers: Iterable[Observer], log: structlog.typing.FilteringBoundLogger) -> None:
        self._observers = tuple(observers)
        self._log = log

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        for observer in self._observers:
            try:
                observer.stepped(step, envelope, at_ms)
            except Exception:
                self._note_failure(observer)

    def wire(self, direction: Literal["in", "out"], event: WireEvent, at_ms: int) -> None:
        for observer in self._observers:
            try:
                observer.wire(direction, event, at_ms)
            except Exception:
                self._note_failure(observer)

    def took_over(self, lifecycle: Lifecycle, taken: Takeover, provider: str, at_ms: int) -> None:
        for observer in self._observers:
            if not isinstance(observer, TakeoverObserver):
                continue
            try:
                observer.took_over(lifecycle, taken, provider, at_ms)
            except Exception:
                self._note_failure(observer)

    def ended(self, summary: Summary) -> None:
        for observer in self._observers:
            try:
                observer.ended(summary)
            except Exception:
                self._note_failure(observer)

    def _note_failure(self, observer: Observer) -> None:
        self._log.exception("observer_failed", observer=type(observer).__name__)
