"""The recorded wire: every event of every recording decodes, and is handed on as it was."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from adapters.providers.provider import AudioDelta
from adapters.providers.realtime.protocol import AUDIO_DELTAS, append_event, decode
from tests.recordings import DIALECTS, Recorded, Row, sent_by


def events(recorded: Recorded, side: str) -> Iterator[tuple[str, Row]]:
    for name in DIALECTS:
        yield from ((name, event) for event in sent_by(recorded(name), side))


def test_every_server_event_decodes(recorded: Recorded) -> None:
    audio = others = 0
    for name, event in events(recorded, "server"):
        decoded = decode(orjson.dumps(event))
        if event["type"] in AUDIO_DELTAS:
            assert isinstance(decoded, AudioDelta), (name, decoded)
            assert (decoded.response_id, decoded.item_id) == (event["response_id"], event["item_id"])
            audio += 1
        else:
            assert decoded == event, name
            others += 1
    assert audio > 10 and others > 300


def test_our_append_is_what_real_clients_send(recorded: Recorded) -> None:
    appends = [event for _, event in events(recorded, "client") if event["type"] == "input_audio_buffer.append"]
    assert len(appends) > 300
    assert {frozenset(event) - {"event_id"} for event in appends} == {frozenset(orjson.loads(append_event(b"")))}
