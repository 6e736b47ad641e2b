"""What every protocol is held to: the same calls over each, with an AudioSocket and real sockets, in virtual time.

A new protocol joins the table in conversations.py and passes.
"""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from typing import Any

import pytest

from adapters.call_tools import end_call_tool
from adapters.simulator.speech import lines
from adapters.tools import Tool
from tests.adapters.call.conversations import PROTOCOLS, Conversation, Outcome, SaidTurn, SpokenProtocol

pytestmark = [
    pytest.mark.virtual_time,
    pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS),
]

HEAR: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]
ORDER = SaidTurn(line="caller_where_is_it", answer="Order forty two arrives tomorrow.")
OPEN = SaidTurn(line="caller_when_open", answer="We are open until six today.")
STORY = SaidTurn(line="caller_returns", answer=lines()["agent_long_story"].text)
CITIES = SaidTurn(
    line="caller_two_cities",
    answer="One second, please.",
    calls=(("weather", {"city": "Berlin"}), ("weather", {"city": "Paris"})),
    then="Berlin is sunny, twenty one degrees. Paris has rain, seventeen.",
)
BYE = SaidTurn(line="caller_bye", answer="You are welcome. Bye!", calls=(("end_call", {}),))


def said(*turns: SaidTurn) -> list[Any]:
    """The caller waits for the greeting, and after each turn for its answer."""
    return [*HEAR, *(step for turn in turns for step in ({"say": turn.line}, *HEAR))]


def held(outcome: Outcome, speeches: int | None = None) -> None:
    """Nothing went wrong, and the agent was heard so often; None: a pause of its own may split what it says."""
    numbers = outcome.numbers
    assert outcome.caller.notes == () and outcome.caller.holes == () and outcome.caller.dropped is None, outcome.story
    wrong = {key: numbers[key] for key in ("rejections", "violations", "underruns", "frames_unsent", "mailbox_dropped")}
    assert wrong == dict.fromkeys(wrong, 0), outcome.story
    assert speeches is None or len(outcome.caller.agent_speech) == speeches, outcome.story


def weather_tool(takes_s: float) -> Tool:
    async def weather(city: str) -> dict[str, str]:
        await asyncio.sleep(takes_s)
        return {"city": city}

    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    return Tool("weather", weather, "The weather.", schema)


async def test_a_greeting_is_heard_first(protocol: SpokenProtocol) -> None:
    outcome = await protocol.play(Conversation(), [*HEAR, "hang_up"], {})
    held(outcome, speeches=1)
    assert outcome.numbers["turns"] == 0 and outcome.states[-1] == "closed"


async def test_twenty_turns_have_an_answer_each(protocol: SpokenProtocol) -> None:
    turns = tuple(islice(cycle((ORDER, OPEN)), 20))
    outcome = await protocol.play(Conversation(turns=turns), [*said(*turns), "hang_up"], {})
    held(outcome, speeches=21)
    assert (outcome.numbers["turns"], outcome.numbers["reconnects"]) == (20, 0)
    assert outcome.said[1:] == [turn.answer for turn in turns]


async def test_what_the_caller_talks_over_is_cut(protocol: SpokenProtocol) -> None:
    steps = [*HEAR, {"say": STORY.line}, "wait_agent_speaking", {"wait_ms": 1500}, {"say": OPEN.line}, *HEAR, "hang_up"]
    outcome = await protocol.play(Conversation(turns=(STORY, OPEN)), steps, {})
    held(outcome, speeches=3)
    assert outcome.numbers["barge_ins"] == 1 and outcome.caller.talk_over_ms < 1000
    assert outcome.said[-1] == OPEN.answer


@pytest.mark.parametrize("takes_s", [0.0, 0.001, 10.0], ids=["0 ms", "1 ms", "10 s"])
async def test_tools_in_parallel_have_one_answer(protocol: SpokenProtocol, takes_s: float) -> None:
    wait = [{"wait_ms": int(takes_s * 1000) + 4000}, {"wait_agent_silent": {"for_ms": 800}}]
    tools = {"tools": {"weather": weather_tool(takes_s)}}
    outcome = await protocol.play(Conversation(turns=(CITIES,)), [*said(CITIES), *wait, "hang_up"], tools)
    held(outcome)
    assert sorted(outcome.outputs, key=str) == [{"city": "Berlin"}, {"city": "Paris"}]
    assert outcome.numbers["tools"] == 2 and outcome.said[1:] == [CITIES.answer, CITIES.then], outcome.story


async def test_a_lost_provider_is_replaced_by_one_that_knows_what_was_said(protocol: SpokenProtocol) -> None:
    steps = [*said(ORDER), {"wait_ms": 6000}, {"say": ORDER.line}, *HEAR, "hang_up"]
    outcome = await protocol.play(Conversation(turns=(ORDER,), goes_wrong="lost"), steps, {})
    held(outcome, speeches=3)
    assert (outcome.sessions, outcome.numbers["reconnects"]) == (2, 1)
    assert outcome.said.count(ORDER.answer) == 2
    assert ORDER.text in outcome.told and ORDER.answer in outcome.told


async def test_a_provider_that_refuses_us_is_apologised_for(protocol: SpokenProtocol) -> None:
    outcome = await protocol.play(Conversation(goes_wrong="refused"), [{"wait_ms": 30_000}, "hang_up"], {})
    assert outcome.caller.ended != "caller" and outcome.caller.dropped is None, outcome.story
    assert sum(speech.duration_ms for speech in outcome.caller.agent_speech) > 1500
    assert outcome.states[-1] == "closed" and outcome.numbers["reconnects"] == 0


async def test_a_caller_who_says_nothing_is_asked_as_the_spec_says(protocol: SpokenProtocol) -> None:
    outcome = await protocol.play(Conversation(), [{"wait_ms": 80_000}, "hang_up"], {})
    held(outcome, speeches=1 + protocol.asks)
    assert outcome.numbers["turns"] == 0
    assert (outcome.caller.ended == "caller") == (protocol.asks == 0)


async def test_a_goodbye_is_heard_to_its_end(protocol: SpokenProtocol) -> None:
    steps = [*HEAR, {"say": BYE.line}, {"until_hung_up": {"within_ms": 60_000}}]
    outcome = await protocol.play(Conversation(turns=(BYE,)), steps, {"tools": {"end_call": end_call_tool()}})
    held(outcome, speeches=2)
    assert outcome.caller.ended == "hangup" and outcome.said[1] == BYE.answer
    assert outcome.numbers["agent_audio_played_s"] == pytest.approx(outcome.numbers["agent_audio_generated_s"], abs=0.1)
