"""A connection over a real socket, against a peer that says and hears raw bytes."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any

import pytest

from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.gone import Gone
from tests.adapters.lines.audiosocket.peers import HELLO, SILENCE, Peer, raw_message, stage, until
from tests.adapters.lines.listeners import Remembering
from tests.adapters.lines.sources import Frames

pytestmark = pytest.mark.virtual_time


async def until_gone(connection: Connection) -> None:
    await asyncio.wait_for(connection.wait_gone(), 60)


async def test_silence_is_paced_from_accept_on_before_the_uuid_is_there() -> None:
    async with stage() as play:
        peer = await play.connect()
        loop = asyncio.get_running_loop()
        times = []
        for _ in range(100):
            assert await peer.hear() == [SILENCE]
            times.append(loop.time())
        assert times[-1] - times[0] == pytest.approx(99 * 0.020, abs=0.001)
        assert all(0.019 < after - before < 0.021 for before, after in itertools.pairwise(times))


async def test_a_message_is_one_write_on_a_socket_without_nagle(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage() as play:
        peer, connection, _ = await play.call()
        transport: Any = connection._transport
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert transport.max_size == 65_536
        writes: list[bytes] = []
        monkeypatch.setattr(transport, "write", writes.append)
        connection._output.tick(3)
        assert writes == [SILENCE] * 3
        monkeypatch.undo()
        await peer.leave()


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 44_100])
async def test_what_a_source_gives_is_said_and_silence_when_it_gives_nothing(rate_hz: int) -> None:
    frame_bytes = rate_hz // 50 * 2
    frames = [bytes([n]) * frame_bytes for n in range(1, 4)]
    left = [*frames, None, frames[0]]
    async with stage(rates_hz=[rate_hz]) as play:
        peer, connection, _ = await play.call()
        connection.play_from(Frames(lambda: left.pop(0) if left else None))
        heard = [message for message in await peer.hear(12) if any(message[3:])]
        assert heard == [wire.encode_audio(frame, rate_hz) for frame in [*frames, frames[0]]]
        assert connection.rate_hz == rate_hz
        connection.play_from(None)


async def test_a_source_that_misbehaves_does_not_break_the_schedule() -> None:
    given: list[bytes | Exception] = [b"\1" * 10, b"\1" * 400, RuntimeError("broken"), b"\2" * 320]

    def source() -> bytes | None:
        what = given.pop(0) if given else None
        if isinstance(what, Exception):
            raise what
        return what

    async with stage() as play:
        peer, connection, _ = await play.call()
        await peer.hear()
        connection.play_from(Frames(source))
        heard = await peer.hear(5)
        assert [len(message) for message in heard] == [323] * 5
        assert heard[0][3:] == b"\1" * 10 + bytes(310)
        assert heard[1:] == [wire.encode_audio(b"\1" * 320), SILENCE, wire.encode_audio(b"\2" * 320), SILENCE]
        assert (connection.stats.frames_misshaped, connection.stats.failures) == (2, 1)


async def test_caller_frames_of_any_size_and_rate_are_handed_on_as_they_come() -> None:
    frames = [(bytes([n]) * size, rate) for n, (size, rate) in enumerate([(160, 8_000), (480, 8_000), (640, 16_000)])]
    async with stage() as play:
        peer, connection, heard = await play.call()
        peer.say(*(wire.encode_audio(pcm, rate) for pcm, rate in frames))
        peer.say(wire.encode_audio(b"\7" * 321), raw_message(0x10), wire.encode_dtmf("#"))
        await peer.leave()
        await until_gone(connection)
        assert heard.audio == [*frames, (b"\7" * 320, 8_000), (b"", 8_000)]
        assert heard.keys == ["#"]
        assert heard.gone == ["caller_hung_up"]


async def test_messages_split_anywhere_are_put_together() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        for byte in wire.encode_audio(bytes(range(200))) + wire.encode_dtmf("1"):
            peer.say(bytes([byte]))
            await asyncio.sleep(0)
        await peer.leave()
        await until_gone(connection)
        assert (heard.audio, heard.keys) == ([(bytes(range(200)), 8_000)], ["1"])


async def test_the_middle_of_a_message_may_look_like_a_whole_one() -> None:
    """A read of a frame's very size that begins like a frame, while the frame before it is not whole yet."""
    inner = wire.encode_audio(b"\1" * 320)
    whole = wire.encode_audio(b"\2" * 100 + inner + b"\3" * 101)
    async with stage() as play:
        _, connection, heard = await play.call()
        cut = whole.index(inner)
        for part in (whole[:cut], inner, whole[cut + len(inner) :], inner):
            connection.data_received(part)
        assert heard.audio == [(whole[3:], 8_000), (inner[3:], 8_000)]


@pytest.mark.parametrize("way", ["fin", "rst", "half_close"])
async def test_however_the_caller_goes_it_is_said_once(way: str) -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        await peer.hear(3)
        if way == "rst":
            peer.reset()
        elif way == "half_close":
            peer.writer.write_eof()
        else:
            await peer.leave()
        await until_gone(connection)
        assert heard.gone == ["caller_hung_up"]
        assert len(play.ticker) == 0
        assert play.server.calls == []
        await connection.hang_up()
        assert heard.gone == ["caller_hung_up"]


async def test_unknown_messages_and_errors_are_skipped() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        peer.say(raw_message(0x02), raw_message(0xFF, b"\1"), raw_message(0x42, b"??"), HELLO)
        peer.say(raw_message(0x03, b"x"), wire.encode_dtmf("7"))
        await peer.leave()
        await until_gone(connection)
        assert heard.keys == ["7"]
        assert connection.stats.unknown_messages == 5


async def test_a_listener_that_raises_hears_on() -> None:
    class Raising(Remembering):
        def on_audio(self, pcm: bytes, rate_hz: int) -> None:
            super().on_audio(pcm, rate_hz)
            raise RuntimeError("broken")

        def on_gone(self, reason: str) -> None:
            super().on_gone(reason)
            raise RuntimeError("broken")

    async with stage() as play:
        peer, connection, _ = await play.call()
        raising = Raising()
        connection.listen(raising)
        peer.say(wire.encode_audio(b"\1\1"), wire.encode_audio(b"\2\2"), wire.encode_dtmf("3"))
        await peer.leave()
        await until_gone(connection)
        assert (len(raising.audio), raising.keys, raising.gone) == (2, ["3"], ["caller_hung_up"])
        assert connection.stats.failures == 3


async def test_what_comes_before_the_listener_is_kept_within_a_bound() -> None:
    early: list[Connection] = []
    late = Remembering()
    async with stage(on_call=early.append, early_max_messages=3) as play:
        peer = await play.connect(HELLO, *(wire.encode_audio(bytes([n, n])) for n in range(5)), wire.encode_dtmf("9"))
        await peer.leave()
        await until(lambda: bool(early))
        await until_gone(early[0])
        early[0].listen(late)
        assert late.audio == [(b"\3\3", 8_000), (b"\4\4", 8_000)]
        assert (late.keys, late.gone) == (["9"], ["caller_hung_up"])
        assert early[0]._ear.early_dropped == 3


async def asterisk_reads_hangup_and_closes(peer: Peer) -> list[bytes]:
    """What Asterisk does: goes on sending until it has read `00 00 00`, then closes."""
    heard: list[bytes] = []
    while not heard or heard[-1] != wire.HANGUP:
        peer.say(SILENCE)
        heard += await peer.hear()
    peer.say(SILENCE * 5)
    await peer.leave()
    return heard


async def test_a_polite_hang_up_ends_with_zeros_and_reads_to_the_end() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        asterisk = asyncio.ensure_future(asterisk_reads_hangup_and_closes(peer))
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(connection.hang_up(), connection.hang_up())
        assert asyncio.get_running_loop().time() - began < 0.1
        said = await asterisk
        assert said[-1] == wire.HANGUP and set(said[:-1]) == {SILENCE}
        assert heard.gone == ["hung_up"]
        in_time = len(heard.audio)
        assert 0 < in_time <= len(said)


async def test_hanging_up_never_answers_caller_audio_with_a_reset() -> None:
    async with stage() as play:
        peer, connection, _ = await play.call()
        connection.play_from(Frames(lambda: b"\5" * 320))
        ending = asyncio.ensure_future(connection.hang_up())
        for _ in range(20):
            peer.say(SILENCE * 10)
            await asyncio.sleep(0.02)
        peer.writer.write_eof()
        assert (await peer.hear_all())[-1] == wire.Hangup()
        await ending


async def test_a_hang_up_the_peer_ignores_is_cut_at_its_deadline() -> None:
    async with stage(hang_up_deadline_s=3.0) as play:
        _, connection, heard = await play.call()
        began = asyncio.get_running_loop().time()
        await connection.hang_up()
        assert asyncio.get_running_loop().time() - began == pytest.approx(3.0, abs=0.01)
        assert heard.gone == ["hung_up"]


async def test_a_second_hang_up_does_not_put_off_the_deadline_of_the_first() -> None:
    async with stage(hang_up_deadline_s=3.0) as play:
        _, connection, heard = await play.call()
        began = asyncio.get_running_loop().time()
        connection.leave(Gone.SERVER_CLOSING)
        await asyncio.sleep(1.0)
        await asyncio.wait_for(connection.hang_up(), 60)
        assert asyncio.get_running_loop().time() - began == pytest.approx(3.0, abs=0.01)
        assert heard.gone == ["server_closing"]


async def test_a_cancelled_hang_up_goes_on() -> None:
    async with stage(hang_up_deadline_s=1.0) as play:
        _, connection, heard = await play.call()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.hang_up(), 0.5)
        assert heard.gone == []
        await until_gone(connection)
        assert heard.gone == ["hung_up"]


async def test_zeros_from_the_peer_are_a_hang_up_too() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call(wire.encode_hangup())
        assert (await asterisk_reads_hangup_and_closes(peer))[-1] == wire.HANGUP
        await until_gone(connection)
        assert heard.gone == ["caller_hung_up"]


async def test_a_peer_that_does_not_read_loses_frames_and_then_the_call() -> None:
    async with stage(send_buffer_bytes=4096, backlog_max_frames=10, backlog_gone_frames=50) as play:
        peer = await play.connect(HELLO, receive_buffer_bytes=2048)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: bool(play.calls.connections))
        connection, heard = play.calls.connections[0], play.calls.heard[0]
        most = 0
        while connection.is_live:
            await asyncio.sleep(0.02)
            most = max(most, connection._output._transport.get_write_buffer_size())
        await until_gone(connection)
        assert most <= 11 * 323
        assert connection.stats.frames_dropped >= 50
        assert heard.gone == ["peer_not_reading"]


async def test_a_peer_that_reads_again_in_time_keeps_its_call() -> None:
    async with stage(send_buffer_bytes=4096, backlog_max_frames=10, backlog_gone_frames=5_000) as play:
        peer = await play.connect(HELLO, receive_buffer_bytes=2048)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: bool(play.calls.connections))
        connection = play.calls.connections[0]
        await until(lambda: connection.stats.frames_dropped >= 20)
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert set(await peer.hear(300)) == {SILENCE}
        assert connection.is_live


async def test_frames_dropped_hours_apart_do_not_add_up_to_a_caller_who_is_gone() -> None:
    async with stage(send_buffer_bytes=4096, backlog_max_frames=10, backlog_gone_frames=50) as play:
        peer = await play.connect(HELLO, receive_buffer_bytes=2048)
        await until(lambda: bool(play.calls.connections))
        connection = play.calls.connections[0]
        for times in range(1, 5):
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda times=times: connection.stats.frames_dropped >= 30 * times)  # type: ignore[misc]
            peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert set(await peer.hear(300)) == {SILENCE}
        assert connection.stats.frames_dropped > 2 * 50 and connection.is_live
