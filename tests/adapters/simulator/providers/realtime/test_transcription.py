"""Transcription sessions: what they are, what they say of the caller's turns, and what they do not do."""

from __future__ import annotations

import json

import pytest
from websockets.asyncio.client import connect

from adapters.simulator.providers.realtime import ProviderServer, ProviderSettings
from tests.adapters.simulator.providers.realtime.driver import Driver, Json, every, only, silence, tone, types

KEY = {"Authorization": "Bearer test"}
SAID = "user_turns: ['Where is my order?']"
_HEARD = "conversation.item.input_audio_transcription."


def transcribing(text: str = SAID, **audio_in: object) -> Driver:
    driver = Driver(text, transcribes=True)
    driver.run(0.1)
    more = {"include": audio_in.pop("include")} if "include" in audio_in else {}
    session: Json = {"type": "transcription", "audio": {"input": audio_in}} | more
    assert types(driver.send("session.update", session=session)) == ["session.updated"]
    return driver


def test_its_session_has_an_input_and_nothing_else() -> None:
    driver = Driver(transcribes=True)
    session = only(driver.run(0.1), "session.created")["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert set(session["audio"]) == {"input"} and "model" not in session
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_turns_are_committed_and_transcribed_and_never_answered() -> None:
    driver = transcribing(transcription={"model": "gpt-4o-transcribe"})
    kinds = types(driver.hear(tone(600), silence(800)) + driver.run(3))
    assert "input_audio_buffer.committed" in kinds and kinds[-1] == _HEARD + "completed"
    assert "response.created" not in kinds
    assert only(driver.events(), _HEARD + "completed")["transcript"] == "Where is my order?"


def test_the_log_probabilities_come_where_they_are_asked_for() -> None:
    include = ["item.input_audio_transcription.logprobs"]
    driver = transcribing(transcription={"model": "gpt-4o-transcribe"}, include=include)
    driver.hear(tone(600), silence(800))
    driver.run(3)
    completed = only(driver.events(), _HEARD + "completed")
    assert "".join(each["token"] for each in completed["logprobs"]) == completed["transcript"]
    delta = every(driver.events(), _HEARD + "delta")[0]
    assert delta["logprobs"] == [{"token": "Where", "logprob": -0.01, "bytes": list(b"Where")}]


def test_a_transcriber_of_speakers_names_its_segments() -> None:
    driver = transcribing(transcription={"model": "gpt-4o-transcribe-diarize"})
    driver.hear(tone(600), silence(800))
    driver.run(3)
    segment = only(driver.events(), _HEARD + "segment")
    assert (segment["speaker"], segment["text"]) == ("A", "Where is my order?") and segment["end"] > segment["start"]


def test_a_failed_transcription_names_its_code() -> None:
    driver = transcribing("user_turns: [{fails: audio_unintelligible}]", transcription={"model": "whisper-1"})
    driver.hear(tone(600), silence(800))
    driver.run(3)
    assert only(driver.events(), _HEARD + "failed")["error"]["code"] == "audio_unintelligible"


def refused(driver: Driver, kind: str, **fields: object) -> Json:
    found: Json = only(driver.send(kind, **fields), "error")["error"]
    return found


def test_a_streaming_transcriber_takes_no_turn_detection() -> None:
    driver = transcribing(transcription={"model": "gpt-realtime-whisper"})
    updated = only(driver.send("session.update", session={"type": "transcription"}), "session.updated")["session"]
    assert updated["audio"]["input"]["turn_detection"] is None
    change = {"type": "transcription", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    found = refused(driver, "session.update", session=change)
    assert found["message"] == "Turn detection is not supported for this transcription model."
    assert found["param"] == "session.audio.input.turn_detection"


def test_what_belongs_to_a_conversation_is_refused() -> None:
    driver = transcribing()
    assert refused(driver, "session.update", session={"type": "realtime", "tools": 5})["param"] == "session.type"
    found = refused(driver, "session.update", session={"type": "realtime", "instructions": "x"})
    assert found["message"] == "Passing a realtime session update event to a transcription session is not allowed."
    found = refused(driver, "session.update", session={"type": "transcription", "instructions": "x"})
    assert (found["code"], found["param"]) == ("unknown_parameter", "session.instructions")
    assert refused(driver, "response.create")["code"] == "invalid_value"
    assert driver.core.stats.creates == 0


async def test_the_address_asks_for_it_and_names_no_model() -> None:
    async with ProviderServer(ProviderSettings(models=("m",))) as provider:
        async with connect(provider.url + "?intent=transcription", additional_headers=KEY) as client:
            assert json.loads(await client.recv())["session"]["type"] == "transcription"
        async with connect(provider.url + "?intent=transcription&model=m", additional_headers=KEY) as client:
            error = json.loads(await client.recv())["error"]
            assert error["message"] == "You must not provide a model parameter for transcription sessions."
            await client.wait_closed()
            assert (client.close_code, client.close_reason) == (4000, "invalid_request_error.invalid_model")


@pytest.mark.parametrize("kind", ["input_audio_buffer.append", "session.input_audio_buffer.append"])
def test_both_names_of_an_append_are_heard(kind: str) -> None:
    driver = transcribing()
    driver.send(kind, audio="AAAA")
    assert driver.core.stats.appends == 1
    assert kind not in driver.core.stats.received_types(), "appends are counted, not kept"


async def test_the_beta_wire_knows_no_such_sessions() -> None:
    async with (
        ProviderServer(ProviderSettings(dialect="beta")) as provider,
        connect(provider.url + "?intent=transcription", additional_headers=KEY) as client,
    ):
        assert json.loads(await client.recv())["error"]["code"] == "missing_model"
