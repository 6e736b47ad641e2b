"""Why a call is not taken, by name: in logs, and as its result (`refused:drain`). Never how a line says it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias


class CallRefusal(StrEnum):
    LIMIT = "limit"
    """As many calls as there may be."""
    CALLS_PER_PEER = "calls_per_peer"
    DRAIN = "drain"
    """The process is ending."""
    BUSY = "busy"
    """The loop is too late for one more (`limits.loop_lag_ms`), or too many have just begun (`limits.new_calls_s`)."""
    NO_PROVIDER = "no_provider"
    """No provider would hold a session: no key, no quota, no such model."""
    UNKNOWN_AGENT = "unknown_agent"
    SPEC_UNFIT = "spec_unfit"
    """The agent's spec decides by audio that does not come by the call's line."""
    LIVE_CALL = "live_call"
    """Its id is that of a call that goes on; nobody is told, for a result would be the other call's."""
    UNIDENTIFIED = "unidentified"
    """Too many connections that have not said whose call they are."""
    NO_UUID = "no_uuid"
    """Not within the deadline, or something else came first."""
    NO_DESCRIPTORS = "no_descriptors"
    NOT_ACCEPTED = "not_accepted"
    """The provider, which has its audio, has not let it in."""
    NOT_ALLOWED = "not_allowed"
    """Its address is in none of the networks."""


OnRefused: TypeAlias = Callable[[str, str], None]
"""The call's id, and the name of the reason. Only for calls whose id is known."""
