"""uvicorn's HTTP/1.1 protocol with bounds of its own: connections, and a deadline for whatever a peer can be slow at.

uvicorn has neither: a peer that sends a byte a minute, or reads none of its answer, would be kept for good.
What of its inside is used: the hooks of asyncio.Protocol, `conn`, `cycle`, `connections`, `send_400_response`,
`on_response_complete`, `_should_upgrade`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Literal, TypeAlias

import h11
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from adapters.server.door.errors import DoorRefusal, as_json
from adapters.settings.http import HttpSettings

log = structlog.get_logger(__name__)

_Wait: TypeAlias = Literal["request", "answer", "next", "end"]

_FLUSH_S: Final = 2.0
"""For what is still to be sent after a connection was closed; then it is cut."""
_SILENT: Final = logging.getLogger(f"{__name__}.uvicorn")
_SILENT.setLevel(logging.CRITICAL + 1)  # uvicorn quotes what peers send; what matters is logged here

TOO_MANY: Final = DoorRefusal(
    503, "too_many_connections", "the door has as many connections as it takes",
    "try again soon, and close what is not used, or raise http.connections",
)  # fmt: skip
TOO_SLOW: Final = DoorRefusal(408, "too_slow", "the request did not come within its deadline", "send it at once")
NO_HTTP: Final = DoorRefusal(
    400, "no_http", "this is not a request in HTTP/1.1, or its head is too long",
    "speak HTTP/1.1; with http.tls only https://",
)  # fmt: skip


class DoorProtocol(H11Protocol):
    """Of one connection, with one timer: for the rest of a request, its answer, the next request, the end."""

    def __init__(self, config: Config, server_state: ServerState, settings: HttpSettings, counts: DoorCounts) -> None:
        super().__init__(config, server_state, {})
        self.logger = _SILENT
        self.access_log = False
        self._settings = settings
        self._counts = counts
        self._timer: asyncio.TimerHandle | None = None
        self._waits_for: _Wait | None = None
        self._is_made = False
        self._early = b""
        """What came with the end of a handshake."""

    # --- asyncio ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_made = True
        self._wait("request")
        if len(self.connections) > self._settings.connections:
            self._turn_away(TOO_MANY)
        elif self._early:
            early, self._early = self._early, b""
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        if not self._is_made:
            self._early += data
            return
        if self._waits_for == "end":
            return
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_made:
            return
        self._disarm()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    # --- uvicorn ------------------------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        if self._waits_for == "end":
            return
        super().on_response_complete()  # it may find the next request in what has come already
        self._look(anew=True)

    def send_400_response(self, msg: str) -> None:
        del msg
        self._turn_away(NO_HTTP)

    def _should_upgrade(self) -> bool:
        """Media never come through this door."""
        return False

    # --- deadlines ----------------------------------------------------------------------------------------------------

    def _look(self, anew: bool = False) -> None:
        """What is waited for by now; `anew`: an answer was given, and what comes has a time of its own."""
        if self._waits_for == "end":
            return
        wanted = self._wanted()
        if wanted != self._waits_for or (anew and wanted != "request"):
            self._wait(wanted)

    def _wanted(self) -> _Wait:
        if self.transport.is_closing():
            return "end"
        if self.conn.their_state is h11.SEND_BODY:
            return "request"
        if self.cycle is not None and not self.cycle.response_complete:
            return "answer"
        begun, _ = self.conn.trailing_data
        return "request" if begun or self.cycle is None else "next"

    def _wait(self, what: _Wait) -> None:
        settings = self._settings
        self._waits_for = what
        self._disarm()
        delay_s, then = {
            "request": (settings.receive_s, self._too_slow),
            "answer": (settings.answer_s, self._cut),
            "next": (settings.idle_s + _FLUSH_S, self._cut),  # uvicorn closes it politely before
            "end": (_FLUSH_S, self._cut),
        }[what]
        self._timer = self.loop.call_later(delay_s, then)

    def _too_slow(self) -> None:
        self._turn_away(TOO_SLOW)

    def _turn_away(self, refusal: DoorRefusal) -> None:
        """An answer without a request, where there can be one, and the end of the connection."""
        self._counts.note(refusal.error, self.client)
        self._waits_for = "end"
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            self._answer(refusal)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whoever works on it is told that nobody waits
            self.cycle.message_event.set()
        self.transport.close()
        self._wait("end")

    def _answer(self, refusal: DoorRefusal) -> None:
        body = as_json(refusal)
        headers = [*refusal.headers(), ("content-length", str(len(body))), ("connection", "close")]
        response = h11.Response(status_code=refusal.status, headers=headers)
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def _cut(self) -> None:
        self.transport.abort()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class DoorCounts:
    """Who was turned away, by kind; the first, second, fourth, ... of a kind are logged: some knock often."""

    def __init__(self) -> None:
        self.turned_away: dict[str, int] = {}

    def note(self, why: str, client: tuple[str, int] | None) -> None:
        count = self.turned_away[why] = self.turned_away.get(why, 0) + 1
        if count & (count - 1) == 0:
            log.warning("door_turned_away", why=why, count=count, peer=client[0] if client else "")
