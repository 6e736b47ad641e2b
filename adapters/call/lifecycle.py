"""The specs that a call may run under: one for each protocol of its providers, the agent's own first. Values only.

A call begins under the agent's own. When its next session is with a provider of another protocol, it goes on under the
spec of that one (fsm.machine.takeover); the line, the audio, the tools, the history and the journal are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from adapters.audio.speech import LOCAL_SPEECH
from adapters.call.settings import CallSettings
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine


@attrs.frozen
class Lifecycle:
    """A spec, what its calls are configured with, and the fingerprint of its text (fsm.journal.journal.digest)."""

    machine: TurnSpecMachine
    settings: CallSettings
    digest: str = ""

    @property
    def spec(self) -> Spec:
        return self.machine.spec

    @property
    def protocol(self) -> str:
        return self.spec.vocabulary.ledger.name

    def with_words(self, fill: Callable[[str], str]) -> Lifecycle:
        """For one call."""
        return attrs.evolve(self, settings=self.settings.with_words(fill))


class Lifecycles:
    """Of one call: the one that it is under, and the others."""

    def __init__(self, first: Lifecycle, others: Mapping[str, Lifecycle]) -> None:
        self.current = first
        self._by_protocol = {first.protocol: first, **others}
        self._next: Lifecycle | None = None

    def goes_on_elsewhere(self, protocol: str) -> bool:
        """Asked before a session over this protocol is opened: will another spec open it?"""
        self._next = self._by_protocol.get(protocol) if protocol != self.current.protocol else None
        return self._next is not None

    @property
    def is_due(self) -> bool:
        return self._next is not None

    def change(self) -> tuple[Lifecycle, Lifecycle]:
        """The one before, and the one that the call is under from now on."""
        before, self.current, self._next = self.current, self._next or self.current, None
        return before, self.current

    def knows(self, event: str) -> bool:
        """Does any of them have a word for it?"""
        return any(event in each.spec.vocabulary.events for each in self._by_protocol.values())

    @property
    def listening(self) -> Spec:
        """The first that listens to the caller itself, else the current one: whose figures are its ear's."""
        specs = [each.spec for each in self._by_protocol.values()]
        return next((each for each in specs if LOCAL_SPEECH in each.vocabulary.events), self.current.spec)
