"""What a client does to conversation items: create, truncate, delete, retrieve. No audio in, no responses made.

Source: docs/facts/realtime_api.md sections 3.6, 3.11 and 4.
"""

from __future__ import annotations

from adapters.simulator.providers.realtime.conversation import ConversationItem
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import (
    audio_already_shorter,
    invalid_type,
    missing_parameter,
    no_such_item,
    not_truncatable,
    out_of_range,
)
from adapters.simulator.providers.realtime.responses import SimulatedResponses
from adapters.simulator.providers.realtime.session_context import SessionContext


class Items:
    """The handlers of conversation.item.*; each raises WireError for what it rejects."""

    def __init__(self, context: SessionContext, responses: SimulatedResponses) -> None:
        self._context, self._responses = context, responses
        self._answered: set[str] = set()

    def create(self, event: Json, now_s: float) -> None:
        """Add an item and echo it; an output whose parent response is still open comes after its response.done."""
        context = self._context
        if "item" not in event:
            raise missing_parameter("item")
        item = context.conversation.read_client_item(
            event["item"], context.ids.item(), context.ids.call(), beta=context.beta
        )
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
        if item.type == "function_call_output":
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
        if "item_id" not in event:
            raise missing_parameter("item_id")
        item = self._context.conversation.find(event["item_id"])
        if item is None:
            raise no_such_item(doing, verb, event["item_id"])
        return item

    def truncate(self, event: Json, now_s: float) -> None:
        """Cut an assistant's audio; its transcript goes with it."""
        item = self._find(event, "truncating", "truncate")
        for name in ("content_index", "audio_end_ms"):
            if name not in event:
                raise missing_parameter(name)
            if isinstance(event[name], bool) or not isinstance(event[name], int):
                raise invalid_type(name, "an integer", event[name])
        end_ms: int = event["audio_end_ms"]
        if item.audio_ms is None:
            raise not_truncatable()
        if end_ms < 0 or event["content_index"] != 0:
            name = "audio_end_ms" if end_ms < 0 else "content_index"
            raise out_of_range(name, 0, 0 if name == "content_index" else int(item.audio_ms), event[name])
        if end_ms > item.audio_ms:
            raise audio_already_shorter(int(item.audio_ms), end_ms)
        item.audio_ms = end_ms
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
        self._context.outbox.emit(now_s, "conversation.item.retrieved", item=item.wire())
