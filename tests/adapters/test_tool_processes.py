"""Tools in processes, with real processes: what they return, how they are ended, what they are not given."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from adapters import tool_child, tool_processes
from adapters.tool_processes import ToolProcessError, ToolProcesses
from adapters.tools import Tool, ToolProcess, ToolRunner

TOOLS = """
import asyncio, os, subprocess, sys, time

def pid():
    return os.getpid()

async def later(n):
    await asyncio.sleep(0.01)
    return {"n": n}

def raises():
    print("what a tool prints is no reply")
    raise ValueError("no such order")

def leaves():
    sys.exit(3)

def dies():
    os._exit(7)

def variables():
    return sorted(os.environ)

def blocks(folder):
    child = subprocess.Popen(["sleep", "600"])
    with open(folder + "/pids.new", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    os.rename(folder + "/pids.new", folder + "/pids")
    while True:
        pass

def huge():
    return "x" * 200_000

def closes_its_reply():
    os.closerange(3, 50)
    return 1
"""
LONG = {"type": "object"}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tools_of_a_test.py").write_text(TOOLS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "tools_of_a_test"


@contextlib.asynccontextmanager
async def processes(most: int = 2) -> AsyncIterator[ToolProcesses]:
    pool = ToolProcesses(most)
    try:
        yield pool
    finally:
        await pool.close()
        assert len(pool) == 0


async def pids_of(folder: Path) -> list[int]:
    while not (folder / "pids").exists():  # noqa: ASYNC110  another process writes it
        await asyncio.sleep(0.01)
    return [int(each) for each in (folder / "pids").read_text().split()]


async def gone(pid: int) -> None:
    """Returns when there is no such process, or only what nobody has reaped yet."""
    while _is_alive(pid):  # noqa: ASYNC110  of a process that is not our child nobody tells us
        await asyncio.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_results_come_back_as_from_any_tool(module: str) -> None:
    async with processes() as pool:
        assert json.loads(await pool.run(f"{module}:later", {"n": 4})) == {"n": 4}
        assert (await pool.run(f"{module}:huge", {})).endswith(" ... (cut)")


async def test_a_process_is_kept_for_the_next_call(module: str) -> None:
    async with processes() as pool:
        first, second = [await pool.run(f"{module}:pid", {}) for _ in range(2)]
        assert first == second and int(first) != os.getpid() and len(pool) == 1


async def test_an_exception_is_told_with_its_name_and_where_it_was(module: str) -> None:
    async with processes() as pool:
        with pytest.raises(ToolProcessError, match=r"^ValueError: no such order") as caught:
            await pool.run(f"{module}:raises", {})
        assert "tools_of_a_test.py" in caught.value.__notes__[0]
        with pytest.raises(ToolProcessError, match="SystemExit: 3"):
            await pool.run(f"{module}:leaves", {})
        assert len(pool) == 1  # none of it was the end of the process


@pytest.mark.parametrize("name", ["dies", "closes_its_reply"])
async def test_a_process_that_ends_is_an_error_and_the_next_call_has_another(module: str, name: str) -> None:
    async with processes() as pool:
        with pytest.raises(ToolProcessError, match=r"its process ended \((exit code|signal)"):
            await pool.run(f"{module}:{name}", {})
        assert int(await pool.run(f"{module}:pid", {})) > 0


async def test_it_has_no_variable_but_those_it_names(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("SHOP_KEY", "its own")
    async with processes() as pool:
        plain = json.loads(await pool.run(f"{module}:variables", {}))
        named = json.loads(await pool.run(f"{module}:variables", {}, ("SHOP_KEY",)))
    assert "PATH" in plain and "SHOP_KEY" not in plain and "OPENAI_API_KEY" not in plain
    assert set(named) - set(plain) == {"SHOP_KEY"}


async def test_a_tool_that_is_cancelled_is_killed_with_what_it_has_started(module: str, tmp_path: Path) -> None:
    async with processes() as pool:
        call = asyncio.ensure_future(pool.run(f"{module}:blocks", {"folder": str(tmp_path)}))
        pids = await pids_of(tmp_path)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for pid in pids:
            await gone(pid)
        assert len(pool) == 0


async def test_closing_ends_what_blocks(module: str, tmp_path: Path) -> None:
    pool = ToolProcesses()
    call = asyncio.ensure_future(pool.run(f"{module}:blocks", {"folder": str(tmp_path)}))
    pids = await pids_of(tmp_path)
    await pool.close()
    with pytest.raises(ToolProcessError, match="SIGKILL"):
        await call
    for pid in pids:
        await gone(pid)


async def test_there_are_never_more_than_the_bound(module: str) -> None:
    async with processes(2) as pool:
        calls = [pool.run(f"{module}:later", {"n": n}, ("HOME",) if n % 2 else ()) for n in range(8)]
        most = 0
        for done in asyncio.as_completed(calls):
            await done
            most = max(most, len(pool))
        assert most <= 2


async def test_an_idle_process_makes_room_for_a_tool_with_other_variables(module: str) -> None:
    async with processes(1) as pool:
        first = await pool.run(f"{module}:pid", {})
        assert await pool.run(f"{module}:pid", {}, ("SHOP_KEY",)) != first and len(pool) == 1


async def test_an_idle_process_that_somebody_has_killed_is_replaced(module: str) -> None:
    async with processes() as pool:
        first = int(await pool.run(f"{module}:pid", {}))
        os.kill(first, signal.SIGKILL)
        await gone(first)
        with contextlib.suppress(ToolProcessError):  # its end was not yet known
            await pool.run(f"{module}:pid", {})
        assert int(await pool.run(f"{module}:pid", {})) != first


async def test_the_process_ends_when_whoever_started_it_is_gone(module: str, tmp_path: Path) -> None:
    """As after a SIGKILL of the server: nobody closes anything, but the pipe is gone."""
    pool = ToolProcesses()
    call = asyncio.ensure_future(pool.run(f"{module}:blocks", {"folder": str(tmp_path)}))
    pid, child = await pids_of(tmp_path)
    (worker,) = pool._live
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    await gone(pid)
    os.kill(child, signal.SIGKILL)
    with pytest.raises(ToolProcessError):
        await call
    await pool.close()


@contextlib.asynccontextmanager
async def running(tool: Tool, told: list[tuple[str, str]], pool: ToolProcesses) -> AsyncIterator[ToolRunner]:
    with ThreadPoolExecutor(1) as threads:
        runner = ToolRunner({tool.name: tool}, lambda *each: told.append(each), threads, processes=pool)
        try:
            yield runner
        finally:
            await runner.close()


async def test_a_tool_of_a_call_runs_there_and_its_deadline_ends_the_process(module: str, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    tool = Tool("t", len, parameters=LONG, deadline_s=0.5, process=ToolProcess(f"{module}:blocks"))
    async with processes() as pool, running(tool, told, pool) as runner:
        runner.run("c1", "t", json.dumps({"folder": str(tmp_path)}))
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert told == [("c1", '{"error":"the tool \'t\' did not answer within 0.5 s"}')]
        while len(pool):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_a_tool_raises_there_is_told_as_anywhere(module: str) -> None:
    told: list[tuple[str, str]] = []
    tool = Tool("t", len, parameters=LONG, process=ToolProcess(f"{module}:raises"))
    async with processes() as pool, running(tool, told, pool) as runner:
        runner.run("c1", "t", "{}")
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert told == [("c1", '{"error":"the tool \'t\' failed: ValueError: no such order"}')]


async def test_a_call_that_ends_ends_its_process(module: str, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    tool = Tool("t", len, parameters=LONG, process=ToolProcess(f"{module}:blocks"))
    async with processes() as pool:
        async with running(tool, told, pool) as runner:
            runner.run("c1", "t", json.dumps({"folder": str(tmp_path)}))
            pids = await pids_of(tmp_path)
        for pid in pids:
            await gone(pid)
        assert len(pool) == 0 and told == []


def test_a_result_that_is_no_json_and_a_name_that_is_not_there_are_told(module: str) -> None:
    assert tool_child.answer(f"{module}:nothing", {})["error"].startswith("AttributeError")
    assert tool_child.answer("no_such_module:x", {})["error"].startswith("ModuleNotFoundError")
    assert tool_child.answer("builtins:object", {})["output"].startswith('"<object object')


async def test_a_process_that_died_while_it_waited_is_replaced(module: str) -> None:
    async with processes() as pool:
        first = json.loads(await pool.run(f"{module}:pid", {}))
        (waiting,) = pool._idle
        os.kill(first, signal.SIGKILL)
        await waiting.process.wait()
        assert json.loads(await pool.run(f"{module}:pid", {})) != first
        assert len(pool) == 1


async def test_a_process_that_does_not_end_is_reported_and_not_waited_for(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with processes() as pool:
        await pool.run(f"{module}:pid", {})
        (waiting,) = pool._idle
        with monkeypatch.context() as stuck, structlog.testing.capture_logs() as logs:
            stuck.setattr(tool_processes, "_GONE_S", 0.01)
            stuck.setattr(os, "killpg", lambda _pid, _signal: None)
            await waiting.gone()
        assert [(each["event"], each["pid"]) for each in logs] == [("tool_process_does_not_end", waiting.process.pid)]
