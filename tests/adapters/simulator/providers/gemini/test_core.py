"""The simulated Gemini Live: what it takes and refuses, the order of a turn, calls, interruptions, handles, ends."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.providers.gemini.codec import GeminiCodec
from adapters.providers.gemini.protocol import audio_message
from adapters.providers.gemini.session import GeminiSettings, setup_object
from adapters.providers.provider import DecodeFailure
from adapters.simulator.providers.gemini import GeminiCore, GeminiFault, GeminiRule, GeminiScenario
from adapters.simulator.providers.gemini.checks import GeminiClosing
from adapters.simulator.providers.gemini.core import GeminiMemory
from adapters.simulator.providers.gemini.script import load_gemini_scenario
from adapters.simulator.speech import read_samples, wav_path

OLD, NEW = "gemini-2.5-flash-native-audio-preview", "gemini-3.8-live"
TOOL = {"name": "order_status", "parameters": {"type": "object", "properties": {"number": {"type": "string"}}}}
ORDER = GeminiRule(heard="order", calls=(("order_status", {"number": "42"}),), then="It comes tomorrow.")
QUIET = b"\0" * 640


class Client:
    """Drives a core through time; what comes back is kept by key, and read by the codec, too."""

    def __init__(
        self,
        *faults: GeminiFault,
        model: str = OLD,
        memory: GeminiMemory | None = None,
        settings: dict[str, Any] | None = None,
        setup: dict[str, Any] | None = None,
        **scenario: Any,
    ) -> None:
        self.core = GeminiCore(GeminiScenario(faults=faults, **scenario), memory=memory)
        self.now_s = 0.0
        self.got: list[dict[str, Any]] = []
        self.at_s: list[float] = []
        self.closing: GeminiClosing | None = None
        self.codec = GeminiCodec("g", holds_audio_at_tools=True)
        asked = GeminiSettings(model=model, tools=[TOOL], **(settings or {}))
        self.send(setup={**setup_object(asked), **(setup or {})})

    def take(self, outs: list[Any]) -> None:
        for out in outs:
            if isinstance(out, GeminiClosing):
                self.closing = out
                continue
            self.got.append(out)
            self.at_s.append(self.now_s)
            for decoded in self.codec.heard(orjson.dumps(out), self.now_s):
                assert not isinstance(decoded, DecodeFailure)

    def send(self, **message: Any) -> Client:
        self.take(self.core.receive(orjson.dumps(message), self.now_s))
        return self

    def text(self, text: str) -> Client:
        return self.send(realtimeInput={"text": text})

    def wait(self, duration_s: float) -> Client:
        end_s = self.now_s + duration_s
        while (due_s := self.core.next_deadline()) is not None and due_s <= end_s:
            self.now_s = max(self.now_s, due_s)
            self.take(self.core.advance(due_s))
        self.now_s = end_s
        return self

    def hear(self, payload: bytes) -> Client:
        self.take(self.core.receive(audio_message(payload), self.now_s))
        return self.wait(0.02)

    def quiet(self, duration_s: float) -> Client:
        for _ in range(round(duration_s * 50)):
            self.hear(QUIET)
        return self

    def speak(self, line: str = "caller_where_is_it") -> Client:
        payload = read_samples(wav_path(line), 16000).astype("<i2").tobytes()
        for at in range(0, len(payload) - 640, 640):
            self.hear(payload[at : at + 640])
        return self

    def respond(self, *calls: dict[str, Any]) -> Client:
        responses = [{**each, "response": {"output": "ok"}} for each in calls]
        return self.send(toolResponse={"functionResponses": responses})

    def kinds(self) -> list[str]:
        """What came, in order; runs of audio are one."""
        found: list[str] = []
        for message in self.got:
            for key, body in message.items():
                names = list(body) if key == "serverContent" else [key]
                names = [name for name in names if name not in ("outputTranscription", "usageMetadata")]
                found += [name for name in names if name != "modelTurn" or found[-1:] != ["modelTurn"]]
        return [name for name in found if name not in ("sessionResumptionUpdate", "inputTranscription")]

    def calls(self) -> list[dict[str, Any]]:
        return [each for message in self.got for each in message.get("toolCall", {}).get("functionCalls", [])]

    def handles(self) -> list[dict[str, Any]]:
        return [message["sessionResumptionUpdate"] for message in self.got if "sessionResumptionUpdate" in message]


def heard(call: dict[str, Any]) -> dict[str, Any]:
    return {key: call[key] for key in ("id", "name") if key in call}


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"setup": {"model": "models/m", "toolConfig": {}}}, "toolConfig"),
        ({"setup": {"model": "m"}}, "setup.model"),
        ({"setup": {"model": "models/m", "generationConfig": {"responseModalities": ["TEXT"]}}}, "responseModalities"),
        ({"setup": {"model": "models/m", "inputAudioTranscription": {"languageCode": "de"}}}, "languageCode"),
        ({"setup": {"model": "models/m", "sessionResumption": "h"}}, "sessionResumption"),
        ({"realtimeInput": {"text": "Hi"}}, "first message"),
        ({"setup": {}, "realtimeInput": {}}, "root"),
        ({"response.create": {}}, "root"),
        ({"setup": 7}, "not an object"),
    ],
)
def test_a_first_message_that_is_no_setup_ends_the_session(message: dict[str, Any], why: str) -> None:
    core = GeminiCore(GeminiScenario())
    (closing,) = core.receive(orjson.dumps(message), 0.0)
    assert isinstance(closing, GeminiClosing)
    assert closing.code == 1007
    assert why in closing.reason
    assert core.receive(b"{}", 0.0) == []
    assert core.next_deadline() is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            {"automaticActivityDetection": {"endOfSpeechSensitivity": "END_SENSITIVITY_MEDIUM"}},
            "endOfSpeechSensitivity",
        ),
        ({"automaticActivityDetection": {"silence": 1}}, "silence"),
    ],
)
def test_a_detection_that_is_not_known_is_refused(given: dict[str, Any], why: str) -> None:
    client = Client(setup={"realtimeInputConfig": given})
    assert client.closing is not None
    assert why in client.closing.reason


@pytest.mark.parametrize(
    "tools",
    [
        [{"functionDeclarations": [{"description": "nameless"}]}],
        [{"functionDeclarations": [{"name": "f", "type": "function"}]}],
        [{"functionDeclarations": [{"name": "f", "parameters": {"additionalProperties": False}}]}],
        [{"name": "f"}],
    ],
)
def test_tools_in_another_form_are_refused(tools: list[Any]) -> None:
    assert Client(setup={"tools": tools}).closing is not None


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"setup": {"model": "models/m", "generationConfig": {"responseModalities": ["AUDIO"]}}}, "first message"),
        ({"realtimeInput": {"activityStart": {}}}, "activity control"),
        ({"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm"}}}, "base64"),
        ({"realtimeInput": {"audio": {"data": "AAA=", "mimeType": "audio/pcmu"}}}, "base64"),
        ({"realtimeInput": {"audio": {"data": 7, "mimeType": "audio/pcm"}}}, "base64"),
        ({"realtimeInput": {"mediaChunks": []}}, "exactly one"),
        ({"realtimeInput": {"text": "a", "activityEnd": {}}}, "exactly one"),
        ({"clientContent": {"turns": [{"role": "system", "parts": [{}]}]}}, "user or model"),
        ({"clientContent": {"turns": [{"role": None, "parts": [{}]}]}}, "user or model"),
        ({"clientContent": {"turns": 7}}, "user or model"),
        ({"toolResponse": {"functionResponses": []}}, "functionResponses"),
        ({"toolResponse": {"functionResponses": [{"id": "c", "name": "n", "response": "text"}]}}, "object"),
    ],
)
def test_what_is_not_taken_ends_the_session(message: dict[str, Any], why: str) -> None:
    client = Client().send(**message)
    assert client.closing is not None
    assert client.closing.code == 1007
    assert why in client.closing.reason


def test_a_turn_is_sent_faster_than_it_is_heard_and_complete_when_it_has_been_heard() -> None:
    client = Client().text("Greet the caller: Hello! How can I help you?").wait(10)
    assert client.kinds() == ["setupComplete", "modelTurn", "generationComplete", "turnComplete"]
    when = {
        key: at for message, at in zip(client.got, client.at_s, strict=True) for key in message.get("serverContent", {})
    }
    audio = [
        m["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
        for m in client.got
        if "modelTurn" in m.get("serverContent", {})
    ]
    spoken_s = sum(len(base64.b64decode(each["data"])) for each in audio) / 48_000
    assert audio[0]["mimeType"] == "audio/pcm;rate=24000"
    assert when["generationComplete"] - 0.4 == pytest.approx(spoken_s / 10, abs=0.05)
    assert when["turnComplete"] - 0.4 == pytest.approx(spoken_s, abs=0.11)
    words = "".join(
        m["serverContent"]["outputTranscription"]["text"]
        for m in client.got
        if "outputTranscription" in m.get("serverContent", {})
    )
    assert words.strip() == "Hello! How can I help you?"
    assert [each["resumable"] for each in client.handles()] == [True, False, True]


def test_the_caller_is_heard_and_answered() -> None:
    client = Client(user_turns=("Tell me the time",), setup={"explicitVadSignal": True}).speak().quiet(3)
    assert client.core.stats.turns == 1
    words = [
        m["serverContent"]["inputTranscription"]["text"]
        for m in client.got
        if "inputTranscription" in m.get("serverContent", {})
    ]
    assert words == [" Tell me the", " time"]
    assert client.kinds()[:4] == ["setupComplete", "voiceActivity", "voiceActivity", "modelTurn"]


def test_a_caller_who_talks_over_an_answer_interrupts_it() -> None:
    client = Client().text("go on").wait(0.6).speak()
    assert client.kinds() == [
        "setupComplete", "modelTurn", "generationComplete", "interrupted", "turnComplete",
    ]  # fmt: skip
    assert client.core.stats.cut == 1
    polite = (
        Client(setup={"realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}}).text("go on").wait(0.6).speak()
    )
    assert "interrupted" not in polite.kinds()


def test_an_interruption_before_all_is_sent_has_no_generation_complete() -> None:
    client = Client(
        GeminiFault(kind="late_audio"), GeminiFault(kind="interrupt_twice"), burst=1
    ).text("go on").wait(0.8).text("stop")  # fmt: skip
    assert client.kinds() == [
        "setupComplete", "modelTurn", "interrupted", "interrupted", "modelTurn", "turnComplete",
    ]  # fmt: skip


def test_owned_turns_are_said_and_never_found() -> None:
    client = (
        Client(setup={"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}, user_turns=("Hello",))
        .speak()
        .quiet(1)
    )
    assert client.core.stats.turns == 0
    client.send(realtimeInput={"activityEnd": {}})  # without a start it is nothing
    assert client.core.stats.turns == 0
    client.send(realtimeInput={"activityStart": {}}).send(realtimeInput={"activityEnd": {}}).wait(1)
    assert client.core.stats.turns == 1
    assert "modelTurn" in client.kinds()
    client.send(realtimeInput={"audioStreamEnd": True})
    assert client.closing is not None


def test_the_end_of_the_microphone_ends_a_turn() -> None:
    client = Client().speak("caller_where_is_it")
    client.hear((b"\x00\x40\x00\xc0" * 160) * 8)
    turns = client.core.stats.turns
    client.send(realtimeInput={"audioStreamEnd": True})
    assert client.core.stats.turns == turns + 1


def test_history_begins_an_answer_only_with_older_models() -> None:
    turns = {"turns": [{"role": "user", "parts": [{"text": "Hello"}]}], "turnComplete": True}
    assert "modelTurn" in Client().send(clientContent=turns).wait(1).kinds()
    assert "modelTurn" not in Client(model=NEW).send(clientContent=turns).wait(1).kinds()
    assert "modelTurn" not in Client().send(clientContent={**turns, "turnComplete": False}).wait(1).kinds()
    assert Client(model=NEW).send(contextUpdate={}).closing is None


def test_a_call_holds_an_older_model_up_and_its_result_is_told() -> None:
    client = Client(rules=(ORDER,)).text("my order").wait(2)
    (call,) = client.calls()
    assert (call["name"], call["args"]) == ("order_status", {"number": "42"})
    assert client.handles()[-1]["resumable"] is False
    client.respond(heard(call)).wait(5)
    assert client.kinds() == ["setupComplete", "toolCall", "modelTurn", "generationComplete", "turnComplete"]
    client.respond(heard(call))
    assert client.core.stats.ignored == [call["id"]]


@pytest.mark.parametrize(("model", "strict", "closes"), [(OLD, True, True), (OLD, False, False), (NEW, True, False)])
def test_audio_in_a_call_that_holds_the_model_up_ends_the_session(model: str, strict: bool, closes: bool) -> None:
    client = Client(rules=(ORDER,), model=model, strict_audio=strict).text("my order").wait(0.5).hear(QUIET)
    assert client.closing is None  # it was under way
    client.wait(1).hear(QUIET)
    assert (client.closing is not None and client.closing.code == 1008) is closes


def test_calls_that_were_cut_off_are_cancelled() -> None:
    client = Client(GeminiFault(kind="cancel_calls"), rules=(ORDER,)).text("my order").wait(2)
    (call,) = client.calls()
    assert {"toolCallCancellation": {"ids": [call["id"]]}} in client.got
    client.respond(heard(call)).wait(3)
    assert "modelTurn" not in client.kinds()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("twice_called", ["toolCall", "toolCall", "modelTurn", "generationComplete", "turnComplete"]),
        ("nameless_call", ["toolCall", "modelTurn", "generationComplete", "turnComplete"]),
        ("phantom_turn", ["toolCall", "modelTurn", "generationComplete", "turnComplete"]),
        ("silent_after_tool", ["toolCall"]),
    ],
)
def test_faults_of_calls(kind: Any, expected: list[str]) -> None:
    client = Client(GeminiFault(kind=kind), rules=(ORDER,)).text("my order").wait(2)
    client.respond(heard(client.calls()[0])).wait(5)
    assert client.kinds() == ["setupComplete", *expected]
    assert ("id" in client.calls()[0]) is (kind != "nameless_call")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("empty_turn", ["turnComplete"]),
        ("failed_turn", ["turnComplete", "turnCompleteReason"]),
        ("cut_short", ["modelTurn", "turnComplete"]),
        ("no_turn_complete", ["modelTurn", "generationComplete"]),
    ],
)
def test_faults_of_turns_happen_once(kind: Any, expected: list[str]) -> None:
    client = Client(GeminiFault(kind=kind)).text("Say: Hello.").wait(5)
    assert client.kinds() == ["setupComplete", *expected]
    whole = ["modelTurn", "generationComplete", "turnComplete"]
    assert client.text("Say: Hello.").wait(5).kinds()[-3:] == whole


def test_a_rule_without_words_and_calls_is_an_empty_turn() -> None:
    client = Client(rules=(GeminiRule(heard="hm"),)).text("hm").wait(2)
    assert client.kinds() == ["setupComplete", "turnComplete"]


def test_a_connection_is_told_to_go_away_before_it_ends() -> None:
    client = Client(GeminiFault(kind="go_away", at_ms=1000), warns_ms=2000).wait(1)
    assert client.got[-1] == {"goAway": {"timeLeft": "2s"}}
    assert client.closing is None
    client.wait(2)
    assert client.closing == GeminiClosing(1011, "Deadline expired")
    assert Client(lasts_ms=5000, warns_ms=1000).wait(4).got[-1] == {"goAway": {"timeLeft": "1s"}}
    closed = Client(GeminiFault(kind="close", at_ms=500, code=1008)).wait(1)
    assert closed.closing is not None
    assert closed.closing.code == 1008


def test_a_session_is_taken_up_by_a_handle_that_was_given() -> None:
    memory = GeminiMemory([])
    first = Client(memory=memory)
    handle = first.handles()[-1]["newHandle"]
    assert Client(memory=memory, setup={"sessionResumption": {"handle": handle}}).closing is None
    wrong = Client(memory=memory, setup={"sessionResumption": {"handle": "stale"}})
    assert wrong.closing == GeminiClosing(1007, "Invalid session resumption handle.")
    refused = Client(GeminiFault(kind="refuse_handle"), memory=memory, setup={"sessionResumption": {"handle": handle}})
    assert refused.closing == GeminiClosing(1007, "Invalid session resumption handle.")
    assert Client(settings={"resumes": False}).handles() == []


def test_a_setup_may_be_refused_or_left_without_an_answer() -> None:
    assert Client(GeminiFault(kind="reject_setup")).closing is not None
    silent = Client(GeminiFault(kind="no_setup"))
    assert (silent.got, silent.closing) == ([], None)
    assert silent.text("Hello").closing == GeminiClosing(1007, "nothing may be sent before setupComplete")


def test_a_scenario_is_read_from_a_file_and_a_wrong_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("user_turns: [Hello]\nrules: [{heard: order, calls: [[f, {a: 1}]], then: Here.}]\n")
    scenario = load_gemini_scenario(path)
    assert scenario.rules[0].calls == (("f", {"a": 1}),)
    path.write_text("user_turn: [Hello]\n")
    with pytest.raises(ValueError, match="user_turn"):
        load_gemini_scenario(path)
