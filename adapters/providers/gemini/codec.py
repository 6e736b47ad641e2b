"""One Gemini Live session as it is read and spoken. Pure: the time is an argument.

The wire has no id of an answer, and says neither where one begins nor, once, where it ends. Both are found here:
`voice.began` stands before its first audio, `voice.ended` where it is first known to be over, as if the provider had
sent them; before what answers the caller stands `turn.taken`. What it did send stays beside them. Late audio of an
answer that was cut is dropped. What may not be said yet waits: anything before `setupComplete`, the caller's audio
while a call holds the model up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.providers.connection import Decoded
from adapters.providers.endings import FatalEnds
from adapters.providers.gemini.messages import parts_of
from adapters.providers.gemini.open_calls import OpenCalls
from adapters.providers.gemini.protocol import audio_message
from adapters.providers.json_wire import object_of, text_of, wire_text
from adapters.providers.provider import AudioDelta, DecodeFailure, WireEvent
from adapters.websocket.frames import Payload

LATE_S: Final = 1.0
"""How long audio may be that of the answer that was interrupted; the next one cannot come that soon."""
MOST_EARLY: Final = 32
"""Messages that wait for setupComplete."""
_MOST_ID: Final = 100
_MOST_WORDS: Final = 4_000  # characters of a turn that are kept

OF_SETUP: Final = FatalEnds(closes=frozenset({1007, 1008}), errors=frozenset())
"""A close that answers a setup is about what it says, and another one would say the same."""
OF_SESSION: Final = FatalEnds(closes=frozenset(), errors=frozenset())
"""Later, and where a handle was refused, another session may fare better."""


class GeminiCodec:
    """Of one connection. Its ids begin with the session's, or with a name of the connection where it has none."""

    has_binary_audio = False

    def __init__(self, name: str, *, holds_audio_at_tools: bool) -> None:
        self._prefix = name
        self._is_set_up = False
        self._takes_up = False  # a session, by a handle
        self._early: list[bytes] = []
        self._calls = OpenCalls(holds_audio=holds_audio_at_tools)
        self._number = 0
        self._is_sounding = False
        self._has_sounded = False  # since the last turn was complete
        self._has_called = False
        self._is_cut = False
        self._late_until_s: float | None = None
        self._turn = 0
        self._words = ""
        self._is_answered = True
        self._is_taken = False  # the turn that is being answered
        self._is_asked = False  # by us, so that what comes next answers no turn of the caller's

    @property
    def fatal_ends(self) -> FatalEnds:
        return OF_SESSION if self._is_set_up or self._takes_up else OF_SETUP

    def opened(self) -> Iterable[WireEvent]:
        """The provider says nothing until it is told what the session is to be."""
        return ({"type": "session.welcomed"},)

    def fatal_error(self, event: WireEvent) -> str | None:  # noqa: ARG002 failures are closes
        """There are no error messages: failures are closes."""
        return None

    # --- out

    def append(self, audio: bytes) -> bytes:
        return audio_message(audio)

    def admitted(self, audio: bytes) -> bytes:
        """What of the caller's audio may be sent now; nothing, while a call holds the model up."""
        return self._calls.admitted(audio)

    def told(self, event: Mapping[str, object]) -> Iterable[bytes]:
        key = text_of(event.get("type"))
        body = object_of(event.get(key))
        self._is_asked |= key == "toolResponse" or body.get("turnComplete") is True or "text" in body
        if key == "setup":
            self._takes_up = bool(object_of(body.get("sessionResumption")).get("handle"))
            return (wire_text({key: body}),)
        if key == "toolResponse":
            body, held = self._calls.answered(body)
            frames = [wire_text({key: body})] if body else []
            frames += [audio_message(held)] if held else []
        else:
            frames = [wire_text({key: body})]
        if self._is_set_up:
            return frames
        self._early = [*self._early, *frames][-MOST_EARLY:]
        return ()

    def due(self) -> Iterable[bytes]:
        """What has waited for setupComplete, once."""
        early, self._early = self._early, []
        return early

    # --- in

    def heard(self, payload: Payload, now_s: float, *, binary: bool = False) -> Iterator[Decoded]:  # noqa: ARG002 every frame is JSON
        """A message is text or binary: the same JSON."""
        for part in parts_of(payload):
            if isinstance(part, bytes):
                yield from self._audio_heard(part, now_s)
            elif isinstance(part, DecodeFailure):
                yield part
            else:
                yield from self._event_heard(part, now_s)

    def _audio_heard(self, audio: bytes, now_s: float) -> Iterator[WireEvent | AudioDelta]:
        if not audio or (self._late_until_s is not None and now_s < self._late_until_s):
            return
        self._late_until_s = None
        if not self._is_sounding:
            self._number += 1
            self._is_sounding, self._has_sounded, self._is_cut = True, True, False
            yield from self._turn_taken()
            yield {"type": "voice.began", "speech_id": self._speech_id}
        yield AudioDelta(self._speech_id, self._speech_id, 0, audio)

    @property
    def _speech_id(self) -> str:
        return f"{self._prefix}_{self._number}"

    def _event_heard(self, event: WireEvent, now_s: float) -> Iterator[WireEvent]:
        match event["type"]:
            case "setupComplete":
                self._is_set_up = True
                self._prefix = text_of(event["session_id"])[:_MOST_ID] or self._prefix
            case "inputTranscription":
                event = self._with_turn(event)
            case "outputTranscription":
                event = {**event, "speech_id": self._speech_id if self._is_sounding else self._next_id}
            case "toolCall":
                self._has_called = True
                yield from self._turn_taken()
                yield from self._voice_ended("completed")  # it may never be said; what follows is another
                event = {**event, "calls": self._calls.opened(event["calls"], self._prefix)}
            case "toolCallCancellation":
                self._calls.cancelled(event["calls"])
            case "interrupted":
                self._is_cut, self._is_taken, self._late_until_s = True, False, now_s + LATE_S
                yield {**event, "speech_id": self._speech_id}
                yield from self._voice_ended("interrupted")
                return
            case "generationComplete":
                yield from self._voice_ended("completed")
            case "turnComplete":
                yield from self._voice_ended("completed")
                event = self._with_outcome(event)
                if event["outcome"] in ("empty", "failed") and not self._is_answered:
                    yield from self._turn_taken()
                    self._is_taken = False
            case _:
                pass
        yield event

    @property
    def _next_id(self) -> str:
        return f"{self._prefix}_{self._number + 1}"

    def _turn_taken(self) -> Iterator[WireEvent]:
        """The provider answers the caller: so it has taken the turn, which it does not say."""
        if not (self._is_taken or self._is_asked) or not self._is_answered:
            yield {"type": "turn.taken"}
        self._is_taken, self._is_asked, self._is_answered = True, False, True

    def _voice_ended(self, how: str) -> Iterator[WireEvent]:
        if self._is_sounding:
            self._is_sounding = False
            yield {"type": "voice.ended", "speech_id": self._speech_id, "how": how}

    def _with_outcome(self, event: WireEvent) -> WireEvent:
        """What the turn came to: `empty` is one in which nothing was said, asked or cut, `failed` says why."""
        outcome = "whole"
        if event["reason"] not in _FINE:
            outcome = "failed"
        elif self._is_cut:
            outcome = "cut"
        elif not self._has_sounded:
            outcome = "called" if self._has_called else "empty"
        self._has_sounded = self._has_called = self._is_cut = self._is_taken = False
        self._late_until_s = None
        return {**event, "outcome": outcome}

    def _with_turn(self, event: WireEvent) -> WireEvent:
        """The caller's words since the model last spoke are one turn."""
        if self._is_answered:
            self._turn, self._words, self._is_answered = self._turn + 1, "", False
        self._words = (self._words + text_of(event["text"]))[-_MOST_WORDS:]
        return {**event, "turn": {"id": f"{self._prefix}_turn_{self._turn}", "text": self._words}}


_FINE: Final = frozenset({"", "TURN_COMPLETE_REASON_UNSPECIFIED", "NEED_MORE_INPUT"})
"""Reasons with which nothing is wrong: the model listens on."""
