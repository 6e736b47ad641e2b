"""What was said so far, as text, for a session that takes over from one that was lost. Bounded; never audio.

Fed with wire events as they pass; asked once after a reconnect. The provider has no resume (docs/facts/realtime_api.md
section 5), so a new session is told what the old one knew.
"""

from __future__ import annotations

from typing import Literal

from adapters.providers.realtime.protocol import HistoryItem, HistoryMessage, HistoryToolCall, WireEvent

_SAID_BY_AGENT = frozenset(
    {
        "response.output_audio_transcript.done",
        "response.audio_transcript.done",
        "response.output_text.done",
        "response.text.done",
    }
)
_SAID_BY_CALLER = "conversation.item.input_audio_transcription.completed"
_TURN_OF_CALLER = "input_audio_buffer.committed"


class History:
    """The last `bound` things said and tools answered, in the order of the conversation.

    What the caller said is known late, often after its answer: its place is taken when the turn is committed.
    """

    def __init__(self, bound: int = 100) -> None:
        self._bound = bound
        self._items: dict[object, HistoryItem | None] = {}  # None: what was said there is not known (yet)
        self._calls: dict[str, tuple[str, str]] = {}

    def hear(self, event: WireEvent) -> None:
        """Takes note of a wire event, if it says anything."""
        kind = event.get("type")
        if kind in _SAID_BY_AGENT:
            self._say("assistant", event.get("transcript") or event.get("text"), object())
        elif kind == _SAID_BY_CALLER:
            self._say("user", event.get("transcript"), _place(event))
        elif kind == _TURN_OF_CALLER:
            self._keep(_place(event))

    def called(self, call_id: str, name: str, arguments: str) -> None:
        """A tool call was taken up."""
        self._calls[call_id] = (name, arguments)

    def answered(self, call_id: str, output: str) -> None:
        """A tool call was answered; only such a call is told to a new session."""
        name, arguments = self._calls.pop(call_id, ("", ""))
        if name:
            self._keep(object(), HistoryToolCall(call_id, name, arguments, output))

    def items(self) -> tuple[HistoryItem, ...]:
        """Oldest first. Calls without an answer, turns without words are forgotten: the new session has its own ids."""
        self._calls.clear()
        self._items = {object(): item for item in self._items.values() if item is not None}
        return tuple(item for item in self._items.values() if item is not None)

    def _say(self, role: Literal["user", "assistant"], text: object, place: object) -> None:
        if isinstance(text, str) and text.strip():
            self._keep(place, HistoryMessage(role, text.strip()))

    def _keep(self, place: object, item: HistoryItem | None = None) -> None:
        self._items[place] = item or self._items.get(place)
        while len(self._items) > self._bound:
            del self._items[next(iter(self._items))]


def _place(event: WireEvent) -> object:
    """Of a turn of the caller: its item's id; one that has none comes where it is told of."""
    item_id = event.get("item_id")
    return item_id if isinstance(item_id, str) and item_id else object()
