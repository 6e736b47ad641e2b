"""A call by sideband over loopback: a client with the audio, the simulated provider, and our call beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import httpx2
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from adapters.audio.prompt import load_prompts
from adapters.call.call import Call, CallServices
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.files import FileWriterThread
from adapters.lines.sideband.attachments import Attachments
from adapters.lines.sideband.control import SidebandControl
from adapters.lines.sideband.leg import SidebandLeg
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.simulator.providers.realtime import ProviderServer, parse_scenario
from adapters.simulator.providers.realtime.calls import PATH
from adapters.simulator.speech import read_samples, wav_path
from tests.adapters.call.rig import Watcher, machine

RATE_HZ = 24_000
FRAME = RATE_HZ // 50
KEY = {"Authorization": "Bearer ek-test"}
OFFER = "v=0\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n"


async def offered(provider: ProviderServer) -> str:
    """The id of a session that has begun as a browser begins it: with an offer over HTTP."""
    async with httpx2.AsyncClient(headers={**KEY, "content-type": "application/sdp"}) as client:
        answer = await client.post(f"http://127.0.0.1:{provider.port}{PATH}", content=OFFER)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"].rpartition("/")[2])


class Browser:
    """The client with the audio: its microphone is never quiet, and it hears what the data channel says."""

    @classmethod
    async def joined(cls, provider: ProviderServer, call_id: str) -> Browser:
        """The simulator's stand-in for its media and its data channel."""
        url = f"{provider.url}?model=gpt-realtime&call_id={call_id}"
        browser = cls(await connect(url, additional_headers=KEY, compression=None))
        await browser.until("session.created")
        return browser

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self._samples = np.zeros(0, np.int16)
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._hear())]

    def say(self, line: str) -> None:
        self._samples = read_samples(wav_path(line), RATE_HZ)

    async def send(self, **event: Any) -> None:
        await self.socket.send(json.dumps(event))

    async def until(self, kind: str, count: int = 1, within_s: float = 20.0) -> dict[str, Any]:
        """The nth event of a kind."""
        async with asyncio.timeout(within_s):
            while len(found := [each for each in self.heard if each["type"] == kind]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found[count - 1]

    def count(self, kind: str) -> int:
        return sum(each["type"] == kind for each in self.heard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.socket.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _speak(self) -> None:
        while True:
            frame, self._samples = self._samples[:FRAME], self._samples[FRAME:]
            audio = np.concatenate([frame, np.zeros(FRAME - len(frame), np.int16)]).astype("<i2").tobytes()
            await self.socket.send(audio)
            await asyncio.sleep(0.02)

    async def _hear(self) -> None:
        async for text in self.socket:
            self.heard.append(json.loads(text))


@attrs.define
class Sideband:
    """What a test has in hand while the call goes on."""

    provider: ProviderServer
    call_id: str
    browser: Browser
    attachments: Attachments
    watcher: Watcher
    calls: list[Call]
    summaries: list[Summary]

    @property
    def story(self) -> str:
        return "\n".join(self.watcher.story)

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """Events of ours of a kind."""
        return [dict(event) for _, way, event in self.watcher.wires if way == "out" and event["type"] == kind]

    async def over(self, within_s: float = 20.0) -> Summary:
        async with asyncio.timeout(within_s):
            while not self.summaries:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return self.summaries[0]


@contextlib.asynccontextmanager
async def sideband(
    scenario: str = "",
    *,
    spec: str = "owned_turns",
    settings: Mapping[str, Any] | None = None,
    control: SidebandControl | None = None,
) -> AsyncIterator[Sideband]:
    """A browser in its session, and our call attached to it."""
    watcher, calls, summaries = Watcher(), [], []
    chosen = parse_scenario(scenario, Path("scenario.yaml")) if scenario else None
    with ThreadPoolExecutor(2) as threads:
        async with ProviderServer(scenario=chosen) as provider:
            tools = [tool.definition for tool in (settings or {}).get("tools", {}).values()] or None
            session = SessionSettings(
                model="gpt-realtime", tools=tools, turn_detection={"type": "server_vad", "create_response": False}
            )
            endpoint = openai_endpoint("gpt-realtime", "sk-test", base_url=provider.url)
            recordings = FileWriterThread()
            shared = CallServices(
                machine(spec), RealtimeProvider(endpoint=endpoint, session=session),
                CallSettings(**{"greeting": "Greet.", **(settings or {})}), load_prompts(8000), threads, recordings,
            )  # fmt: skip

            async def on_call(leg: SidebandLeg) -> None:
                call = Call(leg.call_id, leg, shared, [watcher])
                calls.append(call)
                summaries.append(await call.run())

            call_id = await offered(provider)
            browser = await Browser.joined(provider, call_id)
            attachments = Attachments(on_call, control=control)
            assert attachments.attach(call_id, caller_id="+491") is None
            try:
                yield Sideband(provider, call_id, browser, attachments, watcher, calls, summaries)
            finally:
                await browser.close()
                await attachments.close(1.0)
                recordings.close()
