"""Tools: Python callables the model may call. Runs them with a deadline; whatever goes wrong, the model learns of it.

A tool may be async (runs on the loop) or plain (runs in a thread). Its outcome is one text for the model; an unknown
name, arguments that are not JSON or not of the schema, an exception and a missed deadline are such texts too.
Never here: when the model is asked to answer.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import attrs
import orjson
import structlog

from fsm.errors import LocalError

log = structlog.get_logger(__name__)

OnResult = Callable[[str, str], None]
"""`on_result(call_id, output)`, on the loop's thread, exactly once for each call that was not cancelled."""

MAX_OUTPUT_BYTES = 64 * 1024


class ToolError(LocalError, ValueError):
    """A tool that cannot be used as configured."""


@attrs.frozen
class Tool:
    """A callable with its JSON schema. `function` takes the schema's properties as keyword arguments."""

    name: str
    function: Callable[..., object] = attrs.field(repr=False)
    description: str = ""
    parameters: Mapping[str, object] = attrs.field(factory=lambda: {"type": "object", "properties": {}})
    deadline_s: float = 20.0

    @property
    def definition(self) -> dict[str, object]:
        """As `session.update` wants it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }


def imported(reference: str) -> Callable[..., object]:
    """The callable behind `module:function`. Raises ToolError that names what is missing."""
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise ToolError(f"'{reference}' is not of the form module:function")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ToolError(f"module '{module_name}' cannot be imported: {type(error).__name__}: {error}") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ToolError(f"module '{module_name}' has no callable '{attribute}'")
    return function  # type: ignore[no-any-return]


def checked(tool: Tool) -> Tool:
    """The tool, its schema found to be one. Raises ToolError."""
    import jsonschema  # heavy; only for calls that have tools

    try:
        jsonschema.Draft202012Validator.check_schema(dict(tool.parameters))
    except jsonschema.SchemaError as error:
        raise ToolError(f"the parameters of tool '{tool.name}' are not a JSON schema: {error.message}") from error
    return tool


class ToolRunner:
    """The running tools of one call. `threads` is shared by the process; plain functions wait there for a free one."""

    def __init__(self, tools: Mapping[str, Tool], on_result: OnResult, threads: ThreadPoolExecutor) -> None:
        self._tools = tools
        self._on_result = on_result
        self._threads = threads
        self._running: dict[str, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[_Outcome]] = set()  # of tools themselves: they may outlive their deadline

    def run(self, call_id: str, name: str, arguments: str) -> None:
        """Starts a call; its result comes through `on_result`, also for a call that cannot be run."""
        task = asyncio.get_running_loop().create_task(self._run(call_id, name, arguments), name=f"tool-{name}")
        self._running[call_id] = task
        task.add_done_callback(lambda _: self._running.pop(call_id, None))

    def cancel(self, call_id: str) -> None:
        """Forgets a call: no result will come. A plain function goes on in its thread, unheard."""
        task = self._running.pop(call_id, None)
        if task is not None:
            task.cancel()

    async def close(self, deadline_s: float = 1.0) -> None:
        """Cancels what runs; returns when every task is gone, but for a tool that does not let itself be cancelled."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._work:
            await asyncio.wait(self._work, timeout=deadline_s)
        for work in self._work:
            log.error("tool_ignores_cancellation", tool=work.get_name().removeprefix("tool-"))

    async def _run(self, call_id: str, name: str, arguments: str) -> None:
        output = await self._output(call_id, name, arguments)
        self._on_result(call_id, output)

    async def _output(self, call_id: str, name: str, arguments: str) -> str:
        tool = self._tools.get(name)
        if tool is None:
            return _error(f"there is no tool '{name}'; there are: {', '.join(sorted(self._tools)) or 'none'}")
        parsed, problem = _arguments(tool, arguments)
        if problem:
            return _error(problem)
        began = asyncio.get_running_loop().time()
        outcome = await self._outcome(tool, parsed)
        if outcome is None:
            log.warning("tool_overdue", tool=name, tool_call_id=call_id, deadline_s=tool.deadline_s)
            return _error(f"the tool '{name}' did not answer within {tool.deadline_s:g} s")
        if outcome.error is not None:
            error = outcome.error
            log.warning("tool_failed", tool=name, tool_call_id=call_id, error=type(error).__name__, exc_info=error)
            return _error(f"the tool '{name}' failed: {type(error).__name__}: {_text(error)}".rstrip(": "))
        seconds = asyncio.get_running_loop().time() - began
        log.debug("tool_returned", tool=name, tool_call_id=call_id, seconds=round(seconds, 3))
        return _output(outcome.result)

    async def _outcome(self, tool: Tool, arguments: Mapping[str, object]) -> _Outcome | None:
        """What came of a call; None: nothing in time. The tool is a task of its own, so that it cannot hold this one.

        A tool may raise anything, also what would end a thread, a task or the process.
        """
        work = asyncio.get_running_loop().create_task(self._called(tool, arguments), name=f"tool-{tool.name}")
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        try:
            await asyncio.wait([work], timeout=tool.deadline_s)
        finally:
            work.cancel()  # nothing, where it is done
        if not work.done():
            return None
        return _Outcome(None, asyncio.CancelledError()) if work.cancelled() else work.result()

    async def _called(self, tool: Tool, arguments: Mapping[str, object]) -> _Outcome:
        if inspect.iscoroutinefunction(tool.function):
            return await _awaited(tool.function(**arguments))
        outcome = await asyncio.get_running_loop().run_in_executor(self._threads, _call, tool, arguments)
        return await _awaited(outcome.result) if inspect.isawaitable(outcome.result) else outcome


@attrs.frozen
class _Outcome:
    """Of a tool: what it returned, or what it raised."""

    result: object = None
    error: BaseException | None = None


def _call(tool: Tool, arguments: Mapping[str, object]) -> _Outcome:
    try:
        return _Outcome(tool.function(**arguments))
    except BaseException as error:  # a StopIteration would never leave the thread's future
        return _Outcome(None, error)


async def _awaited(result: Awaitable[object]) -> _Outcome:
    try:
        return _Outcome(await result)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # a SystemExit in a task ends the loop, and with it all calls
        return _Outcome(None, error)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _arguments(tool: Tool, text: str) -> tuple[Mapping[str, object], str]:
    """The arguments, and what is wrong with them ("" if nothing is)."""
    import jsonschema
    import referencing

    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        return {}, f"the arguments are not JSON: {error}"
    try:  # the registry: a reference to elsewhere is not fetched, which would hold the loop
        validator = jsonschema.Draft202012Validator(tool.parameters, registry=referencing.Registry())
        mismatch = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except Exception as error:  # a reference to nowhere, a pattern that cannot be compiled
        return {}, f"the arguments cannot be checked: {type(error).__name__}: {error}"
    if mismatch is not None:
        return {}, f"the arguments do not fit: {mismatch.message}"
    return (value, "") if isinstance(value, dict) else ({}, "the arguments are not a JSON object")


def _output(result: object) -> str:
    """What the model reads: a text as it is, everything else as JSON, cut to a bound."""
    if not isinstance(result, str):
        try:
            result = orjson.dumps(result, default=str).decode()
        except TypeError as error:
            return _error(f"the tool's result cannot be written as JSON: {error}")
    encoded = result.encode("utf-8", "replace")
    if len(encoded) > MAX_OUTPUT_BYTES:
        return encoded[:MAX_OUTPUT_BYTES].decode("utf-8", "ignore") + " ... (cut)"
    return result


def _error(message: str) -> str:
    return orjson.dumps({"error": message}).decode()
