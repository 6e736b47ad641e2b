"""Where a session is and what opens it: URL and headers.  Never: a connection; a secret in a repr, a log, an error.

An Endpoint is the only value of this package that holds a secret. `shown` is what may be printed.
Source: docs/facts/realtime_api.md section 2, "Selecting" and "Azure OpenAI".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import attrs

from adapters.providers.realtime.realtime_server import BETA, GA, Dialect, RealtimeServer
from fsm.errors import LocalError

OPENAI_URL: Final = "wss://api.openai.com/v1/realtime"
# A base URL may carry a key in its query; only these are ever printed.
_PRINTABLE_QUERY: Final = frozenset({"model", "deployment", "api-version", "call_id", "intent"})
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class EndpointError(LocalError, ValueError):
    """An address or a key that cannot work; the message names the part, never its secret."""


@attrs.frozen
class Endpoint:
    """One address with its headers; printing it shows `shown` and the server's row only."""

    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    server: RealtimeServer = attrs.field(default=GA, repr=lambda row: row.name)
    shown: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        parts = _checked(self.url)
        for name, value in self.headers.items():
            _check_header(name, value)
        query = [(key, value) for key, value in parse_qsl(parts.query) if key in _PRINTABLE_QUERY]
        object.__setattr__(self, "shown", urlunsplit(parts._replace(query=urlencode(query))))

    @property
    def dialect(self) -> Dialect:
        return self.server.names

    def url_of_session(self) -> str:
        """Of one more session: some servers want each to have an id of its own."""
        if not self.server.session_query:
            return self.url
        return _with_query(self.url, {self.server.session_query: f"ts_{uuid.uuid4().hex}"})


def openai_endpoint(
    model: str | None,
    api_key: str | None,
    *,
    base_url: str = OPENAI_URL,
    dialect: Dialect = "ga",
    extra_headers: Mapping[str, str] | None = None,
) -> Endpoint:
    """Whoever speaks as the protocol says, at `base_url` (kept with its own query; a `model` in it gives way to ours).

    `api_key` None is for a server on one's own network; `model` None for a sideband (`?call_id=` in the base URL).
    With dialect "beta" the old header goes along: OpenAI answers it with a close that says what is wrong (4000).
    """
    made = endpoint_of(GA if dialect == "ga" else BETA, base_url, model, api_key)
    return attrs.evolve(made, headers={**(extra_headers or {}), **made.headers})


def endpoint_of(server: RealtimeServer, base_url: str, model: str | None, api_key: str | None) -> Endpoint:
    """The server of a row at `base_url`, whose own query is kept but for the model; a bare host gets the row's path."""
    headers = {str(name): str(value) for name, value in server.headers.items()}
    if api_key is not None:
        headers[server.key_header] = server.key_form.format(key=_checked_key(api_key))
    parts = _checked(base_url)
    if parts.path in ("", "/") and server.url:
        parts = parts._replace(path=urlsplit(server.url).path)
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    query = {}
    for key, value in server.query.items():
        if "{model}" in str(value):
            if model is not None:
                query[key] = str(value).format(model=model)
        elif not said.get(key):
            query[key] = str(value)
    return Endpoint(_with_query(urlunsplit(parts), query), headers, server)


def _with_query(base_url: str, query: Mapping[str, str]) -> str:
    for key, value in query.items():
        if not value:
            raise EndpointError(f"{key}: is empty")
    parts = _checked(base_url)
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in query]
    return urlunsplit(parts._replace(query=urlencode([*kept, *query.items()])))


def _checked(url: str) -> SplitResult:
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


def _checked_key(api_key: str) -> str:
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
