"""The simulated caller against a scripted server over a real socket, and against the real one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import uuid
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from adapters.audio.tick import Ticker
from adapters.lines.audiosocket import protocol as wire
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.simulator.caller import script as steps
from adapters.simulator.caller.caller import run_call, run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, Echo, Script, Step
from adapters.simulator.lines.telephone import Telephone
from tests.adapters.lines.audiosocket.peers import CALL, Calls, raw_message, stage, until
from tests.adapters.lines.listeners import Remembering
from tests.adapters.lines.sources import Frames

pytestmark = pytest.mark.virtual_time

LOUD = (np.sin(np.arange(160) * 0.3) * 8000).astype("<i2").tobytes()
SPEECH = wire.encode_audio(LOUD)
SILENCE = wire.encode_audio(bytes(320))


@attrs.define
class Server:
    """The other side of one call: what it says is a script of its own, what it hears is kept."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[wire.Message] = attrs.field(factory=list)
    times_s: list[float] = attrs.field(factory=list)
    how_it_ended: str = ""

    async def say(self, message: bytes, count: int = 1) -> None:
        """One message per 20 ms."""
        for _ in range(count):
            self.writer.write(message)
            await asyncio.sleep(0.02)

    async def listen(self) -> None:
        decoder, loop = wire.Decoder(), asyncio.get_running_loop()
        try:
            while data := await self.reader.read(65_536):
                messages = decoder.feed(data)
                self.heard += messages
                self.times_s += [loop.time()] * len(messages)
            self.how_it_ended = "fin"
        except ConnectionResetError:
            self.how_it_ended = "rst"

    @property
    def audio(self) -> list[bytes]:
        return [message.pcm for message in self.heard if isinstance(message, wire.Audio)]


Play = Callable[[Server], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(play: Play) -> AsyncIterator[tuple[int, list[Server]]]:
    servers: list[Server] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = Server(reader, writer)
        servers.append(server)
        listening = asyncio.ensure_future(server.listen())
        try:
            await play(server)
            await listening
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            done.release()

    done = asyncio.Semaphore(0)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1], servers
        for _ in servers:
            await asyncio.wait_for(done.acquire(), 60)


async def call(play: Play, *script: Step, **settings: Any) -> tuple[CallerReport, Server]:
    async with serving(play) as (port, servers):
        report = await run_caller("127.0.0.1", port, Script(script), CallerSettings(**settings))
        await asyncio.sleep(0.1)
        return report, servers[0]


async def silent(server: Server) -> None:
    """As a server should: silence for as long as anybody listens."""
    while not server.how_it_ended:
        await server.say(SILENCE)


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


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
async def test_one_message_per_ptime_on_an_absolute_schedule(ptime_ms: int, rate_hz: int) -> None:
    call_id = uuid.uuid4()
    async with serving(silent) as (port, servers):
        settings = CallerSettings(ptime_ms=ptime_ms, rate_hz=rate_hz)
        script = Script((steps.WaitMs(1200),))
        report = await run_caller("127.0.0.1", port, script, settings, call_id=call_id)
        await asyncio.sleep(0.1)
    [server] = servers
    assert server.heard[0] == wire.Uuid(call_id)
    assert server.heard[1:] == [wire.Audio(rate_hz, bytes(rate_hz * ptime_ms // 500))] * (len(server.heard) - 1)
    times_ms = [round((time_s - server.times_s[0]) * 1000) for time_s in server.times_s[1:]]
    assert times_ms == [n * ptime_ms for n in range(len(times_ms))]
    assert abs(len(times_ms) - 1200 / ptime_ms) <= 1
    assert (report.ended, report.dialplan_continues, report.call_id) == ("caller", False, call_id)
    assert report.steps_done == 1


async def test_what_the_caller_says_is_heard_and_measured(hello: Path) -> None:
    report, server = await call(silent, steps.WaitMs(100), steps.Say(hello), steps.WaitMs(100), steps.HangUp())
    assert [pcm for pcm in server.audio if any(pcm)] == [LOUD] * 25
    [spoken] = report.caller_speech
    assert spoken.duration_ms == 500
    assert spoken.start_ms == pytest.approx(120, abs=21)
    assert report.agent_speech == ()
    assert report.steps_done == 4


async def test_dtx_sends_nothing_but_speech(hello: Path) -> None:
    _, server = await call(silent, steps.WaitMs(1000), steps.Say(hello), steps.WaitMs(1000), dtx=True)
    assert server.audio == [LOUD] * 25


async def test_a_key_stops_the_audio_and_comes_at_its_end() -> None:
    _, server = await call(silent, steps.WaitMs(100), steps.Press("7"), steps.WaitMs(100), digit_ms=120)
    at = server.heard.index(wire.Dtmf("7"))
    gap_s = server.times_s[at + 1] - server.times_s[at - 1]
    assert 0.1 < gap_s <= 0.15
    assert server.times_s[at] - server.times_s[at - 1] >= 0.1
    assert sum(isinstance(message, wire.Dtmf) for message in server.heard) == 1


async def test_on_hold_nothing_is_sent_and_nothing_is_heard() -> None:
    async def talks(server: Server) -> None:
        await server.say(SPEECH, 60)

    report, server = await call(talks, steps.WaitMs(200), steps.Hold(ms=600), steps.WaitMs(100))
    gaps_s = [after - before for before, after in itertools.pairwise(server.times_s)]
    assert 0.6 <= max(gaps_s) <= 0.65 and sorted(gaps_s)[-2] < 0.05
    before, after = report.agent_speech
    assert before.end_ms <= 220 and after.start_ms >= 799
    assert report.holes == () and report.pacing.gap_max_ms < 50


async def test_on_hold_with_music_the_server_gets_the_music_over_and_over(tmp_path: Path) -> None:
    ramp = np.arange(1000, 1480, dtype="<i2")  # 60 ms, each sample another
    file = tmp_path / "music.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(ramp.tobytes())
    report, server = await call(silent, steps.WaitMs(100), steps.Hold(ms=200, music=file), steps.WaitMs(100))
    assert b"".join(pcm for pcm in server.audio if any(pcm)) == (ramp.tobytes() * 4)[: 10 * 320]
    assert report.caller_speech == ()


async def test_with_jitter_no_frame_is_lost_and_none_overtakes_another(tmp_path: Path) -> None:
    file = tmp_path / "count.wav"
    frames = b"".join(np.full(160, 500 + n, dtype="<i2").tobytes() for n in range(50))
    with wave.open(str(file), "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(frames)
    _, server = await call(silent, steps.Say(file), steps.WaitMs(200), jitter_ms=100.0)
    spoken = [(at_s, pcm) for at_s, pcm in zip(server.times_s[1:], server.audio, strict=False) if any(pcm)]
    assert b"".join(pcm for _, pcm in spoken) == frames
    gaps_s = [after[0] - before[0] for before, after in itertools.pairwise(spoken)]
    assert min(gaps_s) < 0.001 and 0.03 < max(gaps_s) <= 0.12


async def test_hanging_up_is_a_fin_and_the_servers_close_is_timed() -> None:
    report, server = await call(silent, steps.WaitMs(100), steps.HangUp())
    assert server.how_it_ended == "fin"
    assert report.ended == "caller"
    assert report.server_closed_ms is not None and report.server_closed_ms <= 21


async def test_a_server_that_does_not_close_is_noticed() -> None:
    async def stays(server: Server) -> None:
        await server.say(SILENCE, 100)

    report, _ = await call(stays, steps.HangUp(), close_deadline_ms=300)
    assert report.server_closed_ms is None


async def test_a_reset_is_an_rst() -> None:
    report, server = await call(silent, steps.WaitMs(100), steps.Reset(), steps.WaitMs(100))
    assert server.how_it_ended == "rst"
    assert (report.ended, report.steps_done) == ("caller", 2)


async def test_the_agent_is_waited_for_heard_and_interrupted(hello: Path) -> None:
    async def talks(server: Server) -> None:
        await server.say(SILENCE, 50)
        await server.say(SPEECH, 100)
        await server.say(SILENCE, 100)
        await server.say(wire.encode_hangup())

    script = (steps.WaitAgentSpeaking(), steps.Interrupt(hello, after_ms=500), steps.WaitAgentSilent(600))
    events: list[str] = []
    async with serving(talks) as (port, _):
        report = await run_caller(
            "127.0.0.1",
            port,
            Script((*script, steps.UntilHungUp())),
            CallerSettings(),
            on_event=lambda name, _: events.append(name),
        )
    assert events == ["connected", "heard_agent", "began_speaking", "spoke", "agent_silent", "ended"]
    assert report.notes == () and report.steps_done == 4
    [agent], [caller] = report.agent_speech, report.caller_speech
    assert agent.start_ms == pytest.approx(1000, abs=5)
    assert agent.duration_ms == pytest.approx(2000, abs=5)
    assert caller.start_ms - agent.start_ms == pytest.approx(520, abs=25)
    assert report.talk_over_ms == pytest.approx(500, abs=5)
    assert report.longest_silence_ms == pytest.approx(2000, abs=50)
    assert report.pacing.gap_max_ms < 21
    assert report.ended == "hangup" and report.dialplan_continues
    assert len(report.heard) == 250


async def test_a_wait_in_vain_is_noted_and_the_script_goes_on(hello: Path) -> None:
    script = (
        steps.WaitAgentSpeaking(within_ms=300),
        steps.Interrupt(hello, within_ms=300),
        steps.WaitAgentSilent(for_ms=5000, within_ms=300),
        steps.UntilHungUp(within_ms=300),
        steps.HangUp(),
    )
    report, server = await call(silent, *script)
    assert [(note.step, note.text) for note in report.notes] == [
        (0, "WaitAgentSpeaking: not within 300 ms"),
        (1, "Interrupt: not within 300 ms"),
        (2, "WaitAgentSilent: not within 300 ms"),
        (3, "UntilHungUp: not within 300 ms"),
    ]
    assert report.steps_done == 5
    assert not any(any(pcm) for pcm in server.audio)


async def test_echo_leaks_back() -> None:
    async def talks(server: Server) -> None:
        await server.say(SPEECH, 50)

    _, server = await call(talks, steps.WaitMs(1500), echo=Echo(delay_ms=200, gain_db=-12))
    assert sum(any(pcm) for pcm in server.audio) == pytest.approx(50, abs=1)
    assert not any(any(pcm) for pcm in server.audio[:9])


async def fin(server: Server) -> None:
    await server.say(SILENCE, 5)
    server.writer.write_eof()


async def hang_up(server: Server) -> None:
    await server.say(SILENCE, 5)
    await server.say(wire.encode_hangup())


async def reset(server: Server) -> None:
    await server.say(SILENCE, 5)
    sock = server.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.writer.transport.abort()


@pytest.mark.parametrize(("end", "ended", "goes_on"), [(fin, "fin", 1), (hang_up, "hangup", 1), (reset, "rst", 0)])
async def test_the_servers_endings(end: Play, ended: str, goes_on: bool) -> None:
    for driver in ("app", "dial"):
        report, _ = await call(end, steps.UntilHungUp(), driver=driver)
        assert (report.ended, report.dropped, report.notes) == (ended, None, ())
        assert report.dialplan_continues is (bool(goes_on) or driver == "dial")
        assert report.duration_ms == pytest.approx(100, abs=25)
        assert report.steps_done == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (raw_message(0x02), "kind 0x02"),
        (wire.encode_dtmf("1"), "DTMF"),
        (raw_message(0xFF, b"\1"), "ERROR"),
        (wire.encode_uuid(CALL), "UUID"),
        (raw_message(0x42, b"x"), "kind 0x42"),
        (raw_message(0x10), "length 0"),
        (SILENCE[:100], "stalled for 5 ms"),
    ],
    ids=["silence", "key", "error", "uuid", "unknown", "empty", "stall"],
)
async def test_what_makes_asterisk_drop_the_call(said: bytes, why: str) -> None:
    async def says(server: Server) -> None:
        await server.say(SILENCE, 5)
        await server.say(said)

    report, _ = await call(says, steps.UntilHungUp())
    assert report.ended == "dropped" and why in str(report.dropped)
    assert not report.dialplan_continues


async def test_a_fin_inside_a_message_drops_the_call() -> None:
    async def says(server: Server) -> None:
        server.writer.write(SILENCE[:100])
        server.writer.write_eof()

    report, _ = await call(says, steps.UntilHungUp())
    assert report.dropped == "the server closed in the middle of a message"


async def test_a_header_in_pieces_and_a_short_stall_are_fine() -> None:
    async def says(server: Server) -> None:
        for part, pause_s in [(SPEECH[:2], 1.0), (SPEECH[2:10], 0.003), (SPEECH[10:], 0.0)]:
            server.writer.write(part)
            await asyncio.sleep(pause_s)
        await server.say(wire.encode_hangup())

    report, _ = await call(says, steps.UntilHungUp())
    assert (report.ended, len(report.heard)) == ("hangup", 1)


async def nothing(server: Server) -> None:
    del server


async def test_two_seconds_of_nothing_drop_a_call_of_the_app_only() -> None:
    report, _ = await call(nothing, steps.WaitMs(4000), dtx=True)
    assert report.dropped == "nothing from either side for 2000 ms"
    assert report.duration_ms == pytest.approx(2000, abs=25)
    report, _ = await call(nothing, steps.WaitMs(4000), dtx=True, driver="dial")
    assert report.ended == "caller"
    report, _ = await call(nothing, steps.WaitMs(4000))  # its own silence keeps it alive
    assert report.ended == "caller"


async def test_a_server_that_stops_reading_drops_the_call() -> None:
    async def deaf(server: Server) -> None:
        server.writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        server.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(50)
        server.writer.transport.abort()

    report, _ = await call(deaf, steps.UntilHungUp(within_ms=600_000), ptime_ms=40, rate_hz=192_000)
    assert report.dropped == "the server does not read"


async def test_a_server_that_is_not_there_is_a_dropped_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    report = await run_caller("127.0.0.1", port, Script((steps.UntilHungUp(),)), CallerSettings())
    assert report.ended == "dropped" and "cannot connect" in str(report.dropped)


async def test_a_server_that_does_not_answer_in_time_is_a_dropped_call() -> None:
    async def dial(*_: object) -> Telephone:
        await asyncio.Event().wait()
        raise AssertionError

    report = await run_call(dial, Script(()), CallerSettings())
    assert report.dropped == "cannot connect: no answer in time"
    assert (report.dialplan_continues, report.duration_ms, report.steps_done) == (False, 0, 0)


async def test_a_display_that_fails_does_not_end_the_call() -> None:
    def fails(name: str, data: Mapping[str, object]) -> None:
        raise RuntimeError(f"cannot show {name} {data}")

    async with serving(hang_up) as (port, _):
        report = await run_caller("127.0.0.1", port, Script((steps.UntilHungUp(),)), CallerSettings(), fails)
    assert report.ended == "hangup"


async def test_a_cancelled_call_is_gone() -> None:
    async with serving(silent) as (port, servers):
        calling = asyncio.ensure_future(run_caller("127.0.0.1", port, Script((steps.UntilHungUp(),)), CallerSettings()))
        await asyncio.sleep(1)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.sleep(0.1)
        assert servers[0].how_it_ended in ("fin", "rst")


async def test_a_whole_call_with_the_real_server(hello: Path) -> None:
    heard = Remembering()

    async def answer(connection: Connection) -> None:
        connection.listen(heard)
        frames = iter([LOUD] * 60)
        connection.play_from(Frames(lambda: next(frames, None)))
        await until(lambda: bool(heard.keys))
        await connection.hang_up()

    script = Script((steps.Interrupt(hello), steps.WaitAgentSilent(), steps.Press("1"), steps.UntilHungUp()))
    async with stage(on_call=answer) as play:
        report = await run_caller("127.0.0.1", play.server.port, script, CallerSettings())
    assert (report.ended, report.dialplan_continues, report.notes, report.holes) == ("hangup", True, (), ())
    assert heard.gone == ["hung_up"]
    assert [pcm for pcm, _ in heard.audio if any(pcm)] == [LOUD] * 25
    [agent] = report.agent_speech
    assert agent.duration_ms == pytest.approx(1200, abs=1)
    assert report.talk_over_ms == pytest.approx(500, abs=1)
    assert report.pacing.gap_max_ms < 20.5 and report.pacing.lead_max_ms <= 20.5
    assert abs(report.pacing.drift_ms) < 0.5


@pytest.mark.parametrize("leaving", [steps.HangUp(), steps.Reset()])
async def test_the_real_server_hears_the_caller_go(leaving: Step) -> None:
    async with stage() as play:
        script = Script((steps.WaitMs(200), leaving))
        report = await run_caller("127.0.0.1", play.server.port, script, CallerSettings(ptime_ms=30))
        await asyncio.sleep(0.05)
        assert play.calls.heard[0].gone == ["caller_hung_up"]
        assert (report.server_closed_ms is not None) == isinstance(leaving, steps.HangUp)


async def test_the_real_server_on_the_real_tick_is_paced_perfectly() -> None:
    ticker = Ticker()
    server = AudioSocketServer(AudioSocketSettings(port=0), ticker, Calls())
    await server.start()
    script = Script((steps.WaitMs(3000),))
    reports = await asyncio.gather(
        *(run_caller("127.0.0.1", server.port, script, CallerSettings(keep_audio=False)) for _ in range(20))
    )
    await server.close()
    assert len(ticker) == 0
    for report in reports:
        assert report.pacing.messages == pytest.approx(150, abs=1)
        assert report.pacing.gap_max_ms < 20.5 and report.pacing.lead_max_ms <= 20.5


async def test_a_hole_in_the_servers_speech_is_found() -> None:
    def answer(connection: Connection) -> None:
        frames = iter([LOUD] * 20 + [None] * 3 + [LOUD] * 20)
        connection.play_from(Frames(lambda: next(frames, None)))

    async with stage(on_call=answer) as play:
        report = await run_caller("127.0.0.1", play.server.port, Script((steps.WaitMs(1500),)), CallerSettings())
    [hole] = report.holes
    assert hole.duration_ms == pytest.approx(60, abs=1)
