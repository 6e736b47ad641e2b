"""The items of the default conversation, their order, and what a client may put there. No events, no time.

Source: docs/facts/realtime_api.md sections 3.1 (the null previous_item_id), 3.6, 3.11 and 4.
"""

from __future__ import annotations

from typing import Any

import attrs

from adapters.simulator.providers.realtime import checks as c
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import (
    duplicate_item,
    invalid_value,
    missing_parameter,
    no_such_call,
    no_such_previous_item,
)

_PART = c.shape(dict.fromkeys(("type", "text", "audio", "transcript", "image_url", "detail"), c.anything))
_ITEM = c.shape(
    {
        "id": c.text,
        "object": c.anything,
        "type": c.one_of("message", "function_call", "function_call_output"),
        "status": c.one_of("completed", "incomplete", "in_progress"),
        "role": c.one_of("user", "assistant", "system"),
        "content": c.list_of(_PART),
        "phase": c.anything,
        "name": c.text,
        "call_id": c.text,
        "arguments": c.text,
        "output": c.text,
    },
    required=("type",),
)
_NEEDED = {
    "message": ("role", "content"),
    "function_call": ("name", "arguments"),
    "function_call_output": ("call_id", "output"),
}
_PARTS = {
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text",),
    "system": ("input_text",),
}


@attrs.define(kw_only=True, eq=False)
class ConversationItem:
    """One item. `by_model`: it came out of a response. `audio_ms`: how long the server holds the model's speech in it
    to be; None: there is none."""

    id: str
    type: str
    status: str | None = "completed"
    role: str | None = None
    content: list[Json] = attrs.field(factory=list)
    name: str | None = None
    call_id: str | None = None
    arguments: str = ""
    output: str = ""
    phase: str | None = None
    audio_ms: float | None = None
    by_model: bool = False

    def wire(self) -> Json:
        """The item as it stands, as a fresh wire object."""
        if self.type == "function_call_output":
            return {"id": self.id, "type": self.type, "call_id": self.call_id, "output": self.output}
        head = {"id": self.id, "type": self.type, "status": self.status}
        if self.type == "function_call":
            return head | {"name": self.name, "call_id": self.call_id, "arguments": self.arguments}
        message = head | {"role": self.role, "content": [dict(part) for part in self.content]}
        return message | {"phase": self.phase} if self.phase else message

    @property
    def text(self) -> str:
        return " ".join(str(part.get("text") or part.get("transcript") or "") for part in self.content)


class SimulatedConversation:
    """The ordered items of the default conversation."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self.items: list[ConversationItem] = []

    def find(self, item_id: object) -> ConversationItem | None:
        return next((item for item in self.items if item.id == item_id), None)

    def previous_when_done(self, item: ConversationItem) -> str | None:
        """As the server writes it: null for a model item that follows the conversation's first item (a quirk)."""
        index = self.items.index(item) if item in self.items else 0
        if item.by_model and index == 1:
            return None
        return self.items[index - 1].id if index else None

    def append(self, item: ConversationItem) -> str | None:
        """Add at the end; the id of the item before it."""
        previous = self.items[-1].id if self.items else None
        self.items.append(item)
        return previous

    def insert(self, item: ConversationItem, after: object) -> str | None:
        """Add after an item id, at the front for "root", at the end for None; the id before it. WireError: unknown."""
        if after is None:
            return self.append(item)
        if after == "root":
            self.items.insert(0, item)
            return None
        before = self.find(after)
        if before is None:
            raise no_such_previous_item(after)
        self.items.insert(self.items.index(before) + 1, item)
        return before.id

    def calls(self) -> dict[str, ConversationItem]:
        """Every function call of the conversation by call id."""
        return {item.call_id: item for item in self.items if item.type == "function_call" and item.call_id}

    def read_client_item(self, given: Any, new_id: str, new_call_id: str, *, beta: bool) -> ConversationItem:
        """A client's `item` as an Item that is not yet in the conversation. WireError: what is wrong with it."""
        checked = _ITEM(given, "item")
        kind = checked["type"]
        for name in _NEEDED[kind]:
            if name not in checked:
                raise missing_parameter(f"item.{name}")
        item_id = checked.get("id", new_id)
        if self.find(item_id):
            raise duplicate_item(item_id)
        if kind == "message":
            _check_parts(checked, beta=beta)
            return ConversationItem(id=item_id, type=kind, role=checked["role"], content=checked["content"])
        call_id = checked.get("call_id", new_call_id)
        if kind == "function_call":
            return ConversationItem(
                id=item_id, type=kind, name=checked["name"], call_id=call_id, arguments=checked["arguments"]
            )
        if call_id not in self.calls():
            raise no_such_call(call_id)
        return ConversationItem(id=item_id, type=kind, status=None, call_id=call_id, output=checked["output"])


def _check_parts(message: Json, *, beta: bool) -> None:
    supported = _PARTS[message["role"]]
    for index, part in enumerate(message["content"]):
        kind = part.get("type")
        if beta and message["role"] == "assistant" and kind == "text":
            part["type"] = "output_text"
        elif kind not in supported:
            raise invalid_value(f"item.content[{index}].type", kind, supported)
