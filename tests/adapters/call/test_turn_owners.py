"""What every provider that owns its turns is held to: the same calls over each, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from adapters.call_tools import end_call_tool
from adapters.simulator.providers.deepgram import AgentFault, AgentRule, AgentScenario
from adapters.simulator.providers.gemini import GeminiFault, GeminiRule, GeminiScenario
from adapters.simulator.speech import lines
from adapters.tools import Tool
from tests.adapters.call.agent_rig import HELLO, PlayedModel, play_agent
from tests.adapters.call.gemini_rig import play_gemini

HEAR: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": 800}]
ORDER, BYE = "Order forty two arrives tomorrow.", "You are welcome. Bye!"
WEATHER, STILL_THERE = "Berlin is sunny, twenty one degrees. Paris has rain, seventeen.", "Are you still there?"
CITIES = (("weather", {"city": "Berlin"}), ("weather", {"city": "Paris"}))
TURNS = {"order": "Hello, where is my order?", "weather": "The weather in Berlin and Paris?", "bye": "Thank you, bye."}


@attrs.frozen
class AgentOwner:
    """Deepgram's Voice Agent."""

    async def play(
        self, steps: list[Any], *turns: str, tools: Mapping[str, Tool] | None = None, fails_ms: int = 0
    ) -> PlayedModel:
        rules = (
            AgentRule(heard="order", say=ORDER), AgentRule(heard="weather", calls=CITIES, then=WEATHER),
            AgentRule(heard="bye", say=BYE, calls=(("end_call", {}),)), AgentRule(heard="still there", say=STILL_THERE),
            AgentRule(heard="return", say=lines()["agent_long_story"].text),
        )  # fmt: skip
        faults = (AgentFault(kind="close", at_ms=fails_ms),) if fails_ms else ()
        scenario = AgentScenario(user_turns=turns, rules=rules, faults=faults)
        session = {"deferred": frozenset({"end_call"})}
        return await play_agent(steps, scenario, session=session, settings={"tools": tools or {}})

    def results(self, played: PlayedModel) -> list[str]:
        """In the order in which they were sent."""
        sent = [each for core in played.sessions for each in core.stats.messages]
        return [each["content"] for each in sent if each["type"] == "FunctionCallResponse"]

    def history(self, played: PlayedModel) -> str:
        """What the second session was told."""
        return str(played.sessions[1].stats.messages[0]["agent"]["context"])


@attrs.frozen
class GeminiOwner:
    """Gemini Live, of a generation that a call does not hold up. Where it fails, handles are refused."""

    async def play(
        self, steps: list[Any], *turns: str, tools: Mapping[str, Tool] | None = None, fails_ms: int = 0
    ) -> PlayedModel:
        rules = (
            GeminiRule(heard="order", say=ORDER), GeminiRule(heard="weather", calls=CITIES, then=WEATHER),
            GeminiRule(heard="bye", say=BYE, calls=(("end_call", {}),)),
            GeminiRule(heard="still there", say=STILL_THERE),
            GeminiRule(heard="return", say=lines()["agent_long_story"].text),
        )  # fmt: skip
        refuses = GeminiFault(kind="refuse_handle", connection=2)
        faults = (GeminiFault(kind="close", at_ms=fails_ms), refuses) if fails_ms else ()
        scenario = GeminiScenario(user_turns=turns, rules=rules, faults=faults)
        return await play_gemini(steps, scenario, model="gemini-3.8-live", settings={"tools": tools or {}})

    def results(self, played: PlayedModel) -> list[str]:
        sent = [
            each["toolResponse"] for core in played.sessions for each in core.stats.messages if "toolResponse" in each
        ]
        return [str(response["response"]) for each in sent for response in each["functionResponses"]]

    def history(self, played: PlayedModel) -> str:
        sent = [each["clientContent"] for each in played.sessions[-1].stats.messages if "clientContent" in each]
        return str(sent[0])


Owner = AgentOwner | GeminiOwner
pytestmark = [
    pytest.mark.virtual_time,
    pytest.mark.parametrize("owner", [AgentOwner(), GeminiOwner()], ids=["deepgram", "gemini"]),
]


def story(played: PlayedModel) -> str:
    return "\n".join(played.watcher.story)


def weather(*delays_s: float) -> dict[str, Tool]:
    """Each call is answered after a time of its own."""
    left = list(delays_s)

    async def look(city: str) -> dict[str, str]:
        await asyncio.sleep(left.pop(0))
        return {"city": city, "sky": "sunny"}

    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {"weather": Tool("weather", look, "The weather.", parameters)}


async def test_a_greeting_and_two_turns(owner: Owner) -> None:
    order = {"say": "caller_where_is_it"}
    played = await owner.play([*HEAR, order, *HEAR, order, *HEAR, "hang_up"], TURNS["order"], TURNS["order"])
    assert played.said == [HELLO, ORDER, ORDER], story(played)
    assert (played.summary.as_json()["turns"], played.summary.as_json()["answers"]) == (2, 2)
    assert played.effects.count("request_speech") == 1
    assert not played.caller.notes and played.caller.talk_over_ms == 0


async def test_what_the_caller_talks_over_is_cut_and_the_new_turn_answered(owner: Owner) -> None:
    over = ["wait_agent_speaking", {"wait_ms": 1500}, {"say": "caller_where_is_it"}, *HEAR]
    played = await owner.play(
        [*HEAR, {"say": "caller_returns"}, *over, "hang_up"], "How do I return it?", TURNS["order"]
    )
    assert "flush_playout" in played.effects and played.said[-1] == ORDER, story(played)
    assert played.caller.talk_over_ms < 1000 and played.sessions[0].stats.cut == 1


@pytest.mark.parametrize("delays_s", [(0.0, 0.0), (0.0, 0.001), (0.001, 0.0)])
async def test_two_results_at_once_are_each_given_and_make_one_answer(
    owner: Owner, delays_s: tuple[float, ...]
) -> None:
    steps = [*HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 3000}, "hang_up"]
    played = await owner.play(steps, TURNS["weather"], tools=weather(*delays_s))
    results = owner.results(played)
    assert len(results) == 2 and sum("Berlin" in each for each in results) == 1, story(played)
    assert played.said == [HELLO, WEATHER]
    assert len(played.sessions) == 1


async def test_a_result_after_ten_seconds_comes_too_late_and_is_told_so(owner: Owner) -> None:
    """The provider is not left waiting; what comes after that is not sent."""
    steps = [*HEAR, {"say": "caller_two_cities"}, *HEAR, {"wait_ms": 6000}, "hang_up"]
    played = await owner.play(steps, TURNS["weather"], tools=weather(0.5, 10.0))
    results = owner.results(played)
    assert len(results) == 2 and "Berlin" in results[0] and "did not answer in time" in results[1], story(played)
    assert played.said == [HELLO, WEATHER]
    assert len(played.sessions) == 1


async def test_a_provider_that_is_lost_is_followed_by_one_that_knows_what_was_said(owner: Owner) -> None:
    steps = [*HEAR, {"say": "caller_where_is_it"}, *HEAR, {"wait_ms": 8000}, {"say": "caller_where_is_it"}, *HEAR]
    played = await owner.play([*steps, "hang_up"], TURNS["order"], TURNS["order"], fails_ms=10_000)
    assert len(played.sessions) >= 2, story(played)
    told = owner.history(played)
    assert TURNS["order"] in told and ORDER in told
    assert played.said[0] == HELLO and played.said.count(HELLO) == 1
    assert played.sessions[-1].stats.utterances, "the next turn is answered by the next session"


async def test_a_caller_who_says_nothing_is_asked_twice_and_then_left(owner: Owner) -> None:
    played = await owner.play([{"wait_ms": 90_000}, "hang_up"])
    assert played.said == [HELLO, STILL_THERE, STILL_THERE], story(played)
    assert played.states[-1] == "closed" and played.caller.ended != "caller"


async def test_a_goodbye_is_heard_to_its_end_and_then_the_call_is_over(owner: Owner) -> None:
    steps = [*HEAR, {"say": "caller_bye"}, {"until_hung_up": {"within_ms": 30_000}}]
    played = await owner.play(steps, TURNS["bye"], tools={"end_call": end_call_tool()})
    assert played.said[:2] == [HELLO, BYE], story(played)  # a model may add a word after the result
    assert played.caller.ended == "hangup"
    audio = played.summary.played
    assert audio is not None and audio.played_ms == audio.generated_ms, "all of it was heard"
