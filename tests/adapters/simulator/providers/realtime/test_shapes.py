"""What the simulated provider takes and refuses of a client, event by event; the openai SDK's types name the events."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from openai.types.realtime import (
    RealtimeClientEvent,
    RealtimeResponseCreateParams,
    RealtimeSessionCreateRequest,
)

from adapters.simulator.providers.realtime import ProviderSettings
from adapters.simulator.providers.realtime.dialect import ACCEPTED_CLIENT_EVENTS
from adapters.simulator.providers.realtime.shapes import BETA_EVENTS, GA_EVENTS, TRANSCRIPTION_EVENTS
from tests.adapters.simulator.providers.realtime.driver import Driver, Json, encode, every, only, silence, types

FUNCTION = {"type": "function", "name": "look", "parameters": {"type": "object"}}
MCP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp"}


def error(events: list[Json]) -> Json:
    found: Json = only(events, "error")["error"]
    return found


def refusal(kind: str, **fields: Any) -> tuple[str | None, str | None, str]:
    driver = Driver()
    driver.configure()
    found = error(driver.send(kind, event_id="e1", **fields))
    assert found["event_id"] == "e1" and found["type"] == "invalid_request_error"
    return found["code"], found["param"], found["message"]


def client_types() -> list[str]:
    (union,) = typing.get_args(RealtimeClientEvent)[:1]
    return [typing.get_args(each.model_fields["type"].annotation)[0] for each in typing.get_args(union)]


@pytest.mark.parametrize("kind", client_types())
def test_every_client_event_of_the_sdk_is_known_or_refused_by_name(kind: str) -> None:
    if kind in GA_EVENTS:
        return
    assert kind == "output_audio_buffer.clear"  # WebRTC and SIP only: docs/facts/realtime_api.md section 1.1
    code, param, message = refusal(kind)
    assert (code, param) == ("invalid_value", "type") and kind in message


def test_every_event_on_the_servers_own_list_has_a_table_in_each_dialect() -> None:
    for table in (GA_EVENTS, BETA_EVENTS, TRANSCRIPTION_EVENTS):
        assert tuple(table) == ACCEPTED_CLIENT_EVENTS or set(table) == set(ACCEPTED_CLIENT_EVENTS)


# --- what it takes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RealtimeResponseCreateParams.model_fields))
def test_a_null_option_of_a_response_counts_as_not_given(name: str) -> None:
    driver = Driver()
    driver.configure()
    driver.send("response.create", response={name: None})
    assert only(driver.run(3), "response.done")["response"]["status"] == "completed"


def test_the_create_of_livekit_with_its_null_instructions_is_answered() -> None:
    driver = Driver()
    driver.configure()
    driver.send("response.create", response={"instructions": None, "metadata": {"client_event_id": "x"}})
    created = only(driver.run(3), "response.created")["response"]
    assert created["metadata"] == {"client_event_id": "x"}


def whole_session() -> Json:
    return {
        "type": "realtime",
        "instructions": "Be brief.",
        "include": ["item.input_audio_transcription.logprobs"],
        "output_modalities": ["audio"],
        "max_output_tokens": 4096,
        "model": "gpt-realtime",
        "parallel_tool_calls": False,
        "prompt": {"id": "pmpt_1", "version": "2", "variables": {"name": "Ann"}},
        "reasoning": {"effort": "low"},
        "tool_choice": {"type": "function", "name": "look"},
        "tools": [FUNCTION, MCP | {"require_approval": {"never": {"tool_names": ["a"]}}, "allowed_tools": ["a"]}],
        "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {}},
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 1}},
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-4o-transcribe", "language": "en", "prompt": "x"},
                "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
            },
            "output": {"format": {"type": "audio/pcmu"}, "voice": {"id": "voice_1"}, "speed": 1.2},
        },
    }


def test_a_session_with_every_key_of_the_sdk_is_taken_and_shown() -> None:
    given = whole_session()
    assert set(given) == set(RealtimeSessionCreateRequest.model_fields)
    driver = Driver()
    driver.run(0.1)
    updated = only(driver.send("session.update", session=given), "session.updated")["session"]
    assert updated["tools"] == given["tools"] and updated["reasoning"] == {"effort": "low"}
    assert updated["audio"]["output"]["voice"] == {"id": "voice_1"}
    driver.send("response.create", response={"tool_choice": "auto"})
    assert only(driver.run(5), "response.created")["response"]["audio"]["output"]["voice"] == "voice_1"


@pytest.mark.parametrize("name", ["turn_detection", "transcription", "noise_reduction"])
def test_null_switches_off_what_a_key_of_the_input_configures(name: str) -> None:
    driver = Driver()
    assert driver.configure(audio_in={name: None})["audio"]["input"][name] is None


@pytest.mark.parametrize("name", ["tracing", "prompt", "include"])
def test_null_clears_what_the_sdk_calls_nullable(name: str) -> None:
    more: Json = {name: None}
    assert Driver().configure(**more)[name] is None


# --- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "code", "param", "message"),
    [
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "output_modalities",
         "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio']."),
        ({"output_modalities": []}, "invalid_value", "output_modalities", "Invalid modalities: []."),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name",
         "Missing required parameter: 'session.tools[0].name'."),
        ({"tools": [{"type": "function", "function": {}}]}, "missing_required_parameter", "tools[0].name", ""),
        ({"tools": [FUNCTION | {"strict": True}]}, "unknown_parameter", "tools[0].strict", ""),
        ({"tools": [FUNCTION | {"parameters": []}]}, "invalid_type", "tools[0].parameters",
         "expected an object, but got an array instead."),
        ({"tools": [{"type": "web_search"}]}, "invalid_value", "tools[0].type", ""),
        ({"tools": [{"type": "mcp"}]}, "missing_required_parameter", "tools[0].server_label", ""),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "invalid_value", "tools[0]", "is not defined"),
        ({"tools": [MCP, MCP]}, "invalid_value", "tools", "duplicate server_label 'shop'"),
        ({"tools": [MCP | {"connector_id": "connector_gmail"}]}, "invalid_value", "tools[0]", "not both"),
        ({"tools": [MCP | {"authorization": "t", "headers": {"Authorization": "t"}}]}, "invalid_value", "tools[0]",
         "not both"),
        ({"tool_choice": "perhaps"}, "invalid_value", "tool_choice", ""),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "tool_choice.name", ""),
        ({"audio": {"input": {"format": "pcm16"}}}, "invalid_type", "audio.input.format",
         "Invalid type for 'session.audio.input.format': expected an object, but got a string instead."),
        ({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}}, "unknown_parameter",
         "audio.input.turn_detection.threshold", ""),
        ({"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 4999}}}}, "invalid_value",
         "audio.input.turn_detection.idle_timeout_ms", "integer below minimum value. Expected a value >= 5000"),
        ({"audio": {"output": {"voice": "nova"}}}, "invalid_value", "audio.output.voice", "'marin', and 'cedar'."),
        ({"truncation": {"type": "retention_ratio"}}, "missing_required_parameter", "truncation.retention_ratio", ""),
        ({"max_output_tokens": 5000}, "invalid_value", "max_output_tokens", ""),
        ({"max_output_tokens": "lots"}, "invalid_type", "max_output_tokens", "expected an integer, but got a string"),
        ({"parallel_tool_calls": 1}, "invalid_type", "parallel_tool_calls", "expected a boolean, but got an integer"),
        ({"tools": {}}, "invalid_type", "tools", "expected an array, but got an object instead."),
        ({"tracing": {"metadata": 1.5}}, "invalid_type", "tracing.metadata", "expected an object, but got a decimal"),
        ({"temperature": 0.8}, "unknown_parameter", "temperature", ""),
        ({"type": "transcription"}, "invalid_parameter", "type",
         "Passing a transcription session update event to a realtime session is not allowed."),
    ],
)  # fmt: skip
def test_a_session_is_refused(session: Json, code: str, param: str, message: str) -> None:
    found = refusal("session.update", session={"type": "realtime"} | session)
    assert found[:2] == (code, f"session.{param}")
    assert message in found[2]


def said(*content: Json, role: str = "user") -> Json:
    return {"type": "message", "role": role, "content": list(content)}


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({"role": "user", "content": []}, "missing_required_parameter", "item.type"),
        ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        (said(), "empty_array", "item.content"),
        (said(role="assistant"), "empty_array", "item.content"),
        (said({"type": "input_text"}), "missing_required_parameter", "item.content[0].text"),
        (said({"type": "input_text", "text": None}), "invalid_type", "item.content[0].text"),
        (said({"text": "x"}), "missing_required_parameter", "item.content[0].type"),
        (said({"type": "input_audio"}), "missing_required_parameter", "item.content[0].audio"),
        (said({"type": "input_audio", "audio": "@"}), "invalid_value", "item.content[0].audio"),
        (said({"type": "input_image"}), "missing_required_parameter", "item.content[0].image_url"),
        (said({"type": "input_text", "text": "x"}, role="assistant"), "invalid_value", "item.content[0].type"),
        (said({"type": "output_audio", "audio": "AAAA"}, role="assistant"), "invalid_value", "item.content[0].type"),
        (said({"type": "input_text", "text": "x"}, role="robot"), "invalid_value", "item.role"),
        (said({"type": "input_text", "text": "x"}) | {"name": "x"}, "unknown_parameter", "item.name"),
        ({"type": "function_call_output", "call_id": "c"}, "missing_required_parameter", "item.output"),
        ({"type": "function_call_output", "call_id": "c", "output": {}}, "invalid_type", "item.output"),
        ({"type": "function_call_output", "call_id": "c", "output": ""}, "invalid_tool_call_id", None),
        ({"type": "function_call_output", "call_id": "c", "output": "", "name": "x"}, "unknown_parameter", "item.name"),
        ({"type": "mcp_approval_response", "approve": True, "approval_request_id": "x"}, "item_not_found",
         "item.approval_request_id"),
        ({"type": "item_reference", "id": "x"}, "invalid_value", "item.type"),
        ("hello", "invalid_type", "item"),
    ],
)  # fmt: skip
def test_an_item_is_refused(item: Any, code: str, param: str | None) -> None:
    assert refusal("conversation.item.create", item=item)[:2] == (code, param)


@pytest.mark.parametrize(
    ("response", "code", "param"),
    [
        ({"output_modalities": ["text", "audio"]}, "invalid_value", "response.output_modalities"),
        ({"modalities": ["audio"]}, "unknown_parameter", "response.modalities"),
        ({"instructions": 7}, "invalid_type", "response.instructions"),
        ({"input": [{"type": "item_reference", "id": "item_none"}]}, "item_not_found", "response.input[0].id"),
        ({"input": [said()]}, "empty_array", "response.input[0].content"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "response.tools[0].name"),
        ({"tool_choice": {"type": "function", "name": "x"}}, "invalid_value", "response.tool_choice"),
        ({"tool_choice": {"type": "mcp", "server_label": "x"}}, "invalid_value", "response.tool_choice"),
        ({"metadata": {"k": 1}}, "invalid_type", "response.metadata.k"),
        ({"metadata": {str(n): "" for n in range(17)}}, "object_above_max_properties", "response.metadata"),
        ({"metadata": {"k": "v" * 513}}, "string_above_max_length", "response.metadata.k"),
        ({"max_output_tokens": 0}, "invalid_value", "response.max_output_tokens"),
        ({"conversation": "other"}, "invalid_value", "response.conversation"),
        (["audio"], "invalid_type", "response"),
    ],
)
def test_a_response_is_refused_and_none_is_made(response: Any, code: str, param: str) -> None:
    driver = Driver()
    driver.configure()
    found = error(driver.send("response.create", response=response))
    assert (found["code"], found["param"]) == (code, param)
    assert types(driver.run(3)) == []


@pytest.mark.parametrize(
    ("kind", "fields", "code", "param"),
    [
        ("input_audio_buffer.append", {}, "missing_required_parameter", "audio"),
        ("input_audio_buffer.append", {"audio": None}, "invalid_type", "audio"),
        ("input_audio_buffer.append", {"audio": ""}, "invalid_value", "audio"),
        ("input_audio_buffer.append", {"audio": "ü"}, "invalid_value", "audio"),
        ("conversation.item.retrieve", {}, "missing_required_parameter", "item_id"),
        ("conversation.item.retrieve", {"item_id": "item_x"}, "item_retrieve_invalid_item_id", None),
        ("conversation.item.delete", {"item_id": 3}, "invalid_type", "item_id"),
        ("conversation.item.truncate", {"item_id": "x"}, "missing_required_parameter", "content_index"),
        ("conversation.item.create", {"item": said({"type": "input_text", "text": "x"}), "previous_item_id": "no"},
         "item_not_found", "previous_item_id"),
        ("response.cancel", {"response_id": 1}, "invalid_type", "response_id"),
        ("session.update", {}, "missing_required_parameter", "session"),
    ],
)  # fmt: skip
def test_an_event_is_refused(kind: str, fields: Json, code: str, param: str | None) -> None:
    assert refusal(kind, **fields)[:2] == (code, param)


def test_the_beta_wire_wants_both_modalities_and_names_the_two_ways() -> None:
    driver = Driver(settings=ProviderSettings(dialect="beta"))
    driver.run(0.1)
    refused = error(driver.send("session.update", session={"modalities": ["audio"]}))
    assert refused["message"] == (
        "Invalid modalities: ['audio']. Supported combinations are: ['text'] and ['audio', 'text']."
    )
    assert types(driver.send("session.update", session={"modalities": ["text", "audio"]})) == ["session.updated"]


# --- items ------------------------------------------------------------------------------------------------------------


def test_a_retrieved_item_has_the_audio_that_the_client_spoke() -> None:
    driver = Driver()
    driver.configure(detection=None)
    spoken = silence(200)
    driver.send("input_audio_buffer.append", audio=encode(spoken, "audio/pcm"))
    item_id = only(driver.send("input_audio_buffer.commit"), "input_audio_buffer.committed")["item_id"]
    found = only(driver.send("conversation.item.retrieve", item_id=item_id), "conversation.item.retrieved")["item"]
    assert found["content"][0]["audio"] == encode(spoken, "audio/pcm")


def test_spoken_history_of_the_client_is_kept_with_its_audio() -> None:
    driver = Driver()
    driver.configure()
    part = {"type": "input_audio", "audio": encode(silence(100), "audio/pcm"), "transcript": "Hello."}
    text = {"type": "input_text", "text": "Can you hear me?"}
    added = only(driver.send("conversation.item.create", item=said(part, text)), "conversation.item.added")["item"]
    assert added["content"] == [{"type": "input_audio", "transcript": "Hello."}, text], "without the audio"
    found = only(driver.send("conversation.item.retrieve", item_id=added["id"]), "conversation.item.retrieved")["item"]
    assert found["content"] == [part, text]


def test_the_beta_wire_has_its_own_word_for_an_assistants_text() -> None:
    driver = Driver(settings=ProviderSettings(dialect="beta"))
    driver.run(0.1)
    item = said({"type": "text", "text": "Hello."}, role="assistant")
    created = only(driver.send("conversation.item.create", item=item), "conversation.item.created")["item"]
    assert created["content"] == [{"type": "text", "text": "Hello."}]


def test_of_an_answer_the_first_part_alone_can_be_truncated() -> None:
    driver = Driver()
    driver.configure()
    driver.send("response.create")
    item_id = only(driver.run(3), "response.output_item.done")["item"]["id"]
    cut = {"item_id": item_id, "content_index": 1, "audio_end_ms": 0}
    assert error(driver.send("conversation.item.truncate", **cut))["param"] == "content_index"


def test_a_retrieved_answer_has_the_audio_up_to_its_truncation() -> None:
    driver = Driver()
    driver.configure()
    driver.send("response.create")
    item_id = only(driver.run(3), "response.output_item.done")["item"]["id"]
    cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": 100}
    only(driver.send("conversation.item.truncate", **cut), "conversation.item.truncated")
    found = only(driver.send("conversation.item.retrieve", item_id=item_id), "conversation.item.retrieved")["item"]
    assert len(found["content"][0]["audio"]) * 3 // 4 == 4800


def test_only_the_last_items_keep_their_audio() -> None:
    driver = Driver()
    driver.configure(detection=None)
    for _ in range(9):
        driver.send("input_audio_buffer.append", audio=encode(silence(100), "audio/pcm"))
        driver.send("input_audio_buffer.commit")
    ids = [event["item_id"] for event in every(driver.events(), "input_audio_buffer.committed")]
    parts = [only(driver.send("conversation.item.retrieve", item_id=each), "conversation.item.retrieved")["item"]
             ["content"][0] for each in ids]  # fmt: skip
    assert ["audio" in part for part in parts] == [False] + [True] * 8


@pytest.mark.parametrize(("tolerance_ms", "refused"), [(0, True), (85, False)])
def test_how_far_past_its_end_an_answer_may_be_truncated_is_a_setting(tolerance_ms: int, refused: bool) -> None:
    driver = Driver(f"truncation_tolerance_ms: {tolerance_ms}")
    driver.configure()
    driver.send("response.create")
    events = driver.run(3)
    item_id = only(events, "response.output_item.done")["item"]["id"]
    audio = sum(len(event["delta"]) * 3 // 4 for event in every(events, "response.output_audio.delta"))
    answer = driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=audio // 48 - 1)
    assert types(answer) == (["error"] if refused else ["conversation.item.truncated"])


def test_the_skew_of_a_scenario_stands_in_for_the_settings() -> None:
    driver = Driver("skew_ms: 0")
    driver.configure()
    driver.send("response.create")
    events = driver.run(3)
    item_id = only(events, "response.output_item.done")["item"]["id"]
    audio = sum(len(event["delta"]) * 3 // 4 for event in every(events, "response.output_audio.delta"))
    answer = driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=audio // 48 - 1)
    assert types(answer) == ["conversation.item.truncated"]
