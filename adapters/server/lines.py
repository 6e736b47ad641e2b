"""Every line of a server: their listeners, or the connections that somebody else has accepted for them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

from adapters.audio.tick import Ticker
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.chan_websocket.server import ChanWebSocketServer
from adapters.lines.line import CallLeg
from adapters.lines.refusal import OnRefused
from adapters.lines.sideband.attachments import Attachments
from adapters.lines.twilio.gate import Gate
from adapters.lines.twilio.server import TwilioServer
from adapters.lines.twilio.webhook import Webhook
from adapters.server.calls_control import calls_control, renew_control
from adapters.server.incoming import IncomingCalls
from adapters.settings.config import Settings

AUDIOSOCKET: Final = "audiosocket"
CHAN_WEBSOCKET: Final = "chan_websocket"
TWILIO: Final = "twilio"


class ServedLeg(CallLeg, Protocol):
    """A leg as listeners hand it over."""

    @property
    def peer(self) -> tuple[str, int]: ...


OnCall: TypeAlias = Callable[[ServedLeg], Awaitable[object] | None]


class Listener(Protocol):
    """Of one line; it hands each of its calls to `on_call`."""

    @property
    def addresses(self) -> list[tuple[str, int]]: ...

    async def start(self) -> None: ...

    def adopt(self, sock: socket.socket, peer: tuple[str, int]) -> None: ...

    def has_newcomers(self) -> bool: ...

    async def close(self, deadline_s: float) -> None: ...


class ServerLines:
    """`start`, or `adopt` for each connection; then `drain` and `close`."""

    def __init__(
        self,
        settings: Settings,
        ticker: Ticker,
        on_call: OnCall,
        on_refused: OnRefused,
        is_busy: Callable[[], bool],
        keeps_out: Callable[[], str | None],
    ) -> None:
        self.audiosocket = AudioSocketServer(settings.audiosocket, ticker, on_call, on_refused, is_busy)
        self._by_name: dict[str, Listener] = {AUDIOSOCKET: self.audiosocket}
        most, hang_up_s = settings.audiosocket.max_connections, settings.audiosocket.hang_up_deadline_s
        self._control = calls_control(settings)
        self.attachments = Attachments(on_call, keeps_out, self._control, most=most, hang_up_s=hang_up_s)
        """Calls whose audio is elsewhere; nothing listens for them."""
        webhook = settings.sideband.webhook
        self.incoming = IncomingCalls(webhook, self.attachments, on_refused) if webhook is not None else None
        """Those of them that the provider announces."""
        self.channels: ChanWebSocketServer | None = None
        """Asterisk's WebSockets, where they are listened for; it can dial, too."""
        if settings.chan_websocket is not None:
            self.channels = ChanWebSocketServer(settings.chan_websocket, ticker, on_call, keeps_out)
            self._by_name[CHAN_WEBSOCKET] = self.channels
        self.streams: TwilioServer | None = None
        self.webhook: Webhook | None = None
        """What answers Twilio, where its streams are listened for."""
        if settings.twilio is not None:
            gate = Gate(settings.twilio)
            self.streams = streams = TwilioServer(settings.twilio, ticker, gate, on_call)
            self.webhook = Webhook(settings.twilio, gate, lambda: keeps_out() or streams.is_full())
            self._by_name[TWILIO] = streams

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listens (AudioSocket on a bound `sock` if given). OSError: it cannot, and why."""
        await self.audiosocket.start(sock)
        for listener in self._by_name.values():
            if listener is not self.audiosocket:
                await listener.start()

    def adopt(self, line: str, sock: socket.socket, peer: tuple[str, int]) -> None:
        """A connection of this line that somebody else has accepted."""
        self._by_name[line].adopt(sock, peer)

    def has_newcomers(self) -> bool:
        return any(each.has_newcomers() for each in self._by_name.values())

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every listening socket; AudioSocket's first."""
        return [address for listener in self._by_name.values() for address in listener.addresses]

    def unbound(self) -> list[str]:
        """Lines that should listen and do not."""
        return [name for name, listener in self._by_name.items() if not listener.addresses]

    def drain(self) -> None:
        """AudioSocket's port stays open, and refuses."""
        self.audiosocket.drain()
        self.attachments.drain()

    def renew(self, settings: Settings) -> None:
        """Another configuration, of which lines have the key of a provider's calls alone."""
        renew_control(self._control, settings)

    async def close(self, deadline_s: float) -> None:
        closing = [each.close(deadline_s) for each in self._by_name.values()]
        await asyncio.gather(*closing, self.attachments.close(deadline_s))
        if self._control is not None:
            await self._control.close()
