"""Where the names of `turnspec.__all__` really are; tests/test_public_names.py compares."""
# ruff: noqa: F401

from __future__ import annotations

from adapters.active_call import ActiveCall, Answer
from adapters.kit.bridge_process import BridgeProcess, BridgeStartError, free_port
from adapters.kit.faults import CALLER_FAULTS, PROVIDER_FAULTS, CallFault
from adapters.kit.loop_thread import KitUseError
from adapters.kit.phone_simulator import PhoneCall, PhoneSimulator
from adapters.kit.realtime_simulator import RealtimeSimulator
from adapters.simulator.providers.realtime.provider_scenario import ScenarioError
from adapters.tools import Tool
from fsm.errors import LocalError, RemoteError, TurnspecError
