"""The openai SDK's own Live client holds a call with our simulated GPT-Live, over a socket."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, cast

import openai
import pytest

from adapters.simulator.providers.live import LiveRule, LiveScenario, LiveServer

FRAME = base64.b64encode(b"\xff" * 1600).decode()  # 200 ms of silence, G.711
SHOP = LiveScenario(rules=(LiveRule(heard="order", say="Order forty two arrives tomorrow."),))


async def test_the_sdks_own_client_is_greeted_and_hears_an_answer() -> None:
    kinds: list[str] = []
    words = ""
    async with LiveServer(SHOP) as server:
        client = openai.AsyncOpenAI(api_key="sk-1", websocket_base_url=server.url.removesuffix("/live/sessions"))
        async with asyncio.timeout(20), client.live.connect() as connection:

            async def send(**event: Any) -> None:
                await connection.send(cast(Any, event))

            audio = {"format": {"type": "audio/pcmu", "rate": 8000}}
            await send(type="session.start", session={"model": "gpt-live-1", "audio": audio})
            async for event in connection:
                kinds.append(event.type)
                assert event.type != "error", event
                if event.type == "session.started":
                    said = {"content": "Hello!", "delegation_id": None}
                    await send(type="session.commentary.append", **said)
                    await send(type="session.instructions.append", **{**said, "content": "Tell about the order."})
                    for _ in range(60):
                        await send(type="session.input_audio.append", audio=FRAME)
                    await send(type="session.close")
                elif event.type == "session.output_transcript.delta":
                    words += event.delta
                elif event.type == "session.closed":
                    assert event.reason == "close_requested" and event.usage.seconds == pytest.approx(12.0)
                    break
    assert kinds[0] == "session.started" and "session.output_audio.delta" in kinds
    assert "Hello!" in words and "Order forty two arrives tomorrow." in words
    assert server.stats[0].errors == []
