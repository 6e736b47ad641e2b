"""Tools: whatever goes wrong, the model is told once, and the call goes on."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
import structlog

from adapters.tool_texts import MAX_OUTPUT_BYTES
from adapters.tools import (
    BLOCKED_S,
    MAX_ARGUMENTS_CHARS,
    Tool,
    ToolError,
    ToolRunner,
    checked,
    imported,
)

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Results:
    """Collects what the model would be told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self._came = asyncio.Condition()
        self._notices: set[asyncio.Task[None]] = set()

    def __call__(self, call_id: str, output: str) -> None:
        self.told.append((call_id, output))
        self._notices.add(asyncio.ensure_future(self._notify()))

    async def _notify(self) -> None:
        async with self._came:
            self._came.notify_all()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(5), self._came:
            await self._came.wait_for(lambda: len(self.told) >= count)


async def told(tool: Tool, arguments: str, threads: ThreadPoolExecutor, name: str | None = None) -> str:
    results = Results()
    runner = ToolRunner({tool.name: tool}, results, threads)
    runner.run("call_1", name or tool.name, arguments)
    await results.wait(1)
    await runner.close()
    assert results.told[0][0] == "call_1"
    assert len(results.told) == 1
    return results.told[0][1]


async def weather(city: str) -> dict[str, object]:
    await asyncio.sleep(0)
    return {"city": city, "celsius": 21}


def slow_weather(city: str) -> str:
    return f"{city}: {threading.current_thread().name != threading.main_thread().name}"


async def test_an_async_tool_answers_with_json(threads: ThreadPoolExecutor) -> None:
    output = await told(Tool("weather", weather, parameters=CITY), '{"city": "Paris"}', threads)
    assert json.loads(output) == {"city": "Paris", "celsius": 21}


async def test_a_plain_tool_runs_in_a_thread_and_its_text_is_passed_on(threads: ThreadPoolExecutor) -> None:
    assert await told(Tool("weather", slow_weather, parameters=CITY), '{"city": "Bonn"}', threads) == "Bonn: True"


def fails(city: str) -> str:
    raise RuntimeError(f"no weather in {city}")


async def never(city: str) -> str:
    await asyncio.Event().wait()
    return city


def leaves() -> str:
    sys.exit(3)


async def leaves_async() -> str:
    raise SystemExit(3)


async def gives_up() -> str:
    raise asyncio.CancelledError


def runs_dry() -> str:
    return next(iter(()))


async def holds_out() -> str:
    """Ignores its cancellation, once."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.sleep(0.2)
    return "late"


def unprintable() -> str:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    raise UnprintableError


NO_SUCH_REF: dict[str, object] = {"type": "object", "properties": {"city": {"$ref": "#/nowhere"}}}
BAD_PATTERN: dict[str, object] = {"type": "object", "properties": {"city": {"pattern": "("}}}
ELSEWHERE: dict[str, object] = {"type": "object", "properties": {"city": {"$ref": "http://127.0.0.1:1/x"}}}


@pytest.mark.parametrize(
    ("tool", "name", "arguments", "expected"),
    [
        (Tool("weather", weather), "wether", "{}", "there is no tool 'wether'; there are: weather"),
        (Tool("weather", weather, parameters=CITY), None, '{"city": ', "the arguments are not JSON"),
        (Tool("weather", weather, parameters=CITY), None, '{"town": "Rome"}', "the arguments do not fit"),
        (Tool("weather", weather, parameters={}), None, "[1]", "the arguments are not a JSON object"),
        (Tool("weather", fails, parameters=CITY), None, '{"city": "Rome"}', "failed: RuntimeError: no weather in Rome"),
        (Tool("weather", never, parameters=CITY, deadline_s=0.05), None, '{"city": "Rome"}', "did not answer within"),
        (Tool("weather", leaves), None, "{}", "failed: SystemExit: 3"),
        (Tool("weather", leaves_async), None, "{}", "failed: SystemExit: 3"),
        (Tool("weather", gives_up), None, "{}", "failed: CancelledError"),
        (Tool("weather", runs_dry), None, "{}", "failed: StopIteration"),
        (Tool("weather", unprintable), None, "{}", "failed: UnprintableError"),
        (Tool("weather", holds_out, deadline_s=0.05), None, "{}", "did not answer within"),
        (Tool("weather", weather, parameters=NO_SUCH_REF), None, '{"city": "Rome"}', "cannot be checked"),
        (Tool("weather", weather, parameters=BAD_PATTERN), None, '{"city": "Rome"}', "cannot be checked"),
        (Tool("weather", weather, parameters=ELSEWHERE), None, '{"city": "Rome"}', "cannot be checked"),
        (Tool("weather", lambda: 10**30), None, "{}", "cannot be written as JSON"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model(
    tool: Tool, name: str | None, arguments: str, expected: str, threads: ThreadPoolExecutor
) -> None:
    output = json.loads(await told(tool, arguments, threads, name))
    assert expected in output["error"]


class _Schemas(http.server.BaseHTTPRequestHandler):
    """A server that would give the schema it is asked for."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        schema = b'{"type": "string"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(schema)))
        self.end_headers()
        self.wfile.write(schema)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on stderr."""


@pytest.mark.filterwarnings("ignore:Automatically retrieving remote references")
async def test_a_reference_to_elsewhere_is_not_fetched(threads: ThreadPoolExecutor) -> None:
    """It would be waited for in the loop of all calls."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Schemas) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}"
            with urllib.request.urlopen(f"{url}/alive") as alive:  # noqa: ASYNC210  it is there and answers
                assert alive.status == 200
            schema = {"type": "object", "properties": {"city": {"$ref": f"{url}/city.json"}}}
            output = json.loads(await told(Tool("weather", weather, parameters=schema), '{"city": "Rome"}', threads))
        finally:
            server.shutdown()
            thread.join()
    assert _Schemas.asked == ["/alive"]
    assert "the arguments cannot be checked" in output["error"] and "city.json" in output["error"]


async def test_a_plain_function_may_return_what_is_to_be_awaited(threads: ThreadPoolExecutor) -> None:
    def wrapped(city: str) -> Awaitable[object]:
        return weather(city)

    output = await told(Tool("weather", wrapped, parameters=CITY), '{"city": "Paris"}', threads)
    assert json.loads(output)["celsius"] == 21


async def test_a_tool_that_ignores_its_cancellation_does_not_keep_the_call(threads: ThreadPoolExecutor) -> None:
    released = asyncio.Event()

    async def stubborn() -> str:
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()
        return ""

    runner = ToolRunner({"stubborn": Tool("stubborn", stubborn)}, Results(), threads)
    runner.run("call_1", "stubborn", "{}")
    await asyncio.sleep(0)
    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(5):
            await runner.close(deadline_s=0.05)
    assert [each["event"] for each in logs] == ["tool_ignores_cancellation"]
    released.set()


async def test_a_huge_result_is_cut(threads: ThreadPoolExecutor) -> None:
    output = await told(Tool("weather", lambda: "ä" * MAX_OUTPUT_BYTES), "{}", threads)
    assert len(output.encode()) < MAX_OUTPUT_BYTES + 20
    assert output.endswith(" ... (cut)")


async def test_two_tools_finishing_at_once_are_told_one_after_the_other(
    threads: ThreadPoolExecutor,
) -> None:
    gate = threading.Barrier(2, timeout=5)
    nested: list[bool] = []
    results = Results()

    def tell(call_id: str, output: str) -> None:
        nested.append(threading.current_thread() is threading.main_thread())
        results(call_id, output)

    runner = ToolRunner({"meet": Tool("meet", lambda: str(gate.wait() < 2))}, tell, threads)
    runner.run("call_1", "meet", "{}")
    runner.run("call_2", "meet", "{}")
    await results.wait(2)
    await runner.close()
    assert sorted(results.told) == [("call_1", "True"), ("call_2", "True")]
    assert nested == [True, True]


async def test_a_cancelled_call_tells_nothing_and_close_leaves_no_task(threads: ThreadPoolExecutor) -> None:
    results = Results()
    runner = ToolRunner({"never": Tool("never", never, parameters=CITY)}, results, threads)
    runner.run("call_1", "never", '{"city": "x"}')
    runner.run("call_2", "never", '{"city": "x"}')
    await asyncio.sleep(0)
    runner.cancel("call_1")
    await runner.close()
    assert results.told == []
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("tool-")] == []


def test_a_tool_that_cannot_be_imported_is_named() -> None:
    assert imported("time:monotonic") is time.monotonic
    for reference, expected in [
        ("weather", "not of the form module:function"),
        ("no_such_module:x", "module 'no_such_module' cannot be imported"),
        ("json:no_such", "module 'json' has no callable 'no_such'"),
    ]:
        with pytest.raises(ToolError, match=expected):
            imported(reference)


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(ToolError, match="the parameters of tool 'x' are not a JSON schema"):
        checked(Tool("x", weather, parameters={"type": "objekt"}))


async def test_a_tool_that_holds_the_loop_is_named(threads: ThreadPoolExecutor) -> None:
    async def greedy() -> str:
        await asyncio.sleep(0)
        time.sleep(BLOCKED_S)  # noqa: ASYNC251
        await asyncio.sleep(0)
        return "done"

    async def patient() -> str:
        for _ in range(3):
            await asyncio.sleep(BLOCKED_S)
        with contextlib.suppress(ZeroDivisionError):
            await asyncio.ensure_future(breaks())
        return "done"

    async def breaks() -> None:
        raise ZeroDivisionError

    with structlog.testing.capture_logs() as lines:
        assert [await told(Tool(each.__name__, each), "{}", threads) for each in (greedy, patient)] == ["done", "done"]
    assert [each["tool"] for each in lines if each["event"] == "tool_blocks_the_loop"] == ["greedy"]


async def test_arguments_of_megabytes_are_not_read(threads: ThreadPoolExecutor) -> None:
    output = await told(Tool("weather", weather, parameters=CITY), "[" * (MAX_ARGUMENTS_CHARS + 1), threads)
    assert "the arguments are too long" in json.loads(output)["error"]
