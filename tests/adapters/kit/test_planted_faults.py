"""A stranger's bridge with a planted fault fails with that fault's name; the same bridge without it does not.

In virtual time: bridge, caller and provider are on one loop, over real sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.kit.faults import CallFault
from adapters.kit.phone_simulator import PhoneCall, read_script
from adapters.kit.provider_judge import audited, provider_faults
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.providers.realtime import ProviderServer, parse_scenario
from examples import audiosocket_bridge as healthy

pytestmark = pytest.mark.virtual_time

LONG_ANSWER = """
responses:
  - {when: {after: nothing}, output: [{say: "Hello! How can I help you?"}]}
  - {when: {user_turn: 1}, output: [{say: a long story, speech: agent_long_story}]}
"""
TWO_TURNS = """
steps:
  - wait_agent_speaking
  - {wait_agent_silent: 600}
  - {say: caller_returns}
  - {interrupt: {file: caller_when_open, after_ms: 1000}}
  - {wait_agent_silent: {for_ms: 900, within_ms: 20000}}
  - {wait_ms: 6000}
"""

PATIENT = """
steps:
  - wait_agent_speaking
  - {wait_agent_silent: 600}
  - {say: caller_returns}
  - wait_agent_speaking
  - {wait_agent_silent: {for_ms: 900, within_ms: 20000}}
  - {say: caller_when_open}
  - {wait_ms: 6000}
"""


class IgnoresBargeIn(healthy.Bridge):
    """Plays on, whatever the caller says."""

    async def interrupt(self) -> None: ...


class CreatesTwice(healthy.Bridge):
    """Asks for what the server answers by itself."""

    async def on_event(self, kind: str, event: dict[str, Any]) -> None:
        await super().on_event(kind, event)
        if kind == "input_audio_buffer.committed":
            await self.send("response.create")


class DiesAfterOneTurn(healthy.Bridge):
    """Believes after the first answer that the caller may not speak any more."""

    answers = 0

    async def on_event(self, kind: str, event: dict[str, Any]) -> None:
        await super().on_event(kind, event)
        if kind == "response.done":
            self.answers += 1
            self.is_configured = self.answers < 2  # the greeting, one answer


class HangsUp(healthy.Bridge):
    """Ends the call when it is to answer."""

    async def on_event(self, kind: str, event: dict[str, Any]) -> None:
        await super().on_event(kind, event)
        if kind == "input_audio_buffer.committed":
            self.writer.write(b"\0\0\0")
            await self.writer.drain()
            self.writer.close()


@attrs.frozen
class Judged:
    """What both sides of a call say of a bridge."""

    call: PhoneCall
    provider: Sequence[CallFault]


async def judged(bridge: type[healthy.Bridge], monkeypatch: pytest.MonkeyPatch, steps: str = TWO_TURNS) -> Judged:
    scenario = parse_scenario(LONG_ANSWER, Path("scenario"))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setattr(healthy, "Bridge", bridge)
    async with ProviderServer(scenario=scenario) as provider:
        monkeypatch.setattr(healthy, "URL", f"{provider.url}?model=m")
        server = await asyncio.start_server(healthy.take_call, "127.0.0.1", 0)
        async with server:
            script = read_script(steps)
            port = server.sockets[0].getsockname()[1]
            report = await run_caller("127.0.0.1", port, script, CallerSettings(rate_hz=24_000))
            await asyncio.sleep(1)
    return Judged(PhoneCall(report, script), [*provider_faults(provider.stats, scenario), *audited(provider.stats)])


async def test_a_bridge_that_ignores_a_barge_in_fails_with_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await judged(IgnoresBargeIn, monkeypatch)
    with pytest.raises(AssertionError, match=r"has 1 fault:\n  barge-in-ignored: .* the agent went on for"):
        found.call.assert_good(longest_silence_ms=9000)


async def test_a_bridge_that_creates_a_second_answer_fails_with_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await judged(CreatesTwice, monkeypatch)
    assert {"rejected", "create-while-owed"} <= {each.kind for each in found.provider}


async def test_a_bridge_that_is_dead_after_one_turn_fails_with_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await judged(DiesAfterOneTurn, monkeypatch, PATIENT)
    with pytest.raises(AssertionError, match=r"turn-unanswered: .* dead after 1 answered turn"):
        found.call.assert_good()


async def test_a_bridge_that_hangs_up_in_the_middle_fails_with_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await judged(HangsUp, monkeypatch)
    with pytest.raises(AssertionError, match=r"call-died: .* hung up after \d of 6 steps"):
        found.call.assert_good()


async def test_the_bridge_without_a_fault_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await judged(healthy.Bridge, monkeypatch)
    found.call.assert_good(longest_silence_ms=9000)
    assert found.provider == []
    assert found.call.heard[:2] == ("agent_hello", "agent_long_story")
    assert found.call.summary["answers"] == 2
