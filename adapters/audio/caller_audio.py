"""What the caller says, from the line to the provider: one path for each call. Never who has the floor.

A frame is transcoded, goes up (or is kept while there is no session), is remembered until the provider has its turn,
ends a gap that is filled with silence, is listened to for silence and speech where that is asked for, and is recorded;
where only one side is heard at a time, silence goes up in its place while the agent is audible. The clock
is the 20 ms tick of the call and not the caller's frames: a muted phone, hold, a pressed key and DTX send no frames at
all (docs/facts/telephony.md section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.audio.formats import FRAME_MS, AudioFormat, Transcoder, converted
from adapters.audio.half_duplex import HalfDuplex
from adapters.audio.recorder import Recorder
from adapters.audio.silence import SilenceWatch
from adapters.audio.speech import VoiceActivityDetector
from adapters.audio.uplink import Uplink

GAP_MS: Final = 200  # later than this no frame is only late
ONSET_MS: Final = 1000  # a provider reports speech when it is sure, and counts from before that


class CallerAudioPath:
    """The caller's audio of one call. `hear` with every frame of the line, `tick` every 20 ms."""

    def __init__(
        self,
        transcoder: Transcoder,
        uplink: Uplink,
        silence: SilenceWatch,
        uncommitted: UncommittedAudio,
        recorder: Recorder | None = None,
        half_duplex: HalfDuplex | None = None,
        speech: VoiceActivityDetector | None = None,
    ) -> None:
        self._transcoder = transcoder
        self._uplink = uplink
        self._silence = silence
        self._uncommitted = uncommitted
        self._recorder = recorder
        self._half_duplex = half_duplex
        self._speech = speech
        self._filler = SilenceFiller(transcoder.provider_in, self._send_up)

    def hear(self, pcm: bytes, rate_hz: int) -> None:
        """A frame of any length: up to the provider within this call."""
        payload = self._transcoder.to_provider(pcm, rate_hz)
        if self._half_duplex is not None and self._half_duplex.is_muted:
            self._send_up(self._half_duplex.silenced(payload))
            if self._speech is not None:
                self._speech.ignore()
        else:
            self._send_up(payload)
            if self._silence.watching:
                self._silence.hear(pcm)
            if self._speech is not None:
                self._speech.hear(pcm, rate_hz)
        self._filler.heard()
        if self._recorder is not None:
            self._recorder.hear(pcm, rate_hz)

    def tick(self, agent_frame: bytes | None) -> None:
        """20 ms have passed, in which the caller heard this frame, or silence."""
        if self._half_duplex is not None:
            self._half_duplex.tick(agent_frame)
        if self._speech is not None:
            self._speech.tick(agent_frame)
        if self._uplink.is_open:
            self._filler.tick()
        if self._silence.watching:
            self._silence.tick()
        if self._recorder is not None:
            self._recorder.tick(agent_frame)

    def close(self) -> None:
        """The call is over: the recording ends."""
        if self._recorder is not None:
            self._recorder.close()

    # --- the way up ---------------------------------------------------------------------------------------------------

    def send_to(self, send: Callable[[bytes], object]) -> None:
        """Where caller audio goes from here on."""
        self._uplink.send_to(send)

    def open_uplink(self) -> None:
        """Sends what was kept, and lets through what follows."""
        self._uplink.open()

    def close_uplink(self) -> None:
        """What a turn had said by now is kept for the next session, before what comes next."""
        self._uplink.close()
        for payload in self._uncommitted.take():
            self._uplink.hear(payload)

    def switch(self, provider_in: AudioFormat) -> None:
        """The provider takes another format: what is kept is converted, what follows is encoded so."""
        if provider_in == self._transcoder.provider_in:
            return
        self._uplink.switch(provider_in)
        self._uncommitted.switch(provider_in)
        self._transcoder.send_as(provider_in)
        self._filler = SilenceFiller(provider_in, self._send_up)

    def turn_began(self) -> None:
        """The provider heard the caller begin to speak."""
        self._uncommitted.open()

    def turn_held(self) -> None:
        """The provider's conversation holds what was said so far."""
        self._uncommitted.forget()

    def _send_up(self, payload: bytes) -> None:
        self._uplink.hear(payload)
        if self._uplink.is_open:
            self._uncommitted.remember(payload)

    # --- the local ear ------------------------------------------------------------------------------------------------

    def watch_silence(self) -> None:
        self._silence.watch()

    def unwatch_silence(self) -> None:
        self._silence.unwatch()


class SilenceFiller:
    """Silence toward the provider where the phone sends nothing: `heard` with every frame, `tick` every 20 ms.

    The provider's VAD counts the audio it is sent, not seconds: without this it would wait without end for the end of a
    turn. What is missing after 200 ms goes out as silence.
    """

    __slots__ = ("_frame", "_missing", "_send", "_wait")

    def __init__(self, payload_format: AudioFormat, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._frame = payload_format.silence()
        self._wait = GAP_MS // FRAME_MS
        self._missing = 0

    def heard(self) -> None:
        self._missing = 0

    def tick(self) -> None:
        self._missing = missing = self._missing + 1
        if missing >= self._wait:
            self._send(self._frame * self._wait if missing == self._wait else self._frame)


class UncommittedAudio:
    """What the caller has said of a turn that no conversation holds yet: the newest `keep_ms`; 0: nothing is kept.

    The provider's input buffer is gone with its session; without this the caller would have spoken to nobody, and
    nobody would answer.
    """

    def __init__(self, payload_format: AudioFormat, keep_ms: int) -> None:
        self._keep_ms = keep_ms
        self._said = bytearray()
        self._is_open = False
        self._measure(payload_format)

    def _measure(self, payload_format: AudioFormat) -> None:
        self._format = payload_format
        self._turn_bytes = payload_format.bytes_in(self._keep_ms)
        self._onset_bytes = payload_format.bytes_in(min(ONSET_MS, self._keep_ms))
        self._most_bytes = self._turn_bytes if self._is_open else self._onset_bytes

    def switch(self, payload_format: AudioFormat) -> None:
        """Another format from here on, also of what is remembered."""
        self._said = bytearray(converted(bytes(self._said), self._format, payload_format))
        self._measure(payload_format)

    def remember(self, payload: bytes) -> None:
        """Went up to the provider."""
        self._said += payload
        excess_bytes = len(self._said) - self._most_bytes
        if excess_bytes > 0:
            del self._said[:excess_bytes]

    def open(self) -> None:
        """A turn begins, a little before now."""
        self._is_open, self._most_bytes = True, self._turn_bytes

    def take(self) -> list[bytes]:
        """The session is left: what it heard of a turn and did not keep, in pieces; once."""
        said = bytes(self._said) if self._is_open else b""
        self.forget()
        return self._format.frames(said)

    def forget(self) -> None:
        """A conversation holds what was said."""
        self._is_open, self._most_bytes = False, self._onset_bytes
        self._said.clear()
