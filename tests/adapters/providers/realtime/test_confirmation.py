"""What session.updated shows against what was asked: only what is shown counts, in whichever spelling."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat
from adapters.providers.provider import Difference, SessionBegan, SessionConfirmed
from adapters.providers.realtime.confirmation import audio_format, differences
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.realtime_server import BETA, GA, Dialect
from adapters.providers.realtime.session import UNSET, SessionSettings, session_object
from adapters.simulator.providers.realtime.session import SimulatedSession

TOOL = {"type": "function", "name": "get_weather", "description": "", "parameters": {"type": "object"}}
OTHER = {**TOOL, "name": "get_order"}
ASKED = SessionSettings(
    model="m",
    voice="marin",
    turn_detection={"type": "server_vad", "create_response": False},
    tools=(TOOL, OTHER),
)


def found(got: dict[str, Any], dialect: Dialect = "ga", **asked: Any) -> list[tuple[str, str, str]]:
    session = session_object(attrs.evolve(ASKED, **asked), GA if dialect == "ga" else BETA)
    return [attrs.astuple(each) for each in differences(session, got)]


def audio(side: str, **fields: Any) -> dict[str, Any]:
    return {"audio": {side: fields}}


PCM = {"type": "audio/pcm", "rate": 24000}
OFF = "type=server_vad create_response=False"
TABLE: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "nothing": ({}, []),
    "a part": ({"type": "realtime", "instructions": "?", "audio": {}}, []),
    "no format": (audio("output", format=None, voice=None), []),
    "PCM kept": (audio("output", format=PCM), [("output_format", "type=audio/pcmu", "type=audio/pcm rate=24000")]),
    "PCM kept in beta": ({"input_audio_format": "pcm16"}, [("input_format", "type=audio/pcmu", "pcm16")]),
    "ours in beta": ({"input_audio_format": "g711_ulaw", "voice": "Marin"}, []),
    "a format of no kind": (audio("input", format={"type": 5}), [("input_format", "type=audio/pcmu", "type=5")]),
    "detection off": (audio("input", turn_detection=None), [("turn_detection", OFF, "off")]),
    "the client's detection": ({"turn_detection": {"type": "client_vad"}}, [("turn_detection", OFF, "off")]),
    "answers by itself": (
        audio("input", turn_detection={"type": "server_vad", "create_response": True, "threshold": 0.4}),
        [("turn_detection.create_response", "false", "true")],
    ),
    "does not interrupt": (
        audio("input", turn_detection={"type": "semantic_vad", "create_response": False, "interrupt_response": False}),
        [("turn_detection.type", "server_vad", "semantic_vad"), ("turn_detection.interrupt_response", "true", "false")],
    ),
    "no tools": ({"tools": []}, [("tools", "get_weather, get_order", "none")]),
    "null for tools": ({"tools": None}, [("tools", "get_weather, get_order", "none")]),
    "one tool, nested": ({"tools": [{"function": OTHER}]}, [("tools", "get_weather, get_order", "get_order")]),
    "a tool too many": ({"tools": [OTHER, {"type": "web_search"}, TOOL]}, []),
    "another voice": (audio("output", voice="alloy"), [("voice", "marin", "alloy")]),
    "a voice as an object": ({"voice": {"name": "marin", "type": "x"}}, []),
    "nonsense": ({"audio": [], "tools": 5, "voice": 7, "turn_detection": 3}, []),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_is_shown_and_not_as_asked_is_a_difference(case: str) -> None:
    got, expected = TABLE[case]
    assert found(got) == expected


def test_detection_that_was_to_be_off_and_is_on() -> None:
    on = audio("input", turn_detection={"type": "server_vad"})
    assert found(on, turn_detection=None) == [("turn_detection", "off", "type=server_vad")]
    assert found(audio("input", turn_detection={"type": "none"}), turn_detection=None) == []


def test_where_nothing_is_asked_the_provider_detects_and_answers() -> None:
    assert found(audio("input", turn_detection=None), turn_detection=UNSET) == [
        ("turn_detection", "the default", "off")
    ]
    mute = audio("input", turn_detection={"type": "server_vad", "create_response": False})
    assert found(mute, turn_detection=UNSET) == [("turn_detection.create_response", "true", "false")]


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_a_server_that_does_as_it_was_asked_differs_in_nothing(dialect: Dialect) -> None:
    session = SimulatedSession("sess_1", "gpt-realtime", 0)
    session.update(session_object(ASKED, GA if dialect == "ga" else BETA), beta=dialect == "beta", voice_locked=False)
    assert found(session.config, dialect) == []


@pytest.mark.parametrize(
    ("wire", "known"),
    [
        ({"type": "audio/pcm", "rate": 24000}, PCM_24K), ({"type": "audio/pcm"}, PCM_24K),
        ({"type": "audio/pcm", "rate": 16000}, AudioFormat("pcm16", 16000)), ({"type": "audio/pcmu"}, PCMU),
        ({"type": "audio/pcm", "rate": 11025}, None), ({"type": "audio/opus"}, None), ({}, None), (None, None),
        ("pcm16", PCM_24K), ("pcm", PCM_24K), ("pcm24", PCM_24K), ("pcm16_16000hz", AudioFormat("pcm16", 16000)),
        ("pcm16_8000hz", AudioFormat("pcm16", 8000)), ("g711_ulaw", PCMU), ("g711_alaw", PCMA), ("mp3", None),
    ],
)  # fmt: skip
def test_formats_as_wires_spell_them(wire: object, known: AudioFormat | None) -> None:
    assert audio_format(wire) == known


def test_the_note_of_an_update_has_the_formats_in_use() -> None:
    provider = RealtimeProvider(endpoint=openai_endpoint("m", None), session=SessionSettings(model="m"))

    def note(session: object, kind: str = "session.updated") -> object:
        return provider.note({"type": kind, "session": session})

    assert note({}) == SessionConfirmed(PCMU, PCMU, ())
    kept = note(audio("input", format=PCM))
    assert isinstance(kept, SessionConfirmed) and (kept.audio_in, kept.audio_out) == (PCM_24K, PCMU)
    lost = Difference("output_format", "type=audio/pcmu", "type=audio/opus")
    assert note(audio("output", format={"type": "audio/opus"})) == SessionConfirmed(PCMU, None, (lost,))
    assert note(audio("input", format=PCM), "session.created") == SessionBegan(None), "nothing was asked for yet"
    assert note(None) is None
