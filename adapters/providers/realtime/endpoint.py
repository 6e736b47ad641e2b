"""Where a session is and what opens it: URL and headers.  Never: a connection; a secret in a repr, a log, an error.

An Endpoint is the only value of this package that holds a secret. `shown` is what may be printed.
Source: docs/facts/realtime_api.md section 2, "Selecting" and "Azure OpenAI".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import attrs

from adapters.providers.realtime.session import Dialect
from fsm.errors import LocalError

OPENAI_URL: Final = "wss://api.openai.com/v1/realtime"
AZURE_PREVIEW_VERSION: Final = "2025-04-01-preview"
# A base URL may carry a key in its query; only these are ever printed.
_PRINTABLE_QUERY: Final = frozenset({"model", "deployment", "api-version", "call_id", "intent"})
_RESOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class EndpointError(LocalError, ValueError):
    """An address or a key that cannot work; the message names the part, never its secret."""


@attrs.frozen
class Endpoint:
    """One address with its headers; printing it shows `shown` and `dialect` only."""

    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    dialect: Dialect
    shown: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        parts = _checked(self.url)
        for name, value in self.headers.items():
            _check_header(name, value)
        query = [(key, value) for key, value in parse_qsl(parts.query) if key in _PRINTABLE_QUERY]
        object.__setattr__(self, "shown", urlunsplit(parts._replace(query=urlencode(query))))


def openai_endpoint(
    model: str | None,
    api_key: str | None,
    *,
    base_url: str = OPENAI_URL,
    dialect: Dialect = "ga",
    extra_headers: Mapping[str, str] | None = None,
) -> Endpoint:
    """OpenAI, or whoever speaks like it at `base_url` (kept with its own query; a `model` in it gives way to ours).

    `api_key` None is for a server on one's own network; `model` None for a sideband (`?call_id=` in the base URL).
    With dialect "beta" the old header goes along: OpenAI answers it with a close that says what is wrong (4000).
    """
    headers = dict(extra_headers or {})
    if api_key is not None:
        headers["Authorization"] = f"Bearer {_checked_key(api_key)}"
    if dialect == "beta":
        headers["OpenAI-Beta"] = "realtime=v1"
    return Endpoint(_with_query(base_url, {} if model is None else {"model": model}), headers, dialect)


def azure_endpoint(resource: str, deployment: str, api_key: str, *, base_url: str | None = None) -> Endpoint:
    """Azure OpenAI, GA. No api-version: with one it answers 401. `base_url` overrides what `resource` makes."""
    base = base_url or f"wss://{_checked_resource(resource)}.openai.azure.com/openai/v1/realtime"
    return Endpoint(_with_query(base, {"model": deployment}), {"api-key": _checked_key(api_key)}, "ga")


def azure_preview_endpoint(
    resource: str,
    deployment: str,
    api_key: str,
    *,
    api_version: str = AZURE_PREVIEW_VERSION,
    base_url: str | None = None,
) -> Endpoint:
    """Azure OpenAI's preview: the beta dialect, behind an api-version and a deployment."""
    base = base_url or f"wss://{_checked_resource(resource)}.openai.azure.com/openai/realtime"
    query = {"api-version": api_version, "deployment": deployment}
    return Endpoint(_with_query(base, query), {"api-key": _checked_key(api_key)}, "beta")


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


def _checked_resource(resource: str) -> str:
    if not _RESOURCE.fullmatch(resource):
        raise EndpointError(f"resource: expected the bare name of an Azure resource, got {resource[:60]!r}")
    return resource


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
