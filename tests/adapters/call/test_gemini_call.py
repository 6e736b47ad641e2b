"""Calls over Gemini Live, from the first packet to the last, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.simulator.providers.gemini import GeminiFault, GeminiRule, GeminiScenario
from adapters.simulator.speech import lines
from adapters.tools import Tool
from tests.adapters.call.gemini_rig import HELLO, play_gemini

pytestmark = pytest.mark.virtual_time

HEAR = ["wait_agent_speaking", {"wait_agent_silent": 800}]
ORDER, WHERE = "Order forty two arrives tomorrow.", {"say": "caller_where_is_it"}
TURNS = ("Hello, where is my order?", "And the weather in Berlin and Paris?", "Thank you, bye.")
WEATHER = "Berlin is sunny, twenty one degrees. Paris has rain, seventeen."
RULES = (
    GeminiRule(heard="order", say=ORDER),
    GeminiRule(
        heard="weather",
        say="One second, please.",
        calls=(("weather", {"city": "Berlin"}), ("weather", {"city": "Paris"})),
        then=WEATHER,
    ),
    GeminiRule(heard="bye", say="You are welcome. Bye!"),
    GeminiRule(heard="still there", say="Are you still there?"),
    GeminiRule(heard="waiting", say="Here is what I found for you."),
    GeminiRule(heard="pressed 4", say=ORDER),
)
SHOP = GeminiScenario(user_turns=TURNS, rules=RULES)


def shop(*faults: GeminiFault, **more: Any) -> GeminiScenario:
    return GeminiScenario(user_turns=TURNS, rules=RULES, faults=faults, **more)


async def weather(city: str) -> dict[str, str]:
    await asyncio.sleep(0.5 if city == "Berlin" else 1.5)
    return {"city": city, "sky": "sunny"}


PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
TOOLS = {"weather": Tool("weather", weather, "The weather.", PARAMETERS)}


@pytest.mark.parametrize("model", ["gemini-2.5-flash-native-audio-preview", "gemini-3.8-live"])
async def test_a_greeting_a_turn_and_an_end(model: str) -> None:
    played = await play_gemini([*HEAR, WHERE, *HEAR, "hang_up"], SHOP, model=model)
    assert played.closes == [], "\n".join(played.watcher.story)
    assert played.said == [HELLO, ORDER]
    assert played.states[:5] == [
        "connecting", "awaiting_session_created", "response_pending", "responding", "configured",
    ]  # fmt: skip
    assert played.states[5] == "user_speaking"
    assert played.states[-2:] == ["configured", "closed"]
    assert played.effects.count("request_speech") == 1  # the greeting: the rest is the provider's own
    assert not played.caller.notes


@pytest.mark.parametrize("model", ["gemini-2.5-flash-native-audio-preview", "gemini-3.8-live"])
async def test_two_tools_at_once_are_answered_and_no_audio_ends_the_session(model: str) -> None:
    turns = [*HEAR, WHERE, *HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 6000}, "hang_up"]
    played = await play_gemini(turns, SHOP, model=model, settings={"tools": TOOLS})
    assert played.closes == [], "\n".join(played.watcher.story)
    responses = [each for sent in played.sent("toolResponse") for each in sent["functionResponses"]]
    assert [(each["name"], each["response"]["city"]) for each in responses] == [
        ("weather", "Berlin"), ("weather", "Paris"),
    ]  # fmt: skip
    assert played.said[-1] == WEATHER
    assert "tool_call" in played.states
    assert played.sessions[0].stats.ignored == []


async def test_what_the_caller_talks_over_is_cut_at_once() -> None:
    long = GeminiScenario(user_turns=("How do I return it?", "When are you open?"), rules=(
        GeminiRule(heard="return", say=lines()["agent_long_story"].text),
        GeminiRule(heard="open", say="We are open until six today."),
    ), faults=(GeminiFault(kind="late_audio"),))  # fmt: skip
    turns = [
        *HEAR, {"say": "caller_returns"}, "wait_agent_speaking", {"wait_ms": 1500}, {"say": "caller_when_open"}, *HEAR,
        "hang_up",
    ]  # fmt: skip
    played = await play_gemini(turns, long)
    assert "flush_playout" in played.effects
    assert played.said[-1] == "We are open until six today."
    assert played.sessions[0].stats.cut == 1
    assert played.caller.talk_over_ms < 1000


@pytest.mark.parametrize("kind", ["empty_turn", "failed_turn"])
async def test_an_empty_turn_is_asked_for_again(kind: Any) -> None:
    scenario = shop(GeminiFault(kind=kind, at_ms=4000))
    played = await play_gemini([*HEAR, WHERE, *HEAR, "hang_up"], scenario)
    assert played.said == [HELLO, "Here is what I found for you."], "\n".join(played.watcher.story)
    assert played.effects.count("request_speech") == 2
    assert played.closes == []


@pytest.mark.parametrize("kind", ["twice_called", "nameless_call", "phantom_turn"])
async def test_what_is_odd_about_calls_does_no_harm(kind: Any) -> None:
    scenario = GeminiScenario(user_turns=TURNS[1:], rules=RULES, faults=(GeminiFault(kind=kind),))
    turns = [*HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 6000}, "hang_up"]
    played = await play_gemini(turns, scenario, settings={"tools": TOOLS})
    assert played.closes == [], "\n".join(played.watcher.story)
    assert played.said[-1] == WEATHER
    assert played.effects.count("run_tool") == 2


async def test_calls_that_are_cancelled_are_not_answered() -> None:
    scenario = GeminiScenario(user_turns=TURNS[1:], rules=RULES, faults=(GeminiFault(kind="cancel_calls"),))
    turns = [*HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 9000}, "hang_up"]
    played = await play_gemini(turns, scenario, settings={"tools": TOOLS})
    assert played.effects.count("forget_tools") == 2, "\n".join(played.watcher.story)
    assert played.sent("toolResponse") == []
    assert played.sessions[0].stats.ignored == []


async def test_no_answer_to_a_result_is_asked_for() -> None:
    scenario = GeminiScenario(user_turns=TURNS[1:], rules=RULES, faults=(GeminiFault(kind="silent_after_tool"),))
    turns = [*HEAR, {"say": "caller_two_cities"}, *HEAR, *HEAR, "hang_up"]
    played = await play_gemini(turns, scenario, settings={"tools": TOOLS})
    assert played.said[-1] == "Here is what I found for you.", "\n".join(played.watcher.story)


async def test_a_connection_that_goes_away_is_replaced_in_a_quiet_moment_by_its_handle() -> None:
    scenario = shop(GeminiFault(kind="go_away", at_ms=5000), warns_ms=20_000)
    played = await play_gemini([*HEAR, {"wait_ms": 4000}, WHERE, *HEAR, "hang_up"], scenario)
    assert len(played.sessions) == 2, "\n".join(played.watcher.story)
    assert "resume_session" in played.effects
    assert played.sent("setup")[1]["sessionResumption"]["handle"].startswith("handle_1_")
    assert played.said == [HELLO, ORDER]
    assert played.closes == []


async def test_a_handle_that_is_refused_is_used_once_and_what_was_said_is_told() -> None:
    scenario = shop(
        GeminiFault(kind="close", at_ms=9000, code=1011), GeminiFault(kind="refuse_handle", connection=2)
    )  # fmt: skip
    played = await play_gemini([*HEAR, WHERE, *HEAR, {"wait_ms": 8000}, "hang_up"], scenario)
    assert [code for code, _ in played.closes] == [1011, 1007], "\n".join(played.watcher.story)
    assert len(played.sessions) == 3
    assert played.effects.count("resume_session") == 1
    (history,) = [each for each in played.sent("clientContent") if len(each["turns"]) > 1]
    said = [(turn["role"], turn["parts"][0]["text"].strip()) for turn in history["turns"]]
    assert ("user", "Hello, where is my order?") in said
    assert ("model", ORDER) in said


async def test_a_setup_that_is_refused_is_not_tried_again() -> None:
    played = await play_gemini(["until_hung_up"], shop(GeminiFault(kind="reject_setup", connection=0)))
    assert len(played.sessions) == 1
    assert played.states[-2:] == ["closing", "closed"]


KEYED: Mapping[str, Any] = {"spec": "cookbook/gemini_push_to_talk", "detection": {"disabled": True}}
HELD = [{"press": "*"}, WHERE, {"press": "*"}]


@pytest.mark.parametrize("model", ["gemini-2.5-flash-native-audio-preview", "gemini-3.8-live"])
async def test_a_turn_that_is_held_with_a_key_is_told_and_answered(model: str) -> None:
    played = await play_gemini([*HEAR, WHERE, {"wait_ms": 2000}, *HELD, *HEAR, "hang_up"], SHOP, model=model, **KEYED)
    assert played.said == [HELLO, ORDER], "\n".join(played.watcher.story)
    activity = [key for each in played.sent("realtimeInput") for key in each if key.startswith("activity")]
    assert activity == ["activityStart", "activityEnd"]
    assert played.effects.count("request_speech") == 1  # the greeting: what is said without the key is nobody's turn
    assert played.closes == []


async def test_the_key_cuts_what_is_heard_and_opens_a_turn() -> None:
    long = GeminiScenario(user_turns=("How do I return it?", "Hello, where is my order?"), rules=(
        GeminiRule(heard="return", say=lines()["agent_long_story"].text), GeminiRule(heard="order", say=ORDER),
    ))  # fmt: skip
    turns = [*HEAR, {"press": "*"}, {"say": "caller_returns"}, {"press": "*"}, "wait_agent_speaking", {"wait_ms": 1500}]
    played = await play_gemini([*turns, *HELD, *HEAR, "hang_up"], long, **KEYED)
    assert played.said[-1] == ORDER, "\n".join(played.watcher.story)
    assert "flush_playout" in played.effects
    assert played.sessions[0].stats.cut == 1
    assert played.caller.talk_over_ms < 1000


async def test_a_turn_that_is_never_closed_ends_with_the_silence_after_it() -> None:
    played = await play_gemini([*HEAR, {"press": "*"}, WHERE, *HEAR, "hang_up"], SHOP, **KEYED)
    assert played.said == [HELLO, ORDER], "\n".join(played.watcher.story)


async def test_other_keys_are_told_to_the_model_of_a_call_with_held_turns() -> None:
    played = await play_gemini([*HEAR, {"press": "4"}, *HEAR, "hang_up"], SHOP, **KEYED)
    assert played.said == [HELLO, ORDER], "\n".join(played.watcher.story)


async def test_keys_are_told_to_the_model() -> None:
    played = await play_gemini([*HEAR, {"press": "4"}, *HEAR, "hang_up"], SHOP)
    assert played.said == [HELLO, ORDER], "\n".join(played.watcher.story)
