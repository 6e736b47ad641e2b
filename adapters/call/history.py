"""What was said so far, as text, for a session that takes over from one that was lost. Bounded; never audio.

Fed with what wire events carry; asked once after a reconnect. The provider has no resume (docs/facts/realtime_api.md
section 5), so a new session is given what the old one knew.
"""

from __future__ import annotations

from adapters.providers.provider import HistoryItem, HistoryMessage, HistoryToolCall


class History:
    """The last `bound` things said and tools answered, in the order of the conversation.

    What the caller said is known late, often after its answer: its place is taken when the turn is committed.
    """

    def __init__(self, bound: int = 100) -> None:
        self._bound = bound
        self._items: dict[object, HistoryItem | None] = {}  # None: what was said there is not known (yet)
        self._calls: dict[str, tuple[str, str]] = {}

    def agent_said(self, text: str) -> None:
        self._keep(object(), HistoryMessage("assistant", text))

    def caller_said(self, item_id: str, text: str) -> None:
        """In the turn of this item; "": it is not known which one."""
        self._keep(item_id or object(), HistoryMessage("user", text))

    def turn(self, item_id: str) -> None:
        """A turn of the caller was committed, of which the words may come later."""
        self._keep(item_id or object())

    def called(self, call_id: str, name: str, arguments: str) -> None:
        """A tool call was taken up."""
        self._calls[call_id] = (name, arguments)

    def answered(self, call_id: str, output: str) -> None:
        """A tool call was answered; only such a call is given to a new session."""
        name, arguments = self._calls.pop(call_id, ("", ""))
        if name:
            self._keep(object(), HistoryToolCall(call_id, name, arguments, output))

    def items(self) -> tuple[HistoryItem, ...]:
        """Oldest first. Calls without an answer, turns without words are forgotten: the new session has its own ids."""
        self._calls.clear()
        self._items = {object(): item for item in self._items.values() if item is not None}
        return tuple(item for item in self._items.values() if item is not None)

    def _keep(self, place: object, item: HistoryItem | None = None) -> None:
        self._items[place] = item or self._items.get(place)
        while len(self._items) > self._bound:
            del self._items[next(iter(self._items))]
