"""What the caller has said of a turn that no conversation holds yet, for a session that takes over from a lost one.

The provider's input buffer is gone with its session; without this the caller would have spoken to nobody, and nobody
would answer. Fed with what goes up and with wire events; asked when the uplink closes. Bounded; never a decision.
"""

from __future__ import annotations

from typing import Final

from adapters.audio.formats import AudioFormat
from adapters.providers.realtime.protocol import WireEvent

ONSET_MS: Final = 1000  # the provider tells of speech when it is sure, and counts from before that
_OPENS: Final = "input_audio_buffer.speech_started"
_HELD: Final = frozenset({"input_audio_buffer.committed", "response.created", "response.done"})


class UncommittedAudio:
    """The newest `keep_ms` of the turn under way; 0: nothing is kept."""

    def __init__(self, payload_format: AudioFormat, keep_ms: int) -> None:
        rate = payload_format.bytes_per_second
        self._piece_bytes = payload_format.frame_bytes
        self._turn_bytes = keep_ms * rate // 1000
        self._onset_bytes = min(ONSET_MS, keep_ms) * rate // 1000
        self._most_bytes = self._onset_bytes
        self._said = bytearray()
        self._is_open = False

    def remember(self, payload: bytes) -> None:
        """Went up to the provider."""
        self._said += payload
        excess_bytes = len(self._said) - self._most_bytes
        if excess_bytes > 0:
            del self._said[:excess_bytes]

    def hear(self, event: WireEvent) -> None:
        """Takes note of a wire event that begins a turn, or shows that the provider has it."""
        kind = event.get("type")
        if kind == _OPENS:
            self._is_open, self._most_bytes = True, self._turn_bytes
        elif kind in _HELD:
            self._settle()

    def take(self) -> list[bytes]:
        """The session is left: what it heard of a turn and did not keep, in pieces; once."""
        said = bytes(self._said) if self._is_open else b""
        self._settle()
        return [said[start : start + self._piece_bytes] for start in range(0, len(said), self._piece_bytes)]

    def _settle(self) -> None:
        self._is_open, self._most_bytes = False, self._onset_bytes
        self._said.clear()
