"""The connection over real loopback sockets against a scripted server, on virtual time."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import struct

import pytest
import structlog
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from adapters.providers.connection import ConnectionLimits, SessionConnection
from adapters.providers.realtime.codec import RealtimeCodec
from tests.adapters.providers.realtime.scripted_server import (
    DELTA,
    KEY,
    LOCAL,
    Recorder,
    connected,
    event,
    raw,
    resources,
    scripted,
    text_frame,
    upgrade,
)

pytestmark = pytest.mark.virtual_time

# --- in


async def test_facts_come_in_wire_order_and_garbage_ends_nothing() -> None:
    async def script(ws: ServerConnection) -> None:
        for message in (
            event("session.created"),
            "{not json",
            b"\x00\x01binary",
            "[1, 2]",
            '{"no": "type"}',
            '{"type": 5}',
            DELTA.replace('"delta": "AQI="', '"delta": {"audio": "AQI="}'),
            DELTA.replace('"item_id": "item_1", ', ""),
            DELTA.replace("AQI=", "!!!!"),
            DELTA,
            event("response.sung_in_the_future", deep={"a": [1]}),
            event("error", error="a string where an object should be"),
        ):
            await ws.send(message)
        await ws.wait_closed()

    async with scripted(script) as endpoint, connected(endpoint) as (connection, heard):
        await heard.until("event", "error")
        assert heard.facts == [
            ("open",),
            ("event", "session.created"),
            ("problem", "malformed_json"),
            ("problem", "binary_frame"),
            ("problem", "not_an_object"),
            ("problem", "no_type"),
            ("problem", "no_type"),
            ("problem", "bad_audio_delta"),
            ("problem", "bad_audio_delta"),
            ("problem", "bad_audio_delta"),
            ("audio", "item_1", b"\x01\x02"),
            ("event", "response.sung_in_the_future"),
            ("event", "error"),
        ]
        assert connection.is_open
        counters = connection.counters
        assert (counters.events, counters.audio_deltas, counters.audio_bytes, counters.problems) == (3, 1, 2, 8)


async def test_what_comes_in_one_segment_with_the_upgrade_comes_after_on_open() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"")
        await upgrade(reader, writer)
        writer.write(text_frame(b'{"type":"session.created"}') + b"\x88\x02" + struct.pack("!H", 4000))

    async with raw(script) as endpoint, connected(endpoint) as (_, heard):
        await heard.end()
        assert heard.facts == [("open",), ("event", "session.created"), ("closed", 4000, "", True)]


async def test_fragments_are_put_together() -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send(['{"type":', '"one', '"}'])
        await ws.send(['{"type":"two"}'])
        await ws.send([b"\x00", b"\x01"])
        await ws.send(DELTA)
        await ws.wait_closed()

    async with scripted(script) as endpoint, connected(endpoint) as (_, heard):
        await heard.until("audio")
        assert heard.facts[1:] == [
            ("event", "one"),
            ("event", "two"),
            ("problem", "binary_frame"),
            ("audio", "item_1", b"\x01\x02"),
        ]


async def test_a_large_delta_passes_and_an_endless_message_is_the_end() -> None:
    big = base64.b64encode(bytes(3_000_000)).decode()

    async def script(ws: ServerConnection) -> None:
        await ws.send(DELTA.replace("AQI=", big))
        await ws.send("x" * 5_000_001)
        await ws.wait_closed()

    limits = ConnectionLimits(system_proxy=False, message_bytes=5_000_000)
    async with scripted(script) as endpoint, connected(endpoint, limits) as (connection, heard):
        assert await heard.end() == ("closed", 1006, "message over the size limit", False)
        assert connection.counters.audio_bytes == 3_000_000


async def test_a_session_that_sends_more_events_in_a_second_than_it_may_is_left() -> None:
    async def script(ws: ServerConnection) -> None:
        for _ in range(100):
            await ws.send(event("calm"))
            await ws.send(DELTA)
        await asyncio.sleep(2)
        for _ in range(250):
            await ws.send(event("flood"))
            await ws.send(DELTA)
        await ws.wait_closed()

    limits = ConnectionLimits(system_proxy=False, events_per_s=200)
    async with scripted(script) as endpoint, connected(endpoint, limits) as (_, heard):
        assert await heard.end() == ("closed", None, "more than 200 events in a second", False)
        kinds = [fact[1] for fact in heard.facts if fact[0] == "event"]
        assert (kinds.count("calm"), kinds.count("flood")) == (100, 200)


async def test_a_listener_that_raises_ends_nothing() -> None:
    async def script(ws: ServerConnection) -> None:
        for message in (event("a"), DELTA, "{", event("b")):
            await ws.send(message)
        await ws.close(1011, "oops")

    with structlog.testing.capture_logs() as logs:
        async with scripted(script) as endpoint, connected(endpoint, fail=True) as (connection, heard):
            await heard.end()
            assert [fact[0] for fact in heard.facts] == ["open", "event", "audio", "problem", "event", "closed"]
            assert connection.counters.listener_failures == 6
    assert sum(entry["event"] == "listener_failed" for entry in logs) == 6


# --- out


async def test_audio_and_control_share_one_stream_in_order() -> None:
    received: list[dict[str, object]] = []
    done = asyncio.Event()
    headers: list[str | None] = []

    async def script(ws: ServerConnection) -> None:
        assert ws.request is not None
        headers.extend((ws.request.headers.get("Authorization"), ws.request.headers.get("Sec-WebSocket-Extensions")))
        async for message in ws:
            assert isinstance(message, str)
            received.append(json.loads(message))
            if len(received) == 60:
                done.set()

    async with scripted(script) as endpoint, connected(endpoint) as (connection, _):
        control = connection.take_control()
        for index in range(30):
            assert connection.send_audio(bytes([index]) * 160)
            assert control.send_control({"type": "response.cancel", "event_id": str(index)})
        await asyncio.wait_for(done.wait(), 10)
        counters = connection.counters
        assert (counters.frames_sent, counters.controls_sent) == (30, 30)
    assert received[0::2] == [
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes([index]) * 160).decode()}
        for index in range(30)
    ]
    assert [message["event_id"] for message in received[1::2]] == [str(index) for index in range(30)]
    assert headers == [f"Bearer {KEY}", None]


async def test_the_control_side_is_handed_out_once_and_knows_when_it_is_cut() -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.wait_closed()

    async with scripted(script) as endpoint:
        connection = SessionConnection(endpoint, Recorder(), RealtimeCodec(), LOCAL)
        control = connection.take_control()
        with pytest.raises(RuntimeError, match="has been taken"):
            connection.take_control()
        assert not hasattr(connection, "send_control")
        assert not control.send_control({"type": "response.create"})
        await connection.close()  # never opened: nothing to end, nothing to tell
        async with connected(endpoint) as (second, _):
            control = second.take_control()
            assert control.send_control({"type": "response.create"})
        assert not control.send_control({"type": "response.create"})
        assert second.counters.controls_refused == 1
        with pytest.raises(RuntimeError, match="opens once"):
            second.open()


async def test_a_stalled_provider_costs_audio_first_and_the_connection_at_last() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(1000)

    limits = ConnectionLimits(system_proxy=False, audio_unsent_bytes=64_000, control_unsent_bytes=256_000)
    async with raw(script) as endpoint, connected(endpoint, limits) as (connection, heard):
        control = connection.take_control()
        for _ in range(5_000):  # past the kernel's buffers
            if not connection.send_audio(bytes(8_000)):
                break
        assert connection.counters.frames_dropped_stalled == 1
        assert connection.is_open and connection._wire is not None
        assert connection._wire.unsent_bytes < 64_000 + 12_000
        assert control.send_control({"type": "response.cancel", "event_id": "still in order"})
        large = {"type": "conversation.item.create", "text": "x" * 200_000}
        assert [control.send_control(large) for _ in range(3)] == [True, False, False]
        assert await heard.end() == ("closed", None, "the provider takes nothing any more", False)
        assert connection.counters.controls_refused == 2


async def waits(ws: ServerConnection) -> None:
    await ws.wait_closed()


def broken(_data: bytes) -> None:
    """Another event loop than asyncio's may raise where one writes."""
    raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("what", ["audio", "control"])
async def test_a_write_that_fails_is_the_end_of_the_connection_and_not_of_its_caller(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with scripted(waits) as endpoint, connected(endpoint) as (connection, heard):
            control = connection.take_control()
            assert connection._wire is not None
            monkeypatch.setattr(connection._wire.transport, "write", broken)
            taken = connection.send_audio(bytes(160)) if what == "audio" else control.send_control({"type": "x"})
            assert taken is False
            assert not control.send_control({"type": "x"}) and not connection.is_open
            assert await heard.end() == ("closed", None, "write failed: BrokenPipeError", False)
            counters = connection.counters
            assert (counters.frames_sent, counters.controls_sent) == (0, 0)
            assert counters.frames_dropped_closed == (what == "audio")
            assert counters.controls_refused == (1 if what == "audio" else 2)
    assert [each["error"] for each in logs if each["event"] == "write_failed"] == ["BrokenPipeError"]


async def test_between_the_close_frames_nothing_is_written_and_everything_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(1000)

    async with raw(script) as endpoint, connected(endpoint) as (connection, _):
        control = connection.take_control()
        wire = connection._wire
        assert wire is not None
        wire.protocol.send_close(1000)
        assert not connection.send_audio(bytes(160)) and connection.counters.frames_dropped_closed == 1
        assert not control.send_control({"type": "x"}) and connection.counters.controls_refused == 1
        monkeypatch.setattr(type(wire), "is_writable", True)  # the frame came between the look and the write
        assert not control.send_control({"type": "x"}) and connection.counters.controls_refused == 2
        assert connection._ending is None, "the end is reported by the peer's close, or by the deadline"


async def test_a_stall_is_noticed_by_ping_too() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(1000)

    loop = asyncio.get_running_loop()
    async with raw(script) as endpoint, connected(endpoint) as (connection, heard):
        while connection.send_audio(bytes(8_000)):
            pass
        began = loop.time()
        assert await heard.end() == ("closed", 1006, "keepalive ping timeout", False)
        assert loop.time() - began < 20


# --- closing, and what is left


async def test_close_ends_it_politely_and_nothing_is_left() -> None:
    codes: list[tuple[int | None, str | None]] = []

    async def script(ws: ServerConnection) -> None:
        await ws.send(event("session.created"))
        await ws.wait_closed()
        codes.append((ws.close_code, ws.close_reason))

    async with scripted(script) as endpoint:
        await asyncio.sleep(0.1)
        before = resources()
        async with connected(endpoint) as (connection, heard):
            await heard.until("event")
            await asyncio.gather(connection.close(1000, "bye"), connection.close())
            await connection.close()
        assert heard.ends == [("closed", None, "closed by us", False)]
        await asyncio.sleep(0.1)  # the server's side
        assert resources() == before
    assert codes == [(1000, "bye")]


async def test_close_has_a_deadline() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        while True:  # talks on, and never answers the close
            writer.write(text_frame(b'{"type":"rate_limits.updated"}'))
            await asyncio.sleep(0.1)

    loop = asyncio.get_running_loop()
    async with raw(script) as endpoint, connected(endpoint) as (connection, heard):
        await heard.until("event")
        began, told = loop.time(), len(heard.facts)
        await connection.close()
        assert LOCAL.close_s <= loop.time() - began < LOCAL.close_s + 0.1
        assert heard.facts[told:] == [("closed", None, "closed by us", False)]


async def test_a_close_that_is_cancelled_still_takes_the_socket_away() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(1000)

    async with raw(script) as endpoint, connected(endpoint) as (connection, heard):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.close(), 0.5)
        await asyncio.sleep(0)
        assert connection._wire is not None and connection._wire.connection_lost_waiter.done()
        assert heard.ends == [("closed", None, "closed by us", False)]


@pytest.mark.parametrize("wait_s", [0.0, 1.0])
async def test_close_while_connecting(wait_s: float) -> None:
    async def script(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1000)

    async with raw(script) as endpoint:
        before = resources()
        heard = Recorder()
        connection = SessionConnection(endpoint, heard, RealtimeCodec(), LOCAL)
        connection.open()
        await asyncio.sleep(wait_s)
        tasks, timers, _ = before
        await connection.close()
        assert heard.facts == [("closed", None, "closed by us", False)]
        # The server's side of the socket may live on; ours does not.
        assert connection._attempt is None or connection._attempt.connection_lost_waiter.done()
        assert resources()[0] <= tasks + 1 and resources()[1] <= timers + 1


@pytest.mark.parametrize("status", [401, None])
async def test_after_a_failure_to_open_nothing_is_left(status: int | None) -> None:
    def answer(_: ServerConnection, __: Request) -> Response | None:
        return None if status is None else Response(status, "", Headers())

    async def script(ws: ServerConnection) -> None:
        await ws.close(4000, "invalid_request_error.invalid_model")

    async with scripted(script, answer=answer) as endpoint:
        await asyncio.sleep(0.1)
        before = resources()
        async with connected(endpoint) as (_, heard):
            await heard.end()
        await asyncio.sleep(2)
        assert resources() == before


async def test_no_log_holds_the_key(caplog: pytest.LogCaptureFixture) -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send("{")
        await ws.close(3000, "invalid_request_error.invalid_api_key")

    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.server").setLevel(logging.WARNING)
    with structlog.testing.capture_logs() as logs:
        async with scripted(script) as endpoint, connected(endpoint) as (connection, heard):
            await heard.end()
            assert KEY not in repr(connection) and KEY not in repr(connection.take_control())
    logging.getLogger("websockets.server").setLevel(logging.NOTSET)
    assert {entry["event"] for entry in logs} >= {"provider_opened", "message_unreadable", "provider_closed"}
    closed = next(entry for entry in logs if entry["event"] == "provider_closed")
    assert closed["problems"] >= 1 and closed["frames_dropped_stalled"] == 0
    assert KEY not in str(logs) and KEY not in caplog.text
