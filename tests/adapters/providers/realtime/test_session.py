"""The session object, field by field, in both dialects."""

from __future__ import annotations

import attrs
import pytest

from adapters.providers.realtime.realtime_server import BETA, GA
from adapters.providers.realtime.session import PATHS, SessionSettings, SettingsError, session_object

TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Look up the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FULL = SessionSettings(
    model="gpt-realtime",
    voice="marin",
    instructions="Be brief.",
    input_format="pcmu",
    output_format="pcm16",
    turn_detection={"type": "server_vad", "create_response": False},
    transcription={"model": "gpt-realtime-whisper"},
    noise_reduction={"type": "far_field"},
    tools=(TOOL,),
    tool_choice="auto",
    speed=1.1,
    max_output_tokens=400,
)


def test_ga_is_nested_and_exact() -> None:
    assert session_object(FULL, GA) == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "Be brief.",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "turn_detection": {"type": "server_vad", "create_response": False},
                "transcription": {"model": "gpt-realtime-whisper"},
                "noise_reduction": {"type": "far_field"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.1},
        },
        "tools": [TOOL],
        "tool_choice": "auto",
        "max_output_tokens": 400,
    }


def test_beta_is_flat_and_exact() -> None:
    assert session_object(attrs.evolve(FULL, temperature=0.8), BETA) == {
        "modalities": ["text", "audio"],
        "instructions": "Be brief.",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "turn_detection": {"type": "server_vad", "create_response": False},
        "input_audio_transcription": {"model": "gpt-realtime-whisper"},
        "input_audio_noise_reduction": {"type": "far_field"},
        "voice": "marin",
        "speed": 1.1,
        "tools": [TOOL],
        "tool_choice": "auto",
        "max_response_output_tokens": 400,
        "temperature": 0.8,
    }


def test_what_is_not_set_is_not_sent() -> None:
    bare = SessionSettings(model="m")
    assert session_object(bare, GA) == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcmu"}}},
    }
    assert session_object(bare, BETA) == {
        "modalities": ["text", "audio"],
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_ulaw",
    }


@pytest.mark.parametrize(
    ("field", "beta"), [("turn_detection", "turn_detection"), ("noise_reduction", "input_audio_noise_reduction")]
)
def test_what_is_switched_off_is_null_and_not_nothing(field: str, beta: str) -> None:
    settings = attrs.evolve(SessionSettings(model="m"), **{field: None})  # type: ignore[arg-type]
    audio = session_object(settings, GA)["audio"]
    assert isinstance(audio, dict) and audio["input"][field] is None
    flat = session_object(settings, BETA)
    assert beta in flat and flat[beta] is None


def test_empty_values_clear() -> None:
    session = session_object(SessionSettings(model="m", instructions="", tools=()), GA)
    assert session["instructions"] == "" and session["tools"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SessionSettings(model="m", temperature=0.8), "temperature: the ga dialect"),
        (SessionSettings(model="m", input_format="pcm24"), "input_format: 'pcm24' is not one of pcmu"),
        (SessionSettings(model="m", output_format="opus"), "output_format: 'opus'"),
    ],
)
def test_ga_refuses_what_it_has_no_word_for(settings: SessionSettings, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        session_object(settings, GA)


def test_a_server_may_have_formats_of_its_own() -> None:
    server = attrs.evolve(BETA, audio_out={"pcm16": "pcm24"})
    assert session_object(SessionSettings(model="m", output_format="pcm16"), server)["output_audio_format"] == "pcm24"


def test_the_result_is_a_copy() -> None:
    session = session_object(FULL, GA)
    tools = session["tools"]
    assert isinstance(tools, list)
    tools[0]["name"] = "changed"
    assert TOOL["name"] == "get_weather"


def test_every_field_but_the_model_has_a_row() -> None:
    assert set(PATHS) == {field.name for field in attrs.fields(SessionSettings)} - {"model", "extra"}
