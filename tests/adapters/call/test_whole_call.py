"""Whole calls over loopback sockets, in virtual time: both simulators, the real adapters, the deployed specs."""

import pytest

from adapters.simulator.caller.script import CallerSettings
from tests.adapters.call.rig import play

pytestmark = pytest.mark.virtual_time

TWO_TURNS = {
    "steps": [
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        {"say": "caller_order_status"},
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        {"say": "caller_weather"},
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        "hang_up",
    ]
}


@pytest.mark.parametrize("spec", ["server_vad", "owned_turns"])
async def test_a_greeting_and_two_turns_get_one_answer_each(spec: str) -> None:
    session = {"turn_detection": {"type": "server_vad", "create_response": False}} if spec == "owned_turns" else {}
    played = await play(TWO_TURNS, spec=spec, session=session)
    numbers = played.summary.as_json()
    story = "\n".join(played.watcher.story)
    assert (numbers["turns"], numbers["answers"], numbers["rejections"]) == (2, 2, 0), story
    assert numbers["underruns"] == 0
    assert played.sessions[0].rejections == {}
    assert len(played.caller.agent_speech) == 3
    assert played.caller.notes == ()


@pytest.mark.parametrize("spec", ["server_vad", "owned_turns"])
@pytest.mark.parametrize("wire_format", ["pcmu", "pcm16"])
async def test_a_phone_that_sends_nothing_while_it_is_silent_is_answered_as_fast(spec: str, wire_format: str) -> None:
    session = {"input_format": wire_format, "output_format": wire_format}
    if spec == "owned_turns":
        session |= {"turn_detection": {"type": "server_vad", "create_response": False}}  # type: ignore[dict-item]
    played = await play(TWO_TURNS, spec=spec, session=session, caller=CallerSettings(dtx=True))
    numbers = played.summary.as_json()
    assert (numbers["turns"], numbers["answers"], numbers["rejections"]) == (2, 2, 0)
    assert played.caller.notes == () and len(played.caller.reply_ms) == 2
    assert max(played.caller.reply_ms) < 1500, played.caller.reply_ms
