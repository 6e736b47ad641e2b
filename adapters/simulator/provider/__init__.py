"""A Realtime provider that speaks the real wire, for tests and the demo: a sans-I/O core and a thin server.

Never the truth about what a model says: a scenario file is. Source of every behaviour: facts/realtime_api.md.
"""

from adapters.simulator.provider.core import ProviderCore
from adapters.simulator.provider.scenario import Scenario, ScenarioError, load_scenario, parse_scenario
from adapters.simulator.provider.server import ProviderServer, ProviderSession
from adapters.simulator.provider.settings import Latency, ProviderSettings
from adapters.simulator.provider.stats import Seen, SessionStats
from adapters.simulator.provider.wire import Closing, Outgoing

__all__ = [
    "Closing",
    "Latency",
    "Outgoing",
    "ProviderCore",
    "ProviderServer",
    "ProviderSession",
    "ProviderSettings",
    "Scenario",
    "ScenarioError",
    "Seen",
    "SessionStats",
    "load_scenario",
    "parse_scenario",
]
