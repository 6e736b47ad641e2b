"""A small bridge: Twilio Media Streams on one side, a Realtime model on the other, in FastAPI.

`PORT=8000 python examples/twilio_fastapi_bridge.py`; Twilio asks /twiml and streams the call to /media. REALTIME_URL
(with ?model=...), OPENAI_API_KEY and PUBLIC_URL (wss://, as Twilio sees this server) come from the environment. mu-law
at 8 kHz on both sides. Nobody should do without a check of Twilio's signature; it is left out here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import Any

import uvicorn
from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect

URL = os.environ.get("REALTIME_URL", "wss://api.openai.com/v1/realtime?model=gpt-realtime")
PCMU = {"type": "audio/pcmu"}
app = FastAPI()


@app.post("/twiml")
async def twiml() -> Response:
    stream = f"{os.environ['PUBLIC_URL']}/media"
    text = f'<Response><Connect><Stream url="{stream}"/></Connect></Response>'
    return Response(text, media_type="text/xml")


@app.websocket("/media")
async def media(phone: WebSocket) -> None:
    await phone.accept()
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    async with connect(URL, additional_headers=headers) as model:
        await Bridge(phone, model).run()


class Bridge:
    """One call. Twilio plays what it is sent in order and says by a mark when it has."""

    def __init__(self, phone: WebSocket, model: ClientConnection) -> None:
        self.phone, self.model = phone, model
        self.stream_sid = ""
        self.is_configured = False
        self.unplayed: list[str] = []
        self.item_id, self.item_ms, self.began_s = "", 0.0, 0.0

    async def run(self) -> None:
        tasks = [asyncio.create_task(self.listen()), asyncio.create_task(self.follow())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def listen(self) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                message = json.loads(await self.phone.receive_text())
                if message["event"] == "start":
                    self.stream_sid = message["start"]["streamSid"]
                elif message["event"] == "media" and self.is_configured:
                    await self.send("input_audio_buffer.append", audio=message["media"]["payload"])
                elif message["event"] == "mark" and message["mark"]["name"] in self.unplayed:
                    self.unplayed.remove(message["mark"]["name"])
                elif message["event"] == "stop":
                    return

    async def follow(self) -> None:
        async for text in self.model:
            event = json.loads(text)
            await self.on_event(event["type"], event)

    async def on_event(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "session.created":
            audio = {"input": {"format": PCMU, "turn_detection": {"type": "server_vad"}}, "output": {"format": PCMU}}
            await self.send("session.update", session={"type": "realtime", "audio": audio})
        elif kind == "session.updated":
            self.is_configured = True
            await self.send("response.create", response={"instructions": "Greet the caller."})
        elif kind == "response.output_audio.delta":
            await self.say(event)
        elif kind == "input_audio_buffer.speech_started":
            await self.interrupt()

    async def say(self, event: dict[str, Any]) -> None:
        if event["item_id"] != self.item_id:
            self.item_id, self.item_ms, self.began_s = event["item_id"], 0.0, asyncio.get_running_loop().time()
        self.item_ms += len(event["delta"]) * 3 / 4 / 8
        self.unplayed.append(event["event_id"])
        await self.tell({"event": "media", "media": {"payload": event["delta"]}})
        await self.tell({"event": "mark", "mark": {"name": event["event_id"]}})

    async def interrupt(self) -> None:
        if self.unplayed:
            self.unplayed.clear()
            await self.tell({"event": "clear"})
            heard_ms = min(int((asyncio.get_running_loop().time() - self.began_s) * 1000), int(self.item_ms) - 100)
            end = {"item_id": self.item_id, "content_index": 0, "audio_end_ms": max(heard_ms, 0)}
            await self.send("conversation.item.truncate", **end)

    async def tell(self, message: dict[str, Any]) -> None:
        await self.phone.send_text(json.dumps({**message, "streamSid": self.stream_sid}))

    async def send(self, kind: str, **fields: Any) -> None:
        await self.model.send(json.dumps({"type": kind, **fields}))


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), log_level="warning")
