"""Frames made without the library are what its other side reads; what of its inside is needed is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from adapters.providers.websocket import INTERNALS
from adapters.websocket.frames import FIN_BINARY, FIN_TEXT, TESTED, check_internals, masked_frame, plain_frame


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
    (frame,) = read(masked_frame(FIN_TEXT, text))
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, text)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_client_reads_what_was_written(size: int) -> None:
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN)
    client.receive_data(plain_frame(FIN_BINARY, bytes(size)))
    (frame,) = client.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.BINARY, True, bytes(size))


def test_every_frame_has_a_key_of_its_own() -> None:
    keys = {masked_frame(FIN_TEXT, b"")[2:6] for _ in range(3000)}
    assert len(keys) > 2990


def test_the_versions_that_were_tested_are_the_ones_that_are_required() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert TESTED in project["project"]["dependencies"]


@pytest.mark.parametrize("owner", [ClientConnection, ClientProtocol, ClientConnection.__init__])
def test_a_library_whose_inside_is_another_is_refused_by_name(owner: object) -> None:
    check_internals()
    with pytest.raises(ImportError) as refused:
        check_internals([*INTERNALS, (owner, "no_such_thing", "for a test")])
    text = str(refused.value)
    assert ".no_such_thing (for a test)" in text and TESTED in text and "pip install" in text


def test_an_attribute_that_only_an_instance_has_is_found_in_the_code_that_sets_it() -> None:
    class Renamed(ClientConnection):
        """As a later version might look: what was `keepalive_task` has another name."""

    check_internals([(Renamed, "keepalive_task", "is set by the class it extends")])
    with pytest.raises(ImportError, match=r"has no builtins\.object\.keepalive_task"):
        check_internals([(object, "keepalive_task", "is not set")])
