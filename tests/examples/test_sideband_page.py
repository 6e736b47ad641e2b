"""The example of a browser's call: its files parse, its server takes an offer to the provider, the call to turnspec."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

from adapters.settings.config import load_settings
from adapters.simulator.providers.realtime import ProviderServer
from examples.sideband import page_server
from tests.adapters.lines.sideband.rig import OFFER, Browser
from tests.adapters.server.test_server import serving
from tests.adapters.server.test_server_door import TOKEN, with_door

HERE = Path(page_server.__file__).parent


def page() -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=page_server.page_app())
    return httpx2.AsyncClient(transport=transport, base_url="http://page")


class Elements(HTMLParser):
    """Ids and what is fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found["id"]} if "id" in found else set()
        self.fetched += [found[name] for name in ("src", "href") if name in found]


async def test_the_files_of_the_page_are_served_and_fit_together() -> None:
    async with page() as client:
        html, script = await client.get("/"), await client.get("/page.js")
        assert html.headers["content-type"].startswith("text/html") and "javascript" in script.headers["content-type"]
        elements = Elements(html.text)
        assert elements.fetched == ["data:,", "/page.js"], "nothing comes from elsewhere"
        assert set(re.findall(r'(?:\$|show)\("([\w-]+)"', script.text)) <= elements.ids
        routes = {getattr(route, "path", "").partition("{")[0] for route in page_server.page_app().routes}
        assert {each.partition("$")[0] for each in re.findall(r"fetch\([`\"]([^`\"]+)", script.text)} <= routes
        assert "response.create" not in re.sub(r"//.*", "", script.text)


def test_the_script_parses() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO node COMMAND: the example's script was not parsed")
    script = (HERE / "page.js").read_bytes()
    checked = subprocess.run([node, "--check", "--input-type=module"], input=script, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()


def test_its_configuration_is_one() -> None:
    settings = load_settings(HERE / "turnspec.yaml", {"OPENAI_API_KEY": "sk-1", "DOOR_TOKEN": "0123456789abcdef"})
    assert settings.agents[0].name and settings.http is not None


@pytest.mark.virtual_time
async def test_an_offer_becomes_a_call_of_turnspecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ProviderServer() as provider, serving(with_door(tmp_path, provider.url)) as server, page() as client:
        assert server.door is not None
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{provider.port}/v1")
        monkeypatch.setenv("DOOR_URL", "http://{}:{}".format(*server.door.addresses[0]))
        monkeypatch.setenv("DOOR_TOKEN", TOKEN)
        answer = await client.post("/session", content=OFFER)
        assert answer.status_code == 201 and answer.text.startswith("v=0"), answer.text
        call_id = answer.headers["x-call-id"]
        browser = await Browser.joined(provider, call_id)
        await browser.until("output_audio_buffer.stopped")
        shown = await client.get(f"/calls/{call_id}")
        assert (shown.status_code, shown.json()) == (200, {"state": "configured"})
        await browser.close()
        async with asyncio.timeout(20):
            while call_id in server.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await client.get(f"/calls/{call_id}")).json() == {"state": "over"}


@pytest.mark.virtual_time
async def test_a_call_that_turnspec_does_not_take_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ProviderServer() as provider, serving(with_door(tmp_path, provider.url)) as server, page() as client:
        assert server.door is not None
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{provider.port}/v1")
        monkeypatch.setenv("DOOR_URL", "http://{}:{}".format(*server.door.addresses[0]))
        monkeypatch.setenv("DOOR_TOKEN", "another")
        answer = await client.post("/session", content=OFFER)
        assert (answer.status_code, answer.text) == (502, "turnspec says 401")
        assert [each.verb for each in provider.desk.asked] == ["offer", "hangup"] and not provider.calls
        assert (await client.post("/session", content="x" * 70_000)).status_code == 413
        assert (await client.post("/session", content="v=0")).text == "the provider says 400"
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
        assert (await client.post("/session", content=OFFER)).status_code == 504
