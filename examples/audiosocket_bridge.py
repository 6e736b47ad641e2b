"""A small bridge: Asterisk's AudioSocket on one side, a Realtime model on the other.

`PORT=9019 python examples/audiosocket_bridge.py`; REALTIME_URL (with ?model=...) and OPENAI_API_KEY
come from the environment. 24 kHz on both sides (Asterisk's slin24), so nothing is resampled. The model's server finds
the turns and answers them; the bridge asks for the greeting, paces what it plays, and drops it when the caller speaks.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

URL = os.environ.get("REALTIME_URL", "wss://api.openai.com/v1/realtime?model=gpt-realtime")
AUDIO_24_KHZ, HANG_UP = 0x13, 0x00  # kinds of AudioSocket messages; the others do not matter here
FRAME_BYTES = 960  # 20 ms at 24 kHz
PCM = {"type": "audio/pcm", "rate": 24_000}


class Bridge:
    """One call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, model: ClientConnection) -> None:
        self.reader, self.writer, self.model = reader, writer, model
        self.is_configured = False
        self.playing = bytearray()
        self.item_id, self.played_bytes = "", 0

    async def run(self) -> None:
        tasks = [asyncio.create_task(work) for work in (self.listen(), self.follow(), self.play())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def listen(self) -> None:
        """The caller's audio to the model."""
        while True:
            kind, high, low = await self.reader.readexactly(3)
            payload = await self.reader.readexactly(high << 8 | low)
            if kind == HANG_UP:
                return
            if kind == AUDIO_24_KHZ and self.is_configured:
                await self.send("input_audio_buffer.append", audio=base64.b64encode(payload).decode())

    async def follow(self) -> None:
        """What the model says and does."""
        async for message in self.model:
            event = json.loads(message)
            await self.on_event(event["type"], event)

    async def on_event(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "session.created":
            audio = {"input": {"format": PCM, "turn_detection": {"type": "server_vad"}}, "output": {"format": PCM}}
            await self.send("session.update", session={"type": "realtime", "audio": audio})
        elif kind == "session.updated":
            self.is_configured = True
            await self.send("response.create", response={"instructions": "Greet the caller."})
        elif kind == "response.output_audio.delta":
            if event["item_id"] != self.item_id:
                self.item_id, self.played_bytes = event["item_id"], 0
            self.playing += base64.b64decode(event["delta"])
        elif kind == "input_audio_buffer.speech_started":
            await self.interrupt()
        elif kind == "error":
            print("the model's server says:", event["error"].get("message"))

    async def interrupt(self) -> None:
        """What is left of the answer is not played, and the model learns how much of it was heard."""
        if self.playing:
            self.playing.clear()
            heard_ms = self.played_bytes // (FRAME_BYTES // 20)
            await self.send("conversation.item.truncate", item_id=self.item_id, content_index=0, audio_end_ms=heard_ms)

    async def play(self) -> None:
        """Twenty milliseconds every twenty milliseconds; silence where there is nothing to say."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            frame = bytes(self.playing[:FRAME_BYTES])
            del self.playing[:FRAME_BYTES]
            self.played_bytes += len(frame)
            self.writer.write(
                bytes((AUDIO_24_KHZ, FRAME_BYTES >> 8, FRAME_BYTES & 255)) + frame.ljust(FRAME_BYTES, b"\0")
            )
            await self.writer.drain()
            due_s += 0.02
            await asyncio.sleep(due_s - loop.time())

    async def send(self, kind: str, **fields: Any) -> None:
        await self.model.send(json.dumps({"type": kind, **fields}))


async def take_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        async with connect(URL, additional_headers=headers) as model:
            await Bridge(reader, writer, model).run()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(take_call, "127.0.0.1", int(os.environ.get("PORT", "9019")))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
