"""One session as it is read: messages in, audio with ids and events out. Pure: the time is an argument.

The wire's audio has no ids and its words no turns; both are found here. What the model says is an utterance with an id,
`voice.began` and `voice.ended` stand for where it begins and ends, as if the provider had sent them. The caller's words
since the model last spoke are one turn; it goes along with each of its fragments (`turn`), and with work that is
delegated (`said`), which carries no task text of its own (docs/facts/gpt_live.md section 5). The model's words get the
id of their utterance (`speech_id`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.audio.formats import AudioFormat
from adapters.providers.connection import Decoded
from adapters.providers.endings import OPENAI
from adapters.providers.json_wire import number_of, wire_text
from adapters.providers.live.protocol import append_event, decode
from adapters.providers.live.utterances import ENDS_MS, Utterances
from adapters.providers.provider import AudioDelta, DecodeFailure, WireEvent
from adapters.websocket.frames import Payload

_MOST_ID: Final = 100
_MOST_WORDS: Final = 4_000  # characters of a turn that are kept


class LiveReader:
    """Of one session. Its ids begin with the session's: those of another one are others."""

    fatal_ends = OPENAI
    has_binary_audio = False

    def __init__(self, audio: AudioFormat) -> None:
        self._utterances = Utterances(audio)
        self._prefix = "speech"
        self._turn = 1
        self._words = ""
        self._is_answered = False
        self._said_in = 1  # the number of the utterance that the model's last words are of
        self._said_until_ms: float | None = None

    def opened(self) -> Iterable[WireEvent]:
        return ()

    def append(self, audio: bytes) -> bytes:
        return append_event(audio)

    def told(self, event: Mapping[str, object]) -> Iterable[bytes]:
        return (wire_text(event),)

    def fatal_error(self, event: WireEvent) -> str | None:
        return OPENAI.error_of(event.get("error")) if event.get("type") == "error" else None

    def heard(self, payload: Payload, now_s: float, *, binary: bool = False) -> Iterator[Decoded]:
        decoded = decode(payload, binary=binary)
        if isinstance(decoded, bytes):
            yield from self._audio_heard(decoded, now_s)
        elif isinstance(decoded, DecodeFailure):
            yield decoded
        else:
            yield self._with_words(decoded)

    def _audio_heard(self, audio: bytes, now_s: float) -> Iterator[WireEvent | AudioDelta]:
        for what, number, payload in self._utterances.push(audio, now_s):
            speech = f"{self._prefix}_{number}"
            if what == "audio":
                yield AudioDelta(speech, speech, 0, payload)
            else:
                self._is_answered |= what == "began"
                yield {"type": f"voice.{what}", "speech_id": speech}

    def _with_words(self, event: WireEvent) -> WireEvent:
        kind = event["type"]
        session = event.get("session")
        if kind == "session.started" and isinstance(session, dict) and isinstance(session.get("id"), str):
            self._prefix = session["id"][:_MOST_ID]
        if kind == "session.input_transcript.delta":
            delta = event.get("delta")
            if self._is_answered:
                self._turn, self._words, self._is_answered = self._turn + 1, "", False
            self._words = (self._words + (delta if isinstance(delta, str) else ""))[-_MOST_WORDS:]
            return {**event, "turn": {"id": f"{self._prefix}_turn_{self._turn}", "text": self._words}}
        if kind == "session.output_transcript.delta":
            return {**event, "speech_id": f"{self._prefix}_{self._utterance_of(event)}"}
        if kind == "session.delegation.created":
            return {**event, "said": self._words.strip()}
        return event

    def _utterance_of(self, event: WireEvent) -> int:
        """The number of the utterance that words of the model's are of.

        Words that are shown in silence are the first of the next one, whose sound is not heard yet, or the last of the
        one before; after a pause on the provider's own timeline they are the first.
        """
        start_ms, until_ms = number_of(event.get("start_ms")), self._said_until_ms
        self._said_until_ms = number_of(event.get("end_ms"))
        if self._utterances.is_speech:
            self._said_in = self._utterances.number
        elif start_ms is not None and until_ms is not None and start_ms - until_ms >= ENDS_MS:
            self._said_in = self._utterances.number + 1
        return self._said_in
