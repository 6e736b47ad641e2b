"""The limits of the Twilio line, its address on both sides of a proxy and its secret, as one value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import attrs
from attrs.validators import ge, gt, le

_WEBSOCKET_OF: Final = {"https": "wss", "http": "ws"}


def _without_slash(url: str) -> str:
    return url.rstrip("/")


def _public_url(instance: object, field: attrs.Attribute[str], value: str) -> None:
    del instance
    parts = urlsplit(value)
    if parts.scheme not in _WEBSOCKET_OF or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{field.name}: an address like https://agent.example.com is expected, without a query")


def _text(pattern: str, expected: str) -> Callable[[object, attrs.Attribute[str], str], None]:
    """A validator that quotes no value: one is a secret."""
    wanted = re.compile(pattern)

    def check(instance: object, field: attrs.Attribute[str], value: str) -> None:
        del instance
        if not wanted.fullmatch(value):
            raise ValueError(f"{field.name}: {expected} is expected")

    return check


_PATH: Final = _text(r"/[A-Za-z0-9._~/-]*", "a path like /audio, without a query (Twilio sends none)")
_SID: Final = _text(r"[A-Za-z0-9_-]{1,64}", "an id like AC and 32 hex digits")
_SECRET: Final = _text(r"[!-~]{1,256}", "a text of printable characters without blanks")


@attrs.frozen(kw_only=True)
class TwilioSettings:
    """ValueError where a value makes no sense. The reasons are in docs/facts/telephony.md section 5."""

    host: str = "127.0.0.1"
    port: int = attrs.field(default=9021, validator=ge(0))
    """Of the streams; Twilio speaks TLS alone, which ends at the proxy before it."""
    backlog: int = attrs.field(default=512, validator=gt(0))
    reuse_port: bool = False

    public_url: str = attrs.field(converter=_without_slash, validator=_public_url)
    """What stands before our paths where Twilio sees them; signatures cover it."""
    path: str = attrs.field(default="/audio", validator=_PATH)
    account_sid: str = attrs.field(validator=_SID)
    auth_token: str = attrs.field(repr=False, validator=_SECRET)

    lead_ms: int = attrs.field(default=200, validator=[ge(40), le(2_000)])
    """How much audio Twilio holds ahead of the caller: what the internet may delay without a gap."""
    way_max_ms: int = attrs.field(default=1_000, validator=ge(0))
    """How long the way to Twilio and back may be."""

    max_connections: int = attrs.field(default=200, validator=gt(0))
    token_lifetime_s: float = attrs.field(default=60.0, validator=gt(0))
    """From the TwiML to the stream's start, which Twilio manages in about a second."""
    tokens_kept: int = attrs.field(default=100_000, validator=gt(0))
    """Used ones, until they expire by themselves. With more than that in a lifetime, further streams are refused."""
    start_deadline_s: float = attrs.field(default=5.0, validator=gt(0))
    """From the connection to Twilio's `start`."""
    hang_up_deadline_s: float = attrs.field(default=2.0, validator=gt(0))
    send_buffer_bytes: int = attrs.field(default=32_768, validator=ge(0))
    """SO_SNDBUF, 0 to leave it: the kernel's default would hide minutes of audio that a stuck peer does not read."""
    unsent_max_bytes: int = attrs.field(default=65_536, validator=gt(0))
    """What waits for a peer that does not read, some four seconds of audio; with more the caller counts as gone."""
    early_max_messages: int = attrs.field(default=100, validator=ge(0))
    """Caller messages kept until the call's listener is there; then the oldest go."""

    @property
    def public_host(self) -> str:
        return urlsplit(self.public_url).hostname or ""

    @property
    def stream_url(self) -> str:
        """Where Twilio connects, and what its upgrade is signed over."""
        scheme, _, rest = self.public_url.partition("://")
        return f"{_WEBSOCKET_OF[scheme]}://{rest}{self.path}"
