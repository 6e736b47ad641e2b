"""What audio is made of, and the way between the caller's format and the provider's. Never a queue, never a clock.

The cheapest way is chosen once: the same PCM on both sides is handed through, G.711 at the leg's own 8 kHz is a table
look-up, and only different rates pay for a resampler (docs/facts/performance.md: 24 kHz costs 1.2 to 1.5 times G.711).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import attrs

from adapters.audio.g711 import (
    ALAW_SILENCE,
    MULAW_SILENCE,
    alaw_to_pcm16,
    mulaw_to_pcm16,
    pcm16_to_alaw,
    pcm16_to_mulaw,
)
from adapters.audio.resample import Resampler

Encoding: TypeAlias = Literal["pcm16", "pcmu", "pcma"]

FRAME_MS: Final = 20
G711_HZ: Final = 8000
RATES_HZ: Final = frozenset({8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000})
"""What AudioSocket kinds 0x10 to 0x18 carry (docs/facts/telephony.md section 1); all divide into whole 20 ms frames."""

_SILENCE = {"pcm16": b"\0", "pcmu": bytes([MULAW_SILENCE]), "pcma": bytes([ALAW_SILENCE])}
_FROM_PCM: dict[Encoding, Callable[[bytes], bytes]] = {"pcmu": pcm16_to_mulaw, "pcma": pcm16_to_alaw}
_TO_PCM: dict[Encoding, Callable[[bytes], bytes]] = {"pcmu": mulaw_to_pcm16, "pcma": alaw_to_pcm16}


@attrs.frozen
class AudioFormat:
    """Mono audio on one side of a call. ValueError: unknown encoding or rate, or G.711 at another rate than 8 kHz."""

    encoding: Encoding = attrs.field(validator=attrs.validators.in_(_SILENCE))
    rate_hz: int = attrs.field(validator=attrs.validators.in_(RATES_HZ))

    def __attrs_post_init__(self) -> None:
        if self.encoding != "pcm16" and self.rate_hz != G711_HZ:
            raise ValueError(f"{self.encoding} is {G711_HZ} Hz, not {self.rate_hz} Hz")

    @property
    def sample_bytes(self) -> int:
        return 2 if self.encoding == "pcm16" else 1

    @property
    def bytes_per_second(self) -> int:
        return self.rate_hz * self.sample_bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of one 20 ms frame: 320 for PCM at 8 kHz."""
        return self.bytes_per_second * FRAME_MS // 1000

    def ms(self, size_bytes: int) -> int:
        """Whole milliseconds in so many bytes."""
        return size_bytes * 1000 // self.bytes_per_second

    def bytes_in(self, duration_ms: int) -> int:
        """Bytes of so many milliseconds, whole samples."""
        return self.rate_hz * duration_ms // 1000 * self.sample_bytes

    def frames(self, payload: bytes) -> list[bytes]:
        """The payload in 20 ms frames; the last one may be shorter."""
        return [payload[start : start + self.frame_bytes] for start in range(0, len(payload), self.frame_bytes)]

    def silence(self, duration_ms: int = FRAME_MS) -> bytes:
        samples = self.rate_hz * duration_ms // 1000
        return _SILENCE[self.encoding] * (samples * self.sample_bytes)


PCM_24K: Final = AudioFormat("pcm16", 24000)
PCMU: Final = AudioFormat("pcmu", G711_HZ)
PCMA: Final = AudioFormat("pcma", G711_HZ)


class Transcoder:
    """Both directions of one call: caller frames to provider payload, provider payload to PCM at the leg's rate.

    Incoming frames may come at any of RATES_HZ from message to message; the leg's own rate is what goes out. Filters
    keep their state between messages, one per rate, made when the rate is first seen.
    """

    __slots__ = (
        "_decode", "_down", "_encode", "_half_sample", "_in_hz", "_ups", "late_decode", "leg_rate_hz", "provider_in",
        "provider_out",
    )  # fmt: skip

    def __init__(
        self, provider_in: AudioFormat, provider_out: AudioFormat | None = None, leg_rate_hz: int = 8000
    ) -> None:
        """`provider_in` is what the provider is sent, `provider_out` what it sends (the same unless given)."""
        self.leg_rate_hz = AudioFormat("pcm16", leg_rate_hz).rate_hz
        self.send_as(provider_in)
        self.receive_as(provider_out or provider_in)

    def send_as(self, provider_in: AudioFormat) -> None:
        """What the provider is sent from here on."""
        self.provider_in = provider_in
        self._in_hz = provider_in.rate_hz
        self._encode = _FROM_PCM.get(provider_in.encoding)
        self._ups: dict[int, Resampler] = {}

    def receive_as(self, provider_out: AudioFormat) -> None:
        """What the provider sends from here on; what the filter held of the audio before it is dropped."""
        self.provider_out = provider_out
        self._decode = _TO_PCM.get(provider_out.encoding)
        self._down = Resampler(provider_out.rate_hz, self.leg_rate_hz)
        self._half_sample = b""
        self.late_decode = self._decode if provider_out.rate_hz == self.leg_rate_hz else None
        """All that is to be done with what comes, where that is a table look-up: it may be done at any time, in place
        of `from_provider`. None: it has to be done as it comes."""

    @property
    def delay_ms(self) -> float:
        """Held back by both filters together, at the leg's own rate."""
        return self._up(self.leg_rate_hz).delay_ms + self._down.delay_ms

    def to_provider(self, pcm: bytes, rate_hz: int | None = None) -> bytes:
        """A caller's PCM message, any length, to payload; half a sample is dropped. ValueError: rate not known."""
        if len(pcm) & 1:
            pcm = pcm[:-1]
        rate_hz = rate_hz or self.leg_rate_hz
        if rate_hz != self._in_hz:
            pcm = self._up(rate_hz).process(pcm)
        return self._encode(pcm) if self._encode else pcm

    def from_provider(self, payload: bytes) -> bytes:
        """A provider's payload, cut anywhere, to PCM at the leg's rate. Half a sample waits for its other half."""
        if self._decode:
            pcm = self._decode(payload)
        else:
            pcm = self._half_sample + payload if self._half_sample else payload
            cut = len(pcm) & ~1
            self._half_sample, pcm = pcm[cut:], pcm[:cut]
        return self._down.process(pcm)

    def end_of_provider_audio(self) -> bytes:
        """The tail of what came from the provider (about 4 ms; empty without a resampler); then a fresh start.

        Optional at the end of an item: without it the tail goes out in front of the next item.
        """
        self._half_sample = b""
        return self._down.flush()

    def drop_provider_audio(self) -> None:
        """Forget the tail: after a flush of the playout nothing of the old answer may sound in the next one."""
        self._half_sample = b""
        self._down.reset()

    def _up(self, rate_hz: int) -> Resampler:
        resampler = self._ups.get(rate_hz)
        if resampler is None:
            rate_hz = AudioFormat("pcm16", rate_hz).rate_hz
            resampler = self._ups[rate_hz] = Resampler(rate_hz, self.provider_in.rate_hz)
        return resampler


def converted(payload: bytes, old: AudioFormat, new: AudioFormat) -> bytes:
    """A whole piece of audio in another format; 1.5 ms shorter where the rates differ (the filter's delay)."""
    decode = _TO_PCM.get(old.encoding)
    return Transcoder(new).to_provider(decode(payload) if decode else payload, old.rate_hz)
