"""A turn whose session is lost: what the caller had said of it is said to the next one, and answered once."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.providers.provider import WireEvent
from adapters.simulator.providers.realtime import parse_scenario
from tests.adapters.call.rig import Played, play

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
    assert played.summary.as_json()["rejections"] == 0, told
    assert played.sessions[-1].user_turns == 1, "what the caller said, and not an answer to nothing"


# --- what the next session is told ------------------------------------------------------------------------------------

STORY = (
    "Let me explain how returns work. You have thirty days to send the goods back. Please use the label in the box. As "
    "soon as the parcel arrives we check it, and then we pay the money back to the card that you used."
)
STORY_MS = 11_700  # in the simulator's voice
BARGE_IN = {
    "steps": [
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        {"say": "caller_returns"},
        "wait_agent_speaking",
        {"wait_ms": 3000},
        {"say": "caller_when_open"},
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        "hang_up",
    ]
}
WHERE = {
    "cut after it was generated": (
        13.0,
        "{fault: close, connection: 1, after: input_audio_buffer.committed, nth: 2, code: 1006}",
    ),
    "cut while it was generated": (
        0.9,
        "{fault: close, connection: 1, after: input_audio_buffer.committed, nth: 2, code: 1006}",
    ),
    "still playing, generated": (13.0, "{fault: close, connection: 1, at_s: 9.5, code: 1006}"),
    "still playing, half of it generated": (0.9, "{fault: close, connection: 1, at_s: 9.5, code: 1006}"),
}


@pytest.mark.virtual_time
@pytest.mark.parametrize("where", WHERE)
async def test_the_next_session_is_told_what_was_heard_of_an_answer_and_no_more(where: str) -> None:
    pace, fault = WHERE[where]
    answer = f"when: {{user_turn: 1}}, pace: {pace}, output: [{{say: '{STORY}'}}]"
    scenario = parse_scenario(f"responses: [{{{answer}}}]\nfaults: [{fault}]", Path("lost.yaml"))
    played = await play(BARGE_IN, scenario=scenario)
    restored = [told(seen.event) for seen in played.sessions[1].received if seen.type == "conversation.item.create"]
    (text,) = [text.removesuffix("…") for text in restored if text.startswith("Let me")]
    assert text != STORY and STORY.startswith(text)
    steps = [(at_ms, step) for at_ms, step in played.watcher.steps]
    began_ms = max(at for at, step in steps if step.variant == "playout.started.current" and at < restored_at(played))
    cuts = [at for at, step in steps if step.variant == "playout.flushed" and at > began_ms]
    heard_ms = min([restored_at(played), *cuts]) - began_ms
    words = len(STORY.split())
    assert 1 <= len(text.split()) <= words * heard_ms / STORY_MS + 1, (heard_ms, text)


def restored_at(played: Played) -> int:
    return min(at for at, step in played.watcher.steps if "restore_history" in [effect.name for effect in step.effects])


def told(event: WireEvent) -> str:
    match event:
        case {"item": {"content": [{"text": str(text)}]}}:
            return text
    return ""
