"""A call whose audio is elsewhere, by the door of a whole server: an application posts its id."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.simulator.providers.realtime import ProviderServer
from tests.adapters.lines.sideband.rig import Browser, offered
from tests.adapters.server.test_server import serving
from tests.adapters.server.test_server_door import client_of, with_door

RTC = "rtc_u1_9isRsb3C"


@pytest.mark.virtual_time
async def test_an_application_posts_the_id_and_the_call_is_held(tmp_path: Path) -> None:
    async with ProviderServer() as provider:
        rtc = await offered(provider)
        browser = await Browser.joined(provider, rtc)
        async with serving(with_door(tmp_path, provider.url)) as server, client_of(server) as client:
            body = {"call_id": rtc, "caller_id": "+491", "variables": {"tenant": "7"}}
            begun = await client.post("/calls", json=body)
            assert begun.status_code == 201 and begun.json()["id"] == rtc, begun.text
            await browser.until("output_audio_buffer.stopped")
            shown = (await client.get(f"/calls/{rtc}")).json()
            assert (shown["caller_id"], shown["variables"]["tenant"]) == ("+491", "7")
            again = await client.post("/calls", json={"call_id": rtc})
            assert (again.status_code, again.json()["error"]) == (409, "live")
            await browser.close()
            async with asyncio.timeout(20):
                while rtc in server.calls:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)


@pytest.mark.virtual_time
async def test_what_is_no_id_of_a_call_is_refused(tmp_path: Path) -> None:
    async with (
        ProviderServer() as provider,
        serving(with_door(tmp_path, provider.url)) as server,
        client_of(server) as client,
    ):
        for body in ({"call_id": "a/b"}, {"call_id": 7}, {"call_id": ""}, {"call_id": RTC, "id": RTC}):
            answer = await client.post("/calls", json=body)
            assert answer.status_code == 422, answer.text
        assert not server.calls
