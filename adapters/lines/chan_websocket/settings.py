"""The limits of the chan_websocket line, as one value. No default here lets a peer cost us unbounded time or memory."""

from __future__ import annotations

import ssl

import attrs
from attrs.validators import ge, gt, le

from adapters.lines.chan_websocket.protocol import SUBPROTOCOL
from adapters.lines.networks import Network, as_networks
from adapters.lines.websocket import MediaServerSettings
from adapters.websocket.message_socket import SocketLimits


@attrs.frozen(kw_only=True)
class ChanWebSocketSettings:
    """ValueError where a value makes no sense. The reasons are in docs/facts/telephony.md section 4."""

    host: str = "127.0.0.1"
    port: int = attrs.field(default=9020, validator=ge(0))
    backlog: int = attrs.field(default=512, validator=gt(0))
    reuse_port: bool = False
    path: str = "/media"
    tls: ssl.SSLContext | None = None
    token: str | None = attrs.field(default=None, repr=False)
    """Who comes has to know it: as the password of basic authentication, as a bearer token, or as `v(token=...)`."""
    asterisk_url: str | None = attrs.field(default=None, repr=False)
    """Where Asterisk listens, for calls to which we connect: `ws://asterisk:8088/media`."""
    asterisk_tls: ssl.SSLContext | None = None
    """For a wss address whose certificate is one's own."""

    answers: bool = False
    """ANSWER is said once somebody takes the call: for `Dial(WebSocket/X/n)`, where a refused one stays unanswered."""
    lead_ms: int = attrs.field(default=80, validator=[ge(40), le(1_000)])
    """So much audio is under way to Asterisk: what a barge-in cuts, and what a stall of ours may last unheard."""

    max_connections: int = attrs.field(default=200, validator=gt(0))
    max_waiting: int = attrs.field(default=256, validator=ge(0))
    allowed_peers: tuple[Network, ...] = attrs.field(default=(), converter=as_networks)
    handshake_deadline_s: float = attrs.field(default=5.0, validator=gt(0))
    """From the connection to the upgrade, and from there to MEDIA_START."""
    hang_up_deadline_s: float = attrs.field(default=2.0, validator=gt(0))
    """How long a polite end waits for Asterisk to close."""
    ping_interval_s: float = attrs.field(default=5.0, validator=gt(0))
    ping_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    early_max_messages: int = attrs.field(default=100, validator=gt(0))
    """Of the caller's, kept until MEDIA_START and the call's listener are there; then the oldest go."""

    @property
    def limits(self) -> SocketLimits:
        return SocketLimits(
            open_s=self.handshake_deadline_s,
            close_s=min(self.hang_up_deadline_s, 1.0),
            ping_interval_s=self.ping_interval_s,
            ping_timeout_s=self.ping_timeout_s,
        )

    @property
    def listening(self) -> MediaServerSettings:
        return MediaServerSettings(
            host=self.host,
            port=self.port,
            backlog=self.backlog,
            reuse_port=self.reuse_port,
            tls=self.tls,
            path=self.path,
            subprotocol=SUBPROTOCOL,
            max_connections=self.max_connections,
            max_waiting=self.max_waiting,
            allowed_peers=self.allowed_peers,
            limits=self.limits,
        )
