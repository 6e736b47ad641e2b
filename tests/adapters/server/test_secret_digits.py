"""Digits for the application alone, in whole calls: who gets them, and that nothing that is written knows them."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from adapters import logs
from adapters.logs import LogSettings
from adapters.server.server import TurnspecServer
from adapters.simulator.providers.realtime import ProviderServer
from adapters.specs import specs_folder
from tests.adapters.server.test_application import Watcher, said
from tests.adapters.server.test_server import call, settings_for
from tests.adapters.server.test_server_door import HTTP, TOKEN, client_of

pytestmark = pytest.mark.virtual_time

HERE = "tests.adapters.server.test_secret_digits"
CARD = "4929765031842657"
SPEC = specs_folder() / "cookbook" / "secure_digits.yaml"
TAKEN: list[str] = []
KEYING: dict[str, Any] = {
    "steps": ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 3000, "within_ms": 20000}}, {"say": "caller_yes"},
              *({"press": digit} for digit in CARD), {"press": "#"},
              {"wait_ms": 1000}, {"say": "caller_order_status"}, {"until_hung_up": {"within_ms": 60000}}],
}  # fmt: skip


async def take(secure_digits: str) -> None:
    TAKEN.append(secure_digits)


async def quote(secure_digits: str) -> None:
    TAKEN.append(secure_digits)
    raise ValueError(f"not a card: {secure_digits}")


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    """All that the process logs, with every detail."""
    TAKEN.clear()
    stream = io.StringIO()
    logs.configure(LogSettings(level="debug"), (), stream)
    yield stream
    structlog.reset_defaults()


async def keyed_in(folder: Path, function: str) -> tuple[Watcher, str, uuid.UUID]:
    """A call in which a card is keyed in; the watcher, and every page of the door about the call."""
    watcher, call_id, pages = Watcher(), uuid.uuid4(), ""
    more = f"{HTTP}spec: {SPEC}\neffects: {{take_digits: {HERE}:{function}}}\nrecording: {{dir: recordings}}\n"
    async with ProviderServer() as provider:
        server = TurnspecServer(settings_for(folder, provider.url, more, DOOR_TOKEN=TOKEN), watcher.of)
        await server.start()
        try:
            async with client_of(server) as client:
                live = asyncio.create_task(call(server, KEYING, call_id))
                await asyncio.sleep(5)
                assert (await said(client, call_id, "application.secure_digits_requested")).json() == {"accepted": True}
                for _ in range(120):
                    await asyncio.sleep(0.2)
                    pages += (await client.get(f"/calls/{call_id}")).text + (await client.get("/calls")).text
                await said(client, call_id, "application.hang_up_requested")
                await live
                pages += (await client.get(f"/calls/{call_id}")).text
        finally:
            await server.close()
    return watcher, pages, call_id


def written(folder: Path) -> str:
    """Every file of a folder, as text and as numbers."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("function", ["take", "quote"])
async def test_a_card_reaches_the_application_and_nothing_that_is_written(
    tmp_path: Path, logged: io.StringIO, function: str
) -> None:
    watcher, pages, call_id = await keyed_in(tmp_path, function)
    assert [CARD] == TAKEN
    assert watcher.variants.count("caller.pressed_secretly.digit") == len(CARD), "the journal knows that keys came"
    assert watcher.variants.count("caller.pressed_secretly.end") == 1
    journal = (tmp_path / "journals" / f"{call_id}.jsonl").read_text()
    assert journal.count("caller.pressed_secretly") >= len(CARD)
    for text in (written(tmp_path), logged.getvalue(), pages, json.dumps(watcher.sent)):
        assert text and CARD not in text and CARD[:6] not in text
        assert not any(f'"digit": "{digit}"' in text for digit in set(CARD)), "nor one by one"
    assert "caller.pressed_key" not in journal
    if function == "quote":
        assert watcher.data("application.take_digits.failed")[0]["reason"] == "raised"


async def test_while_it_is_keyed_in_nobody_is_heard_and_nothing_is_recorded(tmp_path: Path) -> None:
    watcher, _, call_id = await keyed_in(tmp_path, "take")
    with wave.open(str(tmp_path / "recordings" / f"{call_id}.wav")) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
        rate_hz = file.getframerate()
    assert frames[: 4 * rate_hz, 1].any(), "the greeting"
    end = watcher.variants.index("caller.pressed_secretly.end")
    assert "caller.spoke" not in watcher.variants[:end] and not any("speech" in each for each in watcher.variants[:end])
    assert "input_audio_buffer.speech_started.new" in watcher.variants[end:], "and is heard again afterwards"
    spoken = np.flatnonzero(frames[:, 0])
    assert spoken.size and spoken[0] > 10.5 * rate_hz, "what the caller says is recorded from the end of the digits on"
    assert not frames[round(5.5 * rate_hz) : round(10.5 * rate_hz)].any()
