"""The last word in whole calls: an agent ends the call or puts the caller through, and how it went is the result."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.active_call import ENDED, ActiveCall
from adapters.call.result import MAX_KEYS, CallResult
from adapters.call_tools import end_call_tool, transfer_call_tool
from adapters.lines.line import CallLeg
from adapters.simulator.providers.realtime import parse_scenario
from adapters.tools import Tool
from tests.adapters.call.rig import Played, play

pytestmark = pytest.mark.virtual_time

HEARD_OUT: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]
ASKS = [*HEARD_OUT, {"say": "caller_order_status"}]
UNTIL_OVER = {"steps": [*ASKS, {"until_hung_up": {"within_ms": 60000}}]}


def calls(tool: str, arguments: str = "{}", *, says: bool = True) -> str:
    said = "{say: One moment please, speech: agent_goodbye}, " if says else ""
    return (
        "responses: [{output: [{say: Welcome}]},"
        " {when: {after: tools}, output: [{say: Goodbye}]},"
        " {when: {after: nothing}, output: [{say: Sorry}]},"
        f" {{when: {{after: user}}, output: [{said}{{call: {tool}, arguments: {arguments}}}]}}]"
    )


async def parted(text: str, tools: list[Tool], **more: Any) -> Played:
    scenario = parse_scenario(text, Path("parting.yaml"))
    return await play(UNTIL_OVER, scenario=scenario, settings={"tools": {each.name: each for each in tools}}, **more)


def story(played: Played) -> str:
    return "\n".join(played.watcher.story)


async def test_an_agent_that_has_said_goodbye_hangs_up_when_it_has_been_heard() -> None:
    played = await parted(calls("end_call"), [end_call_tool()])
    assert played.caller.ended == "hangup" and played.caller.notes == (), story(played)
    assert len(played.caller.agent_speech) == 2, "the greeting and the goodbye; nothing more is asked for"
    assert played.summary.creates["tools"] == 0
    assert played.call.result.word == "completed"
    audio = played.summary.played
    assert audio is not None and audio.played_ms == audio.generated_ms, "all of it was heard"


async def test_an_agent_that_has_said_nothing_says_goodbye_first() -> None:
    played = await parted(calls("end_call", says=False), [end_call_tool()])
    assert played.caller.ended == "hangup", story(played)
    assert played.summary.creates["tools"] == 1 and len(played.caller.agent_speech) == 2, story(played)


async def test_a_caller_is_put_through_when_the_announcement_has_been_heard() -> None:
    asked: list[tuple[str, str]] = []

    async def put_through(leg: CallLeg, key: str) -> None:
        asked.append((leg.call_id, key))
        await asyncio.sleep(0.2)

    tool = transfer_call_tool({"sales": "the shop", "desk": ""})
    text = calls("transfer_call", "{target: sales}")
    played = await parted(text, [tool], put_through=put_through)
    assert asked == [(played.call.call_id, "sales")], story(played)
    assert played.call.result.word == "transfer:sales" and played.caller.ended == "hangup"
    effects = [(step.variant, [e.name for e in step.effects]) for _, step in played.watcher.steps]
    assert ("playout.drained", ["transfer"]) in effects, story(played)
    assert len(played.caller.agent_speech) == 2


async def test_without_anybody_who_transfers_the_dialplan_does_it() -> None:
    played = await parted(calls("transfer_call", "{target: desk}"), [transfer_call_tool({"desk": ""})])
    assert played.call.result.word == "transfer:desk" and played.caller.ended == "hangup", story(played)


async def test_a_transfer_that_fails_is_told_to_the_caller_and_the_call_goes_on() -> None:
    async def put_through(_leg: CallLeg, key: str) -> None:
        raise RuntimeError(f"{key} is busy")

    scenario = parse_scenario(calls("transfer_call", "{target: sales}"), Path("parting.yaml"))
    steps = [*ASKS, *HEARD_OUT, "hang_up"]
    tools = {"transfer_call": transfer_call_tool({"sales": ""})}
    played = await play({"steps": steps}, scenario=scenario, settings={"tools": tools}, put_through=put_through)
    assert played.call.result.word == "completed", story(played)
    sent = [str(event) for _, way, event in played.watcher.wires if way == "out"]
    assert any("could not be put through to 'sales': sales is busy" in event for event in sent), story(played)
    assert played.summary.creates["tools"] == 1, "one answer for what the tool gave and for the failure"
    assert played.caller.notes == (), story(played)


async def test_a_number_of_the_models_own_is_refused() -> None:
    text = calls("transfer_call", '{target: "+4930123"}')
    scenario = parse_scenario(text, Path("parting.yaml"))
    steps = [*ASKS, *HEARD_OUT, *HEARD_OUT, "hang_up"]
    tools = {"transfer_call": transfer_call_tool({"sales": ""})}
    played = await play({"steps": steps}, scenario=scenario, settings={"tools": tools})
    outputs = [
        str(event) for _, way, event in played.watcher.wires if way == "out" and "function_call_output" in str(event)
    ]
    assert len(outputs) == 1 and "not one of" in outputs[0], outputs
    assert played.call.result.word == "completed"


async def test_what_a_tool_asks_of_its_call_is_answered_with_the_specs_own_reason() -> None:
    answers = []

    async def look(call: ActiveCall) -> str:
        answers.append(await call.requested("application.result_given", key="outcome", value="sold\nnow"))
        answers.append(await call.requested("playout.drained"))
        answers.append(await call.requested("no.such_thing"))
        with pytest.raises(RuntimeError, match=r"await call\.requested"):
            call.request("application.result_given")
        return call.id

    def plain(call: ActiveCall) -> str:
        answers.append(call.set_result("mood", "good"))
        return call.agent

    text = (
        "responses: [{output: [{say: Welcome}]}, {when: {after: tools}, output: [{say: Bye}]},"
        " {when: {after: user}, output: [{call: look, arguments: {}}, {call: plain, arguments: {}}]}]"
    )
    tools = {"look": Tool("look", look), "plain": Tool("plain", plain)}
    steps = [*ASKS, *HEARD_OUT, "hang_up"]
    played = await play({"steps": steps}, scenario=parse_scenario(text, Path("x.yaml")), settings={"tools": tools})
    said = [(answer.accepted, answer.reason) for answer in answers]
    assert (True, "") in said and said.count((True, "")) == 2, said
    assert (False, "'playout.drained' is not a request that server_vad knows") in said
    assert (False, "'no.such_thing' is not a request that server_vad knows") in said
    assert dict(played.call.result.values) == {"outcome": "sold now", "mood": "good"}
    assert await played.call.active.requested("application.hang_up_requested") == ENDED


def test_a_result_is_bounded() -> None:
    result = CallResult()
    assert not result.set("", "x") and not result.set(" \n", "x")
    assert all(result.set(f"k{n}", "v" * 1000) for n in range(MAX_KEYS))
    assert not result.set("one more", "x") and result.set("k1", "again")
    assert result.values["k1"] == "again" and len(result.values["k2"]) == 200


def test_a_failed_transfer_leaves_the_ending_as_it_was() -> None:
    result = CallResult()
    result.transfers("desk")
    assert result.word == "transfer:desk"
    result.stays()
    assert result.word == "completed"
    result.failed()
    assert result.word == "provider_failed"
