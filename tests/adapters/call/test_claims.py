"""What a provider claims is checked: formats it keeps are followed, what differs and what it complains of is logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from adapters.simulator.providers.realtime import parse_scenario
from adapters.simulator.speech import read_samples, wav_path
from tests.adapters.call.rig import Played, play

pytestmark = pytest.mark.virtual_time

HEARD_OUT = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]
ONE_TURN = {"steps": [*HEARD_OUT, {"say": "caller_order_status"}, *HEARD_OUT, "hang_up"]}
PCM = "{type: audio/pcm, rate: 24000}"
KEEPS_PCM = f"{{fault: overrule_update, set: {{audio.input.format: {PCM}, audio.output.format: {PCM}}}}}"
SAYS = "responses: [{output: [{say: Welcome, speech: agent_greeting}]}]"


async def called(fault: str, script: dict[str, Any] = ONE_TURN, **more: Any) -> tuple[Played, list[Any]]:
    """A call and what was logged above info."""
    with structlog.testing.capture_logs() as logs:
        scenario = parse_scenario(f"{SAYS}\nfaults: [{fault}]", Path("claims.yaml"))
        played = await play(script, scenario=scenario, **more)
    return played, [each for each in logs if each["log_level"] in ("warning", "error")]


def likeness(heard: bytes, line: str) -> float:
    """How alike the greeting and what was heard are, at the best shift: 1 is the same, noise is near 0."""
    said = read_samples(wav_path(line), 8000).astype(float)
    track = np.frombuffer(heard, "<i2").astype(float)[: len(said) + 16000]
    size = len(said) + len(track)
    product = np.fft.irfft(np.fft.rfft(track, size) * np.conj(np.fft.rfft(said, size)), size)
    return float(product.max() / (np.linalg.norm(said) * np.linalg.norm(track)))


async def test_a_server_that_keeps_pcm_is_heard_and_hears() -> None:
    played, logs = await called(KEEPS_PCM, session={"turn_detection": {"type": "server_vad"}})
    assert likeness(played.caller.heard_pcm(), "agent_greeting") > 0.7
    assert len(played.caller.agent_speech) == 2 and played.caller.notes == ()
    assert played.sessions[0].user_turns == 1 and max(played.caller.reply_ms) < 1500
    [warning] = [each for each in logs if each["event"] == "session_differs"]
    assert warning["field"] == ["input_format", "output_format"]
    assert warning["asked"] == ["type=audio/pcmu"] * 2 and warning["got"] == ["type=audio/pcm rate=24000"] * 2


async def test_a_server_that_does_as_asked_is_heard_as_well_and_nothing_is_logged() -> None:
    played, logs = await called("")
    assert likeness(played.caller.heard_pcm(), "agent_greeting") > 0.7
    assert [each["event"] for each in logs] == []


async def test_what_a_caller_says_before_the_format_is_known_is_converted() -> None:
    script = {"steps": [{"say": "caller_order_status"}, *HEARD_OUT, "hang_up"]}
    late = f"{{fault: delay, type: session.created, by_s: 2.5}}, {KEEPS_PCM}"
    played, _ = await called(late, script, settings={"greeting": None})
    assert played.sessions[0].user_turns == 1 and len(played.caller.agent_speech) == 1
    assert played.sessions[0].audio_ms == pytest.approx(played.caller.duration_ms, abs=60)


async def test_a_session_after_another_that_keeps_another_format_is_followed_and_not_logged_again() -> None:
    only_first = KEEPS_PCM.replace("overrule_update,", "overrule_update, connection: 1,")
    lost = "{fault: close, connection: 1, at_s: 4.5, code: 1006}"
    for faults, times in ((f"{only_first}, {lost}", 1), (f"{KEEPS_PCM}, {lost}", 1)):
        played, logs = await called(faults)
        assert len(played.sessions) == 2 and played.sessions[1].user_turns == 1
        assert len(played.caller.agent_speech) == 2 and max(played.caller.reply_ms) < 1500
        assert len([each for each in logs if each["event"] == "session_differs"]) == times


async def test_a_format_that_nobody_can_decode_ends_the_call_with_an_apology_and_names_it() -> None:
    formats = f"session.audio.input.format: {PCM}, session.audio.output.format: {{type: audio/opus}}"
    opus = f"{{fault: mutate, type: session.updated, set: {{{formats}}}}}"
    played, logs = await called(opus, {"steps": ["wait_agent_speaking", "until_hung_up"]})
    assert likeness(played.caller.heard_pcm(), "apology") > 0.6 and played.caller.ended == "hangup"
    assert played.summary.states[-2:] == ["closing", "closed"] and played.sessions[0].creates == 0
    [error] = [each for each in logs if each["event"] == "session_unusable"]
    expected = {"field": "output_format", "asked": "type=audio/pcmu", "got": "type=audio/opus"}
    assert {key: error[key] for key in expected} == expected and error["log_level"] == "error"
    [rejected] = [step for _, step in played.watcher.steps if step.event.name == "session.update_rejected"]
    assert dict(rejected.event.data) == {"reason": "audio format", **expected}


@pytest.mark.parametrize(
    ("setting", "field", "asked", "got"),
    [
        ("audio.input.turn_detection: null", "turn_detection", "the default", "off"),
        ("audio.output.voice: cedar", "voice", "marin", "cedar"),
        ("tools: []", "tools", "look", "none"),
    ],
)
async def test_what_a_server_does_not_do_as_asked_is_one_warning(
    setting: str, field: str, asked: str, got: str
) -> None:
    tool = {"type": "function", "name": "look", "description": "", "parameters": {"type": "object"}}
    fault = f"{{fault: overrule_update, set: {{{setting}}}}}"
    script = {"steps": [*HEARD_OUT, "hang_up"]}
    played, logs = await called(fault, script, session={"tools": [tool], "voice": "marin"})
    [warning] = [each for each in logs if each["event"] == "session_differs"]
    assert (warning["field"], warning["asked"], warning["got"]) == ([field], [asked], [got])
    assert len(played.caller.agent_speech) == 1, "the call goes on"


async def test_an_error_of_no_kind_that_we_know_is_logged_once_for_each_code_and_without_keys() -> None:
    text = '{"type": "error", "error": {"code": "%s", "message": "sk-abcdef123456 is odd"}}'
    faults = [
        f"{{fault: inject, at_s: {n}, text: '{text % code}'}}" for n, code in enumerate(("odd", "odd", "odder"), 1)
    ]
    _, logs = await called(", ".join(faults))
    told = [(each["code"], each["message"]) for each in logs if each["event"] == "provider_error"]
    assert told == [("odd", "[key] is odd"), ("odder", "[key] is odd")]


async def test_an_error_that_we_know_is_not_logged_so() -> None:
    known = '{"type": "error", "error": {"code": "response_cancel_not_active", "message": "Cancellation failed"}}'
    _, logs = await called(f"{{fault: inject, at_s: 1, text: '{known}'}}")
    assert [each for each in logs if each["event"] == "provider_error"] == []
