"""Effects to messages of Gemini Live, settings that no session can be set up with, history, what events carry."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from adapters.audio.formats import PCM_24K
from adapters.providers.endpoint import EndpointError
from adapters.providers.gemini.protocol import (
    ANSWER_NOW,
    ENCODERS,
    GOES_ON,
    MOST_TEXT_CHARS,
    PCM_16K,
    audio_message,
    encode,
    encode_history,
    note_of,
)
from adapters.providers.gemini.provider import GeminiProvider, gemini_endpoint
from adapters.providers.gemini.session import GeminiSettings, GeminiSettingsError, setup_object
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    CallerSaid,
    EncodingError,
    HistoryItem,
    HistoryMessage,
    HistoryToolCall,
    ResponseGenerated,
    ResponseStarted,
    SessionConfirmed,
    WireEvent,
    WireNote,
)

NEW = GeminiSettings(model="gemini-3.8-live", instructions="Be brief.", voice="Kore")
OLD = GeminiSettings(model="gemini-2.5-flash-native-audio-preview")
TOOL = {
    "type": "function",
    "name": "look_up",
    "description": "Looks up.",
    "parameters": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"strict": {"type": "string", "strict": True}, "n": {"anyOf": [{"type": "integer"}]}},
        "required": ["n"],
    },
}


def text_message(text: str) -> WireEvent:
    return {"type": "realtimeInput", "realtimeInput": {"text": text}}


def turn_message(text: str) -> WireEvent:
    turns = [{"role": "user", "parts": [{"text": text}]}]
    return {"type": "clientContent", "clientContent": {"turns": turns, "turnComplete": True}}


GREETING = {"cause": "greeting", "instructions": None, "added": "Hello."}
ENCODED: list[tuple[GeminiSettings, str, Mapping[str, object], WireEvent]] = [
    (
        NEW,
        "request_speech",
        GREETING,
        text_message("The caller has just been connected. Greet the caller: Hello."),
    ),
    (
        OLD,
        "request_speech",
        GREETING,
        turn_message("The caller has just been connected. Greet the caller: Hello."),
    ),
    (
        NEW,
        "request_speech",
        {"cause": "say", "instructions": "It is here.", "added": None},
        text_message("Say this to the caller now, in these words: It is here."),
    ),
    (NEW, "request_speech", {"cause": "turn", "instructions": None}, text_message(ANSWER_NOW)),
    (NEW, "request_speech", {"cause": "ask", "instructions": None, "added": "Ask."}, text_message("Ask.")),
    (NEW, "tell_failure", {"text": "busy"}, text_message("Something has failed; tell the caller so: busy")),
    (NEW, "send_digits", {"digits": "12#"}, text_message("The caller pressed 12# on the telephone keypad.")),
    (NEW, "begin_activity", {}, {"type": "realtimeInput", "realtimeInput": {"activityStart": {}}}),
    (NEW, "end_activity", {}, {"type": "realtimeInput", "realtimeInput": {"activityEnd": {}}}),
]


@pytest.mark.parametrize(("settings", "effect", "args", "expected"), ENCODED)
def test_an_effect_is_one_message_of_the_protocol(
    settings: GeminiSettings, effect: str, args: Mapping[str, object], expected: WireEvent
) -> None:
    assert encode(effect, {"event_id": "e1", **args}, settings) == expected


@pytest.mark.parametrize(
    ("output", "response"),
    [
        ('{"at":"door"}', {"at": "door"}),
        ("[1]", {"output": [1]}),
        ("at the door", {"output": "at the door"}),
    ],
)
def test_what_a_tool_returns_goes_out_as_an_object(output: str, response: dict[str, object]) -> None:
    event = encode("send_tool_output", {"call_id": "c1", "name": "look_up", "output": output}, NEW)
    responses = {"functionResponses": [{"id": "c1", "name": "look_up", "response": response}]}
    assert event == {"type": "toolResponse", "toolResponse": responses}


def test_every_effect_has_its_example_here() -> None:
    assert {effect for _, effect, _, _ in ENCODED} | {"start_session", "resume_session", "send_tool_output"} == set(
        ENCODERS
    )


def test_a_text_is_never_longer_than_may_be() -> None:
    event = encode("request_speech", {"cause": "ask", "added": "x" * 20_000}, NEW)
    assert len(event["realtimeInput"]["text"]) == MOST_TEXT_CHARS  # type: ignore[index]


@pytest.mark.parametrize(
    ("settings", "effect", "args", "guilty"),
    [
        (NEW, "send_tool_output", {"call_id": 7, "name": "n", "output": ""}, "send_tool_output.call_id"),
        (NEW, "send_digits", {}, "send_digits.digits"),
        (NEW, "resume_session", {}, "resume_session.handle"),
        (NEW, "create_response", {}, "create_response"),
    ],
)
def test_what_cannot_be_encoded_is_named(
    settings: GeminiSettings, effect: str, args: Mapping[str, object], guilty: str
) -> None:
    with pytest.raises(EncodingError, match=guilty):
        encode(effect, args, settings)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"model": ""}, "model"),
        ({"model": "models/"}, "model"),
        ({"model": "m", "instructions": "x" * 70_000}, "instructions"),
        ({"model": "m", "detection": {"silence": 20}}, "vad"),
        ({"model": "m", "detection": {"silenceDurationMs": True}}, "vad"),
        ({"model": "m", "detection": {"silenceDurationMs": -1}}, "vad"),
        ({"model": "m", "detection": {"startOfSpeechSensitivity": "START_SENSITIVITY_MEDIUM"}}, "vad"),
        ({"model": "m", "tools": [{"description": "nameless"}]}, "tools"),
        ({"model": "m", "extra": {"systemInstruction": {}}}, "extra"),
        ({"model": "m", "extra": {"generationConfig": 7}}, "extra"),
        ({"model": "m", "extra": {"generationConfig": {"responseModalities": ["TEXT"]}}}, "extra"),
        ({"model": "m", "voice": "Kore", "extra": {"generationConfig": {"speechConfig": {}}}}, "extra"),
    ],
)
def test_settings_that_no_session_can_be_set_up_with_are_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(GeminiSettingsError, match=f"^{field}: "):
        GeminiSettings(**wrong)


def setup(settings: GeminiSettings, **args: Any) -> dict[str, Any]:
    event = encode("resume_session" if args else "start_session", args, settings)
    found = event["setup"]
    assert isinstance(found, dict)
    return found


def test_a_session_is_set_up_in_one_message() -> None:
    assert setup(NEW) == {
        "model": "models/gemini-3.8-live",
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "sessionResumption": {},
        "contextWindowCompression": {"slidingWindow": {}},
    }


def test_a_session_is_taken_up_by_its_handle() -> None:
    assert setup(NEW, handle="h1")["sessionResumption"] == {"handle": "h1"}
    assert "sessionResumption" not in setup(GeminiSettings(model="m", resumes=False), handle="h1")


def test_how_turns_are_found_is_said_in_the_setup() -> None:
    tuned = GeminiSettings(
        model="projects/p/locations/l/models/gemini-live-2.5-flash",
        detection={"silenceDurationMs": 800, "endOfSpeechSensitivity": "END_SENSITIVITY_LOW"},
        extra={"generationConfig": {"temperature": 0.1}, "contextWindowCompression": {"triggerTokens": 9}},
    )
    found = setup(tuned)
    assert found["model"] == tuned.model
    assert found["realtimeInputConfig"]["automaticActivityDetection"] == dict(tuned.detection)
    assert found["generationConfig"] == {"responseModalities": ["AUDIO"], "temperature": 0.1}
    assert found["contextWindowCompression"] == {"triggerTokens": 9}


def test_tools_are_declared_without_the_words_of_a_schema_that_are_refused() -> None:
    (declared,) = setup(GeminiSettings(model="m", tools=[TOOL]))["tools"][0]["functionDeclarations"]
    assert declared == {
        "name": "look_up",
        "description": "Looks up.",
        "parameters": {
            "type": "object",
            "properties": {"strict": {"type": "string"}, "n": {"anyOf": [{"type": "integer"}]}},
            "required": ["n"],
        },
    }
    assert TOOL["parameters"]["additionalProperties"] is False  # type: ignore[index]


@pytest.mark.parametrize(
    ("model", "blocks", "holds", "declared"),
    [
        ("gemini-2.5-flash-native-audio-x", None, True, None),
        ("gemini-2.5-flash-native-audio-x", False, False, "NON_BLOCKING"),
        ("publishers/google/models/gemini-live-2.5-flash", None, True, None),
        ("gemini-3.8-live", None, False, None),
        ("gemini-3.8-live", True, True, None),
    ],
)
def test_whether_a_call_holds_the_model_up_is_its_generations_unless_said(
    model: str, blocks: bool | None, holds: bool, declared: str | None
) -> None:
    settings = GeminiSettings(model=model, blocks_at_tools=blocks, tools=[{"name": "go"}])
    assert settings.holds_audio_at_tools is holds
    (function,) = setup(settings)["tools"][0]["functionDeclarations"]
    assert function.get("behavior") == declared


ITEMS: list[HistoryItem] = [
    HistoryMessage("system", "A regular."),
    HistoryMessage("user", "Where is my order?"),
    HistoryToolCall("call_1", "look_up", '{"n":1}', "at the door"),
    HistoryMessage("assistant", "At the door."),
]


def said(event: WireEvent) -> list[tuple[str, str]]:
    return [(turn["role"], turn["parts"][0]["text"]) for turn in event["clientContent"]["turns"]]  # type: ignore[index]


def test_history_comes_after_the_setup_and_begins_no_answer() -> None:
    first, second = encode_history(ITEMS, NEW)
    assert first["setup"]["historyConfig"] == {"initialHistoryInClientContent": True}  # type: ignore[index]
    assert second["clientContent"]["turnComplete"] is True  # type: ignore[index]
    expected = [
        ("user", "(A regular.)"),
        ("user", "Where is my order?"),
        ("user", '(The tool look_up({"n":1}) returned: at the door)'),
        ("model", "At the door."),
    ]
    assert said(second) == expected
    first, second = encode_history(ITEMS, OLD)
    assert "historyConfig" not in first["setup"]  # type: ignore[operator]
    assert second["clientContent"]["turnComplete"] is False  # type: ignore[index]
    assert said(second) == [*expected, ("user", GOES_ON)]


def test_history_keeps_to_its_limit_and_loses_its_oldest() -> None:
    _, event = encode_history([HistoryMessage("user", "x" * 9_000), HistoryMessage("user", "y" * 9_000)], NEW)
    assert [text[0] for _, text in said(event)] == ["y"]
    (alone,) = encode_history([], NEW)
    assert alone["setup"] == setup_object(NEW)


def test_audio_goes_up_with_its_rate() -> None:
    audio = orjson.loads(audio_message(b"\x00\xff\x10\x20"))["realtimeInput"]["audio"]
    assert audio["mimeType"] == "audio/pcm;rate=16000"
    assert base64.b64decode(audio["data"]) == b"\x00\xff\x10\x20"


@pytest.mark.parametrize(
    ("event", "note"),
    [
        ({"type": "setupComplete"}, SessionConfirmed(PCM_16K, PCM_24K, ())),
        ({"type": "voice.began", "speech_id": "s_1"}, ResponseStarted("s_1")),
        ({"type": "voice.ended", "speech_id": "s_1", "how": "completed"}, ResponseGenerated("s_1", is_whole=True)),
        ({"type": "voice.ended", "speech_id": "s_1", "how": "interrupted"}, ResponseGenerated("s_1", is_whole=False)),
        (
            {"type": "outputTranscription", "text": " Hi", "speech_id": "s_1"},
            AgentSaid(AgentPiece("s_1", 0), " Hi", is_all=False),
        ),
        ({"type": "inputTranscription", "turn": {"id": "t", "text": " a b "}}, CallerSaid("t", "a b")),
        ({"type": "inputTranscription", "turn": {"id": "t", "text": " "}}, None),
        ({"type": "goAway"}, None),
        ({}, None),
    ],
)
def test_what_an_event_carries_besides_its_meaning(event: WireEvent, note: WireNote | None) -> None:
    assert note_of(event) == note


DEVELOPER = "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "wss://l-aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"


def test_the_key_goes_where_the_service_looks_for_it_and_is_never_shown() -> None:
    developer = gemini_endpoint(DEVELOPER, " AIza/secret\n")
    assert developer.url.endswith("?key=AIza%2Fsecret")
    assert developer.headers == {}
    assert gemini_endpoint(f"{DEVELOPER}?alt=x", "k").url.endswith("?alt=x&key=k")
    vertex = gemini_endpoint(VERTEX, "token")
    assert (vertex.url, vertex.headers) == (VERTEX, {"Authorization": "Bearer token"})
    assert gemini_endpoint("ws://127.0.0.1:9/x", None).headers == {}
    provider = GeminiProvider(endpoint=developer, session=NEW)
    assert "secret" not in f"{provider!r} {developer!r} {developer.shown} {provider.label}"
    with pytest.raises(EndpointError, match="api_key: is empty"):
        gemini_endpoint(DEVELOPER, " ")


def test_a_provider_is_told_16_khz_and_tells_24_khz() -> None:
    provider = GeminiProvider(endpoint=gemini_endpoint("ws://127.0.0.1:9/x", None), session=NEW)
    assert (provider.audio_in, provider.audio_out) == (PCM_16K, PCM_24K)
    assert provider.encode("send_digits", {"digits": "1"})["type"] == "realtimeInput"
    assert provider.encode_history(ITEMS)[1]["type"] == "clientContent"
    assert provider.note({"type": "voice.began", "speech_id": "a"}) == ResponseStarted("a")
    named = provider.with_words(lambda text: text.replace("brief", "kind"))
    assert named.session.instructions == "Be kind."
