"""The recorded wire: every event of every trace decodes, and is handed on as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from adapters.providers.provider import AudioDelta
from adapters.providers.realtime.protocol import AUDIO_DELTAS, append_event, decode


def events(traces: Path, side: str) -> Iterator[tuple[str, dict[str, object]]]:
    for path in sorted(traces.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            record = orjson.loads(line)
            if record.get("dir", "server") == side and isinstance(record.get("event"), dict):
                yield path.name, record["event"]


def test_every_server_event_decodes(traces: Path) -> None:
    audio = others = 0
    for name, event in events(traces, "server"):
        decoded = decode(orjson.dumps(event))
        if event["type"] in AUDIO_DELTAS:
            assert isinstance(decoded, AudioDelta), (name, decoded)
            assert (decoded.response_id, decoded.item_id) == (event["response_id"], event["item_id"])
            audio += 1
        else:
            assert decoded == event, name
            others += 1
    assert audio > 10 and others > 300


def test_our_append_is_what_real_clients_send(traces: Path) -> None:
    appends = [event for _, event in events(traces, "client") if event["type"] == "input_audio_buffer.append"]
    if not appends:
        pytest.fail("the traces hold no append any more")
    assert {frozenset(event) - {"event_id"} for event in appends} == {frozenset(orjson.loads(append_event(b"")))}
