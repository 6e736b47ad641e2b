"""A Gemini Live server for tests and demos (docs/facts/gemini_live.md): a sans-I/O `core`, a thin `server`, a `script`.

What the fact sheet marks uncertain is a fault, or the assumption that is named where it is made.
"""

from adapters.simulator.providers.gemini.core import GeminiCore
from adapters.simulator.providers.gemini.script import GeminiFault, GeminiRule, GeminiScenario, load_gemini_scenario
from adapters.simulator.providers.gemini.server import GeminiServer

__all__ = ["GeminiCore", "GeminiFault", "GeminiRule", "GeminiScenario", "GeminiServer", "load_gemini_scenario"]
