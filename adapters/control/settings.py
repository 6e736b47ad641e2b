"""What call control is configured with: plain values, no secret in their text."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from adapters.control.control import DialplanTarget


@attrs.frozen(kw_only=True)
class AmiSettings:
    """Asterisk's manager interface. A dead peer is noticed after two ping intervals."""

    host: str = "127.0.0.1"
    port: int = 5038
    username: str
    secret: str = attrs.field(repr=False)
    connect_s: float = 5.0
    ping_interval_s: float = 15.0
    least_wait_s: float = 0.5
    """Before the first new attempt to connect; doubled with each, at most `most_wait_s`."""
    most_wait_s: float = 30.0
    max_pending: int = 256
    """Actions without an answer; more are refused."""


@attrs.frozen(kw_only=True)
class AriSettings:
    """Asterisk's REST interface: `url` ends in /ari."""

    url: str = "http://127.0.0.1:8088/ari"
    username: str
    password: str = attrs.field(repr=False)
    max_connections: int = 16
    max_answer_bytes: int = 4 * 1024 * 1024


@attrs.frozen(kw_only=True)
class ControlSettings:
    """One way, or none: the dialplan alone then acts by the result."""

    ami: AmiSettings | None = None
    ari: AriSettings | None = None
    targets: Mapping[str, DialplanTarget] = attrs.field(factory=dict)
    result_variable: str = "TURNSPEC_RESULT"
    uuid_variable: str = "CALL_UUID"
    """The channel variable in which the dialplan keeps the call's UUID, if it does."""
    deadline_s: float = 5.0
    """Of an operation with all its steps."""
