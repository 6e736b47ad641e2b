"""What the provider sends, as facts for the mailbox and audio for the caller. Never a decision, never a control event.

One object for each socket, so that what a socket we have left still says reaches nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import structlog

from adapters.audio.agent_audio import AgentPlayout
from adapters.audio.caller_audio import CallerAudioPath
from adapters.call.claims import ProviderClaims
from adapters.call.expiry import SessionExpiry
from adapters.call.history import History
from adapters.call.mailbox import Mailbox
from adapters.call.usage import CallUsage
from adapters.providers.provider import (
    AgentPiece,
    AgentSaid,
    AudioDelta,
    AudioGenerated,
    CallerSaid,
    CallerStarted,
    ConnectionEnding,
    DecodeFailure,
    ItemCompleted,
    KeyPressed,
    PlayoutMoment,
    Provider,
    ProviderComplained,
    ResponseGenerated,
    ResponseStarted,
    SessionBegan,
    SessionConfirmed,
    TurnAccepted,
    WireEvent,
    WireNote,
)
from fsm.language.vocabulary import Vocabulary
from fsm.machine.machine import Event
from fsm.machine.wire import knows, read_wire

EXPIRING: Final = "session.expiring"
"""The fact that the session will end in some minutes, where the vocabulary has a word for it."""
_UNRELATED = "error.unrelated"  # an error that nothing else speaks of: nobody would hear of it


@attrs.define(eq=False)
class ProviderListener:
    """The listener of one connection. `wire_in` is called with every event before it is read."""

    provider: Provider
    vocabulary: Vocabulary
    mailbox: Mailbox
    agent_audio: AgentPlayout
    caller_audio: CallerAudioPath
    history: History
    claims: ProviderClaims
    wire_in: Callable[[WireEvent], None]
    log: structlog.typing.FilteringBoundLogger
    usage: CallUsage = attrs.field(factory=CallUsage)
    on_key: Callable[[str], None] = lambda _digit: None
    """The caller pressed a key, where the line is the provider's."""
    on_missing: Callable[[], None] | None = None
    """The session to attach to is no more; None: there is no such session, it would have been our own."""
    is_left: bool = False
    _unknown: set[str] = attrs.field(factory=set)
    _expiry: SessionExpiry = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._expiry = SessionExpiry(lambda: self._put(EXPIRING, {}))

    def leave(self) -> None:
        """Nobody listens to this connection any more."""
        self.is_left = True
        self._expiry.stop()

    def on_open(self) -> None:
        self._put("provider.opened", {})

    def on_closed(self, ending: ConnectionEnding) -> None:
        self._expiry.stop()
        self._put("provider.closed", {"code": ending.code, "reason": ending.reason, "fatal": ending.fatal})

    def on_unreachable(self, ending: ConnectionEnding) -> None:
        if ending.is_missing and self.on_missing is not None and not self.is_left:
            self.on_missing()
            return
        self._put("provider.unreachable", {"reason": ending.reason, "fatal": ending.fatal})

    def on_undecodable(self, failure: DecodeFailure) -> None:
        self.log.debug("wire_undecodable", kind=failure.kind, detail=failure.detail)

    def on_audio(self, delta: AudioDelta) -> None:
        if not self.is_left:
            duration_ms = self.agent_audio.duration_ms(delta.payload)
            self.agent_audio.push(delta.response_id, delta.item_id, delta.content_index, delta.payload)
            self.history.agent_sounded(delta.response_id, AgentPiece(delta.item_id, delta.content_index), duration_ms)

    def on_event(self, event: WireEvent) -> None:
        if (usage := self.provider.usage(event)) is not None:  # also of a session that we have left
            self.usage.take(self, usage)
        if self.is_left:
            return
        self.wire_in(event)
        kind = event.get("type")
        if isinstance(kind, str) and not knows(self.vocabulary, kind) and kind not in self._unknown:
            self._unknown.add(kind)
            self.log.info("unknown_wire_event", type=kind[:100])
        cause = event.get("event_id")
        note = self.provider.note(event)
        if isinstance(note, SessionConfirmed) and (kept := self.claims.confirm(note)):
            self._put("session.update_rejected", kept)
            return
        for fact in read_wire(self.vocabulary, event):
            self.mailbox.put(fact, f"wire:{cause}" if isinstance(cause, str) else "wire")
            if isinstance(note, ProviderComplained) and fact.name == _UNRELATED:
                self.claims.complain(note)
        if isinstance(note, PlayoutMoment | KeyPressed):
            self._keep_of_line(note)
        elif note is not None:  # behind the facts: what the playout finds of a response comes after its end
            self._keep(note)

    def _keep(self, note: WireNote) -> None:
        """What is not the machine's to know: words for a later session, the ends of audio, whose turn is held where."""
        match note:
            case SessionBegan(expires_at_s):
                if EXPIRING in self.vocabulary.events:
                    self._expiry.session_began(expires_at_s)
            case AudioGenerated(response_id, item_id, content_index):
                self.agent_audio.end_content(response_id, item_id, content_index)
            case AgentSaid(piece, text, is_all):
                self.history.agent_said(piece, text, is_all=is_all)
            case ItemCompleted(item_id):
                self.history.item_completed(item_id)
            case ResponseStarted(response_id):
                self.caller_audio.response_began(response_id)
            case ResponseGenerated(response_id, is_whole):
                self._end_response(response_id, is_whole)
            case CallerStarted():
                self.caller_audio.turn_began()
            case TurnAccepted(item_id):
                self.caller_audio.turn_committed(item_id)
                self.history.turn(item_id)
            case CallerSaid(item_id, text):
                self.caller_audio.turn_written_down(item_id)
                if text:
                    self.history.caller_said(item_id, text)

    def _keep_of_line(self, note: PlayoutMoment | KeyPressed) -> None:
        """Of a provider that has the caller's line."""
        if isinstance(note, KeyPressed):
            self.on_key(note.digit)
        else:
            self.agent_audio.moment(note.moment, note.response_id)

    def _end_response(self, response_id: str, is_whole: bool) -> None:
        self.caller_audio.response_began(response_id)  # if that was lost
        if is_whole:
            self.history.response_completed(response_id)
        if response_id:
            self.agent_audio.end_response(response_id)

    def _put(self, name: str, data: dict[str, object]) -> None:
        if not self.is_left:
            self.mailbox.put(Event(name, data), "socket")
