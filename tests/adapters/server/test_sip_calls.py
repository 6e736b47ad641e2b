"""Telephone calls at the provider, whole: it rings, its webhook tells us, its REST is asked, and a caller talks."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from adapters.server.server import TurnspecServer
from adapters.simulator.caller.caller import run_call
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.lines.sideband import answered_by
from adapters.simulator.lines.telephone import OnEvent, Telephone
from adapters.simulator.providers.realtime import ProviderServer
from adapters.simulator.providers.realtime.sip_calls import Flaw
from tests.adapters.server.test_server import serving, settings_for
from tests.adapters.server.test_server_door import HTTP, TOKEN

pytestmark = pytest.mark.virtual_time

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
CONFIG = "sideband: {webhook: {path: /openai}}\ntransfers: {desk: {dial: '+4930123'}}\n"
ANSWERED = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]


@attrs.frozen
class Exchange:
    """The provider, and our server whose webhook it knows."""

    provider: ProviderServer
    server: TurnspecServer

    @property
    def webhook_url(self) -> str:
        assert self.server.door is not None
        return "http://{}:{}/openai".format(*self.server.door.addresses[0])

    @property
    def asked(self) -> list[tuple[str, int]]:
        return [(each.verb, each.status) for each in self.provider.desk.asked]

    async def call(self, *steps: object) -> CallerReport:
        """A telephone calls."""

        async def dial(call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent) -> Telephone:
            del call_id
            rtc, statuses = await self.provider.ring(self.webhook_url, SECRET)
            if statuses != [200]:
                raise ConnectionRefusedError(f"the webhook says {statuses}")
            while rtc in self.provider.desk.ringing:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            return await answered_by(f"{self.provider.url}?model=gpt-realtime", rtc, settings, emit)

        return await run_call(dial, load_script({"steps": list(steps)}, Path()), CallerSettings())


@contextlib.asynccontextmanager
async def exchange(folder: Path) -> AsyncIterator[Exchange]:
    async with ProviderServer() as provider:
        settings = settings_for(folder, provider.url, HTTP + CONFIG, DOOR_TOKEN=TOKEN, OPENAI_WEBHOOK_SECRET=SECRET)
        async with serving(settings) as server:
            yield Exchange(provider, server)


async def test_a_call_is_accepted_greeted_and_answered(tmp_path: Path) -> None:
    async with exchange(tmp_path) as there:
        report = await there.call(*ANSWERED, {"say": "caller_order_status"}, *ANSWERED, "hang_up")
        async with asyncio.timeout(20):
            while there.server.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert report.notes == () and len(report.agent_speech) == 2
    assert there.asked[0] == ("accept", 200)


@pytest.mark.parametrize("event", ["hang_up", "transfer"])
async def test_we_end_the_call_or_hand_it_on(tmp_path: Path, event: str) -> None:
    async with exchange(tmp_path) as there:
        live = asyncio.ensure_future(there.call({"until_hung_up": {"within_ms": 60_000}}))
        await asyncio.sleep(6)
        (call,) = there.server.calls.values()
        if event == "hang_up":
            call.hang_up("of the test")
        else:
            (rtc,) = there.server.calls
            assert not (await there.server.inside.request(rtc, "application.transfer_requested", {"key": "desk"})).why
        report = await live
    assert report.ended != "caller" and report.duration_ms < 12_000
    assert there.asked[1] == ({"hang_up": "hangup", "transfer": "refer"}[event], 200)


@pytest.mark.parametrize("flaw", ["unsigned", "forged", "late"])
async def test_a_delivery_that_is_wrong_is_nobodys_call(tmp_path: Path, flaw: Flaw) -> None:
    async with exchange(tmp_path) as there:
        rtc, statuses = await there.provider.ring(there.webhook_url, SECRET, flaw=flaw)
        assert statuses[0] >= 400 and rtc in there.provider.desk.ringing and not there.server.calls
    assert there.asked == []


async def test_a_delivery_that_comes_twice_is_one_call(tmp_path: Path) -> None:
    async with exchange(tmp_path) as there:
        await there.provider.ring(there.webhook_url, SECRET, flaw="repeated")
        await asyncio.sleep(2)
        assert len(there.server.calls) == 1 and there.asked == [("accept", 200)]
