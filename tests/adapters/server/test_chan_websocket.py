"""Whole calls over chan_websocket: the stream, a spec's machine, the simulated provider; in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.call.call import Call
from adapters.call.observers import Observer
from adapters.lines.chan_websocket.protocol import FORMATS
from adapters.server.server import TurnspecServer
from adapters.settings.config import load_settings
from adapters.simulator.caller.caller import OnEvent, run_call
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.lines.chan_websocket import (
    AsteriskChannel,
    SimulatedAsterisk,
    SimulatedChannel,
    dial_server,
)
from adapters.simulator.lines.telephone import Telephone
from adapters.simulator.providers.realtime import ProviderServer
from fsm.journal.journal import read
from tests.adapters.server.test_twilio import BARGE_IN, ONE_TURN, Ends

pytestmark = pytest.mark.virtual_time


@contextlib.asynccontextmanager
async def serving(folder: Path, ends: Ends, url: str, more: str = "", line: str = "") -> AsyncIterator[TurnspecServer]:
    path = folder / "turnspec.yaml"
    path.write_text(
        f"listen: {{audiosocket: '127.0.0.1:0', chan_websocket: '127.0.0.1:0'}}\ngreeting: Greet.\n"
        f"provider: {{url: '{url}'}}\njournal: {{dir: journals}}\nchan_websocket: {{{line}}}\n{more}"
    )

    def observers(_: str) -> list[Observer]:
        return [ends]

    server = TurnspecServer(load_settings(path, {"OPENAI_API_KEY": "sk-1"}), observers)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def call(
    server: TurnspecServer,
    steps: list[Any],
    channel: AsteriskChannel | None = None,
    call_id: uuid.UUID | None = None,
    phones: list[SimulatedChannel] | None = None,
) -> CallerReport:
    channel = channel or AsteriskChannel()
    host, port = server.addresses[1]

    async def dial(call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent) -> Telephone:
        phone = await dial_server(f"ws://{host}:{port}/media", channel, call_id, settings, emit)
        if phones is not None and isinstance(phone, SimulatedChannel):
            phones.append(phone)
        return phone

    settings = CallerSettings(rate_hz=FORMATS[channel.format].rate_hz, driver="dial")
    return await run_call(dial, load_script({"steps": steps}, Path()), settings, call_id=call_id)


async def ended(ends: Ends) -> None:
    while ends.summary is None:  # noqa: ASYNC110  the call ends a little after its caller
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("name", "is_json"), [("slin", True), ("slin", False), ("ulaw", True), ("slin16", True), ("slin24", False)]
)
async def test_a_call_in_every_form(tmp_path: Path, name: str, is_json: bool) -> None:
    ends, call_id = Ends(), uuid.uuid4()
    channel = AsteriskChannel(format=name, is_json=is_json, uri_parameters={"caller_id": "+49301"})
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url) as server:
        report = await call(server, ONE_TURN, channel, call_id)
        assert report.notes == () and len(report.agent_speech) == 2
        assert report.holes == ()
        await ended(ends)
    assert ends.summary is not None
    numbers = ends.summary.as_json()
    assert (numbers["turns"], numbers["answers"], numbers["rejections"], numbers["underruns"]) == (1, 1, 0, 0)
    assert (numbers["reconnects"], numbers["frames_unsent"]) == (0, 0)
    with (tmp_path / "journals" / f"{call_id}.jsonl").open() as lines:
        journal = read(lines)
    assert journal.warnings == () and journal.end is not None
    assert report.pacing.gap_p99_ms <= 21 or report.agent_speech[1].start_ms > report.agent_speech[0].end_ms


@pytest.mark.parametrize("lead_ms", [60, 80, 400])
async def test_an_interruption_reaches_the_ear_and_what_was_heard_is_known(tmp_path: Path, lead_ms: int) -> None:
    ends, phones = Ends(), list[SimulatedChannel]()
    line = f"lead_ms: {lead_ms}"
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url, line=line) as server:
        report = await call(server, BARGE_IN, phones=phones)
    assert report.notes == () and len(report.agent_speech) == 2
    [cut], [truth_ms] = ends.cuts, phones[0].cuts_ms
    assert truth_ms - 100 <= cut["heard_ms"] <= truth_ms
    assert truth_ms < cut["received_ms"]
    began_ms = report.caller_speech[0].start_ms
    assert report.agent_speech[0].end_ms - began_ms < 1_000  # the provider's own ear needs most of it


async def test_the_agent_is_chosen_by_what_the_channel_says_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    ends = Ends()
    more = "agents: {night: {greeting: Say that we are closed., numbers: ['+4930']}}\n"
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url, more) as server:
        seen: list[Call] = []
        for said in ({"agent": "night", "caller_id": "+49301"}, {"dialled": "+4930"}):
            live = asyncio.ensure_future(
                call(server, ["wait_agent_speaking", "hang_up"], AsteriskChannel(uri_parameters=said))
            )
            while not server.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            seen += server.calls.values()
            await live
            while server.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        steps = [{"until_hung_up": {"within_ms": 3000}}]
        refused = await call(server, steps, AsteriskChannel(variables={"agent": "day"}))
    assert [each.agent for each in seen] == ["night", "night"]
    assert seen[0].data.caller_id == "+49301"
    assert refused.ended == "fin" and not refused.agent_speech


async def test_a_call_to_which_we_connect(tmp_path: Path) -> None:
    ends, asterisk = Ends(), SimulatedAsterisk()
    await asterisk.start()
    line = f"asterisk_url: '{asterisk.url}'"
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url, line=line) as server:

        async def wait(call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent) -> Telephone:
            return await asterisk.wait_for_server("id-1", AsteriskChannel(format="ulaw"), call_id, settings, emit)

        settings = CallerSettings(driver="dial")
        live = asyncio.ensure_future(run_call(wait, load_script({"steps": ONE_TURN}, Path()), settings))
        await asyncio.sleep(0.1)
        assert server.channels is not None
        await server.channels.dial("id-1", {"caller_id": "+49301"})
        report = await live
        await ended(ends)
    await asterisk.close()
    assert report.notes == () and len(report.agent_speech) == 2 and report.holes == ()


async def test_during_a_shutdown_dial_fails_before_it_is_answered(tmp_path: Path) -> None:
    ends = Ends()
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url) as server:
        live = asyncio.ensure_future(call(server, [{"until_hung_up": {"within_ms": 60_000}}]))
        while not server.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        closing = asyncio.ensure_future(server.close(30.0))
        await asyncio.sleep(0.1)
        late = await call(server, [])
        assert late.dropped is not None and "503" in late.dropped
        report = await live
        assert (report.ended, report.dropped, report.dialplan_continues) == ("hangup", None, True)
        await closing
