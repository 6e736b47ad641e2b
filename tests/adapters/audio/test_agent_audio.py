"""What the caller hears of agent and prompts together: who comes first, and what a pause holds back."""

from __future__ import annotations

import pytest

from adapters.audio.agent_audio import AgentAudioPath
from adapters.audio.formats import AudioFormat, Transcoder
from adapters.audio.playout import Playout
from adapters.audio.prompt import PromptPlayer
from tests.adapters.audio.sound import Facts

VOICE, PROMPT = b"\1\0" * 160, b"\2\0" * 160


class Path:
    """At 8 kHz PCM on both sides, with a prompt of 60 ms."""

    def __init__(self) -> None:
        self.facts = Facts()
        prompts = PromptPlayer({"apology": PROMPT * 3, "one_moment": PROMPT * 2}, 320, self.facts)
        transcoder = Transcoder(AudioFormat("pcm16", 8000))
        self.audio = AgentAudioPath(transcoder, Playout(self.facts), prompts)

    def say(self, frames: int) -> None:
        self.audio.push("r1", "i1", 0, VOICE * frames)

    def pull(self, frames: int) -> list[bytes | None]:
        return [self.audio.pull() for _ in range(frames)]


@pytest.fixture
def path() -> Path:
    return Path()


def test_a_pause_holds_back_the_agent_and_the_prompt_behind_it(path: Path) -> None:
    path.say(3)
    assert path.pull(1) == [VOICE]
    path.audio.play_prompt("apology")
    path.audio.pause()
    assert path.pull(10)[1:] == [None] * 9
    assert path.audio.is_playing
    path.audio.resume()
    path.audio.end_response("r1")
    assert path.pull(6)[1:] == [VOICE, PROMPT, PROMPT, PROMPT, None]


def test_a_prompt_with_nothing_of_the_agent_before_it_plays_on_in_a_pause(path: Path) -> None:
    path.audio.play_prompt("apology")
    path.audio.pause()
    assert path.pull(4) == [PROMPT, PROMPT, PROMPT, None]
    assert path.facts.names() == ["prompt.finished"]


def test_a_flush_ends_the_pause(path: Path) -> None:
    path.say(3)
    path.audio.pause()
    path.audio.flush(["r1"], ())
    path.audio.push("r2", "i2", 0, VOICE)
    assert path.pull(1) == [VOICE]


def opened(path: Path) -> None:
    opening = PromptPlayer({"opening": PROMPT * 3}, 320, path.facts)
    opening.play("opening")
    path.audio.open_with(opening)


def test_an_opening_is_heard_first_and_what_is_said_meanwhile_waits_behind_it(path: Path) -> None:
    opened(path)
    path.audio.reassure()
    path.say(2)
    assert path.pull(5) == [PROMPT, PROMPT, PROMPT, VOICE, VOICE]


def test_whoever_interrupts_an_opening_hears_no_more_of_it(path: Path) -> None:
    opened(path)
    path.pull(1)
    path.audio.flush([], [])
    assert path.pull(2) == [None, None]


def test_a_filler_is_cut_by_the_agents_voice_and_nobody_is_told_of_its_end(path: Path) -> None:
    path.audio.reassure("apology")
    assert path.pull(1) == [PROMPT]
    path.say(1)
    assert path.pull(3) == [VOICE, None, None]
    path.audio.play_prompt("one_moment")
    path.audio.reassure("apology")
    assert path.pull(3) == [PROMPT, PROMPT, None], "what is heard already is heard to its end"
    assert path.facts.names().count("prompt.finished") == 1
