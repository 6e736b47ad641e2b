"""Whole calls over Twilio's line: webhook, stream, a spec's machine, the simulated provider; in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.call.call import Call
from adapters.call.mailbox import Envelope
from adapters.call.observers import Observer
from adapters.call.summary import Summary
from adapters.lines.twilio.webhook import HttpRequest, HttpResponse
from adapters.providers.provider import WireEvent
from adapters.server.server import TurnspecServer
from adapters.settings.config import load_settings
from adapters.simulator.caller.caller import OnEvent, run_call
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.lines.twilio import SimulatedStream, TwilioNumber, dial_twilio
from adapters.simulator.providers.realtime import ProviderServer
from fsm.journal.journal import read
from fsm.machine.machine import Step

pytestmark = pytest.mark.virtual_time

SECRET = "0123456789abcdef"
ENVIRONMENT = {"OPENAI_API_KEY": "sk-1", "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": SECRET}
ONE_TURN = [
    "wait_agent_speaking",
    {"wait_agent_silent": {"for_ms": 800}},
    {"say": "caller_order_status"},
    "wait_agent_speaking",
    {"wait_agent_silent": {"for_ms": 800}},
    "hang_up",
]
BARGE_IN = [
    "wait_agent_speaking",
    {"interrupt": {"file": "caller_interrupt", "after_ms": 700}},
    {"wait_agent_silent": {"for_ms": 300}},
    "wait_agent_speaking",
    {"wait_agent_silent": {"for_ms": 800}},
    "hang_up",
]


@attrs.define
class Ends:
    """An observer that keeps what was heard at each cut, and the summary."""

    summary: Summary | None = None
    cuts: list[Mapping[str, Any]] = attrs.field(factory=list)

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del step, at_ms
        if envelope.event.name == "playout.flushed":
            items = envelope.event.data["items"]
            assert isinstance(items, list)
            self.cuts += items

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None:
        self.summary = summary


@contextlib.asynccontextmanager
async def serving(folder: Path, ends: Ends, url: str, more: str = "") -> AsyncIterator[TurnspecServer]:
    path = folder / "turnspec.yaml"
    path.write_text(
        f"listen: {{audiosocket: '127.0.0.1:0', twilio: '127.0.0.1:0'}}\ngreeting: Greet.\n"
        f"provider: {{url: '{url}'}}\njournal: {{dir: journals}}\n"
        f"twilio: {{public_url: 'https://agent.example.com'}}\n{more}"
    )

    def observers(_: str) -> list[Observer]:
        return [ends]

    server = TurnspecServer(load_settings(path, ENVIRONMENT), observers)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def call(
    server: TurnspecServer,
    steps: list[Any],
    query: str = "",
    delay_ms: float = 0.0,
    call_id: uuid.UUID | None = None,
    phones: list[SimulatedStream] | None = None,
) -> CallerReport:
    webhook, streams = server.webhook, server.streams
    assert webhook is not None and streams is not None

    async def ask(request: HttpRequest) -> HttpResponse:
        return webhook.answer(request)

    number = TwilioNumber(
        auth_token=SECRET,
        account_sid="AC1",
        webhook_url=f"https://agent.example.com/twiml{query}",
        stream_address=streams.addresses[0],
        delay_ms=delay_ms,
    )

    async def dial(call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent) -> SimulatedStream:
        phone = await dial_twilio(number, ask, call_id, settings, emit)
        if phones is not None:
            phones.append(phone)
        return phone

    return await run_call(dial, load_script({"steps": steps}, Path()), CallerSettings(), call_id=call_id)


@pytest.mark.parametrize("delay_ms", [0, 40])
async def test_a_call_from_the_webhook_to_the_ear(tmp_path: Path, delay_ms: float) -> None:
    ends, call_id = Ends(), uuid.uuid4()
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url) as server:
        report = await call(server, ONE_TURN, delay_ms=delay_ms, call_id=call_id)
        assert report.notes == () and len(report.agent_speech) == 2
        assert report.holes == ()
        while ends.summary is None:  # noqa: ASYNC110  the call ends a little after its caller
            await asyncio.sleep(0.01)
    numbers = ends.summary.as_json()
    assert (numbers["turns"], numbers["answers"], numbers["rejections"], numbers["underruns"]) == (1, 1, 0, 0)
    assert (numbers["reconnects"], numbers["frames_unsent"]) == (0, 0)
    with (tmp_path / "journals" / f"CA{call_id.hex}.jsonl").open() as lines:
        journal = read(lines)
    assert journal.warnings == () and journal.end is not None


@pytest.mark.parametrize("delay_ms", [0, 20])
async def test_an_interruption_reaches_the_ear_and_what_was_heard_is_known(tmp_path: Path, delay_ms: float) -> None:
    ends, phones = Ends(), list[SimulatedStream]()
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url) as server:
        report = await call(server, BARGE_IN, delay_ms=delay_ms, phones=phones)
    assert report.notes == () and len(report.agent_speech) == 2
    [cut], [truth_ms] = ends.cuts, phones[0].cuts_ms
    assert truth_ms - 100 <= cut["heard_ms"] <= truth_ms
    assert truth_ms < cut["received_ms"]
    began_ms = report.caller_speech[0].start_ms
    assert report.agent_speech[0].end_ms - began_ms < 1_000  # the provider's own ear needs most of it


async def test_the_agent_is_chosen_by_a_parameter_of_the_webhook(tmp_path: Path) -> None:
    ends = Ends()
    more = "agents: {night: {greeting: Say that we are closed.}}\n"
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url, more) as server:
        seen: list[Call] = []
        live = asyncio.ensure_future(call(server, ["wait_agent_speaking", "hang_up"], query="?agent=night"))
        while not server.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        seen += server.calls.values()
        await live
        refused = await call(server, [{"until_hung_up": {"within_ms": 3000}}], query="?agent=day")
    assert [each.agent for each in seen] == ["night"]
    assert (seen[0].data.caller_id, seen[0].data.dialled) == ("+493011111111", "+493022222222")
    assert refused.dropped == "the server closed the stream with 1008: refused"


async def test_during_a_shutdown_the_webhook_rejects_calls(tmp_path: Path) -> None:
    ends = Ends()
    async with ProviderServer() as provider, serving(tmp_path, ends, provider.url) as server:
        live = asyncio.ensure_future(call(server, [{"until_hung_up": {"within_ms": 60_000}}]))
        while not server.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        closing = asyncio.ensure_future(server.close(30.0))
        await asyncio.sleep(0.1)
        late = await call(server, [])
        assert late.dropped is not None and "does not stream the call: ['Reject']" in late.dropped
        report = await live
        assert (report.ended, report.dropped) == ("fin", None)
        await closing
