"""What providers over a WebSocket have in common: an endpoint, the limits of its connections, instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar, cast

import attrs

from adapters.providers.connection import ConnectionLimits
from adapters.providers.endpoint import Endpoint
from adapters.websocket.client_socket import tls_context


class Instructed(attrs.AttrsInstance, Protocol):
    """The settings of a session: attrs, with what the model is told."""

    @property
    def instructions(self) -> str | None: ...


_Endpoint = TypeVar("_Endpoint", bound=Endpoint)
_Session = TypeVar("_Session", bound=Instructed)


@attrs.frozen(kw_only=True)
class WebSocketProvider(Generic[_Endpoint, _Session]):
    """Shared by all calls. Printing it shows no secret (Endpoint)."""

    endpoint: _Endpoint
    session: _Session
    limits: ConnectionLimits = attrs.field(factory=ConnectionLimits)

    @property
    def label(self) -> str:
        return self.endpoint.shown

    def with_instructions(self, words: str | None) -> Self:
        """The same, and the model is told this."""
        return attrs.evolve(self, session=attrs.evolve(cast(Any, self.session), instructions=words))

    def with_words(self, fill: Callable[[str], str]) -> Self:
        told = self.session.instructions
        if told is None or (filled := fill(told)) == told:
            return self
        return self.with_instructions(filled)

    def warm_up(self) -> None:
        """Reads the CA bundle, which holds the loop for some 30 ms."""
        if self.endpoint.url.startswith("wss:"):
            tls_context()
