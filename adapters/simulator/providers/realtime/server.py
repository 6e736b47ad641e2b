"""The thin I/O face of the simulated provider: sockets, upgrades, the loop's clock. Every decision is the core's."""

from __future__ import annotations

import asyncio
import ssl
import time
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

import attrs
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from adapters.simulator.providers.realtime import faults
from adapters.simulator.providers.realtime.calls import CallDesk, CallRefusedError
from adapters.simulator.providers.realtime.core import ProviderCore
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.faults import FaultPlan
from adapters.simulator.providers.realtime.http_front import HttpFront
from adapters.simulator.providers.realtime.provider_scenario import ProviderScenario
from adapters.simulator.providers.realtime.provider_session import ProviderSession
from adapters.simulator.providers.realtime.provider_settings import (
    ProviderSettings,
    UpgradeRefusal,
    call_id_of,
    check_upgrade,
    has_key,
    has_media,
    model_of,
    transcribes,
)
from adapters.simulator.providers.realtime.session_context import SessionStats
from adapters.simulator.providers.realtime.sip_calls import (
    RINGS,
    SIP_HEADERS,
    Flaw,
    SipCall,
    SipHeaders,
    deliver,
    delivery,
)
from adapters.simulator.providers.realtime.subprotocols import chosen_subprotocol, said_as_headers

log = structlog.get_logger(__name__)

_MAX_MESSAGE_BYTES = 32 * 1024 * 1024  # above the 15 MiB that the core rejects politely
_CLOSE_TIMEOUT_S = 2.0
_PINGS = (Opcode.PING, Opcode.PONG)


class ProviderServer:
    """A Realtime server on a port. `async with ProviderServer(settings, scenario) as provider: provider.url`."""

    def __init__(
        self,
        settings: ProviderSettings | None = None,
        scenario: ProviderScenario | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.settings, self.scenario = settings or ProviderSettings(), scenario or ProviderScenario()
        self._host, self._port, self._tls = host, port, tls
        self._server: Server | None = None
        self._upgrades = 0
        self._numbers: WeakKeyDictionary[ServerConnection, int] = WeakKeyDictionary()
        self.sessions: list[ProviderSession] = []
        self.calls: dict[str, ProviderSession] = {}
        """Sessions to which a second client can attach, by the id of their call, as long as they go on."""
        self.desk = CallDesk(self.settings, self, lambda: asyncio.get_running_loop().time())
        """What is asked of calls over HTTP, at the same port: offer, accept, reject, refer, hangup."""
        self._front = HttpFront(self._calls_app)
        self._begun: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port it listens on (chosen by the system for 0)."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """The address of the Realtime endpoint, without `?model=`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}/v1/realtime"

    @property
    def stats(self) -> list[SessionStats]:
        """The statistics of every session so far, in the order of acceptance."""
        return [session.stats for session in self.sessions]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            ssl=self._tls,
            process_request=self._upgrade,
            select_subprotocol=chosen_subprotocol,
            compression=None,
            max_size=_MAX_MESSAGE_BYTES,
            ping_interval=self.settings.ping_interval_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            create_connection=cast(type[ServerConnection], self._front.connection),
        )
        log.info("simulated_provider_listening", host=self._host, port=self.port, dialect=self.settings.dialect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every session; a second time does nothing."""
        if self._server is not None:
            self._server.close()
            await self._front.close()
            await self._server.wait_closed()
        for call in self.calls.values():
            call.hang_up()
        if self._begun:
            await asyncio.wait(self._begun)

    # --- calls that begin over HTTP

    def begin_call(self, call_id: str, model: str, session: Json) -> None:
        """WireError: what is wrong with the session. CallRefusedError: the scenario refuses this connection."""
        self._upgrades += 1
        for refused in FaultPlan(self.scenario.faults, self._upgrades).of(faults.HttpStatus):
            raise CallRefusedError(refused.status, WireError(None, "refused by the scenario", type="server_error"))
        call = ProviderSession(self._core(self._upgrades, model, is_call=True))
        call.core.configure(session, asyncio.get_running_loop().time())
        self.sessions.append(call)
        self.calls[call_id] = call
        task = asyncio.create_task(call.run())
        self._begun.add(task)

        def over(ended: asyncio.Task[None]) -> None:
            self._begun.discard(ended)
            self.calls.pop(call_id, None)

        task.add_done_callback(over)

    def end_call(self, call_id: str) -> None:
        """From now on nobody can attach to it."""
        self.calls.pop(call_id).hang_up()

    async def ring(
        self, webhook_url: str, secret: str, *, name: str = RINGS[0], flaw: Flaw = "", headers: SipHeaders = SIP_HEADERS
    ) -> tuple[str, list[int]]:
        """A telephone call comes in, and the webhook is told. Its id, and the statuses of what the webhook answered;
        if that is not 2xx, nobody has been told, and it rings until it is rejected or the server closes."""
        call = SipCall(call_id=self.desk.ring(), headers=headers)
        sent = delivery(call, secret, time.time(), name=name, flaw=flaw)
        return call.call_id, await deliver(webhook_url, sent, times=2 if flaw == "repeated" else 1)

    def _calls_app(self) -> object:
        from adapters.simulator.providers.realtime.calls_http import calls_app

        return calls_app(self.desk)

    # --- WebSockets

    async def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        if call_id := call_id_of(request.path):
            if not has_key(_headers(request), self.settings):
                return connection.respond(HTTPStatus.UNAUTHORIZED, "no key that is known\n")
            call = self.calls.get(call_id)
            if model_of(request.path) is None:
                return None if call else connection.respond(HTTPStatus.NOT_FOUND, "no such call\n")
            if call is not None:
                return None if not call.has_peer else connection.respond(HTTPStatus.CONFLICT, "somebody is there\n")
        self._upgrades += 1
        self._numbers[connection] = self._upgrades
        plan = FaultPlan(self.scenario.faults, self._upgrades)
        for slow in plan.of(faults.SlowUpgrade):
            await asyncio.sleep(slow.by_s)
        for refused in plan.of(faults.HttpStatus):
            return connection.respond(HTTPStatus(refused.status), "refused by the scenario\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        path, call_id = request.path, call_id_of(request.path)
        number = self._numbers.get(connection)
        if number is None:  # one more client of a call
            if (call := self.calls.get(call_id)) is not None:
                is_peer = model_of(path) is not None
                await (call.join(connection, hears=has_media(path)) if is_peer else call.attach(connection))
            return
        if any(FaultPlan(self.scenario.faults, number).of(faults.SilentPing)):
            _fall_silent(connection)
        headers = _headers(request)
        core = self._core(
            number,
            model_of(path) or "",
            transcribes=transcribes(path, self.settings),
            refusal=check_upgrade(path, headers, self.settings),
            is_call=bool(call_id),
        )
        session = ProviderSession(core, connection, hears=has_media(path))
        self.sessions.append(session)
        if call_id:
            self.calls[call_id] = session
        try:
            await session.run()
        finally:
            self.calls.pop(call_id, None)
        log.info("simulated_session_ended", connection=number, code=core.stats.close_code)

    def _core(
        self,
        number: int,
        model: str,
        *,
        transcribes: bool = False,
        refusal: UpgradeRefusal | None = None,
        is_call: bool = False,
    ) -> ProviderCore:
        """`is_call`: its audio is elsewhere."""
        epoch_s = int(time.time()) if self.settings.epoch_s is None else self.settings.epoch_s
        return ProviderCore(
            attrs.evolve(self.settings, epoch_s=epoch_s, plays_audio=is_call or self.settings.plays_audio),
            self.scenario,
            model=model,
            transcribes=transcribes,
            connection=number,
            now_s=asyncio.get_running_loop().time(),
            refusal=refusal,
        )


def _headers(request: Request) -> dict[str, str]:
    """Names in lower case; a browser's subprotocols among them."""
    return said_as_headers({name.lower(): value for name, value in request.headers.raw_items()})


def _fall_silent(connection: ServerConnection) -> None:
    """Neither pings nor pongs leave this connection from now on (there is no public switch for pongs)."""
    protocol: Any = connection.protocol
    send = protocol.send_frame

    def send_but_pings(frame: Frame) -> None:
        if frame.opcode not in _PINGS:
            send(frame)

    protocol.send_frame = send_but_pings
