"""A turn whose session is lost: what the caller had said of it, once, and nothing that a conversation holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.audio.formats import PCMU
from adapters.call.turn_audio import UncommittedAudio
from adapters.simulator.providers.realtime import parse_scenario
from tests.adapters.call.rig import play

ONE_TURN = {
    "steps": [
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        {"say": "caller_order_status"},
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        "hang_up",
    ]
}
STARTED: dict[str, object] = {"type": "input_audio_buffer.speech_started"}


def frames(audio: UncommittedAudio, first: int, last: int) -> None:
    for number in range(first, last + 1):
        audio.remember(bytes([number]) * 160)


def numbers(pieces: list[bytes]) -> list[int]:
    return [piece[0] for piece in pieces]


def test_the_onset_and_all_that_was_said_since_once() -> None:
    audio = UncommittedAudio(PCMU, 8000)
    frames(audio, 1, 100)
    audio.hear(STARTED)
    frames(audio, 101, 150)
    assert numbers(audio.take()) == list(range(51, 151))
    assert audio.take() == []


@pytest.mark.parametrize("kind", ["input_audio_buffer.committed", "response.created", "response.done"])
def test_nothing_of_a_turn_that_the_provider_has(kind: str) -> None:
    audio = UncommittedAudio(PCMU, 8000)
    audio.hear(STARTED)
    frames(audio, 1, 50)
    audio.hear({"type": kind})
    frames(audio, 51, 60)
    assert audio.take() == []


def test_nothing_where_nobody_spoke() -> None:
    audio = UncommittedAudio(PCMU, 8000)
    frames(audio, 1, 100)
    assert audio.take() == []


def test_the_newest_of_a_long_turn() -> None:
    audio = UncommittedAudio(PCMU, 2000)
    audio.hear(STARTED)
    frames(audio, 1, 200)
    assert numbers(audio.take()) == list(range(101, 201))


def test_nothing_where_nothing_is_to_be_kept() -> None:
    audio = UncommittedAudio(PCMU, 0)
    audio.hear(STARTED)
    frames(audio, 1, 100)
    assert audio.take() == []


STOPS = "{fault: close, connection: 1, after: input_audio_buffer.speech_stopped, code: 1006}"
LOST = {
    "at the end of the turn, which nobody was told of": (
        "{fault: lose, connection: 1, type: input_audio_buffer.speech_stopped}, " + STOPS
    ),
    "before the commit": "{fault: lose, connection: 1, type: input_audio_buffer.committed}, " + STOPS,
    "in the middle of the turn": "{fault: close, connection: 1, at_s: 6.0, code: 1006}",
    "at its beginning": "{fault: close, connection: 1, at_s: 4.95, code: 1006}",
    "after the commit": "{fault: close, connection: 1, after: input_audio_buffer.committed, code: 1006}",
}


@pytest.mark.virtual_time
@pytest.mark.parametrize("spec", ["server_vad", "owned_turns"])
@pytest.mark.parametrize("when", LOST)
async def test_a_turn_whose_session_is_lost_is_answered_once(when: str, spec: str) -> None:
    session = {"turn_detection": {"type": "server_vad", "create_response": False}} if spec == "owned_turns" else {}
    scenario = parse_scenario(f"faults: [{LOST[when]}]", Path("lost.yaml"))
    played = await play(ONE_TURN, spec=spec, session=session, scenario=scenario)
    told = "\n".join(played.watcher.story)
    assert played.caller.notes == () and len(played.caller.agent_speech) == 2, told
    assert max(played.caller.reply_ms) < 2500 and played.caller.longest_silence_ms < 2500, told
    assert played.summary.as_json()["rejections"] == 0
    assert [stats.user_turns for stats in played.sessions][-1] <= 1
