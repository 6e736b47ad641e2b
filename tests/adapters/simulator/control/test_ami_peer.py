"""The scripted manager says what Asterisk says, to whoever speaks its protocol: by raw bytes, without our client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.control.ami import AmiControl
from adapters.control.factory import control_of
from adapters.control.settings import AmiSettings, ControlSettings
from adapters.simulator.control.ami import AmiPeer, User
from tests.adapters.control.places import CALLER, SALES, in_app

LOGIN = "Action: Login\r\nUsername: u\r\nSecret: s"


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    peer = AmiPeer(in_app(), {"u": User("s"), "reader": User("s", frozenset({"reporting"}))})
    await peer.start()
    yield peer
    await peer.close()


async def said(peer: AmiPeer, *actions: str) -> str:
    """All that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
    writer.write("".join(f"{action}\r\n\r\n" for action in actions).encode())
    writer.write_eof()
    text = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return text


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("Action: Ping\r\nActionID: 7", "Response: Success\r\nActionID: 7\r\nPing: Pong\r\n"),
        ("Action: Nothing", "Message: Invalid/unknown command: Nothing."),
        ("ActionID: 7", "Response: Error\r\nActionID: 7\r\nMessage: Missing action in request\r\n\r\n"),
        ("Action: Logoff", "Response: Goodbye"),
        ("Action: Redirect", "Message: Channel not specified"),
        ("Action: Redirect\r\nChannel: X/1", "Message: Channel does not exist: X/1"),
        ("Action: Hangup\r\nChannel: X/1", "Message: No such channel"),
        ("Action: Getvar\r\nChannel: X/1\r\nVariable: A", "Message: No such channel"),
        ("Action: Setvar\r\nChannel: X/1\r\nVariable: A", "Message: No such channel"),
        ("Action: Setvar\r\nChannel: X/1", "Message: No variable specified"),
        (f"Action: Getvar\r\nChannel: {CALLER}\r\nVariable: A", "Variable: A\r\nValue: \r\n"),
        ("Action: Getvar\r\nChannel: 1.1\r\nVariable: DIALPLAN_EXISTS(transfers,sales,1)", "Value: 1\r\n"),
        ("Action: Status\r\nVariables: A,B", "Variable: A=\r\nVariable: B=\r\n\r\n"),
    ],
)
async def test_what_it_answers(peer: AmiPeer, action: str, answer: str) -> None:
    text = await said(peer, LOGIN, action)
    assert text.startswith(
        "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n"
    )
    assert answer in text


async def test_without_a_login_everything_is_denied_and_a_wrong_one_ends_the_connection(peer: AmiPeer) -> None:
    assert "Message: Permission denied" in await said(peer, "Action: Ping")
    wrong = await said(peer, LOGIN.replace("Secret: s", "Secret: x"), "Action: Ping")
    assert wrong.endswith("Response: Error\r\nMessage: Authentication failed\r\n\r\n")


async def test_an_action_outside_of_the_users_classes_is_denied(peer: AmiPeer) -> None:
    login = LOGIN.replace("Username: u", "Username: reader")
    text = await said(peer, login, f"Action: Hangup\r\nChannel: {CALLER}", f"Action: Getvar\r\nChannel: {CALLER}")
    assert text.count("Permission denied") == 1 and CALLER in peer.pbx.channels


async def test_the_traps_of_the_protocol_are_there(peer: AmiPeer) -> None:
    """A Setvar without a channel is global, a Hangup between slashes a pattern, a Redirect into nothing accepted."""
    await said(peer, LOGIN, "Action: Setvar\r\nVariable: A\r\nValue: 1")
    assert peer.pbx.globals == {"A": "1"}
    assert "Redirect successful" in await said(
        peer, LOGIN, f"Action: Redirect\r\nChannel: {CALLER}\r\nContext: no\r\nExten: no\r\nPriority: 1"
    )
    assert CALLER not in peer.pbx.channels
    await said(peer, LOGIN, "Action: Hangup\r\nChannel: /^PJSIP/")
    assert peer.pbx.channels == {}


async def test_media_is_told_of_a_move_and_of_a_hang_up(peer: AmiPeer) -> None:
    moved: list[str] = []
    ended: list[str] = []
    peer.pbx.on_moved = lambda channel: moved.append(channel.name)
    peer.pbx.on_hung_up = lambda channel: ended.append(channel.name)
    where = "Context: {}\r\nExten: {}\r\nPriority: {}".format(*SALES)
    await said(peer, LOGIN, f"Action: Redirect\r\nChannel: {CALLER}\r\n{where}")
    await said(peer, LOGIN, f"Action: Hangup\r\nChannel: {CALLER}")
    assert (moved, ended) == ([CALLER], [CALLER])


async def test_an_endless_line_ends_its_connection_alone(peer: AmiPeer) -> None:
    assert await said(peer, "x" * 100_000) == "Asterisk Call Manager/11.0.0\r\n"
    assert "Pong" in await said(peer, LOGIN, "Action: Ping")


async def test_the_configuration_chooses_its_client() -> None:
    ami = AmiSettings(username="u", secret="s")
    assert isinstance(control_of(ControlSettings(ami=ami)), AmiControl)
