"""The thin I/O face of a simulated model that decides who speaks: a port, its sockets. A core decides all else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

log = structlog.get_logger(__name__)

_MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class SimulatedCore(Protocol):
    """A core: of one connection."""

    @property
    def stats(self) -> Any: ...


_Core = TypeVar("_Core", bound=SimulatedCore)


class ModelServer(ABC, Generic[_Core]):
    """`async with XServer(scenario) as provider: provider.url`."""

    PATH: ClassVar[str]

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server: Server | None = None
        self.sessions: list[_Core] = []
        """Of every connection so far, in the order of acceptance."""
        self.ended = 0
        """How many of them are over."""

    @property
    def port(self) -> int:
        """The port it listens on (chosen by the system for 0)."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """Without a key."""
        return f"ws://{self._host}:{self.port}{self.PATH}"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, self._host, self._port, process_request=self._upgrade, compression=None,
            max_size=_MAX_MESSAGE_BYTES, close_timeout=2.0,
        )  # fmt: skip
        log.info("simulated_model_listening", host=self._host, port=self.port, path=self.PATH)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every session; a second time does nothing."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        core = self._new_core()
        self.sessions.append(core)
        try:
            await self._play(connection, core)
        except ConnectionClosed:
            return
        finally:
            self.ended += 1

    @abstractmethod
    def _new_core(self) -> _Core:
        """Of the connection that has just been accepted, which is not among `sessions` yet."""

    @abstractmethod
    async def _play(self, connection: ServerConnection, core: _Core) -> None:
        """From the first message to the last. ConnectionClosed: the client has left."""

    @abstractmethod
    def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        """Why a client is turned away before it is one, or None."""
