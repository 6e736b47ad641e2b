"""The examples, tested with the kit as anybody's bridge is: `pytest examples`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from turnspec import BridgeProcess, PhoneSimulator, RealtimeSimulator, free_port

HERE = Path(__file__).parent
SCRIPT = """
steps:
  - wait_agent_speaking
  - {wait_agent_silent: 600}
  - {say: caller_returns}
  - {interrupt: {file: caller_when_open, after_ms: 1200}}
  - wait_agent_speaking
  - {wait_agent_silent: 600}
expect:
  summary: {turns: 2, answers: 2, heard_percent: {agent_long_story: "< 60"}}
"""


BARGE_IN_MS, SILENCE_MS = 4_000.0, 10_000.0
"""A machine that tests is often a busy one; on one that is not, the defaults are right."""


def started(bridge_process: Callable[..., BridgeProcess], name: str, provider: RealtimeSimulator) -> BridgeProcess:
    port = free_port()
    env = {
        "REALTIME_URL": f"{provider.url}?model=gpt-realtime",
        "OPENAI_API_KEY": "sk-test",
        "PORT": str(port),
        "PUBLIC_URL": f"ws://127.0.0.1:{port}",
    }
    return bridge_process([sys.executable, HERE / name], port=port, env=env)


def test_the_audiosocket_bridge(
    realtime_provider: RealtimeSimulator, phone: PhoneSimulator, bridge_process: Callable[..., BridgeProcess]
) -> None:
    bridge = started(bridge_process, "audiosocket_bridge.py", realtime_provider)
    realtime_provider.play(
        "responses: [{when: {user_turn: 1}, output: [{say: a long story, speech: agent_long_story}]}]"
    )
    call = phone.call(bridge.address, SCRIPT, telephone={"rate_hz": 24000})
    call.assert_good(barge_in_ms=BARGE_IN_MS, longest_silence_ms=SILENCE_MS)
    realtime_provider.assert_good(longest_silence_ms=SILENCE_MS)
    assert "agent_long_story" in call.heard


def test_the_twilio_bridge(
    realtime_provider: RealtimeSimulator, phone: PhoneSimulator, bridge_process: Callable[..., BridgeProcess]
) -> None:
    bridge = started(bridge_process, "twilio_fastapi_bridge.py", realtime_provider)
    realtime_provider.play(
        "responses: [{when: {user_turn: 1}, output: [{say: a long story, speech: agent_long_story}]}]"
    )
    call = phone.call_twilio(f"http://{bridge.address}/twiml", SCRIPT)
    call.assert_good(barge_in_ms=BARGE_IN_MS, longest_silence_ms=SILENCE_MS)
    realtime_provider.assert_good(longest_silence_ms=SILENCE_MS)
    assert realtime_provider.summary["sessions"] == 1
