"""What a client has offered of tools, and what a scripted answer becomes under it. No events, no time.

A model calls what it was offered, as `tool_choice` says, with arguments that fit the offered schema (docs/facts/
realtime_api.md sections 1.1 and 11). A script that says otherwise is followed as far as a real one could, and the rest
is said in the notes of the session.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import no_such_tool
from adapters.simulator.providers.realtime.provider_scenario import FunctionCall, McpCall, OutputPart

_DEEPEST = 8
McpName = tuple[str, str]  # the server's label, the tool's name


@attrs.frozen
class OfferedTools:
    """For one response. `functions`, `mcp`: schemas by name; of MCP tools those that are imported."""

    functions: Mapping[str, Json]
    mcp: Mapping[McpName, Json]
    choice: str | Json = "auto"
    parallel: bool = True

    def check_choice(self, labels: set[str]) -> None:
        """WireError: the choice names what is not offered."""
        if isinstance(self.choice, str):
            return
        if self.choice["type"] == "function" and self.choice["name"] not in self.functions:
            raise no_such_tool(self.choice["name"], "response.tool_choice")
        if self.choice["type"] == "mcp" and self.choice["server_label"] not in labels:
            raise no_such_tool(self.choice["server_label"], "response.tool_choice")

    def schema_of(self, call: FunctionCall | McpCall) -> Json | None:
        """None: the call is of nothing that was offered."""
        if isinstance(call, FunctionCall):
            return self.functions.get(call.call)
        return self.mcp.get((call.server, call.mcp))

    def may_call(self, call: FunctionCall | McpCall) -> bool:
        """Whether the choice leaves this call open."""
        if isinstance(self.choice, str):
            return self.choice != "none"
        if self.choice["type"] == "function":
            return isinstance(call, FunctionCall) and call.call == self.choice["name"]
        named = self.choice.get("name")
        is_server = isinstance(call, McpCall) and call.server == self.choice["server_label"]
        return is_server and (named is None or getattr(call, "mcp", None) == named)

    def forced(self) -> FunctionCall | McpCall | None:
        """The call that a model makes of which one is required and whose script has none."""
        if self.choice in ("auto", "none"):
            return None
        calls = [FunctionCall(call=name) for name in self.functions]
        calls += [McpCall(mcp=name, server=label) for label, name in self.mcp]  # type: ignore[misc]
        return next((call for call in calls if self.may_call(call)), None)


def honoured(
    output: tuple[OutputPart, ...], offer: OfferedTools, *, makes_unoffered: bool, note: Callable[[str], None]
) -> tuple[OutputPart, ...]:
    """The scripted parts of an answer as a model may give them."""
    kept: list[OutputPart] = []
    calls = 0
    for part in output:
        if isinstance(part, FunctionCall | McpCall):
            called = _called(part, offer, makes_unoffered, note)
            if called is None or (calls and not offer.parallel):
                continue
            calls, part = calls + 1, called
        kept.append(part)
    forced = None if calls else offer.forced()
    return (_with_arguments(forced, offer.schema_of(forced), note),) if forced else tuple(kept)


def _called(
    call: FunctionCall | McpCall, offer: OfferedTools, makes_unoffered: bool, note: Callable[[str], None]
) -> FunctionCall | McpCall | None:
    name, schema = tool_name(call), offer.schema_of(call)
    if not offer.may_call(call):
        note(f"the script calls '{name}', which tool_choice does not allow: not called")
        return None
    if schema is None and not makes_unoffered:
        note(f"the script calls '{name}', which the client has not offered: not called")
        return None
    return _with_arguments(call, schema, note)


def tool_name(call: FunctionCall | McpCall) -> str:
    return call.call if isinstance(call, FunctionCall) else call.mcp


def _with_arguments(
    call: FunctionCall | McpCall, schema: Json | None, note: Callable[[str], None]
) -> FunctionCall | McpCall:
    if call.arguments is None:
        made = fitting(schema or {"type": "object"}, schema or {})
        call = attrs.evolve(call, arguments=json.dumps(made))
    misfit = _misfit(call.arguments or "", schema) if schema else None
    if misfit:
        note(f"the arguments of '{tool_name(call)}' do not fit the schema that was offered: {misfit}")
    return call


def _misfit(arguments: str, schema: Json) -> str | None:
    """Why arguments do not fit; None: they do, or the schema is none."""
    try:
        value = json.loads(arguments)
        Draft202012Validator.check_schema(schema)
        problem = best_match(Draft202012Validator(schema, registry=Registry()).iter_errors(value))
    except json.JSONDecodeError:
        return "they are not JSON"
    except (SchemaError, Unresolvable, RecursionError, re.error):
        return None
    return None if problem is None else problem.message[:120]


def fitting(schema: Any, root: Json, depth: int = 0) -> Any:
    """A small value that fits a schema: the first of what is allowed, of an object what is required."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    if isinstance(schema.get("$ref"), str):
        return fitting(_referred(schema["$ref"], root), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return fitting(schema[key][0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Json, root: Json, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    match kind:
        case "object":
            properties, required = schema.get("properties"), schema.get("required")
            known = properties if isinstance(properties, dict) else {}
            names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
            return {name: fitting(known.get(name, {}), root, depth + 1) for name in names}
        case "array":
            least = schema.get("minItems")
            count = min(least, _DEEPEST) if isinstance(least, int) else 0
            return [fitting(schema.get("items", {}), root, depth + 1)] * count
        case "integer" | "number":
            least = schema.get("minimum", 1)
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "null":
            return None
    least = schema.get("minLength", 1)
    return "x" * min(max(least, 1), 200) if isinstance(least, int) else "x"


def _referred(reference: str, root: Json) -> Any:
    """What a reference within the schema names; None for any other."""
    found: Any = root if reference.startswith("#") else None
    for name in reference.lstrip("#/").split("/"):
        found = found.get(name) if isinstance(found, dict) and name else found
    return found
