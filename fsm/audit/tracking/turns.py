"""Tracking of the caller's side: audio sent, commits, turns and who answers them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import (
    KEPT,
    CallerTurn,
    ClientRequest,
    RequestState,
    Response,
    ResponseState,
    Shown,
    TurnFacts,
    keep,
)
from fsm.audit.observations import (
    AskedForNothing,
    CommitUnanswered,
    GreetingMissing,
    Observation,
    TurnAnswered,
    TurnBegan,
    TurnCommitted,
    TurnCutOff,
    TurnEnded,
    TurnEndless,
    TurnLeft,
)
from fsm.audit.record import Evidence, Record, audio_bytes

_WITHOUT_AN_ANSWER = (ResponseState.FAILED, ResponseState.CANCELLED, ResponseState.INCOMPLETE)
_COMMIT = "input_audio_buffer.commit"
_COMMIT_MS = 5000.0  # after which a commit counts as unanswered
_LIVE_MS = 2000.0  # that a live line's audio is ahead of what the provider says of it: padding, and the way
_MADE_MS = 5000.0  # that making an answer may take, where only its end is in the log


def appended(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """input_audio_buffer.append: where a log has no times, this is its clock."""
    ms = audio_bytes(record.event.get("audio")) / conversation.caller_audio.bytes_ms
    conversation.caller_audio.appends += 1
    conversation.caller_audio.sent_ms += ms
    conversation.caller_audio.pending_ms += ms
    if not conversation.timed:
        conversation.now_ms += ms
    return ()


def started(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """input_audio_buffer.speech_started. What was to be answered before is answered now or never."""
    evidence = record.evidence()
    _by_audio_clock(conversation, record.number("audio_start_ms"))
    earlier = conversation.caller.waiting
    if earlier is not None and conversation.log.may_miss("response."):
        waited = conversation.now_ms - (earlier.ended_ms or earlier.at_ms)
        yield TurnLeft(evidence, conversation.now_ms, earlier, evidence, waited)
    before = conversation.caller.turn
    if before is not None and before.ended_ms is None:
        yield TurnEndless(before.evidence, conversation.now_ms, before, conversation.now_ms - before.at_ms)
    conversation.caller.turns += 1
    conversation.caller.waiting = None
    expects = not conversation.session.mode.transcription_only
    turn = CallerTurn(conversation.caller.turns, evidence, conversation.now_ms, record.text("item_id"), expects)
    conversation.caller.turn = turn
    _known_by_item(conversation, turn)
    agent = conversation.agent_audio
    is_heard = agent.is_heard or agent.heard_until_ms > conversation.now_ms
    if agent.playing is not None and is_heard and agent.playing.cut is None:
        turn.overlap = agent.playing
    yield TurnBegan(evidence, conversation.now_ms, turn)


def _by_audio_clock(conversation: LoggedConversation, audio_ms: float | None) -> None:
    if not conversation.timed and audio_ms is not None:
        conversation.caller_audio.live = abs(conversation.caller_audio.sent_ms - audio_ms) < _LIVE_MS
        conversation.now_ms = max(conversation.now_ms, audio_ms)


def stopped(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """input_audio_buffer.speech_stopped: from here on the caller waits."""
    _by_audio_clock(conversation, record.number("audio_end_ms"))
    turn = conversation.caller.turn
    if turn is not None and TurnFacts.CUT_OFF in turn.facts and turn.stopped is None:
        yield from _cut_off(conversation, record, turn)
    if turn is None or turn.ended_ms is not None:
        return
    turn.stopped = record.evidence()
    turn.ended_ms = conversation.now_ms
    conversation.caller.waiting = turn if turn.expects else None
    yield TurnEnded(turn.evidence, conversation.now_ms, turn, turn.stopped)


def _cut_off(conversation: LoggedConversation, record: Record, turn: CallerTurn) -> Iterator[Observation]:
    """The caller has stopped only now; the client had committed before, and somebody may have begun to answer."""
    turn.stopped, response, now_ms = record.evidence(), turn.answer, conversation.now_ms
    if response is not None and response.audio.first is not None and response.cut is None:
        yield TurnCutOff(turn.evidence, now_ms, turn, response, now_ms - response.audio.began_ms)


def _known_by_item(conversation: LoggedConversation, turn: CallerTurn) -> None:
    if turn.item_id:
        conversation.caller.by_item[turn.item_id] = turn
        keep(conversation.caller.by_item)


def timed_out(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """input_audio_buffer.timeout_triggered: the provider makes a turn of a silence; it is not the caller's."""
    turn = CallerTurn(conversation.caller.turns, record.evidence(), conversation.now_ms, record.text("item_id"), False)
    turn.facts |= TurnFacts.TIMEOUT
    _known_by_item(conversation, turn)
    return ()


def transcribed(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """A transcript of what the caller said; one without a word is of a turn in which nobody spoke."""
    caller = conversation.caller
    caller.transcribed += 1
    turn = caller.by_item.get(record.text("item_id"))
    status = record.text("status")
    is_empty = record.whole and "transcript" in record.event and not re.search(r"\w", record.text("transcript"))
    if (
        turn is not None
        and is_empty
        and status != "in_progress"
        and not turn.facts & (TurnFacts.TIMEOUT | TurnFacts.EMPTY)
    ):
        turn.facts |= TurnFacts.EMPTY
        if len(caller.empty) < KEPT:
            caller.empty.append(turn)
    return ()


def transcription_failed(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """The provider could not transcribe a turn."""
    if len(conversation.caller.failed) < KEPT:
        conversation.caller.failed.append(record.evidence())
    return ()


def committed(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """input_audio_buffer.committed: the caller's words are part of the conversation."""
    conversation.caller_audio.pending_ms = 0.0
    conversation.caller.inputs += 1
    conversation.caller.committed_at = conversation.log.server_events
    conversation.caller.committed_ms = conversation.now_ms
    asked = next((r for r in conversation.requests if r.type == _COMMIT and r.state is RequestState.OPEN), None)
    if asked is not None:
        asked.state = RequestState.SETTLED
    turn = conversation.caller.turn
    item = record.text("item_id")
    if turn is None or TurnFacts.COMMITTED in turn.facts or (item and turn.item_id and item != turn.item_id):
        conversation.caller.turns += 1
        expects = not conversation.session.mode.transcription_only
        turn = CallerTurn(conversation.caller.turns, record.evidence(), conversation.now_ms, item, expects)
        turn.ended_ms = conversation.now_ms
        conversation.caller.turn = turn
        earlier = conversation.caller.by_item.get(item)
        turn.facts |= earlier.facts & TurnFacts.TIMEOUT if earlier is not None else TurnFacts.NOTHING
        _known_by_item(conversation, turn)
    elif asked is not None and turn.ended_ms is None:
        turn.facts |= TurnFacts.CUT_OFF
    turn.facts |= TurnFacts.COMMITTED
    turn.ended_ms = turn.ended_ms if turn.ended_ms is not None else conversation.now_ms
    conversation.caller.waiting = turn if turn.expects and turn.answer is None else None
    yield TurnCommitted(record.evidence(), conversation.now_ms, turn)


def answered(conversation: LoggedConversation, response: Response) -> Iterator[Observation]:
    """A response began: the turn that waits has its answer."""
    turn = conversation.caller.waiting
    if response.is_outside or turn is None or conversation.speaking:
        return
    turn.answer = response
    conversation.caller.waiting = None
    waited = conversation.now_ms - max(turn.ended_ms or turn.at_ms, conversation.agent_audio.heard_until_ms)
    allowed = conversation.options.dead_air_ms + _MADE_MS * response.begin.unseen
    is_late = waited > allowed and conversation.has_clock
    turn.facts = turn.facts | TurnFacts.LATE if is_late else turn.facts & ~TurnFacts.LATE
    yield TurnAnswered(turn.evidence, conversation.now_ms, turn, response, waited)


def unsaid(conversation: LoggedConversation, response: Response) -> None:
    """A response has ended without a word: unless the caller interrupted it, its turn still waits."""
    turn = response.turn
    if response.is_outside or turn is None:
        return
    ended_badly = response.state in _WITHOUT_AN_ANSWER
    said_nothing = response.state is ResponseState.COMPLETED and response.is_empty
    shows_audio = Shown.TIMES in conversation.agent_audio.shown
    failed = ended_badly and response.reason != "turn_detected" and not response.has_words
    failed = failed or (said_nothing and shows_audio and conversation.session.mode.speaks)
    if failed and conversation.caller.turn is turn and turn.answer is response:
        turn.answer, turn.failed = None, response
        conversation.caller.waiting = turn


def commit_sent(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """input_audio_buffer.commit, with what the log says is in the buffer."""
    pending = conversation.caller_audio.pending_ms
    idle = conversation.session.mode.vad not in ("none", "unknown")
    event_id, note = record.text("event_id"), f"{pending:.0f} ms"
    request = ClientRequest(record.evidence(), conversation.now_ms, record.type, event_id, note, idle=idle)
    conversation.requests.append(request)
    return ()


def cleared(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """The provider's buffer is empty again."""
    conversation.caller_audio.pending_ms = 0.0
    return ()


def waits(conversation: LoggedConversation) -> Iterator[Observation]:
    """At the end of a session: whoever still waits."""
    now_ms, turn, left = conversation.now_ms, conversation.caller.turn, conversation.caller.waiting
    if turn is not None and turn.ended_ms is None:
        yield TurnEndless(turn.evidence, now_ms, turn, now_ms - turn.at_ms)
    if left is not None and conversation.log.may_miss("response."):
        yield TurnLeft(left.evidence, now_ms, left, None, now_ms - (left.ended_ms or left.at_ms))
    for request in conversation.requests:
        yield from _unanswered(conversation, request)
    session = conversation.session
    shows = conversation.log.may_miss("response.")
    if (
        shows
        and conversation.responses.begun == 0
        and conversation.caller.turns == 0
        and session.configured_ms is not None
    ):
        yield GreetingMissing(session.configured or left_over(conversation), now_ms)


def _unanswered(conversation: LoggedConversation, request: ClientRequest) -> Iterator[Observation]:
    waited = conversation.now_ms - request.at_ms
    log = conversation.log
    is_open = request.state is RequestState.OPEN and log.shows_provider and log.may_miss("input_audio_buffer.committed")
    if request.type == _COMMIT and is_open and waited > _COMMIT_MS:
        yield CommitUnanswered(request.evidence, conversation.now_ms, request, waited)
    if request.idle and request.state is not RequestState.REJECTED:
        yield AskedForNothing(request.evidence, conversation.now_ms, request)


def left_over(conversation: LoggedConversation) -> Evidence:
    """Some line to show for a session that has shown nothing else."""
    return conversation.session.created or Evidence("-", 0, conversation.now_ms, "")
