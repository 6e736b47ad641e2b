"""What one call can do to the frames of the others: neighbours over real sockets beside each kind of bad behaviour.

The server, the provider and the offender are processes of their own, and this one does nothing but note when a frame of
a neighbour comes. A frame is late by what lies between it and the one before, beyond 20 ms. On a busy machine all of it
is late: the first row, where nobody misbehaves, says by how much.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final

import attrs

from adapters.lines.audiosocket import protocol as wire
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.realtime.faults import Flood, Inject, Mutate, PlannedFault
from adapters.simulator.providers.realtime.provider_scenario import (
    AnswerRule,
    AnswersWhen,
    FunctionCall,
    ProviderScenario,
)
from tools.campaign.attacks import AttackedPort, attack

NEIGHBOURS: Final = 3
OFFENDER: Final = NEIGHBOURS + 1
"""Its provider's connection, the last one."""
WARM_S: Final = 3.0
"""Of the neighbours, before anybody misbehaves: their greeting is over then."""
WATCHED_S: Final = 9.0
LATE_MS: Final = 40.0
FRAME_MS: Final = 20.0
READY_S: Final = 60.0
KEY: Final = "sk-bystanders"
TOOL_MODULE: Final = '''\
import time

def holds():
    """Holds the interpreter, and never returns."""
    while True:
        pass

def sleeps():
    time.sleep(3)
    return "done"
'''
_CONFIG: Final = """\
listen: {{audiosocket: '127.0.0.1:0'}}
greeting: Greet the caller.
provider: {{url: '{url}', model: gpt-realtime}}
journal: {{dir: journals}}
limits: {{message_bytes: {message_bytes}}}
tools:
  - {{name: holds_in_a_process, function: 'tools_of_the_offender:holds', process: true, deadline_s: 3}}
  - {{name: sleeps, function: 'tools_of_the_offender:sleeps', deadline_s: 5}}
"""
_SPEAKS: Final[Sequence[Any]] = (
    {"wait_agent_speaking": {"within_ms": 3_000}}, {"wait_agent_silent": {"for_ms": 300, "within_ms": 3_000}},
    {"say": "caller_order_status"}, {"wait_ms": 5_000}, "hang_up",
)  # fmt: skip
MIB: Final = 1_048_576


@attrs.frozen(kw_only=True)
class BadBehaviour:
    """One offender. Its provider does `faults`, its model calls `tool`; or strangers do what `attacks` names."""

    about: str
    faults: Callable[[], Sequence[PlannedFault]] = tuple
    tool: str = ""
    message_bytes: int = 8 * MIB
    attacks: Sequence[str] = ()
    is_quiet: bool = False


def _text_of(mib: int) -> Callable[[], Sequence[PlannedFault]]:
    def faults() -> Sequence[PlannedFault]:
        words = "what the caller said " * (mib * MIB // 21)
        kind = "conversation.item.input_audio_transcription.completed"
        text = json.dumps({"type": kind, "item_id": "item_x", "content_index": 0, "transcript": words})
        return (Inject(connection=OFFENDER, at_s=2.0, text=text),)

    return faults


def _long_arguments() -> Sequence[PlannedFault]:
    arguments = json.dumps({"text": "x y " * (5_000_000 // 4)})
    where = {"item.type": "function_call"}
    change = {"item.arguments": arguments}
    return (Mutate(connection=OFFENDER, type="response.output_item.done", where=where, set=change),)


def _many_turns() -> Sequence[PlannedFault]:
    event = {"type": "input_audio_buffer.speech_started", "item_id": "item_{n}", "audio_start_ms": 0}
    return (Flood(connection=OFFENDER, at_s=2.0, event=event, count=25_000, for_s=4.0),)


BEHAVIOURS: Final[Mapping[str, BadBehaviour]] = MappingProxyType(
    {
        "none": BadBehaviour(about="nobody else calls", is_quiet=True),
        "a_call": BadBehaviour(about="a call like any other"),
        "text_left": BadBehaviour(about="a text event of 15 MiB, over limits.message_bytes", faults=_text_of(15)),
        "text_taken": BadBehaviour(
            about="the same with limits.message_bytes of 16 MiB, journalled", faults=_text_of(15),
            message_bytes=16 * MIB,
        ),
        "arguments": BadBehaviour(about="a tool call with 5 MB of arguments", faults=_long_arguments, tool="sleeps"),
        "turns": BadBehaviour(about="25,000 speech_started in 4 s", faults=_many_turns),
        "process": BadBehaviour(about="a tool that never returns, in a process", tool="holds_in_a_process"),
        "thread": BadBehaviour(about="a plain tool that waits for 3 s, in a thread", tool="sleeps"),
        "garbage": BadBehaviour(about="strangers at the port: garbage, HTTP, TLS, resets",
                                attacks=("garbage", "http", "tls", "resets_at_once", "byte_by_byte")),
        "floods": BadBehaviour(about="strangers with calls: floods of audio and keys, no reading, big messages",
                               attacks=("a_flood_of_audio", "a_flood_of_keys", "never_reads", "a_big_message",
                                        "a_call_of_garbage", "uuid_twice")),
        "silent": BadBehaviour(about="strangers that say nothing, or half of it",
                               attacks=("says_nothing", "half_a_header")),
    }
)  # fmt: skip
"""By name."""


@attrs.frozen(kw_only=True)
class NeighbourFrames:
    """What the neighbours of one offender got, all of them together."""

    behaviour: str
    frames: int
    expected: int
    late: int
    """More than 40 ms."""
    worst_ms: float

    def row(self) -> str:
        """Of the table, as Markdown."""
        about = BEHAVIOURS[self.behaviour].about
        missing = max(self.expected - self.frames, 0)
        return f"| {about} | {self.frames:,} | {missing} | {self.late} | {self.worst_ms:.1f} |"


COLUMNS: Final = ("beside three calls", "their frames", "missing", "over 40 ms late", "latest, ms")


# --- the neighbours ---------------------------------------------------------------------------------------------------


class _Neighbour(asyncio.Protocol):
    """A caller who stays silent, and notes when each message of the server comes."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self._decoder = wire.Decoder()
        self._transport: asyncio.Transport | None = None
        self._speaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(wire.encode_uuid(uuid.uuid4()))
        self._speaking = asyncio.get_running_loop().create_task(self._speak())

    def data_received(self, data: bytes) -> None:
        now_s = time.monotonic()
        self.times_s += [now_s for each in self._decoder.feed(data) if isinstance(each, wire.Audio)]

    def close(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _speak(self) -> None:
        assert self._transport is not None
        while not self._transport.is_closing():
            self._transport.write(wire.encode_audio(bytes(320), 8_000))
            await asyncio.sleep(FRAME_MS / 1000)


def judged(behaviour: str, times_s: Sequence[Sequence[float]], watched_s: float) -> NeighbourFrames:
    """From the times at which frames came, of each neighbour."""
    late_ms = [
        (after - before) * 1000 - FRAME_MS
        for times in times_s
        for before, after in itertools.pairwise(times)
    ]  # fmt: skip
    return NeighbourFrames(
        behaviour=behaviour,
        frames=sum(map(len, times_s)),
        expected=round(watched_s * 1000 / FRAME_MS) * len(times_s),
        late=sum(each > LATE_MS for each in late_ms),
        worst_ms=max(late_ms, default=0.0),
    )


async def measured(behaviour: str, *, first: bool = False) -> NeighbourFrames:
    """One behaviour beside its neighbours, from the start of all processes to their end.

    `first`: server and neighbours come before everything else on the machine. OSError: that is not for everybody.
    """
    if first:
        go_first(0)
    with tempfile.TemporaryDirectory() as folder:
        async with _side("provider", behaviour) as (url, _), _server(behaviour, url, Path(folder), first) as port:
            neighbours = [await _call(port) for _ in range(NEIGHBOURS)]
            try:
                await asyncio.sleep(WARM_S)
                async with _side("offender", behaviour, str(port)):
                    began_s = time.monotonic()
                    await asyncio.sleep(WATCHED_S)
                    ended_s = time.monotonic()
            finally:
                for each in neighbours:
                    each.close()
    times = [[at for at in each.times_s if began_s <= at < ended_s] for each in neighbours]
    return judged(behaviour, times, ended_s - began_s)


def go_first(pid: int) -> None:
    """The main thread of a process (0: this one) by the real-time schedule; what it starts is as anything else."""
    os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


async def _call(port: int) -> _Neighbour:
    neighbour = _Neighbour()
    await asyncio.get_running_loop().create_connection(lambda: neighbour, "127.0.0.1", port)
    return neighbour


# --- the other processes ----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _side(side: str, *arguments: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`python -m tools.campaign side ...`: its first line, then it runs until its input is closed."""
    command = (sys.executable, "-m", "tools.campaign", "side", side, *arguments)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            line = await process.stdout.readline()
        yield line.decode().strip(), process
    finally:
        await _ended(process)


@contextlib.asynccontextmanager
async def _server(behaviour: str, url: str, folder: Path, first: bool) -> AsyncIterator[int]:
    """`turnspec serve` with a journal; its port is in its log."""
    config = folder / "turnspec.yaml"
    config.write_text(_CONFIG.format(url=url, message_bytes=BEHAVIOURS[behaviour].message_bytes), encoding="utf-8")
    (folder / "tools_of_the_offender.py").write_text(TOOL_MODULE, encoding="utf-8")
    run = "import sys; from adapters.cli import main; sys.argv[0] = 'turnspec'; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", run, "serve", str(config),
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, env={**os.environ, "OPENAI_API_KEY": KEY},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(READY_S):
            port = await _port(process.stderr)
        if first:
            go_first(process.pid)
        reading = asyncio.get_running_loop().create_task(_read_on(process.stderr))
        yield port
        reading.cancel()
    finally:
        await _ended(process)


async def _port(log: asyncio.StreamReader) -> int:
    seen = []
    while line := await log.readline():
        seen.append(line.decode(errors="replace"))
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if said.get("event") == "ready":
                return int(said["addresses"][0][1])
    raise OSError(f"the server did not start: {''.join(seen)[-2_000:]}")


async def _read_on(log: asyncio.StreamReader) -> None:
    while await log.read(65_536):
        pass


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()


def provider_of(behaviour: str) -> ProviderScenario:
    """What the provider of that offender does."""
    chosen = BEHAVIOURS[behaviour]
    called = (
        AnswerRule(when=AnswersWhen(after="user"), output=(FunctionCall(call=chosen.tool),)) if chosen.tool else None
    )
    return ProviderScenario(faults=tuple(chosen.faults()), responses=(called,) if called is not None else ())


async def offend(behaviour: str, port: int) -> None:
    """What the offender does, from its call to its end."""
    chosen = BEHAVIOURS[behaviour]
    if chosen.is_quiet:
        return
    aim = AttackedPort(host="127.0.0.1", port=port, live=uuid.uuid4())
    attacks = [attack(name, aim, Random(name)) for name in chosen.attacks]
    calls = [] if attacks else [run_caller("127.0.0.1", port, load_script({"steps": list(_SPEAKS)}), CallerSettings())]
    await asyncio.gather(*attacks, *calls)


HEAD: Final = ("| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS))
"""Of the table, as Markdown."""
