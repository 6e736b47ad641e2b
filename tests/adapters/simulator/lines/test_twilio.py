"""Twilio's end, simulated, against the real line over real sockets: the same facts seen from both sides."""

from __future__ import annotations

import asyncio
import uuid
import wave
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.lines.twilio import protocol as wire
from adapters.lines.twilio.connection import TwilioConnection
from adapters.lines.twilio.gate import TwilioRefusal
from adapters.lines.twilio.webhook import HttpRequest, HttpResponse, Webhook
from adapters.simulator.caller import script as steps
from adapters.simulator.caller.caller import run_call
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, Script, Step
from adapters.simulator.lines.twilio import (
    NoCallError,
    SimulatedStream,
    TwilioNumber,
    dial_twilio,
    over_http,
    read_twiml,
)
from adapters.websocket.client_socket import ClientSocket
from tests.adapters.lines.listeners import Remembering
from tests.adapters.lines.sources import Frames
from tests.adapters.lines.twilio.peers import SECRET, URL, Stage, stage, until

pytestmark = pytest.mark.virtual_time

LOUD: bytes = (np.sin(np.arange(160) * 0.3) * 8000).astype("<i2").tobytes()
CALL = uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")
CALL_SID = "CA112233445566778899aabbccddeeff00"


def number(play: Stage, **more: Any) -> TwilioNumber:
    given = {"auth_token": SECRET, "account_sid": "AC1", "webhook_url": f"{URL}/twiml?agent=sales", **more}
    return TwilioNumber(stream_address=("127.0.0.1", play.server.port), **given)


def asking(play: Stage) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    webhook = Webhook(play.server._settings, play.gate, play.server.is_full)

    async def ask(request: HttpRequest) -> HttpResponse:
        return webhook.answer(request)

    return ask


async def phone(play: Stage, **more: Any) -> tuple[SimulatedStream, TwilioConnection, Remembering]:
    """A call that nobody plays a script to."""
    settings = CallerSettings()
    found = await dial_twilio(number(play, **more), asking(play), CALL, settings, lambda *_: None)
    await until(lambda: bool(play.calls.connections))
    return found, play.calls.connections[-1], play.calls.heard[-1]


async def run(play: Stage, *script: Step, settings: CallerSettings | None = None, **more: Any) -> CallerReport:
    dial = partial(dial_twilio, number(play, **more), asking(play))
    return await run_call(dial, Script(script), settings or CallerSettings(), call_id=CALL)


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of sound."""
    path = tmp_path_factory.mktemp("speech") / "hello.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(LOUD * 25)
    return path


async def test_a_call_from_the_webhook_to_the_hang_up(hello: Path) -> None:
    async with stage() as play:
        report = await run(play, steps.Say(hello), steps.Press("5"), steps.WaitMs(200))
        await until(lambda: bool(play.calls.heard[-1].gone))
        [connection], [heard] = play.calls.connections, play.calls.heard
    assert (connection.call_id, connection.data.caller_id, connection.data.dialled) == (
        CALL_SID, "+493011111111", "+493022222222",
    )  # fmt: skip
    assert connection.data.variables == {"agent": "sales", "Direction": "inbound"}
    assert (report.ended, report.dropped, report.notes) == ("caller", None, ())
    assert report.server_closed_ms is not None and report.server_closed_ms < 100
    assert heard.keys == ["5"] and heard.gone == ["caller_hung_up"]
    assert {len(pcm) for pcm, _ in heard.audio} == {320}
    loud = [pcm for pcm, _ in heard.audio if any(pcm)]
    assert len(loud) == 25
    assert len(heard.audio) * 20 == pytest.approx(report.duration_ms, abs=40)
    assert not play.gate.refused


@pytest.mark.parametrize("delay_ms", [0, 40])
async def test_the_lead_plays_without_a_hole_as_it_was_sent(delay_ms: float) -> None:
    async with stage() as play:
        caller, connection, _ = await phone(play, delay_ms=delay_ms)
        left = [LOUD] * 100
        connection.play_from(Frames(lambda: left.pop() if left else None))
        await asyncio.sleep(2.5)
        assert caller.heard_ms == 2_000
        [segment] = caller.hearing.speech.segments
        assert segment.duration_ms == pytest.approx(2_000, abs=1)
        assert caller.hearing.holes == []
        assert connection.lead_ms == 0
        caller.hang_up()
        await caller.closed


@pytest.mark.parametrize("delay_ms", [0, 25])
@pytest.mark.parametrize("after_ms", [60, 333, 1_010])
async def test_at_a_cut_we_know_what_the_caller_heard(delay_ms: float, after_ms: float) -> None:
    async with stage(lead_ms=400) as play:
        caller, connection, _ = await phone(play, delay_ms=delay_ms)
        asked = 0

        def source() -> bytes:
            nonlocal asked
            asked += 20
            return LOUD

        connection.play_from(Frames(source))
        await asyncio.sleep(after_ms / 1000)
        heard_ms = asked - connection.lead_ms
        connection.play_from(None)
        connection.flush()
        await asyncio.sleep(0.5)
        assert caller.cuts_ms == [caller.heard_ms] and caller.buffered_ms == 0
        assert 0 <= caller.heard_ms - heard_ms <= 100
        assert after_ms < 100 or connection.stats.marks_void > 0
        assert connection.lead_ms == 0
        caller.hang_up()
        await caller.closed


async def test_the_server_hangs_up_and_the_caller_sees_it() -> None:
    async with stage() as play:
        live = asyncio.ensure_future(run(play, steps.UntilHungUp()))
        await until(lambda: bool(play.calls.connections))
        await play.calls.connections[0].hang_up()
        report = await live
        assert (report.ended, report.dropped) == ("fin", None)


async def test_a_connection_that_is_lost_is_a_caller_who_is_gone() -> None:
    async with stage() as play:
        report = await run(play, steps.WaitMs(100), steps.Reset())
        await until(lambda: bool(play.calls.heard[-1].gone))
        assert report.ended == "caller"
        assert play.calls.heard[-1].gone == ["connection_lost"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"{}", "not an object with an event"),
        (b'{"event":"hangup"}', "no such event"),
        (wire.StreamEncoder("MZother").clear, "of another stream"),
    ],
)
async def test_twilio_takes_no_other_messages(said: bytes, why: str) -> None:
    async with stage() as play:
        caller, connection, _ = await phone(play)
        connection._socket.send_text(said)
        await caller.closed
        assert caller.ending is not None
        assert caller.ending.dropped == f"a message Twilio does not take: {why}"


async def test_a_refused_stream_is_a_dropped_call() -> None:
    async with stage() as play:
        ask = asking(play)
        answers: list[HttpResponse] = []

        async def remember(request: HttpRequest) -> HttpResponse:
            answers.append(await ask(request))
            return answers[-1]

        dial = partial(dial_twilio, number(play), remember)
        first = await run_call(dial, Script((steps.WaitMs(50),)), CallerSettings(), call_id=CALL)
        assert first.dropped is None
        again = number(play, twiml=answers[0].body.decode())
        report = await run_call(
            partial(dial_twilio, again, None), Script((steps.WaitMs(500),)), CallerSettings(), call_id=CALL
        )
        assert report.dropped == "the server closed the stream with 1008: refused"
        assert play.gate.refused == {TwilioRefusal.REPLAYED: 1}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"auth_token": "another"}, "the webhook says 403"),
        ({"account_sid": "AC2"}, "the webhook says 403"),
        ({"twiml": "<Response><Reject/></Response>"}, "does not stream the call: ['Reject']"),
        ({"twiml": "<Response>"}, "not XML"),
        ({"twiml": '<Response><Connect><Stream url="https://x"/></Connect></Response>'}, "not a wss:// one"),
    ],
)
async def test_what_does_not_come_to_a_call_says_why(more: dict[str, Any], why: str) -> None:
    async with stage() as play:
        report = await run(play, **more)
        assert report.dropped is not None and why in report.dropped
        assert play.calls.connections == []


async def test_a_stream_that_ends_before_it_has_begun_is_a_dropped_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket's end may be known before whoever dialled goes on."""
    opened = SimulatedStream.opened

    def open_and_lose(self: SimulatedStream, socket: ClientSocket) -> SimulatedStream:
        opened(self, socket).ended()
        return self

    monkeypatch.setattr(SimulatedStream, "opened", open_and_lose)
    async with stage() as play:
        report = await run(play, steps.WaitMs(200))
    assert report.ended == "rst" and report.steps_done == 0


async def test_an_upgrade_that_is_not_signed_comes_to_no_call() -> None:
    async with stage() as play:
        twiml = (await asking(play)(await _request(play))).body.decode()
        report = await run(play, twiml=twiml, auth_token="another")
        assert report.dropped is not None and "403" in report.dropped


async def _request(play: Stage) -> HttpRequest:
    found: list[HttpRequest] = []

    async def ask(request: HttpRequest) -> HttpResponse:
        found.append(request)
        return HttpResponse(500, "", b"")

    with pytest.raises(NoCallError, match="500"):
        await dial_twilio(number(play), ask, CALL, CallerSettings(), lambda *_: None)
    return found[0]


async def test_another_rate_is_none_of_twilios() -> None:
    async with stage() as play:
        with pytest.raises(ValueError, match="8000 Hz"):
            await run(play, settings=CallerSettings(rate_hz=16_000))


def test_parameters_that_twilio_would_refuse_are_refused() -> None:
    stream = f'<Stream url="wss://x"><Parameter name="a" value="{"x" * 500}"/></Stream>'
    with pytest.raises(NoCallError, match="500"):
        read_twiml(f"<Response><Connect>{stream}</Connect></Response>")
    with pytest.raises(NoCallError, match="query"):
        read_twiml('<Response><Connect><Stream url="wss://x?a=b"/></Connect></Response>')


async def test_the_webhook_is_asked_over_http() -> None:
    asked: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        size = int(asked[0].lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        asked.append(await reader.readexactly(size))
        writer.write(b"HTTP/1.1 403 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()
        done.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        request = HttpRequest(method="POST", url="/twiml?a=b", headers={"x-twilio-signature": "s"}, form=[("To", "+1")])
        assert (await over_http(f"http://127.0.0.1:{port}")(request)).status == 403
        await done.wait()
    assert asked[0].startswith(b"POST /twiml?a=b HTTP/1.1")
    assert b"x-twilio-signature: s" in asked[0].lower()
    assert asked[1] == b"To=%2B1"
