"""Whole calls by sideband: two clients on one session, the audio with the other one, in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.simulator.providers.realtime import ProviderServer, parse_scenario
from adapters.tools import Tool
from tests.adapters.lines.sideband.rig import Browser, offered, sideband

pytestmark = pytest.mark.virtual_time

LONG = "Let me explain how returns work. You have thirty days to send the goods back. Please use the label in the box."
APART = pytest.mark.parametrize("apart_ms", [0, 1, 20])
TWO_TOOLS = """
responses:
  - {when: {nth: 1}, output: [{say: Welcome.}]}
  - {when: {user_turn: 1}, output: [{call: berlin}, {call: oslo}]}
  - {output: [{say: Both are sunny.}]}
"""


CALLED = ("berlin", "oslo")


class InTheBrowser:
    """Tools that the other client runs: it says each result to whoever called, some time after the round began."""

    def __init__(self) -> None:
        self._results = {name: asyncio.get_running_loop().create_future() for name in CALLED}
        self.tools = {name: Tool(name, lambda name=name: self._result(name)) for name in CALLED}

    async def say(self, apart_s: float, *and_creates: Browser) -> None:
        """Both results; with a browser, it asks for an answer after each of them, too."""
        for number, result in enumerate(self._results.values()):
            await asyncio.sleep(apart_s if number else 0.3)
            result.set_result("sunny")
            for browser in and_creates:
                await browser.send(type="response.create", event_id=f"foreign_{number}")

    async def _result(self, name: str) -> str:
        return str(await self._results[name])


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


@APART
async def test_a_client_alone_that_asks_after_each_result_is_refused(apart_ms: int) -> None:
    """The race of the seeds, on the simulator's session: what the tests below it are spared."""
    scenario = parse_scenario(
        TWO_TOOLS.replace("  - {when: {nth: 1}, output: [{say: Welcome.}]}\n", ""), Path("s.yaml")
    )
    async with ProviderServer(scenario=scenario) as provider:
        browser = await Browser.joined(provider, await offered(provider))
        tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in CALLED]
        await browser.send(type="session.update", session={"type": "realtime", "tools": tools})
        browser.say("caller_two_cities")
        done = await browser.until("response.done")
        for number, call in enumerate(done["response"]["output"]):
            await asyncio.sleep(apart_ms / 1000 if number else 0)
            item = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
            await browser.send(type="conversation.item.create", item=item)
            await browser.send(type="response.create")
        refused = await browser.until("error")
        await browser.close()
    assert refused["error"]["code"] == "conversation_already_has_active_response"


@APART
async def test_two_results_of_the_other_client_are_one_answer(apart_ms: int) -> None:
    there = InTheBrowser()
    async with sideband(TWO_TOOLS, settings={"tools": there.tools}) as call:
        await call.browser.until("output_audio_buffer.stopped")
        call.browser.say("caller_two_cities")
        await call.browser.until("response.done", 2)
        await there.say(apart_ms / 1000)
        await call.browser.until("output_audio_buffer.stopped", 2)
        await asyncio.sleep(3)
        outputs = [each["item"]["type"] for each in call.sent("conversation.item.create")]
        assert outputs == ["function_call_output"] * 2 and len(call.sent("response.create")) == 3, call.story
        assert call.browser.count("error") == 0 and call.browser.count("output_audio_buffer.started") == 2


@APART
async def test_a_client_that_asks_beside_us_costs_a_rejection_and_no_answer(apart_ms: int) -> None:
    """Out of what is proved, for it sends creates of its own: ours is refused, its answer adopted, and heard once."""
    there = InTheBrowser()
    async with sideband(TWO_TOOLS, settings={"tools": there.tools}) as call:
        await call.browser.until("output_audio_buffer.stopped")
        call.browser.say("caller_two_cities")
        await call.browser.until("response.done", 2)
        await there.say(apart_ms / 1000, call.browser)
        await call.browser.until("output_audio_buffer.stopped", 2)
        await asyncio.sleep(5)
        assert call.browser.count("output_audio_buffer.started") == 2, call.story
        assert call.browser.count("error") == 2 and call.calls[0].summary.as_json()["rejections"] == 1
        call.browser.say("caller_weather")
        await call.browser.until("output_audio_buffer.stopped", 3)


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
        call.provider.calls[call.call_id].press("5")
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
        await call.provider.calls[call.call_id].drop_others()
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
        assert call.attachments.attach(call.call_id) == "live_call"
