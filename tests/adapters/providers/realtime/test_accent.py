"""What a server says otherwise is told as the protocol tells it, and what it does not take is not said."""

from __future__ import annotations

import io
import wave
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.realtime.accent import Accent, accent_of, packed
from adapters.providers.realtime.realtime_server import GA, RealtimeServer
from adapters.settings.servers import bundled_servers


def accent(**columns: Any) -> Accent:
    return Accent(attrs.evolve(GA, **columns))


def kinds(events: list[dict[str, object]]) -> list[object]:
    return [event["type"] for event in events]


def test_who_speaks_as_the_protocol_says_costs_nothing() -> None:
    assert accent_of(GA) is None
    assert accent_of(attrs.evolve(GA, metadata="refused")) is not None


def test_a_session_that_begins_otherwise_begins_once() -> None:
    xai = accent(begins=("session.created", "conversation.created"))
    assert xai.opened() == []
    assert kinds(xai.heard({"type": "conversation.created"})) == ["session.created", "conversation.created"]
    assert kinds(xai.heard({"type": "conversation.created"})) == ["conversation.created"]
    both = accent(begins=("session.created", "conversation.created"))
    told = both.heard({"type": "session.created"}) + both.heard({"type": "conversation.created"})
    assert kinds(told) == ["session.created", "conversation.created"]
    assert kinds(accent(begins=()).opened()) == ["session.created"]


def test_a_call_in_its_arguments_alone_is_an_item_and_an_answer() -> None:
    glm = accent(calls_by="arguments", ids="missing")
    glm.heard({"type": "response.created", "response": {"id": "r1"}})
    done: dict[str, object] = {
        "type": "response.function_call_arguments.done",
        "call_id": "c1",
        "name": "f",
        "arguments": "{}",
    }
    told = glm.heard(done)
    assert kinds(told) == ["response.function_call_arguments.done", "response.output_item.done"]
    assert told[1]["item"] == {
        "id": "r1", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}"
    }  # fmt: skip
    (over,) = glm.heard({"type": "response.done", "response": {"id": "r1", "status": "completed", "output": []}})
    assert over["response"] == {"id": "r1", "status": "completed", "output": [told[1]["item"]]}
    (spoken,) = glm.heard({"type": "response.done", "response": {"id": "r2", "status": "completed", "output": []}})
    assert spoken["response"] == {"id": "r2", "status": "completed"}, "an empty list would say that nobody answered"


def test_a_name_that_the_arguments_lack_is_that_of_the_item() -> None:
    server = accent(calls_by="arguments")
    server.heard({"type": "response.output_item.added", "item": {"id": "i", "call_id": "c", "name": "f"}})
    told = server.heard({"type": "response.function_call_arguments.done", "call_id": "c", "arguments": "{}"})
    assert told[1]["item"]["name"] == "f"  # type: ignore[index]


def test_audio_without_ids_belongs_to_the_response_under_way() -> None:
    glm = accent(ids="missing")
    glm.heard({"type": "response.created", "response": {"id": "r1"}})
    (delta,) = glm.heard({"type": "response.audio.delta", "delta": "AAAA"})
    assert (delta["response_id"], delta["item_id"]) == ("r1", "r1")
    (own,) = glm.heard({"type": "response.audio.delta", "delta": "AAAA", "item_id": "i", "response_id": "r"})
    assert (own["response_id"], own["item_id"]) == ("r", "i")


def test_a_turn_without_a_commit_is_committed_once() -> None:
    hf = accent(committed_by=("input_audio_buffer.speech_stopped", "conversation.item.created"))
    told = hf.heard({"type": "input_audio_buffer.speech_stopped", "item_id": "i1"})
    told += hf.heard({"type": "conversation.item.created", "item_id": "i1"})
    assert kinds(told) == [
        "input_audio_buffer.committed", "input_audio_buffer.speech_stopped", "conversation.item.created"
    ]  # fmt: skip


def test_a_superseded_response_ends() -> None:
    localai = accent(superseded="silent")
    localai.heard({"type": "response.created", "response": {"id": "r1"}})
    told = localai.heard({"type": "response.created", "response": {"id": "r2"}})
    assert kinds(told) == ["response.done", "response.created"]
    assert told[0]["response"]["id"] == "r1"  # type: ignore[index]
    localai.heard({"type": "response.done", "response": {"id": "r2"}})
    assert kinds(localai.heard({"type": "response.created", "response": {"id": "r3"}})) == ["response.created"]


def test_foreign_errors_are_known_by_their_words() -> None:
    xai = accent(busy=("active response",), harmless=("truncat",))

    def code(message: str) -> object:
        (event,) = xai.heard({"type": "error", "error": {"code": "x", "message": message}})
        return event["error"]["code"]  # type: ignore[index]

    assert code("There is an Active Response already") == "conversation_already_has_active_response"
    assert code("Cannot truncate it") == "response_cancel_not_active"
    assert code("Something else") == "x"


def test_what_is_not_taken_is_not_said() -> None:
    create: dict[str, object] = {
        "type": "response.create",
        "response": {"metadata": {"turnspec": "e"}, "instructions": "Greet."},
    }
    assert accent(never_sent=("conversation.item.truncate",)).said({"type": "conversation.item.truncate"}) == []
    (plain,) = accent(metadata="refused").said(create)
    assert plain["response"] == {"instructions": "Greet."}
    told, bare = accent(creates="bare").said(create)
    assert bare == {"type": "response.create"}
    assert told["item"]["role"] == "system" and told["item"]["content"][0]["text"] == "Greet."  # type: ignore[index]


def test_a_chunk_as_a_wav() -> None:
    pack = packed("wav_16k")
    assert pack is not None and packed("pcmu") is None
    with wave.open(io.BytesIO(pack(bytes(640)))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (16_000, 1, 2, 320)


WORDS = st.sampled_from(
    [
        "type", "response", "id", "item", "item_id", "call_id", "error", "code", "message", "session.created",
        "response.created", "response.done", "response.output_item.added", "conversation.item.created",
        "response.function_call_arguments.done", "response.audio.delta", "input_audio_buffer.speech_stopped", "",
    ]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(bundled_servers())), st.lists(st.tuples(WORDS, st.dictionaries(WORDS, VALUES)), max_size=8)
)
def test_nothing_that_comes_raises(name: str, events: list[tuple[str, dict[str, Any]]]) -> None:
    row: RealtimeServer = bundled_servers()[name]
    server = Accent(row)
    for kind, event in events:
        for told in (*server.opened(), *server.heard({**event, "type": kind})):
            assert isinstance(told["type"], str)
        server.said({**event, "type": kind})
