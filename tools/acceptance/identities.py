"""Whom an event of a log is about, by the ids in it: a closed table of words that rules of a projection may ask for.

Anybody's log: nothing of how our own client names things is used. Never here: what follows from a word.
Sources: docs/facts/realtime_api.md sections 3.6, 3.7, 3.9 and 8; docs/facts/gpt_live.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tools.acceptance.projection import Wire, text_at

WORDS: Final[Mapping[str, str]] = {
    "out_of_band": "of a response that is not in the conversation, or its request",
    "open_response": "of a response that has begun and not ended",
    "ended_response": "of a response that has ended",
    "new_call": "a function call that was not seen yet",
    "turn_item": "an item of a caller's turn: announced with it, or audio that no client sent",
    "response_item": "an item of a response",
    "shown_item": "an item that was shown before",
    "our_item": "an item that the client sent",
    "provider_item": "an item that nobody sent and no response holds: a system message, a list of tools",
    "answers_create": "an error with the event id of a response.create",
    "answers_update": "an error with the event id of a session.update",
    "answers_item": "an error with the event id of a conversation.item.create",
    "answers_start": "an error with the event id of a session.start",
    "announced_work": "of a delegation that was announced",
}
_ANSWERS: Final = {
    "response.create": "answers_create",
    "session.update": "answers_update",
    "transcription_session.update": "answers_update",
    "conversation.item.create": "answers_item",
    "session.start": "answers_start",
}
_TURNS: Final = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.committed",
    "input_audio_buffer.timeout_triggered",
)
_NESTED: Final = "response.event"  # GPT-Live's envelope of an event of a delegated response
_SHOWS_ITEM: Final = ("conversation.item.added", "conversation.item.created")


class Identities:
    """The ids of one log up to an event: `of` says who it is about, `note` remembers it."""

    def __init__(self, conversation_ids: bool, client_is_recorded: bool) -> None:
        self._conversation_ids, self._client_is_recorded = conversation_ids, client_is_recorded
        self._sent: dict[str, str] = {}  # the client's event ids, with the word for an error that carries one
        self._asked_out_of_band: list[object] = []  # the metadata of what was asked for out of band
        self._out_of_band: set[str] = set()
        self._open: set[str] = set()
        self._ended: set[str] = set()
        self._calls: set[str] = set()
        self._delegations: set[str] = set()
        self._turn_items: set[str] = set()
        self._response_items: set[str] = set()
        self._shown: set[str] = set()
        self._ours: list[Wire] = []  # the client's items that were not shown yet

    def of(self, wire: Wire) -> frozenset[str]:
        """The words for an event."""
        kind = text_at(wire, "type")
        if self._is_out_of_band(kind, wire):
            return frozenset({"out_of_band"})
        if kind == _NESTED:
            announced = {"announced_work"} if text_at(wire, "delegation_id") in self._delegations else set()
            return frozenset(announced | self.of_item(_nested(wire)))
        if kind.startswith("response."):
            name = _response(wire)
            known = {"open_response"} if name in self._open or not name else set()
            return frozenset(known | ({"ended_response"} if name in self._ended else set()) | self.of_item(wire))
        if kind in _SHOWS_ITEM:
            return frozenset(self._of_shown(wire))
        answer = self._sent.get(_error_about(wire)) if kind == "error" else None
        return frozenset({answer} if answer else ())

    def of_item(self, wire: Wire) -> set[str]:
        """The words for an item of a response, as the event holds it or as an element of its output."""
        item = wire.get("item", wire)
        call = text_at(item, "call_id")
        return {"new_call"} if call and call not in self._calls else set()

    def _of_shown(self, wire: Wire) -> set[str]:
        name, role, kind = (text_at(wire, f"item.{key}") for key in ("id", "role", "type"))
        if name and name in self._shown:
            return {"shown_item"}
        if name and name in self._response_items:
            return {"response_item"}
        if name and name in self._turn_items:
            return {"turn_item"}
        if self._ours_at(wire) is not None:
            return {"our_item"}
        if self._open and (role == "assistant" or kind == "function_call"):
            return {"response_item"}
        if role == "user" and (text_at(wire, "item.status") == "in_progress" or _has_audio(wire)):
            return {"turn_item"}
        return {"provider_item"} if role == "system" or kind.startswith("mcp_") else set()

    def _ours_at(self, wire: Wire) -> int | None:
        """Which of the client's items is shown: the one of this id or call, else the first that looks like it."""
        shown = wire.get("item")
        for index, item in enumerate(self._ours):
            if all(text_at(item, key) in ("", text_at(shown, key)) for key in ("id", "type", "role", "call_id")):
                return index
        return None

    # --- out of band --------------------------------------------------------------------------------------------------

    def _is_out_of_band(self, kind: str, wire: Wire) -> bool:
        if kind == "response.create":
            return text_at(wire, "response.conversation") == "none"
        if kind == "response.created":
            return self._asked_at(wire) is not None or self._unasked(wire)
        if kind == "error":
            return self._sent.get(_error_about(wire)) == "out_of_band"
        return kind.startswith("response.") and _response(wire) in self._out_of_band

    def _asked_at(self, wire: Wire) -> int | None:
        """Which request out of band a response answers: it is in no conversation and has the metadata asked for.

        Where responses name their conversation, none at all says enough: the first that was asked for.
        """
        response, conversation = wire.get("response"), text_at(wire, "response.conversation_id")
        if not isinstance(response, Mapping) or conversation not in ("", "null") or not self._asked_out_of_band:
            return None
        metadata = response.get("metadata") or None
        alike = [i for i, asked in enumerate(self._asked_out_of_band) if (asked or None) == metadata]
        return alike[0] if alike else 0 if self._conversation_ids and conversation == "null" else None

    def _unasked(self, wire: Wire) -> bool:
        """Where nobody saw what was asked for, a response that says it has no conversation has none."""
        says_so = self._conversation_ids and text_at(wire, "response.conversation_id") == "null"
        return says_so and not self._client_is_recorded

    # --- remembering --------------------------------------------------------------------------------------------------

    def note(self, wire: Wire) -> None:
        """Remembers the ids of an event."""
        kind, name = text_at(wire, "type"), _response(wire)
        out_of_band = self._is_out_of_band(kind, wire)
        item, item_id = wire.get("item"), text_at(wire, "item_id")
        if kind == "session.delegation.created":
            self._delegations.add(text_at(wire, "delegation.id"))
        elif kind == _NESTED and text_at(wire, "event.type").endswith(".done"):
            self._calls.add(text_at(_nested(wire), "item.call_id"))
        if kind in _ANSWERS:
            self._note_sent(kind, wire, out_of_band)
        elif kind in _TURNS and item_id:
            self._turn_items.add(item_id)
        elif kind in _SHOWS_ITEM:
            self._note_shown(wire)
        elif kind.startswith("response.") and name:
            self._note_response(kind, name, wire, out_of_band)
        if kind.startswith("response.output_item.") and isinstance(item, Mapping):
            self._response_items.add(text_at(item, "id"))
            if kind.endswith(".done"):
                self._calls.add(text_at(item, "call_id"))

    def _note_sent(self, kind: str, wire: Wire, out_of_band: bool) -> None:
        event_id, item, response = text_at(wire, "event_id"), wire.get("item"), wire.get("response")
        if event_id:
            self._sent[event_id] = "out_of_band" if out_of_band else _ANSWERS[kind]
        if kind == "conversation.item.create" and isinstance(item, Mapping):
            self._ours.append(item)
        if out_of_band:
            self._asked_out_of_band.append(response.get("metadata") if isinstance(response, Mapping) else None)

    def _note_shown(self, wire: Wire) -> None:
        index = self._ours_at(wire) if "our_item" in self._of_shown(wire) else None
        if index is not None:
            del self._ours[index]
        self._shown.add(text_at(wire, "item.id"))

    def _note_response(self, kind: str, name: str, wire: Wire, out_of_band: bool) -> None:
        if kind == "response.created" and out_of_band:
            index = self._asked_at(wire)
            if index is not None:
                del self._asked_out_of_band[index]
            self._out_of_band.add(name)
        elif kind == "response.done":
            self._open.discard(name)
            self._ended.add(name)
        elif not out_of_band and kind != "response.cancel" and name not in self._ended:
            self._open.add(name)


def _response(wire: Wire) -> str:
    return text_at(wire, "response.id") or text_at(wire, "response_id")


def _nested(wire: Wire) -> Wire:
    event = wire.get("event")
    return event if isinstance(event, Mapping) else {}


def _error_about(wire: Wire) -> str:
    """The event id of the client's that an error names; GPT-Live has another key for it."""
    return text_at(wire, "error.event_id") or text_at(wire, "error.client_event_id")


def _has_audio(wire: Wire) -> bool:
    item = wire.get("item")
    content = item.get("content") if isinstance(item, Mapping) else None
    return isinstance(content, list | tuple) and any(text_at(part, "type") == "input_audio" for part in content)
