"""The simulated session, sans I/O: turns, barge-in, cancels, tools, truncation, rejections, by lists of events."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from adapters.simulator.providers.realtime import Latency, ProviderSettings
from adapters.simulator.speech import lines, read_samples, wav_path
from tests.adapters.simulator.providers.realtime.driver import Driver, Json, encode, every, only, silence, tone, types

LONG = "responses: [{when: {nth: 1}, output: [{say: long, speech: agent_long_story}]}]"
TURN = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
BURST = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done", "response.created"]
SAY_AFTER_TOOLS = """
unoffered_calls: make
responses:
  - when: {nth: 1}
    output:
      - {say: "One moment, let me look that up.", phase: commentary}
      - {call: order_status, arguments: {order: 42}}
      - {call: weather, arguments: "{ }"}
  - when: {after: tools, tool: weather}
    output: [{say: "Both are there."}]
"""


def error(events: list[Json]) -> Json:
    found: Json = only(events, "error")["error"]
    return found


# --- sessions --------------------------------------------------------------------------------------------------------


def test_what_is_sent_before_session_created_is_answered_after_it_in_order() -> None:
    driver = Driver()
    assert driver.send("session.update", session={"type": "realtime", "instructions": "Be brief."}) == []
    assert driver.send("response.create", event_id="e1") == []
    assert types(driver.run(0.1))[:3] == ["session.created", "session.updated", "response.created"]


def test_an_update_merges_and_shows_the_whole_session() -> None:
    driver = Driver()
    before = driver.configure(wire_format="audio/pcmu", detection={"type": "server_vad", "create_response": False})
    detection = before["audio"]["input"]["turn_detection"]
    assert detection["silence_duration_ms"] == 200 and detection["create_response"] is False
    assert before["audio"]["output"] == {"format": {"type": "audio/pcmu"}, "voice": "alloy", "speed": 1.0}
    (after,) = driver.send("session.update", session={"type": "realtime", "tools": []})
    assert after["session"] == before


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"instructions": "x"}, "missing_required_parameter", "session.type"),
        ({"type": "realtime", "voice": "marin"}, "unknown_parameter", "session.voice"),
        ({"type": "realtime", "audio": {"input": {"vad": 1}}}, "unknown_parameter", "session.audio.input.vad"),
        (
            {"type": "realtime", "audio": {"input": {"noise_reduction": {"type": "near"}}}},
            "invalid_value",
            "session.audio.input.noise_reduction.type",
        ),
        (
            {"type": "realtime", "audio": {"input": {"noise_reduction": "near_field"}}},
            "invalid_type",
            "session.audio.input.noise_reduction",
        ),
        (
            {"type": "realtime", "input_audio_noise_reduction": None},
            "unknown_parameter",
            "session.input_audio_noise_reduction",
        ),
        ({"type": "realtime", "output_modalities": ["smell"]}, "invalid_value", "session.output_modalities[0]"),
        ({"type": "realtime", "instructions": 7}, "invalid_type", "session.instructions"),
        ({"type": "realtime", "audio": {"output": {"speed": 9}}}, "invalid_value", "session.audio.output.speed"),
        ({"type": "realtime", "model": "gpt-other"}, "invalid_value", "session.model"),
    ],
)
def test_an_update_with_one_fault_changes_nothing(session: Json, code: str, param: str) -> None:
    driver = Driver()
    before = driver.configure()
    refused = error(driver.send("session.update", event_id="u1", session={"instructions": "changed"} | session))
    assert (refused["code"], refused["param"], refused["event_id"]) == (code, param, "u1")
    (after,) = driver.send("session.update", session={"type": "realtime"})
    assert after["session"] == before


def test_the_voice_is_locked_once_the_assistant_has_spoken() -> None:
    driver = Driver()
    driver.configure()
    driver.send("response.create")
    driver.run(2)
    voice = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    assert error(driver.send("session.update", session=voice))["code"] == "cannot_update_voice"
    same = {"type": "realtime", "audio": {"output": {"voice": "alloy"}}}
    assert types(driver.send("session.update", session=same)) == ["session.updated"]


def test_the_session_expires() -> None:
    driver = Driver(settings=ProviderSettings(session_max_s=120))
    driver.run(121)
    assert error(driver.events())["message"] == "Your session hit the maximum duration of 2 minutes."
    closing = driver.out[-1].closing
    assert closing and (closing.code, closing.reason) == (1001, "Your session hit the maximum duration of 2 minutes.")
    assert driver.send("response.create") == [] and driver.core.next_deadline() is None


def test_a_script_may_shorten_a_session_which_says_when_it_ends() -> None:
    driver = Driver("session_max_s: 60.0", ProviderSettings(epoch_s=1_800_000_000))
    driver.run(0.1)
    (created,) = [event for event in driver.events() if event["type"] == "session.created"]
    assert created["session"]["expires_at"] == 1_800_000_060
    driver.run(61)
    assert driver.out[-1].closing is not None


def test_the_same_seed_gives_the_same_session() -> None:
    def once(seed: int) -> list[Json]:
        driver = Driver(SAY_AFTER_TOOLS, ProviderSettings(seed=seed))
        driver.configure()
        driver.send("response.create")
        driver.run(3)
        return driver.events()

    assert once(1) == once(1)
    assert once(1)[0]["event_id"] != once(2)[0]["event_id"]


# --- turns found by the server ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire_format", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_a_spoken_turn_is_answered_in_one_burst(wire_format: str) -> None:
    driver = Driver()
    driver.configure(wire_format=wire_format, detection={"type": "server_vad", "silence_duration_ms": 500})
    speech = read_samples(wav_path("caller_yes"), driver.rate_hz)
    events = driver.hear(silence(1000, driver.rate_hz), speech, silence(1200, driver.rate_hz))
    assert types(events)[:6] == [*TURN[:2], *BURST]
    started, stopped = only(events, TURN[0]), only(events, TURN[1])
    assert (started["audio_start_ms"] + 300) % 32 == 0 and stopped["audio_end_ms"] % 32 == 0
    assert abs(started["audio_start_ms"] + 300 - 1000) < 150
    item = only(events, BURST[0])["item_id"]
    assert item == started["item_id"] == stopped["item_id"]
    created = only(events, "response.created")
    assert created["response"]["metadata"] is None
    at = {out.event["type"]: out.at_s for out in reversed(driver.out) if out.event}
    assert len({at[kind] for kind in BURST}) == 1


@pytest.mark.parametrize("name", [name for name, line in lines().items() if line.voice == "caller"])
def test_every_recorded_caller_line_is_one_turn(name: str) -> None:
    driver = Driver()
    driver.configure(wire_format="audio/pcmu", detection={"type": "server_vad", "silence_duration_ms": 500})
    events = driver.hear(silence(500, 8000), read_samples(wav_path(name), 8000), silence(1000, 8000))
    assert [kind for kind in types(events) if kind in TURN] == TURN


def test_line_noise_is_no_turn() -> None:
    driver = Driver()
    driver.configure(wire_format="audio/pcmu")
    noise = (tone(2000, 8000) // 200).astype("int16")
    assert driver.hear(noise) == []


def test_semantic_vad_waits_longer() -> None:
    driver = Driver()
    session = driver.configure(detection={"type": "semantic_vad"})
    assert session["audio"]["input"]["turn_detection"]["eagerness"] == "auto"
    assert [kind for kind in types(driver.hear(tone(500), silence(600))) if kind in TURN] == TURN[:1]
    assert [kind for kind in types(driver.hear(silence(400))) if kind in TURN] == TURN[1:]


def test_barge_in_cancels_what_is_being_generated() -> None:
    driver = Driver(LONG)
    driver.configure()
    driver.send("response.create")
    driver.run_to("response.output_audio.delta")
    events = driver.hear(tone(400), chunk_ms=100)
    kinds = types(events)
    begun = kinds.index("input_audio_buffer.speech_started")
    assert "response.output_audio.delta" in kinds[begun:]  # still in flight
    assert kinds[kinds.index("response.output_audio.done") :][:6] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    done = only(events, "response.done")["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert done["output"][0]["status"] == "incomplete" and done["usage"]["output_tokens"] > 0
    at = {out.event["type"]: out.at_s for out in driver.out if out.event}
    assert at["response.done"] - at["input_audio_buffer.speech_started"] == pytest.approx(0.039)
    answer = driver.hear(silence(400))
    assert types(answer)[:5] == ["input_audio_buffer.speech_stopped", *BURST]


def test_barge_in_after_the_response_is_done_cancels_nothing() -> None:
    driver = Driver(LONG)
    driver.configure(detection={"type": "server_vad", "create_response": False})
    driver.send("response.create")
    driver.run(5)
    assert types(driver.hear(tone(400), silence(400))) == [TURN[0], TURN[1], *BURST[:3]]


def test_a_whole_turn_at_once_waits_for_its_own_interrupt() -> None:
    driver = Driver(LONG)
    driver.configure()
    driver.send("response.create")
    driver.run_to("response.output_audio.delta")
    audio = encode(np.concatenate([tone(600), silence(600)]), "audio/pcm")
    kinds = types(driver.send("input_audio_buffer.append", audio=audio) + driver.run(0.5))
    assert kinds.index("response.done") < kinds.index("response.created")


def test_without_interrupt_the_answer_goes_on_and_the_automatic_create_fails() -> None:
    driver = Driver(LONG, ProviderSettings(latency=Latency(pace=2.0)))
    driver.configure(detection={"type": "server_vad", "interrupt_response": False})
    first = driver.send("response.create") or driver.run_to("response.created")
    running = only(first, "response.created")["response"]["id"]
    driver.run_to("response.output_audio.delta")
    refused = error(driver.hear(tone(400), silence(400)))
    assert refused["code"] == "conversation_already_has_active_response" and refused["event_id"] is None
    assert running in refused["message"]
    assert only(driver.run(10), "response.done")["response"]["status"] == "completed"
    assert driver.core.stats.rejections == {} and driver.core.stats.violations == []


def test_a_response_requested_but_not_created_survives_the_start_of_speech() -> None:
    driver = Driver()
    driver.configure()
    driver.hear(tone(60), chunk_ms=60)
    driver.send("response.create")
    events = driver.hear(tone(20)) + driver.run(1)
    assert types(events)[:2] == ["input_audio_buffer.speech_started", "response.created"]
    assert "response.output_audio.delta" in types(events)


def test_idle_timeout() -> None:
    idle = "{when: {after: idle}, output: [{say: 'Still there?'}]}"
    driver = Driver(f"responses: [{{output: [{{say: Hi.}}]}}, {idle}]")
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    driver.configure(detection=detection, audio_in={"transcription": {"model": "gpt-4o-transcribe"}})
    driver.send("response.create")
    driver.run(2)
    events = driver.hear(silence(7000))
    assert types(events)[:7] == [
        "input_audio_buffer.timeout_triggered",
        "conversation.item.added",
        "conversation.item.done",
        *BURST,
    ]
    timeout, system, user = events[0], events[1], events[4]
    assert timeout["audio_end_ms"] - timeout["audio_start_ms"] >= 5000 and timeout["audio_start_ms"] % 32 == 0
    assert system["item"]["role"] == "system" and user["item"]["id"] == timeout["item_id"]
    assert only(events, "response.output_audio_transcript.done")["transcript"] == "Still there?"
    completed = only(events, "conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == "" and completed["usage"]["seconds"] == 0


def test_a_streaming_transcript_may_come_before_the_commit() -> None:
    driver = Driver("user_turns: ['Hello, my name is Marcelo.']")
    driver.configure(audio_in={"transcription": {"model": "gpt-realtime-whisper"}})
    kinds = types(driver.hear(tone(2000), silence(1500)))
    delta = "conversation.item.input_audio_transcription.delta"
    assert kinds.index(delta) < kinds.index("input_audio_buffer.committed")
    events = driver.events()
    completed = only(events, "conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == "".join(event["delta"] for event in every(events, delta))


# --- the caller's turn by hand ---------------------------------------------------------------------------------------


def test_manual_turns() -> None:
    driver = Driver()
    driver.configure(detection=None, wire_format="audio/pcmu")
    assert driver.hear(tone(1000, 8000), silence(500, 8000)) == []
    events = driver.send("input_audio_buffer.commit")
    assert types(events) == BURST[:3]
    refused = error(driver.send("input_audio_buffer.commit"))
    assert refused["code"] == "input_audio_buffer_commit_empty" and "only has 0.00ms" in refused["message"]
    driver.hear(tone(80, 8000))
    assert "only has 80.00ms" in error(driver.send("input_audio_buffer.commit"))["message"]
    driver.hear(tone(20, 8000))
    assert types(driver.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert "only has 0.00ms" in error(driver.send("input_audio_buffer.commit"))["message"]
    driver.send("response.create")
    assert only(driver.run(3), "response.done")["response"]["status"] == "completed"


# --- responses -------------------------------------------------------------------------------------------------------


def test_the_latencies_of_an_answer() -> None:
    driver = Driver("responses: [{output: [{say: hi, speech: agent_weather}]}]")
    driver.configure()
    asked_s = driver.now_s
    driver.send("response.create")
    driver.run(5)
    at = {out.event["type"]: out.at_s - asked_s for out in reversed(driver.out) if out.event}
    assert at["response.created"] == pytest.approx(0.03)
    assert at["response.output_item.added"] == pytest.approx(0.33)
    assert at["response.output_audio_transcript.delta"] == pytest.approx(0.40)
    assert at["response.output_audio.delta"] == pytest.approx(0.52)
    assert at["rate_limits.updated"] - at["response.done"] == pytest.approx(0.035)
    deltas = every(driver.events(), "response.output_audio.delta")
    audio = b"".join(base64.b64decode(delta["delta"]) for delta in deltas)
    assert {len(base64.b64decode(delta["delta"])) for delta in deltas[:-1]} == {12000}
    assert len(audio) / 48000 / (at["response.output_audio.done"] - at["response.output_audio.delta"]) > 10
    assert audio == read_samples(wav_path("agent_weather"), 24000).tobytes()


def test_a_second_create_is_rejected_and_names_the_active_response() -> None:
    driver = Driver()
    driver.configure()
    driver.send("response.create", event_id="c1", response={"metadata": {"turnspec": "c1"}})
    refused = error(driver.send("response.create", event_id="c2"))
    created = only(driver.run(5), "response.created")["response"]
    assert refused["code"] == "conversation_already_has_active_response" and refused["event_id"] == "c2"
    assert refused["message"] == (
        f"Conversation already has an active response in progress: {created['id']}. "
        "Wait until the response is finished before creating a new one."
    )
    assert created["metadata"] == {"turnspec": "c1"}
    assert driver.core.stats.creates == 2 and driver.core.stats.responses == 1
    assert driver.core.stats.rejections == {"conversation_already_has_active_response": 1}


def test_out_of_band_runs_beside_and_leaves_no_items() -> None:
    driver = Driver("responses: [{when: {out_of_band: true}, output: [{say: Aside.}]}]")
    driver.configure()
    driver.send("response.create")
    driver.send("response.create", response={"conversation": "none", "metadata": {"for": "notes"}, "input": []})
    events = driver.run(5)
    main, aside = (event["response"] for event in every(events, "response.created"))
    assert main["conversation_id"] and aside["conversation_id"] is None and aside["metadata"] == {"for": "notes"}
    assert len(every(events, "response.done")) == 2
    aside_items = {
        event["item"]["id"] for event in events if event.get("response_id") == aside["id"] and "item" in event
    }
    assert aside_items and not aside_items & {event["item"]["id"] for event in every(events, "conversation.item.added")}


def test_cancels() -> None:
    driver = Driver(LONG)
    driver.configure()
    assert error(driver.send("response.cancel", event_id="x"))["code"] == "response_cancel_not_active"
    driver.send("response.create")
    # Requested is not active: the cancel misses, the response comes all the same.
    assert error(driver.send("response.cancel"))["message"] == "Cancellation failed: no active response found"
    response_id = only(driver.run_to("response.created"), "response.created")["response"]["id"]
    assert error(driver.send("response.cancel", response_id="resp_other"))["code"] == "response_cancel_not_active"
    driver.run_to("response.output_audio.delta")
    assert driver.send("response.cancel", response_id=response_id) == []
    assert error(driver.send("response.create"))["code"] == "conversation_already_has_active_response"
    done = only(driver.run(1), "response.done")["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
    assert "response.cancel without response_id" in driver.core.stats.violations


def test_a_cancel_before_the_first_item_leaves_an_empty_output() -> None:
    driver = Driver(LONG)
    driver.configure()
    driver.send("response.create")
    driver.run_to("response.created")
    driver.send("response.cancel")
    assert only(driver.run(1), "response.done")["response"]["output"] == []


def test_failed_and_incomplete_answers() -> None:
    driver = Driver(
        """
        responses:
          - {status: failed, error: {code: rate_limit_exceeded, message: Rate limit reached.}}
          - {status: incomplete, output: [{say: long, speech: agent_long_story}], cut_after_ms: 1000}
        """
    )
    driver.configure()
    driver.send("response.create")
    failed = only(driver.run(2), "response.done")["response"]
    assert failed["status"] == "failed" and failed["usage"]["total_tokens"] == 0 and failed["output"] == []
    assert failed["status_details"]["error"]["code"] == "rate_limit_exceeded"
    driver.send("response.create")
    events = driver.run(5)
    cut = only(events, "response.done")["response"]
    assert cut["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert cut["output"][0]["status"] == "incomplete"
    assert len(every(events, "response.output_audio.delta")) == 4
