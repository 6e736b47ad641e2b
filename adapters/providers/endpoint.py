"""Where a session is and what opens it: URL and headers.  Never: a connection; a secret in a repr, a log, an error.

An Endpoint is the only value of this package that holds a secret. `shown` is what may be printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import attrs

from fsm.errors import LocalError

# A base URL may carry a key in its query; only these are ever printed.
_PRINTABLE_QUERY: Final = frozenset({"model", "deployment", "api-version", "call_id", "intent"})
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class EndpointError(LocalError, ValueError):
    """An address or a key that cannot work; the message names the part, never its secret."""


@attrs.frozen
class Endpoint:
    """One address with its headers; printing it shows `shown` only."""

    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    shown: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        parts = checked_url(self.url)
        for name, value in self.headers.items():
            _check_header(name, value)
        query = [(key, value) for key, value in parse_qsl(parts.query) if key in _PRINTABLE_QUERY]
        object.__setattr__(self, "shown", urlunsplit(parts._replace(query=urlencode(query))))

    def url_of_session(self) -> str:
        """Of one more session."""
        return self.url


def bearer_endpoint(base_url: str, api_key: str | None) -> Endpoint:
    """A server that takes its key as `Authorization: Bearer`; None is for one on one's own network."""
    headers = {} if api_key is None else {"Authorization": f"Bearer {checked_key(api_key)}"}
    return Endpoint(base_url, headers)


def checked_url(url: str) -> SplitResult:
    """The parts of a ws or wss URL. Errors quote its scheme at most: the rest may hold a key."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise EndpointError("url: only printable ASCII without spaces")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise EndpointError("url: cannot be read as a URL") from None
    if parts.scheme not in ("ws", "wss"):
        raise EndpointError(f"url: the scheme must be ws or wss, not {parts.scheme[:10] or 'missing'!r}")
    if not host:
        raise EndpointError("url: has no host")
    if "@" in parts.netloc:
        raise EndpointError("url: carries a user or a password; use a key")
    if parts.fragment:
        raise EndpointError("url: carries a fragment (#...)")
    return parts


def checked_key(api_key: str) -> str:
    key = api_key.strip()  # a key read from a file ends with a newline
    if not key:
        raise EndpointError("api_key: is empty")
    return key


def _check_header(name: str, value: str) -> None:
    """A line break in a key would be a header of its own."""
    if not _HEADER_NAME.fullmatch(name):
        raise EndpointError("headers: a name holds characters that no header may hold")
    if not value.isascii() or not value.isprintable():
        raise EndpointError(f"headers: the value of {name} holds a character that no header may hold")
