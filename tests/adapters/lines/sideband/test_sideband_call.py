"""Whole calls by sideband: two clients on one session, the audio with the other one, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from adapters.tools import Tool
from tests.adapters.lines.sideband.rig import CALL_ID, sideband

pytestmark = pytest.mark.virtual_time

LONG = "Let me explain how returns work. You have thirty days to send the goods back. Please use the label in the box."
TWO_TOOLS = """
responses:
  - {when: {nth: 1}, output: [{say: Welcome.}]}
  - {when: {user_turn: 1}, output: [{call: berlin}, {call: oslo}]}
  - {output: [{say: Both are sunny.}]}
"""


async def returns_after(delay_s: float) -> str:
    await asyncio.sleep(delay_s)
    return "sunny"


def tools(*delays_s: float) -> dict[str, Tool]:
    names = ("berlin", "oslo")
    return {
        name: Tool(name, lambda delay_s=delay_s: returns_after(delay_s))
        for name, delay_s in zip(names, delays_s, strict=True)
    }


async def test_the_provider_greets_and_answers_and_is_asked_once_for_each() -> None:
    async with sideband() as call:
        await call.browser.until("output_audio_buffer.stopped")
        call.browser.say("caller_order_status")
        await call.browser.until("output_audio_buffer.stopped", 2)
        numbers = call.calls[0].summary.as_json()
        assert (numbers["turns"], numbers["answers"], numbers["rejections"]) == (1, 1, 0), call.story
        assert len(call.sent("response.create")) == 2, call.story
        assert not call.sent("input_audio_buffer.append") and not call.sent("conversation.item.truncate")


async def test_no_format_is_asked_for_and_the_open_socket_is_the_session() -> None:
    async with sideband() as call:
        await call.browser.until("session.updated")
        (update,) = call.sent("session.update")
        assert "format" not in str(update), update
        heard = [event["type"] for _, way, event in call.watcher.wires if way == "in"]
        assert heard[:2] == ["session.created", "session.updated"], heard


@pytest.mark.parametrize("apart_ms", [0, 1, 20])
async def test_two_tool_results_a_millisecond_apart_are_one_answer(apart_ms: int) -> None:
    async with sideband(TWO_TOOLS, settings={"tools": tools(0.3, 0.3 + apart_ms / 1000)}) as call:
        await call.browser.until("output_audio_buffer.stopped")
        call.browser.say("caller_two_cities")
        await call.browser.until("output_audio_buffer.stopped", 2)
        await asyncio.sleep(3)
        outputs = [
            each for each in call.sent("conversation.item.create") if each["item"]["type"] == "function_call_output"
        ]
        assert len(outputs) == 2 and len(call.sent("response.create")) == 3, call.story
        assert call.browser.count("error") == 0 and call.browser.count("output_audio_buffer.started") == 2


async def test_a_barge_in_clears_the_playout_of_the_provider() -> None:
    long = f"responses: [{{when: {{nth: 1}}, output: [{{say: '{LONG}'}}]}}, {{output: [{{say: Yes.}}]}}]"
    async with sideband(long) as call:
        await call.browser.until("output_audio_buffer.started")
        await asyncio.sleep(1.5)
        call.browser.say("caller_when_open")
        await call.browser.until("output_audio_buffer.cleared")
        await call.browser.until("output_audio_buffer.stopped")
        assert call.sent("output_audio_buffer.clear"), call.story
        assert not call.sent("conversation.item.truncate"), "the provider cuts its own items"
        assert call.calls[0].summary.as_json()["rejections"] == 0


async def test_a_create_of_the_other_client_is_absorbed() -> None:
    """The proof assumes that there is none; what happens all the same is one answer, and no silence."""
    async with sideband() as call:
        await call.browser.until("output_audio_buffer.stopped")
        await call.browser.send(type="response.create", event_id="foreign")
        await call.browser.until("output_audio_buffer.stopped", 2)
        call.browser.say("caller_order_status")
        await call.browser.until("output_audio_buffer.stopped", 3)
        assert call.calls[0].summary.as_json()["rejections"] == 0, call.story


async def test_the_call_goes_on_after_a_foreign_create_that_crosses_ours() -> None:
    async with sideband() as call:
        await call.browser.until("output_audio_buffer.stopped")
        call.browser.say("caller_order_status")
        await call.browser.until("input_audio_buffer.committed")
        await call.browser.send(type="response.create", event_id="foreign")
        await call.browser.until("output_audio_buffer.stopped", 2)
        call.browser.say("caller_weather")
        await call.browser.until("input_audio_buffer.committed", 2)
        await call.browser.until("output_audio_buffer.stopped", 3)
        assert not call.summaries, "the call goes on"


async def test_a_key_of_the_callers_is_a_key() -> None:
    async with sideband() as call:
        await call.browser.until("output_audio_buffer.stopped")
        call.provider.calls[CALL_ID].press("5")
        await asyncio.sleep(0.1)
        keys = [step.event.data["digit"] for _, step in call.watcher.steps if step.event.name == "caller.pressed_key"]
        assert keys == ["5"], call.story


async def test_the_end_of_the_session_is_a_hang_up() -> None:
    """It closes cleanly, as a proxy that restarts does: one more attempt by the id finds nothing there."""
    async with sideband() as call:
        await call.browser.until("output_audio_buffer.stopped")
        await call.browser.close()
        await call.over()
        names = [step.event.name for _, step in call.watcher.steps]
        assert "provider.closed" in names and "caller.hung_up" in names, call.story
        assert call.attachments.live == 0


async def test_a_lost_socket_is_attached_again_and_nothing_is_said_twice() -> None:
    async with sideband() as call:
        await call.browser.until("output_audio_buffer.stopped")
        await call.provider.calls[CALL_ID].drop_others()
        await call.browser.until("session.updated", 2)
        call.browser.say("caller_order_status")
        await call.browser.until("output_audio_buffer.stopped", 2)
        items = [each["item"]["type"] for each in call.sent("conversation.item.create")]
        assert items == [], "the session knows what was said in it"
        assert not call.summaries


async def test_a_call_that_is_not_there_is_over_at_once() -> None:
    async with sideband() as call:
        assert call.attachments.attach("rtc_none") is None
        async with asyncio.timeout(10):
            while call.attachments.live > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert call.attachments.attach(CALL_ID) == "live_call"
