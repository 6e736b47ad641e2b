"""Processes of a cluster: a provider, Redis, HAProxy with deploy/haproxy.cfg, nodes. Each is ended by who began it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parents[2]
HAPROXY_CFG: Final = ROOT / "deploy" / "haproxy.cfg"
HAPROXY: Final = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
REDIS: Final = shutil.which("redis-server") or shutil.which("valkey-server")
NODES: Final = ("a", "b", "c")
START_S: Final = 120.0
_TURNSPEC: Final = (sys.executable, "-c", "from adapters.cli import main; main()")


def free_ports(count: int) -> list[int]:
    """Different ones that nobody has now."""
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in socks]


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on {port}")


def cpu_s(process: subprocess.Popen[bytes] | None) -> float:
    """What it has used so far (Linux)."""
    assert process is not None
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def get(port: int, path: str, timeout_s: float = 20.0) -> tuple[int, str]:
    """By HTTP. (0, "") where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""


def post(port: int, path: str, body: Mapping[str, object]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@attrs.define
class ClusterNode:
    """One `turnspec serve`, and where it is."""

    name: str
    config: Path
    port: int
    door: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.config.with_suffix(".log")).open("ab") as log:
            self.process = subprocess.Popen(
                [*_TURNSPEC, "serve", str(self.config)], cwd=ROOT, stderr=log,
                env={**os.environ, "OPENAI_API_KEY": "sk-none", "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def wait_ready(self) -> None:
        assert self.process is not None
        until_s = time.monotonic() + START_S
        while get(self.door, "/readyz")[0] != 200:
            if time.monotonic() > until_s or self.process.poll() is not None:
                raise RuntimeError(f"node {self.name} is not ready: {self.config.with_suffix('.log')}")
            time.sleep(0.1)

    def kill(self) -> None:
        """As the power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    def begin_end(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait_ended(self, deadline_s: float) -> int:
        assert self.process is not None
        return self.process.wait(deadline_s)

    @property
    def log(self) -> str:
        return self.config.with_suffix(".log").read_text()


@attrs.define
class ClusterRig:
    """All of it. `audiosocket`, `door` and `stats` are HAProxy's ports."""

    folder: Path
    audiosocket: int
    door: int
    stats: int
    redis_port: int
    nodes: dict[str, ClusterNode]
    redis: subprocess.Popen[bytes] | None = None
    haproxy: subprocess.Popen[bytes] | None = None

    def start_redis(self) -> None:
        assert REDIS is not None
        args = ["--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.redis = subprocess.Popen([REDIS, *args], stdout=subprocess.DEVNULL)
        wait_for_port(self.redis_port, self.redis)

    def kill_redis(self) -> None:
        assert self.redis is not None
        self.redis.kill()
        self.redis.wait(10)

    def up(self) -> set[str]:
        """Nodes that HAProxy sends calls to."""
        status, text = get(self.stats, "/stats;csv")
        rows = [line.split(",") for line in text.splitlines() if line.startswith("audiosocket_nodes,")]
        return {row[1] for row in rows if status == 200 and row[1] in self.nodes and row[17].startswith("UP")}

    def wait_up(self, names: Sequence[str]) -> None:
        until_s = time.monotonic() + START_S
        while self.up() != set(names):
            if time.monotonic() > until_s:
                raise RuntimeError(f"HAProxy sends calls to {sorted(self.up())}, not to {sorted(names)}")
            time.sleep(0.1)


def _config(folder: Path, name: str, provider: int, redis: int, port: int, door: int, notice_s: float) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(
        f"listen: {{audiosocket: '127.0.0.1:{port}'}}\nhttp: {{listen: '127.0.0.1:{door}', requests_per_s: 10000}}\n"
        f"provider: {{url: 'ws://127.0.0.1:{provider}'}}\n"
        f"cluster: {{url: 'redis://127.0.0.1:{redis}/0', node: {name}, heartbeat_s: 0.5}}\n"
        "agents: {night: {instructions: 'Say that we are closed.'}}\n"
        f"limits: {{notice_s: {notice_s:g}, shutdown_s: 10}}\n"
    )
    return path


@contextlib.contextmanager
def cluster(folder: Path, notice_s: float = 60.0) -> Iterator[ClusterRig]:
    """Three nodes that are ready, and known to HAProxy."""
    audiosocket, websocket, door, stats, provider, redis, *of_nodes = free_ports(6 + 2 * len(NODES))
    nodes = {}
    for name in NODES:
        port, own_door = of_nodes.pop(), of_nodes.pop()
        config = _config(folder, name, provider, redis, port, own_door, notice_s)
        nodes[name] = ClusterNode(name, config, port, own_door)
    rig = ClusterRig(folder, audiosocket, door, stats, redis, nodes)
    begun: list[subprocess.Popen[bytes]] = []
    try:
        begun.append(_provider(provider))
        rig.start_redis()
        for node in nodes.values():
            node.start()
        for node in nodes.values():
            node.wait_ready()
        rig.haproxy = _haproxy(rig, websocket)
        begun.append(rig.haproxy)
        rig.wait_up(NODES)
        yield rig
    finally:
        processes = [*begun, rig.redis, *(node.process for node in nodes.values())]
        for process in filter(None, processes):
            process.kill()
            process.wait(30)


def _provider(port: int) -> subprocess.Popen[bytes]:
    arguments = ["simulate", "provider", "--port", str(port), "--quiet", "--json"]
    process = subprocess.Popen([*_TURNSPEC, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_port(port, process)
    return process


def haproxy_environment(rig: ClusterRig, websocket: int) -> dict[str, str]:
    """The names of deploy/haproxy.cfg."""
    names = {
        "AUDIOSOCKET": f"127.0.0.1:{rig.audiosocket}", "WEBSOCKET": f"127.0.0.1:{websocket}",
        "DOOR": f"127.0.0.1:{rig.door}", "STATS": f"127.0.0.1:{rig.stats}",
        "HAPROXY_SOCKET": str(rig.folder / "haproxy.sock"), "HAPROXY_MAXCONN": "1000",
    }  # fmt: skip
    for name, node in rig.nodes.items():
        big = name.upper()
        names |= {f"NODE_{big}": f"127.0.0.1:{node.port}", f"DOOR_{big}": str(node.door)}
        names |= {f"DOOR_HOST_{big}": "127.0.0.1", f"WS_{big}": f"127.0.0.1:{node.port}"}
    return names


def _haproxy(rig: ClusterRig, websocket: int) -> subprocess.Popen[bytes]:
    assert HAPROXY is not None
    with (rig.folder / "haproxy.log").open("ab") as log:
        process = subprocess.Popen(
            [HAPROXY, "-db", "-f", str(HAPROXY_CFG)], env={**os.environ, **haproxy_environment(rig, websocket)},
            stdout=log, stderr=log,
        )  # fmt: skip
    wait_for_port(rig.stats, process)
    return process
