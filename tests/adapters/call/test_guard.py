"""A whole call on a speakerphone with a guard: an echo, a cough and a caller who interrupts."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.scenario.interruptions import interruption_numbers
from adapters.simulator.caller.script import CallerSettings, Echo
from adapters.simulator.providers.realtime import parse_scenario
from tests.adapters.call.rig import Played, play

pytestmark = pytest.mark.virtual_time

SPEAKERPHONE = CallerSettings(echo=Echo(delay_ms=120, gain_db=-14))
STORY = (
    "Let me explain how returns work. You have thirty days to send the goods back. Please use the label in the box. "
    "As soon as the parcel arrives we check it, and then we pay the money back to the card that you used."
)
SESSION = {"turn_detection": {"type": "server_vad", "create_response": False, "interrupt_response": False}}
ASKS: Sequence[Any] = ("wait_agent_speaking", {"wait_agent_silent": {"for_ms": 1200}}, {"say": "caller_order_status"})
ENDS: Sequence[Any] = ({"wait_agent_silent": {"for_ms": 1200, "within_ms": 30_000}}, "hang_up")


async def call(*steps: Any, settings: CallerSettings = SPEAKERPHONE, **session: Any) -> Played:
    answers = f"responses: [{{when: {{nth: 2}}, output: [{{say: '{STORY}'}}]}}]"
    scenario = parse_scenario(answers, Path("story"))
    return await play(
        {"steps": [*ASKS, *steps, *ENDS]}, spec="guarded_turns", scenario=scenario, session={**SESSION, **session},
        caller=settings,
    )  # fmt: skip


def effects(played: Played, name: str) -> list[int]:
    return [at_ms for at_ms, step in played.watcher.steps for effect in step.effects if effect.name == name]


def cough(folder: Path, duration_ms: int) -> Path:
    samples = np.random.default_rng(5).normal(0, 6000, duration_ms * 8).astype("<i2")
    path = folder / "cough.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


async def test_an_echo_neither_pauses_nor_cuts_and_is_not_answered() -> None:
    played = await call({"wait_agent_speaking": {"within_ms": 5000}})
    numbers, found = played.summary.as_json(), interruption_numbers(played.watcher.steps, played.caller)
    story = "\n".join(played.watcher.story)
    assert (numbers["answers"], numbers["creates"], numbers["barge_ins"]) == (1, 2, 0), story
    assert found == {"false_interruptions": 0, "yield_ms": 0, "longest_hole_ms": 0}, story
    assert numbers["agent_audio_played_s"] == numbers["agent_audio_generated_s"]
    assert numbers["turns"] == 1, story
    found_speech = [line for line in played.watcher.story if "speech_started" in line]
    assert len(found_speech) > 3, "else there was no echo to be guarded against"


async def test_a_cough_pauses_an_answer_that_is_heard_whole(tmp_path: Path) -> None:
    played = await call({"interrupt": {"file": str(cough(tmp_path, 160)), "after_ms": 3000}}, settings=CallerSettings())
    (paused_ms,), (resumed_ms,) = effects(played, "pause_playout"), effects(played, "resume_playout")
    numbers, caller = played.summary.as_json(), played.caller
    story = "\n".join(played.watcher.story)
    assert 500 <= resumed_ms - paused_ms <= 600, story
    assert (numbers["answers"], numbers["creates"], numbers["barge_ins"]) == (1, 2, 0), story
    assert numbers["agent_audio_played_s"] == numbers["agent_audio_generated_s"]
    holes = [hole for hole in caller.holes if not paused_ms - 60 <= hole.start_ms <= resumed_ms]
    assert holes == [], "no gap beside the pause"


@pytest.mark.parametrize("after_ms", [300, 1500, 4000])
@pytest.mark.parametrize("words", ["caller_interrupt", "caller_yes", "caller_where_is_it"])
async def test_who_interrupts_hears_silence_at_once_and_is_answered(words: str, after_ms: int) -> None:
    played = await call({"interrupt": {"file": words, "after_ms": after_ms}}, {"wait_agent_silent": {"for_ms": 300}},
                        {"wait_agent_speaking": {"within_ms": 5000}})  # fmt: skip
    numbers, found = played.summary.as_json(), interruption_numbers(played.watcher.steps, played.caller)
    story = "\n".join(played.watcher.story)
    assert (numbers["barge_ins"], numbers["answers"]) == (1, 2), story
    assert found["false_interruptions"] == 0, story
    assert 0 < int(str(found["yield_ms"])) <= 300 + 200, story


async def test_a_word_too_short_for_our_ear_is_known_from_its_transcript(tmp_path: Path) -> None:
    """The simulated provider takes any sound for a turn, and writes down words of it."""
    played = await call(
        {"interrupt": {"file": str(cough(tmp_path, 200)), "after_ms": 3000}}, settings=CallerSettings(),
        transcription={"model": "whisper-1"},
    )  # fmt: skip
    numbers = played.summary.as_json()
    assert (numbers["barge_ins"], numbers["creates"]) == (1, 3), "\n".join(played.watcher.story)
