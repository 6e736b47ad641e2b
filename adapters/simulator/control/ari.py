"""A scripted ARI: real HTTP on a socket, with the statuses of Asterisk 23, and faults on demand.

What it knows: the lists of channels and bridges, a channel's variable, `continue` and the hang-up. Its own small
HTTP/1.1: a request line, headers, no body; it must not be what the client is made of.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections import deque
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import orjson

from adapters.simulator.control.pbx import Pbx, PbxChannel

_REASONS: Final[Mapping[int, str]] = {
    200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    409: "Conflict", 500: "Internal Server Error",
}  # fmt: skip
_NOT_IN_STASIS: Final = "Channel not in Stasis application"
_FAULT_MESSAGES: Final[Mapping[int, str]] = {404: "Channel not found", 409: _NOT_IN_STASIS}
_CHANNEL: Final = re.compile(r"/channels/([^/]+)(/variable|/continue)?")

Query: TypeAlias = Mapping[str, str]
Answer: TypeAlias = tuple[int, object]


@attrs.frozen
class HttpFault:
    """What happens to the next request: it is late, has that status or those bytes, or the connection breaks."""

    late_s: float = 0.0
    status: int = 0
    drops: bool = False
    raw: bytes = b""


@attrs.define(eq=False)
class AriPeer:
    """A server for tests and the simulator: `start`, then `url`; `requests` is all that was asked."""

    pbx: Pbx = attrs.field(factory=Pbx)
    username: str = "turnspec"
    password: str = "secret"
    read_only: bool = False
    faults: deque[HttpFault] = attrs.field(factory=deque)
    requests: list[str] = attrs.field(factory=list)
    _server: asyncio.Server | None = None
    _served: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = attrs.field(factory=dict)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ari"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._served):
            writer.transport.abort()
        if tasks := [task for task in self._served.values() if task is not None]:
            await asyncio.wait(tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served[writer] = asyncio.current_task()
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            del self._served[writer]
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")
        method, target, _ = request.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.requests.append(f"{method} {target}")
        fault = self.faults.popleft() if self.faults else HttpFault()
        if fault.late_s:
            await asyncio.sleep(fault.late_s)
        if fault.drops or fault.raw:
            writer.write(fault.raw)
            return False
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if fault.status:
            status, body = fault.status, {"message": _FAULT_MESSAGES.get(fault.status, "A fault")}
        elif headers.get("authorization") != self._expected():
            status, body = 401, {"message": "Authentication required"}
        elif self.read_only and method != "GET":
            status, body = 403, {"message": "Write access denied"}
        else:
            status, found = self._answer(method, parts.path.removeprefix("/ari"), query)
            _write(writer, status, found)
            return True
        _write(writer, status, body)
        return True

    def _expected(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def _answer(self, method: str, path: str, query: Query) -> Answer:
        channels = self.pbx.channels.values()
        if (method, path) == ("GET", "/channels"):
            return 200, [_shown(each) for each in channels]
        if (method, path) == ("GET", "/bridges"):
            names = dict.fromkeys(each.bridge for each in channels if each.bridge)
            return 200, [
                {"id": name, "channels": [each.unique_id for each in channels if each.bridge == name]} for name in names
            ]
        match = _CHANNEL.fullmatch(path)
        if match is None:
            return 404, {"error": "Not Found"}
        channel = self.pbx.found(unquote(match[1]))
        if channel is None:
            return 404, {"message": "Channel not found"}
        return self._of_channel(channel, method, match[2] or "", query)

    def _of_channel(self, channel: PbxChannel, method: str, what: str, query: Query) -> Answer:
        """A hang-up and the look at a variable work on every channel; all else is for Stasis."""
        if (method, what) == ("DELETE", ""):
            self.pbx.hang_up(channel)
            return 204, None
        if (method, what) == ("GET", "/variable"):
            return 200, {"value": self.pbx.value(channel, query.get("variable", ""))}
        if not channel.stasis:
            return 409, {"message": _NOT_IN_STASIS}
        if (method, what) == ("POST", "/variable"):
            channel.variables[query.get("variable", "")] = query.get("value", "")
            return 204, None
        if (method, what) == ("POST", "/continue"):
            priority = query.get("priority") or query.get("label", "1")
            self.pbx.move(channel, (query.get("context", ""), query.get("extension", ""), priority))
            return 204, None
        return 404, {"error": "Not Found"}


def _shown(channel: PbxChannel) -> dict[str, object]:
    context, exten, priority = channel.where
    place = {
        "context": context, "exten": exten, "priority": priority, "app_name": channel.application,
        "app_data": channel.data,
    }  # fmt: skip
    return {"id": channel.unique_id, "name": channel.name, "state": "Up", "dialplan": place}


def _write(writer: asyncio.StreamWriter, status: int, body: object) -> None:
    payload = b"" if body is None else orjson.dumps(body)
    head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
