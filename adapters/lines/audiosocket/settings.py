"""The limits of the AudioSocket server, as one value. No default here lets a peer cost us unbounded time or memory."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

import attrs
from attrs.validators import ge, gt, in_

from adapters.lines.audiosocket.protocol import KIND_OF_RATE_HZ

Network: TypeAlias = IPv4Network | IPv6Network
FRAME_MS = 20


def _networks(values: Iterable[str | Network]) -> tuple[Network, ...]:
    return tuple(ip_network(value) for value in values)


@attrs.frozen(kw_only=True)
class AudioSocketSettings:
    """ValueError where a value makes no sense. The reasons are in docs/facts/telephony.md sections 1 and 2."""

    host: str = "127.0.0.1"
    port: int = attrs.field(default=9019, validator=ge(0))
    backlog: int = attrs.field(default=512, validator=gt(0))
    """Of the listening socket: a burst of calls while the loop is busy. asyncio's 100 is little."""
    reuse_port: bool = False
    """More cores are more processes on one port (docs/facts/performance.md)."""

    rate_hz: int = attrs.field(default=8_000, validator=in_(KIND_OF_RATE_HZ))
    """Of what we send. What Asterisk sends says its own rate in every message."""

    max_connections: int = attrs.field(default=200, validator=gt(0))
    max_refusals: int = attrs.field(default=256, validator=ge(0))
    """Refused connections that may linger at once for a polite refusal; beyond it they are cut."""
    allowed_peers: tuple[Network, ...] = attrs.field(default=(), converter=_networks)
    """Networks calls may come from. Empty: from anywhere that reaches the port (AudioSocket has no authentication)."""

    handshake_deadline_s: float = attrs.field(default=5.0, validator=gt(0))
    hang_up_deadline_s: float = attrs.field(default=2.0, validator=gt(0))
    """How long a polite end waits for the peer's FIN."""

    send_buffer_bytes: int = attrs.field(default=32_768, validator=ge(0))
    """SO_SNDBUF, 0 to leave it: the kernel's default would hide minutes of audio that a stuck peer does not read."""
    backlog_max_frames: int = attrs.field(default=50, validator=gt(0))
    """Frames kept for a peer that does not read; more are dropped, oldest kept (they are already on their way)."""
    backlog_gone_frames: int = attrs.field(default=250, validator=gt(0))
    """So many more frames dropped than sent, since the first was dropped, and the caller counts as gone."""

    early_max_messages: int = attrs.field(default=100, validator=ge(0))
    """Caller messages kept until the call's listener is there; then the oldest go."""
    read_max_bytes: int = attrs.field(default=65_536, validator=gt(0))
    """Of one socket read: asyncio's 256 KB doubles the cost of a call (docs/facts/performance.md)."""

    @property
    def frame_bytes(self) -> int:
        """Of the PCM of one 20 ms frame toward Asterisk."""
        return self.rate_hz * FRAME_MS // 1000 * 2
