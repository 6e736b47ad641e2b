"""One session's wire as the protocol has it, and with a server's accent."""

from __future__ import annotations

import base64
import json

import attrs
import pytest

from adapters.providers.provider import AudioDelta, DecodeFailure, WireEvent
from adapters.providers.realtime.accent import MOST_NAMES, Accent
from adapters.providers.realtime.codec import RealtimeCodec
from adapters.providers.realtime.realtime_server import GA, RealtimeServer
from adapters.providers.realtime.session import SessionSettings, session_object

ACCENTED = attrs.evolve(GA, metadata="refused", never_sent=("input_audio_buffer.clear",))
DELTA = {
    "type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "content_index": 0,
    "delta": base64.b64encode(b"\xff").decode(),
}  # fmt: skip


@pytest.mark.parametrize("server", [GA, ACCENTED])
def test_audio_events_and_what_is_unreadable_are_read_alike(server: RealtimeServer) -> None:
    codec = RealtimeCodec(server)
    assert list(codec.heard(json.dumps(DELTA).encode(), 0.0, binary=False)) == [AudioDelta("r", "i", 0, b"\xff")]
    assert list(codec.heard(b'{"type": "pong"}', 0.0, binary=False)) == [{"type": "pong"}]
    (failure,) = codec.heard(b"{", 0.0, binary=False)
    assert isinstance(failure, DecodeFailure) and failure.kind == "malformed_json"


def test_what_a_server_does_not_take_is_not_said() -> None:
    clear = {"type": "input_audio_buffer.clear"}
    assert list(RealtimeCodec().told(clear)) == [b'{"type":"input_audio_buffer.clear"}']
    assert list(RealtimeCodec(ACCENTED).told(clear)) == []
    bare: WireEvent = {"type": "response.create", "event_id": "e"}
    assert Accent(ACCENTED).said(bare) == [bare]


def test_audio_that_a_server_wants_as_files_goes_up_as_such() -> None:
    sent = json.loads(RealtimeCodec(GA, "wav_16k").append(b"\0\0"))
    assert base64.b64decode(sent["audio"]).startswith(b"RIFF")
    assert base64.b64decode(json.loads(RealtimeCodec().append(b"\0\0"))["audio"]) == b"\0\0"


def test_only_so_many_names_of_functions_are_remembered() -> None:
    accent = Accent(attrs.evolve(GA, calls_by="arguments"))
    for number in range(MOST_NAMES + 1):
        accent.heard({"type": "response.output_item.added", "item": {"id": f"item_{number}", "name": f"f{number}"}})
    done = {"type": "response.function_call_arguments.done", "call_id": "c"}
    (_, first) = accent.heard({**done, "item_id": "item_0"})
    (_, last) = accent.heard({**done, "call_id": "d", "item_id": f"item_{MOST_NAMES}"})
    assert [each["item"]["name"] for each in (first, last)] == ["", f"f{MOST_NAMES}"]  # type: ignore[index]


def test_of_nested_tools_those_that_are_no_functions_stay_as_they_are() -> None:
    tools = [{"type": "mcp", "server_label": "crm"}, {"type": "function", "name": "look_up"}]
    settings = SessionSettings(model="m", tools=tools)
    session = session_object(settings, attrs.evolve(GA, tools="nested"))
    assert session["tools"] == [tools[0], {"type": "function", "function": {"name": "look_up"}}]
