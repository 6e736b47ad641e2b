"""Effects to wire events of GPT-Live, wire text to decoded events; whatever comes in, nothing is raised."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.live import ClientEvent
from pydantic import TypeAdapter

from adapters.audio.formats import PCMU
from adapters.providers.live.protocol import (
    ANSWER_NOW,
    ENCODERS,
    MOST_CONTENT_CHARS,
    append_event,
    decode,
    encode,
    encode_history,
    note_of,
    usage_of,
)
from adapters.providers.live.reader import LiveReader
from adapters.providers.live.session import MOST_INPUT, LiveSettings, LiveSettingsError, session_object
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    AudioDelta,
    CallerSaid,
    DecodeFailure,
    EncodingError,
    HistoryItem,
    HistoryMessage,
    HistoryToolCall,
    ProviderComplained,
    ProviderUsage,
    SessionBegan,
    WireEvent,
    WireNote,
)
from fsm.machine.wire import read_wire
from tests.fsm.bundle import machine
from tools import sequences

CLIENT_EVENT: TypeAdapter[object] = TypeAdapter(ClientEvent)
TOOL = {"type": "function", "name": "look_up", "description": "Looks up.", "parameters": {"type": "object"}}
SETTINGS = LiveSettings(
    model="gpt-live-1",
    instructions="Be brief.",
    voice="marin",
    delegates="responses",
    delegate_model="gpt-5",
    tools=[TOOL],
)
SEQUENCE = Path(__file__).parents[3] / "sequences" / "live_openai_client_delegation.yaml"

ENCODED: list[tuple[str, Mapping[str, object], WireEvent]] = [
    (
        "request_speech",
        {"event_id": "e1", "cause": "greeting", "instructions": None, "added": "Hello."},
        {"type": "session.commentary.append", "content": "Hello.", "delegation_id": None},
    ),
    (
        "request_speech",
        {"event_id": "e1", "cause": "say", "instructions": "The order is here.", "added": None},
        {"type": "session.commentary.append", "content": "The order is here.", "delegation_id": None},
    ),
    (
        "request_speech",
        {"event_id": "e1", "cause": "turn", "instructions": None, "added": None},
        {"type": "session.instructions.append", "content": ANSWER_NOW, "delegation_id": None},
    ),
    (
        "request_speech",
        {"event_id": "e1", "cause": "ask", "instructions": None, "added": "Ask whether anybody is there."},
        {"type": "session.instructions.append", "content": "Ask whether anybody is there.", "delegation_id": None},
    ),
    (
        "send_digits",
        {"event_id": "e1", "digits": "12#"},
        {
            "type": "session.instructions.append",
            "content": "The caller pressed 12# on the telephone keypad.",
            "delegation_id": None,
        },
    ),
    (
        "tell_failure",
        {"event_id": "e1", "text": "busy"},
        {"type": "session.thinking.append", "content": "busy", "delegation_id": None},
    ),
    (
        "tell_answer",
        {"event_id": "e1", "delegation_id": "item_1", "text": "At the door."},
        {"type": "session.commentary.append", "content": "At the door.", "delegation_id": "item_1"},
    ),
    (
        "send_tool_output",
        {"event_id": "e1", "call_id": "call_1", "output": "{}"},
        {
            "type": "response.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
        },
    ),
    ("continue_delegation", {"event_id": "e1"}, {"type": "response.create"}),
]


@pytest.mark.parametrize(("effect", "args", "expected"), ENCODED)
def test_an_effect_is_one_event_of_the_protocol(effect: str, args: Mapping[str, object], expected: WireEvent) -> None:
    event = encode(effect, args, SETTINGS)
    assert event == {**expected, "event_id": "e1"}
    CLIENT_EVENT.validate_python(event)


def test_every_effect_has_its_example_here() -> None:
    assert {effect for effect, _, _ in ENCODED} | {"start_session", "tell_no_answer"} == set(ENCODERS)


@pytest.mark.parametrize("delegates", ["responses", "client"])
def test_a_session_is_started_in_the_form_of_the_protocol(delegates: Any) -> None:
    tools = [TOOL] if delegates == "responses" else []
    settings = LiveSettings(model="gpt-live-1", delegates=delegates, tools=tools, delegate_model="gpt-5")
    event = encode("start_session", {"event_id": "e1"}, settings)
    CLIENT_EVENT.validate_python(event)
    session = event["session"]
    assert isinstance(session, dict)
    assert session["audio"] == {"format": {"type": "audio/pcmu", "rate": 8000}}
    assert session["delegation"]["type"] == delegates
    assert "input" not in session


def test_why_work_is_not_done_is_told_to_its_delegation() -> None:
    event = encode("tell_no_answer", {"event_id": "e1", "delegation_id": "item_1", "text": "overdue"}, SETTINGS)
    assert (event["type"], event["delegation_id"]) == ("session.instructions.append", "item_1")
    assert "in time" in str(event["content"])


def test_what_is_appended_is_never_longer_than_may_be() -> None:
    event = encode("tell_failure", {"event_id": "e1", "text": "x" * 10_000}, SETTINGS)
    assert len(str(event["content"])) == MOST_CONTENT_CHARS


@pytest.mark.parametrize(
    ("effect", "args", "guilty"),
    [
        ("send_tool_output", {"event_id": "e1", "call_id": 7, "output": ""}, "send_tool_output.call_id"),
        ("tell_failure", {"event_id": "e1"}, "tell_failure.text"),
        ("create_response", {"event_id": "e1"}, "create_response"),
    ],
)
def test_what_cannot_be_encoded_is_named(effect: str, args: Mapping[str, object], guilty: str) -> None:
    with pytest.raises(EncodingError, match=guilty):
        encode(effect, args, SETTINGS)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"model": ""}, "model"),
        ({"model": "m", "format": "opus"}, "format"),
        ({"model": "m", "delegates": "client", "tools": [TOOL]}, "tools"),
        ({"model": "m", "delegates": "responses"}, "delegation"),
        ({"model": "m", "extra": {"audio": {}}}, "extra"),
        ({"model": "m", "instructions": "x" * 70_000}, "instructions"),
    ],
)
def test_settings_that_no_session_can_be_started_with_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(LiveSettingsError, match=f"^{field}: "):
        LiveSettings(**wrong)


def test_history_is_what_the_next_session_is_started_with() -> None:
    items: list[HistoryItem] = [
        HistoryMessage("user", "Where is my order?"),
        HistoryToolCall("call_1", "look_up", '{"n":1}', "at the door"),
        HistoryMessage("assistant", "At the door."),
    ]
    (event,) = encode_history(items, SETTINGS)
    CLIENT_EVENT.validate_python(event)
    session = event["session"]
    assert isinstance(session, dict)
    assert [message["role"] for message in session["input"]] == ["user", "developer", "assistant"]
    assert session["input"][1]["content"][0]["text"] == 'The tool look_up({"n":1}) returned: at the door'
    assert session["instructions"] == "Be brief."


def test_history_keeps_to_the_limits_and_loses_its_oldest() -> None:
    (event,) = encode_history([HistoryMessage("user", f"{n}") for n in range(200)], SETTINGS)
    session = event["session"]
    assert isinstance(session, dict)
    assert len(session["input"]) == MOST_INPUT
    assert session["input"][-1]["content"][0]["text"] == "199"
    (event,) = encode_history([HistoryMessage("user", "x" * 9_000), HistoryMessage("user", "y" * 9_000)], SETTINGS)
    assert [m["content"][0]["text"][0] for m in event["session"]["input"]] == ["y"]  # type: ignore[index]
    assert "input" not in session_object(SETTINGS)


def test_audio_goes_up_as_base64() -> None:
    event = json.loads(append_event(b"\x00\xff\x10\x20"))
    CLIENT_EVENT.validate_python(event)
    assert base64.b64decode(event["audio"]) == b"\x00\xff\x10\x20"


def test_an_error_about_an_effect_of_ours_is_known_for_that() -> None:
    error = {"type": "invalid_request_error", "code": "x", "message": "no", "client_event_id": "ts_start_session_1"}
    decoded = decode(orjson.dumps({"type": "error", "error": error}))
    assert isinstance(decoded, dict)
    (fact,) = read_wire(machine("full_duplex").spec.vocabulary, decoded)
    assert fact.name == "session.start_rejected"
    assert note_of(decoded) == ProviderComplained("x", "no")


def test_a_session_says_when_it_ends_and_is_as_we_asked() -> None:
    began = note_of({"type": "session.started", "session": {"expires_at": 1791373550}})
    assert began == SessionBegan(1791373550.0, is_confirmed=True)
    assert note_of({"type": "session.started", "session": {"expires_at": True}}) == SessionBegan(
        None, is_confirmed=True
    )


@pytest.mark.parametrize(
    ("event", "usage"),
    [
        ({"type": "session.usage.updated", "usage": {"seconds": 15}}, ProviderUsage(15.0, {})),
        ({"type": "session.closed", "reason": "expired", "usage": {"seconds": 7.25}}, ProviderUsage(7.25, {})),
        ({"type": "session.closed", "usage": {"seconds": True}}, None),
        ({"type": "session.closed", "usage": {"seconds": -1}}, None),
        ({"type": "session.closed"}, None),
        (
            {"type": "response.event", "event": {"response": {"usage": {"input_tokens": 3, "output_tokens": "?"}}}},
            ProviderUsage(None, {"input_tokens": 3}),
        ),
        ({"type": "response.event", "event": None}, None),
        ({"type": "session.started", "usage": {"seconds": 3}}, None),
    ],
)
def test_what_a_session_has_cost(event: dict[str, Any], usage: ProviderUsage | None) -> None:
    assert usage_of(event) == usage


def test_the_words_of_a_turn_grow_together_and_go_along_with_what_is_delegated() -> None:
    reader = LiveReader(PCMU)

    def read(event: dict[str, object]) -> dict[str, object]:
        (found,) = reader.heard(orjson.dumps(event), 0.0)
        assert isinstance(found, dict)
        return found

    read({"type": "session.started", "session": {"id": "live_7"}})
    read({"type": "session.input_transcript.delta", "delta": "Where is"})
    said = read({"type": "session.input_transcript.delta", "delta": " it?"})
    assert note_of(said) == CallerSaid("live_7_turn_1", "Where is it?")
    delegated = read({"type": "session.delegation.created", "delegation": {"id": "item_1", "target": "client"}})
    assert delegated["said"] == "Where is it?"
    (fact,) = read_wire(machine("full_duplex").spec.vocabulary, delegated)
    assert fact.data == {"delegation_id": "item_1", "target": "client", "said": "Where is it?"}


def test_words_belong_to_the_utterance_whose_sound_comes_a_little_later() -> None:
    reader = LiveReader(PCMU)
    loud, silence = bytes(range(256)) * 4, b"\xff" * 4000

    def words(text: str, start_ms: int) -> WireNote | None:
        times = {"start_ms": start_ms, "end_ms": start_ms + 200}
        event = {"type": "session.output_transcript.delta", "delta": text, **times}
        (found,) = reader.heard(orjson.dumps(event), 0.0)
        assert isinstance(found, dict)
        return note_of(found)

    def hear(sound: bytes) -> None:
        event = {"type": "session.output_audio.delta", "delta": base64.b64encode(sound).decode()}
        assert list(reader.heard(orjson.dumps(event), 0.0)) or sound == silence

    one, two = AgentPiece("speech_1", 0), AgentPiece("speech_2", 0)
    assert words(" Hello!", 800) == AgentSaid(one, " Hello!", is_all=False)
    hear(loud)
    assert words(" How can", 1000) == AgentSaid(one, " How can", is_all=False)
    hear(silence)
    assert words(" I help?", 1200) == AgentSaid(one, " I help?", is_all=False), "it lags behind its sound"
    assert words(" Order", 6000) == AgentSaid(two, " Order", is_all=False)
    assert words(" forty", 6200) == AgentSaid(two, " forty", is_all=False)
    hear(loud)
    assert words(" two.", 6400) == AgentSaid(two, " two.", is_all=False)


@pytest.mark.parametrize("times", [{}, {"start_ms": "soon", "end_ms": None}, {"start_ms": True, "end_ms": 1e400}])
def test_words_without_a_time_belong_to_what_was_heard_last(times: dict[str, object]) -> None:
    reader = LiveReader(PCMU)
    for text in (" a", " b"):
        event = {"type": "session.output_transcript.delta", "delta": text, **times}
        (found,) = reader.heard(json.dumps(event).encode(), 0.0)
        assert isinstance(found, DecodeFailure) or note_of(found) == AgentSaid(  # type: ignore[arg-type]
            AgentPiece("speech_1", 0), text, is_all=False
        )


# --- whatever comes in ------------------------------------------------------------------------------------------------

RECORDED = [orjson.dumps(row["event"]) for row in sequences.expanded(sequences.read(SEQUENCE))]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
)


def consume(messages: list[bytes]) -> None:
    """As a connection would: nothing is raised, and what comes out is of the known kinds."""
    reader, vocabulary = LiveReader(PCMU), machine("full_duplex").spec.vocabulary
    for number, message in enumerate(messages):
        for decoded in reader.heard(message, number / 10):
            assert isinstance(decoded, dict | AudioDelta | DecodeFailure)
            if isinstance(decoded, dict):
                note_of(decoded)
                read_wire(vocabulary, decoded)


def test_the_recording_is_read_without_a_failure() -> None:
    vocabulary = machine("full_duplex").spec.vocabulary
    reader = LiveReader(PCMU)
    for message in RECORDED:
        for decoded in reader.heard(message, 0.0):
            assert not isinstance(decoded, DecodeFailure)
            if isinstance(decoded, dict):
                kind = str(decoded["type"])
                assert kind in vocabulary.wire or kind in vocabulary.noise


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_recording_raises_nothing(data: st.DataObject) -> None:
    messages = []
    for message in RECORDED:
        kind = data.draw(st.sampled_from(["whole", "whole", "cut", "bytes", "field", "twice", "gone"]))
        if kind == "cut":
            message = message[: data.draw(st.integers(0, len(message)))]
        elif kind == "bytes":
            at = data.draw(st.integers(0, len(message) - 1))
            message = message[:at] + data.draw(st.binary(max_size=4)) + message[at + 1 :]
        elif kind == "field":
            event = orjson.loads(message)
            event[data.draw(st.sampled_from(sorted(event)))] = data.draw(JSON)
            message = json.dumps(event).encode()
        messages += [message] * {"twice": 2, "gone": 0}.get(kind, 1)
    consume(messages)


@given(st.binary() | st.text().map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_raises_nothing(message: bytes) -> None:
    consume([message])
    assert isinstance(decode(message, binary=True), DecodeFailure)
