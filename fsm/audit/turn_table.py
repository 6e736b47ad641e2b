"""The turns of a call as a table: how long each caller waited, what was heard, said, cut, used. Bounded.

Text and tokens are collected while the log is read; what overlaps and what was silent is reckoned from the lanes of the
timeline when the call is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fsm.audit.conversation import LoggedConversation, mapping
from fsm.audit.exchange import CallerTurn, Response, ResponseState
from fsm.audit.observations import AudioBegan, Observation, ResponseBegan, ResponseEnded, TurnBegan, TurnCommitted
from fsm.audit.record import Record, visible
from fsm.audit.report.report import Bar, Lanes, TurnRow, Usage, Utterance
from fsm.machine.wire import at_path

_ROWS = 1000
_UTTERANCES = 2000
_TEXT = 2000
_TRANSCRIPTS = ("response.output_audio_transcript.done", "response.audio_transcript.done", "response.output_text.done",
                "response.text.done")  # fmt: skip
_HEARD = "conversation.item.input_audio_transcription.completed"


class TurnBook:
    """Fills the table of one call, record by record."""

    def __init__(self) -> None:
        self.rows: list[TurnRow] = []
        self.said: list[Utterance] = []
        self.usage: dict[str, Usage] = {}
        self.dropped = 0
        self._row_of: dict[int, TurnRow] = {}
        self._of_item: dict[str, TurnRow] = {}
        self._of_response: dict[str, tuple[TurnRow | None, float]] = {}
        self._model = ""

    def add(self, record: Record, observed: Sequence[Observation], conversation: LoggedConversation) -> None:
        """One record, and all that came of it."""
        now_ms = conversation.now_ms
        for each in observed:
            if isinstance(each, TurnBegan | TurnCommitted):
                self._turn(each.turn)
            elif isinstance(each, ResponseBegan):
                self._response(each.response, now_ms)
            elif isinstance(each, AudioBegan):
                self._voice(each, now_ms)
            elif isinstance(each, ResponseEnded):
                self._ended(each.response)
        if record.type in ("session.created", "session.updated"):
            self._model = visible(record.text("session.model"))[:80] or self._model
        elif record.type == _HEARD:
            row = self._of_item.get(record.text("item_id"))
            self._say("caller", row.at_ms if row is not None else now_ms, record.text("transcript"), row)
        elif record.type in _TRANSCRIPTS:
            name = record.text("response_id")
            row, at_ms = self._of_response.get(name, (None, now_ms))
            self._say("agent", at_ms, record.text("transcript") or record.text("text"), row)
        elif record.type == "response.done":
            self._used(mapping(at_path(record.event, "response.usage")), record.text("response.model"))

    def _turn(self, turn: CallerTurn) -> None:
        row = self._row_of.get(id(turn))
        if row is None:
            if len(self.rows) >= _ROWS:
                self.dropped += 1
                return
            row = self._row_of[id(turn)] = TurnRow(turn.number, turn.at_ms, turn=turn)
            self.rows.append(row)
        if turn.item_id:
            self._of_item[turn.item_id] = row

    def _response(self, response: Response, now_ms: float) -> None:
        if response.is_outside:
            return
        row = self._row_of.get(id(response.turn)) if response.turn is not None else self._opening(now_ms)
        if row is not None:
            row.responses.append(response.id)
        if len(self._of_response) < _UTTERANCES:
            self._of_response[response.id] = (row, now_ms)

    def _opening(self, now_ms: float) -> TurnRow:
        """What is said before the caller has spoken."""
        if not self.rows or self.rows[0].number:
            self.rows.insert(0, TurnRow(0, now_ms))
        return self.rows[0]

    def _voice(self, began: AudioBegan, now_ms: float) -> None:
        row, _ = self._of_response.get(began.response.id, (None, 0.0))
        at_ms = max(now_ms, began.quiet_since_ms)
        self._of_response[began.response.id] = (row, at_ms)
        if row is not None and row.first_audio_ms is None:
            row.first_audio_ms = at_ms

    def _ended(self, response: Response) -> None:
        row, _ = self._of_response.get(response.id, (None, 0.0))
        by_turn = response.state is ResponseState.CANCELLED and response.reason == "turn_detected"
        if row is not None:
            row.cut = row.cut or response.cut is not None or by_turn

    def _say(self, who: str, at_ms: float, text: str, row: TurnRow | None) -> None:
        if not text.strip():
            return
        if len(self.said) >= _UTTERANCES:
            self.dropped += 1
            return
        self.said.append(Utterance(who, at_ms, text[:_TEXT], row.number if row is not None else None))

    def _used(self, usage: Mapping[str, object], model: str) -> None:
        if usage:
            used = self.usage.setdefault(visible(model)[:80] or self._model, Usage())
            used.add(usage)

    def finish(self, lanes: Lanes, timed: bool) -> None:
        """The call is over: what the lanes show of each turn."""
        heard = sorted((bar for bar in lanes.heard), key=lambda bar: bar.start_ms)
        for at, row in enumerate(self.rows):
            until = self.rows[at + 1].at_ms if at + 1 < len(self.rows) else lanes.end_at
            row.ended_ms = row.turn.ended_ms if row.turn is not None else None
            row.turn = None
            row.unheard = bool(heard) and row.first_audio_ms is None and not row.cut
            if timed:
                _measure(row, heard, until)
        self.said.sort(key=lambda each: each.at_ms)


def _measure(row: TurnRow, heard: Sequence[Bar], until_ms: float) -> None:
    own = [bar for bar in heard if bar.text in row.responses]
    row.heard_ms = sum(bar.end_ms - bar.start_ms for bar in own)
    if row.number:
        ended_ms = row.ended_ms if row.ended_ms is not None else until_ms
        row.talk_over_ms = _overlap(heard, row.at_ms, ended_ms)
        row.dead_air_ms = _longest_gap(heard, ended_ms, until_ms, bool(own))
        if row.first_audio_ms is not None:
            row.latency_ms = max(row.first_audio_ms - ended_ms, 0.0)


def _overlap(bars: Iterable[Bar], start_ms: float, end_ms: float) -> float:
    return sum(max(min(bar.end_ms, end_ms) - max(bar.start_ms, start_ms), 0.0) for bar in bars)


def _longest_gap(bars: Iterable[Bar], start_ms: float, end_ms: float, answered: bool) -> float:
    """The longest silence from the end of a turn to the end of its answer; without one, to the next turn."""
    at_ms, longest = start_ms, 0.0
    for bar in bars:
        if bar.end_ms <= start_ms or bar.start_ms >= end_ms:
            continue
        longest = max(longest, bar.start_ms - at_ms)
        at_ms = max(at_ms, bar.end_ms)
    return longest if answered else max(end_ms - at_ms, longest)
