"""What the executor's hands do in whole calls: late audio, history, tools of a lost session, a full mailbox."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.call.settings import CallLimits
from adapters.providers.connection import ConnectionLimits
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.providers.realtime import ProviderScenario, parse_scenario
from adapters.tools import Tool
from fsm.machine.ledgers.realtime.recipes import TOOL_OVERDUE
from tests.adapters.call.rig import Played, play

pytestmark = pytest.mark.virtual_time

HEARD_OUT: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]
ONE_TURN = {"steps": [*HEARD_OUT, {"say": "caller_order_status"}, *HEARD_OUT, "hang_up"]}
CUTS_IN = {
    "steps": [
        {"interrupt": {"file": "caller_interrupt", "after_ms": 700}},
        *HEARD_OUT,
        "hang_up",
    ]
}
LISTENS = {"steps": [{"until_hung_up": {"within_ms": 60000}}]}


def scenario(text: str) -> ProviderScenario:
    return parse_scenario(text, Path("hands.yaml"))


def told(played: Played) -> str:
    return "\n".join(played.watcher.story)


LATE = {
    "in flight when it is cut": "responses: [{output: [{say: A long story, speech: agent_long_story}], pace: 1.2}]",
    "behind its own end": "faults: [{fault: delay, type: response.output_audio.delta, nth: 6, by_s: 4.0}]",
}


@pytest.mark.parametrize("how", LATE)
async def test_audio_of_a_response_that_the_caller_cut_is_not_heard(how: str) -> None:
    """Dropped by the response's id, also after the flush, also while the next answer is heard."""
    played = await play(CUTS_IN, scenario=scenario(LATE[how]))
    audio = played.summary.played
    assert played.summary.barge_ins == 1 and played.caller.notes == (), told(played)
    assert audio is not None and audio.late_dropped_ms > 100, told(played)
    assert audio.underruns == 0
    begun = [step.event.data["response_id"] for _, step in played.watcher.steps if step.event.name == "playout.started"]
    assert len(begun) == len(set(begun)), told(played)


async def test_a_session_after_another_is_told_what_was_said_in_order() -> None:
    script = {"steps": [*HEARD_OUT, {"say": "caller_order_status"}, *HEARD_OUT, {"wait_ms": 6000}, "hang_up"]}
    lost = "{fault: close, connection: 1, at_s: 8.0, code: 1006}"
    says = "user_turns: ['Where is my order?']\nresponses: [{output: [{say: Welcome}]}, {output: [{say: On its way}]}]"
    session = {"transcription": {"model": "gpt-4o-mini-transcribe"}}
    played = await play(script, scenario=scenario(f"{says}\nfaults: [{lost}]"), session=session)
    first, second = played.sessions
    assert first.received_types().count("conversation.item.create") == 0
    items = [seen.event["item"] for seen in second.received if seen.type == "conversation.item.create"]
    assert [(item["role"], item["content"][0]["text"]) for item in items] == [
        ("assistant", "Welcome"),
        ("user", "Where is my order?"),
        ("assistant", "On its way"),
    ], told(played)
    assert second.received_types()[0] == "session.update" and second.rejections == {}
    assert second.creates == 0, "nothing is owed"


async def test_a_tool_of_a_lost_session_is_cancelled() -> None:
    ended: list[str] = []

    async def slow() -> str:
        try:
            return await asyncio.sleep(60, "late")
        except asyncio.CancelledError:
            ended.append(f"after {asyncio.get_running_loop().time() - began:.0f} s")
            raise

    began = asyncio.get_running_loop().time()
    says = "responses: [{when: {after: user}, output: [{call: slow}]}]"
    lost = "{fault: close, connection: 1, after: response.done, nth: 2, code: 1006}"
    tools = {"slow": Tool("slow", slow, deadline_s=50.0)}
    script = {"steps": [*HEARD_OUT, {"say": "caller_order_status"}, {"wait_ms": 20000}, "hang_up"]}
    played = await play(script, scenario=scenario(f"{says}\nfaults: [{lost}]"), settings={"tools": tools})
    assert len(played.sessions) == 2 and played.summary.tools >= 1, told(played)
    assert ended and int(ended[0].split()[1]) < 15, ended


async def test_a_tool_that_was_answered_is_told_to_the_next_session_with_its_answer() -> None:
    script = {"steps": [*HEARD_OUT, {"say": "caller_order_status"}, *HEARD_OUT, {"wait_ms": 6000}, "hang_up"]}
    says = (
        "responses: [{output: [{say: Welcome}]}, {when: {after: user}, output: [{call: look, arguments: {order: 42}}]},"
        " {when: {after: tools}, output: [{say: On its way}]}]"
    )
    lost = "{fault: close, connection: 1, after: response.done, nth: 3, code: 1006}"
    schema = {"type": "object", "properties": {"order": {"type": "integer"}}}
    tools = {"look": Tool("look", lambda order: f"{order} is shipped", parameters=schema)}
    played = await play(script, scenario=scenario(f"{says}\nfaults: [{lost}]"), settings={"tools": tools})
    _, second = played.sessions
    items = [seen.event["item"] for seen in second.received if seen.type == "conversation.item.create"]
    assert [item["type"] for item in items] == ["message", "function_call", "function_call_output", "message"]
    assert (items[1]["name"], items[1]["arguments"]) == ("look", '{"order": 42}')
    assert (items[2]["call_id"], items[2]["output"]) == (items[1]["call_id"], "42 is shipped")
    assert second.rejections == {} and second.creates == 0, told(played)


async def test_a_tool_without_an_end_is_given_up_the_model_is_told_and_the_call_goes_on() -> None:
    """The machine's own deadline, behind that of the tool itself."""
    given_up_ms: list[float] = []
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    async def endless() -> str:
        try:
            return await asyncio.sleep(3600, "")
        finally:
            given_up_ms.append((loop.time() - began_s) * 1000)

    says = "responses: [{when: {after: user}, output: [{call: endless}]}]"
    tools = {"endless": Tool("endless", endless, deadline_s=3600)}
    steps = [
        *HEARD_OUT,
        {"say": "caller_order_status"},
        {"wait_ms": 131_000},
        {"wait_agent_speaking": {"within_ms": 10_000}},
        "hang_up",
    ]
    played = await play({"steps": steps}, scenario=scenario(says), settings={"tools": tools})
    outputs = [seen.event["item"] for seen in played.sessions[0].received if seen.type == "conversation.item.create"]
    assert [item["output"] for item in outputs] == [TOOL_OVERDUE], told(played)
    assert played.caller.notes == ()
    when = [at for at, step in played.watcher.steps if step.variant == "timer.tools_overdue"]
    late = [at for at, step in played.watcher.steps if step.event.name == "tool.returned"]
    assert len(when) == 1 and late == [], told(played)
    assert given_up_ms == [pytest.approx(when[0], abs=100)]


async def test_the_greeting_is_asked_for_with_what_the_session_was_told() -> None:
    """Instructions of a response replace the session's."""
    played = await play({"steps": [*HEARD_OUT, "hang_up"]}, session={"instructions": "Be kind."})
    (create,) = [seen.event for seen in played.sessions[0].received if seen.type == "response.create"]
    assert create["response"]["instructions"] == "Be kind.\n\nGreet."


async def test_the_late_end_of_a_socket_that_was_left_ends_no_other() -> None:
    """It neither says session.created nor answers our close: its end is known when the next session is open."""
    mute = "{fault: lose, connection: 1, type: session.created}"
    deaf = "{fault: stall_reading, connection: 1, at_s: 2.0, for_s: 60}"
    limits = ConnectionLimits(close_s=1.5)
    played = await play(ONE_TURN, scenario=scenario(f"faults: [{mute}, {deaf}]"), limits=limits)
    assert [stats.creates for stats in played.sessions] == [0, 1], told(played)
    assert not [step for _, step in played.watcher.steps if step.event.name == "provider.closed"], told(played)
    assert played.caller.notes == () and len(played.caller.agent_speech) == 2


ODD = {
    "a delta of audio": "{fault: mutate, type: response.output_audio.delta, nth: 3, set: {delta: {audio: x}}}",
    "deltas of words": "{fault: mutate, type: response.output_audio_transcript.delta, set: {delta: {text: x}}}",
    "no usage": "{fault: mutate, type: response.done, set: {response.usage: null}}",
    "no transcript": "{fault: mutate, type: response.output_audio_transcript.done, set: {transcript: {}}}",
    "an index that is none": "{fault: mutate, type: response.output_audio.done, set: {content_index: x, item_id: []}}",
}


@pytest.mark.parametrize("what", ODD)
async def test_a_field_of_another_type_costs_no_turn(what: str) -> None:
    played = await play(ONE_TURN, scenario=scenario(f"faults: [{ODD[what]}]"))
    numbers = played.summary.as_json()
    assert (numbers["turns"], numbers["answers"], numbers["rejections"], numbers["violations"]) == (1, 1, 0, 0)
    assert played.caller.notes == () and len(played.caller.agent_speech) == 2, told(played)


@pytest.mark.parametrize("dtx", [False, True], ids=["a quiet line", "a line that sends nothing"])
async def test_a_turn_whose_end_nobody_tells_ends_by_the_silence_of_the_line(dtx: bool) -> None:
    lost = ", ".join(f"{{fault: lose, type: input_audio_buffer.{name}}}" for name in ("speech_stopped", "committed"))
    session = {"turn_detection": {"type": "server_vad", "create_response": False}}
    faults = scenario(f"faults: [{lost}]")
    played = await play(ONE_TURN, spec="owned_turns", session=session, scenario=faults, caller=CallerSettings(dtx=dtx))
    assert played.caller.notes == () and len(played.caller.agent_speech) == 2, told(played)
    assert 1500 < played.caller.reply_ms[-1] < 4000, "the line's silence, and the wait for an answer"
    assert [step.variant for _, step in played.watcher.steps].count("caller.silent") == 1, told(played)


@pytest.mark.parametrize("wire_format", ["pcmu", "pcm16"])
async def test_what_the_caller_says_before_the_session_is_ready_is_answered(wire_format: str) -> None:
    late = "{fault: delay, type: session.created, by_s: 2.5}"
    script = {"steps": [{"say": "caller_order_status"}, *HEARD_OUT, "hang_up"]}
    session = {"input_format": wire_format, "output_format": wire_format}
    settings = {"greeting": None}
    played = await play(script, scenario=scenario(f"faults: [{late}]"), session=session, settings=settings)
    assert (played.summary.turns, played.caller.notes) == (1, ()), told(played)
    audio_ms = played.sessions[0].audio_ms
    assert abs(audio_ms - played.caller.duration_ms) < 100, "all of it, in order, and nothing twice"


async def test_a_mailbox_that_overflows_ends_the_call_politely_and_is_counted() -> None:
    """A burst of events in one moment; the call can no longer know what happened."""
    burst = ", ".join(
        "{fault: inject, after: response.done, text: "
        f'\'{{"type": "input_audio_buffer.speech_started", "item_id": "u{n}"}}\'}}'
        for n in range(40)
    )
    limits = CallLimits(mailbox_events=8)
    played = await play(LISTENS, scenario=scenario(f"faults: [{burst}]"), settings={"limits": limits})
    numbers = played.summary.as_json()
    dropped = numbers["mailbox_dropped"]  # of the 40, what came together and did not fit
    assert isinstance(dropped, int) and 0 < dropped < 40, told(played)
    assert numbers["end_reason"] == "operator.hang_up_requested: mailbox_overflow"
    assert (played.caller.ended, played.caller.dialplan_continues) == ("hangup", True)
