"""Calls as Asterisk's dialplan makes them: AudioSocket, then the result from a door, then the same UUID once more."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Final

import attrs

from adapters.lines.audiosocket import protocol as wire
from tools.cluster.programs import get

FRAME: Final = wire.encode_audio(bytes(320))
TRIES: Final = 2
"""As deploy/asterisk/extensions.conf has it."""
_FRAME_S: Final = 0.02
_CONNECT_S: Final = 30.0
_CURL_S: Final = 3.0
_RESULT_S: Final = 20.0


@attrs.define
class DialledCall:
    """`cut`: attempts that ended before the caller wanted it. `result` is what the dialplan read last."""

    id: str
    cut: int = 0
    tries: int = 0
    result: str = ""
    bytes_heard: int = 0
    seconds: float = 0.0
    holes: int = 0
    """Seconds in which nothing came."""


async def dial(port: int, door: int, talk_s: float, call_id: str = "", tries: int = TRIES) -> DialledCall:
    """A caller who says nothing and hangs up after `talk_s`. Where the line ends before, it is as the result says."""
    call = DialledCall(call_id or str(uuid.uuid4()))
    is_cut = True
    while is_cut and call.tries < tries and not call.result:
        call.tries += 1
        is_cut = await _attempt(call, port, talk_s)
        call.cut += is_cut
        call.result = await _result(door, call.id, 0.0 if is_cut else _RESULT_S)
    return call


async def _result(door: int, call_id: str, wait_s: float) -> str:
    """A dialplan asks once; of a caller who has hung up nobody does, and the end of the call may take a moment."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + wait_s
    while True:
        status, text = await asyncio.to_thread(get, door, f"/calls/{call_id}/result", _CURL_S)
        if status == 200 or loop.time() >= until_s:
            return text if status == 200 else ""
        await asyncio.sleep(0.1)


async def _attempt(call: DialledCall, port: int, talk_s: float) -> bool:
    """Whether it ended before the caller wanted it to."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    began_s = loop.time()
    hearing = loop.create_task(_hear(call, reader))
    try:
        writer.write(wire.encode_uuid(uuid.UUID(call.id)))
        await _talk(writer, hearing, talk_s)
        is_cut = hearing.done()
        if not is_cut:
            writer.write_eof()
            await asyncio.wait([hearing], timeout=10)
        return is_cut
    except OSError:
        return True
    finally:
        call.seconds += loop.time() - began_s
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _talk(writer: asyncio.StreamWriter, hearing: asyncio.Task[None], talk_s: float) -> None:
    """A frame every 20 ms, as long as the other side is there."""
    loop = asyncio.get_running_loop()
    began_s, frames = loop.time(), 0
    while not hearing.done() and loop.time() - began_s < talk_s:
        while frames * _FRAME_S <= loop.time() - began_s:
            writer.write(FRAME)
            frames += 1
        await asyncio.sleep(_FRAME_S)


async def _hear(call: DialledCall, reader: asyncio.StreamReader) -> None:
    """Until the other side ends."""
    with contextlib.suppress(OSError):
        while True:
            try:
                data = await asyncio.wait_for(reader.read(65_536), 1.0)
            except TimeoutError:
                call.holes += 1
                continue
            if not data:
                return
            call.bytes_heard += len(data)
