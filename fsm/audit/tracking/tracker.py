"""Which handlers an event of a log has, in which order. Total: a record of any type and shape is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from fsm.audit.conversation import AuditOptions, LoggedConversation
from fsm.audit.observations import NonsenseNumber, Observation, ResponseBegan, ResponseEnded, UnknownField, UnknownType
from fsm.audit.realtime_events import direction_of, unknown_fields
from fsm.audit.record import CLOSED, FLUSHED, STARTED, Record
from fsm.audit.tracking import live, patterns, playout, requests, responses, session, turn_owner, turns
from fsm.audit.turn_owner import OPENINGS
from fsm.language.vocabulary import Vocabulary

Handler = Callable[[LoggedConversation, Record], Iterable[Observation]]
Handlers = Mapping[str, Mapping[str, tuple[Handler, ...]]]
CLIENT: Mapping[str, tuple[Handler, ...]] = {
    "session.update": (session.update_sent,),
    "transcription_session.update": (session.update_sent,),
    "response.create": (requests.create_sent,),
    "response.cancel": (playout.cancel_sent,),
    "conversation.item.create": (requests.item_sent,),
    "conversation.item.truncate": (playout.truncate_sent,),
    "input_audio_buffer.append": (turns.appended,),
    "input_audio_buffer.commit": (turns.commit_sent,),
    "input_audio_buffer.clear": (turns.cleared,),
    "output_audio_buffer.clear": (playout.flushed,),
}
SERVER: Mapping[str, tuple[Handler, ...]] = {
    "session.created": (session.created,),
    "session.updated": (session.updated,),
    "transcription_session.updated": (session.updated,),
    "error": (session.reported,),
    "conversation.item.added": (requests.echoed,),
    "conversation.item.created": (requests.echoed,),
    "conversation.item.done": (requests.echoed,),
    "response.created": (responses.begun,),
    "response.output_item.added": (responses.item_known,),
    "response.function_call_arguments.done": (requests.in_arguments,),
    "response.output_item.done": (requests.in_item,),
    "response.output_audio.delta": (playout.audio,),
    "response.audio.delta": (playout.audio,),
    "response.output_text.delta": (playout.text,),
    "response.text.delta": (playout.text,),
    "response.output_audio_transcript.delta": (playout.text,),
    "response.audio_transcript.delta": (playout.text,),
    "response.done": (requests.in_response, responses.ended),
    "input_audio_buffer.speech_started": (turns.started,),
    "input_audio_buffer.speech_stopped": (turns.stopped,),
    "input_audio_buffer.committed": (turns.committed,),
    "input_audio_buffer.timeout_triggered": (turns.timed_out,),
    "conversation.item.input_audio_transcription.completed": (turns.transcribed,),
    "conversation.item.input_audio_transcription.failed": (turns.transcription_failed,),
    "output_audio_buffer.started": (playout.played,),
    "output_audio_buffer.cleared": (playout.flushed,),
    "conversation.item.truncated": (playout.truncated,),
}
LOCAL: Mapping[str, tuple[Handler, ...]] = {
    CLOSED: (session.closed,),
    FLUSHED: (playout.flushed,),
    "playout.started": (playout.heard,),
    "playout.heard": (playout.sounded,),
    "playout.silent": (playout.silent,),
    "playout.drained": (playout.unheard,),
    "caller.hung_up": (playout.unheard,),
    "playout.flushed": (playout.unheard,),
}
_LOGGED_ANYWAY = frozenset({"session.update", "transcription_session.update"})  # by clients that log nothing else
_SOON_AFTER = ("rate_limits", "conversation.item.", "response.")  # comes with the end of a response
_KINDS = 200
_STRAYS = 3  # events of a session after the next has begun: more than were on their way
_HANDLERS: Handlers = {"client": CLIENT, "server": SERVER, "local": LOCAL}
_LIVE: Handlers = {
    "client": {
        "session.start": (live.started,),
        "response.item.create": (live.output_sent,),
        "response.create": (live.continued,),
        "session.instructions.append": (live.told,),
        "session.commentary.append": (live.told,),
        "session.thinking.append": (live.told,),
    },
    "server": {
        "session.started": (live.started,),
        "session.delegation.created": (live.delegated,),
        "response.event": (live.nested,),
        "session.input_transcript.delta": (live.words,),
        "session.output_transcript.delta": (live.spoken,),
        "voice.began": (live.spoken,),
        "voice.ended": (live.voice_ended,),
        "error": (session.reported,),
    },
    "local": {
        CLOSED: (session.closed,),
        FLUSHED: (live.cut,),
        "playout.drained": (live.drained,),
    },
}
"""Of a session over GPT-Live."""
_STARTS = frozenset({"session.start", "session.started"})
_OWNED: Handlers = {
    "client": {
        "Settings": (turn_owner.settings_sent,),
        "setup": (turn_owner.settings_sent,),
        "InjectAgentMessage": (turn_owner.words_sent,),
        "InjectUserMessage": (turn_owner.words_sent,),
        "clientContent": (turn_owner.content_sent,),
        "realtimeInput": (turn_owner.input_sent,),
        "FunctionCallResponse": (turn_owner.answered,),
        "toolResponse": (turn_owner.answered,),
    },
    "server": {
        "Welcome": (turn_owner.opened,),
        "session.welcomed": (turn_owner.opened,),
        "SettingsApplied": (turn_owner.settings_taken,),
        "setupComplete": (turn_owner.settings_taken,),
        "ConversationText": (turn_owner.text,),
        "turn.taken": (turn_owner.taken,),
        "inputTranscription": (turn_owner.words,),
        "EndOfTurn": (turn_owner.announced,),
        "AgentThinking": (turn_owner.announced,),
        "voice.began": (turn_owner.voice_began,),
        "voice.ended": (turn_owner.voice_ended,),
        "AgentAudioDone": (turn_owner.audio_done,),
        "turnComplete": (turn_owner.turn_completed,),
        "UserStartedSpeaking": (turn_owner.caller_began,),
        "interrupted": (turn_owner.caller_began,),
        "FunctionCallRequest": (turn_owner.called,),
        "toolCall": (turn_owner.called,),
        "FunctionCallCancelled": (turn_owner.withdrawn,),
        "toolCallCancellation": (turn_owner.withdrawn,),
        "sessionResumptionUpdate": (turn_owner.resumable,),
        "goAway": (turn_owner.expiring,),
        "Warning": (turn_owner.expiring,),
        "error": (session.reported,),
    },
    "local": {
        CLOSED: (turn_owner.closed, session.closed),
        FLUSHED: (turn_owner.flushed, playout.unheard),
        "playout.started": (turn_owner.play_began,),
        "playout.progressed": (turn_owner.play_went_on,),
        "playout.drained": (turn_owner.play_went_on, playout.unheard),
        "caller.spoke": (turn_owner.caller_heard,),
        "caller.silent": (turn_owner.caller_silent,),
        "caller.hung_up": (playout.unheard,),
    },
}
"""Of a session over Deepgram's Voice Agent or Gemini Live."""
_OWNED_STARTS = OPENINGS | {"Settings", "setup"}


class Tracker:
    """Follows a log. `feed` gives what happened, `end` what never did; a second session.created begins anew."""

    def __init__(self, vocabulary: Vocabulary, options: AuditOptions) -> None:
        self._vocabulary = vocabulary
        self._options = options
        self.conversation = LoggedConversation(options)
        self.sessions = 0
        self._before: set[str] = set()  # open responses and conversations of sessions that are over
        self._strays = 0

    def follow(self, vocabulary: Vocabulary) -> None:
        """The call goes on under another spec."""
        self._vocabulary = vocabulary

    @property
    def is_mixed(self) -> bool:
        """Are these several calls, one through the other, that nothing tells apart?"""
        return self._strays >= _STRAYS

    def feed(self, record: Record) -> list[Observation]:
        """Everything one record means."""
        found = self._begun_anew() if self._begins_anew(record) else []
        conversation = self.conversation
        self.sessions += record.type in ("session.created", "session.started", "SettingsApplied", "setupComplete")
        self._look(record)
        is_of_response = record.direction == "server" and record.type.startswith("response.")
        if is_of_response and conversation.response_of(record) is None:
            found += self._with_turns(responses.found(conversation, record))
        self._strays += self._strayed(record)
        for handler in self._handlers(record)[record.direction].get(record.type, ()):
            found += self._with_turns(handler(conversation, record))
        if record.direction != "local":
            found += self._strange(record)
        return found

    def _handlers(self, record: Record) -> Handlers:
        """Of the protocol that the session has, or that the record begins."""
        conversation = self.conversation
        if conversation.owner.opened is not None or record.type in _OWNED_STARTS:
            return _OWNED
        return _LIVE if conversation.live.started is not None or record.type in _STARTS else _HANDLERS

    def _begins_anew(self, record: Record) -> bool:
        before = self.conversation
        had_one = before.session.created is not None or before.responses.begun > 0 or before.owner.opened is not None
        if record.type == "session.created" or record.type in OPENINGS:
            return had_one or before.live.started is not None
        started = before.live.started
        answers = started is not None and started.type == "session.start" and record.type == "session.started"
        return record.type in _STARTS and (had_one or (started is not None and not answers))

    def _begun_anew(self) -> list[Observation]:
        """Another session: what the one before never brought, and what of it outlasts it."""
        before, found = self.conversation, self.end()
        is_open = {name for name, r in before.responses.by_id.items() if r.is_active}
        self._before = is_open | before.log.conversation_ids
        self.conversation = LoggedConversation(
            self._options, now_ms=before.now_ms, timed=before.timed, agent_audio=before.agent_audio.carried()
        )
        log = self.conversation.log
        log.kinds, log.is_journal = before.log.kinds, before.log.is_journal
        self.conversation.owner = before.owner.carried()
        self.conversation.responses.heard = before.responses.heard
        return found

    def _look(self, record: Record) -> None:
        """What any record shows: the time, which side is in the log."""
        conversation, log = self.conversation, self.conversation.log
        if record.at_ms is not None:
            conversation.timed = True
            conversation.now_ms = max(conversation.now_ms, record.at_ms)
        if conversation.agent_audio.is_heard:
            conversation.agent_audio.heard_until_ms = conversation.now_ms
        if record.direction == "server":
            log.server_events += 1
            log.later_events += not record.type.startswith(_SOON_AFTER)
            log.shows_provider = log.shows_provider or record.type != "error"
            log.partial += not record.whole and len(record.event) <= 2
        if len(log.kinds) < _KINDS:
            log.kinds.add(record.type)
        log.is_journal = log.is_journal or record.type == STARTED
        log.sees_client = log.sees_client or (record.direction == "client" and record.type not in _LOGGED_ANYWAY)

    def _with_turns(self, observations: Iterable[Observation]) -> Iterator[Observation]:
        """Observations, and what follows of each for the turn that waits."""
        for observation in observations:
            yield observation
            if isinstance(observation, ResponseBegan):
                yield from turns.answered(self.conversation, observation.response)
            elif isinstance(observation, ResponseEnded):
                turns.unsaid(self.conversation, observation.response)

    def _strayed(self, record: Record) -> int:
        """Does an event belong to a session that is over? A conversation that comes back after another does."""
        name, log = record.text("response.conversation_id"), self.conversation.log
        is_other = bool(log.conversation_id) and name != log.conversation_id
        if is_other and (name in log.conversation_ids or name in self._before):
            return _STRAYS
        return (record.text("response_id") or record.text("response.id")) in self._before

    def _strange(self, record: Record) -> Iterator[Observation]:
        now_ms = self.conversation.now_ms
        if direction_of(self._vocabulary, record.type) is None:
            yield UnknownType(record.evidence(), now_ms, record.type)
        for field in record.nonsense():
            yield NonsenseNumber(record.evidence(), now_ms, f"{record.type}: {field}")
        for field in unknown_fields(record.type, record.event):
            yield UnknownField(record.evidence(), now_ms, f"{record.type}: {field}")

    def end(self) -> list[Observation]:
        """The log, or a session in it, is over: what was waited for will not come any more."""
        found: list[Observation] = []
        if self.conversation.owner.opened is not None:
            return list(turn_owner.left(self.conversation))
        if self.conversation.live.started is not None:
            return list(live.left(self.conversation))
        for each in (responses.stuck, turns.waits, requests.left, session.lost_updates, patterns.seen):
            found += each(self.conversation)
        return found
