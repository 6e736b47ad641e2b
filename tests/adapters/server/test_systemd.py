"""What systemd is told, over a real datagram socket: ready, reloading, stopping, the watchdog's beat; or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.server.inside import ReloadVerdict
from adapters.server.reload import Reloads
from adapters.server.service import run_service
from adapters.server.systemd import ServiceManager
from adapters.settings.config import load_settings
from tests.adapters.server.test_server_command import config, read_to, started


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.settimeout(20)
        yield sock


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> str:
    return os.path.relpath(tmp_path / "notify")


def test_it_is_told_of_each_change(place: str) -> None:
    with listening(place) as heard:
        manager = ServiceManager({"NOTIFY_SOCKET": place})
        manager.ready()
        manager.reloading()
        manager.ready()
        manager.stopping()
        told = [heard.recv(200).decode() for _ in range(4)]
    assert told[0] == told[2] == "READY=1" and told[3] == "STOPPING=1"
    reloading, _, since = told[1].partition("\nMONOTONIC_USEC=")
    assert reloading == "RELOADING=1" and since.isdecimal()


def test_a_socket_without_a_file_is_known_by_its_sign() -> None:
    name = f"turnspec-test-{os.getpid()}"
    with listening(f"\0{name}") as heard:
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert heard.recv(200) == b"READY=1"


async def test_the_watchdog_hears_of_a_loop_that_turns_until_the_end(place: str) -> None:
    with listening(place) as heard:
        heard.setblocking(False)
        manager = ServiceManager({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())})
        manager.ready()
        loop, told = asyncio.get_running_loop(), list[bytes]()
        async with asyncio.timeout(20):
            while told.count(b"WATCHDOG=1") < 3:
                told.append(await loop.sock_recv(heard, 200))
        assert told[0] == b"READY=1"
        manager.ready()
        manager.close()
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.recv(200)
        await asyncio.sleep(0.1)
        with pytest.raises(BlockingIOError):
            heard.recv(200)


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "1000"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "x"}],
)
async def test_without_a_service_manager_nothing_is_sent(environment: dict[str, str], place: str) -> None:
    with listening(place) as heard:
        heard.setblocking(False)
        manager = ServiceManager(environment)
        manager.ready()
        manager.stopping()
        manager.close()
        await asyncio.sleep(0.02)
        with pytest.raises(BlockingIOError):
            heard.recv(200)


@pytest.mark.parametrize("of_process", ["1", "x"])
async def test_the_watchdog_of_another_process_is_not_ours(of_process: str, place: str) -> None:
    with listening(place) as heard:
        heard.setblocking(False)
        manager = ServiceManager({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": of_process})
        manager.ready()
        await asyncio.sleep(0.02)
        assert heard.recv(200) == b"READY=1"
        with pytest.raises(BlockingIOError):
            heard.recv(200)


def test_one_that_does_not_listen_is_told_about_once_and_costs_nothing(tmp_path: Path) -> None:
    with capture_logs() as logs:
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
        manager.ready()
        manager.stopping()
    assert [each["event"] for each in logs] == ["service_manager_not_told"]


class Served:
    """A service of nothing but its life."""

    live_calls = 0

    def __init__(self) -> None:
        self.forced, self.is_leaving, self.is_closed = asyncio.Event(), False, False

    def force(self) -> None:
        self.forced.set()

    async def close(self) -> None:
        self.is_closed = True


async def test_a_reload_is_told_from_its_begin_to_its_end(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    served, is_good, settings = Served(), asyncio.Event(), load_settings(config(tmp_path, 0))

    async def apply() -> ReloadVerdict:
        await is_good.wait()
        return ReloadVerdict()

    async def start(_stop: asyncio.Event) -> None: ...

    reloads, loop = Reloads(apply), asyncio.get_running_loop()
    with listening(place) as heard:
        heard.setblocking(False)
        running = asyncio.create_task(run_service(served, settings, reloads, start))
        async with asyncio.timeout(20):
            assert await loop.sock_recv(heard, 200) == b"READY=1"
            reloads.begin()
            assert (await loop.sock_recv(heard, 200)).startswith(b"RELOADING=1")
            is_good.set()
            assert await loop.sock_recv(heard, 200) == b"READY=1"
        running.cancel()
        await asyncio.wait([running])
    assert served.is_closed


def test_a_server_tells_it_that_it_is_ready_and_that_it_stops(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(place).resolve()
    monkeypatch.setenv("NOTIFY_SOCKET", f"@turnspec-serve-{os.getpid()}")
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with listening(f"\0turnspec-serve-{os.getpid()}") as heard, started(config(path.parent, 0)) as process:
        assert process.stderr is not None
        assert heard.recv(200) == b"READY=1"
        read_to(process.stderr, "ready")
        assert heard.recv(200) == b"WATCHDOG=1" == heard.recv(200)
        process.send_signal(signal.SIGTERM)
        while (told := heard.recv(200)) == b"WATCHDOG=1":
            pass
        assert told == b"STOPPING=1"
        process.communicate(timeout=20)
        assert process.returncode == 0
