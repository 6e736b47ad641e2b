"""What a client does to conversation items: create, truncate, delete, retrieve. No audio in, no responses made.

Source: docs/facts/realtime_api.md sections 3.6, 3.11 and 4.
"""

from __future__ import annotations

from adapters.simulator.providers.realtime.conversation import ConversationItem
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import (
    audio_already_shorter,
    no_such_item,
    not_truncatable,
    out_of_range,
)
from adapters.simulator.providers.realtime.mcp import McpServers
from adapters.simulator.providers.realtime.responses import SimulatedResponses
from adapters.simulator.providers.realtime.session_context import SessionContext
from adapters.simulator.providers.realtime.wire_audio import delta_bytes


class Items:
    """The handlers of conversation.item.*; each raises WireError for what it rejects."""

    def __init__(self, context: SessionContext, responses: SimulatedResponses, mcp: McpServers) -> None:
        self._context, self._responses, self._mcp = context, responses, mcp
        self._answered: set[str] = set()

    def create(self, event: Json, now_s: float) -> None:
        """Add an item and echo it; an output whose parent response is still open comes after its response.done."""
        context = self._context
        item = context.conversation.read_client_item(event["item"], context.ids.item(), context.ids.call())
        after = event.get("previous_item_id")
        live = self._responses.active
        if item.type == "function_call_output":
            self._note_output(item)
            if live and live.has_call(item.call_id):
                live.held_echoes.append(lambda at_s: self._add(item, after, at_s))
                return
        self._add(item, after, now_s)

    def _note_output(self, item: ConversationItem) -> None:
        call_id = item.call_id or ""
        if call_id in self._answered:
            self._context.stats.violations.append("second output for one call")
        self._answered.add(call_id)

    def _add(self, item: ConversationItem, after: object, now_s: float) -> None:
        context = self._context
        previous = context.conversation.insert(item, after)
        context.announce(now_s, item, previous)
        if item.sound:
            context.conversation.keep_sound(item)
        if item.type == "mcp_approval_response":
            self._mcp.decide(item.fields, now_s)
        elif item.type == "function_call_output":
            name = context.conversation.calls()[item.call_id or ""].name if item.call_id else None
            context.news.tools.append(name or "")
        elif item.role == "user":
            context.news.user, context.news.heard = True, item.text

    def calls_without_output(self) -> list[str]:
        """Calls of completed items that the client has not answered."""
        calls = self._context.conversation.calls()
        return [
            call_id for call_id, item in calls.items() if item.status == "completed" and call_id not in self._answered
        ]

    def _find(self, event: Json, doing: str, verb: str) -> ConversationItem:
        item = self._context.conversation.find(event["item_id"])
        if item is None:
            raise no_such_item(doing, verb, event["item_id"])
        return item

    def truncate(self, event: Json, now_s: float) -> None:
        """Cut an assistant's audio; its transcript goes with it."""
        item = self._find(event, "truncating", "truncate")
        end_ms: int = event["audio_end_ms"]
        if item.audio_ms is None:
            raise not_truncatable()
        if event["content_index"] != 0:
            raise out_of_range("content_index", 0, 0, event["content_index"])
        if end_ms > item.audio_ms + self._context.settings.truncation_tolerance_ms:
            raise audio_already_shorter(int(item.audio_ms), end_ms)
        item.audio_ms = min(float(end_ms), item.audio_ms)
        item.sound = item.sound[: delta_bytes(end_ms, item.sound_format)]
        item.content = [{"type": "output_audio", "transcript": None}]
        self._context.outbox.emit(
            now_s, "conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=end_ms
        )

    def delete(self, event: Json, now_s: float) -> None:
        item = self._find(event, "deleting", "delete")
        self._context.conversation.items.remove(item)
        self._context.outbox.emit(now_s, "conversation.item.deleted", item_id=item.id)

    def retrieve(self, event: Json, now_s: float) -> None:
        item = self._find(event, "retrieving", "retrieve")
        self._context.outbox.emit(now_s, "conversation.item.retrieved", item=item.retrieved())
