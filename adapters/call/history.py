"""What was said and heard so far, as text, for a session that takes over from one that was lost. Bounded; never audio.

Fed with what wire events carry and with what the playout reports; asked after a reconnect. The provider has no resume
(docs/facts/realtime_api.md section 5), so a new session is told what the old one knew: of the agent's words those that
the caller has heard. Words without a sound were said to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import attrs

from adapters.call.heard_text import heard_text
from adapters.providers.provider import AgentPiece, HistoryItem, HistoryMessage, HistoryToolCall

_LONGEST_TEXT = 20_000  # characters of one piece, whatever a provider sends


@attrs.define(eq=False)
class _Spoken:
    """One piece of the agent's speech: its words and its audio come independently, its end may never come."""

    response_id: str = ""
    text: str = ""
    has_all_words: bool = False
    received_ms: float = 0.0
    is_whole: bool = False
    heard_ms: float | None = None
    """Where it was cut; None: it was not."""

    def heard(self, playing_ms: float | None) -> HistoryItem | None:
        """As the caller knows it; `playing_ms`: how far the playout is, None if it is done with it."""
        heard_ms = next((ms for ms in (self.heard_ms, playing_ms) if ms is not None), self.received_ms)
        text = heard_text(self.text.strip(), heard_ms, self.received_ms, is_whole=self.is_whole)
        return HistoryMessage("assistant", text) if text else None


_Said: TypeAlias = HistoryItem | _Spoken | None  # None: what was said there is not known (yet)


class History:
    """The last `bound` things said and tools answered, in the order of the conversation.

    What the caller said is known late, often after its answer: its place is taken when the turn is committed.
    """

    def __init__(self, bound: int = 100) -> None:
        self._bound = bound
        self._items: dict[object, _Said] = {}
        self._calls: dict[str, tuple[str, str]] = {}
        self._sounding: AgentPiece | None = None

    # --- the agent ----------------------------------------------------------------------------------------------------

    def agent_sounded(self, response_id: str, piece: AgentPiece, duration_ms: float) -> None:
        """Audio of a piece has come; it may never be heard."""
        spoken = self._spoken(piece)
        spoken.response_id = response_id
        spoken.received_ms += duration_ms
        self._sounding = piece

    def agent_said(self, piece: AgentPiece, text: str, *, is_all: bool) -> None:
        """The next words of a piece, or all of them; without an item id they are those of what sounds."""
        if not piece.item_id:
            if self._sounding is None:
                return
            piece = self._sounding
        spoken = self._spoken(piece)
        if not spoken.has_all_words:
            spoken.text = (text if is_all else spoken.text + text)[:_LONGEST_TEXT]
            spoken.has_all_words = is_all

    def item_completed(self, item_id: str) -> None:
        """All audio of an item has come."""
        for key, spoken in self._spoken_pieces():
            if isinstance(key, AgentPiece) and key.item_id == item_id:
                spoken.is_whole = True

    def response_completed(self, response_id: str) -> None:
        """All audio of a response has come."""
        for _, spoken in self._spoken_pieces():
            if response_id and spoken.response_id == response_id:
                spoken.is_whole = True

    def agent_cut(self, reports: Iterable[Mapping[str, object]]) -> None:
        """What a flush of the playout reports: from there on nothing of it was heard."""
        for piece, heard_ms in _positions(reports).items():
            spoken = self._items.get(piece)
            if isinstance(spoken, _Spoken) and spoken.heard_ms is None:
                spoken.heard_ms = heard_ms
            elif spoken is None and not heard_ms:  # its words may still come
                self._keep(piece, _Spoken(heard_ms=0.0))

    def agent_silent(self, response_id: str) -> None:
        """A response was played out, and there was no sound in it."""
        for _, spoken in self._spoken_pieces():
            if spoken.response_id == response_id:
                spoken.heard_ms = 0.0

    # --- the caller ---------------------------------------------------------------------------------------------------

    def caller_said(self, item_id: str, text: str) -> None:
        """In the turn of this item; "": it is not known which one."""
        self._keep(item_id or object(), HistoryMessage("user", text))

    def turn(self, item_id: str) -> None:
        """A turn of the caller was committed, of which the words may come later."""
        self._keep(item_id or object())

    # --- tools --------------------------------------------------------------------------------------------------------

    def called(self, call_id: str, name: str, arguments: str) -> None:
        """A tool call was taken up."""
        self._calls[call_id] = (name, arguments)

    def answered(self, call_id: str, output: str) -> None:
        """A tool call was answered; only such a call is given to a new session."""
        name, arguments = self._calls.pop(call_id, ("", ""))
        if name:
            self._keep(object(), HistoryToolCall(call_id, name, arguments, output))

    # --- for the next session -----------------------------------------------------------------------------------------

    def items(self, playing: Iterable[Mapping[str, object]] = ()) -> tuple[HistoryItem, ...]:
        """Oldest first. `playing`: what the playout is not done with, in the form of a flush report.

        Calls without an answer, turns without words are forgotten: the new session has its own ids. What still plays
        is told as far as it was heard by now, and is known in full when it is asked for again.
        """
        self._calls.clear()
        self._sounding = None
        positions = _positions(playing)
        told: list[HistoryItem] = []
        kept: dict[object, _Said] = {}
        for key, said in self._items.items():
            heard_ms = positions.get(key) if isinstance(key, AgentPiece) else None
            item = said.heard(heard_ms) if isinstance(said, _Spoken) else said
            goes_on = isinstance(said, _Spoken) and heard_ms is not None and said.heard_ms is None
            if item is not None:
                told.append(item)
            if goes_on:
                kept[key] = said
            elif item is not None:
                kept[object()] = item
        self._items = kept
        return tuple(told)

    def _spoken(self, piece: AgentPiece) -> _Spoken:
        spoken = self._items.get(piece)
        if not isinstance(spoken, _Spoken):
            self._keep(piece, spoken := _Spoken())
        return spoken

    def _spoken_pieces(self) -> list[tuple[object, _Spoken]]:
        return [(key, said) for key, said in self._items.items() if isinstance(said, _Spoken)]

    def _keep(self, place: object, item: _Said = None) -> None:
        self._items[place] = item or self._items.get(place)
        while len(self._items) > self._bound:
            del self._items[next(iter(self._items))]


def _positions(reports: Iterable[Mapping[str, object]]) -> dict[AgentPiece, float]:
    """`heard_ms` of each piece that the playout names."""
    positions = {}
    for report in reports:
        item_id, index, heard_ms = (report.get(key) for key in ("item_id", "content_index", "heard_ms"))
        if isinstance(item_id, str) and isinstance(index, int) and isinstance(heard_ms, int):
            positions[AgentPiece(item_id, index)] = float(heard_ms)
    return positions
