"""Bookkeeping of the caller's side: audio sent, commits, turns and who answers them.

Never here: responses as such (track_responses), judgement.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.record import Evidence, Record, audio_bytes
from fsm.audit.talk import Asked, Moment, Talk, Turn

_COMMIT_MS = 5000.0  # after which a commit counts as unanswered
_LIVE_MS = 2000.0  # that a live line's audio is ahead of what the provider says of it: padding, and the way
_MADE_MS = 5000.0  # that making an answer may take, where only its end is in the log


def appended(talk: Talk, record: Record) -> Iterator[Moment]:
    """input_audio_buffer.append: where a log has no times, this is its clock."""
    ms = audio_bytes(record.event.get("audio")) / talk.sound.in_bytes_ms
    talk.sound.appends += 1
    talk.sound.sent_ms += ms
    talk.sound.pending_ms += ms
    if not talk.timed:
        talk.now_ms += ms
    yield from ()


def started(talk: Talk, record: Record) -> Iterator[Moment]:
    """input_audio_buffer.speech_started. What was to be answered before is answered now or never."""
    evidence = record.evidence()
    _by_audio_clock(talk, record.number("audio_start_ms"))
    earlier = talk.waiting
    if earlier is not None:
        waited = talk.now_ms - (earlier.ended_ms or earlier.at_ms)
        earlier.resumed = waited <= talk.options.dead_air_ms
        yield Moment("turn_left", evidence, talk.now_ms, turn=earlier, before=evidence, ms=waited)
    talk.turns += 1
    talk.waiting = None
    expects = not talk.mode.transcription_only
    turn = Turn(talk.turns, evidence, talk.now_ms, record.text("item_id"), expects)
    talk.turn = turn
    playing = talk.sound.playing
    left_ms = talk.sound.heard_until_ms - talk.now_ms
    if playing is not None and (left_ms > 0 or talk.sound.is_heard) and playing.flushed is None:
        turn.overlap = playing
    yield Moment("turn_began", evidence, talk.now_ms, turn=turn, response=playing, ms=max(left_ms, 0.0))


def _by_audio_clock(talk: Talk, audio_ms: float | None) -> None:
    if not talk.timed and audio_ms is not None:
        talk.sound.live = abs(talk.sound.sent_ms - audio_ms) < _LIVE_MS
        talk.now_ms = max(talk.now_ms, audio_ms)


def stopped(talk: Talk, record: Record) -> Iterator[Moment]:
    """input_audio_buffer.speech_stopped: from here on the caller waits."""
    _by_audio_clock(talk, record.number("audio_end_ms"))
    turn = talk.turn
    if turn is None or turn.ended_ms is not None:
        return
    turn.stopped = record.evidence()
    turn.ended_ms = talk.now_ms
    talk.waiting = turn if turn.expects else None
    yield Moment("turn_ended", turn.evidence, talk.now_ms, turn=turn, before=turn.stopped, ms=turn.ended_ms)


def committed(talk: Talk, record: Record) -> Iterator[Moment]:
    """input_audio_buffer.committed: the caller's words are part of the conversation."""
    talk.sound.pending_ms = 0.0
    talk.input_no += 1
    for asked in talk.asked:
        if asked.type == "input_audio_buffer.commit" and not asked.settled:
            asked.settled = True
            break
    turn = talk.turn
    item = record.text("item_id")
    if turn is None or turn.committed or (item and turn.item_id and item != turn.item_id):
        talk.turns += 1
        turn = Turn(talk.turns, record.evidence(), talk.now_ms, item, not talk.mode.transcription_only)
        turn.ended_ms = talk.now_ms
        talk.turn = turn
    turn.committed = True
    turn.ended_ms = turn.ended_ms if turn.ended_ms is not None else talk.now_ms
    talk.waiting = turn if turn.expects and turn.answer is None else None
    yield Moment("turn_committed", record.evidence(), talk.now_ms, turn=turn)


def answered(talk: Talk, moment: Moment) -> Iterator[Moment]:
    """A response began: the turn that waits has its answer."""
    response = moment.response
    if response is None or response.outside:
        return
    turn = talk.waiting
    if turn is not None and not talk.speaking:
        turn.answer = response
        talk.waiting = None
        waited = talk.now_ms - max(turn.ended_ms or turn.at_ms, talk.sound.heard_until_ms)
        turn.late = waited > talk.options.dead_air_ms + _MADE_MS * response.unseen and talk.has_clock
        yield Moment("turn_answered", turn.evidence, talk.now_ms, turn=turn, response=response, ms=waited)


def unsaid(talk: Talk, moment: Moment) -> Iterator[Moment]:
    """A response came to nothing: unless the caller interrupted it, its turn still waits."""
    response = moment.response
    if response is None or response.outside or response.turn is None:
        return
    failed = response.status in ("failed", "cancelled") and response.reason != "turn_detected" and not response.said
    if failed and talk.turn is response.turn and response.turn.answer is response:
        response.turn.answer = None
        talk.waiting = response.turn
    yield from ()


def commit_sent(talk: Talk, record: Record) -> Iterator[Moment]:
    """input_audio_buffer.commit, with what the log says is in the buffer."""
    pending = talk.sound.pending_ms
    asked = Asked(record.evidence(), talk.now_ms, record.type, record.text("event_id"), f"{pending:.0f} ms")
    asked.idle = talk.mode.vad not in ("none", "unknown")
    talk.asked.append(asked)
    yield Moment("commit_sent", asked.evidence, talk.now_ms, asked=asked, ms=pending)


def cleared(talk: Talk, record: Record) -> Iterator[Moment]:
    """The provider's buffer is empty again."""
    del record
    talk.sound.pending_ms = 0.0
    yield from ()


def waits(talk: Talk) -> Iterator[Moment]:
    """At the end of a session: whoever still waits."""
    turn = talk.turn
    if turn is not None and turn.ended_ms is None:
        yield Moment("turn_endless", turn.evidence, talk.now_ms, turn=turn, ms=talk.now_ms - turn.at_ms)
    left = talk.waiting
    if left is not None:
        waited = talk.now_ms - (left.ended_ms or left.at_ms)
        yield Moment("turn_left", left.evidence, talk.now_ms, turn=left, ms=waited)
    for asked in talk.asked:
        waited = talk.now_ms - asked.at_ms
        unanswered = asked.type == "input_audio_buffer.commit" and not asked.settled and talk.server_events > 0
        if unanswered and waited > _COMMIT_MS:
            yield Moment("commit_unanswered", asked.evidence, talk.now_ms, asked=asked, ms=waited)
        if asked.idle and not asked.rejected:
            yield Moment("asked_for_nothing", asked.evidence, talk.now_ms, asked=asked)
    if talk.responses_begun == 0 and talk.turns == 0 and talk.configured_ms is not None:
        waited = talk.now_ms - talk.configured_ms
        yield Moment("greeting_missing", talk.configured or left_over(talk), talk.now_ms, ms=waited)


def left_over(talk: Talk) -> Evidence:
    """Some line to show for a session that has shown nothing else."""
    return talk.created or Evidence("-", 0, talk.now_ms, "")
