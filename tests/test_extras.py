"""A plain install takes calls from AudioSocket with a Realtime provider; what needs more names its extra.

Each is run in a process of its own in which the libraries of the extras cannot be imported, or one of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    "draw": ("pygraphviz",),
    "http": ("starlette", "uvicorn", "h11", "prometheus_client"),
    "twilio": ("httpx2",),
    "sideband": ("httpx2",),
    "ari": ("httpx2",),
    "cluster": ("redis",),
    "kit": ("trustme",),
    "fast": ("uvloop",),
    "editor": ("pygls", "lsprotocol"),
}
"""What the distributions of each extra are imported as."""
PLAIN = "provider: {url: 'ws://127.0.0.1:1'}\nlisten: {audiosocket: '127.0.0.1:0', chan_websocket: '127.0.0.1:0'}\n"
TWILIO = (
    "provider: {url: 'ws://127.0.0.1:1'}\nlisten: {audiosocket: '127.0.0.1:0', twilio: '127.0.0.1:0'}\n"
    "twilio: {public_url: 'https://a.example.com', account_sid: AC1, auth_token: '0123456789abcdef'}\n"
)
SERVED = """
import asyncio, sys
from pathlib import Path
from adapters.server.server import TurnspecServer
from adapters.settings.config import load_settings
async def main():
    server = TurnspecServer(load_settings(Path(sys.argv[1])))
    await server.start()
    await server.close(0)
asyncio.run(main())
print("SERVED")
"""


def run(without: tuple[str, ...], program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program in a Python that has no such modules: to import them fails, and `find_spec` finds none."""
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({without!r}))\n"
    return subprocess.run(
        [sys.executable, "-c", blocked + program, *arguments], cwd=ROOT, text=True, capture_output=True, timeout=120,
        check=False,
        env={**os.environ, "OPENAI_API_KEY": "sk-1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_ACCOUNT_SID": "AC1"},
    )  # fmt: skip


def turnspec(without: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(without, "from adapters.cli import main; main()", *arguments)


def written(folder: Path, text: str) -> str:
    path = folder / "turnspec.yaml"
    path.write_text(text)
    return str(path)


def test_every_extra_is_looked_at() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) - {"dev"} == set(MODULES), "a new extra: what it is imported as, and what is said without it"
    assert set(re.findall(r"[a-z]+", extras["dev"][0])) >= set(MODULES), "all of them are tested"


@pytest.mark.parametrize("text", [PLAIN, TWILIO], ids=["audiosocket, chan_websocket", "twilio"])
def test_a_plain_install_serves_the_lines(tmp_path: Path, text: str) -> None:
    without = tuple({name for names in MODULES.values() for name in names})
    done = run(without, SERVED, written(tmp_path, text))
    assert done.stdout.endswith("SERVED\n"), done.stderr


@pytest.mark.parametrize("command", [("check", "server_vad"), ("demo", "--help"), ("--help",), ("simulate", "--help")])
def test_a_plain_install_has_the_commands(command: tuple[str, ...]) -> None:
    without = tuple({name for names in MODULES.values() for name in names})
    assert turnspec(without, *command).returncode == 0


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ("http", PLAIN + "http: {listen: 9080}\n"),
        ("cluster", PLAIN + "cluster: {url: 'redis://127.0.0.1'}\n"),
        ("ari", PLAIN + "control: {ari: {url: 'http://127.0.0.1:8088/ari', username: u, password: p}}\n"),
        ("sideband", PLAIN + "http: {listen: 9080}\nsideband: {webhook: {secrets: [MDEyMzQ1Njc4OWFiY2RlZg==]}}\n"),
        ("twilio", TWILIO + "transfers: {sales: {dial: '+4930'}}\n"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_a_configuration_that_needs_an_extra_is_refused_by_its_name_at_its_line(
    tmp_path: Path, extra: str, text: str, command: str
) -> None:
    for missing in MODULES[extra]:
        arguments = ("--check",) if command == "serve" else ("--offline",)
        done = turnspec((missing,), command, written(tmp_path, text), *arguments)
        assert done.returncode == 1 and f"turnspec[{extra}]" in done.stderr, done.stderr
        assert re.search(r"turnspec\.yaml:\d+:\d+: error\[", done.stderr) and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("editor", ("lsp",)),
        ("draw", ("diagram", "server_vad", "--svg", "--out", "FOLDER")),
        ("twilio", ("simulate", "caller", "127.0.0.1:1", "--twilio", "https://a.example.com/twiml")),
    ],
)  # fmt: skip
def test_a_command_that_needs_an_extra_says_its_name(tmp_path: Path, extra: str, arguments: tuple[str, ...]) -> None:
    done = turnspec(MODULES[extra], *(str(tmp_path) if each == "FOLDER" else each for each in arguments))
    assert done.returncode == 1 and f"turnspec[{extra}]" in done.stderr and "Traceback" not in done.stderr


def test_top_says_which_extra_reads_metrics() -> None:
    done = turnspec(("prometheus_client",), "top", "http://127.0.0.1:1", "--once")
    assert done.returncode == 1 and "turnspec[http]" in done.stderr and "Traceback" not in done.stderr
