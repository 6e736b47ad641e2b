"""Calls over GPT-Live, from the first packet to the last, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.simulator.providers.live import LiveFault, LiveRule, LiveScenario
from adapters.simulator.speech import lines
from adapters.tools import Tool
from tests.adapters.call.live_rig import HELLO, PlayedModel, play_live

pytestmark = pytest.mark.virtual_time

HEAR = ["wait_agent_speaking", {"wait_agent_silent": 800}]
SHOP = LiveScenario(
    user_turns=("Hello, where is my order?", "And the weather in Berlin and Paris?", "Thank you, bye."),
    rules=(
        LiveRule(heard="order", say="Order forty two arrives tomorrow."),
        LiveRule(
            heard="weather",
            say="One second, please.",
            calls=(("weather", {"city": "Berlin"}), ("weather", {"city": "Paris"})),
            then="Berlin is sunny, twenty one degrees. Paris has rain, seventeen.",
        ),
        LiveRule(heard="bye", say="You are welcome. Bye!"),
        LiveRule(heard="still there", say="Are you still there?"),
        LiveRule(heard="waiting", say="Here is what I found for you."),
        LiveRule(heard="failed", say="I understand. Let me help you with that."),
        LiveRule(heard="pressed 4", say="Order forty two arrives tomorrow."),
    ),
)


async def weather(city: str) -> dict[str, str]:
    await asyncio.sleep(0.5 if city == "Berlin" else 1.5)
    return {"city": city, "sky": "sunny"}


TOOLS = {
    "weather": Tool("weather", weather, "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
}


def sent(played: PlayedModel, kind: str) -> list[dict[str, Any]]:
    return [event for core in played.sessions for event in core.stats.events if event["type"] == kind]


async def test_a_greeting_a_turn_and_an_end() -> None:
    played = await play_live([*HEAR, {"say": "caller_where_is_it"}, *HEAR, "hang_up"], SHOP)
    assert played.refusals == [], "\n".join(played.watcher.story)
    assert played.said == [HELLO, "Order forty two arrives tomorrow."]
    assert played.states[:4] == ["connecting", "awaiting_session_created", "response_pending", "responding"]
    assert played.states[4:6] == ["configured", "user_speaking"]
    assert played.states[-2:] == ["configured", "closed"]
    assert not played.caller.notes
    assert [event["type"] for event in played.sessions[0].stats.events][-1] == "session.close"
    assert 5 < played.summary.usage.sessions_s < 20, "what the session says when it is closed"


async def test_two_tools_at_once_are_one_round() -> None:
    turns = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 6000}]
    played = await play_live([*turns, "hang_up"], SHOP, settings={"tools": TOOLS})
    assert played.refusals == [], "\n".join(played.watcher.story)
    kinds = [event["type"] for event in played.sessions[0].stats.events if event["type"].startswith("response.")]
    assert kinds == ["response.item.create", "response.item.create", "response.create"]
    assert played.said[-1].startswith("Berlin is sunny")
    assert "tool_call" in played.states
    assert not played.caller.notes


async def test_what_the_caller_talks_over_is_cut_at_once() -> None:
    long = LiveScenario(user_turns=("How do I return it?", "When are you open?"), rules=(
        LiveRule(heard="return", say=lines()["agent_long_story"].text),
        LiveRule(heard="open", say="We are open until six today."),
    ))  # fmt: skip
    turns = [
        *HEAR,
        {"say": "caller_returns"},
        "wait_agent_speaking",
        {"wait_ms": 1500},
        {"say": "caller_when_open"},
        *HEAR,
        "hang_up",
    ]
    played = await play_live(turns, long)
    assert "flush_playout" in [e.name for _, step in played.watcher.steps for e in step.effects]
    assert played.said[-1] == "We are open until six today."
    assert played.caller.talk_over_ms < 1000


async def test_work_for_the_application_is_answered() -> None:
    def find(delegation_id: str, said: str) -> dict[str, str]:
        assert said == "Hello, where is my order?"
        return {"text": "Order forty two arrives tomorrow.", "delegation_id": delegation_id}

    scenario = LiveScenario(
        user_turns=SHOP.user_turns, rules=(LiveRule(heard="order", say="One second, please.", asks_client=True),)
    )
    effects = {"answer_delegation": Tool("answer_delegation", find)}
    turns = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, *HEAR, "hang_up"]
    played = await play_live(turns, scenario, settings={"effects": effects})
    assert played.refusals == [], "\n".join(played.watcher.story)
    assert played.said[-1] == "Order forty two arrives tomorrow."
    assert sent(played, "session.commentary.append")[-1]["delegation_id"] is not None


async def test_work_that_nobody_answers_is_told_to_the_model() -> None:
    scenario = LiveScenario(user_turns=SHOP.user_turns, rules=(
        LiveRule(heard="order", asks_client=True),
        LiveRule(heard="delegated has failed", say="I understand. Let me help you with that."),
    ))  # fmt: skip
    played = await play_live([*HEAR, {"say": "caller_where_is_it"}, *HEAR, "hang_up"], scenario)
    assert played.refusals == []
    assert played.said[-1] == "I understand. Let me help you with that."


async def test_a_session_that_is_lost_is_followed_by_one_that_knows_what_was_said() -> None:
    faults = (LiveFault(kind="close", at_ms=9000),)
    scenario = LiveScenario(user_turns=SHOP.user_turns, rules=SHOP.rules, faults=faults)
    turns = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"wait_ms": 6000}, {"say": "caller_bye"}, *HEAR, "hang_up"]
    played = await play_live(turns, scenario)
    assert len(played.sessions) == 2, "\n".join(played.watcher.story)
    history = sent(played, "session.start")[1]["session"]["input"]
    assert [message["role"] for message in history][:2] == ["assistant", "user"]
    assert history[1]["content"][0]["text"] == "Hello, where is my order?"
    assert played.refusals == []


async def test_endless_silence_is_no_answer() -> None:
    faults = (LiveFault(kind="mute", at_ms=4000),)
    scenario = LiveScenario(user_turns=SHOP.user_turns, rules=SHOP.rules, faults=faults)
    turns = [*HEAR, {"wait_ms": 2500}, {"say": "caller_where_is_it"}, {"wait_ms": 25_000}, "hang_up"]
    played = await play_live(turns, scenario)
    assert len(played.sessions) == 2, "\n".join(played.watcher.story)
    assert "Here is what I found for you." in played.sessions[1].stats.utterances


async def test_a_failed_response_is_told_and_nothing_is_sent_for_its_calls() -> None:
    faults = (LiveFault(kind="fail_response"),)
    scenario = LiveScenario(user_turns=("weather",), rules=SHOP.rules, faults=faults)
    played = await play_live(
        [*HEAR, {"say": "caller_two_cities"}, *HEAR, "hang_up"], scenario, settings={"tools": TOOLS}
    )
    assert not sent(played, "response.item.create")
    assert not sent(played, "response.create")
    assert played.refusals == []


@pytest.mark.parametrize("kind", ["refuse_continuation", "drop_continuation", "never_complete"])
async def test_a_round_that_goes_wrong_is_no_silence(kind: Any) -> None:
    scenario = LiveScenario(user_turns=("weather",), rules=SHOP.rules, faults=(LiveFault(kind=kind),))
    turns = [*HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 40_000}, "hang_up"]
    played = await play_live(turns, scenario, settings={"tools": TOOLS})
    last = played.said[-1]
    wanted = "Berlin is sunny" if kind == "refuse_continuation" else "I understand"
    assert wanted in " ".join(played.said), (last, "\n".join(played.watcher.story))


@pytest.mark.parametrize("kind", ["reject_start", "reject_key", "close_for_content"])
async def test_a_session_that_is_refused_is_an_apology_and_an_end(kind: Any) -> None:
    scenario = LiveScenario(rules=SHOP.rules, faults=(LiveFault(kind=kind, session=0, at_ms=1000),))
    played = await play_live([{"wait_ms": 30_000}, "hang_up"], scenario)
    assert played.states[-2:] == ["closing", "closed"]
    assert len(played.sessions) == 1


async def test_a_caller_who_says_nothing_is_asked_and_then_left() -> None:
    played = await play_live([{"wait_ms": 90_000}, "hang_up"], SHOP)
    assert played.said == [HELLO, "Are you still there?", "Are you still there?"]
    assert played.states[-1] == "closed"
    assert played.caller.ended != "caller"


async def test_keys_are_told_to_the_model() -> None:
    played = await play_live([*HEAR, {"press": "4"}, {"press": "2"}, *HEAR, "hang_up"], SHOP)
    assert "pressed 42" in sent(played, "session.instructions.append")[0]["content"]
    assert played.said[-1] == "Order forty two arrives tomorrow."
