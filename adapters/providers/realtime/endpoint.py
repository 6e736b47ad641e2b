"""The endpoint of a server that speaks Realtime, or nearly: what its row says of URL and headers.

Source: docs/facts/realtime_api.md section 2, "Selecting" and "Azure OpenAI".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import attrs

from adapters.providers.endpoint import Endpoint, EndpointError, checked_key, checked_url
from adapters.providers.provider import CallsAddress
from adapters.providers.realtime.realtime_server import BETA, GA, Dialect, RealtimeServer

SESSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
OPENAI_URL: Final = "wss://api.openai.com/v1/realtime"


@attrs.frozen
class RealtimeEndpoint(Endpoint):
    """An endpoint of a server that the table has; printing it shows `shown` and the server's row only."""

    server: RealtimeServer = attrs.field(default=GA, repr=lambda row: row.name)

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
) -> RealtimeEndpoint:
    """Whoever speaks as the protocol says, at `base_url` (kept with its own query; a `model` in it gives way to ours).

    `api_key` None is for a server on one's own network; `model` None for a sideband (`?call_id=` in the base URL).
    With dialect "beta" the old header goes along: OpenAI answers it with a close that says what is wrong (4000).
    """
    made = endpoint_of(GA if dialect == "ga" else BETA, base_url, model, api_key)
    return attrs.evolve(made, headers={**(extra_headers or {}), **made.headers})


def endpoint_of(server: RealtimeServer, base_url: str, model: str | None, api_key: str | None) -> RealtimeEndpoint:
    """The server of a row at `base_url`, whose own query is kept but for the model; a bare host gets the row's path."""
    headers = {str(name): str(value) for name, value in server.headers.items()}
    if api_key is not None:
        headers[server.key_header] = server.key_form.format(key=checked_key(api_key))
    parts = checked_url(base_url)
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
    return RealtimeEndpoint(_with_query(urlunsplit(parts), query), headers, server)


def attached_endpoint(endpoint: RealtimeEndpoint, session_id: str) -> RealtimeEndpoint:
    """The same server, for a second client of a session that goes on: by its id, and without a model."""
    if not SESSION_ID.fullmatch(session_id):
        raise EndpointError("call_id: is not the id of a call (letters, digits, _ and -)")
    query = urlencode([*_beside_the_model(endpoint), ("call_id", session_id)])
    return attrs.evolve(endpoint, url=urlunsplit(urlsplit(endpoint.url)._replace(query=query)))


def calls_address(endpoint: RealtimeEndpoint) -> CallsAddress:
    """Of the same server, over HTTP (docs/facts/realtime_api.md section 6); without what its URL says of a model."""
    parts = urlsplit(endpoint.url)
    scheme = {"wss": "https", "ws": "http"}[parts.scheme]
    query = urlencode(_beside_the_model(endpoint))
    return CallsAddress(f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/calls", endpoint.headers, query)


def _beside_the_model(endpoint: RealtimeEndpoint) -> list[tuple[str, str]]:
    """What the URL's query says, but for the model and the call, which belong to a session."""
    ours = {key for key, value in endpoint.server.query.items() if "{model}" in str(value)} | {"call_id"}
    said = parse_qsl(urlsplit(endpoint.url).query, keep_blank_values=True)
    return [(key, value) for key, value in said if key not in ours]


def _with_query(base_url: str, query: Mapping[str, str]) -> str:
    for key, value in query.items():
        if not value:
            raise EndpointError(f"{key}: is empty")
    parts = checked_url(base_url)
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in query]
    return urlunsplit(parts._replace(query=urlencode([*kept, *query.items()])))
