"""The test loop itself: real sockets, a clock that jumps."""

import asyncio

import pytest


@pytest.mark.virtual_time
async def test_half_a_minute_over_a_real_socket_takes_no_half_minute() -> None:
    async def echo_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            await asyncio.sleep(1)
            writer.write(data)
        writer.close()

    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(echo_later, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        began = loop.time()
        for _ in range(30):
            writer.write(b"x")
            assert await reader.read(10) == b"x"
        assert loop.time() - began == pytest.approx(30, abs=0.01)
        writer.close()
        assert await reader.read() == b""
