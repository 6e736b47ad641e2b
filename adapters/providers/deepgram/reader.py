"""One session as it is read: messages and binary audio in, audio with ids and events out. Pure: time is an argument.

The wire has no ids; order is all there is. An answer begins with its first audio and ends with AgentAudioDone, or where
the provider hears the caller: `voice.began` and `voice.ended` stand for that, as if the provider had sent them. After
UserStartedSpeaking audio of the old answer still comes: it is dropped until something says that the next one begins
(docs/facts/deepgram_agent.md section 5).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.providers.connection import Decoded
from adapters.providers.deepgram.protocol import ENDS, decode
from adapters.providers.json_wire import text_of, wire_text
from adapters.providers.provider import AudioDelta, DecodeFailure, WireEvent
from adapters.websocket.frames import Payload

GATE_S: Final = 3.0
"""How long late audio is dropped, if nothing says that the next answer begins."""
_OPENERS: Final = frozenset({"EndOfTurn", "AgentThinking", "ConversationText", "FunctionCallRequest", "AgentAudioDone"})
"""After any of these, audio is of the next answer: the rest of the old one is gone, or has come."""
_MOST_INJECTED: Final = 8
_MOST_ID: Final = 100


class AgentReader:
    """Of one session. Its ids begin with the session's: those of another one are others."""

    fatal_ends = ENDS
    has_binary_audio = True

    def __init__(self) -> None:
        self._prefix = "answer"
        self._answers = 0
        self._turns = 0
        self._is_answering = False
        self._shut_at_s: float | None = None
        self._injected: deque[str] = deque(maxlen=_MOST_INJECTED)
        self.dropped_bytes = 0
        """Late audio of answers that the caller has talked over."""

    def opened(self) -> Iterable[WireEvent]:
        return ()

    def append(self, audio: bytes) -> bytes:
        return audio

    def told(self, event: Mapping[str, object]) -> Iterable[bytes]:
        if event.get("type") == "InjectUserMessage":
            self._injected.append(text_of(event.get("content")))
        return (wire_text(event),)

    def fatal_error(self, event: WireEvent) -> str | None:
        return ENDS.error_of(event.get("error")) if event.get("type") == "error" else None

    def heard(self, payload: Payload, now_s: float, *, binary: bool = False) -> Iterator[Decoded]:
        if binary:
            yield from self._audio_heard(bytes(payload) if not isinstance(payload, str) else b"", now_s)
            return
        decoded = decode(payload)
        if isinstance(decoded, DecodeFailure):
            yield decoded
        else:
            yield from self._event_heard(decoded, now_s)

    # --- audio --------------------------------------------------------------------------------------------------------

    def _audio_heard(self, audio: bytes, now_s: float) -> Iterator[Decoded]:
        if not audio:
            return
        if self._shut_at_s is not None and now_s - self._shut_at_s < GATE_S:
            self.dropped_bytes += len(audio)
            return
        self._shut_at_s = None
        if not self._is_answering:
            self._is_answering, self._answers = True, self._answers + 1
            yield {"type": "voice.began", "speech_id": self._answer_id()}
        yield AudioDelta(self._answer_id(), self._answer_id(), 0, audio)

    def _answer_id(self, ahead: int = 0) -> str:
        return f"{self._prefix}_{self._answers + ahead}"

    def _ended(self, *, is_whole: bool) -> Iterator[WireEvent]:
        if self._is_answering:
            self._is_answering = False
            yield {"type": "voice.ended", "speech_id": self._answer_id(), "is_whole": is_whole}

    # --- events -------------------------------------------------------------------------------------------------------

    def _event_heard(self, event: WireEvent, now_s: float) -> Iterator[Decoded]:
        kind = event["type"]
        if kind in _OPENERS:
            self._shut_at_s = None
        if kind == "Welcome":
            self._prefix = text_of(event.get("request_id"))[:_MOST_ID] or self._prefix
        if kind == "UserStartedSpeaking":
            self._shut_at_s = now_s
            yield event
            yield from self._ended(is_whole=False)
        elif kind == "AgentAudioDone":
            yield event
            yield from self._ended(is_whole=True)
        elif kind == "ConversationText":
            yield from self._text_heard(event)
        else:
            yield event

    def _text_heard(self, event: WireEvent) -> Iterator[Decoded]:
        """An answer's text may come before its audio; a message that we put in comes back as the caller's."""
        if event.get("role") == "assistant":
            yield {**event, "speech_id": self._answer_id(0 if self._is_answering else 1)}
            return
        if (content := text_of(event.get("content"))) in self._injected:
            self._injected.remove(content)
            yield {**event, "is_ours": True}
            return
        self._turns += 1
        turn_id = f"{self._prefix}_turn_{self._turns}"
        yield {"type": "turn.accepted", "turn_id": turn_id}
        yield {**event, "turn_id": turn_id}
