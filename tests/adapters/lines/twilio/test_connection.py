"""A stream over a real socket, against a peer that says and hears Twilio's messages."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from adapters.lines.gone import Gone
from adapters.lines.line import CallData, CallLeg
from adapters.lines.twilio import protocol as wire
from adapters.lines.twilio.connection import TwilioConnection
from adapters.lines.twilio.gate import TOKEN, TwilioRefusal
from adapters.websocket.client_socket import DialError
from tests.adapters.lines.listeners import Remembering
from tests.adapters.lines.sources import Frames
from tests.adapters.lines.twilio.peers import FRAME, Peer, Stage, stage, until

pytestmark = pytest.mark.virtual_time

TONE = bytes([0, 16]) * 160


class Endless:
    """A source that always has something to say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def tick(self) -> None:
        self.asked.append("tick")

    def pull(self) -> bytes | None:
        self.asked.append("pull")
        return TONE


def plays(peer: Peer, delay_s: float = 0.0) -> None:
    """Twilio plays: marks come back when what was before them is played."""
    loop = asyncio.get_running_loop()
    end_s = [loop.time()]
    pending: list[tuple[str, asyncio.TimerHandle]] = []

    def back(name: str) -> None:
        pending[:] = [each for each in pending if each[0] != name]
        peer.say(peer.words.mark(name))

    def on_message(message: wire.Outgoing) -> None:
        if isinstance(message, wire.Media):
            end_s[0] = max(end_s[0], loop.time() + delay_s) + len(message.pcm) / 16_000
        elif isinstance(message, wire.TwilioMark):
            pending.append((message.name, loop.call_at(end_s[0] + delay_s, back, message.name)))
        elif isinstance(message, wire.TwilioClear):
            end_s[0] = loop.time()
            for name, timer in pending.copy():
                timer.cancel()
                back(name)

    peer.on_message = on_message


# --- a call -----------------------------------------------------------------------------------------------------------


async def test_a_stream_is_a_leg_of_a_call_with_what_twilio_says_of_it() -> None:
    async with stage() as play:
        _, connection, heard = await play.call({"From": "+49301", "To": "+49302", "agent": "sales"})
        leg: CallLeg = connection
        assert (leg.call_id, leg.rate_hz, leg.keeps_lead, leg.lead_ms, leg.frames_unsent) == ("CA1", 8_000, True, 0, 0)
        assert leg.data == CallData("+49301", "+49302", {"agent": "sales"})
        assert play.server.calls == [connection]
        assert (heard.audio, heard.gone) == ([], [])
        assert not play.gate.refused


async def test_the_lead_is_sent_at_once_and_then_a_frame_per_tick() -> None:
    async with stage() as play:
        peer, connection, _ = await play.call()
        plays(peer)
        source = Endless()
        connection.play_from(source)
        await until(lambda: bool(peer.audio))
        assert source.asked == ["tick"] + ["pull"] * 10
        await asyncio.sleep(0.99)
        ticks = source.asked.count("tick")
        assert ticks in (49, 50)
        assert source.asked.count("pull") == 10 + ticks - 1
        assert len(b"".join(peer.audio)) == source.asked.count("pull") * 320
        assert [len(pcm) for pcm in peer.audio] == [3_200] + [320] * (len(peer.audio) - 1)
        assert 180 <= connection.lead_ms <= 220
        assert len(peer.marks) == 5
        connection.play_from(None)
        await asyncio.sleep(1)
        assert connection.lead_ms == 0


async def test_nothing_is_sent_where_there_is_nothing_to_say_and_time_passes_all_the_same() -> None:
    async with stage() as play:
        peer, connection, _ = await play.call()
        source = Frames(lambda: None)
        connection.play_from(source)
        await asyncio.sleep(1)
        assert peer.heard == []
        assert source.ticks in (49, 50, 51)


@pytest.mark.parametrize("delay_ms", [0, 30])
async def test_what_is_under_way_is_known_within_100_ms_at_any_time(delay_ms: int) -> None:
    async with stage() as play:
        peer, connection, _ = await play.call()
        plays(peer, delay_ms / 1000)
        left = [TONE] * 100
        connection.play_from(Frames(lambda: left.pop() if left else None))
        await until(lambda: bool(peer.audio))
        began_s = peer.heard[0][0] + delay_ms / 1000
        while (peer.heard and left) or connection.lead_ms:
            await asyncio.sleep(0.013)
            sent_ms = (100 - len(left)) * 20
            played_ms = min(max(asyncio.get_running_loop().time() - began_s, 0) * 1000, sent_ms)
            assert -1 <= connection.lead_ms - (sent_ms - played_ms) <= 100


async def test_a_barge_in_clears_what_twilio_holds_and_its_marks_mean_nothing() -> None:
    async with stage(lead_ms=600) as play:
        peer, connection, _ = await play.call()
        plays(peer)
        connection.play_from(Endless())
        await asyncio.sleep(1.0)
        assert connection.lead_ms > 500
        said = len(peer.marks)
        connection.play_from(None)
        connection.flush()
        connection.flush()
        assert connection.lead_ms == 0
        await asyncio.sleep(0.1)
        assert len(peer.of(wire.TwilioClear)) == 1
        assert peer.heard[-1][1] == wire.TwilioClear("MZ1")
        assert connection.stats.marks_void > 0
        left = [TONE] * 30
        connection.play_from(Frames(lambda: left.pop() if left else None))
        await asyncio.sleep(0.3)
        assert 250 < connection.lead_ms < 350
        await asyncio.sleep(1)
        assert connection.lead_ms == 0
        assert len(set(peer.marks)) == len(peer.marks) > said


async def test_there_is_nothing_to_clear_where_nothing_is_under_way() -> None:
    async with stage() as play:
        peer, connection, _ = await play.call()
        connection.flush()
        await asyncio.sleep(0.1)
        assert peer.heard == []


async def test_a_source_that_fails_does_not_break_the_call() -> None:
    given: list[bytes | Exception | None] = [TONE, RuntimeError("broken"), TONE, None]

    def source() -> bytes | None:
        what = given.pop(0) if given else None
        if isinstance(what, Exception):
            raise what
        return what

    async with stage() as play:
        peer, connection, _ = await play.call()
        connection.play_from(Frames(source))
        await asyncio.sleep(0.2)
        assert (len(peer.audio), connection.stats.failures) == (2, 1)
        connection.play_from(None)


async def test_a_source_that_hangs_up_sends_nothing_more() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()

        def source() -> bytes | None:
            connection.leave(Gone.HUNG_UP)
            return TONE

        connection.play_from(Frames(source))
        await until(lambda: bool(heard.gone))
        assert peer.audio == []


# --- what the caller does ---------------------------------------------------------------------------------------------


async def test_audio_of_any_length_and_keys_are_handed_on_as_they_come() -> None:
    async with stage() as play:
        peer, _, heard = await play.call()
        for size in (320, 160, 0, 960):
            peer.say(peer.words.media(bytes(size), 20))
        peer.say(peer.words.dtmf("#"), peer.words.dtmf("1"))
        await until(lambda: len(heard.keys) == 2)
        assert [(len(pcm), rate_hz) for pcm, rate_hz in heard.audio] == [(n, 8_000) for n in (320, 160, 0, 960)]
        assert heard.keys == ["#", "1"]


async def test_what_comes_before_the_listener_is_kept_within_bounds() -> None:
    made: list[TwilioConnection] = []
    async with stage(made.append, early_max_messages=3) as play:
        peer = await play.connect()
        peer.say(peer.words.connected(), peer.words.start({TOKEN: play.gate.issue("CA1")}))
        peer.say(*(peer.words.media(bytes(2 * n), 0) for n in range(1, 5)), peer.words.dtmf("5"))
        await until(lambda: bool(made) and made[0].stats.messages_received == 7)
        heard = Remembering()
        made[0].listen(heard)
        assert ([len(pcm) for pcm, _ in heard.audio], heard.keys) == ([6, 8], ["5"])
        assert made[0]._ear.early_dropped == 2


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("stop", "caller_hung_up"), ("close", "caller_hung_up"), ("abort", "connection_lost"),
        ("garbage", "connection_lost"),
    ],
)  # fmt: skip
async def test_however_the_caller_goes_it_is_said_once(way: str, reason: str) -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        connection.play_from(Endless())
        await asyncio.sleep(0.1)
        if way == "stop":
            peer.say(peer.words.stop())
        elif way == "garbage":
            peer.socket._transport.write(b"\xff" * 20)
        else:
            getattr(peer.socket, way)()
        await asyncio.wait_for(connection.wait_gone(), 60)
        assert heard.gone == [reason]
        assert len(play.ticker) == 0
        assert play.server.calls == []
        await connection.hang_up()
        assert heard.gone == [reason]


async def test_hanging_up_closes_the_stream_politely_and_hears_nothing_more() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        ending = asyncio.ensure_future(connection.hang_up())
        await asyncio.sleep(0)
        peer.say(peer.words.dtmf("1"))
        await asyncio.wait_for(ending, 60)
        assert peer.has_ended
        assert peer.socket.end is not None
        assert (peer.socket.end.code, peer.socket.end.reason) == (1000, "hung_up")
        assert (heard.keys, heard.gone) == ([], ["hung_up"])


async def test_a_peer_that_does_not_close_costs_the_deadline() -> None:
    async with stage(hang_up_deadline_s=1.5) as play:
        peer, connection, heard = await play.call()
        peer.socket._transport.pause_reading()
        began_s = asyncio.get_running_loop().time()
        await asyncio.wait_for(connection.hang_up(), 60)
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(1.5, abs=0.1)
        assert heard.gone == ["hung_up"]


async def test_a_peer_that_is_dead_is_noticed() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        peer.socket._transport.pause_reading()
        await asyncio.wait_for(connection.wait_gone(), 60)
        assert heard.gone == ["peer_not_reading"]


async def test_who_listens_too_late_hears_that_it_is_over() -> None:
    made: list[TwilioConnection] = []
    async with stage(made.append) as play:
        peer = await play.connect()
        peer.say(peer.words.connected(), peer.words.start({TOKEN: play.gate.issue("CA1")}), peer.words.dtmf("1"))
        peer.say(peer.words.stop())
        await until(lambda: bool(made))
        await asyncio.wait_for(made[0].wait_gone(), 60)
        heard = Remembering()
        made[0].listen(heard)
        assert (heard.keys, heard.gone) == (["1"], ["caller_hung_up"])


async def test_a_frame_that_finds_no_socket_is_counted() -> None:
    async with stage() as play:
        peer, connection, _ = await play.call()
        peer.socket.abort()
        connection._socket.abort()
        connection.play_from(Frames(lambda: TONE))
        connection._output.tick(1)
        assert connection.frames_unsent == 10


# --- messages that are none -------------------------------------------------------------------------------------------


async def test_unknown_messages_and_those_of_other_streams_are_skipped_and_counted() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        other = wire.TwilioEncoder("MZother", "CA1", "AC1")
        with capture_logs() as logs:
            peer.say(b"", b"{}", b'{"event":"hold"}', peer.words.connected(), peer.words.start({}))
            peer.say(other.media(FRAME, 0), other.dtmf("1"), other.mark("0-1"), other.stop())
            peer.socket.send_binary(FRAME)
            peer.say(peer.words.mark("9-9"), peer.words.dtmf("5"))
            await until(lambda: bool(heard.keys))
        assert (heard.audio, heard.keys, heard.gone) == ([], ["5"], [])
        assert (connection.stats.unknown_messages, connection.stats.foreign_messages) == (6, 4)
        assert connection.stats.marks_void == 1
        assert [each["event"] for each in logs] == ["twilio_message_skipped", "twilio_message_of_another_stream"]


async def test_a_message_that_is_too_long_ends_the_call() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        peer.say(b" " * 70_000)
        await asyncio.wait_for(connection.wait_gone(), 60)
        assert heard.gone == ["connection_lost"]


async def test_a_listener_that_fails_hears_on() -> None:
    class Failing(Remembering):
        def on_audio(self, pcm: bytes, rate_hz: int) -> None:
            super().on_audio(pcm, rate_hz)
            raise RuntimeError("broken")

        def on_gone(self, reason: str) -> None:
            super().on_gone(reason)
            raise RuntimeError("broken")

    made: list[TwilioConnection] = []
    async with stage(made.append) as play:
        peer = await play.connect()
        peer.say(peer.words.connected(), peer.words.start({TOKEN: play.gate.issue("CA1")}))
        await until(lambda: bool(made))
        heard = Failing()
        made[0].listen(heard)
        peer.say(peer.words.media(FRAME, 0), peer.words.media(FRAME, 20), peer.words.dtmf("1"))
        await until(lambda: bool(heard.keys))
        assert (len(heard.audio), made[0].stats.failures) == (2, 2)
        await made[0].hang_up()
        assert (heard.gone, made[0].stats.failures) == (["hung_up"], 3)


# --- who may come in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "signed", "status"),
    [("/", None, 404), ("/audio/", None, 404), ("/audio", "", 403), ("/audio", "bm9uZQ==", 403)],
)
async def test_an_upgrade_that_is_not_signed_or_leads_nowhere_is_refused(
    path: str, signed: str | None, status: int
) -> None:
    async with stage() as play:
        with pytest.raises(DialError) as caught:
            await play.connect(path, signed)
        assert caught.value.status == status
        assert play.gate.refused.total() == (status == 403)
        await asyncio.sleep(3)


async def refused(play: Stage, peer: Peer) -> TwilioRefusal:
    await asyncio.wait_for(peer.socket.wait_closed(), 60)
    assert peer.socket.end is not None
    assert (peer.socket.end.code, peer.socket.end.reason) == (1008, "refused")
    [why] = play.gate.refused
    return why


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({}, TwilioRefusal.NO_TOKEN),
        ({TOKEN: "x"}, TwilioRefusal.BAD_TOKEN),
        ({TOKEN: "of another call"}, TwilioRefusal.BAD_TOKEN),
    ],
)
async def test_a_stream_without_its_calls_token_is_refused_and_counted(
    parameters: dict[str, str], why: TwilioRefusal
) -> None:
    async with stage() as play:
        if parameters.get(TOKEN) == "of another call":
            parameters = {TOKEN: play.gate.issue("CA2")}
        peer = await play.connect()
        peer.say(peer.words.connected(), peer.words.start(parameters))
        assert await refused(play, peer) is why
        assert play.calls.connections == []


async def test_a_stream_that_is_shown_again_is_refused_and_the_call_goes_on() -> None:
    async with stage() as play:
        token = play.gate.issue("CA1")
        peer = await play.connect()
        peer.say(peer.words.connected(), peer.words.start({TOKEN: token}))
        await until(lambda: bool(play.calls.connections))
        again = await play.connect()
        again.say(again.words.connected(), again.words.start({TOKEN: token}))
        assert await refused(play, again) is TwilioRefusal.REPLAYED
        assert play.calls.connections[0].is_live


async def test_a_token_that_is_old_is_refused() -> None:
    async with stage(token_lifetime_s=60) as play:
        token = play.gate.issue("CA1")
        await asyncio.sleep(70)
        peer = await play.connect()
        peer.say(peer.words.connected(), peer.words.start({TOKEN: token}))
        assert await refused(play, peer) is TwilioRefusal.EXPIRED_TOKEN


async def test_a_second_stream_of_a_call_is_refused_and_one_after_the_first_is_taken() -> None:
    async with stage() as play:
        _, connection, _ = await play.call()
        second = await play.connect(call_sid="CA1", stream_sid="MZ2")
        second.say(second.words.connected(), second.words.start({TOKEN: play.gate.issue("CA1")}))
        assert await refused(play, second) is TwilioRefusal.SECOND_STREAM
        assert len(play.calls.connections) == 1
        assert play.server.calls == [connection]
        await connection.hang_up()
        third = await play.connect(call_sid="CA1", stream_sid="MZ3")
        third.say(third.words.connected(), third.words.start({TOKEN: play.gate.issue("CA1")}))
        await until(lambda: len(play.calls.connections) == 2)


async def test_a_stream_of_another_account_is_refused() -> None:
    async with stage() as play:
        peer = await play.connect()
        start = wire.TwilioEncoder("MZ1", "CA1", "AC2").start({TOKEN: play.gate.issue("CA1")})
        peer.say(peer.words.connected(), start)
        assert await refused(play, peer) is TwilioRefusal.OTHER_ACCOUNT


@pytest.mark.parametrize(
    "said",
    [
        wire.TwilioEncoder("MZ1", "CA1", "AC1").media(FRAME, 0),
        wire.TwilioEncoder("MZ1", "CA1", "AC1").stop(),
        b"GET / HTTP/1.1",
        orjson.dumps({"event": "start", "start": {"streamSid": "MZ1"}}),
    ],
)
async def test_a_stream_that_begins_otherwise_is_refused(said: bytes) -> None:
    async with stage() as play:
        peer = await play.connect()
        peer.say(peer.words.connected(), said)
        assert await refused(play, peer) is TwilioRefusal.BAD_START


async def test_a_stream_that_does_not_start_is_refused_at_the_deadline() -> None:
    async with stage(start_deadline_s=3) as play:
        peer = await play.connect()
        peer.say(peer.words.connected())
        assert await refused(play, peer) is TwilioRefusal.NO_START


async def test_connections_are_bounded_and_the_webhook_knows_it() -> None:
    async with stage(max_connections=2) as play:
        assert play.server.is_full() is None
        await play.call()
        await play.call()
        assert play.server.is_full() == "2 calls are live"
        with pytest.raises(DialError) as caught:
            await play.connect()
        assert caught.value.status == 503


async def test_a_handler_that_fails_ends_its_stream() -> None:
    async def handler(_: TwilioConnection) -> None:
        raise RuntimeError("broken")

    async with stage(handler) as play:
        peer = await play.connect()
        peer.say(peer.words.connected(), peer.words.start({TOKEN: play.gate.issue("CA1")}))
        await asyncio.wait_for(peer.socket.wait_closed(), 60)
        assert peer.socket.end is not None
        assert peer.socket.end.reason == "handler_failed"


async def test_a_call_that_nobody_takes_is_refused_with_the_reason_in_the_log() -> None:
    async with stage() as play:
        peer, connection, heard = await play.call()
        with capture_logs() as logs:
            connection.refuse("there is no agent 'sales'")
            await asyncio.wait_for(peer.socket.wait_closed(), 60)
        assert [(each["event"], each["why"]) for each in logs] == [("twilio_call_refused", "there is no agent 'sales'")]
        assert peer.socket.end is not None
        assert (peer.socket.end.code, heard.gone) == (1008, ["refused"])


async def test_closing_the_server_ends_all_streams_and_refuses_new_calls() -> None:
    async with stage() as play:
        _, _, heard = await play.call()
        waiting = await play.connect()
        await play.server.close(deadline_s=2.0)
        assert heard.gone == ["server_closing"]
        assert play.server.is_full() == "the server is closing"
        await asyncio.wait_for(waiting.socket.wait_closed(), 60)


async def test_no_secret_and_no_token_is_in_the_log() -> None:
    with capture_logs() as logs:
        async with stage() as play:
            token = play.gate.issue("CA1")
            for _ in range(2):
                peer = await play.connect()
                peer.say(peer.words.connected(), peer.words.start({TOKEN: token, "From": "+49301"}))
                await asyncio.sleep(0.5)
            with pytest.raises(DialError):
                await play.connect(signed="bm9uZQ==")
    text: Any = repr(logs)
    assert "twilio_stream_refused" in text
    for secret in (token, "bm9uZQ==", "0123456789abcdef"):
        assert secret not in text


@pytest.mark.parametrize("seed", range(6))
async def test_messages_in_any_order_break_nothing(seed: int) -> None:
    random = Random(seed)
    async with stage() as play:
        peer, connection, heard = await play.call()
        plays(peer)
        connection.play_from(Endless())
        foreign = wire.TwilioEncoder("MZother", "CA1", "AC1")
        for number in range(200):
            words = random.choice([peer.words, peer.words, foreign])
            said = random.choice(
                [
                    words.connected(), words.start({TOKEN: "x"}), words.media(FRAME, number), words.dtmf("5"),
                    words.mark(f"m{random.randrange(30)}"), random.randbytes(20), b'{"event":"media","media":[]}',
                ]
            )  # fmt: skip
            peer.say(said[: random.choice([len(said), len(said), len(said) // 2])])
            if not number % 40:
                connection.flush()
                await asyncio.sleep(random.random() / 4)
        peer.say(peer.words.dtmf("#"))
        await until(lambda: heard.keys[-1:] == ["#"])
        assert connection.is_live and not heard.gone
        assert connection.stats.unknown_messages > 50 and connection.stats.foreign_messages > 10
        assert connection.stats.failures == 0
        assert 0 <= connection.lead_ms <= 1_300
        peer.say(peer.words.stop())
        await until(lambda: bool(heard.gone))
