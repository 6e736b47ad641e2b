"""Only one side at a time: what goes up while the agent is audible, and a little longer."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.audio.caller_audio import CallerAudioPath, UnansweredAudio
from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat, Transcoder
from adapters.audio.half_duplex import TAIL_MS, HalfDuplex
from adapters.audio.silence import SilenceWatch
from adapters.audio.uplink import Uplink
from tests.adapters.audio.sound import tone

VOICE = tone(300, 8000, 20, 5000)
ECHO = tone(300, 8000, 20, 1000)
FAINT = tone(300, 8000, 20, 20)


class Line:
    """The caller's path of a call, all of whose uplink is looked at."""

    def __init__(self, provider: AudioFormat = PCMU) -> None:
        self.sent: list[bytes] = []
        self.facts: list[str] = []
        self.recorded: list[bytes] = []
        self.provider = provider
        uplink = Uplink(provider, self.sent.append, self._fact)
        silence = SilenceWatch(self._fact, hold_ms=400)
        self.audio = CallerAudioPath(
            Transcoder(provider), uplink, silence, UnansweredAudio(provider, 8000), recorder=self,  # type: ignore[arg-type]
            half_duplex=HalfDuplex(provider),
        )  # fmt: skip
        self.audio.open_uplink()

    def _fact(self, name: str, data: dict[str, Any]) -> None:
        del data
        self.facts.append(name)

    def hear(self, pcm: bytes, rate_hz: int) -> None:
        """As a recorder."""
        assert rate_hz == 8000
        self.recorded.append(pcm)

    def tick(self, agent_frame: bytes | None) -> None: ...

    def up(self, frames: int, agent: bytes | None, caller: bytes = ECHO) -> list[bool]:
        """Of each of these frames: did silence go up instead?"""
        silent = []
        for _ in range(frames):
            self.sent.clear()
            self.audio.tick(agent)
            self.audio.hear(caller, 8000)
            payload = b"".join(self.sent)
            assert len(payload) == self.provider.frame_bytes, "the provider's clock runs on"
            silent.append(payload == self.provider.silence())
        return silent


@pytest.mark.parametrize("provider", [PCMU, PCMA, PCM_24K], ids=lambda each: each.encoding)
def test_silence_goes_up_while_the_agent_is_audible_and_a_little_longer(provider: AudioFormat) -> None:
    line = Line(provider)
    assert not any(line.up(20, None))
    assert all(line.up(50, VOICE))
    assert all(line.up(TAIL_MS // 20, None))
    assert not any(line.up(20, None))


def test_a_frame_that_nobody_hears_is_no_reason_to_close() -> None:
    line = Line()
    assert not any(line.up(50, bytes(320)) + line.up(50, FAINT))


def test_a_pause_between_two_words_does_not_open_it() -> None:
    line = Line()
    for _ in range(5):
        assert all(line.up(10, VOICE) + line.up(14, bytes(320)))


def test_the_recording_has_what_the_caller_said() -> None:
    line = Line()
    line.up(50, VOICE)
    assert line.recorded == [ECHO] * 50


def test_the_echo_is_silence_to_the_silence_watch_too() -> None:
    line = Line()
    line.audio.watch_silence()
    line.up(21, VOICE)
    assert line.facts.count("caller.silent") == 1
