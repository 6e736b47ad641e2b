"""The tools of a configuration: imported, their schemas checked, their signatures compared. Never run here."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from adapters.settings.reader import SettingsReader
from adapters.tools import Tool, ToolError, checked, imported
from fsm.language.source import Node

TOOL_KEYS: Final = ("name", "function", "description", "parameters", "deadline_s")
DEADLINE_S: Final = 20.0
MAX_DEADLINE_S: Final = 120.0
"""Below the deadline the bundled specs give a round of tools (`tools_overdue`)."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_PARAMETERS: Final[Mapping[str, object]] = {"type": "object", "properties": {}}


def read_tools(reader: SettingsReader, node: Node | None, folder: Path) -> dict[str, Tool]:
    """Every tool by its name. Modules are looked for where Python looks, and then beside the configuration file."""
    if node is None or node.text == "":
        return {}
    if node.items is None:
        reader.tell(node, "type", f"a list of tools is expected here, this is a {node.kind}")
        return {}
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: a file beside the configuration hides no module
    tools: dict[str, Tool] = {}
    for item in reader.listed(node):
        tool, name = _tool(reader, item)
        if name is not None and tool is not None:
            if tool.name in tools:
                reader.problems.add(name.place, "duplicate-name", f"there are two tools '{name.text}'")
            tools[tool.name] = tool
    return tools


def _tool(reader: SettingsReader, item: Node) -> tuple[Tool | None, Node | None]:
    fields = reader.mapping(item, TOOL_KEYS)
    for key in ("name", "function"):
        if item.pairs is not None and key not in fields:
            reader.problems.add(item.place, "missing", f"a tool needs '{key}:'")
    name = _name(reader, fields["name"]) if "name" in fields else None
    function = _function(reader, fields["function"]) if "function" in fields else None
    description = reader.text(fields["description"]) if "description" in fields else ""
    parameters = _parameters(reader, fields.get("parameters"), name or "?")
    deadline_s = reader.real(fields["deadline_s"], 0.1, MAX_DEADLINE_S) if "deadline_s" in fields else DEADLINE_S
    if function is not None and parameters is not None:
        complaint = misfit(function, parameters)
        if complaint:
            reader.problems.add(fields["function"].place, "tool-signature", complaint)
    if name is None or function is None or parameters is None:
        return None, None
    return Tool(name, function, description, parameters, deadline_s or DEADLINE_S), fields["name"]


def _name(reader: SettingsReader, node: Node) -> str | None:
    name = reader.filled(node)
    if name is not None and not _NAME.fullmatch(name):
        reader.tell(node, "tool-name", "a tool's name is 1 to 64 letters, digits, _ and -")
        return None
    return name


def _function(reader: SettingsReader, node: Node) -> Callable[..., object] | None:
    reference = reader.filled(node)
    if reference is None:
        return None
    try:
        return imported(reference)
    except ToolError as error:
        reader.tell(node, "tool-import", str(error))
    except SystemExit:
        reader.tell(node, "tool-import", "its module ends the program when it is imported")
    return None


def _parameters(reader: SettingsReader, node: Node | None, name: str) -> Mapping[str, object] | None:
    if node is None:
        return _NO_PARAMETERS
    value = reader.value(node)
    if not isinstance(value, dict):
        reader.tell(node, "type", f"a mapping (a JSON schema) is expected here, this is a {node.kind}")
        return None
    if value.get("type") != "object":
        reader.tell(node, "tool-schema", "the schema of a tool's parameters has 'type: object'")
        return None
    try:
        return checked(Tool(name, len, parameters=value)).parameters
    except ToolError as error:
        reader.tell(node, "tool-schema", str(error))
    return None


def misfit(function: Callable[..., object], parameters: Mapping[str, object]) -> str:
    """Why the function cannot take what the schema promises; "" if it can, or if nobody can tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return ""
    properties = parameters.get("properties")
    required = parameters.get("required")
    offered = set(properties) if isinstance(properties, dict) else set()
    certain = {key for key in required if isinstance(key, str)} if isinstance(required, list) else set()
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        is_needed = parameter.default is parameter.empty
        if parameter.kind is parameter.POSITIONAL_ONLY:
            if is_needed:
                return f"its parameter '{parameter.name}' cannot be given by name"
        elif is_needed and parameter.name not in certain:
            return f"its parameter '{parameter.name}' has no default, and the schema does not require it"
        else:
            offered.discard(parameter.name)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    if offered and not takes_any:
        return f"the schema offers '{min(offered)}', which the function does not take"
    return ""
