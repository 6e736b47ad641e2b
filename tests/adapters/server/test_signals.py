"""Signals of a process of its own: what begins its end, what does not, and that the end comes whatever a tool does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from adapters.server.signals import end_loop

ROOT = Path(__file__).resolve().parents[3]
BEGIN = """
import asyncio, contextlib, signal, sys, threading, time
from adapters import logs
from adapters.logs import LogSettings
from adapters.server.signals import end_loop, stop_signals

logs.configure(LogSettings(), ())
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup

def say(word):
    print(word, flush=True)

async def serve(end_s=30.0):
    stop = asyncio.Event()
    with stop_signals(stop.set, end_s):
        say("ready")
        await stop.wait()
        say("stopping")
"""


def process(program: str, **how: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + textwrap.dedent(program)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how,
    )  # fmt: skip


def ended(running: subprocess.Popen[str], *signals: signal.Signals) -> tuple[int, str, list[dict[str, Any]]]:
    """After these signals, one as soon as the one before is noticed: code, what was said, the log."""
    with running:
        assert running.stdout is not None
        said = running.stdout.readline()
        for each in signals:
            running.send_signal(each)
            said += running.stdout.readline()
        rest, logged = running.communicate(timeout=30)
        return running.returncode, said + rest, [json.loads(line) for line in logged.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noticed_in_the_loop(number: signal.Signals) -> None:
    assert ended(process("asyncio.run(serve())"), number) == (0, "ready\nstopping\n", [])


@pytest.mark.parametrize("keeps", ["while True: pass", "time.sleep(1e6)"])
def test_a_tool_that_keeps_the_loop_does_not_keep_the_process(keeps: str) -> None:
    program = f"""
    def keeps_the_loop():
        say("kept")
        {keeps}

    async def main():
        asyncio.get_running_loop().call_later(0.01, keeps_the_loop)
        await serve(end_s=0.3)

    asyncio.run(main())
    """
    with process(program) as running:
        assert running.stdout is not None and running.stderr is not None
        assert [running.stdout.readline(), running.stdout.readline()] == ["ready\n", "kept\n"]
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 1
        (line,) = map(json.loads, running.stderr)
    assert line["event"] == "process_does_not_end" and line["after_s"] == 0.3
    assert line["busy_with"][-1].endswith("keeps_the_loop")


def test_a_third_signal_waits_for_nobody() -> None:
    program = """
    async def main():
        stop = asyncio.Event()
        with stop_signals(lambda: say("stopping"), 30.0):
            say("ready")
            await stop.wait()

    asyncio.run(main())
    """
    code, said, _ = ended(process(program), signal.SIGTERM, signal.SIGTERM, signal.SIGTERM)
    assert (code, said) == (128 + signal.SIGTERM, "ready\nstopping\nstopping\n")


def test_a_hangup_without_a_terminal_is_no_end() -> None:
    program = """
    async def main():
        stop = asyncio.Event()
        with stop_signals(stop.set, 30.0):
            signal.raise_signal(signal.SIGHUP)
            await asyncio.sleep(0.05)
            say("here" if not stop.is_set() else "stopped")
            await stop.wait()
            say("stopping")

    asyncio.run(main())
    """
    code, said, lines = ended(process(program, start_new_session=True), signal.SIGTERM)
    assert (code, said) == (0, "here\nstopping\n")
    assert [(line["event"], line["why"].partition(":")[0]) for line in lines] == [
        ("signal_ignored", "nothing is read again here")
    ]


def test_a_closed_terminal_is_a_stop() -> None:
    ours, its = os.openpty()
    take = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\nasyncio.run(serve())"
    with process(take, stdin=its, start_new_session=True) as running:
        os.close(its)
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        os.close(ours)
        said, _ = running.communicate(timeout=30)
        assert (said, running.returncode) == ("stopping\n", 0)


def test_under_nohup_a_hangup_stays_ignored() -> None:
    program = """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def main():
        with stop_signals(lambda: None, 30.0):
            say(str(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN))

    asyncio.run(main())
    """
    assert ended(process(program))[1] == "True\n"


def test_handlers_are_as_they_were() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    program = """
    async def main():
        with stop_signals(lambda: None, 30.0):
            pass

    before = signal.getsignal(signal.SIGTERM)
    asyncio.run(main())
    say(str(signal.getsignal(signal.SIGTERM) is before))
    """
    assert ended(process(program))[1] == "True\n"
    assert before == [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]


def test_a_task_that_swallows_its_cancellation_is_left() -> None:
    loop = asyncio.new_event_loop()
    release: list[bool] = []

    async def stubborn() -> None:
        while not release:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    async def begin() -> None:
        asyncio.get_running_loop().create_task(stubborn(), name="tool-lookup")
        asyncio.get_running_loop().create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)

    loop.run_until_complete(begin())
    assert not end_loop(loop, deadline_s=0.05)
    assert len(asyncio.all_tasks(loop)) == 1
    release.append(True)
    assert end_loop(loop)
    assert loop.is_closed()
