"""One session with a server that speaks nearly Realtime, turned into the protocol and back. Sans-I/O; no turns.

What comes in is told as the protocol tells it, so that nobody above knows the server; what goes out is said as the
server takes it, or not at all. Each rule is a column of the server's row (realtime_server.py). Nothing here raises:
a field of another type is as if missing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from adapters.providers.json_wire import text_of
from adapters.providers.provider import WireEvent
from adapters.providers.realtime.realtime_server import FORMATS, RealtimeServer

MOST_NAMES: Final = 64
"""Of function calls whose arguments have not come; of turns: the last ones."""
_BUSY: Final = "conversation_already_has_active_response"
_HARMLESS: Final = "response_cancel_not_active"
_WAV: Final = "wav"


class Accent:
    """Of one connection. An event may be told as none, or as several."""

    def __init__(self, server: RealtimeServer) -> None:
        self._server = server
        self._has_begun = False
        self._response_id = ""
        self._item_id = ""
        self._calls: list[WireEvent] = []  # of the current response
        self._names: dict[str, str] = {}  # of functions, by the id of their item or call
        self._committed: dict[str, None] = {}
        self._spoken: dict[str, Callable[[WireEvent], list[WireEvent]]] = {
            "error": self._error,
            "response.created": self._response_created,
            "response.done": self._response_done,
            "response.output_item.added": self._item_added,
            "response.function_call_arguments.done": self._arguments_done,
        }

    # --- in -----------------------------------------------------------------------------------------------------------

    def opened(self) -> list[WireEvent]:
        """Of a server that says nothing of its own: the open socket is the session."""
        return [] if self._server.begins else self._begin()

    def heard(self, event: WireEvent) -> list[WireEvent]:
        """One event of the server's, as the protocol has it."""
        kind = str(event.get("type"))
        told: list[WireEvent] = []
        if not self._has_begun and kind in self._server.begins:
            if kind == "session.created":
                self._has_begun = True
            else:
                told += self._begin()
        if self._server.ids == "missing":
            event = self._with_ids(kind, event)
        told += self._commit(kind, event)
        spoken = self._spoken.get(kind)
        return told + (spoken(event) if spoken is not None else [event])

    def _begin(self) -> list[WireEvent]:
        self._has_begun = True
        return [{"type": "session.created", "session": {}}]

    def _with_ids(self, kind: str, event: WireEvent) -> WireEvent:
        """Of what belongs to a response and does not say to which: the current one, its current item."""
        if kind.startswith("response.") and "response" not in event:
            known = {"response_id": self._response_id, "item_id": self._item_id or self._response_id}
            return {**event, **{key: known[key] for key in known if not isinstance(event.get(key), str)}}
        return event

    def _commit(self, kind: str, event: WireEvent) -> list[WireEvent]:
        item_id = text_of(event.get("item_id"))
        if kind not in self._server.committed_by or not item_id or item_id in self._committed:
            return []
        self._committed[item_id] = None
        _forget_oldest(self._committed)
        return [{"type": "input_audio_buffer.committed", "item_id": item_id}]

    def _error(self, event: WireEvent) -> list[WireEvent]:
        """A foreign code for something that the protocol has a code for."""
        error = event.get("error")
        if not isinstance(error, Mapping):
            return [event]
        said = f"{error.get('code')} {error.get('message')}".casefold()
        for words, code in ((self._server.harmless, _HARMLESS), (self._server.busy, _BUSY)):
            if any(word.casefold() in said for word in words):
                return [{**event, "error": {**error, "code": code}}]
        return [event]

    def _response_created(self, event: WireEvent) -> list[WireEvent]:
        response = event.get("response")
        if not isinstance(response, Mapping):
            return [event]
        before, self._response_id, self._item_id = self._response_id, text_of(response.get("id")), ""
        told: list[WireEvent] = []
        if self._server.superseded == "silent" and before:
            told.append(_superseded(before))
        if self._server.metadata != "echoed":  # whatever stands there is not what we sent
            response = {key: value for key, value in response.items() if key != "metadata"}
        return [*told, {**event, "response": response}]

    def _response_done(self, event: WireEvent) -> list[WireEvent]:
        self._response_id = self._item_id = ""
        calls, self._calls = self._calls, []
        response = event.get("response")
        if self._server.calls_by != "arguments" or not isinstance(response, Mapping) or response.get("output"):
            return [event]
        rest = {key: value for key, value in response.items() if key != "output"}  # empty, it would say: no answer
        return [{**event, "response": {**rest, "output": calls} if calls else rest}]

    def _item_added(self, event: WireEvent) -> list[WireEvent]:
        item = event.get("item")
        if isinstance(item, Mapping):
            self._item_id = text_of(item.get("id"))
            for key in filter(None, (self._item_id, text_of(item.get("call_id")))):
                self._names[key] = text_of(item.get("name"))
            _forget_oldest(self._names)
        return [event]

    def _arguments_done(self, event: WireEvent) -> list[WireEvent]:
        """A call that comes in no item: as the item that the protocol would show it in."""
        call_id = text_of(event.get("call_id"))
        if self._server.calls_by != "arguments" or not call_id:
            return [event]
        item_id = text_of(event.get("item_id"))
        name = text_of(event.get("name")) or self._names.get(call_id) or self._names.get(item_id, "")
        item: WireEvent = {
            "id": item_id, "type": "function_call", "status": "completed", "call_id": call_id, "name": name,
            "arguments": text_of(event.get("arguments")),
        }  # fmt: skip
        self._calls = [*self._calls, item][-MOST_NAMES:]
        done = {"type": "response.output_item.done", "response_id": event.get("response_id"), "item": item}
        return [event, done]

    # --- out ----------------------------------------------------------------------------------------------------------

    def said(self, event: WireEvent) -> list[WireEvent]:
        """One event of ours, as the server takes it."""
        kind = event.get("type")
        if kind in self._server.never_sent:
            return []
        return self._create(event) if kind == "response.create" else [event]

    def _create(self, event: WireEvent) -> list[WireEvent]:
        options = event.get("response")
        if not isinstance(options, Mapping):
            return [event]
        if self._server.creates == "bare":
            bare = {key: value for key, value in event.items() if key != "response"}
            told = options.get("instructions")
            return [_system(told), bare] if isinstance(told, str) else [bare]
        if self._server.metadata == "refused":
            options = {key: value for key, value in options.items() if key != "metadata"}
        return [{**event, "response": options}]


def accent_of(server: RealtimeServer) -> Accent | None:
    """None: it speaks as the protocol says."""
    return None if server.speaks_plainly else Accent(server)


def packed(input_format: str) -> Callable[[bytes], bytes] | None:
    """How caller audio is put into chunks; None: as it is."""
    if not input_format.startswith(_WAV):
        return None
    rate_hz = FORMATS[input_format].rate_hz
    return lambda payload: _wav_header(len(payload), rate_hz) + payload


def _wav_header(size_bytes: int, rate_hz: int) -> bytes:
    """Of 16 bit mono PCM."""
    form = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + size_bytes, b"WAVE", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16
    )
    return form + struct.pack("<4sI", b"data", size_bytes)


def _superseded(response_id: str) -> WireEvent:
    details = {"type": "cancelled", "reason": "turn_detected"}
    return {
        "type": "response.done",
        "response": {"id": response_id, "status": "cancelled", "status_details": details, "output": []},
    }


def _system(text: str) -> WireEvent:
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "system", "content": content}}


def _forget_oldest(known: dict[str, object] | dict[str, str] | dict[str, None]) -> None:
    while len(known) > MOST_NAMES:
        known.pop(next(iter(known)))
