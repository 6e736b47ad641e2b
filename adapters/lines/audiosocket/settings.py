"""The limits of the AudioSocket server, as one value. No default here lets a peer cost us unbounded time or memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, min_len, optional

from adapters.lines.audiosocket.protocol import KIND_OF_RATE_HZ
from adapters.lines.networks import Network, as_networks

FRAME_MS: Final = 20
RATES_HZ: Final = (8_000, 16_000, 24_000)
"""Of calls, unless fewer are wanted: a telephone's, wideband, and what realtime models speak."""

RefuseBy: TypeAlias = Literal["reset", "polite"]


def frame_bytes(rate_hz: int) -> int:
    """Of the PCM of one 20 ms frame."""
    return rate_hz * FRAME_MS // 1000 * 2


def _ascending(rates_hz: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(rates_hz)))


@attrs.frozen(kw_only=True)
class AudioSocketSettings:
    """ValueError where a value makes no sense. The reasons are in docs/facts/telephony.md sections 1 and 2."""

    host: str = "127.0.0.1"
    port: int = attrs.field(default=9019, validator=ge(0))
    backlog: int = attrs.field(default=2_048, validator=gt(0))
    """Of the listening socket: a burst of calls, which wait there for `newcomers`. asyncio's 100 is little."""
    reuse_port: bool = False
    """More cores are more processes on one port (docs/facts/performance.md)."""

    rates_hz: tuple[int, ...] = attrs.field(
        default=RATES_HZ, converter=_ascending, validator=[min_len(1), deep_iterable(in_(KIND_OF_RATE_HZ))]
    )
    """A call has that of what the peer sends; where it is not among them, the next lower one, else the lowest."""
    rate_wait_s: float = attrs.field(default=0.5, validator=gt(0))
    """From the UUID to the first audio, where there is a choice; a muted caller gets the lowest rate. Of a caller who
    is answered already it is there after 20 ms; one who is answered by our channel has to hear of it first."""

    max_connections: int = attrs.field(default=200, validator=gt(0))
    """Of calls: connections with a UUID."""
    max_unidentified: int = attrs.field(default=256, validator=gt(0))
    """Connections without a UUID; beyond it the oldest makes room, unless it has just come."""
    unidentified_grace_s: float = attrs.field(default=0.25, validator=ge(0))
    """So long none makes room: Asterisk's UUID is there with the connection."""
    newcomers: int = attrs.field(default=32, validator=gt(0))
    """So many have come within `unidentified_grace_s` and have not said their UUID: the next one waits in the backlog.
    Else a burst would be one long pass of the loop, in which no call sends a frame."""
    max_calls_per_peer: int | None = attrs.field(default=None, validator=optional(gt(0)))
    """By address. None: a single Asterisk may have all of them."""
    descriptors_kept: int = attrs.field(default=16, validator=ge(0))
    """A connection that would leave fewer file descriptors is refused: the calls that are there need some."""

    refuse: RefuseBy = attrs.field(default="reset", validator=in_(("reset", "polite")))
    """RST, which is FAILED for `TryExec`; or `00 00 00`, which is SUCCESS, for an `AudioSocket()` without one."""
    max_refusals: int = attrs.field(default=256, validator=ge(0))
    """Connections that may linger at once for a polite refusal; beyond it they are cut."""
    allowed_peers: tuple[Network, ...] = attrs.field(default=(), converter=as_networks)
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

    def rate_for(self, peer_hz: int) -> int:
        """Of a call whose peer sends audio of that rate."""
        return max((each for each in self.rates_hz if each <= peer_hz), default=self.rates_hz[0])
