"""The sections of the configuration file that say where calls and requests come in, and who else may know of them.

What several keys mean together is in the file of the line or of the door (twilio.py, http.py, ...).
"""

from __future__ import annotations

from typing import Annotated, Final

import attrs

from adapters.lines.audiosocket.settings import AudioSocketSettings, RefuseBy
from adapters.lines.networks import Network
from adapters.lines.sideband.settings import SidebandSettings
from adapters.settings import kinds
from adapters.settings.rates import read_rates
from adapters.settings.reader import Between, Section

_LINE: Final = AudioSocketSettings()


@attrs.frozen(kw_only=True)
class ListenSection(Section):
    """Where calls come in, and from whom."""

    audiosocket: Annotated[tuple[str, int], kinds.host_port] = (_LINE.host, _LINE.port)
    chan_websocket: Annotated[tuple[str, int], kinds.host_port] | None = None
    twilio: Annotated[tuple[str, int], kinds.host_port] | None = None
    allow: tuple[Annotated[Network, kinds.network], ...] = ()
    rates: Annotated[tuple[int, ...], read_rates] = _LINE.rates_hz
    refuse: RefuseBy = _LINE.refuse


@attrs.frozen(kw_only=True)
class ChanWebSocketSection(Section):
    """Asterisk's side of `listen.chan_websocket`: who may come, and where we may go (chan_websocket.py)."""

    path: kinds.Filled = "/media"
    token: kinds.Secret | None = attrs.field(default=None, repr=False)
    certificate: kinds.Filled | None = None
    key: kinds.Filled | None = None
    answers: bool = False
    lead_ms: Annotated[int, Between(40, 1_000)] = 80
    asterisk_url: kinds.Secret | None = attrs.field(default=None, repr=False)
    asterisk_ca: kinds.Filled | None = None


@attrs.frozen(kw_only=True)
class TwilioSection(Section):
    """Twilio's side of `listen.twilio`: where it sees us, and whose account it is (twilio.py)."""

    public_url: kinds.Filled | None = None
    path: kinds.Filled = "/audio"
    account_sid: kinds.Filled | None = None
    auth_token: kinds.Secret | None = attrs.field(default=None, repr=False)
    lead_ms: Annotated[int, Between(40, 2_000)] = 200
    token_s: Annotated[float, Between(5.0, 600.0)] = 60.0


@attrs.frozen(kw_only=True)
class SipWebhookSection(Section):
    """Where the provider announces telephone calls that have come to it (sideband.py)."""

    example = 'e.g. webhook: {path: /openai, secrets: ["${OPENAI_WEBHOOK_SECRET}"]}'

    path: kinds.Filled = "/openai"
    secrets: tuple[kinds.Secret, ...] = attrs.field(default=(), repr=False)
    agent_header: kinds.Filled | None = None


@attrs.frozen(kw_only=True)
class SidebandSection(Section):
    """Calls whose audio is elsewhere (docs/sideband.md)."""

    webhook: SipWebhookSection | None = None
    deadline_s: Annotated[float, Between(0.5, 10.0)] = SidebandSettings().deadline_s


@attrs.frozen(kw_only=True)
class TlsSection(Section):
    """A certificate of one's own, as PEM files."""

    example = "e.g. tls: {certificate: door.pem, key: door.key}"

    certificate: kinds.Filled
    key: kinds.Filled


@attrs.frozen(kw_only=True)
class HttpSection(Section):
    """The door: requests to calls, results, readiness, Twilio's webhook (http.py)."""

    listen: Annotated[tuple[str, int], kinds.door] | None = None
    tls: TlsSection | None = None
    token_env: Annotated[str, kinds.variable] | None = None
    connections: Annotated[int, Between(1, 10_000)] = 100
    requests_per_s: Annotated[float, Between(1.0, 10_000.0)] = 50.0
    body_bytes: Annotated[int, Between(1_024, 1_048_576)] = 65_536


@attrs.frozen(kw_only=True)
class ClusterSection(Section):
    """What several nodes know of calls, in Redis or Valkey (cluster.py)."""

    example = "e.g. cluster: {url: redis://127.0.0.1:6379/0, node: a}"

    url: kinds.Secret | None = None
    node: kinds.Filled | None = None
    prefix: kinds.Filled = "turnspec"
    deadline_ms: Annotated[int, Between(10, 5_000)] = 300
    heartbeat_s: Annotated[float, Between(0.1, 60.0)] = 2.0
    announced_s: Annotated[float, Between(1.0, 86_400.0)] = 120.0
    kept_s: Annotated[float, Between(10.0, 604_800.0)] = 3_600.0
    haproxy_stats: str = ""
