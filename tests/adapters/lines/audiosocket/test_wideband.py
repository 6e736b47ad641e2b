"""The rate of a call: that of what the peer sends, where it may be; and audio that is not what it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.mistakes import CURES, Mistake, Mistakes, RateProbe
from adapters.lines.audiosocket.settings import AudioSocketSettings
from tests.adapters.lines.audiosocket.peers import CALL, HELLO, Peer, stage, until
from tests.adapters.lines.sources import Frames

ALL: Any = {"rates_hz": [8_000, 16_000, 24_000]}


def frame(rate_hz: int, byte: int = 0) -> bytes:
    return wire.encode_audio(bytes([byte]) * (rate_hz // 50 * 2), rate_hz)


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("peer_hz", "call_hz"),
    [(8_000, 8_000), (16_000, 16_000), (24_000, 24_000), (12_000, 8_000), (44_100, 24_000), (192_000, 24_000)],
)
async def test_a_call_speaks_at_the_rate_of_its_peer(peer_hz: int, call_hz: int) -> None:
    async with stage(**ALL) as play:
        peer, connection, heard = await play.call(frame(peer_hz, 7))
        assert connection.rate_hz == call_hz
        connection.play_from(Frames(lambda: b"\1" * (call_hz // 50 * 2)))
        said = await peer.hear(10)
        assert said[-5:] == [frame(call_hz, 1)] * 5
        peer.say(frame(peer_hz, 9) * 60, frame(8_000, 5))
        await until(lambda: len(heard.audio) == 62)
        assert heard.audio[0] == (frame(peer_hz, 7)[3:], peer_hz) and heard.audio[60] == (
            frame(peer_hz, 9)[3:],
            peer_hz,
        )
        assert heard.audio[61] == (frame(8_000, 5)[3:], 8_000), "what says another rate has another"
        assert connection.rate_hz == call_hz, "and the call keeps its own"
        connection.play_from(None)


@pytest.mark.virtual_time
async def test_before_the_uuid_silence_has_the_lowest_rate() -> None:
    async with stage(**ALL) as play:
        peer = await play.connect()
        assert await peer.hear(2) == [frame(8_000)] * 2


@pytest.mark.virtual_time
async def test_a_muted_caller_is_waited_for_a_moment_and_then_has_the_lowest_rate() -> None:
    async with stage(**ALL, rate_wait_s=0.2) as play:
        loop = asyncio.get_running_loop()
        peer = await play.connect(HELLO, wire.encode_dtmf("4"))
        await peer.hear()
        began = loop.time()
        await until(lambda: bool(play.calls.connections))
        assert loop.time() - began == pytest.approx(0.2, abs=0.03)
        assert play.calls.connections[0].rate_hz == 8_000
        assert play.calls.heard[0].keys == ["4"], "what came meanwhile is kept"


@pytest.mark.virtual_time
async def test_a_caller_who_goes_before_the_rate_is_known_was_no_call() -> None:
    async with stage(**ALL) as play:
        peer = await play.connect(HELLO)
        await peer.hear(3)
        await peer.leave()
        await asyncio.sleep(1)
        assert play.calls.connections == [] and play.server.calls == [] and len(play.ticker) == 0


def test_rates_are_sorted_and_chosen_downwards() -> None:
    settings = AudioSocketSettings(rates_hz=(24_000, 16_000))
    assert settings.rates_hz == (16_000, 24_000)
    assert [settings.rate_for(each) for each in (8_000, 16_000, 12_000, 24_000, 48_000)] == [
        16_000, 16_000, 16_000, 24_000, 24_000,
    ]  # fmt: skip


# --- mistakes ---------------------------------------------------------------------------------------------------------


def gaps(ms: float, count: int = 60) -> list[float]:
    return [ms] * count


PAIRS = [0.0, 40.0] * 30
PAUSED = [*gaps(10, 20), 500.0, *gaps(10, 20), 3_000.0, *gaps(10, 20)]


@pytest.mark.parametrize(
    ("size", "after_ms", "verdict"),
    [
        (160, gaps(20), Mistake.G711), (240, gaps(30), Mistake.G711), (80, gaps(10), Mistake.G711),
        (320, gaps(20), None), (160, gaps(10), None), (640, gaps(40), None), (480, gaps(30), None),
        (320, PAIRS, None), (160, PAUSED, None), (160, PAIRS, Mistake.G711),
        (640, gaps(20), Mistake.WIDEBAND_AS_8K), (960, gaps(20), Mistake.WIDEBAND_AS_8K), (0, gaps(20), None),
    ],
)  # fmt: skip
def test_what_is_called_8_khz_is_known_by_how_fast_it_comes(
    size: int, after_ms: list[float], verdict: Mistake | None
) -> None:
    probe, at_s = RateProbe(), 5.0
    for gap_ms in after_ms:
        at_s += gap_ms / 1000
        if probe.hear(size, at_s):
            break
    else:
        pytest.fail("it was not enough")
    assert probe.verdict() is verdict


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as lines:
        yield lines  # type: ignore[misc]


def mistakes(lines: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(each["what"], each.get("call_id")) for each in lines if each["event"] == "audiosocket_mistake"]


async def speak(peer: Peer, message: bytes, count: int) -> None:
    for _ in range(count):
        peer.say(message)
        await asyncio.sleep(0.02)


@pytest.mark.virtual_time
async def test_g711_under_the_kind_of_pcm_is_named_once_for_a_peer(logged: list[dict[str, object]]) -> None:
    async with stage(**ALL) as play:
        for _ in range(2):
            peer, connection, _ = await play.call(wire.encode_audio(bytes(160)))
            await speak(peer, wire.encode_audio(bytes(160)), 60)
            await peer.leave()
            await connection.wait_gone()
    assert mistakes(logged) == [(Mistake.G711, str(CALL))]
    assert "c(slin)" in next(str(each["cure"]) for each in logged if each["event"] == "audiosocket_mistake")


@pytest.mark.virtual_time
async def test_a_caller_whose_audio_is_what_it_is_called_is_no_mistake(logged: list[dict[str, object]]) -> None:
    async with stage(**ALL) as play:
        for rate_hz in (8_000, 16_000):
            peer, connection, heard = await play.call(frame(rate_hz))
            await speak(peer, frame(rate_hz), 70)
            assert len(heard.audio) == 71
            await peer.leave()
            await connection.wait_gone()
    assert mistakes(logged) == []


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("said", "what"),
    [
        ([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], Mistake.HTTP),
        ([b"P", b"OST /calls HTTP/1.1\r\n"], Mistake.HTTP),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], Mistake.TLS),
    ],
)
async def test_what_is_not_asterisk_is_named_and_reset_at_once(
    logged: list[dict[str, object]], said: list[bytes], what: Mistake
) -> None:
    async with stage() as play:
        peer = await play.connect()
        await peer.hear()
        for part in said:
            peer.say(part)
            await asyncio.sleep(0.01)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(peer.hear_all(), 1)
    assert mistakes(logged) == [(what, None)]


@pytest.mark.virtual_time
async def test_a_channel_that_is_not_answered_is_named(logged: list[dict[str, object]]) -> None:
    async with stage() as play:
        for way in (Peer.leave, Peer.leave):
            peer = await play.connect()
            await peer.hear()
            await way(peer)
            await asyncio.sleep(0.1)
    assert mistakes(logged) == [(Mistake.SAID_NOTHING, None)]
    assert "Answer()" in CURES[Mistake.SAID_NOTHING]


def test_mistakes_are_remembered_within_a_bound(logged: list[dict[str, object]]) -> None:
    named = Mistakes()
    for round_ in range(2):
        for host in range(300):
            named.note(f"10.0.{host // 256}.{host % 256}", Mistake.HTTP)
        assert len(logged) == 300 * (round_ + 1), "the oldest are forgotten"
    named.note("10.0.1.43", Mistake.HTTP)
    assert len(logged) == 600


@pytest.mark.virtual_time
async def test_a_connection_has_its_rate_when_it_is_handed_over() -> None:
    rates: list[int] = []

    def on_call(connection: Connection) -> None:
        rates.append(connection.rate_hz)

    async with stage(on_call=on_call, **ALL) as play:
        await play.connect(HELLO, frame(24_000))
        await until(lambda: bool(rates))
        assert rates == [24_000]
