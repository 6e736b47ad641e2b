"""`tools:` and `call_tools:` of a configuration: the functions that a model may call, and those of the call itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

from adapters.call_tools import end_call_tool, transfer_call_tool
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile, ToolSection
from adapters.tools import Tool, ToolProcess, call_parameter


def read_tools(reader: SettingsReader, sections: Sequence[ToolSection]) -> dict[str, Tool]:
    """Every tool by its name; each function takes what its schema promises."""
    tools: dict[str, Tool] = {}
    for each in sections:
        complaint = "" if "parameters" in each.written.rejected else _mismatch(each.function, each.parameters)
        if complaint:
            reader.problems.add(each.written.place_of("function"), "tool-signature", complaint)
        if each.name in tools:
            reader.problems.add(each.written.place_of("name"), "duplicate-name", f"there are two tools '{each.name}'")
        process = _process(reader, each)
        tools[each.name] = Tool(each.name, each.function, each.description, each.parameters, each.deadline_s, process)
    return tools


def _process(reader: SettingsReader, section: ToolSection) -> ToolProcess | None:
    """Where the tool is to have one: what is needed to find its function there."""
    written = section.written
    if not section.process:
        if section.environment:
            hint = "add process: true; any other tool has the environment of the server"
            reader.problems.add(written.place_of("environment"), "tool-process", "this tool has no process", hint)
        return None
    if call_parameter(section.function):
        message = "a function that is given its call cannot run in a process of its own"
        reader.problems.add(written.place_of("process"), "tool-process", message, "leave out the ActiveCall parameter")
    if "function" in written.rejected:
        return None
    return ToolProcess(reader.filled(written.pairs["function"][1]), section.environment)


def read_call_tools(reader: SettingsReader, config: ConfigFile) -> dict[str, Tool]:
    """Those of the call itself that are asked for."""
    place = config.written.place_of("call_tools")
    targets = {key: section.about for key, section in config.transfers.items()}
    made = {"end_call": end_call_tool(), "transfer_call": transfer_call_tool(targets)}
    for name in config.call_tools:
        if name in {each.name for each in config.tools}:
            reader.problems.add(place, "duplicate-name", f"'{name}' is already a tool of your own")
    if "transfer_call" in config.call_tools and not targets:
        hint = "transfers: {sales: {about: orders and prices}}"
        reader.problems.add(place, "missing", "transfer_call needs somebody to put a caller through to", hint)
    return {name: made[name] for name in config.call_tools}


def _mismatch(function: Callable[..., object], parameters: Mapping[str, object]) -> str:
    """Why the function cannot take what the schema promises; "" if it can, or if nobody can say."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return ""
    call = dict.fromkeys(filter(None, [call_parameter(function)]))
    required, offered = parameters.get("required"), parameters.get("properties")
    least = dict.fromkeys(each for each in required if isinstance(each, str)) if isinstance(required, list) else {}
    most = least | dict.fromkeys(offered if isinstance(offered, dict) else ())
    for given, what in ((least, "requires"), (most, "offers")):
        try:
            signature.bind(**given, **call)
        except TypeError as error:
            return f"the function does not take what the schema {what}: {error}"
    return ""
