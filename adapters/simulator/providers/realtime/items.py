"""What a client does to conversation items: create, truncate, delete, retrieve. No audio in, no responses made.

Source: docs/facts/realtime_api.md sections 3.6, 3.11 and 4.
"""

from __future__ import annotations

from adapters.simulator.providers.realtime.checks import Json
from adapters.simulator.providers.realtime.conversation import Item
from adapters.simulator.providers.realtime.errors import (
    audio_already_shorter,
    invalid_type,
    missing_parameter,
    no_such_item,
    not_truncatable,
    out_of_range,
)
from adapters.simulator.providers.realtime.parts import Parts
from adapters.simulator.providers.realtime.responses import Responses


class Items:
    """The handlers of conversation.item.*; each raises WireError for what it rejects."""

    def __init__(self, parts: Parts, responses: Responses) -> None:
        self._parts, self._responses = parts, responses
        self._answered: set[str] = set()

    def create(self, event: Json, now_s: float) -> None:
        """Add an item and echo it; an output whose parent response is still open comes after its response.done."""
        parts = self._parts
        if "item" not in event:
            raise missing_parameter("item")
        item = parts.conversation.read_client_item(event["item"], parts.ids.item(), parts.ids.call(), beta=parts.beta)
        after = event.get("previous_item_id")
        live = self._responses.active
        if item.type == "function_call_output":
            self._note_output(item)
            if live and live.has_call(item.call_id):
                live.held_echoes.append(lambda at_s: self._add(item, after, at_s))
                return
        self._add(item, after, now_s)

    def _note_output(self, item: Item) -> None:
        call_id = item.call_id or ""
        if call_id in self._answered:
            self._parts.stats.violations.append("second output for one call")
        self._answered.add(call_id)

    def _add(self, item: Item, after: object, now_s: float) -> None:
        parts = self._parts
        previous = parts.conversation.insert(item, after)
        parts.announce(now_s, item, previous)
        if item.type == "function_call_output":
            name = parts.conversation.calls()[item.call_id or ""].name if item.call_id else None
            parts.news.tools.append(name or "")
        elif item.role == "user":
            parts.news.user, parts.news.heard = True, item.text

    def calls_without_output(self) -> list[str]:
        """Calls of completed items that the client has not answered."""
        calls = self._parts.conversation.calls()
        return [
            call_id for call_id, item in calls.items() if item.status == "completed" and call_id not in self._answered
        ]

    def _find(self, event: Json, doing: str, verb: str) -> Item:
        if "item_id" not in event:
            raise missing_parameter("item_id")
        item = self._parts.conversation.find(event["item_id"])
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
        self._parts.wire.emit(
            now_s, "conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=end_ms
        )

    def delete(self, event: Json, now_s: float) -> None:
        item = self._find(event, "deleting", "delete")
        self._parts.conversation.items.remove(item)
        self._parts.wire.emit(now_s, "conversation.item.deleted", item_id=item.id)

    def retrieve(self, event: Json, now_s: float) -> None:
        item = self._find(event, "retrieving", "retrieve")
        self._parts.wire.emit(now_s, "conversation.item.retrieved", item=item.wire())
