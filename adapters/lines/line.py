"""The seam of the lines: what a call needs of a telephone line, and what it hears from it. Never which line it is.

Where the peer queues nothing, exactly one frame leaves in each 20 ms. Where it plays by its own clock, a little more is
under way (`lead_ms`), and the line knows by the peer's marks how much of it has been played. All of it is called in the
loop's callbacks, without an await per frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

import attrs

_NOTHING: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class CallData:
    """What a line says about a call when it begins; "" where it does not say it."""

    caller_id: str = ""
    dialled: str = ""
    variables: Mapping[str, str] = _NOTHING
    """Whatever else it says: channel variables, custom parameters."""
    session_id: str = ""
    """Of a provider's session that has the caller's audio and plays the agent's; "": the line has the audio."""


NO_DATA: Final = CallData()


class AudioSource(Protocol):
    """What a call says to the caller. A source that raises is logged; what it did not give is silence."""

    def tick(self) -> None:
        """20 ms begin. Only of a line that keeps a lead: exactly once for each 20 ms, before the frames that leave in
        them. Elsewhere one frame is pulled for each 20 ms, which says the same."""

    def pull(self) -> bytes | None:
        """The next 20 ms of PCM at the leg's rate, or None: there is nothing to say, the caller hears silence."""


class LegListener(Protocol):
    """Who hears the caller. Called from the receive loop, so it must be cheap; one that raises is logged."""

    def on_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Whole samples, any number of them (10, 20, 30, 40 ms; nothing while the caller is muted): not a clock."""

    def on_key(self, digit: str) -> None:
        """One of `0-9 * # A-D`, at the end of the key press."""

    def on_gone(self, reason: str) -> None:
        """The line has ended. Exactly once, whoever ended it, and the last thing heard."""


class CallLeg(Protocol):
    """The caller's leg of one call."""

    @property
    def call_id(self) -> str:
        """The id by which both sides know the call: a UUID."""

    @property
    def data(self) -> CallData:
        """What the line said when the call began; it does not change."""

    @property
    def rate_hz(self) -> int:
        """Of the frames a source gives; it does not change once there is a call."""

    @property
    def keeps_lead(self) -> bool:
        """The peer plays by its own clock: what was pulled is heard `lead_ms` later. Else it is heard as it leaves."""

    @property
    def lead_ms(self) -> int:
        """How much of what was pulled has not been played yet; never less than the truth. 0 unless `keeps_lead`."""

    @property
    def frames_unsent(self) -> int:
        """Frames that were due and did not leave."""

    def play_from(self, source: AudioSource | None) -> None:
        """From the next tick on every frame is asked of `source` (None: silence)."""

    def listen(self, listener: LegListener) -> None:
        """Replaces the listener; it hears first what came before there was one (bounded)."""

    def flush(self) -> None:
        """What is under way is not to be played: the caller interrupts. Nothing to do where there is no lead."""

    def refuse(self, reason: str, why: str = "") -> None:
        """This call is not taken: said so that the telephone goes on elsewhere, and logged with the reason. `why`: its
        name (adapters/lines/refusal.py), for a line that can say which it is."""

    async def hang_up(self) -> None:
        """The polite end, after which the dialplan goes on; returns when the line is gone."""
