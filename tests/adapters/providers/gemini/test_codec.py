"""One session as it is read and spoken: answers are found, late audio is dropped, what must wait waits."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.providers.gemini.codec import LATE_S, MOST_EARLY, OF_SESSION, OF_SETUP, GeminiCodec
from adapters.providers.gemini.messages import MOST_CALLS
from adapters.providers.gemini.open_calls import HELD_MS, MOST_OPEN
from adapters.providers.gemini.protocol import note_of
from adapters.providers.provider import AudioDelta, DecodeFailure

LOUD = base64.b64encode(b"\x01\x02" * 4).decode()
FRAME = b"\x00\x01" * 320


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


def spoken(data: str = LOUD) -> dict[str, Any]:
    return {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}]}}


def call(call_id: str | None, name: str = "look_up", **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args} | ({} if call_id is None else {"id": call_id})


class Session:
    """A codec whose setup is complete, and what came of each message: types, and the ids of audio."""

    def __init__(self, *, holds: bool = True, ready: bool = True) -> None:
        self.codec = GeminiCodec("g1", holds_audio_at_tools=holds)
        self.now_s = 0.0
        if ready:
            self.say("setup", {})
            self.hear({"setupComplete": {"sessionId": "s"}})

    def hear(self, message: Mapping[str, Any]) -> list[Any]:
        return list(self.codec.heard(orjson.dumps(message), self.now_s, binary=True))

    def types(self, *messages: Mapping[str, Any]) -> list[str]:
        return [
            f"audio {each.item_id}" if isinstance(each, AudioDelta) else str(each["type"])
            for message in messages
            for each in self.hear(message)
        ]

    def say(self, key: str, body: Mapping[str, Any]) -> list[Any]:
        return [orjson.loads(frame) for frame in self.codec.told({"type": key, key: body})]

    def respond(self, *call_ids: str) -> list[Any]:
        return self.say(
            "toolResponse", {"functionResponses": [{"id": each, "name": "n", "response": {}} for each in call_ids]}
        )


def test_a_turn_is_an_answer_that_has_a_beginning_and_one_end() -> None:
    session = Session()
    assert session.types(content(**spoken()), content(**spoken())) == [
        "turn.taken", "voice.began", "audio s_1", "audio s_1",
    ]  # fmt: skip
    assert session.types(content(generationComplete=True)) == ["voice.ended", "generationComplete"]
    (complete,) = session.hear(content(turnComplete=True))
    assert complete == {"type": "turnComplete", "reason": "", "outcome": "whole"}
    assert session.types(content(**spoken()), content(turnComplete=True)) == [
        "turn.taken", "voice.began", "audio s_2", "voice.ended", "turnComplete",
    ]  # fmt: skip


def test_several_things_in_one_message_are_understood_in_an_order_that_makes_sense() -> None:
    session = Session()
    message = {
        "usageMetadata": {},
        "serverContent": {
            "turnComplete": True, "generationComplete": True, "outputTranscription": {"text": "Hi"}, **spoken(),
            "inputTranscription": {"text": "Hello"},
        },
        "toolCall": {"functionCalls": [call("c1")]},
    }  # fmt: skip
    assert session.types(message) == [
        "inputTranscription", "turn.taken", "voice.began", "audio s_1", "outputTranscription", "voice.ended",
        "toolCall",
        "generationComplete", "turnComplete", "usageMetadata",
    ]  # fmt: skip


TEXT = {"realtimeInput": {"text": "Greet the caller."}}
WORDS = content(inputTranscription={"text": "Hello"})


@pytest.mark.parametrize(
    ("said", "messages", "expected"),
    [
        ({}, [content(**spoken())], "turn.taken voice.began audio"),
        (TEXT, [content(**spoken())], "voice.began audio"),  # our own turn is answered
        (TEXT, [WORDS, content(**spoken())], "inputTranscription turn.taken voice.began audio"),
        (
            {},
            [{"toolCall": {"functionCalls": [call("c1")]}}, content(**spoken())],
            "turn.taken toolCall voice.began audio",  # a phantom, of the same turn
        ),
        ({}, [content(turnComplete=True)], "turnComplete"),  # of noise
        ({}, [WORDS, content(turnComplete=True)], "inputTranscription turn.taken turnComplete"),
    ],
)
def test_a_turn_of_the_callers_is_taken_before_what_answers_it(
    said: dict[str, Any], messages: list[dict[str, Any]], expected: str
) -> None:
    session = Session()
    for key, body in said.items():
        session.say(key, body)
    assert [each.partition(" ")[0] for each in session.types(*messages)] == expected.split()


def test_what_follows_an_output_answers_no_new_turn() -> None:
    session = Session()
    session.hear({"toolCall": {"functionCalls": [call("c1")]}})
    session.respond("c1")
    assert session.types(content(**spoken())) == ["voice.began", "audio s_1"]


def test_an_interrupted_answer_is_over_and_its_late_audio_is_dropped() -> None:
    session = Session()
    session.hear(content(**spoken()))
    interrupted, ended = session.hear(content(interrupted=True, **spoken()))
    assert ended == {"type": "voice.ended", "speech_id": "s_1", "how": "interrupted"}
    assert interrupted == {"type": "interrupted", "speech_id": "s_1"}
    assert session.types(content(**spoken()), content(interrupted=True)) == ["interrupted"]
    (complete,) = session.hear(content(turnComplete=True))
    assert complete["outcome"] == "cut"
    assert session.types(content(**spoken())) == ["turn.taken", "voice.began", "audio s_2"]


def test_audio_is_late_for_a_second_where_no_turn_completes() -> None:
    session = Session()
    session.hear(content(**spoken()))
    session.hear(content(generationComplete=True))
    assert session.types(content(interrupted=True)) == ["interrupted"]
    session.now_s += LATE_S - 0.01
    assert session.types(content(**spoken())) == []
    session.now_s += 0.01
    assert session.types(content(**spoken())) == ["turn.taken", "voice.began", "audio s_2"]
    (_, complete) = session.hear(content(turnComplete=True))
    assert complete["outcome"] == "whole"


@pytest.mark.parametrize(
    ("messages", "reason", "outcome"),
    [
        ([], "", "empty"),
        ([], "NEED_MORE_INPUT", "empty"),
        ([], "RESPONSE_REJECTED", "failed"),
        ([content(**spoken())], "MALFORMED_FUNCTION_CALL", "failed"),
        ([{"toolCall": {"functionCalls": [call("c1")]}}], "", "called"),
        ([content(interrupted=True)], "", "cut"),
    ],
)
def test_what_a_turn_came_to(messages: list[dict[str, Any]], reason: str, outcome: str) -> None:
    session = Session()
    for message in messages:
        session.hear(message)
    *_, complete = session.hear(content(turnComplete=True, turnCompleteReason=reason))
    assert (complete["outcome"], complete["reason"]) == (outcome, reason)
    (complete,) = session.hear(content(turnComplete=True))
    assert complete["outcome"] == "empty"  # nothing of a turn is left to the next


def test_words_find_their_answer_and_their_turn_wherever_they_come() -> None:
    session = Session()
    (early,) = session.hear(content(outputTranscription={"text": "Hi"}))
    assert early["speech_id"] == "s_1"  # the text runs ahead of the audio
    session.hear(content(**spoken()))
    (late,) = session.hear(content(outputTranscription={"text": " there"}))
    assert late["speech_id"] == "s_1"
    session.hear(content(generationComplete=True))
    session.hear(content(inputTranscription={"text": "Where"}))
    (said,) = session.hear(content(inputTranscription={"text": " is it?", "finished": True}))
    assert said["turn"] == {"id": "s_turn_1", "text": "Where is it?"}
    assert session.types(content(inputTranscription={}, outputTranscription={"finished": True})) == []


def test_calls_are_given_with_ids_and_answered_by_name() -> None:
    session = Session()
    *_, event = session.hear({"toolCall": {"functionCalls": [call("c1", city="Bonn"), call(None, "stop")]}})
    assert event["calls"] == [
        {"id": "c1", "name": "look_up", "arguments": '{"city":"Bonn"}'},
        {"id": "s_call_2", "name": "stop", "arguments": "{}"},
    ]
    (sent,) = session.respond("c1")
    assert sent["toolResponse"]["functionResponses"] == [{"id": "c1", "name": "n", "response": {}}]
    (sent,) = session.respond("s_call_2")
    assert sent["toolResponse"]["functionResponses"] == [{"name": "n", "response": {}}]
    assert session.respond("c1") == []  # answered before


def test_a_cancelled_call_is_not_answered() -> None:
    session = Session()
    session.hear({"toolCall": {"functionCalls": [call("c1"), call("c2")]}})
    (event,) = session.hear({"toolCallCancellation": {"ids": ["c1", 7]}})
    assert event["calls"] == [{"id": "c1"}]
    assert session.respond("c1") == []
    assert len(session.respond("c2")) == 1


def test_audio_waits_for_the_last_output_of_a_call_that_holds_the_model_up() -> None:
    session = Session()
    assert session.codec.admitted(FRAME) == FRAME
    session.hear({"toolCall": {"functionCalls": [call("c1"), call("c2")]}})
    assert [session.codec.admitted(FRAME) for _ in range(3)] == [b""] * 3
    assert len(session.respond("c2")) == 1
    assert session.codec.admitted(FRAME) == b""
    response, held = session.respond("c1")
    assert "toolResponse" in response
    assert base64.b64decode(held["realtimeInput"]["audio"]["data"]) == FRAME * 4
    assert session.codec.admitted(FRAME) == FRAME


def test_audio_waits_no_longer_than_its_deadline_and_not_at_all_where_calls_hold_nothing_up() -> None:
    session = Session()
    session.hear({"toolCall": {"functionCalls": [call("c1")]}})
    frames = [session.codec.admitted(FRAME) for _ in range(HELD_MS // 20 + 2)]
    assert frames[-4:] == [b"", FRAME * (HELD_MS // 20), FRAME, FRAME]
    session.hear({"toolCallCancellation": {"ids": ["c1"]}})
    session.hear({"toolCall": {"functionCalls": [call("c2")]}})
    assert session.codec.admitted(FRAME) == b""  # a call has a deadline of its own
    session.hear({"toolCallCancellation": {"ids": ["c2"]}})
    assert session.codec.admitted(FRAME) == FRAME * 2
    free = Session(holds=False)
    free.hear({"toolCall": {"functionCalls": [call("c1")]}})
    assert free.codec.admitted(FRAME) == FRAME


def test_what_is_said_before_the_setup_is_complete_waits_in_order_within_a_bound() -> None:
    session = Session(ready=False)
    assert session.say("setup", {"model": "m"}) == [{"setup": {"model": "m"}}]
    for number in range(MOST_EARLY + 1):
        assert session.say("clientContent", {"n": number}) == []
    session.hear({"setupComplete": {}})
    due = [orjson.loads(frame)["clientContent"]["n"] for frame in session.codec.due()]
    assert due == list(range(1, MOST_EARLY + 1))
    assert list(session.codec.due()) == []
    assert session.types(content(**spoken())) == ["turn.taken", "voice.began", "audio g1_1"]  # a session without an id


def test_a_close_that_answers_a_setup_is_fatal_unless_a_handle_was_refused() -> None:
    session = Session(ready=False)
    session.say("setup", {"sessionResumption": {}})
    assert session.codec.fatal_ends is OF_SETUP
    session.hear({"setupComplete": {}})
    assert session.codec.fatal_ends is OF_SESSION
    taken_up = Session(ready=False)
    taken_up.say("setup", {"sessionResumption": {"handle": "h"}})
    assert taken_up.codec.fatal_ends is OF_SESSION


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"goAway": {"timeLeft": "9.5s"}}, {"type": "goAway", "time_left_ms": 9500}),
        ({"goAway": {"timeLeft": "soon"}}, {"type": "goAway", "time_left_ms": 0}),
        (
            {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
            {"type": "sessionResumptionUpdate", "resumable": "yes", "handle": "h"},
        ),
        (
            {"sessionResumptionUpdate": {"resumable": True}},
            {"type": "sessionResumptionUpdate", "resumable": "no", "handle": ""},
        ),
        (
            {"voiceActivity": {"voiceActivityType": "ACTIVITY_START"}},
            {"type": "voiceActivity", "activity": "ACTIVITY_START"},
        ),
        ({"interactionHint": {"a": 1}}, {"type": "interactionHint"}),
    ],
)
def test_other_messages_are_events_of_their_own(message: dict[str, Any], expected: dict[str, object]) -> None:
    assert Session().hear(message) == [expected]


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"{", "malformed_json"),
        (b"[]", "not_an_object"),
        (b"{}", "no_message"),
        (orjson.dumps(content(**spoken("%%"))), "bad_audio_delta"),
    ],
)
def test_what_cannot_be_read_is_said(payload: bytes, kind: str) -> None:
    (failure,) = Session().codec.heard(payload, 0.0)
    assert isinstance(failure, DecodeFailure)
    assert (failure.kind, failure.size_bytes) == (kind, len(payload))


def test_thoughts_are_not_heard_and_silence_is_nothing() -> None:
    parts = [{"text": "Let me think.", "thought": True}, {"inlineData": {"mimeType": "audio/pcm", "data": ""}}]
    assert Session().hear(content(modelTurn={"parts": parts})) == []


def test_calls_have_a_bound() -> None:
    session = Session()
    *_, event = session.hear({"toolCall": {"functionCalls": [call(f"c{n}") for n in range(MOST_CALLS + 5)]}})
    assert len(event["calls"]) == MOST_CALLS
    for n in range(MOST_OPEN):
        session.hear({"toolCall": {"functionCalls": [call(f"d{n}")]}})
    assert session.respond("c0") == []
    assert len(session.respond("d0")) == 1


# --- whatever comes in ------------------------------------------------------------------------------------------------

A_CALL: list[dict[str, Any]] = [
    {"setupComplete": {"sessionId": "s"}},
    {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
    content(inputTranscription={"text": "Where is it?", "finished": False}),
    {**content(**spoken(), outputTranscription={"text": "One second"}), "usageMetadata": {"totalTokenCount": 9}},
    {"toolCall": {"functionCalls": [call("c1", n=1), call(None)]}},
    {"toolCallCancellation": {"ids": ["c1"]}},
    content(interrupted=True),
    content(turnComplete=True, turnCompleteReason="NEED_MORE_INPUT", interactionStatus={}),
    content(**spoken(), generationComplete=True),
    content(turnComplete=True, waitingForInput=True),
    {"voiceActivity": {"voiceActivityType": "ACTIVITY_END", "audioOffset": "1.2s"}},
    {"goAway": {"timeLeft": "50s"}},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*path, key) for key, _ in inner] + [p for key, each in inner for p in places(each, (*path, key))]


def mutated(message: Any, path: tuple[Any, ...], value: Any) -> bytes:
    whole = orjson.loads(orjson.dumps(message))
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return orjson.dumps(whole)


def consume(messages: list[bytes]) -> None:
    """As a connection would: nothing is raised, what comes out is of the known kinds, answers are in order."""
    codec = GeminiCodec("g1", holds_audio_at_tools=True)
    open_answer: object = None
    for number, message in enumerate(messages):
        for decoded in codec.heard(message, number * 0.3):
            assert isinstance(decoded, dict | AudioDelta | DecodeFailure)
            if isinstance(decoded, AudioDelta):
                assert decoded.item_id == open_answer
            elif isinstance(decoded, dict):
                assert isinstance(decoded["type"], str)
                note_of(decoded)
                if decoded["type"] == "voice.began":
                    assert open_answer is None
                    open_answer = decoded["speech_id"]
                elif decoded["type"] == "voice.ended":
                    assert decoded["speech_id"] == open_answer
                    open_answer = None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_mutated_call_raises_nothing(data: st.DataObject) -> None:
    messages: list[bytes] = []
    for message in A_CALL:
        payload = orjson.dumps(message)
        kind = data.draw(st.sampled_from(["whole", "cut", "bytes", "field", "field", "twice", "gone"]))
        if kind == "cut":
            payload = payload[: data.draw(st.integers(0, len(payload)))]
        elif kind == "bytes":
            at = data.draw(st.integers(0, len(payload) - 1))
            payload = payload[:at] + data.draw(st.binary(max_size=4)) + payload[at + 1 :]
        elif kind == "field":
            payload = mutated(message, data.draw(st.sampled_from(places(message))), data.draw(JSON))
        messages += [payload] * {"twice": 2, "gone": 0}.get(kind, 1)
    consume(messages)


@given(st.binary() | st.text().map(str.encode) | JSON.map(orjson.dumps))
def test_anything_raises_nothing(message: bytes) -> None:
    consume([message])
