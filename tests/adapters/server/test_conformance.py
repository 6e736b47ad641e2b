"""What every line is held to: the same calls over each, with real sockets in virtual time. A new line joins the table
in adapters/demo/lines.py and passes."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.demo.lines import LINES, DemoLine, Lack
from adapters.providers.provider import WireEvent
from adapters.server.server import TurnspecServer
from adapters.settings.config import load_settings
from adapters.simulator.caller.caller import run_call
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script
from adapters.simulator.providers.realtime import ProviderServer, parse_scenario
from fsm.machine.machine import Step

pytestmark = [pytest.mark.virtual_time, pytest.mark.parametrize("line", LINES.values(), ids=LINES)]


def needs(line: DemoLine, *what: Lack) -> None:
    """Skips a line that has not got it, with the reason of the table."""
    for each in what:
        if each in line.lacks:
            pytest.skip(f"{each}: {line.lacks[each]}")


ANSWERED: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]
"""The agent has said what it had to say."""
STAY: list[Any] = [{"until_hung_up": {"within_ms": 60_000}}]


@attrs.define
class Observed:
    """Of one call."""

    events: list[tuple[str, Mapping[str, Any]]] = attrs.field(factory=list)
    summary: Summary | None = None
    over: asyncio.Event = attrs.field(factory=asyncio.Event)

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del at_ms
        self.events.append((step.variant, envelope.event.data))

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None:
        self.summary = summary
        self.over.set()

    def of(self, name: str) -> list[Mapping[str, Any]]:
        return [data for variant, data in self.events if variant == name]

    async def numbers(self) -> Mapping[str, Any]:
        await self.over.wait()
        assert self.summary is not None
        return self.summary.as_json()


@attrs.define
class Stage:
    """A server that listens on a line."""

    line: DemoLine
    server: TurnspecServer
    calls: dict[str, Observed] = attrs.field(factory=dict)

    async def call(self, *steps: Any, call_id: uuid.UUID | None = None) -> tuple[CallerReport, Observed]:
        call_id = call_id or uuid.uuid4()
        script = load_script({"steps": list(steps)}, Path())
        report = await run_call(self.line.dial(self.server), script, CallerSettings(), call_id=call_id)
        return report, self.calls.get(self.line.call_id(call_id), Observed())


@contextlib.asynccontextmanager
async def staged(folder: Path, line: DemoLine, scenario: str = "{}", more: str = "") -> AsyncIterator[Stage]:
    async with ProviderServer(scenario=parse_scenario(scenario, folder / "s.yaml")) as provider:
        path = folder / "turnspec.yaml"
        path.write_text(
            f"listen: {{audiosocket: '127.0.0.1:0'}}\ngreeting: Greet.\nprovider: {{url: '{provider.url}'}}\n{more}"
        )
        settings = line.listening(load_settings(path, {"OPENAI_API_KEY": "sk-1"}))
        calls: dict[str, Observed] = {}
        server = TurnspecServer(settings, lambda call_id: [calls.setdefault(call_id, Observed())])
        await server.start()
        try:
            yield Stage(line, server, calls)
        finally:
            await server.close()


async def test_greeting_and_turns(tmp_path: Path, line: DemoLine) -> None:
    said = [{"say": "caller_order_status"}, *ANSWERED, {"say": "caller_returns"}, *ANSWERED]
    async with staged(tmp_path, line) as stage:
        report, call = await stage.call(*ANSWERED, *said, "hang_up")
        numbers = await call.numbers()
    assert report.notes == () and report.dropped is None and report.holes == ()
    assert len(report.agent_speech) == 3 and report.talk_over_ms == 0
    attempts = int("clear_end" in line.lacks)
    expected = {"turns": 2, "answers": 2, "rejections": 0, "underruns": 0, "frames_unsent": 0, "reconnects": attempts}
    assert {key: numbers[key] for key in expected} == expected
    assert numbers["end_reason"].startswith("caller.hung_up")


async def test_an_interruption_with_two_items_queued(tmp_path: Path, line: DemoLine) -> None:
    """What was heard is known: of the first item a part, never more than it had; of the second nothing."""
    two = "output: [{say: It was sent this morning and comes tomorrow.}, {say: Call again if it does not.}]"
    scenario = f"responses: [{{when: {{user_turn: 1}}, {two}}}]"
    async with staged(tmp_path, line, scenario) as stage:
        report, call = await stage.call(
            *ANSWERED, {"say": "caller_order_status"}, {"interrupt": {"file": "caller_interrupt", "after_ms": 900}},
            {"wait_agent_silent": {"for_ms": 300}}, *ANSWERED, "hang_up",
        )  # fmt: skip
        numbers = await call.numbers()
    assert report.notes == () and numbers["barge_ins"] == 1
    if "heard_ms" in line.lacks:
        assert call.of("playout.flushed") and not any(each["items"] for each in call.of("playout.flushed"))
        return
    cut = next(each for each in call.of("playout.flushed") if each["items"])["items"]
    assert all(0 <= item["heard_ms"] <= item["received_ms"] for item in cut)
    began_ms, speech = report.caller_speech[1].start_ms, report.agent_speech[1]
    assert speech.start_ms < began_ms < speech.end_ms < began_ms + 1_000  # the provider's own ear needs most of it
    assert cut[0]["heard_ms"] == pytest.approx(
        speech.end_ms - speech.start_ms, abs=100 + 200
    )  # a lead, and its silence
    assert sum(item["heard_ms"] for item in cut[1:]) == 0


async def test_a_tool_is_run_and_its_answer_heard(tmp_path: Path, line: DemoLine) -> None:
    scenario = "responses: [{when: {user_turn: 1}, output: [{call: clock}]}]"
    async with staged(tmp_path, line, scenario, "tools: [{name: clock, function: 'time:ctime'}]\n") as stage:
        report, call = await stage.call(*ANSWERED, {"say": "caller_order_status"}, *ANSWERED, "hang_up")
        numbers = await call.numbers()
    assert report.notes == () and numbers["tools"] == 1 and len(report.agent_speech) == 2
    assert numbers["creates_by_cause"] == {"greeting": 1, "tools": 1} and numbers["rejections"] == 0


async def test_keys_become_a_turn(tmp_path: Path, line: DemoLine) -> None:
    async with staged(tmp_path, line) as stage:
        report, call = await stage.call(*ANSWERED, {"press": "4"}, {"press": "2"}, *ANSWERED, "hang_up")
        numbers = await call.numbers()
    assert report.notes == () and len(report.agent_speech) == 2
    assert [each["digit"] for each in call.of("caller.pressed_key.other")] == ["4", "2"]
    assert numbers["turns"] == 1 and numbers["rejections"] == 0


async def test_a_lost_provider_costs_a_moment_and_no_answer(tmp_path: Path, line: DemoLine) -> None:
    needs(line, "reconnect")
    scenario = "faults: [{fault: close, connection: 1, after: input_audio_buffer.committed, code: 1011}]"
    async with staged(tmp_path, line, scenario) as stage:
        report, call = await stage.call(*ANSWERED, {"say": "caller_order_status"}, *ANSWERED, "hang_up")
        numbers = await call.numbers()
    assert report.notes == () and report.dropped is None
    assert numbers["reconnects"] == 1 and numbers["longest_wait_ms"] < 8_000 and len(report.agent_speech) >= 2


async def test_a_provider_that_is_away_is_apologised_for(tmp_path: Path, line: DemoLine) -> None:
    needs(line, "prompts")
    async with staged(tmp_path, line, "faults: [{fault: http_status, status: 401}]") as stage:
        report, call = await stage.call(*STAY)
        numbers = await call.numbers()
    assert report.dropped is None and sum(each.duration_ms for each in report.agent_speech) > 1_500
    assert numbers["end_reason"].startswith("provider.unreachable") and report.duration_ms < 15_000


async def test_a_caller_who_says_nothing_hears_nothing_more(tmp_path: Path, line: DemoLine) -> None:
    async with staged(tmp_path, line) as stage:
        report, call = await stage.call(*ANSWERED, {"wait_ms": 20_000}, "hang_up")
        numbers = await call.numbers()
    assert len(report.agent_speech) == 1 and numbers["turns"] == numbers["answers"] == 0
    assert numbers["reconnects"] == int("clear_end" in line.lacks)


async def test_we_hang_up(tmp_path: Path, line: DemoLine) -> None:
    async with staged(tmp_path, line) as stage:
        live = asyncio.ensure_future(stage.call(*STAY))
        await asyncio.sleep(6)
        (running,) = stage.server.calls.values()
        running.hang_up("of the test")
        report, call = await live
        numbers = await call.numbers()
    assert report.dropped is None and report.ended != "caller" and report.duration_ms < 8_000
    assert numbers["end_reason"] == "operator.hang_up_requested: of the test" and stage.server.calls == {}


async def test_a_drain_lets_a_sentence_end_and_takes_no_more_calls(tmp_path: Path, line: DemoLine) -> None:
    async with staged(tmp_path, line) as stage:
        live = asyncio.ensure_future(stage.call(*STAY))
        await asyncio.sleep(1.5)  # the greeting is being heard
        closing = asyncio.ensure_future(stage.server.close())
        await asyncio.sleep(0.1)
        late, refused = await stage.call(*STAY)
        report, call = await live
        await closing
        numbers = await call.numbers()
    assert late.agent_speech == () and refused.summary is None
    assert report.dropped is None and numbers["end_reason"] == "operator.hang_up_requested: server_closing"
    if "played_s" in line.lacks:
        return
    played, generated = numbers["agent_audio_played_s"], numbers["agent_audio_generated_s"]
    assert played == pytest.approx(generated, abs=0.1) and generated > 1
