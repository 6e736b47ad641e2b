"""The simulated GPT-Live: its forms, its clock, what it takes and what it refuses, what it says and delegates."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from openai.types.live import ServerEvent
from pydantic import TypeAdapter

from adapters.simulator.providers.live.core import LiveClosing, LiveCore
from adapters.simulator.providers.live.script import LiveFault, LiveRule, LiveScenario
from adapters.simulator.speech import read_samples, wav_path

SERVER_EVENT: TypeAdapter[object] = TypeAdapter(ServerEvent)
FRAME_MS = 20
QUIET = b"\xff" * 160
SCENARIO = LiveScenario(
    user_turns=("Hello, where is my order?", "And the weather in Berlin and Paris?"),
    rules=(
        LiveRule(
            heard="order", say="One second, please.", calls=(("order_status", {"number": "42"}),), then="It comes."
        ),
        LiveRule(
            heard="weather", calls=(("weather", {"city": "Berlin"}), ("weather", {"city": "Paris"})), then="Sunny."
        ),
    ),
)
RESPONSES = {"type": "responses", "responses": {"model": "gpt-5"}}


class Client:
    """Drives a core and checks the form of everything that comes back."""

    def __init__(self, scenario: LiveScenario = SCENARIO, delegation: dict[str, Any] | None = None) -> None:
        self.core = LiveCore(scenario)
        self.events: list[dict[str, Any]] = []
        self.closing: LiveClosing | None = None
        self.delegation = delegation or RESPONSES

    def send(self, **event: Any) -> list[dict[str, Any]]:
        before = len(self.events)
        for out in self.core.receive(json.dumps(event)):
            if isinstance(out, LiveClosing):
                self.closing = out
            else:
                if out["type"] != "session.output_audio.delta":
                    SERVER_EVENT.validate_python(out)
                self.events.append(out)
        return self.events[before:]

    def start(self, **more: Any) -> Client:
        audio = {"format": {"type": "audio/pcmu", "rate": 8000}}
        session = {"model": "gpt-live-1", "audio": audio, "delegation": self.delegation, **more}
        self.send(type="session.start", session=session, event_id="e0")
        return self

    def hear(self, payload: bytes) -> Client:
        self.send(type="session.input_audio.append", audio=base64.b64encode(payload).decode())
        return self

    def wait(self, duration_ms: int) -> Client:
        for _ in range(duration_ms // FRAME_MS):
            self.hear(QUIET)
        return self

    def speak(self, line: str) -> Client:
        from adapters.audio.g711 import mulaw_encode

        payload = mulaw_encode(read_samples(wav_path(line), 8000))
        for at in range(0, len(payload), 160):
            self.hear(payload[at : at + 160])
        return self

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["type"] == kind]

    def nested(self) -> list[str]:
        return [each["event"]["type"] for each in self.of("response.event")]

    def refusals(self) -> list[str]:
        return [each["error"]["code"] for each in self.of("error")]


def loud_ms(client: Client) -> int:
    from adapters.audio.g711 import mulaw_decode

    chunks = [base64.b64decode(each["delta"]) for each in client.of("session.output_audio.delta")]
    return 100 * sum(int(abs(mulaw_decode(chunk)).max()) > 500 for chunk in chunks)


def test_a_passive_socket_hears_nothing_and_the_first_event_must_be_the_start() -> None:
    client = Client()
    client.send(type="session.commentary.append", content="Hello", delegation_id=None, event_id="e1")
    assert client.refusals() == ["session_not_started"]
    assert client.events[0]["error"]["client_event_id"] == "e1"


def test_without_audio_nothing_happens() -> None:
    client = Client().start()
    client.send(type="session.commentary.append", content="Hello! How can I help you?", delegation_id=None)
    assert [each["type"] for each in client.events] == ["session.started"]
    client.wait(3000)
    assert client.of("session.commentary.appended")
    assert loud_ms(client) > 800
    assert client.core.stats.utterances == ["Hello! How can I help you?"]


def test_audio_out_is_as_long_as_audio_in_silence_included() -> None:
    client = Client().start().wait(5000)
    assert len(client.of("session.output_audio.delta")) == 50
    assert loud_ms(client) == 0


def test_a_round_of_tools_goes_on_when_every_output_is_there() -> None:
    client = Client().start().speak("caller_where_is_it").wait(1600)
    assert client.core.stats.turns == 1
    assert client.nested() == [
        "response.created", "response.output_item.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    call = client.of("response.event")[2]["event"]["item"]
    assert (call["name"], call["arguments"]) == ("order_status", '{"number":"42"}')
    client.send(type="response.create")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "shipped"}
    client.send(type="response.item.create", item=output)
    client.send(type="response.item.create", item=output)
    client.send(type="response.create")
    assert client.refusals() == ["missing_function_call_output", "invalid_call_id"]
    client.wait(3000)
    assert client.nested()[-2:] == ["response.created", "response.completed"]
    assert client.core.stats.utterances[-1] == "It comes."
    client.send(type="response.create")
    assert client.refusals()[-1] == "nothing_to_continue"


def test_a_partial_batch_is_refused() -> None:
    client = Client(LiveScenario(user_turns=("weather",), rules=SCENARIO.rules)).start()
    client.speak("caller_two_cities").wait(1600)
    calls = [
        e["event"]["item"]["call_id"] for e in client.of("response.event") if "call_id" in e["event"].get("item", {})
    ]
    assert len(calls) == 2
    client.send(type="response.item.create", item={"type": "function_call_output", "call_id": calls[0], "output": ""})
    client.send(type="response.create")
    assert client.refusals() == ["missing_function_call_output"]


def test_the_calls_of_a_failed_response_are_nothing() -> None:
    faults = (LiveFault(kind="fail_response"),)
    client = Client(LiveScenario(user_turns=("order",), rules=SCENARIO.rules, faults=faults)).start()
    client.speak("caller_where_is_it").wait(1600)
    assert client.nested()[-1] == "response.failed"
    call = client.of("response.event")[2]["event"]["item"]["call_id"]
    client.send(type="response.item.create", item={"type": "function_call_output", "call_id": call, "output": ""})
    assert client.refusals() == ["invalid_call_id"]


def test_work_for_the_application_has_no_task_text_and_is_answered_by_its_delegation() -> None:
    rules = (LiveRule(heard="order", asks_client=True),)
    client = Client(LiveScenario(user_turns=("order",), rules=rules), {"type": "client"}).start()
    client.speak("caller_where_is_it").wait(1600)
    (created,) = client.of("session.delegation.created")
    assert set(created["delegation"]) == {"id", "type", "target"}
    client.send(type="response.create")
    client.send(type="session.commentary.append", content="No.", delegation_id="item_of_nobody")
    assert client.refusals() == ["invalid_request", "invalid_delegation_id"]
    client.send(type="session.commentary.append", content="At the door.", delegation_id=created["delegation"]["id"])
    client.wait(1500)
    assert client.core.stats.utterances == ["At the door."]


def test_a_model_that_is_talked_over_stops_by_itself_a_while_later() -> None:
    client = Client().start()
    client.send(type="session.commentary.append", content="word " * 60, delegation_id=None)
    client.wait(2000)
    assert loud_ms(client) > 500
    client.speak("caller_returns")
    assert client.core.stats.cut == 1


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "input_audio.commit"}, "invalid_value"),
        ({"type": "session.close", "reason": "x"}, "unknown_parameter"),
        ({"type": "session.thinking.append", "content": "x"}, "missing_required_parameter"),
        ({"type": "session.thinking.append", "content": "x" * 3000, "delegation_id": None}, "string_above_max_length"),
        ({"type": "session.thinking.append", "content": "x", "delegation_id": "item"}, "invalid_delegation_id"),
        ({"type": "session.input_audio.append", "audio": "?"}, "invalid_value"),
        ({"type": "session.start", "session": {"model": "m"}}, "session_already_started"),
        ({"type": "session.update", "session": {"voice": "x"}}, "immutable_parameter"),
        ({"type": "session.update", "session": {"delegation": {"type": "client"}}}, "immutable_parameter"),
        ({"type": "response.item.create", "item": {"type": "x"}}, "invalid_value"),
        ({"type": "response.create", "response": {}}, "unknown_parameter"),
    ],
)
def test_what_is_not_right_is_refused_by_name(event: dict[str, Any], code: str) -> None:
    client = Client().start()
    client.send(**event)
    assert client.refusals() == [code]


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({}, "session.model"),
        ({"model": "m", "voice": "marin"}, "session.voice"),
        ({"model": "m", "audio": {"input": {}}}, "session.audio.input"),
        ({"model": "m", "audio": {"format": {"type": "audio/pcm", "rate": 8000}}}, "session.audio.format.rate"),
        ({"model": "m", "delegation": {"type": "responses"}}, "session.delegation.responses.model"),
        ({"model": "m", "input": [{"role": "system", "content": [{"text": "x"}]}]}, "session.input[0]"),
    ],
)
def test_a_session_that_cannot_be_started_is_refused_by_its_field(session: dict[str, Any], param: str) -> None:
    client = Client()
    client.send(type="session.start", session=session)
    assert [each["error"]["param"] for each in client.of("error")] == [param]


def test_a_fixture_interrupts_the_model_and_appends_are_refused_meanwhile() -> None:
    client = Client().start()
    client.send(type="session.output_audio.fixture.play", audio=base64.b64encode(bytes(48_000)).decode())
    client.send(type="session.commentary.append", content="x", delegation_id=None)
    assert client.refusals() == ["fixture_active"]
    client.wait(1500)
    assert client.of("session.output_audio.fixture.played")


def test_muted_input_is_not_heard() -> None:
    client = Client().start()
    client.send(type="session.input_audio.mute")
    client.speak("caller_where_is_it").wait(1600)
    assert client.of("session.input_audio.muted")
    assert client.core.stats.turns == 0


@pytest.mark.parametrize(
    ("fault", "reason", "code"),
    [("expire", "expired", 1000), ("close_for_content", "content", 1000), ("close", "", 1011)],
)
def test_a_session_ends_by_itself(fault: Any, reason: str, code: int) -> None:
    client = Client(LiveScenario(faults=(LiveFault(kind=fault, at_ms=1000),))).start().wait(2000)
    assert [each["reason"] for each in client.of("session.closed")] == ([reason] if reason else [])
    assert client.closing is not None
    assert client.closing.code == code


def test_a_session_that_is_closed_says_what_it_cost() -> None:
    client = Client().start().wait(16_000)
    assert client.of("session.usage.updated")
    client.send(type="session.close")
    (closed,) = client.of("session.closed")
    assert (closed["reason"], closed["usage"]["seconds"]) == ("close_requested", 16.0)
    assert client.closing == LiveClosing(1000, "close_requested")


def test_a_mute_model_goes_on_with_silence() -> None:
    client = Client(LiveScenario(faults=(LiveFault(kind="mute"),))).start()
    client.send(type="session.commentary.append", content="Hello", delegation_id=None)
    client.wait(3000)
    assert loud_ms(client) == 0
    assert len(client.of("session.output_audio.delta")) == 30
