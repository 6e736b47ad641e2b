"""Tracking of providers that own their turns: the settings, calls, answers and their cuts, what is awaited, the end.

The ids of answers and the places of `voice.began` and `turn.taken` are those that our codecs give.
Source: docs/facts/deepgram_agent.md sections 2 to 7, docs/facts/gemini_live.md sections 2 to 6.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.conversation import LoggedConversation, mapping
from fsm.audit.exchange import Shown, keep
from fsm.audit.observations import Observation
from fsm.audit.record import Record
from fsm.audit.turn_owner import (
    AnswerCut,
    AnswerOwed,
    AudioLate,
    Awaited,
    CallEnded,
    CallNotAnswered,
    CallsBlocked,
    EndingOverlooked,
    FunctionCalled,
    LoggedFunctionCall,
    SettingsMisplaced,
    TurnEmpty,
    TurnTaken,
    VoiceBegan,
)
from fsm.machine.wire import at_path

FLUSH_MS = 300.0
"""Sound may go on so long after the provider has dropped it: our tick, and the way."""
GATE_MS = 1000.0
"""An answer that begins so soon after a cut, and was not announced, is the rest of the old one."""
_LAG_MS = 1000.0
_POLICY = 1008  # a close: of what is not allowed
_NO_ANSWER = ("empty", "failed")
_CALLERS, _OURS, _RESULTS = "the caller's words", "what it was to say", "the results of its calls"


# --- the settings -----------------------------------------------------------------------------------------------------


def opened(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """Welcome, or our codec's word for an open socket: from here on the log is of such a protocol."""
    owner = conversation.owner
    if owner.opened is None:
        owner.opened, owner.opened_ms = record.evidence(), conversation.now_ms
    yield from ()


def settings_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """Settings or setup: one for a session, at once."""
    yield from opened(conversation, record)
    owner, setup, now_ms = conversation.owner, conversation.owner.setup, conversation.now_ms
    waited_ms = now_ms - owner.opened_ms
    if setup.sent is not None:
        yield SettingsMisplaced(record.evidence(), now_ms, "twice", setup.sent)
        return
    if conversation.timed and waited_ms > conversation.options.dead_air_ms:
        yield SettingsMisplaced(record.evidence(), now_ms, "late", owner.opened, waited_ms)
    setup.sent = record.evidence()
    if setup.handle is not None and not record.text("setup.sessionResumption.handle"):
        setup.left_out = setup.sent
    setup.handle = None


def settings_taken(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    del record
    conversation.owner.setup.is_confirmed = True
    yield from ()


def _placed(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """Anything but the settings, before them. What waits for their confirmation is our codec's to hold back."""
    if conversation.owner.setup.sent is None:
        yield SettingsMisplaced(record.evidence(), conversation.now_ms, "after", None)


# --- what is put in, and what is awaited ------------------------------------------------------------------------------


def words_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """InjectAgentMessage, InjectUserMessage: something is to be said, or to be answered."""
    yield from _placed(conversation, record)
    yield from _owed(conversation)
    _await(conversation, record, _OURS)


def content_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """clientContent: a history, or a turn that is to be answered."""
    yield from _placed(conversation, record)
    turns = at_path(record.event, "clientContent.turns")
    if isinstance(turns, list | tuple) and len(turns) > 1:
        conversation.owner.setup.left_out = None  # what was said has been told
    elif at_path(record.event, "clientContent.turnComplete") is True:
        yield from _owed(conversation)
        _await(conversation, record, _OURS)


def input_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """realtimeInput: a text, or the caller's audio, which no journal of ours has."""
    yield from _placed(conversation, record)
    owner = conversation.owner
    if at_path(record.event, "realtimeInput.audio") is not None:
        owner.audio_in_calls += any(_is_open(call) for call in owner.calls.values())
    elif record.text("realtimeInput.text"):
        yield from _owed(conversation)
        _await(conversation, record, _OURS)


def text(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """ConversationText: the caller's turn is over, or what the agent says."""
    owner = conversation.owner
    owner.is_gate_open = True
    if record.text("role") == "user":
        yield from taken(conversation, record)


def taken(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """turn.taken: the provider is to answer it now."""
    if record.event.get("is_ours") is not True:
        yield TurnTaken(record.evidence(), conversation.now_ms)
        conversation.owner.is_caller_speaking = False
    if conversation.owner.awaited is None:
        _await(conversation, record, _CALLERS)


def words(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """inputTranscription: words of the caller's, which may come after what answers them."""
    yield from _owed(conversation)
    yield from _emptied(conversation, is_answered=False)
    owner = conversation.owner
    lags = owner.sounding is not None or (conversation.now_ms - owner.heard_ms < _LAG_MS and owner.heard_ms > 0)
    if not lags:
        _await(conversation, record, _CALLERS)


def caller_heard(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """caller.spoke, by our own ear; over an answer it may be an echo."""
    del record
    owner = conversation.owner
    owner.is_caller_speaking = owner.is_caller_speaking or owner.playing is None
    yield from ()


def caller_silent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """Our own ear hears that the caller has done; the provider may never say so."""
    owner = conversation.owner
    if owner.is_caller_speaking and owner.awaited is None:
        _await(conversation, record, _CALLERS)
    owner.is_caller_speaking = False
    yield from ()


def _await(conversation: LoggedConversation, record: Record, what: str) -> None:
    """Whoever waits already, and is only asked for again, waits since then."""
    owner = conversation.owner
    if owner.awaited is None or what != _OURS:
        owner.awaited, owner.is_told, owner.empty = Awaited(record.evidence(), conversation.now_ms, what), False, None


def _waited_ms(conversation: LoggedConversation) -> float:
    """How long nothing has been heard of what is awaited."""
    owner = conversation.owner
    if owner.awaited is None or owner.playing is not None or not conversation.timed:
        return 0.0
    return conversation.now_ms - max(owner.awaited.since_ms, owner.heard_ms)


def _owed(conversation: LoggedConversation) -> Iterator[Observation]:
    owner, waited_ms = conversation.owner, _waited_ms(conversation)
    if owner.awaited is not None and not owner.is_told and waited_ms > conversation.options.dead_air_ms:
        owner.is_told = True
        yield AnswerOwed(owner.awaited.evidence, conversation.now_ms, owner.awaited, waited_ms)


def _emptied(conversation: LoggedConversation, *, is_answered: bool) -> Iterator[Observation]:
    owner = conversation.owner
    if owner.awaited is not None and owner.empty is not None:
        waited_ms = _waited_ms(conversation)
        yield TurnEmpty(owner.empty, conversation.now_ms, owner.awaited, waited_ms, is_answered)
    owner.empty = None


# --- answers ----------------------------------------------------------------------------------------------------------


def announced(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """EndOfTurn, AgentThinking: what follows is another answer."""
    del record
    conversation.owner.is_gate_open = True
    yield from ()


def voice_began(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    owner, cut, now_ms = conversation.owner, conversation.owner.cut, conversation.now_ms
    if cut is not None and not owner.is_gate_open and conversation.timed and now_ms - cut.at_ms < GATE_MS:
        yield AudioLate(record.evidence(), now_ms, cut, "began", now_ms - cut.at_ms)
    yield from _owed(conversation)
    yield from _emptied(conversation, is_answered=True)
    owner.sounding = record.text("speech_id")
    owner.awaited, owner.heard_ms = None, now_ms
    yield VoiceBegan(record.evidence(), now_ms, owner.sounding)


def voice_ended(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    del record
    conversation.owner.sounding, conversation.owner.heard_ms = None, conversation.now_ms
    yield from ()


def turn_completed(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """turnComplete, with what our codec says that it came to."""
    owner = conversation.owner
    owner.is_gate_open = True
    if record.text("outcome") in _NO_ANSWER and owner.awaited is not None and owner.sounding is None:
        owner.empty = record.evidence()
    yield from ()


def audio_done(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """AgentAudioDone: without any audio, of an empty answer; or late, of one that was cut."""
    owner = conversation.owner
    is_of_cut, owner.is_gate_open = not owner.is_gate_open, True
    is_late = is_of_cut or (owner.cut is not None and owner.cut.at_ms >= owner.heard_ms)
    if owner.sounding is None and owner.awaited is not None and not is_late:
        owner.empty = record.evidence()
    yield from ()


def caller_began(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """UserStartedSpeaking, interrupted: what is being sent, or heard, is dropped by the provider."""
    yield from _owed(conversation)
    yield from _emptied(conversation, is_answered=False)
    owner, now_ms = conversation.owner, conversation.now_ms
    name = owner.playing or owner.sounding
    owner.awaited, owner.sounding, owner.is_gate_open, owner.is_caller_speaking = None, None, False, True
    if name is not None:
        owner.cut = AnswerCut(record.evidence(), now_ms, name)
        owner.unflushed = owner.cut if owner.playing is not None else None


# --- what is heard ----------------------------------------------------------------------------------------------------


def flushed(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """Our client dropped what it had not played."""
    del record
    owner = conversation.owner
    owner.unflushed = owner.playing = None
    owner.heard_ms = conversation.now_ms
    yield from ()


def play_began(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    owner, cut, now_ms = conversation.owner, conversation.owner.cut, conversation.now_ms
    owner.playing = record.text("response_id") or "an answer"
    conversation.agent_audio.shown |= Shown.PLAYOUT
    conversation.agent_audio.is_heard = True
    is_of_it = cut is not None and owner.playing == cut.speech_id and owner.unflushed is None
    if cut is not None and is_of_it and now_ms - cut.at_ms > FLUSH_MS:
        yield AudioLate(record.evidence(), now_ms, cut, "again", now_ms - cut.at_ms)


def play_went_on(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """playout.progressed, playout.drained: what was to be flushed was not."""
    owner, cut, now_ms = conversation.owner, conversation.owner.unflushed, conversation.now_ms
    if cut is not None and now_ms - cut.at_ms > FLUSH_MS:
        owner.unflushed = None
        yield AudioLate(record.evidence(), now_ms, cut, "on", now_ms - cut.at_ms)
    if record.type == "playout.drained":
        owner.playing, owner.heard_ms = None, now_ms


# --- calls ------------------------------------------------------------------------------------------------------------


def called(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """FunctionCallRequest, toolCall: each of its calls is to be answered."""
    owner, now_ms = conversation.owner, conversation.now_ms
    owner.is_gate_open = True
    for each in _listed(record, "functions" if record.type == "FunctionCallRequest" else "calls"):
        if each[0] in owner.calls:
            continue  # said twice, run once
        owner.calls[each[0]] = LoggedFunctionCall(record.evidence(), now_ms, each[1])
        keep(owner.calls)
        yield FunctionCalled(record.evidence(), now_ms, owner.calls[each[0]])


def withdrawn(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """FunctionCallCancelled, toolCallCancellation."""
    for name, _ in _listed(record, "functions" if record.type == "FunctionCallCancelled" else "calls"):
        call = conversation.owner.calls.get(name)
        if call is not None and call.answered is None:
            call.withdrawn = record.evidence()
    yield from ()


def answered(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """FunctionCallResponse, toolResponse. When all have their answers, the provider is to go on."""
    yield from _placed(conversation, record)
    owner = conversation.owner
    given = (
        _listed(record, "toolResponse.functionResponses") if record.type == "toolResponse" else [_named(record.event)]
    )
    for name, _ in given:
        call = owner.calls.get(name)
        if call is None or call.answered is not None or call.withdrawn is not None:
            yield CallEnded(record.evidence(), conversation.now_ms, call)
        else:
            call.answered = record.evidence()
    if given and not any(_is_open(call) for call in owner.calls.values()):
        owner.audio_in_calls = 0
        if owner.awaited is None and owner.sounding is None:
            _await(conversation, record, _RESULTS)


def _is_open(call: LoggedFunctionCall) -> bool:
    return call.answered is None and call.withdrawn is None


def _listed(record: Record, path: str) -> list[tuple[str, str]]:
    """(id, name) of each call of a message."""
    found = at_path(record.event, path)
    return [_named(mapping(each)) for each in found] if isinstance(found, list | tuple) else []


def _named(call: object) -> tuple[str, str]:
    name, title = (mapping(call).get(key) for key in ("id", "name"))
    return name if isinstance(name, str) else "", title if isinstance(title, str) else ""


# --- the end ----------------------------------------------------------------------------------------------------------


def resumable(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """sessionResumptionUpdate: by its handle another connection can take the session up."""
    if record.text("handle"):
        conversation.owner.setup.handle = record.evidence()
    yield from ()


def expiring(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """goAway; or a warning that the session will have lasted long enough."""
    if record.type == "goAway" or record.text("code") == "MAXIMUM_SESSION_LENGTH_APPROACHING":
        conversation.owner.setup.ending = record.evidence()
    yield from ()


def closed(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """The provider has closed the socket: as it had said it would, or for want of something."""
    owner, now_ms = conversation.owner, conversation.now_ms
    waits = tuple(call for call in owner.calls.values() if _is_open(call))
    holds_calls = owner.setup.sent is not None and owner.setup.sent.type == "setup"
    if waits and holds_calls and (code := int(record.number("code") or 0)) == _POLICY:
        yield CallsBlocked(record.evidence(), now_ms, code, waits, owner.audio_in_calls)
    if owner.setup.ending is not None:
        yield EndingOverlooked(owner.setup.ending, now_ms, record.evidence(), is_forgotten=False)
        owner.setup.ending = None


def left(conversation: LoggedConversation) -> Iterator[Observation]:
    """At the end of a session: what was never answered."""
    owner, now_ms = conversation.owner, conversation.now_ms
    for call in owner.calls.values() if conversation.timed else ():
        if _is_open(call) and now_ms - call.since_ms > conversation.options.dead_air_ms:
            yield CallNotAnswered(call.evidence, now_ms, call, now_ms - call.since_ms)
    yield from _owed(conversation)
    yield from _emptied(conversation, is_answered=False)
    if (forgotten := owner.setup.left_out) is not None:
        yield EndingOverlooked(forgotten, now_ms, forgotten, is_forgotten=True)
