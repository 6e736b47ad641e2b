"""turnspec for programs: what tools of an agent, tests of a bridge and the pytest plugin import.

`__all__` is the promise. Everything else, whatever it is called and wherever it is installed, may change at any time.

    from turnspec import ActiveCall, Tool                         # tools of an agent
    from turnspec import BridgeProcess, PhoneSimulator, RealtimeSimulator      # tests of a bridge (docs/kit.md)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapters.active_call import ActiveCall, Answer
    from adapters.kit.bridge_process import BridgeProcess, BridgeStartError, free_port
    from adapters.kit.faults import CALLER_FAULTS, PROVIDER_FAULTS, CallFault
    from adapters.kit.loop_thread import KitUseError
    from adapters.kit.phone_simulator import PhoneCall, PhoneSimulator
    from adapters.kit.realtime_simulator import RealtimeSimulator
    from adapters.simulator.providers.realtime.provider_scenario import ScenarioError
    from adapters.tools import Tool
    from fsm.errors import LocalError, RemoteError, TurnspecError

__all__ = [
    "CALLER_FAULTS",
    "PROVIDER_FAULTS",
    "ActiveCall",
    "Answer",
    "BridgeProcess",
    "BridgeStartError",
    "CallFault",
    "KitUseError",
    "LocalError",
    "PhoneCall",
    "PhoneSimulator",
    "RealtimeSimulator",
    "RemoteError",
    "ScenarioError",
    "Tool",
    "TurnspecError",
    "free_port",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for: a test run that needs nothing of this pays nothing."""
    if name not in __all__:
        raise AttributeError(f"turnspec has no '{name}'; there are {', '.join(__all__)}")
    from turnspec import _exports

    return getattr(_exports, name)


def __dir__() -> list[str]:
    return sorted(__all__)
