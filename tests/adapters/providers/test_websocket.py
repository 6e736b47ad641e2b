"""Text frames made without the library are what the library's other side reads."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from adapters.providers.websocket import masked_text_frame


def read(data: bytes) -> list[Frame]:
    """As a server reads it, past its handshake."""
    server = ServerProtocol(max_size=None)
    server.state = State.OPEN
    server.parser = server.parse()
    next(server.parser)
    server.receive_data(data)
    return [event for event in server.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 263, 65_535, 65_536, 1_000_000])
def test_a_server_reads_what_was_written(size: int) -> None:
    text = bytes(32 + index % 90 for index in range(size))
    (frame,) = read(masked_text_frame(text))
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, text)


def test_every_frame_has_a_key_of_its_own() -> None:
    keys = {masked_text_frame(b"")[2:6] for _ in range(3000)}
    assert len(keys) > 2990
