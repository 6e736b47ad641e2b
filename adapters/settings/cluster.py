"""The `cluster` section: where nodes keep what they know of calls, and for how long; or none. Never a connection."""

from __future__ import annotations

import importlib.util
import re
import socket
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from adapters.settings.listening import ClusterSection
from adapters.settings.provider import is_loopback
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile

URL_VARIABLE: Final = "REDIS_URL"
_SCHEMES: Final = ("redis", "rediss", "unix")
_HINT: Final = "e.g. redis://127.0.0.1:6379/0; rediss:// with TLS; unix:///run/redis.sock"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@attrs.frozen(kw_only=True)
class ClusterSettings:
    """Of a node."""

    url: str = attrs.field(repr=False)
    """With its password."""
    shown: str
    """The same without credentials."""
    node: str
    prefix: str = "turnspec"
    deadline_s: float = 0.3
    """Of whatever a call or the door waits for."""
    heartbeat_s: float = 2.0
    announced_s: float = 120.0
    kept_s: float = 3_600.0
    """Results; and what is known about a live call, if its node vanishes."""
    haproxy_stats: str = ""
    """Where `turnspec doctor` asks the balancer; "" if nowhere."""


def read_cluster(reader: SettingsReader, config: ConfigFile) -> ClusterSettings | None:
    """None where there is none, or where a problem was found that leaves none."""
    section = config.cluster
    if "cluster" not in config.written.pairs:
        return None
    place = section.written.place_of("url")
    if importlib.util.find_spec("redis") is None:
        message = "cluster: what nodes share is in Redis or Valkey, and its client is not installed"
        reader.problems.add(section.written.place, "missing-extra", message, "install turnspec[cluster]")
    url = (section.url or reader.environment.get(URL_VARIABLE, "")).strip()
    parts = _parts(url)
    if not url and "url" not in section.written.rejected:
        message = f"cluster.url is not set, and {URL_VARIABLE} is not in the environment"
        reader.problems.add(place, "missing", message, _HINT)
    elif url and parts is None:  # not quoted: it may hold a password
        reader.problems.add(place, "url", "cluster.url: the address of Redis or Valkey is expected here", _HINT)
    elif parts is not None and parts.password:
        reader.secrets.update({url, parts.password, unquote(parts.password)})
        if parts.scheme == "redis" and not is_loopback(parts.hostname or ""):
            message = "the password of Redis, and what is known of calls, go over the network unencrypted"
            reader.problems.warn(place, "clear-text", message, "use rediss://, or a network of its own")
    node = _node(reader, section)
    if section.haproxy_stats and urlsplit(section.haproxy_stats).scheme not in ("http", "https"):
        message = "cluster.haproxy_stats: the address of HAProxy's statistics is expected here"
        where = section.written.place_of("haproxy_stats")
        reader.problems.add(where, "url", message, "e.g. http://127.0.0.1:8404/stats")
    if section.written.rejected or reader.problems.errors or parts is None:
        return None
    return ClusterSettings(
        url=url,
        shown=_shown(parts),
        node=node,
        prefix=section.prefix,
        deadline_s=section.deadline_ms / 1000,
        heartbeat_s=section.heartbeat_s,
        announced_s=section.announced_s,
        kept_s=section.kept_s,
        haproxy_stats=section.haproxy_stats,
    )


def _node(reader: SettingsReader, section: ClusterSection) -> str:
    name = (section.node or socket.gethostname()).strip()
    for key, text in (("node", name), ("prefix", section.prefix)):
        if not _NAME.fullmatch(text):
            message = f"cluster.{key}: 1 to 64 letters, digits, _ . and - are expected"
            reader.problems.add(section.written.place_of(key), "name", message)
    return name


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in _SCHEMES and parts.port != 0 and bool(parts.hostname or parts.scheme == "unix")
    except ValueError:
        return None
    has_number = parts.scheme == "unix" or not parts.path.strip("/") or parts.path.strip("/").isdecimal()
    return parts if is_good and has_number else None


def _shown(parts: SplitResult) -> str:
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or 6379}{parts.path}"
