"""The wire of Deepgram's Voice Agent, byte by byte: effects out, messages and audio in, and what no bytes can break."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.deepgram.protocol import ANSWER_NOW, ENCODERS, decode, encode, encode_history, note_of
from adapters.providers.deepgram.provider import AgentProvider, agent_endpoint
from adapters.providers.deepgram.reader import GATE_S, AgentReader
from adapters.providers.deepgram.session import DeepgramSettings, DeepgramSettingsError, settings_message
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
)
from fsm.machine.wire import read_wire
from tests.fsm.bundle import machine

TOOL = {"type": "function", "name": "look_up", "description": "Looks up.", "parameters": {"type": "object"}}
SETTINGS = DeepgramSettings(model="gpt-4o-mini", instructions="Be kind.", voice="aura-2-thalia-en", tools=[TOOL])
ENCODED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("start_session", {}, settings_message(SETTINGS)),
    (
        "request_speech",
        {"cause": "greeting", "instructions": None, "added": "Hello."},
        {"type": "InjectAgentMessage", "message": "Hello.", "behavior": "queue"},
    ),
    (
        "request_speech",
        {"cause": "say", "instructions": "It is here.", "added": None},
        {"type": "InjectAgentMessage", "message": "It is here.", "behavior": "queue"},
    ),
    (
        "request_speech",
        {"cause": "turn", "instructions": None, "added": None},
        {"type": "InjectUserMessage", "content": ANSWER_NOW},
    ),
    (
        "send_digits",
        {"digits": "12#"},
        {"type": "InjectUserMessage", "content": "I have pressed 12# on the telephone keypad."},
    ),
    (
        "tell_failure",
        {"text": "Nobody answers."},
        {"type": "InjectUserMessage", "content": "Nobody answers. Tell me so, and ask whether you should try again."},
    ),
    (
        "send_tool_output",
        {"call_id": "c1", "name": "look_up", "output": "{}"},
        {"type": "FunctionCallResponse", "id": "c1", "name": "look_up", "content": "{}"},
    ),
]


@pytest.mark.parametrize(("effect", "args", "expected"), ENCODED)
def test_an_effect_is_one_message(effect: str, args: Mapping[str, object], expected: dict[str, Any]) -> None:
    assert encode(effect, args, SETTINGS) == expected


def test_every_effect_has_its_example_and_what_is_wrong_is_named() -> None:
    assert {effect for effect, _, _ in ENCODED} == set(ENCODERS)
    with pytest.raises(EncodingError, match=r"send_digits\.digits: expected text, got int"):
        encode("send_digits", {"digits": 1}, SETTINGS)
    with pytest.raises(EncodingError, match="create_response: not an effect"):
        encode("create_response", {}, SETTINGS)


def test_settings_state_all_of_the_formats_and_what_waits_for_the_end_of_a_turn() -> None:
    made = DeepgramSettings(
        model="m", tools=[TOOL], deferred=frozenset({"look_up"}), extra={"agent": {"language": "en"}}
    )
    message: Any = settings_message(made)
    assert message["audio"]["input"] == {"encoding": "mulaw", "sample_rate": 8000}
    assert message["audio"]["output"] == {"encoding": "mulaw", "sample_rate": 8000, "container": "none"}
    assert message["agent"]["think"]["functions"][0]["defer_until_eot"] is True
    assert "type" not in message["agent"]["think"]["functions"][0]
    assert (message["agent"]["language"], "speak" in message["agent"]) == ("en", False)
    with pytest.raises(DeepgramSettingsError, match="format: 'x' is not one of pcmu, pcma, pcm16"):
        DeepgramSettings(model="m", format="x")
    for wrong in ({"model": ""}, {"model": "m", "instructions": "x" * 25_001}, {"model": "m", "extra": {"type": 1}}):
        with pytest.raises(DeepgramSettingsError):
            DeepgramSettings(**wrong)


def test_a_session_that_takes_over_is_told_what_was_said_and_called() -> None:
    items: list[HistoryItem] = [HistoryMessage("assistant", "Hello."), HistoryToolCall("c1", "look_up", "{}", "42")]
    (message,) = encode_history(items, SETTINGS)
    agent: Any = message["agent"]
    call = {"id": "c1", "name": "look_up", "client_side": True, "arguments": "{}", "response": "42"}
    assert agent["context"]["messages"] == [
        {"type": "History", "role": "assistant", "content": "Hello."},
        {"type": "History", "function_calls": [call]},
    ]


def test_a_provider_shows_no_key_and_fills_in_words() -> None:
    provider = AgentProvider(
        endpoint=agent_endpoint("secret-key", "ws://127.0.0.1:9/v1/agent/converse"), session=SETTINGS
    )
    assert "secret-key" not in repr(provider)
    assert provider.endpoint.headers == {"Authorization": "Token secret-key"}
    assert provider.with_words(lambda text: text.upper()).session.instructions == "BE KIND."
    assert (provider.audio_in, provider.audio_out) == (provider.audio_out, provider.audio_in)
    assert provider.facts()["format"] == "pcmu"


# --- in ---------------------------------------------------------------------------------------------------------------


def heard(reader: AgentReader, *messages: dict[str, Any] | bytes, at_s: float = 0.0) -> list[Any]:
    found: list[Any] = []
    for each in messages:
        is_audio = isinstance(each, bytes)
        payload = each if isinstance(each, bytes) else json.dumps(each).encode()
        found += reader.heard(payload, at_s, binary=is_audio)
    return found


def kinds(found: list[Any]) -> list[str]:
    return ["audio" if isinstance(each, AudioDelta) else str(each["type"]) for each in found]


def test_an_answer_begins_with_its_audio_and_ends_when_all_was_sent() -> None:
    reader = AgentReader()
    text = {"type": "ConversationText", "role": "assistant", "content": "Hello."}
    found = heard(reader, {"type": "Welcome", "request_id": "r"}, text, b"\xff", b"\xff", {"type": "AgentAudioDone"})
    assert kinds(found) == [
        "Welcome", "ConversationText", "voice.began", "audio", "audio", "AgentAudioDone", "voice.ended",
    ]  # fmt: skip
    assert found[1]["speech_id"] == found[2]["speech_id"] == found[3].response_id == "r_1"
    assert note_of(found[1]) == AgentSaid(AgentPiece("r_1", 0), "Hello. ", is_all=False)


def test_late_audio_is_dropped_until_something_says_that_the_next_answer_begins() -> None:
    reader = AgentReader()
    found = heard(reader, b"a", {"type": "UserStartedSpeaking"}, b"late")
    assert kinds(found) == ["voice.began", "audio", "UserStartedSpeaking", "voice.ended"]
    assert (found[-1]["is_whole"], reader.dropped_bytes) == (False, 4)
    turn = {"type": "ConversationText", "role": "user", "content": "Hi"}
    found = heard(reader, turn, b"new")
    assert kinds(found) == ["turn.accepted", "ConversationText", "voice.began", "audio"]
    assert note_of(found[1]) == CallerSaid("answer_turn_1", "Hi")


def test_the_gate_opens_by_itself_after_a_while() -> None:
    reader = AgentReader()
    heard(reader, {"type": "UserStartedSpeaking"})
    assert heard(reader, b"late", at_s=GATE_S - 0.1) == []
    assert kinds(heard(reader, b"new", at_s=GATE_S)) == ["voice.began", "audio"]


def test_a_message_that_was_put_in_comes_back_and_is_not_the_callers_words() -> None:
    reader = AgentReader()
    assert list(reader.told({"type": "InjectUserMessage", "content": "Go on."})) == [
        b'{"type":"InjectUserMessage","content":"Go on."}'
    ]
    (event,) = heard(reader, {"type": "ConversationText", "role": "user", "content": "Go on."})
    assert note_of(event) is None


def test_calls_that_the_provider_runs_itself_are_not_ours() -> None:
    mine, its = {"id": "a", "name": "f", "arguments": "{}", "client_side": True}, {"id": "b", "client_side": False}
    (event,) = heard(AgentReader(), {"type": "FunctionCallRequest", "functions": [mine, its]})
    facts = read_wire(machine("provider_turns").spec.vocabulary, event)
    assert [(fact.name, fact.data["call_id"]) for fact in facts] == [("tool.called", "a")]


@pytest.mark.parametrize(
    ("code", "fact", "fatal"),
    [
        ("INVALID_SETTINGS", "provider.refused", "INVALID_SETTINGS"),
        ("SERVER_GOING_AWAY", "session.failed", None),
        ("SOMETHING_NEW", "error.unrelated", None),
    ],
)
def test_an_error_is_told_by_its_code(code: str, fact: str, fatal: str | None) -> None:
    reader = AgentReader()
    (event,) = heard(reader, {"type": "Error", "code": code, "message": "why"})
    assert [each.name for each in read_wire(machine("provider_turns").spec.vocabulary, event)] == [fact]
    assert reader.fatal_error(event) == fatal
    assert note_of(event) == ProviderComplained(code, "why", is_fatal=fatal is not None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    ["Welcome", "ConversationText", "FunctionCallRequest", "FunctionCallCancelled", "Error", "Warning"]
)


@given(st.lists(st.binary(max_size=20) | st.builds(lambda kind, rest: {**rest, "type": kind}, KINDS, st.dictionaries(
    st.sampled_from(["role", "content", "functions", "code", "request_id"]), JSON))))  # fmt: skip
def test_anything_raises_nothing(messages: list[Any]) -> None:
    reader, vocabulary = AgentReader(), machine("provider_turns").spec.vocabulary
    for each in heard(reader, *messages):
        if isinstance(each, dict):
            note_of(each)
            read_wire(vocabulary, each)


@given(st.binary())
def test_bytes_that_are_no_message_are_a_value(payload: bytes) -> None:
    assert isinstance(decode(payload), dict | DecodeFailure)
