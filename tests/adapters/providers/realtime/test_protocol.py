"""Effects to wire events, wire text to decoded events; whatever comes in, nothing is raised."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from adapters.providers.json_wire import wire_text
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    AudioDelta,
    AudioGenerated,
    CallerSaid,
    CallerStarted,
    DecodeFailure,
    EncodingError,
    HistoryItem,
    HistoryMessage,
    HistoryToolCall,
    ItemCompleted,
    ResponseGenerated,
    ResponseStarted,
    SessionBegan,
    TurnAccepted,
    WireEvent,
    WireNote,
)
from adapters.providers.realtime.protocol import (
    AUDIO_DELTAS,
    ENCODERS,
    append_event,
    decode,
    encode,
    encode_history,
    note_of,
)
from adapters.providers.realtime.realtime_server import BETA, GA, Dialect
from adapters.providers.realtime.session import SessionSettings
from tests.adapters.providers.realtime.test_session import FULL

CLIENT_EVENT: TypeAdapter[object] = TypeAdapter(RealtimeClientEvent)
BARE = SessionSettings(model="m")

ENCODED: list[tuple[str, Mapping[str, object], WireEvent]] = [
    (
        "create_response",
        {"event_id": "e1", "cause": "turn", "instructions": None},
        {"type": "response.create", "response": {"metadata": {"turnspec": "e1"}}},
    ),
    (
        "create_response",
        {"event_id": "e1", "cause": "greeting", "instructions": "Greet."},
        {"type": "response.create", "response": {"metadata": {"turnspec": "e1"}, "instructions": "Greet."}},
    ),
    (
        "cancel_response",
        {"event_id": "e1", "response_id": "resp_1"},
        {"type": "response.cancel", "response_id": "resp_1"},
    ),
    (
        "truncate_item",
        {"event_id": "e1", "item_id": "item_1", "content_index": 0, "audio_end_ms": 1250},
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 1250},
    ),
    (
        "send_tool_output",
        {"event_id": "e1", "call_id": "call_1", "output": '{"ok":true}'},
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": '{"ok":true}'},
        },
    ),
    (
        "tell_failure",
        {"event_id": "e1", "item_id": "e1", "text": "busy"},
        {
            "type": "conversation.item.create",
            "item": {
                "id": "e1",
                "type": "message",
                "role": "system",
                "content": [{"type": "input_text", "text": "busy"}],
            },
        },
    ),
    (
        "tell_tool_output",
        {"event_id": "e1", "item_id": "e1", "call_id": "call_1", "output": "sunny"},
        {
            "type": "conversation.item.create",
            "item": {
                "id": "e1",
                "type": "message",
                "role": "system",
                "content": [{"type": "input_text", "text": "The tool call call_1 returned: sunny"}],
            },
        },
    ),
    (
        "send_digits",
        {"event_id": "e1", "item_id": "e1", "digits": "12#"},
        {
            "type": "conversation.item.create",
            "item": {
                "id": "e1",
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "The caller pressed 12# on the telephone keypad."}],
            },
        },
    ),
    ("commit_audio", {"event_id": "e1"}, {"type": "input_audio_buffer.commit"}),
    ("clear_audio", {"event_id": "e1"}, {"type": "input_audio_buffer.clear"}),
]


def dumped(event: object) -> object:
    """What the SDK's type makes of an event, less what was not given: nothing may be lost or changed on the way."""
    return CLIENT_EVENT.dump_python(CLIENT_EVENT.validate_python(event), exclude_unset=True, by_alias=True)


@pytest.mark.parametrize(("effect", "args", "wire"), ENCODED, ids=lambda value: value if isinstance(value, str) else "")
def test_each_effect_is_one_event_with_its_id(effect: str, args: Mapping[str, object], wire: WireEvent) -> None:
    expected = {**wire, "event_id": "e1"}
    assert encode(effect, args, BARE, GA) == expected
    assert encode(effect, args, BARE, BETA) == expected
    assert dumped(expected) == expected


@pytest.mark.parametrize("settings", [BARE, FULL, SessionSettings(model="m", turn_detection=None, tools=())])
def test_the_session_update_is_one_the_sdk_knows(settings: SessionSettings) -> None:
    event = encode("update_session", {"event_id": "e0"}, settings, GA)
    assert event["event_id"] == "e0" and event["type"] == "session.update"
    assert dumped(event) == event
    beta = encode("update_session", {"event_id": "e0"}, settings, BETA)["session"]
    assert isinstance(beta, dict) and "type" not in beta and "modalities" in beta


@pytest.mark.parametrize(
    ("dialect", "kept"),
    [("ga", {"type": "realtime", "instructions": FULL.instructions}), ("beta", {"instructions": FULL.instructions})],
)
def test_a_probe_says_only_what_may_be_said_again_at_any_time(dialect: Dialect, kept: dict[str, str]) -> None:
    event = encode("probe_session", {"event_id": "e1"}, FULL, GA if dialect == "ga" else BETA)
    assert event == {"type": "session.update", "session": kept, "event_id": "e1"}


def test_every_encoder_is_tested() -> None:
    assert {effect for effect, _, _ in ENCODED} | {"update_session", "probe_session"} == set(ENCODERS)


@pytest.mark.parametrize(
    ("effect", "args", "message"),
    [
        ("sing", {"event_id": "e"}, "sing: not an effect"),
        ("commit_audio", {}, "commit_audio.event_id: expected text, got NoneType"),
        ("cancel_response", {"event_id": "e", "response_id": None}, "cancel_response.response_id: expected text"),
        (
            "create_response",
            {"event_id": "e", "instructions": 3},
            "create_response.instructions: expected text, got int",
        ),
        (
            "truncate_item",
            {"event_id": "e", "item_id": "i", "content_index": 0, "audio_end_ms": -1},
            "audio_end_ms: .*-1",
        ),
        ("truncate_item", {"event_id": "e", "item_id": "i", "content_index": 0, "audio_end_ms": 1.5}, "audio_end_ms"),
        ("truncate_item", {"event_id": "e", "item_id": "i", "content_index": True, "audio_end_ms": 1}, "content_index"),
    ],
)
def test_what_cannot_be_encoded_names_the_guilty_argument(effect: str, args: dict[str, object], message: str) -> None:
    with pytest.raises(EncodingError, match=message):
        encode(effect, args, BARE, GA)


@pytest.mark.parametrize(("dialect", "assistant"), [("ga", "output_text"), ("beta", "text")])
def test_history_is_restored_in_order(dialect: str, assistant: str) -> None:
    assert dialect in ("ga", "beta")
    history: list[HistoryItem] = [
        HistoryMessage("user", "Weather?"),
        HistoryToolCall("call_1", "get_weather", '{"city":"Rome"}', "sunny"),
        HistoryMessage("assistant", "Sunny."),
    ]
    events = encode_history(history, "ga" if dialect == "ga" else "beta", "r7")
    assert [event["event_id"] for event in events] == ["r7.0", "r7.1", "r7.2", "r7.3"]
    assert [event["item"] for event in events] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Rome"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {"type": "message", "role": "assistant", "content": [{"type": assistant, "text": "Sunny."}]},
    ]
    if dialect == "ga":
        assert [dumped(event) for event in events] == events


@given(st.binary(max_size=2000))
def test_the_append_event_is_json_that_holds_the_audio(payload: bytes) -> None:
    event = json.loads(append_event(payload))
    assert base64.b64decode(event.pop("audio"), validate=True) == payload
    assert event == {"type": "input_audio_buffer.append"}


def test_control_text_survives_what_a_tool_may_answer() -> None:
    assert wire_text({"a": "grüß"}) == '{"a":"grüß"}'.encode()
    assert json.loads(wire_text({"output": "half \ud83d a pair", "big": 2**70})) == {
        "output": "half ? a pair",
        "big": 2**70,
    }


# --- in


def delta(**changes: object) -> bytes:
    event: dict[str, object] = {
        "type": "response.output_audio.delta",
        "event_id": "event_1",
        "response_id": "resp_1",
        "item_id": "item_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "AAEC",
    }
    event.update(changes)
    return json.dumps({key: value for key, value in event.items() if value is not ...}).encode()


@pytest.mark.parametrize("kind", sorted(AUDIO_DELTAS))
def test_audio_deltas_of_both_dialects(kind: str) -> None:
    expected = AudioDelta("resp_1", "item_1", 0, b"\x00\x01\x02")
    assert decode(delta(type=kind)) == expected
    assert decode(delta(type=kind).decode()) == expected
    assert decode(memoryview(delta(type=kind))) == expected


def test_a_missing_content_index_is_the_first() -> None:
    assert decode(delta(content_index=...)) == AudioDelta("resp_1", "item_1", 0, b"\x00\x01\x02")


@pytest.mark.parametrize(
    "changes",
    [
        {"delta": {"audio": "AAEC"}},
        {"delta": None},
        {"delta": ...},
        {"delta": "AAE"},
        {"delta": "AA=C"},
        {"delta": "A A E C"},
        {"delta": "ÄÄÄÄ"},
        {"response_id": ...},
        {"response_id": 7},
        {"item_id": None},
        {"content_index": "0"},
        {"content_index": -1},
        {"content_index": True},
        {"content_index": None},
    ],
    ids=str,
)
def test_a_delta_that_is_none_is_a_problem(changes: dict[str, object]) -> None:
    problem = decode(delta(**changes))
    assert isinstance(problem, DecodeFailure) and problem.kind == "bad_audio_delta"
    assert "AAEC" not in problem.detail


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b'{"type":"a"} trailing', "malformed_json"),
        (b'{"type":"\xff"}', "malformed_json"),
        (b'{"type":"\\ud800"}', "malformed_json"),
        ('{"type":"\ud800"}', "malformed_json"),
        (b'{"type":NaN}', "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"null", "not_an_object"),
        (b"[]", "not_an_object"),
        (b'"type"', "not_an_object"),
        (b"{}", "no_type"),
        (b'{"type":null}', "no_type"),
        (b'{"type":""}', "no_type"),
        (b'{"type":["error"]}', "no_type"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_what_cannot_be_read_is_a_typed_problem(text: bytes | str, kind: str) -> None:
    problem = decode(text)
    assert isinstance(problem, DecodeFailure) and problem.kind == kind and problem.size_bytes == len(text)


def test_a_binary_frame_is_a_problem_whatever_it_holds() -> None:
    assert decode(delta(), binary=True) == DecodeFailure(
        "binary_frame", "the wire is JSON in text frames", len(delta())
    )


def test_unknown_events_and_fields_pass() -> None:
    event = {"type": "response.sung", "event_id": "e", "obfuscation": "xx", "deep": [{"a": None}]}
    assert decode(json.dumps(event)) == event


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_no_message_raises(payload: bytes | str) -> None:
    assert isinstance(decode(payload), (dict, AudioDelta, DecodeFailure))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WIRE_KEYS = st.sampled_from(["type", "response_id", "item_id", "content_index", "delta", "error", "response", "other"])
WIRE_VALUES = st.sampled_from([*sorted(AUDIO_DELTAS), "error", "response.done", "AAEC", 0]) | JSON_VALUES


@given(st.dictionaries(WIRE_KEYS, WIRE_VALUES, max_size=8))
def test_no_object_raises_and_none_is_changed(event: dict[str, object]) -> None:
    text = orjson.dumps(event)
    decoded = decode(text)
    if isinstance(decoded, dict):
        assert decoded == orjson.loads(text) and decoded["type"] not in AUDIO_DELTAS
    else:
        assert isinstance(decoded, (AudioDelta, DecodeFailure))


# --- what an event carries besides its meaning for a turn -------------------------------------------------------------

NOTES: dict[str, tuple[WireEvent, WireNote | None]] = {
    "a session": ({"type": "session.created", "session": {"expires_at": 1_790_003_600}}, SessionBegan(1_790_003_600.0)),
    "a session without an end": ({"type": "session.created", "session": {"expires_at": "?"}}, SessionBegan(None)),
    "a turn": ({"type": "input_audio_buffer.speech_started", "item_id": "u1"}, CallerStarted()),
    "a commit": ({"type": "input_audio_buffer.committed", "item_id": "u1"}, TurnAccepted("u1")),
    "a commit of nothing": ({"type": "input_audio_buffer.committed", "item_id": ["u1"]}, TurnAccepted("")),
    "the caller's words": (
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1", "transcript": " Hi. "},
        CallerSaid("u1", "Hi."),
    ),
    "no words": (
        {"type": "conversation.item.input_audio_transcription.completed", "transcript": " "},
        CallerSaid("", ""),
    ),
    "words that are none": (
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": {}, "transcript": ["Hi"]},
        None,
    ),
    "the agent's words": (
        {"type": "response.output_audio_transcript.done", "item_id": "i1", "content_index": 1, "transcript": "Yes."},
        AgentSaid(AgentPiece("i1", 1), "Yes.", is_all=True),
    ),
    "the agent's words in beta": (
        {"type": "response.audio_transcript.done", "transcript": "Yes."},
        AgentSaid(AgentPiece("", 0), "Yes.", is_all=True),
    ),
    "the agent's text": (
        {"type": "response.output_text.done", "text": "Yes."},
        AgentSaid(AgentPiece("", 0), "Yes.", is_all=True),
    ),
    "a part of them": (
        {"type": "response.output_audio_transcript.delta", "item_id": "i1", "delta": " Ye"},
        AgentSaid(AgentPiece("i1", 0), " Ye", is_all=False),
    ),
    "a part of nothing": ({"type": "response.output_audio_transcript.delta", "item_id": "i1", "delta": []}, None),
    "a response": ({"type": "response.created", "response": {"id": "r1"}}, ResponseStarted("r1")),
    "a response without a name": ({"type": "response.created", "response": ["r1"]}, ResponseStarted("")),
    "its end": (
        {"type": "response.done", "response": {"id": "r1", "status": "completed"}},
        ResponseGenerated("r1", is_whole=True),
    ),
    "its cancellation": (
        {"type": "response.done", "response": {"id": "r1", "status": "cancelled"}},
        ResponseGenerated("r1", is_whole=False),
    ),
    "an end of nothing": ({"type": "response.done", "response": "r1"}, ResponseGenerated("", is_whole=False)),
    "an item": (
        {"type": "response.output_item.done", "item": {"id": "i1", "status": "completed"}},
        ItemCompleted("i1"),
    ),
    "an item that was cut": ({"type": "response.output_item.done", "item": {"id": "i1", "status": "incomplete"}}, None),
    "the end of audio": (
        {"type": "response.output_audio.done", "response_id": "r1", "item_id": "i1", "content_index": 1},
        AudioGenerated("r1", "i1", 1),
    ),
    "the end of some audio": (
        {"type": "response.audio.done", "response_id": "r1", "item_id": [], "content_index": "x"},
        AudioGenerated("r1", "", 0),
    ),
    "something else": ({"type": "rate_limits.updated"}, None),
    "no type": ({"type": ["response.done"]}, None),
}


@pytest.mark.parametrize("what", NOTES)
def test_what_the_call_keeps_of_an_event(what: str) -> None:
    event, note = NOTES[what]
    assert note_of(event) == note


def test_a_history_may_be_told_in_one_message_without_text_of_the_assistant() -> None:
    items: list[HistoryItem] = [
        HistoryMessage("user", "Where is it?"),
        HistoryToolCall("c1", "order_status", '{"n": 1}', "shipped"),
        HistoryMessage("assistant", "On its…"),
    ]
    (event,) = encode_history(items, "ga", "h", "summary")
    assert event["event_id"] == "h.0"
    item = event["item"]
    assert isinstance(item, dict) and item["role"] == "system"
    (content,) = item["content"]
    assert content["type"] == "input_text"
    assert 'Caller: Where is it?\nTool order_status({"n": 1}) returned: shipped\nYou: On its…\n' in content["text"]
    assert encode_history([], "ga", "h", "summary") == []


def test_a_greeting_is_said_as_the_session_was_instructed() -> None:
    """Instructions of a response replace the session's; those of an application are its own."""
    args = {"event_id": "e1", "cause": "greeting", "added": "Greet."}
    kind = SessionSettings(model="m", instructions="Be kind.")
    assert response_of(encode("create_response", args, kind, GA))["instructions"] == "Be kind.\n\nGreet."
    assert response_of(encode("create_response", args, SessionSettings(model="m"), GA))["instructions"] == "Greet."
    said = {"event_id": "e1", "cause": "say", "instructions": "Say no."}
    assert response_of(encode("create_response", said, kind, GA))["instructions"] == "Say no."


def response_of(event: WireEvent) -> dict[str, object]:
    response = event["response"]
    assert isinstance(response, dict)
    return response
