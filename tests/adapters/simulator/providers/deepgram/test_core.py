"""The simulated Voice Agent: handshake, turns, what it withdraws and refuses; its messages are the SDK's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deepgram.agent.v1 import types as sdk

from adapters.audio.g711 import mulaw_encode
from adapters.providers.deepgram.session import DeepgramSettings, settings_message
from adapters.simulator.providers.deepgram.core import AgentClosing, AgentCore
from adapters.simulator.providers.deepgram.script import AgentFault, AgentRule, AgentScenario
from adapters.simulator.speech import read_samples, wav_path

UNTYPED = {"EndOfTurn"}
"""Seen, and not in the vendor's file."""
QUIET = b"\xff" * 160
SCENARIO = AgentScenario(
    user_turns=("Where is my order?",),
    rules=(AgentRule(heard="order", calls=(("look", {"n": 1}), ("find", {})), then="It comes tomorrow."),),
)


class Client:
    """Drives a core through time and checks the form of everything that comes back."""

    def __init__(self, scenario: AgentScenario = SCENARIO) -> None:
        self.core, self.now_s = AgentCore(scenario), 0.0
        self.events: list[dict[str, Any]] = []
        self.audio_bytes = 0
        self.closing: AgentClosing | None = None
        self._take(self.core.open(0.0))

    def _take(self, out: list[Any]) -> None:
        for each in out:
            if isinstance(each, AgentClosing):
                self.closing = each
            elif isinstance(each, bytes):
                self.audio_bytes += len(each)
            else:
                if each["type"] not in UNTYPED:
                    getattr(sdk, "AgentV1" + each["type"]).model_validate(each)
                self.events.append(each)

    def send(self, kind: str, **fields: Any) -> Client:
        self._take(self.core.receive(json.dumps({"type": kind, **fields}), self.now_s))
        return self

    def start(self, **settings: Any) -> Client:
        message = settings_message(DeepgramSettings(model="m", **settings))
        self._take(self.core.receive(json.dumps(message), self.now_s))
        return self

    def hear(self, payload: bytes) -> Client:
        for at in range(0, len(payload), 160):
            self._take(self.core.receive(payload[at : at + 160], self.now_s))
            self.now_s += 0.02
        return self

    def wait(self, duration_ms: int) -> Client:
        return self.hear(QUIET * (duration_ms // 20))

    def speak(self, line: str = "caller_where_is_it") -> Client:
        return self.hear(mulaw_encode(read_samples(wav_path(line), 8000)))

    def pass_silently(self, duration_s: float) -> Client:
        end_s = self.now_s + duration_s
        while (at_s := self.core.next_deadline()) is not None and at_s <= end_s:
            self._take(self.core.due(at_s))
        self.now_s = end_s
        return self

    def kinds(self) -> list[str]:
        return [each["type"] for each in self.events]

    def errors(self) -> list[str]:
        return [each["code"] for each in self.events if each["type"] == "Error"]


def test_settings_come_once_and_first() -> None:
    assert Client().start().kinds() == ["Welcome", "SettingsApplied"]
    assert Client().send("KeepAlive").errors() == ["NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"]
    assert Client().hear(QUIET).errors() == ["BINARY_MESSAGE_BEFORE_SETTINGS"]
    again = Client().start().start()
    assert again.errors() == ["SETTINGS_ALREADY_APPLIED"]
    assert again.closing is not None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "Settings", "audio": {"input": {"encoding": "mulaw"}}, "agent": {}}, "INVALID_SETTINGS"),
        ({"type": "Settings", "agent": {}}, "UNPARSABLE_CLIENT_MESSAGE"),
        ({"type": "Nothing"}, "UNPARSABLE_CLIENT_MESSAGE"),
    ],
)
def test_what_is_not_right_ends_the_session(message: dict[str, Any], code: str) -> None:
    client = Client()
    client.send(**{"kind": message["type"], **{key: value for key, value in message.items() if key != "type"}})
    assert client.errors() == [code]


def test_calls_are_speculative_and_the_answer_waits_for_every_output() -> None:
    client = Client().start().speak().wait(1500)
    assert client.kinds()[2:6] == ["UserStartedSpeaking", "FunctionCallRequest", "ConversationText", "EndOfTurn"]
    first, second = (each["id"] for each in client.events[3]["functions"])
    client.send("FunctionCallResponse", id=first, name="look", content="{}").wait(2000)
    assert client.core.stats.utterances == []
    client.send("FunctionCallResponse", id="unknown", name="look", content="{}")
    client.send("FunctionCallResponse", id=second, name="find", content="{}").wait(4000)
    assert client.core.stats.utterances == ["It comes tomorrow."]
    assert client.kinds()[-1] == "AgentAudioDone"
    assert client.audio_bytes > 8000


def test_a_call_that_is_deferred_waits_for_the_end_of_the_turn_to_be_certain() -> None:
    tools = [{"name": "look"}, {"name": "find"}]
    client = Client().start(tools=tools, deferred=frozenset({"find"})).speak().wait(3000)
    kinds = [kind for kind in client.kinds() if kind in ("ConversationText", "FunctionCallRequest")]
    assert kinds == ["FunctionCallRequest", "ConversationText", "FunctionCallRequest"]
    first, second = (each["functions"] for each in client.events if each["type"] == "FunctionCallRequest")
    assert [each["name"] for each in (*first, *second)] == ["look", "find"]
    for each in (*first, *second):
        client.send("FunctionCallResponse", id=each["id"], name=each["name"], content="{}")
    assert client.wait(3000).core.stats.utterances == ["It comes tomorrow."]


def test_a_caller_who_goes_on_has_the_calls_withdrawn() -> None:
    client = Client().start().speak().wait(1500).speak()
    at = client.kinds().index("FunctionCallCancelled")
    assert client.kinds()[at - 1] == "UserStartedSpeaking"
    assert len(client.events[at]["functions"]) == 2


def test_an_answer_that_is_talked_over_is_dropped_and_a_little_still_comes() -> None:
    client = Client(AgentScenario(user_turns=("x",), late_ms=160)).start()
    client.send("InjectAgentMessage", message="word " * 80, behavior="queue").wait(200)
    client.speak()
    assert client.core.stats.cut == 1
    assert "AgentAudioDone" not in client.kinds()


def test_silence_on_the_wire_ends_the_session_and_keep_alive_does_not_let_it() -> None:
    client = Client().start().pass_silently(9).send("KeepAlive").pass_silently(9)
    assert client.errors() == []
    assert client.pass_silently(2).errors() == ["CLIENT_MESSAGE_TIMEOUT"]


def test_injections_are_refused_in_a_turn_or_by_the_scenario() -> None:
    client = Client().start().send("InjectAgentMessage", message="word " * 40)
    assert client.send("InjectAgentMessage", message="x").kinds()[-1] == "InjectionRefused"
    client = Client(AgentScenario(faults=(AgentFault(kind="refuse_injections"),))).start()
    assert client.send("InjectUserMessage", content="x").kinds()[-1] == "InjectionRefused"


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        ("expiring", "Warning"),
        ("false_alarm", "UserStartedSpeaking"),
        ("going_away", "Error"),
        ("close", "SettingsApplied"),
    ],
)
def test_faults_strike_on_demand(kind: Any, last: str) -> None:
    client = Client(AgentScenario(faults=(AgentFault(kind=kind, at_ms=500),))).start().wait(1000)
    assert client.kinds()[-1] == last
    assert (client.closing is not None) == (kind in ("going_away", "close"))
