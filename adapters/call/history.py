"""What was said so far, as text, for a session that takes over from one that was lost. Bounded; never audio.

Fed with wire events as they pass; asked once after a reconnect. The provider has no resume (facts/realtime_api.md
section 5), so a new session is told what the old one knew.
"""

from __future__ import annotations

from collections import deque

from adapters.realtime.protocol import HistoryItem, HistoryMessage, HistoryToolCall, WireEvent

_SAID_BY_AGENT = frozenset(
    {
        "response.output_audio_transcript.done",
        "response.audio_transcript.done",
        "response.output_text.done",
        "response.text.done",
    }
)
_SAID_BY_CALLER = "conversation.item.input_audio_transcription.completed"


class History:
    """The last `bound` things said and tools answered."""

    def __init__(self, bound: int = 100) -> None:
        self._items: deque[HistoryItem] = deque(maxlen=bound)
        self._calls: dict[str, tuple[str, str]] = {}

    def hear(self, event: WireEvent) -> None:
        """Takes note of a wire event, if it says anything."""
        kind = event.get("type")
        if kind in _SAID_BY_AGENT:
            self._say("assistant", event.get("transcript") or event.get("text"))
        elif kind == _SAID_BY_CALLER:
            self._say("user", event.get("transcript"))

    def called(self, call_id: str, name: str, arguments: str) -> None:
        """A tool call was taken up."""
        self._calls[call_id] = (name, arguments)

    def answered(self, call_id: str, output: str) -> None:
        """A tool call was answered; only such a call is told to a new session."""
        name, arguments = self._calls.pop(call_id, ("", ""))
        if name:
            self._items.append(HistoryToolCall(call_id, name, arguments, output))

    def items(self) -> tuple[HistoryItem, ...]:
        """Oldest first. Calls without an answer are forgotten: the new session does not know them."""
        self._calls.clear()
        return tuple(self._items)

    def _say(self, role: str, text: object) -> None:
        if isinstance(text, str) and text.strip():
            self._items.append(HistoryMessage("assistant" if role == "assistant" else "user", text.strip()))
