"""MCP servers as a client defines them and the script knows them: imports of tools, approvals, calls.

Source: docs/facts/realtime_api.md section 11: the provider itself runs the tools; what the client sees are
mcp_list_tools.*, response.mcp_call_arguments.*, response.mcp_call.* and items. [INF]: where the item events stand
between them, and what a rejected or cancelled call looks like.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from adapters.simulator.providers.realtime.conversation import ConversationItem
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import bad_mcp_tool
from adapters.simulator.providers.realtime.live_response import LiveItem, LiveResponse
from adapters.simulator.providers.realtime.offered_tools import McpName
from adapters.simulator.providers.realtime.provider_scenario import McpCall, McpServer, McpTool
from adapters.simulator.providers.realtime.session_context import SessionContext

_ADDRESSES = ("server_url", "connector_id", "tunnel_id")


@attrs.frozen
class _Waiting:
    """A call that needs the client's word."""

    live: LiveResponse
    index: int
    going: LiveItem
    call: McpCall


class McpServers:
    """The servers of one session by label: definitions, imported tools, calls that wait."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._definitions: dict[str, Json] = {}
        self._tools: dict[str, list[Json]] = {}
        self._ready_at_s: dict[str, float] = {}
        self._waiting: dict[str, _Waiting] = {}

    # --- definitions and imports ------------------------------------------------------------------------------------

    def check(self, tools: Iterable[Json], path: str) -> None:
        """WireError: a bare label that no definition belongs to."""
        for index, tool in enumerate(tools):
            if tool["type"] == "mcp" and _is_bare(tool) and tool["server_label"] not in self._definitions:
                what = f"'{tool['server_label']}' is not defined: set 'server_url' or 'connector_id'."
                raise bad_mcp_tool(f"{path}[{index}]", what)

    def define(self, tools: Iterable[Json], now_s: float) -> float:
        """Begin to import the tools of every new definition; the time at which all of these have come or failed."""
        ready_s = now_s
        for tool in tools:
            if tool["type"] != "mcp":
                continue
            label = tool["server_label"]
            if not _is_bare(tool) and self._definitions.get(label) != tool:
                self._definitions[label] = dict(tool)
                self._import(label, now_s)
            ready_s = max(ready_s, self._ready_at_s[label])
        return ready_s

    def _import(self, label: str, now_s: float) -> None:
        context, server = self._context, self._server(label)
        self._tools.pop(label, None)
        item = ConversationItem(
            id=context.ids.item(), type="mcp_list_tools", fields={"server_label": label, "tools": []}
        )
        previous = context.conversation.append(item)
        context.outbox.emit(now_s, "conversation.item.added", previous_item_id=previous, item=item.wire())
        context.outbox.emit(now_s, "mcp_list_tools.in_progress", item_id=item.id)
        self._ready_at_s[label] = now_s + server.listing_s
        context.schedule.at(self._ready_at_s[label], lambda at_s: self._imported(label, server, item, previous, at_s))

    def _server(self, label: str) -> McpServer:
        """As the script has it; else with the tools that its answers call; else there is none."""
        scripted = self._context.scenario.mcp.get(label)
        if scripted:
            return scripted
        called = [part.mcp for rule in self._context.scenario.responses for part in rule.output
                  if isinstance(part, McpCall) and part.server == label]  # fmt: skip
        return McpServer(tools=tuple(McpTool(name=name) for name in dict.fromkeys(called)), fails=not called)

    def _imported(
        self, label: str, server: McpServer, item: ConversationItem, previous: str | None, now_s: float
    ) -> None:
        emit = self._context.outbox.emit
        if server.fails:
            emit(now_s, "mcp_list_tools.failed", item_id=item.id)
            return
        allowed = _names(self._definitions[label].get("allowed_tools"))
        self._tools[label] = item.fields["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.input_schema)}
            for tool in server.tools
            if allowed is None or tool.name in allowed
        ]
        emit(now_s, "mcp_list_tools.completed", item_id=item.id)
        emit(now_s, "conversation.item.done", previous_item_id=previous, item=item.wire())

    def imported(self, tools: Iterable[Json]) -> dict[McpName, Json]:
        """The schemas of all that is there of these definitions."""
        labels = [tool["server_label"] for tool in tools if tool["type"] == "mcp"]
        return {(label, tool["name"]): tool["input_schema"] for label in labels for tool in self._tools.get(label, [])}

    # --- calls ------------------------------------------------------------------------------------------------------

    def needs_approval(self, call: McpCall) -> bool:
        """As `require_approval` says; by default every call does."""
        required = self._definitions.get(call.server, {}).get("require_approval", "always")
        if isinstance(required, str):
            return required == "always"
        never = _names(required.get("never")) or []
        always = _names(required.get("always"))
        return call.mcp not in never if always is None else call.mcp in always

    def ask(self, live: LiveResponse, index: int, call: McpCall, now_s: float) -> None:
        """Ask the client for its word."""
        context, going = self._context, live.items[index]
        named = {name: going.item.fields[name] for name in ("server_label", "name", "arguments")}
        request = ConversationItem(id=context.ids.item(), type="mcp_approval_request", fields=named)
        going.item.fields["approval_request_id"] = request.id
        self._waiting[request.id] = _Waiting(live, index, going, call)
        context.announce(now_s, request, context.conversation.append(request))

    def decide(self, answer: Json, now_s: float) -> None:
        """The client's word on a request: run the call, or end it. A second word changes nothing."""
        waiting = self._waiting.pop(answer["approval_request_id"], None)
        if waiting is None:
            self._context.stats.violations.append("second answer to one MCP approval request")
        elif answer["approve"]:
            self.run(waiting.live, waiting.index, now_s)
            self._context.schedule.at(now_s + waiting.call.takes_s, lambda at_s: self._finish(waiting, at_s))
        else:
            why = answer.get("reason") or "The call was rejected."
            self.end(waiting.live, waiting.index, None, {"type": "tool_execution_error", "message": why}, now_s)

    def _finish(self, waiting: _Waiting, now_s: float) -> None:
        self.end_as_scripted(waiting.live, waiting.index, waiting.call, now_s)
        self._context.news.tools.append(waiting.call.mcp)

    def run(self, live: LiveResponse, index: int, now_s: float) -> None:
        item_id = live.items[index].item.id
        self._context.outbox.emit(now_s, "response.mcp_call.in_progress", item_id=item_id, output_index=index)

    def end_as_scripted(self, live: LiveResponse, index: int, call: McpCall, now_s: float) -> None:
        if call.error is None:
            self.end(live, index, call.result, None, now_s)
        else:
            error = attrs.asdict(call.error, filter=lambda _field, value: value is not None)
            self.end(live, index, None, error, now_s)

    def end(self, live: LiveResponse, index: int, result: str | None, error: Json | None, now_s: float) -> None:
        """A call is over: its event, and its item as it came out."""
        going, emit = live.items[index], self._context.outbox.emit
        going.closed = True
        going.item.fields |= {"output": result, "error": error}
        end = "failed" if error else "completed"
        emit(now_s, f"response.mcp_call.{end}", item_id=going.item.id, output_index=index)
        if not live.out_of_band:
            previous = self._context.conversation.previous_when_done(going.item)
            emit(now_s, "conversation.item.done", previous_item_id=previous, item=going.item.wire())
        emit(now_s, "response.output_item.done", response_id=live.id, output_index=index, item=going.item.wire())


def _is_bare(tool: Json) -> bool:
    return not any(name in tool for name in _ADDRESSES)


def _names(given: Any) -> list[str] | None:
    """The tool names of a list or a filter; None: no bound."""
    if isinstance(given, dict):
        given = given.get("tool_names")
    return given if isinstance(given, list) else None
