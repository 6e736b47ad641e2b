"""Calls over Deepgram's Voice Agent, from the first packet to the last, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from adapters.simulator.providers.deepgram import AgentFault, AgentRule, AgentScenario
from adapters.simulator.speech import lines
from adapters.tools import Tool
from tests.adapters.call.agent_rig import HELLO, PlayedModel, play_agent

pytestmark = pytest.mark.virtual_time

HEAR = ["wait_agent_speaking", {"wait_agent_silent": 800}]
SHOP = AgentScenario(
    user_turns=("Hello, where is my order?", "And the weather in Berlin and Paris?", "Thank you, bye."),
    rules=(
        AgentRule(heard="order", say="Order forty two arrives tomorrow."),
        AgentRule(
            heard="weather",
            calls=(("weather", {"city": "Berlin"}), ("weather", {"city": "Paris"})),
            then="Berlin is sunny, twenty one degrees. Paris has rain, seventeen.",
        ),
        AgentRule(heard="bye", say="You are welcome. Bye!"),
        AgentRule(heard="still there", say="Are you still there?"),
        AgentRule(heard="pressed 42", say="Order forty two arrives tomorrow."),
        AgentRule(heard="waiting", say="Here is what I found for you."),
    ),
)


async def weather(city: str) -> dict[str, str]:
    await asyncio.sleep(0.5 if city == "Berlin" else 1.5)
    return {"city": city, "sky": "sunny"}


TOOLS = {
    "weather": Tool("weather", weather, "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
}


def sent(played: PlayedModel, kind: str) -> list[dict[str, Any]]:
    return [event for core in played.sessions for event in core.stats.messages if event["type"] == kind]


def effects(played: PlayedModel) -> list[str]:
    return [effect.name for _, step in played.watcher.steps for effect in step.effects]


async def test_a_greeting_a_turn_and_an_end() -> None:
    played = await play_agent([*HEAR, {"say": "caller_where_is_it"}, *HEAR, "hang_up"], SHOP)
    assert played.refusals == [], "\n".join(played.watcher.story)
    assert played.said == [HELLO, "Order forty two arrives tomorrow."]
    assert played.states[:4] == ["connecting", "awaiting_session_created", "response_pending", "responding"]
    assert played.states[4:6] == ["configured", "user_speaking"]
    assert played.states[-2:] == ["configured", "closed"]
    assert len(sent(played, "Settings")) == 1
    assert not played.caller.notes


async def test_each_call_of_a_request_is_answered_by_its_id() -> None:
    scenario = attrs.evolve(SHOP, user_turns=SHOP.user_turns[1:])
    played = await play_agent(
        [*HEAR, {"say": "caller_two_cities"}, *HEAR, "hang_up"], scenario, settings={"tools": TOOLS}
    )
    assert played.refusals == [], "\n".join(played.watcher.story)
    outputs = played.sessions[0].stats.outputs
    assert ["Berlin" in outputs[call_id] for call_id in sorted(outputs)] == [True, False]
    assert played.said[-1].startswith("Berlin is sunny")
    assert "tool_call" in played.states


async def test_what_the_caller_talks_over_is_flushed_and_its_late_audio_is_not_heard() -> None:
    long = AgentScenario(user_turns=("How do I return it?", "When are you open?"), late_ms=400, rules=(
        AgentRule(heard="return", say=lines()["agent_long_story"].text),
        AgentRule(heard="open", say="We are open until six today."),
    ))  # fmt: skip
    turns = [*HEAR, {"say": "caller_returns"}, "wait_agent_speaking", {"wait_ms": 1500}]
    played = await play_agent([*turns, {"say": "caller_when_open"}, *HEAR, "hang_up"], long)
    assert "flush_playout" in effects(played)
    assert played.said[-1] == "We are open until six today."
    assert played.caller.talk_over_ms < 1000


async def test_the_end_of_an_answer_is_not_waited_for() -> None:
    scenario = attrs.evolve(SHOP, faults=(AgentFault(kind="no_audio_done"),))
    turns = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"wait_ms": 12_000}, "hang_up"]
    played = await play_agent(turns, scenario)
    assert played.refusals == []
    assert played.states[-2:] == ["configured", "closed"], "\n".join(played.watcher.story)
    assert effects(played).count("request_speech") == 1


async def test_a_session_that_is_lost_is_followed_by_one_that_knows_what_was_said() -> None:
    scenario = attrs.evolve(SHOP, faults=(AgentFault(kind="going_away", at_ms=12_000),))
    turns = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"wait_ms": 10_000}, "hang_up"]
    played = await play_agent(turns, scenario)
    assert len(played.sessions) == 2, "\n".join(played.watcher.story)
    history = sent(played, "Settings")[1]["agent"]["context"]["messages"]
    assert [message["role"] for message in history][:2] == ["assistant", "user"]
    assert history[1]["content"] == "Hello, where is my order?"


async def test_settings_that_are_refused_are_an_apology_and_an_end() -> None:
    scenario = attrs.evolve(SHOP, faults=(AgentFault(kind="reject_settings", session=0),))
    played = await play_agent([{"wait_ms": 30_000}, "hang_up"], scenario)
    assert played.states[-2:] == ["closing", "closed"]
    assert len(played.sessions) == 1


@pytest.mark.parametrize("kind", ["no_welcome", "no_applied", "close", "mute"])
async def test_a_session_that_is_of_no_use_is_followed_by_another(kind: Any) -> None:
    scenario = attrs.evolve(SHOP, faults=(AgentFault(kind=kind, at_ms=3000),))
    turns = [{"wait_ms": 8000}, {"say": "caller_where_is_it"}, {"wait_ms": 30_000}, "hang_up"]
    played = await play_agent(turns, scenario)
    assert len(played.sessions) == 2, "\n".join(played.watcher.story)
    assert played.sessions[1].stats.utterances


async def test_keys_are_told_to_the_model() -> None:
    played = await play_agent([*HEAR, {"press": "4"}, {"press": "2"}, *HEAR, "hang_up"], SHOP)
    assert "pressed 42" in sent(played, "InjectUserMessage")[0]["content"]
    assert played.said[-1] == "Order forty two arrives tomorrow."
