"""One call of a campaign, played: a server of its own, both ends simulated, and what is wrong with it afterwards.

In virtual time a call has a loop of its own, so that all it leaves behind is its own; over real sockets in real time
several share one, and what is left is looked at when all are over.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import attrs
import yaml

from adapters.call.call import Call
from adapters.call.settings import CallSettings
from adapters.demo.lines import HOST, LINES
from adapters.demo.plan import read_spec
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.logs import LogSettings
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.server.server import TurnspecServer
from adapters.settings.config import AgentSettings, Settings
from adapters.settings.sections import DEFAULT_AGENT
from adapters.settings.turns import demanded
from adapters.simulator.caller.caller import run_call
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import load_script, load_telephone
from adapters.simulator.providers.realtime import ProviderServer, parse_scenario
from adapters.tools import Tool
from adapters.virtual_time import VirtualTimeLoop
from fsm.journal.journal import JournalError, read
from fsm.language.problem import NOWHERE
from tools.campaign import attacks
from tools.campaign.attacks import AttackedPort, attack
from tools.campaign.complaints import Complaints
from tools.campaign.holdings import holdings, left_over
from tools.campaign.plan import DrawnCall
from tools.campaign.watch import CallWatch

MODEL: Final = "gpt-realtime"
LONGEST_S: Final = 300.0
"""Of a whole call with its server; longer is stuck."""
GONE_S: Final = 20.0
"""After the caller has gone, so long until nothing of the call is left."""
SETTLE_S: Final = 15.0
CONNECT_MS: Final = 10_000.0
"""In real time many calls share the machine with all their servers."""
_ANY: Final[Mapping[str, object]] = {"type": "object"}


@attrs.frozen(kw_only=True)
class Flaw:
    """Something that must not be."""

    kind: str
    text: str


@attrs.frozen(kw_only=True)
class CampaignCall:
    """Of one number: what was found, and what there is to count."""

    number: int
    findings: tuple[Flaw, ...]
    calls: int
    """With those of strangers."""
    length_s: float
    impossible: Mapping[str, int]
    faults: tuple[str, ...]
    trail: tuple[str, ...] = ()


def play_virtually(plan: DrawnCall, complaints: Complaints, *, keeps_trail: bool = False) -> CampaignCall:
    """On a loop of its own, in virtual time."""
    complaints.taken()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        played = runner.run(_alone(plan, Path(folder), keeps_trail))
    found = [Flaw(kind="exception", text=text) for text in complaints.taken()]
    return attrs.evolve(played, findings=(*played.findings, *found))


async def _alone(plan: DrawnCall, folder: Path, keeps_trail: bool) -> CampaignCall:
    before = holdings()
    played = await play(plan, folder, keeps_trail=keeps_trail, alone=True)
    left = [Flaw(kind="leak", text=f"after the server's end: {each}") for each in await left_over(before, SETTLE_S)]
    return attrs.evolve(played, findings=(*played.findings, *left))


async def play(plan: DrawnCall, folder: Path, *, keeps_trail: bool = False, alone: bool = False) -> CampaignCall:
    """On the running loop. `alone`: nobody else has tasks or sockets here."""
    stage = _Stage(plan, folder, keeps_trail)
    found: list[Flaw] = []
    try:
        async with asyncio.timeout(LONGEST_S), stage.open():
            found += await stage.call(alone)
    except TimeoutError:
        found.append(Flaw(kind="stuck", text=f"not over after {LONGEST_S:.0f} s; {stage.standing()}"))
    found += [Flaw(kind=kind, text=text) for watch in stage.watches for kind, text in watch.findings()]
    found += stage.broken_journals()
    impossible: dict[str, int] = {}
    for watch in stage.watches:
        for cell, count in watch.impossible.items():
            impossible[cell] = impossible.get(cell, 0) + count
    return CampaignCall(
        number=plan.number,
        findings=tuple(dict.fromkeys(found)),
        calls=len(stage.watches),
        length_s=stage.length_s,
        impossible=impossible,
        faults=tuple(plan.faults),
        trail=tuple(line for watch in stage.watches for line in (f"call {watch.call_id}", *watch.trail)),
    )


class _Stage:
    """Provider, server and whoever calls it."""

    def __init__(self, plan: DrawnCall, folder: Path, keeps_trail: bool) -> None:
        self.watches: list[CallWatch] = []
        self.length_s = 0.0
        self._plan = plan
        self._folder = folder
        self._keeps_trail = keeps_trail
        self._random = Random(f"{plan.seed}:{plan.number}:play")
        self._call_id = uuid.UUID(int=self._random.getrandbits(128), version=4)
        self._line = LINES[plan.line]
        self._server: TurnspecServer | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        scenario = parse_scenario(yaml.safe_dump(_plain(self._plan.provider)), self._folder / "provider.yaml")
        async with ProviderServer(scenario=scenario) as provider:
            settings = server_settings(self._plan.spec, provider.url, self._folder if self._plan.keeps_files else None)
            self._server = TurnspecServer(self._line.listening(settings), self._observed)
            await self._server.start()
            try:
                yield
            finally:
                await self._server.close(0.0)

    async def call(self, alone: bool) -> list[Flaw]:
        """The caller, the stranger, and what is left when both have gone."""
        before = holdings() if alone else None
        async with asyncio.TaskGroup() as group:
            called = group.create_task(self._caller())
            group.create_task(self._stranger())
        report = called.result()
        self.length_s = report.duration_ms / 1000
        found = [Flaw(kind="dropped", text=report.dropped)] if report.dropped else []
        if not await self._all_over():
            found.append(Flaw(kind="stuck", text=f"{GONE_S:.0f} s after everybody had gone: {self.standing()}"))
        elif before is not None:
            found += [Flaw(kind="leak", text=each) for each in await left_over(before, SETTLE_S, of_process=False)]
        return found

    async def _all_over(self) -> bool:
        """Whether there is no call any more, within the deadline."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GONE_S):
                while self._served.calls:  # noqa: ASYNC110  a server does not say when it has no call
                    await asyncio.sleep(0.05)
        return not self._served.calls

    def standing(self) -> str:
        """Where each call is that is still there."""
        calls = self._server.calls if self._server is not None else {}
        return "; ".join(f"{name} is {_standing(call)}" for name, call in calls.items()) or "no call is there"

    def broken_journals(self) -> list[Flaw]:
        """Each journal is whole, once its server has ended."""
        found = []
        for path in sorted(self._folder.rglob("*.jsonl")):
            try:
                with path.open(encoding="utf-8") as lines:
                    journal = read(lines)
            except JournalError as error:
                found.append(Flaw(kind="file", text=f"{path.name}: {error}"))
                continue
            if journal.warnings or journal.end is None:
                found.append(Flaw(kind="file", text=f"{path.name}: {list(journal.warnings) or 'it has no end'}"))
        return found

    @property
    def _served(self) -> TurnspecServer:
        assert self._server is not None
        return self._server

    def _observed(self, call_id: str) -> list[CallWatch]:
        self.watches.append(CallWatch(call_id, keeps_trail=self._keeps_trail))
        return self.watches[-1:]

    async def _caller(self) -> CallerReport:
        plan = self._plan
        script = load_script({"steps": list(plan.steps)}, self._folder)
        telephone = load_telephone(dict(plan.telephone), keep_audio=False, connect_deadline_ms=CONNECT_MS)
        return await run_call(self._line.dial(self._served), script, telephone, call_id=self._call_id)

    async def _stranger(self) -> None:
        if self._plan.attack is None:
            return
        await asyncio.sleep(self._random.uniform(0, 5))
        await attack(self._plan.attack, self._target(self._plan.attack), self._random)

    def _target(self, name: str) -> AttackedPort:
        return target_of(self._served, name, self._call_id)


def target_of(server: TurnspecServer, name: str, live: uuid.UUID) -> AttackedPort:
    """The port that the attack is for; a WebSocket's where there is a choice."""
    port = attacks.ATTACKS[name].port
    aim = functools.partial(AttackedPort, host=HOST, live=live)
    if port != "audiosocket" and server.channels is not None:
        return aim(port=server.channels.port, path=f"/media?uuid={uuid.uuid4()}", subprotocol="media")
    if port != "audiosocket" and server.streams is not None:
        return aim(port=server.streams.addresses[0][1], path="/audio")
    return aim(port=server.port)


def _standing(call: Call) -> str:
    standing = call.standing
    return f"{standing.state} {dict(standing.slots)} {dict(standing.context)} {standing.deadlines}"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


# --- the server -------------------------------------------------------------------------------------------------------


_spec = functools.cache(read_spec)


def server_settings(spec_name: str, url: str, folder: Path | None) -> Settings:
    """A server for a bundled spec, whose provider is at `url`; `folder`: of journals and recordings."""
    spec, digest = _spec(spec_name)
    tools = {tool.name: tool for tool in campaign_tools()}
    session = SessionSettings(
        model=MODEL, tools=[tool.definition for tool in tools.values()], turn_detection=demanded(spec),
        transcription={"model": "gpt-4o-mini-transcribe"},
    )  # fmt: skip
    provider = RealtimeProvider(endpoint=openai_endpoint(MODEL, "sk-campaign", base_url=url), session=session)
    call = CallSettings(greeting="Greet the caller.", tools=tools, journal_dir=folder, recording_dir=folder)
    agent = AgentSettings(
        name=DEFAULT_AGENT, numbers=(), spec=spec, spec_digest=digest, provider=provider, call=call, prompts={}
    )
    return Settings(
        file="campaign", agents=(agent,), audiosocket=AudioSocketSettings(port=0), log=LogSettings(), shutdown_s=5.0,
        tool_threads=2, listen_place=NOWHERE, calls_place=NOWHERE,
    )  # fmt: skip


def campaign_tools() -> tuple[Tool, ...]:
    """What a model may call: one that answers, one that is slow, one that is too slow, one that fails."""

    async def wait(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    async def broken(**_arguments: Any) -> object:
        raise RuntimeError("as it was drawn")

    def slow(seconds: float) -> Any:
        async def tool(**_arguments: Any) -> object:
            return await wait(seconds)

        return tool

    return (
        Tool("quick", slow(0.3), parameters=_ANY),
        Tool("slow", slow(4.0), parameters=_ANY),
        Tool("overdue", slow(60.0), parameters=_ANY, deadline_s=2.0),
        Tool("broken", broken, parameters=_ANY),
    )
