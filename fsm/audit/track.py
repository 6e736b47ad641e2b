"""The one place where a record of a log meets the bookkeeping: which handlers an event type has, in which order.

Never here: what a handler does, what a rule thinks of it. Total: a record of any type and shape is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fsm.audit import track_creates as creates
from fsm.audit import track_errors as errors
from fsm.audit import track_responses as responses
from fsm.audit import track_session as session
from fsm.audit import track_tools as tools
from fsm.audit import track_turns as turns
from fsm.audit.names import direction_of, unknown_fields
from fsm.audit.record import CLOSED, FLUSHED, Record
from fsm.audit.talk import Moment, Options, Talk
from fsm.language.vocabulary import Vocabulary

Handler = Callable[[Talk, Record], Iterator[Moment]]
CLIENT: Mapping[str, tuple[Handler, ...]] = {
    "session.update": (session.update_sent,),
    "transcription_session.update": (session.update_sent,),
    "response.create": (creates.create_sent,),
    "response.cancel": (responses.cancel_sent,),
    "conversation.item.create": (tools.item_sent,),
    "conversation.item.truncate": (responses.truncate_sent,),
    "input_audio_buffer.append": (turns.appended,),
    "input_audio_buffer.commit": (turns.commit_sent,),
    "input_audio_buffer.clear": (turns.cleared,),
    "output_audio_buffer.clear": (responses.flushed,),
}
SERVER: Mapping[str, tuple[Handler, ...]] = {
    "session.created": (session.created,),
    "session.updated": (session.updated,),
    "transcription_session.updated": (session.updated,),
    "error": (errors.error,),
    "conversation.item.added": (tools.echoed,),
    "conversation.item.created": (tools.echoed,),
    "conversation.item.done": (tools.echoed,),
    "response.created": (responses.begun,),
    "response.output_item.added": (responses.item_known,),
    "response.function_call_arguments.done": (tools.in_arguments,),
    "response.output_item.done": (tools.in_item,),
    "response.output_audio.delta": (responses.audio,),
    "response.audio.delta": (responses.audio,),
    "response.output_text.delta": (responses.text,),
    "response.text.delta": (responses.text,),
    "response.output_audio_transcript.delta": (responses.text,),
    "response.audio_transcript.delta": (responses.text,),
    "response.done": (tools.in_response, responses.ended),
    "input_audio_buffer.speech_started": (turns.started,),
    "input_audio_buffer.speech_stopped": (turns.stopped,),
    "input_audio_buffer.committed": (turns.committed,),
    "output_audio_buffer.started": (responses.played,),
    "output_audio_buffer.cleared": (responses.flushed,),
    "conversation.item.truncated": (responses.truncated,),
}
LOCAL: Mapping[str, tuple[Handler, ...]] = {
    CLOSED: (session.closed,),
    FLUSHED: (responses.flushed,),
    "playout.started": (responses.heard,),
    "playout.drained": (responses.unheard,),
    "caller.hung_up": (responses.unheard,),
    "playout.flushed": (responses.unheard,),
}
_LOGGED_ANYWAY = frozenset({"session.update", "transcription_session.update"})  # by clients that log nothing else
_STRAYS = 3  # events of a session after the next has begun: more than were on their way
_HANDLERS = {"client": CLIENT, "server": SERVER, "local": LOCAL}
_DERIVED: Mapping[str, Callable[[Talk, Moment], Iterator[Moment]]] = {
    "response_began": turns.answered,
    "response_ended": turns.unsaid,
}


class Tracker:
    """Follows a log. `feed` gives what happened, `end` what never did; a second session.created begins anew."""

    def __init__(self, vocabulary: Vocabulary, options: Options) -> None:
        self._vocabulary = vocabulary
        self._options = options
        self.talk = Talk(options)
        self.sessions = 0
        self._before: set[str] = set()  # open responses and conversations of sessions that are over
        self._strays = 0

    @property
    def is_mixed(self) -> bool:
        """Are these several calls, one through the other, that nothing tells apart?"""
        return self._strays >= _STRAYS

    def feed(self, record: Record) -> list[Moment]:
        """Everything one record means."""
        found: list[Moment] = []
        if record.type == "session.created" and (self.talk.created is not None or self.talk.responses_begun):
            found += self.end()
            self._before = {name for name, r in self.talk.responses.items() if not r.status} | self.talk.conversations
            sound = self.talk.sound.carried()
            self.talk = Talk(self._options, now_ms=self.talk.now_ms, timed=self.talk.timed, sound=sound)
        talk = self.talk
        self.sessions += record.type == "session.created"
        if record.at_ms is not None:
            talk.timed = True
            talk.now_ms = max(talk.now_ms, record.at_ms)
        if talk.sound.is_heard:
            talk.sound.heard_until_ms = talk.now_ms
        talk.server_events += record.direction == "server"
        talk.sees_client = talk.sees_client or (record.direction == "client" and record.type not in _LOGGED_ANYWAY)
        if record.direction == "server" and record.type.startswith("response.") and talk.response_of(record) is None:
            found += self._told(responses.found(talk, record))
        self._strays += self._strayed(record)
        for handler in _HANDLERS[record.direction].get(record.type, ()):
            found += self._told(handler(talk, record))
        if record.direction != "local":
            found += self._strange(record)
        return found

    def _told(self, moments: Iterator[Moment]) -> Iterator[Moment]:
        """Moments, and what follows of each for the turn that waits."""
        for moment in moments:
            yield moment
            derived = _DERIVED.get(moment.name)
            if derived is not None:
                yield from derived(self.talk, moment)

    def _strayed(self, record: Record) -> int:
        """Does an event belong to a session that is over? A conversation that comes back after another does."""
        conversation = record.text("response.conversation_id")
        other = bool(self.talk.conversation) and conversation != self.talk.conversation
        if other and (conversation in self.talk.conversations or conversation in self._before):
            return _STRAYS
        return (record.text("response_id") or record.text("response.id")) in self._before

    def _strange(self, record: Record) -> Iterator[Moment]:
        if direction_of(self._vocabulary, record.type) is None:
            yield Moment("unknown_type", record.evidence(), self.talk.now_ms, text=record.type)
        for field in unknown_fields(record.type, record.event):
            yield Moment("unknown_field", record.evidence(), self.talk.now_ms, text=f"{record.type}: {field}")

    def end(self) -> list[Moment]:
        """The log, or a session in it, is over: what was waited for will not come any more."""
        talk = self.talk
        return [
            *responses.stuck(talk), *turns.waits(talk), *tools.left(talk), *session.lost_updates(talk),
        ]  # fmt: skip
