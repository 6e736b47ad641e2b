"""A Realtime provider that speaks the real wire, for tests and the demo: a sans-I/O core and a thin server.

Never the truth about what a model says: a scenario file is. Source of every behaviour: docs/facts/realtime_api.md.
"""

from adapters.simulator.providers.realtime.core import ProviderCore
from adapters.simulator.providers.realtime.outbox import Closing, Outgoing
from adapters.simulator.providers.realtime.provider_scenario import (
    ProviderScenario,
    ScenarioError,
    load_scenario,
    parse_scenario,
)
from adapters.simulator.providers.realtime.provider_session import ProviderSession
from adapters.simulator.providers.realtime.provider_settings import Latency, ProviderSettings
from adapters.simulator.providers.realtime.server import ProviderServer
from adapters.simulator.providers.realtime.session_context import Seen, SessionStats

__all__ = [
    "Closing",
    "Latency",
    "Outgoing",
    "ProviderCore",
    "ProviderScenario",
    "ProviderServer",
    "ProviderSession",
    "ProviderSettings",
    "ScenarioError",
    "Seen",
    "SessionStats",
    "load_scenario",
    "parse_scenario",
]
