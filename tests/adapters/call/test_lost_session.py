"""A turn whose session is lost: what the caller had said of it is said to the next one, and answered once."""

from __future__ import annotations

from pathlib import Path

import pytest

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
