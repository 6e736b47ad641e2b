"""What the input transcription says of the caller's turns, word by word, and when. It knows no audio.

Source: docs/facts/realtime_api.md sections 3.2, 3.8 and 11. [INF]: that each delta has the log probabilities of its own
word, and that one speaker is one segment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from adapters.simulator.providers.realtime.conversation import ConversationItem
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.live_response import tokens
from adapters.simulator.providers.realtime.provider_scenario import UserTurn
from adapters.simulator.providers.realtime.session_context import SessionContext

_LOGPROB = -0.01


class Transcripts:
    """The transcripts of one session's input."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._half_said: str | None = None

    def said(self, turn: int) -> UserTurn:
        """What the caller says in this spoken turn, by the script."""
        turns = self._context.scenario.user_turns
        return turns[turn - 1] if turn <= len(turns) else UserTurn(text=f"This is what the caller said in turn {turn}.")

    def begin(self, item_id: str, said: UserTurn, now_s: float) -> None:
        """While the caller still speaks: the first half of the words, one after the other."""
        words = tokens(said.text)
        if words and not said.fails:
            self._half_said = item_id
            self._stream(item_id, words[: (len(words) + 1) // 2], now_s + 6 * self._context.latency.transcription_s)

    def finish(self, item: ConversationItem, said: UserTurn, seconds: float, now_s: float) -> None:
        """The turn is committed: the rest of the words, then the whole, or the failure."""
        words = tokens(said.text)
        if words and not said.fails:
            rest = words[(len(words) + 1) // 2 :] if self._half_said == item.id else words
            self._stream(item.id, rest, now_s + self._context.latency.transcription_s)

        def end(at_s: float) -> None:
            if said.fails:
                self._fail(item, said.fails, at_s)
            else:
                self._complete(item, said.text, words, seconds, at_s)

        self._context.schedule.at(now_s + self._context.latency.transcription_done_s, end)

    def _stream(self, item_id: str, words: list[str], first_s: float) -> None:
        for n, word in enumerate(words):
            self._context.schedule.at(first_s + n * self._context.latency.token_s, self._say_word(item_id, word))

    def _say_word(self, item_id: str, word: str) -> Callable[[float], None]:
        def say(now_s: float) -> None:
            padding = self._context.ids.obfuscation(word)
            self._emit(now_s, "delta", item_id, delta=word, obfuscation=padding, **self._logprobs([word]))

        return say

    def _complete(self, item: ConversationItem, text: str, words: Sequence[str], seconds: float, now_s: float) -> None:
        item.content[0]["transcript"] = text
        if "diarize" in str((self._context.session.transcription or {}).get("model")) and text:
            segment = {"id": self._context.ids.segment(), "speaker": "A", "text": text, "start": 0.0, "end": seconds}
            self._emit(now_s, "segment", item.id, **segment)
        usage = {"type": "duration", "seconds": math.ceil(seconds) if text else 0}
        self._emit(now_s, "completed", item.id, transcript=text, usage=usage, **self._logprobs(words))

    def _fail(self, item: ConversationItem, code: str, now_s: float) -> None:
        message = f"Input transcription failed for item '{item.id}'."
        error = {"type": "server_error", "code": code, "message": message, "param": None}
        self._emit(now_s, "failed", item.id, error=error)

    def _logprobs(self, words: Sequence[str]) -> Json:
        if not self._context.session.wants_logprobs:
            return {}
        return {"logprobs": [{"token": word, "logprob": _LOGPROB, "bytes": list(word.encode())} for word in words]}

    def _emit(self, now_s: float, what: str, item_id: str, **fields: Any) -> None:
        kind = f"conversation.item.input_audio_transcription.{what}"
        self._context.outbox.emit(now_s, kind, item_id=item_id, content_index=0, **fields)
