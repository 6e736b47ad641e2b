"""Every server event of the openai SDK's union is sent by some session of the simulator, or belongs to another wire."""

from __future__ import annotations

import typing
from collections.abc import Iterator

from openai.types.realtime import RealtimeServerEvent

from tests.adapters.simulator.providers.realtime.driver import Driver, Json, silence, tone

# docs/facts/realtime_api.md section 1.2: WebRTC and SIP, SIP alone, and two that no GA recording has.
ELSEWHERE = {
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "output_audio_buffer.cleared",
    "input_audio_buffer.dtmf_event_received",
    "conversation.created",
    "conversation.item.created",
}
SHOP: Json = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example", "require_approval": "never"}
TOOL: Json = {"type": "function", "name": "look"}
SCRIPT = """
mcp: {shop: {tools: [{name: find}]}, gone: {fails: true}}
user_turns: [Hello., {fails: broken}]
responses:
  - when: {nth: 1}
    output:
      - {mcp: find, server: shop}
      - {mcp: find, server: shop, error: {type: tool_execution_error, message: x}}
  - {when: {after: idle}, output: [{say: There.}]}
  - {times: 0, output: [{say: Well.}, {call: look}]}
"""


def union_types() -> set[str]:
    (union,) = typing.get_args(RealtimeServerEvent)[:1]
    return {typing.get_args(each.model_fields["type"].annotation)[0] for each in typing.get_args(union)}


def sessions() -> Iterator[Driver]:
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    driver = Driver(SCRIPT)
    driver.configure(detection=detection, audio_in={"transcription": {"model": "diarize"}}, tools=[
        SHOP, {**SHOP, "server_label": "gone"}, TOOL])  # fmt: skip
    driver.run(1)
    for _ in range(2):
        driver.send("response.create")
        driver.run(5)
    item = next(event["item"] for event in driver.events() if event["type"] == "response.output_item.done"
                and event["item"]["type"] == "message")  # fmt: skip
    driver.send("conversation.item.retrieve", item_id=item["id"])
    driver.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=1)
    driver.send("conversation.item.delete", item_id=item["id"])
    driver.send("input_audio_buffer.clear")
    driver.send("nonsense")
    for _ in range(2):
        driver.hear(tone(400), silence(600))
        driver.run(5)
    driver.hear(silence(8000), chunk_ms=100)
    driver.send("response.create", response={"conversation": "none", "output_modalities": ["text"]})
    driver.run(5)
    yield driver


def test_every_event_of_the_sdk_that_a_websocket_can_see_is_sent() -> None:
    sent = {event["type"] for driver in sessions() for event in driver.events()}
    assert sent - union_types() == set()
    assert union_types() - sent == ELSEWHERE
