"""The simulated wire against the recorded one: whole events, ids chained by first appearance, in the same order."""

from __future__ import annotations

import json
from typing import Any

from adapters.simulator.providers.realtime import ProviderSettings
from tests.adapters.simulator.providers.realtime.driver import Driver, Json, only, silence, tone
from tests.recordings import Recorded, sent_by

_VOLATILE = {"event_id", "obfuscation", "expires_at", "delta", "limit", "remaining", "reset_seconds"}
_COUNTED = {"total_tokens", "input_tokens", "output_tokens", "text_tokens", "audio_tokens", "cached_tokens"}
_ASYNCHRONOUS = "conversation.item.input_audio_transcription."


class Projection:
    """Events without what differs from run to run; ids become id1, id2 ... in order of appearance."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._value(key, entry) for key, entry in value.items() if key not in _VOLATILE}
        if isinstance(value, list):
            return [self._value(name, entry) for entry in value]
        if (name == "id" or name.endswith("_id")) and isinstance(value, str):
            return self._ids.setdefault(value, f"id{len(self._ids) + 1}")
        return "a number" if name in _COUNTED else value

    def of(self, events: list[Json]) -> list[Json]:
        """Of each kind of delta only an item's first: their number is the model's choice."""
        seen: set[tuple[str, str]] = set()
        projected = []
        for event in events:
            kind = event["type"]
            key = (kind, event.get("item_id", ""))
            if kind.startswith(_ASYNCHRONOUS) or (kind.endswith(".delta") and key in seen):
                continue
            seen.add(key)
            projected.append(self._value("", event))
        return projected


def assert_same(simulated: list[Json], real: list[Json]) -> None:
    ours, theirs = Projection().of(simulated), Projection().of(real)
    for number, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        assert our == their, f"event {number}"
    missing = [event["type"] for event in theirs[len(ours) :]]
    assert missing == []
    # Recordings end when the client closed; the last rate_limits.updated may not have made it.
    assert [event["type"] for event in ours[len(theirs) :]] in ([], ["rate_limits.updated"])


def test_greeting(recorded: Recorded) -> None:
    trace = recorded("ga_openai_text_in_audio_out")
    driver = Driver("responses: [{output: [{say: 'Hi there!'}]}]")
    driver.run(0.1)
    for line in trace:
        if line["dir"] == "client":
            driver.feed(line["event"])
    driver.run(5)
    simulated = recorded.comparable(driver.events())
    assert_same(simulated, list(sent_by(trace, "server")))


def test_three_turns_found_by_the_server(recorded: Recorded) -> None:
    trace = recorded("ga_openai_three_server_vad_turns")
    real = list(sent_by(trace, "server"))
    said = [event["transcript"] for event in real if event["type"] == "response.output_audio_transcript.done"]
    rules = [{"output": [{"say": text}]} for text in said]
    driver = Driver(json.dumps({"responses": rules, "user_turns": ["Hello, my name is Marcelo."] * 3}))
    driver.run(0.1)
    driver.feed(next(line["event"] for line in trace if line["dir"] == "client"))
    # Two loud frames of 32 ms start a turn, seven silent ones (at least 200 ms) end it.
    now_ms = 0
    for start_ms, end_ms in ((1760, 4256), (9248, 11744), (16736, 19232)):
        loud_ms, quiet_ms = start_ms - 64, end_ms - 7 * 32
        driver.hear(silence(loud_ms - now_ms), tone(quiet_ms - loud_ms), chunk_ms=32)
        now_ms = quiet_ms
    driver.hear(silence(4000))
    simulated = recorded.comparable(driver.events())
    assert_same(simulated, real)
    transcripts = [event["transcript"] for event in driver.events() if event["type"] == f"{_ASYNCHRONOUS}completed"]
    assert transcripts == ["Hello, my name is Marcelo."] * 3


def test_tool_round(recorded: Recorded) -> None:
    trace = recorded("ga_openai_tool_call_round")
    real = list(sent_by(trace, "server"))
    update, question, create, output, again = (line["event"] for line in trace if line["dir"] == "client")
    call = next(event for event in real if event["type"] == "response.function_call_arguments.done")
    driver = Driver(
        json.dumps(
            {
                "responses": [
                    {"output": [{"call": call["name"], "arguments": call["arguments"]}]},
                    {"when": {"after": "tools"}, "output": [{"say": "It is foggy and 12 degrees in London."}]},
                ]
            }
        )
    )
    driver.run(0.1)
    for event in (update, question, create):
        driver.feed(event)
    done = only(driver.run_to("response.function_call_arguments.done"), "response.function_call_arguments.done")
    # As recorded: the output is sent while the response is still open; its echo comes after response.done.
    item = output["item"] | {"call_id": done["call_id"]}
    if "response.done" not in [event["type"] for event in driver.events()]:
        driver.feed(output | {"item": item})
    driver.run_to("response.done", 1)
    driver.feed(again)
    driver.run(5)
    simulated = [event for event in driver.events() if event["type"] != "rate_limits.updated"]
    assert_same(recorded.comparable(simulated), real)


def test_client_cancel(recorded: Recorded) -> None:
    trace = recorded("ga_openai_client_cancel_text")
    real = [event for event in sent_by(trace, "server") if event["type"] != "session.created"]
    said = "Sure! Here we go: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
    driver = Driver(json.dumps({"responses": [{"output": [{"say": said}]}]}), model="gpt-realtime-mini")
    driver.run(0.1)
    for line in trace:
        if line["dir"] == "client" and line["event"]["type"] != "response.cancel":
            driver.feed(line["event"])
    driver.run_to("response.output_text.delta")
    driver.send("response.cancel")
    after = driver.run(3)
    assert [event["type"] for event in after].count("response.output_text.delta") >= 3
    simulated = [event for event in driver.events() if event["type"] != "session.created"]
    text = only(after, "response.output_text.done")["text"]
    assert said.startswith(text)
    simulated = json.loads(json.dumps(simulated).replace(text, "Sure! Here we go: 1, 2, 3,"))
    assert_same(recorded.comparable(simulated), real)


def test_azure_transcription_failure(recorded: Recorded) -> None:
    trace = recorded("ga_azure_vad_transcription_failed")
    real = list(sent_by(trace, "server"))
    said = next(event["transcript"] for event in real if event["type"] == "response.output_audio_transcript.done")
    model = real[0]["session"]["model"]
    driver = Driver(
        json.dumps({"responses": [{"output": [{"say": said}]}], "user_turns": [{"fails": "DeploymentNotFound"}]}),
        model=model,
    )
    driver.run(0.1)
    driver.feed(next(line["event"] for line in trace if line["dir"] == "client"))
    start_ms, end_ms = (
        next(event[name] for event in real if name in event) for name in ("audio_start_ms", "audio_end_ms")
    )
    driver.hear(silence(start_ms + 300 - 64), tone(end_ms - 7 * 32 - (start_ms + 300 - 64)), chunk_ms=32)
    driver.hear(silence(4000))
    failed = only(driver.events(), f"{_ASYNCHRONOUS}failed")
    recorded_failure = only(real, f"{_ASYNCHRONOUS}failed")
    assert failed["error"] | {"message": ""} == recorded_failure["error"] | {"message": ""}
    simulated = recorded.comparable(driver.events())
    for event in real:  # Azure says `part` twice
        event.pop("content", None)
    assert_same(simulated, real)


def test_beta_dialect(recorded: Recorded) -> None:
    real = list(sent_by(recorded("beta_openai_webrtc_bargein_after_response_done"), "server"))
    greeting, answer = (event["transcript"] for event in real if event["type"] == "response.audio_transcript.done")
    item = next(event["item"] for event in real if event["type"] == "conversation.item.created")
    driver = Driver(
        json.dumps({"responses": [{"output": [{"say": greeting}]}, {"output": [{"say": answer}]}]}),
        ProviderSettings(dialect="beta"),
        model="gpt-4o-realtime-preview-2024-12-17",
    )
    driver.run(0.1)
    asked = real[1]["session"]
    transcription = {"model": "whisper-1", "language": "en"}
    names = ("instructions", "tools", "voice", "modalities", "tool_choice")
    update = {name: asked[name] for name in names if name in asked}
    driver.send("session.update", session=update | {"input_audio_transcription": transcription})
    driver.send("conversation.item.create", item={name: item[name] for name in ("id", "type", "role", "content")})
    driver.send("response.create")
    driver.run(3)
    driver.hear(silence(3200 - 64), tone(3520 - 7 * 32 - (3200 - 64)), chunk_ms=32)
    driver.hear(silence(4000))
    simulated = recorded.comparable(e for e in driver.events() if e["type"] != "conversation.created")
    # The recording is of WebRTC, whose server also plays; here the client does.
    real = [
        event
        for event in real
        if not event["type"].startswith("output_audio_buffer") and event["type"] != "conversation.item.truncated"
    ]
    rtc_only = [event for event in real if event["type"] != "response.audio.delta"]
    ours = [event for event in simulated if event["type"] != "response.audio.delta"]
    assert sorted(ours[0]["session"]) == sorted(real[0]["session"])
    assert_same(ours[2:], rtc_only[2:])
