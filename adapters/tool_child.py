"""The inside of a tool's own process: requests as lines of JSON on its standard input, a line of JSON back for each.

What a tool prints goes to standard error. When whoever started the process is gone, so is it, whatever a tool does.
Imports little: each line here is waited for by somebody on the telephone.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import queue
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, BinaryIO

import orjson

from adapters.tool_texts import output_text, words_of

_TRACE_CHARS = 4_000
_NICE = 5
"""Calls come first, however busy a tool is."""


def main() -> None:
    """Until the other end of standard input is closed."""
    os.nice(_NICE)
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()
    while True:
        request = orjson.loads(waiting.get())
        replies.write(orjson.dumps(answer(request["function"], request["arguments"])) + b"\n")
        replies.flush()


def _read(requests: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    for line in requests:
        waiting.put(line)
    os._exit(0)


def answer(function: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """What came of one call: `output`, or `error` and where it was."""
    try:
        result = _found(function)(**arguments)
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        return {"output": output_text(result)}
    except BaseException as error:  # a tool may raise anything
        trace = "".join(traceback.format_exception(error))[-_TRACE_CHARS:]
        return {"error": f"{type(error).__name__}: {words_of(error)}".removesuffix(": "), "trace": trace}


def _found(reference: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


async def _awaited(result: Awaitable[object]) -> object:
    return await result
