"""A server of somebody's HTTP API that answers as a test tells it to, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import orjson

Answer = tuple[int, object] | Callable[[asyncio.StreamWriter], object]
"""A status and a body as JSON, or what to do with the connection instead."""


@attrs.define
class ScriptedApi:
    """Its answers in order; the last one stays. `requests`: first line, headers by lower case, body as parsed."""

    answers: list[Answer]
    parse: Callable[[bytes], Any]
    requests: list[tuple[str, dict[str, str], Any]] = attrs.field(factory=list)
    port: int = 0
    tasks: list[asyncio.Task[None]] = attrs.field(factory=list)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._one(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((head[0], headers, self.parse(body)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer(writer)
            return
        status, said = answer
        text = said if isinstance(said, bytes) else orjson.dumps(said)
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(text), text))


@contextlib.asynccontextmanager
async def scripted_api(*answers: Answer, parse: Callable[[bytes], Any]) -> AsyncIterator[ScriptedApi]:
    api = ScriptedApi(list(answers), parse)
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    api.port = server.sockets[0].getsockname()[1]
    try:
        yield api
    finally:
        server.close()
        await asyncio.gather(*api.tasks)
