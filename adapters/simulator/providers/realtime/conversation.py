"""The items of the default conversation, their order, and what a client may put there. No events, no time.

Source: docs/facts/realtime_api.md sections 3.1 (the null previous_item_id), 3.6, 3.11 and 4.
"""

from __future__ import annotations

import base64
from collections import deque

import attrs

from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import (
    duplicate_item,
    invalid_audio,
    no_such_call,
    no_such_reference,
)
from adapters.simulator.providers.realtime.wire_audio import audio_bytes

MOST_SOUNDS = 8  # items whose audio is kept for conversation.item.retrieve: the last ones


@attrs.define(kw_only=True, eq=False)
class ConversationItem:
    """One item.

    `by_model`: it came out of a response. `audio_ms`: how long the server holds the model's speech in it to be; None:
    there is none. `sound`: its audio, in `sound_format`. `fields`: of an MCP item, beside id and type.
    """

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
    sound: bytes = b""
    sound_format: str = "audio/pcm"
    fields: Json = attrs.field(factory=dict)

    def wire(self) -> Json:
        """The item as it stands, as a fresh wire object."""
        if self.type.startswith("mcp_"):
            return {"id": self.id, "type": self.type, **self.fields}
        if self.type == "function_call_output":
            return {"id": self.id, "type": self.type, "call_id": self.call_id, "output": self.output}
        head = {"id": self.id, "type": self.type, "status": self.status}
        if self.type == "function_call":
            return head | {"name": self.name, "call_id": self.call_id, "arguments": self.arguments}
        message = head | {"role": self.role, "content": [dict(part) for part in self.content]}
        return message | {"phase": self.phase} if self.phase else message

    def retrieved(self) -> Json:
        """The item with its audio, as conversation.item.retrieved has it."""
        wire = self.wire()
        for part in wire.get("content", []) if self.sound else []:
            if part["type"] in ("input_audio", "output_audio"):
                part["audio"] = base64.b64encode(self.sound).decode()
        return wire

    @property
    def text(self) -> str:
        return " ".join(str(part.get("text") or part.get("transcript") or "") for part in self.content)


class SimulatedConversation:
    """The ordered items of the default conversation."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self.items: list[ConversationItem] = []
        self._with_sound: deque[ConversationItem] = deque()

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
            raise no_such_reference(after, "previous_item_id")
        self.items.insert(self.items.index(before) + 1, item)
        return before.id

    def keep_sound(self, item: ConversationItem) -> None:
        """Remember that the item has sound; of all but the last items it is dropped."""
        if item not in self._with_sound:
            self._with_sound.append(item)
        while len(self._with_sound) > MOST_SOUNDS:
            self._with_sound.popleft().sound = b""

    def calls(self) -> dict[str, ConversationItem]:
        """Every function call of the conversation by call id."""
        return {item.call_id: item for item in self.items if item.type == "function_call" and item.call_id}

    def read_client_item(self, given: Json, new_id: str, new_call_id: str) -> ConversationItem:
        """A client's `item`, of the right shape, as an item that is not yet in the conversation. WireError: what is
        wrong with it."""
        kind, item_id = given["type"], given.get("id", new_id)
        if self.find(item_id):
            raise duplicate_item(item_id)
        if kind == "message":
            return _message(given, item_id)
        if kind == "mcp_approval_response":
            self._check_approval(given["approval_request_id"])
        if kind.startswith("mcp_"):
            fields = {name: value for name, value in given.items() if name not in ("id", "type", "object", "status")}
            return ConversationItem(id=item_id, type=kind, fields=fields)
        call_id = given.get("call_id", new_call_id)
        if kind == "function_call":
            return ConversationItem(
                id=item_id, type=kind, name=given["name"], call_id=call_id, arguments=given["arguments"]
            )
        if call_id not in self.calls():
            raise no_such_call(call_id)
        return ConversationItem(id=item_id, type=kind, status=None, call_id=call_id, output=given["output"])

    def _check_approval(self, request_id: str) -> None:
        request = self.find(request_id)
        if request is None or request.type != "mcp_approval_request":
            raise no_such_reference(request_id, "item.approval_request_id")

    def check_references(self, items: list[Json]) -> None:
        """The `input` of a response: what it refers to is there. WireError: what is not."""
        for index, item in enumerate(items):
            if item["type"] == "item_reference" and self.find(item["id"]) is None:
                raise no_such_reference(item["id"], f"response.input[{index}].id")


def _message(given: Json, item_id: str) -> ConversationItem:
    content, sound = [], b""
    for index, part in enumerate(given["content"]):
        if part["type"] == "input_audio":
            sound += _sound(part["audio"], f"item.content[{index}].audio")
            part = {"type": "input_audio", "transcript": part.get("transcript")}
        elif part["type"] == "text":  # an assistant's in beta
            part = part | {"type": "output_text"}
        content.append(part)
    return ConversationItem(id=item_id, type="message", role=given["role"], content=content, sound=sound)


def _sound(text: str, path: str) -> bytes:
    decoded = audio_bytes(text)
    if decoded is None:
        raise invalid_audio(path)
    return decoded
