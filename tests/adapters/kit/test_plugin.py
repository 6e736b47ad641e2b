"""The pytest plugin as strangers have it: its fixtures, and how a test that fails tells its call and keeps its wire."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TESTS = """
def test_nobody_takes_the_call(realtime_provider, phone):
    assert realtime_provider.url.startswith("ws://")
    call = phone.call("127.0.0.1:1", "steps: [wait_agent_speaking]")
    call.assert_good()

def test_something_else_fails(realtime_provider, phone):
    phone.call("127.0.0.1:1", "steps: [wait_agent_speaking]")
    assert 1 == 2

def test_a_process(bridge_process):
    import sys
    from turnspec import free_port
    port = free_port()
    listens = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(99)"
    assert bridge_process([sys.executable, "-c", listens], port=port).port == port
"""


def test_what_a_failing_test_shows(tmp_path: Path) -> None:
    (tmp_path / "test_bridge.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        str(tmp_path / "base"),
        ".",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "AssertionError: the caller's side of the call has 1 fault:" in done.stdout
    assert "not-connected: 0.00 s: cannot connect" in done.stdout
    first, second = done.stdout.split("__ test_something_else_fails __", 1)
    assert "turnspec: call 1" not in first and "turnspec: call 1" in second
    [wire, _] = re.findall(r"the wire is kept: turnspec audit (\S+)", done.stdout)
    assert Path(wire).is_file()


def test_a_test_run_that_asks_for_nothing_imports_nothing() -> None:
    code = (
        "import sys, turnspec, turnspec.pytest_plugin; "
        "print([n for n in sys.modules if n.split('.')[0] in ('adapters', 'fsm', 'numpy', 'transitions')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
