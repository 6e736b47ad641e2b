"""Who may call over chan_websocket, in both directions of connection, and what a raw peer can do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import uuid
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from adapters.lines.chan_websocket.connection import ChannelLeg
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.lines.chan_websocket import (
    AsteriskChannel,
    SimulatedAsterisk,
    SimulatedChannel,
    dial_server,
)
from adapters.websocket.client_socket import DialError
from tests.adapters.lines.chan_websocket.peers import CALL, Stage, stage
from tests.adapters.lines.chan_websocket.test_protocol import JSON_START, PLAIN_START
from tests.adapters.lines.media import until
from tests.adapters.lines.sources import Frames

pytestmark = pytest.mark.virtual_time


@contextlib.asynccontextmanager
async def raw(play: Stage, query: str = "", **headers: str) -> AsyncIterator[ClientConnection]:
    """The library's own client, that says what a test says."""
    async with connect(
        play.url + query, subprotocols=[Subprotocol("media")], additional_headers=headers, compression=None, proxy=None
    ) as ws:
        yield ws


# --- who may come -----------------------------------------------------------------------------------------------------


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("query", "authorization", "is_let_in"),
    [
        ("", "", False),
        ("?token=wrong", "", False),
        ("?token=s3cret", "", True),
        ("", "Bearer s3cret", True),
        ("", "bearer  s3cret", True),
        ("", "Bearer s3cre", False),
        ("", basic("asterisk:s3cret"), True),
        ("", basic("s3cret"), False),
        ("", basic("asterisk:wrong"), False),
        ("", "Basic !!!", False),
        ("?token=s3cret", "Bearer wrong", False),
    ],
)
async def test_a_token_is_asked_for_in_any_of_three_places(query: str, authorization: str, is_let_in: bool) -> None:
    async with stage(token="s3cret") as play:
        headers = {"Authorization": authorization} if authorization else {}
        if is_let_in:
            async with raw(play, query, **headers) as ws:
                await ws.send(JSON_START.decode())
                await until(lambda: bool(play.calls.legs))
                assert "s3cret" not in str(play.calls.legs[0].data)
        else:
            with pytest.raises(InvalidStatus) as refused:
                async with raw(play, query, **headers):
                    pass
            assert refused.value.response.status_code == 401
            assert "s3cret" not in str(refused.value.response.body)


async def test_the_simulator_has_a_user_and_a_password() -> None:
    async with stage(token="s3cret") as play:
        await play.call(AsteriskChannel(user=("asterisk", "s3cret")))
        with pytest.raises(DialError) as refused:
            await play.phone(call_id=uuid.uuid4())
        assert refused.value.status == 401


async def test_a_uuid_that_is_live_is_refused_before_the_upgrade_and_free_again_after_the_call() -> None:
    async with stage() as play:
        phone, leg, _ = await play.call()
        with pytest.raises(DialError) as refused:
            await play.phone()
        assert refused.value.status == 409
        await leg.hang_up()
        await phone.closed
        await play.call()


async def test_a_uuid_that_is_live_is_refused_also_where_only_the_channel_says_it() -> None:
    async with stage() as play:
        await play.call()
        other = await play.phone(names_uuid=False, variables={"uuid": str(CALL)})
        await other.closed
        assert other.ending is not None and other.ending.how == "fin"
        assert len(play.server.calls) == 1


async def test_another_path_a_missing_subprotocol_and_too_many_calls_are_refused() -> None:
    async with stage(max_connections=1) as play:
        for url, protocols, status in (
            (play.url + "x", ["media"], 404),
            (play.url, [], 400),
            (play.url, ["audio"], 400),
        ):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(url, subprotocols=[Subprotocol(each) for each in protocols] or None, proxy=None):
                    pass
            assert refused.value.response.status_code == status
        await play.call()
        with pytest.raises(DialError) as full:
            await play.phone(call_id=uuid.uuid4())
        assert full.value.status == 503


async def test_a_call_that_the_handler_refuses_is_told_from_one_that_was_served() -> None:
    def refuses(leg: ChannelLeg) -> None:
        leg.refuse("there is no agent 'x'")

    async with stage(refuses) as play:
        phone = await play.phone()
        await phone.closed
        assert phone.ending is not None and phone.ending.how == "fin"
        end = phone._websocket.end
        assert end is not None and (end.code, end.reason) == (1008, "there is no agent 'x'")


async def test_a_handler_that_fails_ends_its_call_politely() -> None:
    async def fails(_leg: ChannelLeg) -> None:
        await asyncio.sleep(0.1)
        raise RuntimeError("a handler that fails")

    async with stage(fails) as play:
        phone = await play.phone()
        await phone.closed
        assert phone.ending is not None and phone.ending.how == "hangup"


async def test_closing_ends_all_calls_politely_and_lets_nobody_in() -> None:
    async with stage() as play:
        phones = [(await play.call(call_id=uuid.uuid4()))[0] for _ in range(3)]
        url = play.url
        await play.server.close(2.0)
        for phone in phones:
            assert phone.ending is not None and phone.ending.how == "hangup"
        assert [heard.gone for heard in play.calls.heard] == [["server_closing"]] * 3
        with pytest.raises(DialError):
            await dial_server(url, AsteriskChannel(), CALL, CallerSettings(), lambda *_: None)


async def test_closing_ends_also_who_has_said_no_media_start_and_a_handler_that_holds_out() -> None:
    async def holds_out(_leg: ChannelLeg) -> None:
        await asyncio.sleep(600)

    async with stage(holds_out) as play, raw(play) as ws:
        phone = await play.phone()
        await until(lambda: len(play.server.calls) == 1)
        assert len(play.server._legs) == 2
        await play.server.close(1.0)
        assert phone.ending is not None and phone.ending.how == "hangup"
        await ws.wait_closed()
        assert ws.close_code == 1000
        with pytest.raises(RuntimeError, match=r"asterisk_url|closing"):
            await play.server.dial("x")


async def test_a_second_media_start_and_a_command_to_a_peer_that_is_gone_end_nothing() -> None:
    async with stage() as play, raw(play) as ws:
        await ws.send(PLAIN_START.decode())
        await ws.send(JSON_START.decode())
        await until(lambda: bool(play.calls.legs) and play.calls.legs[0].stats.unreadable == 1)
        leg = play.calls.legs[0]
        assert leg.is_live
        leg.cut()
        leg.play_from(Frames(lambda: bytes(320)))
        leg._output.tick(1)
        assert leg.frames_unsent > 0
        leg.flush()
        await leg.hang_up()
        assert play.calls.heard[0].gone == ["hung_up"]


# --- a raw peer -------------------------------------------------------------------------------------------------------


async def test_who_says_no_media_start_is_left_at_the_deadline() -> None:
    async with stage(handshake_deadline_s=3.0) as play, raw(play) as ws:
        began_s = asyncio.get_running_loop().time()
        await ws.send(bytes(320))
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert 2.9 < asyncio.get_running_loop().time() - began_s < 3.1
        assert ws.close_code == 1008 and play.calls.legs == []


@pytest.mark.parametrize(
    "start",
    [
        PLAIN_START.replace(b"format:slin", b"format:opus").replace(b"size:320", b"size:0"),
        PLAIN_START.replace(b"size:320", b"size:640"),
        PLAIN_START.replace(b"ptime:20", b"ptime:10"),
    ],
)
async def test_a_format_we_cannot_cut_is_refused_with_what_to_say_instead(start: bytes) -> None:
    async with stage() as play, raw(play) as ws:
        await ws.send(start.decode())
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert ws.close_code == 1008 and "format" in str(ws.close_reason)
        assert play.calls.legs == []


async def test_a_peer_that_does_not_answer_the_hang_up_is_closed_and_then_cut() -> None:
    async with stage(hang_up_deadline_s=2.0) as play, raw(play) as ws:
        await ws.send(PLAIN_START.decode())
        await until(lambda: bool(play.calls.legs))
        ws.transport.pause_reading()
        began_s = asyncio.get_running_loop().time()
        await play.calls.legs[0].hang_up()
        assert 2.9 < asyncio.get_running_loop().time() - began_s < 3.1
        assert play.calls.heard[0].gone == ["hung_up"]


async def test_a_call_that_comes_byte_by_byte_is_a_call() -> None:
    async with stage() as play:
        reader, writer = await asyncio.open_connection("127.0.0.1", play.server.port)
        key = base64.b64encode(bytes(16)).decode()
        head = (
            f"GET /media?uuid={CALL} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: media\r\n\r\n"
        ).encode()
        text = b"\x81\xfe" + len(PLAIN_START).to_bytes(2, "big") + bytes(4) + PLAIN_START
        audio = b"\x82\xfe" + (320).to_bytes(2, "big") + bytes(4) + b"\1\2" * 160
        for byte in head + text + audio:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await until(lambda: bool(play.calls.heard and play.calls.heard[0].audio))
        assert play.calls.legs[0].call_id == str(CALL)
        assert play.calls.heard[0].audio == [(b"\1\2" * 160, 8000)]
        writer.close()
        await until(lambda: play.calls.heard[0].gone == ["connection_lost"])
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        del reader


# --- we connect to Asterisk -------------------------------------------------------------------------------------------


@pytest.fixture
async def asterisk() -> AsyncIterator[SimulatedAsterisk]:
    made = SimulatedAsterisk()
    await made.start()
    yield made
    await made.close()


async def test_we_connect_to_a_channel_that_waits_and_it_is_a_call_as_any_other(asterisk: SimulatedAsterisk) -> None:
    async with stage(asterisk_url=asterisk.url) as play:
        waiting = asyncio.create_task(
            asterisk.wait_for_server("id-1", AsteriskChannel(format="ulaw"), CALL, CallerSettings(), lambda *_: None)
        )
        await asyncio.sleep(0.1)
        leg = await play.server.dial("id-1", {"uuid": str(CALL), "caller_id": "+49301"})
        phone = await waiting
        assert isinstance(phone, SimulatedChannel)
        await until(lambda: play.calls.legs == [leg])
        assert (leg.call_id, leg.data.caller_id, leg.rate_hz) == (str(CALL), "+49301", 8000)
        phone.press("3")
        await until(lambda: play.calls.heard[0].keys == ["3"])
        with pytest.raises(DialError) as taken:
            await play.server.dial("id-1")
        assert taken.value.status == 409
        await leg.hang_up()
        await phone.closed
        assert phone.ending is not None and phone.ending.how == "hangup"


async def test_an_unknown_id_is_said_to_be_one_and_nothing_is_left(asterisk: SimulatedAsterisk) -> None:
    async with stage(asterisk_url=asterisk.url) as play:
        with pytest.raises(DialError) as unknown:
            await play.server.dial("nobody/../waits")
        assert unknown.value.status == 404
        assert play.calls.legs == []


async def test_without_an_address_of_asterisk_nothing_is_dialled() -> None:
    async with stage() as play:
        with pytest.raises(RuntimeError, match="asterisk_url"):
            await play.server.dial("x")
