"""Several providers: at start and on reconnect the next one, a call that moves along, and calls that are not taken."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.demo.lines import LINES
from adapters.server.server import TurnspecServer
from adapters.settings.config import load_settings
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.providers.realtime import ProviderServer, ProviderSettings, parse_scenario
from adapters.simulator.providers.realtime.likes import row_like
from tests.adapters.server.test_conformance import ANSWERED, STAY, Observed, Stage

pytestmark = pytest.mark.virtual_time

AWAY = "faults: [{fault: http_status, status: 503}]"
NO_KEY = "faults: [{fault: http_status, status: 401}]"
NO_QUOTA = (
    "faults: [{fault: inject, after: session.created, text: "
    '\'{"type":"error","error":{"type":"insufficient_quota","code":"insufficient_quota","message":"No more."}}\'}]'
)
LOST = "faults: [{fault: close, connection: 1, after: input_audio_buffer.committed, code: 1011}]"


@attrs.frozen
class Pair:
    """A server with two providers."""

    stage: Stage
    providers: list[ProviderServer]

    @property
    def server(self) -> TurnspecServer:
        return self.stage.server

    async def call(self, *steps: Any) -> tuple[CallerReport, Observed]:
        return await self.stage.call(*steps)

    def sessions(self) -> list[int]:
        return [len(each.sessions) for each in self.providers]


@contextlib.asynccontextmanager
async def served(
    folder: Path, *scenarios: str, more: str = "", like: Mapping[int, str] | None = None
) -> AsyncIterator[Pair]:
    async with contextlib.AsyncExitStack() as stack:
        providers, entries = [], []
        for index, scenario in enumerate(scenarios):
            row = row_like((like or {}).get(index, "ga"))
            settings = ProviderSettings(server=row, dialect=row.names)
            server = ProviderServer(settings, parse_scenario(scenario, folder / "s.yaml"))
            providers.append(await stack.enter_async_context(server))
            entries.append(f"  - {{url: '{server.url}', api_key: sk-{index}, server: {row.name}}}\n")
        path = folder / "turnspec.yaml"
        words = "listen: {audiosocket: '127.0.0.1:0'}\ngreeting: Greet.\nprovider:\n"
        path.write_text(words + "".join(entries) + more)
        line = LINES["audiosocket"]
        calls: dict[str, Observed] = {}
        running = TurnspecServer(
            line.listening(load_settings(path, {})), lambda call_id: [calls.setdefault(call_id, Observed())]
        )
        await running.start()
        try:
            yield Pair(Stage(line, running, calls), providers)
        finally:
            await running.close()


async def test_a_provider_that_is_away_costs_a_moment_and_then_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, AWAY, "{}", more="limits: {provider_failures: 1}\n") as pair:
        first, seen = await pair.call(*ANSWERED, "hang_up")
        assert (await seen.numbers())["reconnects"] == 1 and len(first.agent_speech) == 1
        second, seen = await pair.call(*ANSWERED, "hang_up")
        assert (await seen.numbers())["reconnects"] == 0, "the first provider is passed over"
        assert second.agent_speech[0].start_ms < first.agent_speech[0].start_ms - 900
        assert pair.sessions()[1] == 2
        (degraded,) = pair.server.inside.degraded()
        assert degraded.reason == "provider_passed_over" and degraded.detail == "provider 1: http 503"


@pytest.mark.parametrize("scenario", [NO_KEY, NO_QUOTA])
async def test_what_no_retry_repairs_is_no_reason_to_apologise_where_there_is_another(
    tmp_path: Path, scenario: str
) -> None:
    async with served(tmp_path, scenario, "{}") as pair:
        report, seen = await pair.call(*ANSWERED, {"say": "caller_order_status"}, *ANSWERED, "hang_up")
        numbers = await seen.numbers()
    assert report.notes == () and len(report.agent_speech) == 2
    assert numbers["reconnects"] == 1 and numbers["answers"] == 1 and numbers["end_reason"].startswith("caller")


async def test_a_call_moves_along_to_a_server_with_other_formats_and_names(tmp_path: Path) -> None:
    async with served(tmp_path, LOST, "{}", like={1: "qwen"}) as pair:
        said = [{"say": "caller_order_status"}, *ANSWERED, {"say": "caller_returns"}, *ANSWERED]
        report, seen = await pair.call(*ANSWERED, *said, "hang_up")
        numbers = await seen.numbers()
        assert pair.sessions() == [1, 1]
        (second,) = pair.providers[1].stats
    assert report.notes == () and numbers["reconnects"] == 1 and numbers["answers"] >= 2 and numbers["rejections"] == 0
    told = [each.event["item"] for each in second.received if each.type == "conversation.item.create"]
    assert told and told[0]["role"] == "assistant", "the greeting that was heard is known to the new session"
    assert second.rejections == {} and second.audio_ms > 5_000


async def test_a_session_that_is_renewed_stays_where_it_was(tmp_path: Path) -> None:
    async with served(tmp_path, LOST.replace("1011", "1001"), "{}") as pair:
        await pair.call(*ANSWERED, {"say": "caller_order_status"}, *ANSWERED, "hang_up")
        assert pair.sessions() == [1, 1], "one that was closed on us is not renewed, it is lost"
        assert pair.server.inside.degraded() == []


@pytest.mark.parametrize("scenario", [NO_KEY, NO_QUOTA])
async def test_no_key_anywhere_refuses_calls_and_one_tries_again(tmp_path: Path, scenario: str) -> None:
    async with served(tmp_path, scenario, scenario) as pair:
        report, seen = await pair.call(*STAY)
        assert (await seen.numbers())["end_reason"].startswith("provider"), "the first call finds out"
        late, refused = await pair.call(*STAY)
        assert refused.summary is None and late.agent_speech == () and late.duration_ms < 1_000
        (reason,) = await pair.server.inside.not_ready()
        assert reason.reason == "no_provider" and "127.0.0.1" not in reason.detail
        assert report.agent_speech


async def test_where_nobody_answers_calls_still_try(tmp_path: Path) -> None:
    async with served(tmp_path, AWAY, AWAY, more="limits: {provider_failures: 1}\n") as pair:
        for _ in range(2):
            _, seen = await pair.call(*STAY)
            assert (await seen.numbers())["end_reason"].startswith(("reconnects", "provider"))
