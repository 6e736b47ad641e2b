"""Tools: Python callables the model may call. Runs them with a deadline; whatever goes wrong, the model learns of it.

A tool may be async (runs on the loop), plain (runs in a thread) or in a process (tool_processes.py). Its outcome is one
text for the model; an unknown name, arguments that are not JSON or not of the schema, an exception and a missed
deadline are such texts too.
Never here: when the model is asked to answer.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import time
import traceback
import types
import typing
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import orjson
import structlog

from adapters.active_call import ActiveCall
from adapters.tool_processes import ToolProcessError, ToolProcesses
from adapters.tool_texts import error_text, output_text, words_of
from fsm.errors import LocalError

log = structlog.get_logger(__name__)

OnResult = Callable[[str, str], None]
"""`on_result(call_id, output)`, on the loop's thread, exactly once for each call that was not cancelled."""

MAX_ARGUMENTS_CHARS = 256 * 1024
"""No model writes so much of its own; reading megabytes would hold the loop."""
BLOCKED_S = 0.1
"""A tool on the loop that goes on for so long without waiting holds every call of the process."""


class ToolError(LocalError, ValueError):
    """A tool that cannot be used as configured."""


@attrs.frozen
class ToolProcess:
    """`function`: as module:function, since a process has to find it. `environment`: what of ours it gets."""

    function: str
    environment: tuple[str, ...] = ()


@attrs.frozen
class Tool:
    """A callable with its JSON schema. `function` takes the schema's properties as keyword arguments."""

    name: str
    function: Callable[..., object] = attrs.field(repr=False)
    description: str = ""
    parameters: Mapping[str, object] = attrs.field(factory=lambda: {"type": "object", "properties": {}})
    deadline_s: float = 20.0
    process: ToolProcess | None = None
    """Where it runs, if not in this process."""
    call_parameter: str = attrs.field(init=False)
    """Of the function: the parameter that is given the call (annotated with ActiveCall); "" where there is none."""

    @call_parameter.default
    def _find_call_parameter(self) -> str:
        return call_parameter(self.function)

    @property
    def definition(self) -> dict[str, object]:
        """As `session.update` wants it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }


def call_parameter(function: Callable[..., object]) -> str:
    """The parameter that is annotated with ActiveCall; "" where there is none, or nobody can say."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # a name that is not there, a callable without annotations
        return ""
    return next((name for name, hint in hints.items() if hint is ActiveCall and name != "return"), "")


def imported(reference: str) -> Callable[..., object]:
    """The callable behind `module:function`. Raises ToolError that names what is missing."""
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise ToolError(f"'{reference}' is not of the form module:function")
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, also what would end the process
        what = f"{type(error).__name__}: {words_of(error)}".removesuffix(": ")
        raise ToolError(f"module '{module_name}' cannot be imported: {what}{_place_of(error)}") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ToolError(f"module '{module_name}' has no callable '{attribute}'")
    return function  # type: ignore[no-any-return]


def _place_of(error: BaseException) -> str:
    """Where it was raised, in a module that is being imported: ` (tools.py:7)`."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames or frames[-1].filename.startswith("<"):
        return ""  # it says so itself; or there is no such module
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"


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

    def __init__(
        self,
        tools: Mapping[str, Tool],
        on_result: OnResult,
        threads: ThreadPoolExecutor,
        active: ActiveCall | None = None,
        processes: ToolProcesses | None = None,
    ) -> None:
        """`active`: what a tool is given that wants to know its call. `processes`: for tools that have one."""
        self._active = active
        self._processes = processes
        self._tools = tools
        self._on_result = on_result
        self._threads = threads
        self._running: dict[str, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[Outcome]] = set()  # of tools themselves: they may outlive their deadline

    def run(self, call_id: str, name: str, arguments: str) -> None:
        """Starts a call; its result comes through `on_result`, also for a call that cannot be run."""
        task = asyncio.get_running_loop().create_task(self._run(call_id, name, arguments), name=f"tool-{name}")
        self._running[call_id] = task
        task.add_done_callback(lambda _: self._running.pop(call_id, None))

    def cancel(self, call_id: str) -> None:
        """Forgets a call: no result will come. A plain function goes on in its thread, unheard; a process is killed."""
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
            return error_text(f"there is no tool '{name}'; there are: {', '.join(sorted(self._tools)) or 'none'}")
        parsed, problem = _arguments(tool, arguments)
        if problem:
            return error_text(problem)
        began = asyncio.get_running_loop().time()
        outcome = await self.outcome(tool, parsed)
        if outcome is None:
            log.warning("tool_overdue", tool=name, tool_call_id=call_id, deadline_s=tool.deadline_s)
            return error_text(f"the tool '{name}' did not answer within {tool.deadline_s:g} s")
        if outcome.error is not None:
            error = outcome.error
            log.warning("tool_failed", tool=name, tool_call_id=call_id, error=type(error).__name__, exc_info=error)
            return error_text(f"the tool '{name}' failed: {_told(error)}".rstrip(": "))
        seconds = asyncio.get_running_loop().time() - began
        log.debug("tool_returned", tool=name, tool_call_id=call_id, seconds=round(seconds, 3))
        return output_text(outcome.result)

    async def outcome(self, tool: Tool, arguments: Mapping[str, object]) -> Outcome | None:
        """What came of a call; None: nothing in time. The tool is a task of its own, so that it cannot hold this one.

        Also for functions that are no tools of the model. One that wants to know its call is given it.

        A tool may raise anything, also what would end a thread, a task or the process.
        """
        if tool.call_parameter:
            arguments = {**arguments, tool.call_parameter: self._active}
        work = asyncio.get_running_loop().create_task(self._called(tool, arguments), name=f"tool-{tool.name}")
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        try:
            await asyncio.wait([work], timeout=tool.deadline_s)
        finally:
            work.cancel()  # nothing, where it is done
        if not work.done():
            return None
        return Outcome(None, asyncio.CancelledError()) if work.cancelled() else work.result()

    async def _called(self, tool: Tool, arguments: Mapping[str, object]) -> Outcome:
        if tool.process is not None:
            assert self._processes is not None, "a tool of a process needs processes"
            return await _awaited(self._processes.run(tool.process.function, arguments, tool.process.environment))
        if inspect.iscoroutinefunction(tool.function):
            return await _awaited(_watched(tool.name, tool.function(**arguments)))
        outcome = await asyncio.get_running_loop().run_in_executor(self._threads, _call, tool, arguments)
        result = _watched(tool.name, outcome.result) if inspect.iscoroutine(outcome.result) else outcome.result
        return await _awaited(result) if inspect.isawaitable(result) else outcome


@attrs.frozen
class Outcome:
    """Of a tool: what it returned, or what it raised."""

    result: object = None
    error: BaseException | None = None


def _told(error: BaseException) -> str:
    """What a process says of an exception is told as it is."""
    return words_of(error) if isinstance(error, ToolProcessError) else f"{type(error).__name__}: {words_of(error)}"


def _call(tool: Tool, arguments: Mapping[str, object]) -> Outcome:
    try:
        return Outcome(tool.function(**arguments))
    except BaseException as error:  # a StopIteration would never leave the thread's future
        return Outcome(None, error)


@types.coroutine
def _watched(name: str, tool: Coroutine[Any, Any, object]) -> Generator[Any, Any, object]:
    """The coroutine of a tool; where it holds the loop, the log names it."""
    go_on: Callable[[], object] = lambda: tool.send(None)  # noqa: E731
    while True:
        began_s = time.perf_counter()
        try:
            waits_for = go_on()
        except StopIteration as done:
            return done.value
        finally:
            held_s = time.perf_counter() - began_s
            if held_s >= BLOCKED_S:
                hint = "a plain function runs in a thread"
                log.warning("tool_blocks_the_loop", tool=name, seconds=round(held_s, 3), hint=hint)
        try:
            sent = yield waits_for
        except BaseException as error:  # what is thrown into us is the tool's
            go_on = functools.partial(tool.throw, error)
        else:
            go_on = functools.partial(tool.send, sent)


async def _awaited(result: Awaitable[object]) -> Outcome:
    try:
        return Outcome(await result)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # a SystemExit in a task ends the loop, and with it all calls
        return Outcome(None, error)


def _arguments(tool: Tool, text: str) -> tuple[Mapping[str, object], str]:
    """The arguments, and what is wrong with them ("" if nothing is)."""
    import jsonschema
    import referencing

    if len(text) > MAX_ARGUMENTS_CHARS:
        return {}, f"the arguments are too long: {len(text)} characters, at most {MAX_ARGUMENTS_CHARS}"
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
