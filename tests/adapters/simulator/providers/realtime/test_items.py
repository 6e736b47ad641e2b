"""The simulated session, sans I/O: tool calls, items, truncation, and everything it rejects, by lists of events."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.adapters.simulator.providers.realtime.driver import Driver, Json, every, only, types

SAY_AFTER_TOOLS = """
unoffered_calls: make
responses:
  - when: {nth: 1}
    output:
      - {say: "One moment, let me look that up.", phase: commentary}
      - {call: order_status, arguments: {order: 42}}
      - {call: weather, arguments: "{ }"}
  - when: {after: tools, tool: weather}
    output: [{say: "Both are there."}]
"""


def error(events: list[Json]) -> Json:
    found: Json = only(events, "error")["error"]
    return found


# --- tools -----------------------------------------------------------------------------------------------------------


def tool_output(driver: Driver, call_id: str, **more: Any) -> list[Json]:
    item = {"type": "function_call_output", "call_id": call_id, "output": '{"ok": true}'} | more
    return driver.send("conversation.item.create", event_id="out", item=item)


def test_commentary_and_parallel_calls_interleave_and_their_outputs_lead_on() -> None:
    driver = Driver(SAY_AFTER_TOOLS)
    driver.configure()
    driver.send("response.create")
    events = driver.run_to("response.done")
    kinds = [(event["type"], event.get("output_index")) for event in events]
    assert kinds.index(("response.output_item.added", 1)) < kinds.index(("response.output_item.done", 0))
    done = only(events, "response.done")["response"]
    spoken, first, second = done["output"]
    assert spoken["phase"] == "commentary"
    assert (first["name"], first["arguments"]) == ("order_status", '{"order": 42}')
    assert (second["name"], second["arguments"]) == ("weather", "{ }")
    assert types(tool_output(driver, first["call_id"])) == ["conversation.item.added", "conversation.item.done"]
    tool_output(driver, second["call_id"])
    driver.send("response.create")
    assert only(driver.run(3), "response.output_audio_transcript.done")["transcript"] == "Both are there."
    assert driver.core.stats.violations == []


def test_an_output_sent_into_the_open_parent_is_echoed_after_its_done() -> None:
    driver = Driver("unoffered_calls: make\nresponses: [{output: [{call: weather}, {call: weather}]}]")
    driver.configure()
    driver.send("response.create")
    call = only(driver.run_to("response.output_item.done"), "response.output_item.done")["item"]
    assert tool_output(driver, call["call_id"]) == []
    kinds = types(driver.run(1))
    assert kinds[kinds.index("response.done") + 1 :][:2] == ["conversation.item.added", "conversation.item.done"]
    driver.send("response.create")
    assert "response.create without the outputs of 1 calls" in driver.core.stats.violations
    tool_output(driver, call["call_id"])
    assert "second output for one call" in driver.core.stats.violations


def test_an_output_for_an_unknown_call_is_rejected() -> None:
    driver = Driver()
    driver.configure()
    assert error(tool_output(driver, "call_unknown"))["code"] == "invalid_tool_call_id"


# --- items -----------------------------------------------------------------------------------------------------------


def message(role: str, text: str, **more: Any) -> Json:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]} | more


def test_items_are_kept_in_order_and_can_be_had_back() -> None:
    driver = Driver()
    driver.configure()
    driver.send("conversation.item.create", item=message("user", "one", id="first"))
    driver.send("conversation.item.create", item=message("assistant", "two", id="second"))
    added = driver.send("conversation.item.create", item=message("user", "1.5", id="x"), previous_item_id="first")
    assert added[0]["previous_item_id"] == "first"
    root = driver.send("conversation.item.create", item=message("system", "zero"), previous_item_id="root")
    assert root[0]["previous_item_id"] is None
    (got,) = driver.send("conversation.item.retrieve", item_id="x")
    assert got["item"]["content"] == [{"type": "input_text", "text": "1.5"}]
    assert types(driver.send("conversation.item.delete", item_id="x")) == ["conversation.item.deleted"]
    assert error(driver.send("conversation.item.retrieve", item_id="x"))["code"] == "item_retrieve_invalid_item_id"
    assert error(driver.send("conversation.item.delete", item_id="x"))["code"] == "item_delete_invalid_item_id"


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        (message("user", "again", id="taken"), "invalid_value", "item.id"),
        (message("assistant", "", content=[{"type": "output_audio"}]), "invalid_value", "item.content[0].type"),
        (message("robot", "hi"), "invalid_value", "item.role"),
        ({"role": "user", "content": []}, "missing_required_parameter", "item.type"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        ({"type": "function_call_output", "output": ""}, "missing_required_parameter", "item.call_id"),
        ("hello", "invalid_type", "item"),
    ],
)
def test_items_that_are_rejected(item: Any, code: str, param: str) -> None:
    driver = Driver()
    driver.configure()
    driver.send("conversation.item.create", item=message("user", "here", id="taken"))
    refused = error(driver.send("conversation.item.create", item=item))
    assert (refused["code"], refused["param"]) == (code, param)
    unknown = driver.send("conversation.item.create", item=message("user", "x"), previous_item_id="item_nowhere")
    assert error(unknown)["param"] == "previous_item_id"


def test_truncation_is_held_to_85_ms_less_than_the_bytes() -> None:
    driver = Driver("responses: [{output: [{say: hi, speech: agent_still_there}]}]")
    driver.configure()
    driver.send("response.create")
    events = driver.run(3)
    item_id = only(events, "response.done")["response"]["output"][0]["id"]
    audio = b"".join(base64.b64decode(event["delta"]) for event in every(events, "response.output_audio.delta"))
    received_ms = len(audio) // 48

    def truncate(ms: int, **more: Any) -> list[Json]:
        fields: Json = {"item_id": item_id, "content_index": 0, "audio_end_ms": ms} | more
        return driver.send("conversation.item.truncate", event_id="t", **fields)

    has_ms = received_ms - 85
    refused = error(truncate(received_ms))
    assert refused["message"] == f"Audio content of {has_ms}ms is already shorter than {received_ms}ms"
    assert refused["event_id"] == "t"
    (done,) = truncate(has_ms)
    assert done["type"] == "conversation.item.truncated" and done["audio_end_ms"] == has_ms
    truncate(0)
    (got,) = driver.send("conversation.item.retrieve", item_id=item_id)
    assert got["item"]["content"][0].get("transcript") is None
    assert "already shorter" in error(truncate(1))["message"]
    driver.send("conversation.item.create", item=message("user", "hi", id="text"))
    refused = error(truncate(0, item_id="text"))
    assert (refused["code"], refused["message"]) == (None, "Only model output audio messages can be truncated")
    assert error(truncate(0, item_id="gone"))["code"] == "item_truncate_invalid_item_id"


# --- frames nobody should send ---------------------------------------------------------------------------------------


def test_malformed_frames_are_answered_and_the_session_goes_on() -> None:
    driver = Driver()
    driver.configure()
    assert error(driver.feed_frame("{nonsense"))["code"] == "invalid_json"
    assert error(driver.feed_frame(b"\x00"))["code"] == "invalid_event"
    assert error(driver.feed_frame("[]"))["code"] == "invalid_json"
    assert error(driver.feed_frame("{}"))["param"] == "type"
    unknown = error(driver.send("output_audio_buffer.clear", event_id="e9"))
    assert unknown["message"].startswith("Invalid value: 'output_audio_buffer.clear'. Supported values are: 'session.u")
    assert unknown["message"].endswith("'response.create', and 'response.cancel'.")
    assert (unknown["code"], unknown["param"], unknown["event_id"]) == ("invalid_value", "type", "e9")
    assert error(driver.send("input_audio_buffer.append", audio="A" * (15 * 1024 * 1024 + 4)))["param"] == "audio"
    assert error(driver.send("input_audio_buffer.append", audio="not base64!"))["code"] == "invalid_value"
    assert error(driver.send("input_audio_buffer.append"))["code"] == "missing_required_parameter"
    assert error(driver.send("response.create", response={"voice": "x"}))["code"] == "unknown_parameter"
    driver.send("response.create")
    assert only(driver.run(3), "response.done")["response"]["status"] == "completed"


def test_an_error_without_a_client_event_id_has_null() -> None:
    driver = Driver()
    driver.configure()
    assert error(driver.send("nonsense"))["event_id"] is None


def test_session_close_ends_it() -> None:
    driver = Driver()
    driver.configure()
    driver.send("session.close")
    closing = driver.out[-1].closing
    assert closing and closing.code == 1000
