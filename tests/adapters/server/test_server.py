"""The server over loopback, in virtual time, both ends simulated: calls, what fails in them, and the server's end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import json
import signal
import threading
import uuid
import wave
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import structlog

from adapters import logs
from adapters.call.call import Call
from adapters.call.mailbox import Envelope
from adapters.call.observers import Observer
from adapters.call.summary import Summary
from adapters.lines.line import CallData
from adapters.logs import LogSettings
from adapters.providers.provider import WireEvent
from adapters.server.server import TurnspecServer
from adapters.settings.config import Settings, load_settings
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.realtime import ProviderScenario, ProviderServer, ProviderSettings, parse_scenario
from adapters.websocket.client_socket import tls_context
from fsm.journal.journal import read
from fsm.journal.replay import STRICT, replay
from fsm.machine.machine import Step, TurnSpecMachine

pytestmark = pytest.mark.virtual_time

KEY = "sk-proj-SERVER0123456789"
GONE_S = 0.2  # a call is over for its caller a little before the provider's socket is closed
GREETED = {"steps": ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}, "hang_up"]}
ONE_TURN = {
    "steps": [
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        {"say": "caller_order_status"},
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        "hang_up",
    ]
}
LISTEN = {"steps": [{"until_hung_up": {"within_ms": 60000}}]}


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    """What the process logs in a test, as `turnspec serve` would write it."""
    stream = io.StringIO()
    logs.configure(LogSettings(), (), stream)
    yield stream
    structlog.reset_defaults()


@attrs.define
class Ends:
    """An observer that keeps the summary of each call; as an observer of its own for each."""

    summaries: dict[str, Summary] = attrs.field(factory=dict)
    awaited: dict[str, asyncio.Event] = attrs.field(factory=dict)

    async def reached(self, state_or_variant: str) -> None:
        """Some call is in this state, or has taken such an event."""
        await self.awaited.setdefault(state_or_variant, asyncio.Event()).wait()

    def of(self, call_id: str) -> list[Observer]:
        return [_End(self, call_id)]


@attrs.frozen
class _End:
    ends: Ends
    call_id: str

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del envelope, at_ms
        for name in (step.snapshot.state, step.variant):
            if name in self.ends.awaited:
                self.ends.awaited[name].set()

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None:
        self.ends.summaries[self.call_id] = summary


def settings_for(folder: Path, url: str, more: str = "", **environment: str) -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(
        f"listen: {{audiosocket: '127.0.0.1:0'}}\ngreeting: Greet.\nprovider: {{url: '{url}'}}\n"
        f"journal: {{dir: journals}}\n{more}"
    )
    return load_settings(path, {"OPENAI_API_KEY": KEY, **environment})


@contextlib.asynccontextmanager
async def serving(settings: Settings, ends: Ends | None = None) -> AsyncIterator[TurnspecServer]:
    server = TurnspecServer(settings, ends.of if ends is not None else None)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def call(server: TurnspecServer, script: Mapping[str, Any], call_id: uuid.UUID | None = None) -> CallerReport:
    return await run_caller("127.0.0.1", server.port, load_script(script, Path()), CallerSettings(), call_id=call_id)


async def test_a_call_from_the_file_to_the_ear(tmp_path: Path) -> None:
    ends, call_id = Ends(), uuid.uuid4()
    async with ProviderServer() as provider:
        settings = settings_for(tmp_path, provider.url, "recording: {dir: recordings}\n")
        async with serving(settings, ends) as server:
            report = await call(server, ONE_TURN, call_id)
            assert report.notes == () and len(report.agent_speech) == 2
    numbers = ends.summaries[str(call_id)].as_json()
    assert (numbers["turns"], numbers["answers"], numbers["rejections"], numbers["underruns"]) == (1, 1, 0, 0)
    assert (numbers["reconnects"], numbers["frames_unsent"]) == (0, 0)
    with (tmp_path / "journals" / f"{call_id}.jsonl").open() as lines:
        journal = read(lines)
    assert journal.warnings == () and journal.end is not None
    assert journal.end.summary["turns"] == 1 and journal.header.digest == settings.spec_digest
    again = replay(journal, TurnSpecMachine(settings.spec), STRICT)
    assert again.matches and again.steps == len(journal.steps) > 20, again
    assert (tmp_path / "recordings" / f"{call_id}.wav").stat().st_size > 100_000


@pytest.mark.parametrize(("rate_hz", "wire_format"), [(16_000, "pcmu"), (24_000, "pcm16")])
async def test_a_wideband_call_is_spoken_and_recorded_at_its_rate(
    tmp_path: Path, rate_hz: int, wire_format: str
) -> None:
    ends, call_id = Ends(), uuid.uuid4()
    async with ProviderServer() as provider:
        path = tmp_path / "turnspec.yaml"
        path.write_text(
            f"listen: {{audiosocket: '127.0.0.1:0'}}\ngreeting: Greet.\nrecording: {{dir: recordings}}\n"
            f"provider: {{url: '{provider.url}', format: {wire_format}}}\n"
        )
        async with serving(load_settings(path, {"OPENAI_API_KEY": KEY}), ends) as server:
            caller = CallerSettings(rate_hz=rate_hz, driver="dial")
            script = load_script(ONE_TURN, Path())
            report = await run_caller("127.0.0.1", server.port, script, caller, call_id=call_id)
            assert all_written(server)
    assert report.notes == () and len(report.agent_speech) == 2
    assert {each.rate_hz for each in report.heard if any(each.pcm)} == {rate_hz}
    numbers = ends.summaries[str(call_id)].as_json()
    assert (numbers["turns"], numbers["underruns"], numbers["frames_unsent"]) == (1, 0, 0)
    with wave.open(str(tmp_path / "recordings" / f"{call_id}.wav")) as recording:
        assert recording.getframerate() == rate_hz
        assert recording.getnframes() / rate_hz == pytest.approx(report.duration_ms / 1000, abs=0.5)


async def test_frames_lost_to_a_stalled_loop_are_counted_and_logged(tmp_path: Path, logged: io.StringIO) -> None:
    ends, loop = Ends(), asyncio.get_running_loop()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url), ends) as server:
        live = asyncio.create_task(call(server, GREETED))
        await asyncio.sleep(1.51)
        loop._jumping.now_s += 1.0  # type: ignore[attr-defined]  # nothing ran for a second
        await live
    (summary,) = ends.summaries.values()
    assert summary.as_json()["frames_unsent"] in (47, 48)  # of 50 or 51, less the three that are made up for
    lines = {each["event"]: each for each in map(json.loads, logged.getvalue().splitlines())}
    assert lines["call_ended"]["frames_unsent"] == lines["audiosocket_closed"]["frames_skipped"] > 40
    assert lines["tick_stalled"]["stalled_ms"] == 1000


async def test_agent_audio_beyond_its_bound_is_counted(tmp_path: Path) -> None:
    ends, limit = Ends(), "limits: {agent_audio_queued_ms: 1000}\n"
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url, limit), ends) as server:
        await call(server, GREETED)
    (summary,) = ends.summaries.values()
    assert summary.as_json()["agent_audio_dropped_s"] > 0.5  # type: ignore[operator]


FAULTS = {
    "http_503": "faults: [{fault: http_status, status: 503}]",
    "http_401": "faults: [{fault: http_status, status: 401}]",
    "never_created": "faults: [{fault: lose, type: session.created}]",
    "update_refused": "faults: [{fault: refuse_update}]",
    "key_refused": "",
}


@pytest.mark.parametrize("how", ["closed_port", *FAULTS])
async def test_a_provider_that_cannot_be_reached_is_an_apology_and_the_dialplan_goes_on(
    tmp_path: Path, how: str
) -> None:
    scenario = parse_scenario(FAULTS.get(how, ""), tmp_path / "s.yaml")
    keys = ProviderSettings(api_keys=("another",) if how == "key_refused" else ())
    ends = Ends()
    async with ProviderServer(keys, scenario) as provider:
        url = "ws://127.0.0.1:1/v1" if how == "closed_port" else provider.url
        async with serving(settings_for(tmp_path, url), ends) as server:
            report = await call(server, LISTEN)
    (summary,) = ends.summaries.values()
    heard_ms = sum(each.duration_ms for each in report.agent_speech)
    assert heard_ms > 1500, "the apology was heard"
    assert (report.ended, report.dialplan_continues, report.dropped) == ("hangup", True, None)
    assert report.duration_ms < 30_000
    numbers = summary.as_json()
    assert numbers["agent_audio_played_s"] == 0.0
    tries = {"http_401": 1, "key_refused": 1, "update_refused": 1}.get(how, 3)
    assert numbers["reconnects"] == tries - 1, "the first connect is no reconnect"
    assert summary.violations == 0, summary


async def test_twenty_calls_leave_nothing(tmp_path: Path) -> None:
    """Tasks, timers, watched sockets and open files are as they were after the first call."""
    seen = []
    async with ProviderServer() as provider:
        more = "recording: {dir: recordings}\n"
        async with serving(settings_for(tmp_path, provider.url, more)) as server:
            for count in (1, 20):
                reports = await asyncio.gather(*(call(server, GREETED) for _ in range(count)))
                assert all(len(each.agent_speech) == 1 and each.notes == () for each in reports)
                await asyncio.sleep(3)
                assert all_written(server)
                gc.collect()
                seen.append(resources(server))
    assert seen[0] == seen[1]
    assert len(files_of(tmp_path, "journals")) == len(files_of(tmp_path, "recordings")) == 21


def all_written(server: TurnspecServer) -> bool:
    """Waits, in real time, for the threads that own files."""
    threads = [server._recordings, *([server._journals._thread] if server._journals is not None else [])]
    done = [threading.Event() for _ in threads]
    for thread, event in zip(threads, done, strict=True):
        thread.submit(event.set)
    return all(each.wait(20) for each in done)


def files_of(folder: Path, name: str) -> list[Path]:
    return list(folder.glob(f"{name}/*"))


def resources(server: TurnspecServer) -> dict[str, int]:
    loop = asyncio.get_running_loop()
    timers = [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
    live = [each for each in gc.get_objects() if isinstance(each, Call)]
    return {
        "tasks": len(asyncio.all_tasks()),
        "timers": len(timers),
        "sockets": len(loop._selector.get_map()),  # type: ignore[attr-defined]
        "files": len(files_of(Path("/proc/self"), "fd")),
        "calls": len(server.calls) + len(live),
        "ticks": len(server._ticker),
    }


async def test_a_call_that_fails_harms_no_other(tmp_path: Path) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"broken at {name}")

    first, second = uuid.uuid4(), uuid.uuid4()

    def observers(call_id: str) -> list[Any]:
        if call_id == str(first):
            raise RuntimeError("no observers for this one")
        return [Broken()]

    async with ProviderServer() as provider:
        server = TurnspecServer(settings_for(tmp_path, provider.url), observers)
        await server.start()
        reports = await asyncio.gather(call(server, LISTEN, first), call(server, ONE_TURN, second))
        await asyncio.sleep(GONE_S)
        assert server.calls == {} and server._running == 0
        await server.close()
    assert (reports[0].ended, reports[0].dialplan_continues) == ("hangup", True)
    assert reports[1].notes == () and len(reports[1].agent_speech) == 2


async def test_a_machine_that_fails_in_mid_call_ends_that_call_politely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url)) as server:
        machine = server._generation.agents.of(CallData()).services(8000).machine  # type: ignore[union-attr]
        step = machine.step
        victims: list[object] = []

        def failing(snapshot: Any, event: Any) -> Step:
            if event.name == "session.updated" and not victims:
                victims.append(event)
                raise RuntimeError("broken")
            return step(snapshot, event)

        monkeypatch.setattr(machine, "step", failing)
        victim = asyncio.create_task(call(server, LISTEN))
        await asyncio.sleep(0.005)
        other = await call(server, ONE_TURN)
        report = await victim
        await asyncio.sleep(GONE_S)
        assert server.calls == {} and server._running == 0
    assert (report.ended, report.dialplan_continues) == ("hangup", True)
    assert other.notes == () and len(other.agent_speech) == 2


# --- the end of the server --------------------------------------------------------------------------------------------


async def test_closing_lets_a_sentence_end_and_turns_new_calls_away(tmp_path: Path) -> None:
    ends = Ends()
    async with ProviderServer() as provider:
        server = TurnspecServer(settings_for(tmp_path, provider.url), ends.of)
        await server.start()
        live = asyncio.create_task(call(server, LISTEN))
        await asyncio.sleep(1.5)  # the greeting is being played
        closing = asyncio.create_task(server.close())
        await asyncio.sleep(0.1)
        assert len(server.calls) == 1
        late = await call(server, LISTEN)
        report = await live
        await closing
    assert (late.ended, late.agent_speech) == ("rst", ()), "to TryExec that is FAILED"
    outcome = await server.inside.result(str(late.call_id))
    assert outcome is not None and outcome.word == "refused:drain"
    assert (report.ended, report.dialplan_continues) == ("hangup", True)
    (summary,) = ends.summaries.values()
    assert summary.played is not None and summary.played.played_ms == summary.played.generated_ms > 1000
    assert summary.end_reason == "operator.hang_up_requested: server_closing"


SPEAKS = {
    "steps": [
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 800}},
        {"say": "caller_order_status"},
        {"until_hung_up": {"within_ms": 60000}},
    ]
}
SLOW_TOOL = "tools: [{name: slow, function: 'slow_of_test_server:f', deadline_s: 5}]\n"
CALLS_IT = "responses: [{when: {after: user}, output: [{call: slow}]}]"


@pytest.mark.parametrize("state", ["response_pending", "responding", "playing_out", "user_speaking", "tool_call"])
async def test_closing_waits_for_an_answer_that_the_caller_waits_for(tmp_path: Path, state: str) -> None:
    (tmp_path / "slow_of_test_server.py").write_text(
        "import asyncio\nasync def f(): return await asyncio.sleep(2, 'found')\n"
    )
    ends = Ends()
    async with (
        ProviderServer(None, _scenario(CALLS_IT)) as provider,
        serving(settings_for(tmp_path, provider.url, SLOW_TOOL), ends) as server,
    ):
        live = asyncio.create_task(call(server, SPEAKS))
        await ends.reached(state)
        await server.close(drain_s=30)
        report = await live
    (summary,) = ends.summaries.values()
    assert (report.ended, report.dialplan_continues) == ("hangup", True)
    is_greeting = state in ("response_pending", "responding", "playing_out")
    assert len(report.agent_speech) == (1 if is_greeting else 2), "greeting and answer are heard to their ends"
    assert summary.played is not None and summary.played.played_ms == summary.played.generated_ms > 1000
    assert summary.states[-2:] == ["configured", "closed"]
    assert summary.end_reason == "operator.hang_up_requested: server_closing"


async def test_closing_waits_for_a_deadline_of_a_call_that_is_quiet_otherwise(tmp_path: Path) -> None:
    """A pressed key is answered a while later; until then nobody has the floor and nothing is heard."""
    steps = [*SPEAKS["steps"][:2], {"press": "5"}, SPEAKS["steps"][-1]]
    ends = Ends()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url), ends) as server:
        live = asyncio.create_task(call(server, {"steps": steps}))
        await ends.reached("caller.pressed_key.other")
        await server.close(drain_s=30)
        report = await live
    (summary,) = ends.summaries.values()
    assert len(report.agent_speech) == 2, "the greeting, and the answer to the key"
    assert (report.ended, report.dialplan_continues) == ("hangup", True)
    assert summary.end_reason == "operator.hang_up_requested: server_closing"


async def test_closing_ends_a_call_at_rest_at_once(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url)) as server:
        live = asyncio.create_task(call(server, LISTEN))
        await asyncio.sleep(6)
        began_s = loop.time()
        await server.close(drain_s=3600)
        assert loop.time() - began_s < 1
        assert (await live).dialplan_continues


async def test_closing_ends_what_does_not_end_by_itself(tmp_path: Path) -> None:
    ends, loop = Ends(), asyncio.get_running_loop()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url), ends) as server:
        live = asyncio.create_task(call(server, LISTEN))
        await asyncio.sleep(1.5)
        began_s = loop.time()
        await server.close(drain_s=0.0)
        assert loop.time() - began_s < 3
        report = await live
    assert (report.ended, report.dialplan_continues) == ("hangup", True)
    (summary,) = ends.summaries.values()
    assert summary.end_reason == "operator.hang_up_requested: server_closing"


async def test_closing_in_a_forced(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url)) as server:
        live = asyncio.create_task(call(server, LISTEN))
        await asyncio.sleep(1.5)
        closing = asyncio.create_task(server.close(drain_s=3600))
        await asyncio.sleep(0.1)
        began_s = loop.time()
        server.force()
        await closing
        assert loop.time() - began_s < 1
        report = await live
        assert (report.ended, report.dialplan_continues) == ("hangup", True)


@pytest.mark.parametrize("signals", [[signal.SIGTERM, signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]])
async def test_a_first_signal_waits_for_the_calls_and_a_second_one_does_not(
    tmp_path: Path, signals: list[signal.Signals]
) -> None:
    """The story lasts for half a minute and would be heard to its end."""
    loop, ends = asyncio.get_running_loop(), Ends()
    says = "responses: [{output: [{say: A long story, speech: agent_long_story}]}]"
    async with ProviderServer(None, _scenario(says)) as provider:
        server = TurnspecServer(settings_for(tmp_path, provider.url, "limits: {shutdown_s: 3600}\n"), ends.of)
        running = asyncio.create_task(server.run())
        await listening(server)
        live = asyncio.create_task(call(server, LISTEN))
        await ends.reached("playout.started.current")
        signal.raise_signal(signals[0])
        await asyncio.sleep(2)
        assert len(server.calls) == 1 and not running.done(), "the story is heard"
        began_s = loop.time()
        signal.raise_signal(signals[1])
        await running
        assert loop.time() - began_s < 1
        assert (await live).dialplan_continues
    (summary,) = ends.summaries.values()
    assert summary.played is not None and summary.played.played_ms < summary.played.generated_ms - 1000


async def listening(server: TurnspecServer) -> None:
    while not server.addresses:  # noqa: ASYNC110  the server sets no event
        await asyncio.sleep(0.01)


async def test_a_forced_close_does_not_wait_for_a_peer_that_is_gone(tmp_path: Path) -> None:
    """It neither reads nor closes; nothing is left of it either."""
    loop = asyncio.get_running_loop()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\x01\x00\x10" + uuid.uuid4().bytes + b"\x10\x01\x40" + bytes(320))
        reader.feed_eof()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        assert len(server.calls) == 1
        server.force()
        began_s = loop.time()
        await server.close()
        assert loop.time() - began_s < 2
        assert resources(server)["ticks"] == 0 and not server.calls
        writer.close()


async def test_an_operator_reaches_a_call_by_its_id(tmp_path: Path) -> None:
    call_id = uuid.uuid4()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url)) as server:
        live = asyncio.create_task(call(server, LISTEN, call_id))
        await asyncio.sleep(6)
        server.calls[str(call_id)].hang_up("enough")
        report = await live
        await asyncio.sleep(GONE_S)
        assert report.ended == "hangup" and server.calls == {}


async def test_a_call_that_ends_late_leaves_the_newer_one_of_the_same_id_in_its_place(tmp_path: Path) -> None:
    """Asterisk may use an id again as soon as its side is closed; the provider's socket takes longer."""
    call_id, deaf = uuid.uuid4(), "faults: [{fault: stall_reading, connection: 1, at_s: 3.0, for_s: 600}]"
    hangs_up_early = {"steps": [{"wait_ms": 4000}, "hang_up"]}
    async with (
        ProviderServer(None, _scenario(deaf)) as provider,
        serving(settings_for(tmp_path, provider.url)) as server,
    ):
        await call(server, hangs_up_early, call_id)
        older = server.calls[str(call_id)]
        live = asyncio.create_task(call(server, LISTEN, call_id))
        await asyncio.sleep(0.5)
        newer = server.calls[str(call_id)]
        assert newer is not older and server._running == 2, "the older one still closes"
        await asyncio.sleep(8)
        assert server._running == 1
        assert dict(server.calls) == {str(call_id): newer}
        server.calls[str(call_id)].hang_up("enough")
        assert (await live).ended == "hangup"


async def test_more_calls_than_allowed_are_turned_away_by_a_reset(tmp_path: Path) -> None:
    limit = "limits: {calls: 2}\n"
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url, limit)) as server:
        reports = await asyncio.gather(*(call(server, GREETED) for _ in range(3)))
    assert sorted(len(each.agent_speech) for each in reports) == [0, 1, 1]
    assert [each.ended for each in reports if not each.agent_speech] == ["rst"]


async def test_a_port_that_is_taken_is_an_oserror_and_leaves_nothing(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    settings = settings_for(tmp_path, "ws://127.0.0.1:1/")
    settings = attrs.evolve(settings, audiosocket=attrs.evolve(settings.audiosocket, port=port))
    server = TurnspecServer(settings)
    with pytest.raises(OSError, match="in use"):
        await server.run()
    taken.close()
    await taken.wait_closed()


async def test_what_would_hold_the_loop_in_the_first_call_is_done_before_it(tmp_path: Path) -> None:
    tls_context.cache_clear()
    async with serving(settings_for(tmp_path, "wss://127.0.0.1:1/")) as server:
        assert tls_context.cache_info().currsize == 1
        assert gc.get_freeze_count() > 10_000
        assert server.settings.audiosocket.read_max_bytes == 65_536
    gc.unfreeze()


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_no_secret_in_any_output_of_calls_good_and_bad(tmp_path: Path) -> None:
    stream, azure = io.StringIO(), "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    tools = "tools: [{name: broken, function: 'broken_of_test_server:f'}]\nlog: {level: debug, wire: true}\n"
    (tmp_path / "broken_of_test_server.py").write_text(f"def f(): raise RuntimeError('my key is {KEY} {azure}')\n")
    says = "responses: [{when: {after: user}, output: [{call: broken}]}]"
    spoken: list[Mapping[str, Any]] = [ONE_TURN, LISTEN]
    for scenario, script in zip((says, FAULTS["http_401"]), spoken, strict=True):
        async with ProviderServer(None, _scenario(scenario)) as provider:
            url = f"{provider.url}', model: m, server: azure, api_key: '${{AZURE_KEY}}"
            settings = settings_for(tmp_path, url, tools, AZURE_KEY=azure)
            logs.configure(settings.log, settings.secrets, stream)
            async with serving(settings) as server:
                await call(server, script)
    text = stream.getvalue()
    assert '"event":"call_ended"' in text and '"event":"wire"' in text and "tool_failed" in text
    written = text + "".join(path.read_text() for path in files_of(tmp_path, "journals"))
    assert "my key is *** ***" in written
    assert azure not in written and KEY not in written and "SERVER0123456789" not in written


def _scenario(text: str) -> ProviderScenario:
    return parse_scenario(text, Path("s.yaml"))
