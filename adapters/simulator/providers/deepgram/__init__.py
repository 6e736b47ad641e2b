"""A Deepgram Voice Agent for tests (docs/facts/deepgram_agent.md): a sans-I/O `core`, a thin `server`, a `script`."""

from adapters.simulator.providers.deepgram.core import AgentCore
from adapters.simulator.providers.deepgram.script import AgentFault, AgentRule, AgentScenario
from adapters.simulator.providers.deepgram.server import AgentServer

__all__ = ["AgentCore", "AgentFault", "AgentRule", "AgentScenario", "AgentServer"]
