"""A provider is lost in mid-call, and the call goes on with one of another protocol, under the spec that fits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.demo.lines import LINES
from adapters.server.server import TurnspecServer
from adapters.settings.config import load_settings
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.providers.live import LiveFault, LiveRule, LiveScenario, LiveServer
from adapters.simulator.providers.realtime import ProviderServer, parse_scenario
from adapters.specs import load_spec
from fsm.journal.journal import Journal, TakeoverLine, read
from fsm.journal.replay import STRICT, describe, replay
from fsm.machine.machine import TurnSpecMachine
from tests.adapters.call.live_rig import HELLO
from tests.adapters.server.test_conformance import ANSWERED, Observed, Stage

pytestmark = pytest.mark.virtual_time

AWAY = "faults: [{fault: http_status, status: 503}]"
LOST = "faults: [{fault: close, connection: 1, after: input_audio_buffer.committed, code: 1011}]"
SHOP = LiveScenario(
    user_turns=("Hello, where is my order?",), rules=(LiveRule(heard="order", say="Order forty two arrives tomorrow."),)
)


@attrs.frozen
class Mixed:
    """A server with a provider of each protocol."""

    stage: Stage
    realtime: ProviderServer
    live: LiveServer
    journals: Path

    async def call(self, *steps: Any) -> tuple[CallerReport, Observed]:
        return await self.stage.call(*steps)

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the GPT-Live sessions were told of before, in words."""
        starts = [each for stats in self.live.stats for each in stats.events if each["type"] == "session.start"]
        return [item for start in starts for item in start["session"].get("input", ())]


@contextlib.asynccontextmanager
async def mixed(
    folder: Path, realtime: str, live: LiveScenario, *, first: str = "realtime", more: str = ""
) -> AsyncIterator[Mixed]:
    async with ProviderServer(scenario=parse_scenario(realtime, folder / "s.yaml")) as one, LiveServer(live) as other:
        spec = {"realtime": "server_vad", "live": "full_duplex"}
        entries = {
            name: f"  - {{url: '{server.url}', api_key: sk-1, {'' if name == first else f'spec: {spec[name]}'}}}\n"
            for name, server in (("realtime", one), ("live", other))
        }
        path = folder / "turnspec.yaml"
        path.write_text(
            f"spec: {spec[first]}\nlisten: {{audiosocket: '127.0.0.1:0'}}\ngreeting: {HELLO}\n"
            f"journal: {{dir: journals}}\nprovider:\n{entries.pop(first)}{''.join(entries.values())}{more}"
        )
        line, calls = LINES["audiosocket"], dict[str, Observed]()
        server = TurnspecServer(
            line.listening(load_settings(path, {})), lambda call_id: [calls.setdefault(call_id, Observed())]
        )
        await server.start()
        before = asyncio.all_tasks()
        try:
            yield Mixed(Stage(line, server, calls), one, other, folder / "journals")
            left = {task.get_name() for task in asyncio.all_tasks() - before if not task.done()}
            assert not {name for name in left if name.startswith(("close_provider", "effect-", "hang_up"))}
        finally:
            await server.close()


def journal_of(folder: Path) -> Journal:
    (file,) = folder.glob("*.jsonl")
    return read(file.read_text().splitlines(keepends=True), file.name)


def replayed(journal: Journal) -> list[str]:
    """Each part through its own spec: all of it is the same."""
    parts = journal.parts
    for part in parts:
        result = replay(part, TurnSpecMachine(load_spec(part.header.spec).spec), STRICT)
        assert result.matches and result.total, describe(result)
    return [part.header.spec for part in parts]


async def test_realtime_is_lost_in_a_turn_and_gpt_live_answers_it(tmp_path: Path) -> None:
    async with mixed(tmp_path, LOST, SHOP) as pair:
        report, seen = await pair.call(*ANSWERED, {"say": "caller_order_status"}, *ANSWERED, "hang_up")
        numbers = await seen.numbers()
        (session,) = pair.live.stats
    assert [len(report.agent_speech), report.notes] == [2, ()]
    assert numbers["reconnects"] == 1 and numbers["violations"] == 0 and numbers["answers"] == 1
    assert session.errors == [] and session.utterances[0] == "Order forty two arrives tomorrow."
    assert pair.told[0]["role"] == "assistant", "the greeting that was heard is known there"
    journal = journal_of(tmp_path / "journals")
    assert replayed(journal) == ["server_vad", "full_duplex"]
    (line,) = [each for each in journal.lines if isinstance(each, TakeoverLine)]
    assert line.context["reconnects"] == "1" and line.digest
    assert line.context["owed"] == "none", "the model answers what is said to it again"


async def test_gpt_live_is_lost_and_realtime_goes_on(tmp_path: Path) -> None:
    lost = attrs.evolve(SHOP, faults=(LiveFault(kind="close", at_ms=5_000),))
    async with mixed(tmp_path, "{}", lost, first="live") as pair:
        report, seen = await pair.call(
            *ANSWERED, {"say": "caller_order_status"}, *ANSWERED, {"say": "caller_returns"}, *ANSWERED, "hang_up"
        )
        numbers = await seen.numbers()
        (stats,) = pair.realtime.stats
    assert numbers["reconnects"] == 1 and numbers["violations"] == 0 and report.notes == ()
    assert len(report.agent_speech) >= 3 and stats.rejections == {}
    told = [each.event["item"]["role"] for each in stats.received if each.type == "conversation.item.create"]
    assert told[:1] == ["assistant"]
    assert replayed(journal_of(tmp_path / "journals")) == ["full_duplex", "server_vad"]


async def test_where_the_first_is_away_a_call_begins_over_the_other_protocol(tmp_path: Path) -> None:
    async with mixed(tmp_path, AWAY, SHOP, more="limits: {provider_failures: 1}\n") as pair:
        await pair.call(*ANSWERED, "hang_up")
        (first,) = pair.stage.calls.values()
        assert (await first.numbers())["reconnects"] == 1
        report, seen = await pair.call(*ANSWERED, "hang_up")
        numbers = await seen.numbers()
    assert numbers["reconnects"] == 0 and len(report.agent_speech) == 1, "passed over, and greeted over GPT-Live"
    assert pair.live.stats[1].utterances == [HELLO]


async def test_where_both_are_away_the_tries_of_both_are_counted_together(tmp_path: Path) -> None:
    nobody = attrs.evolve(SHOP, faults=(LiveFault(kind="no_start", session=0),))
    async with mixed(tmp_path, AWAY, nobody) as pair:
        report, seen = await pair.call({"until_hung_up": {"within_ms": 60_000}})
        numbers = await seen.numbers()
    assert numbers["reconnects"] == 2 and numbers["end_reason"].startswith(("reconnects", "provider", "timer"))
    assert report.agent_speech, "an apology"
    assert len(replayed(journal_of(tmp_path / "journals"))) == 3
