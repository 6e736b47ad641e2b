"""A GPT-Live server for tests and demos (docs/facts/gpt_live.md): a sans-I/O `core`, a thin `server`, a `script`.

Its clock is the caller's audio: without any nothing happens, as in the field.
"""

from adapters.simulator.providers.live.core import LiveCore
from adapters.simulator.providers.live.script import LiveFault, LiveRule, LiveScenario, load_live_scenario
from adapters.simulator.providers.live.server import LiveServer

__all__ = ["LiveCore", "LiveFault", "LiveRule", "LiveScenario", "LiveServer", "load_live_scenario"]
