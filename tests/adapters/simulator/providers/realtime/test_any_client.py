"""Whatever a client does, the simulated session stays a legal one: hypothesis plays the client."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.simulator.providers.realtime.driver import Driver, Json, encode, silence, tone

SCENARIO = """
unoffered_calls: make
responses:
  - {output: [{say: "One moment, let me look that up."}, {call: a}, {call: b}]}
  - {times: 2, output: [{mcp: find, server: shop}, {say: "Found."}]}
  - {when: {after: tools}, output: [{say: "Here is what I found for you."}]}
  - {status: failed}
"""
LOUD, QUIET = encode(tone(320), "audio/pcm"), encode(silence(320), "audio/pcm")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ("session", "item", "response", "audio", "item_id", "response_id", "content_index", "audio_end_ms")
KINDS = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
)
NONSENSE = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS) | JSON}, optional=dict.fromkeys((*FIELDS, "event_id", "previous_item_id"), JSON)
)
MCP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example"}
TOOLS = [{"type": "function", "name": "a"}, MCP, MCP | {"require_approval": "never"}, MCP | {"server_label": "gone"}]
RESPONSES: list[Json] = [
    {"conversation": "none"},
    {"max_output_tokens": 7},
    {"tool_choice": "required"},
    {"tool_choice": "none", "instructions": None},
    {"tools": [MCP | {"require_approval": "never"}], "output_modalities": ["text"]},
    {"tools": [{"type": "mcp", "server_label": "shop"}]},
]
DETECTION = st.sampled_from([None, {"type": "server_vad"}, {"type": "server_vad", "interrupt_response": False}])
SENSE = st.one_of(
    st.sampled_from([LOUD, QUIET]).map(lambda audio: {"type": "input_audio_buffer.append", "audio": audio}),
    st.sampled_from([{}, *({"response": each} for each in RESPONSES)]).map(
        lambda more: {"type": "response.create", **more}
    ),
    st.lists(st.sampled_from(TOOLS), max_size=3).map(
        lambda tools: {"type": "session.update", "session": {"type": "realtime", "tools": tools}}
    ),
    st.sampled_from(KINDS).map(lambda kind: {"type": kind}),
    DETECTION.map(
        lambda detection: {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": detection}}},
        }
    ),
)
# An item or a call of the conversation, by number; the test fills in its id.
ABOUT = st.tuples(
    st.sampled_from(["truncate", "delete", "retrieve", "output", "approve"]), st.integers(0, 5), st.integers(0, 3000)
)
WAIT = st.floats(0.001, 1.0)


def about(driver: Driver, what: str, number: int, ms: int) -> Json:
    items = [event["item"] for event in driver.events() if event["type"] == "conversation.item.added"]
    chosen = items[number % len(items)] if items else {"id": "item_none"}
    if what == "output":
        item = {"type": "function_call_output", "call_id": chosen.get("call_id", "call_none"), "output": "{}"}
        return {"type": "conversation.item.create", "item": item}
    if what == "approve":
        item = {"type": "mcp_approval_response", "approval_request_id": chosen["id"], "approve": bool(ms % 2)}
        return {"type": "conversation.item.create", "item": item}
    kind = f"conversation.item.{what}"
    return {"type": kind, "item_id": chosen["id"], "content_index": 0, "audio_end_ms": ms}


def assert_legal(driver: Driver) -> None:
    """One default response at a time, every one done once; time runs forward; event ids are unique."""
    active = None
    times = [out.at_s for out in driver.out]
    assert times == sorted(times)
    events = driver.events()
    assert len({event["event_id"] for event in events}) == len(events)
    for event in events:
        response = event.get("response", {})
        if response.get("conversation_id") is None:
            continue
        if event["type"] == "response.created":
            assert active is None
            active = response["id"]
        elif event["type"] == "response.done":
            assert active == response["id"]
            active = None
    assert active is None


@settings(max_examples=40)
@given(st.lists(st.one_of(SENSE, SENSE, ABOUT, WAIT, NONSENSE), max_size=25))
def test_any_client(steps: list[Any]) -> None:
    driver = Driver(SCENARIO)  # it checks every event against the SDK's types
    for step in steps:
        if isinstance(step, float):
            driver.run(step)
        else:
            driver.feed(about(driver, *step) if isinstance(step, tuple) else step)
    driver.run(20)
    assert_legal(driver)


@settings(max_examples=40)
@given(st.one_of(JSON.map(str), st.text(max_size=20), st.binary(max_size=20)))
def test_any_frame(frame: str | bytes) -> None:
    driver = Driver()
    driver.run(0.1)
    driver.feed_frame(frame)
    driver.send("response.create")
    driver.run(5)
    assert "response.done" in [event["type"] for event in driver.events()]
