"""Several providers as one: which of them a call's next session is with, and what became of it. Never when to connect.

A spec asks to connect and to reconnect; here is chosen where. A call begins with the first provider whose circuit is
not open; when a session was lost, or never came to be, the next one is taken, and a failure that no retry could repair
is told as one that it can, as long as there is another provider. The circuits are of the process, and its calls share
them. A session that was left while all was well (a renewal) is followed by one with the same provider. Providers may
speak different protocols: a call asks which comes next before it connects, and goes on under the spec that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs
import structlog

from adapters.audio.formats import AudioFormat
from adapters.providers.circuit import Circuit
from adapters.providers.provider import (
    AttachableProvider,
    AudioDelta,
    CallsAddress,
    ConnectionEnding,
    ConnectionListener,
    DecodeFailure,
    EncodingError,
    HistoryItem,
    Provider,
    ProviderComplained,
    ProviderConnection,
    ProviderUsage,
    ResponseGenerated,
    SessionBegan,
    SessionConfirmed,
    WireEvent,
    WireNote,
)

log = structlog.get_logger(__name__)

NO_SESSION = "it gave no session in time"
_PEACEFUL = frozenset({1000, 1001})
"""Ends of a session that say nothing about the next one."""


@attrs.frozen
class Candidate:
    """One provider with its circuit."""

    provider: Provider
    circuit: Circuit


@attrs.frozen
class ProviderChoice:
    """The providers of an agent, in order. `now_s` is the clock of the circuits."""

    candidates: tuple[Candidate, ...]
    now_s: Callable[[], float]

    def refusal(self) -> str:
        """Why no call should come: at none of them another try would help. "": one may. Without an address: whoever
        asks for readiness reads it."""
        now_s = self.now_s()
        circuits = [each.circuit for each in self.candidates]
        if not all(each.is_fatal and not each.allows(now_s) for each in circuits):
            return ""
        return "; ".join(f"provider {place}: {each.reason}" for place, each in enumerate(circuits, start=1))

    # --- a Provider: the one that a call would begin with -------------------------------------------------------------

    @property
    def label(self) -> str:
        return self.first().label

    @property
    def audio_in(self) -> AudioFormat:
        return self.first().audio_in

    @property
    def audio_out(self) -> AudioFormat:
        return self.first().audio_out

    def first(self) -> Provider:
        return self.candidates[self.choose(range(len(self.candidates)))].provider

    def with_words(self, fill: Callable[[str], str]) -> CallProvider:
        """For one call."""
        filled = tuple(attrs.evolve(each, provider=each.provider.with_words(fill)) for each in self.candidates)
        return CallProvider(attrs.evolve(self, candidates=filled))

    def warm_up(self) -> None:
        for each in self.candidates:
            each.provider.warm_up()

    def next_protocol(self) -> str:
        return self.first().next_protocol()

    def connection(self, listener: ConnectionListener) -> ProviderConnection:
        return self.with_words(lambda text: text).connection(listener)

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        return self.first().encode(effect_name, args)

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        return self.first().encode_history(items)

    def note(self, event: WireEvent) -> WireNote | None:
        return self.first().note(event)

    def usage(self, event: WireEvent) -> ProviderUsage | None:
        return self.first().usage(event)

    def choose(self, order: Iterable[int]) -> int:
        """The first in this order that may be tried; where none may, one that a retry could repair, else the first."""
        now_s, places = self.now_s(), list(order)
        circuits = [self.candidates[place].circuit for place in places]
        for place, circuit in zip(places, circuits, strict=True):
            if circuit.allows(now_s):
                return place
        return next((place for place, circuit in zip(places, circuits, strict=True) if not circuit.is_fatal), places[0])


class CallProvider:
    """Of one call: a `Provider` that is another one from session to session."""

    def __init__(self, choice: ProviderChoice) -> None:
        self._choice = choice
        self._place: int | None = None
        self._is_chosen = False  # for the session to come
        self._watch: _Watch | None = None

    @property
    def current(self) -> Provider:
        """That of the session, or of the one to come."""
        return self._choice.first() if self._place is None else self._choice.candidates[self._place].provider

    @property
    def label(self) -> str:
        return self.current.label

    @property
    def audio_in(self) -> AudioFormat:
        return self.current.audio_in

    @property
    def audio_out(self) -> AudioFormat:
        return self.current.audio_out

    def with_words(self, fill: Callable[[str], str]) -> CallProvider:
        del fill  # they are filled in
        return self

    def attached(self, session_id: str) -> Provider:
        """A session lives with one provider: the first whose sessions have room for a second client."""
        return self._attachable().attached(session_id)

    def calls_address(self) -> CallsAddress:
        return self._attachable().calls_address()

    def session_to_accept(self) -> WireEvent:
        return self._attachable().session_to_accept()

    def _attachable(self) -> AttachableProvider:
        for each in self._choice.candidates:
            if isinstance(each.provider, AttachableProvider):
                return each.provider
        raise EncodingError(f"{self.label}: a session of this protocol cannot be attached to")

    def warm_up(self) -> None:
        self._choice.warm_up()

    def next_protocol(self) -> str:
        if not self._is_chosen:
            self._choose()
        return self.current.next_protocol()

    def connection(self, listener: ConnectionListener) -> ProviderConnection:
        place = self._place if self._is_chosen and self._place is not None else self._choose()
        self._is_chosen = False
        chosen = self._choice.candidates[place]
        chosen.circuit.began(self._choice.now_s())
        self._watch = _Watch(listener, chosen, self._choice.now_s, lambda: self._has_another(place))
        return chosen.provider.connection(self._watch)

    def _choose(self) -> int:
        """Whose session comes next."""
        now_s, count = self._choice.now_s(), len(self._choice.candidates)
        if self._watch is not None:
            self._watch.leave(now_s)
        if self._place is None:
            place = self._choice.choose(range(count))
        elif self._watch is not None and self._watch.is_well:
            place = self._place
        else:
            place = self._choice.choose((self._place + 1 + index) % count for index in range(count))
        if self._place is not None and place != self._place:
            log.warning("provider_changed", before=self.label, provider=self._choice.candidates[place].provider.label)
        self._place, self._is_chosen = place, True
        return place

    def _has_another(self, place: int) -> bool:
        """May a call that has lost this one go on with another?"""
        now_s = self._choice.now_s()
        others = (each for index, each in enumerate(self._choice.candidates) if index != place)
        return any(each.circuit.allows(now_s) for each in others)

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        return self.current.encode(effect_name, args)

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        return self.current.encode_history(items)

    def note(self, event: WireEvent) -> WireNote | None:
        noted = self._watch.noted if self._watch is not None else None
        if noted is not None and noted[0] is event:  # the watch has just read it
            return noted[1]
        return self.current.note(event)

    def usage(self, event: WireEvent) -> ProviderUsage | None:
        return self.current.usage(event)


class _Watch:
    """The listener of one session: what it hears goes to the call; what that says of the provider, to the circuit."""

    def __init__(
        self,
        listener: ConnectionListener,
        chosen: Candidate,
        now_s: Callable[[], float],
        has_another: Callable[[], bool],
    ) -> None:
        self._listener = listener
        self._chosen = chosen
        self._now_s = now_s
        self._has_another = has_another
        self._is_confirmed = False
        self._is_over = False
        self._is_judged = False  # why it ends was said before its end
        self.noted: tuple[WireEvent, WireNote | None] | None = None
        """What the event says that the listener is about to hear: it need not be read twice."""

    @property
    def is_well(self) -> bool:
        """It was left, and not because of the provider."""
        return self._is_confirmed and not self._is_over

    def leave(self, now_s: float) -> None:
        """Another session takes its place: one that was never confirmed has taken too long."""
        if not self._is_confirmed and not self._is_over:
            self._failed(NO_SESSION, fatal=False, now_s=now_s)

    def on_open(self) -> None:
        self._listener.on_open()

    def on_event(self, event: WireEvent) -> None:
        if self._is_over:
            return
        note = self._chosen.provider.note(event)
        why = self._read(note)
        if not why:
            self.noted = event, note
            self._listener.on_event(event)
            self.noted = None
            return
        self._failed(why, fatal=True)
        if self._has_another():  # the call is not told of a dead end, but of a lost session
            self._listener.on_closed(ConnectionEnding(None, why, False))
            return
        self._is_over, self._is_judged = False, True
        self._listener.on_event(event)

    def _read(self, note: WireNote | None) -> str:
        """What an event says of the provider; why it is of no use any more, or ""."""
        match note:
            case SessionConfirmed() | SessionBegan(is_confirmed=True):
                self._is_confirmed = True
                self._chosen.circuit.succeeded()
            case ProviderComplained(code, message, is_fatal) if is_fatal:
                return code or message
            case ResponseGenerated(_, _, fatal):
                return fatal
        return ""

    def on_audio(self, delta: AudioDelta) -> None:
        if not self._is_over:
            self._listener.on_audio(delta)

    def on_undecodable(self, failure: DecodeFailure) -> None:
        self._listener.on_undecodable(failure)

    def on_closed(self, ending: ConnectionEnding) -> None:
        if self._is_over:
            return
        was_lost = ending.code is not None and (ending.code not in _PEACEFUL or not self._is_confirmed)
        if (was_lost or ending.fatal) and not self._is_judged:  # without a code it was us
            self._failed(ending.reason or f"closed with {ending.code}", fatal=ending.fatal)
        self._is_over = True
        self._listener.on_closed(self._told(ending))

    def on_unreachable(self, ending: ConnectionEnding) -> None:
        if self._is_over:
            return
        self._failed(ending.reason, fatal=ending.fatal)
        self._listener.on_unreachable(self._told(ending))

    def _told(self, ending: ConnectionEnding) -> ConnectionEnding:
        return attrs.evolve(ending, fatal=False) if ending.fatal and self._has_another() else ending

    def _failed(self, why: str, *, fatal: bool, now_s: float | None = None) -> None:
        self._is_over = True
        at_s = self._now_s() if now_s is None else now_s
        if self._chosen.circuit.failed(at_s, why, fatal=fatal):
            log.warning("provider_passed_over", provider=self._chosen.provider.label, why=why, fatal=fatal)
