"""A call by the openai SDK's own Realtime client. Arguments: the provider's URL, a folder of lines as 24 kHz PCM."""

import asyncio
import base64
import sys
from pathlib import Path

from openai import AsyncOpenAI

FRAME_BYTES = 960  # 20 ms
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class SdkCall:
    def __init__(self, connection, lines):
        self.connection, self.lines = connection, lines
        self.saying = b""
        self.played = {}  # item id: bytes of it that have come
        self.item = None

    async def microphone(self):
        """20 ms of a line, or of silence, every 20 ms."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            frame, self.saying = self.saying[:FRAME_BYTES], self.saying[FRAME_BYTES:]
            audio = base64.b64encode(frame.ljust(FRAME_BYTES, b"\0")).decode()
            await self.connection.input_audio_buffer.append(audio=audio)
            due += 0.02
            await asyncio.sleep(max(due - loop.time(), 0))

    def say(self, name):
        self.saying = (self.lines / f"{name}.pcm").read_bytes()

    async def until(self, kind):
        while True:
            event = await self.connection.recv()
            await self.take(event)
            if event.type == kind:
                return event

    async def take(self, event):
        if event.type == "error":
            raise SystemExit(f"the provider answered: {event.error.message}")
        if event.type == "response.output_audio.delta":
            self.item = event.item_id
            self.played[event.item_id] = self.played.get(event.item_id, 0) + len(base64.b64decode(event.delta))

    async def tools(self):
        """Both calls of the response, then one create."""
        done = await self.until("response.done")
        calls = [item for item in done.response.output if item.type == "function_call"]
        for call in calls:
            output = {"type": "function_call_output", "call_id": call.call_id, "output": '{"degrees": 21}'}
            await self.connection.conversation.item.create(item=output)
        await self.connection.response.create()
        return len(calls)


async def main(url, folder):
    async with (
        AsyncOpenAI(api_key="test", websocket_base_url=url) as client,
        client.realtime.connect(model="gpt-realtime") as connection,
    ):
        call = SdkCall(connection, Path(folder))
        await call.until("session.created")
        detection = {"type": "server_vad", "silence_duration_ms": 500}
        audio = {"input": {"turn_detection": detection, "transcription": {"model": "gpt-4o-transcribe"}}}
        await connection.session.update(session={"type": "realtime", "tools": [WEATHER], "audio": audio})
        await call.until("session.updated")
        microphone = asyncio.create_task(call.microphone())
        await connection.response.create(response={"instructions": "Greet the caller."})
        await call.until("response.done")
        call.say("caller_weather")
        await call.until("response.created")
        print("tools:", await call.tools())
        await call.until("response.done")
        call.say("caller_returns")
        await call.until("response.output_audio.delta")
        await asyncio.sleep(0.5)
        call.say("caller_interrupt")
        await call.until("input_audio_buffer.speech_started")
        heard_ms = call.played[call.item] // 48 - 200
        await connection.conversation.item.truncate(item_id=call.item, content_index=0, audio_end_ms=max(heard_ms, 0))
        await call.until("conversation.item.truncated")
        done = await call.until("response.done")
        while done.response.status == "cancelled":
            done = await call.until("response.done")
        print("last answer:", done.response.status)
        microphone.cancel()


asyncio.run(main(*sys.argv[1:]))
