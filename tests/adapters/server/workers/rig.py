"""A supervisor in this process with real workers, and `turnspec serve --workers` as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from adapters.cli.reloading import config_reader, with_workers
from adapters.server.workers.supervisor import Supervisor
from adapters.settings.config import load_settings
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, load_script

ROOT = Path(__file__).resolve().parents[4]
STAY = {"steps": ["wait_agent_speaking", {"until_hung_up": {"within_ms": 60000}}]}
GREETED = {"steps": ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 300}}, "hang_up"]}
CUT = ("fin", "rst", "dropped")
"""How a caller's line may end without a word of ours."""
SOON_S = 30.0
"""For what comes in a moment, on a machine that has a lot to do."""
CONFIG = """
listen: {{audiosocket: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0", token_env: DOOR_TOKEN, requests_per_s: 10000}}
provider: {{url: "{url}", api_key: "sk-1"}}
greeting: Greet.
agents: {{night: {{greeting: Good night.}}}}
limits: {{calls: 3, shutdown_s: 3, loop_lag_ms: 60000}}
{more}
"""
TOKEN = "d00r-0123456789abcdef"


def config_of(folder: Path, url: str, more: str = "") -> Path:
    path = folder / "turnspec.yaml"
    path.write_text(CONFIG.format(url=url, more=more), encoding="utf-8")
    return path


def client_at(host: str, port: int) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx2.AsyncClient(base_url=f"http://{host}:{port}", headers=headers, trust_env=False, timeout=SOON_S)


@contextlib.asynccontextmanager
async def supervised(path: Path, workers: int = 2) -> AsyncIterator[tuple[Supervisor, httpx2.AsyncClient]]:
    """DOOR_TOKEN must be set: workers read it, too."""
    settings = with_workers(load_settings(path), workers)
    supervisor = Supervisor(settings, path, config_reader(path, workers))
    await supervisor.start()
    try:
        assert supervisor.door is not None
        async with client_at(*supervisor.door.addresses[0]) as client:
            yield supervisor, client
    finally:
        await supervisor.close()


async def call(port: int, script: Mapping[str, Any], call_id: Any = None) -> CallerReport:
    return await run_caller("127.0.0.1", port, load_script(script, Path()), CallerSettings(), call_id=call_id)


async def until(condition: Any, what: str = "") -> Any:
    """Its value, once it is true; it may be a coroutine function."""
    deadline = time.monotonic() + SOON_S
    while True:
        found = condition()
        found = await found if asyncio.iscoroutine(found) else found
        if found:
            return found
        assert time.monotonic() < deadline, what or "it has not come"
        await asyncio.sleep(0.05)


class Service:
    """`turnspec serve CONFIG --workers 2`."""

    def __init__(self, path: Path) -> None:
        self._log = path.with_suffix(".log")
        environment = {**os.environ, "DOOR_TOKEN": TOKEN, "OPENAI_API_KEY": ""}
        # whoever runs the suite under nohup ignores SIGHUP, and so would this
        program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from adapters.cli import main; main()"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "serve", str(path), "--workers", "2"],
                cwd=ROOT, stderr=log, stdout=log, env=environment, start_new_session=True,
            )  # fmt: skip

    @property
    def text(self) -> str:
        """All it has written."""
        return self._log.read_text()

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [each for each in found if not event or each["event"] == event]

    async def logged(self, event: str, count: int = 1) -> dict[str, Any]:
        """The last line of this event, once there are so many."""
        return (await until(lambda: self.lines(event)[count - 1 :], f"{event}: {self._log.read_text()}"))[-1]  # type: ignore[no-any-return]

    async def ended(self) -> int:
        await until(lambda: self.process.poll() is not None, "it does not end")
        return self.process.returncode

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.asynccontextmanager
async def serving(path: Path) -> AsyncIterator[tuple[Service, int, httpx2.AsyncClient]]:
    """The process, its AudioSocket port, and a client of its door."""
    service = Service(path)
    try:
        ready, door = await service.logged("ready"), await service.logged("door_open")
        async with client_at(*door["addresses"][0]) as client:
            yield service, ready["addresses"][0][1], client
    finally:
        service.end()


def is_alive(pid: int) -> bool:
    """As a process, not as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
