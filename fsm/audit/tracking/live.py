"""Tracking of GPT-Live: delegations and their rounds, words that nobody answers, speech that is played late.

Source: docs/facts/gpt_live.md sections 1, 3 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import keep
from fsm.audit.live_side import DelegatedCall, LiveWork
from fsm.audit.observations import (
    BatchPartial,
    ContinuedWithoutOutputs,
    DelegationUnanswered,
    LiveSilent,
    Observation,
    OutputVoid,
    SpeechLate,
)
from fsm.audit.record import Record

LATE_MS = 1_000.0
"""Played so long after the model was done: a queue that only grows."""
_LAG_MS = 1_000.0
_ENDED = frozenset({"response.completed", "response.failed", "response.incomplete"})


def started(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """session.start or session.started: from here on the log is of this protocol."""
    conversation.live.started = conversation.live.started or record.evidence()
    yield from ()


# --- delegations ------------------------------------------------------------------------------------------------------


def delegated(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    name, target = record.text("delegation.id"), record.text("delegation.target") or record.text("delegation.type")
    live = conversation.live
    live.work[name] = LiveWork(record.evidence(), conversation.now_ms, f"a delegation to {target or 'somebody'}")
    keep(live.work)
    yield from ()


def nested(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.event: what a delegated response does."""
    live, name, kind = conversation.live, record.text("delegation_id"), record.text("event.type")
    if kind == "response.output_item.done" and record.text("event.item.type") == "function_call":
        call_id = record.text("event.item.call_id")
        live.calls[call_id] = DelegatedCall(
            record.evidence(), conversation.now_ms, name, record.text("event.item.name")
        )
        keep(live.calls)
    elif kind in _ENDED:
        live.work.pop(name, None)
        if kind != "response.completed":
            for call_id in [each for each, call in live.calls.items() if call.delegation == name]:
                live.voids[call_id] = live.calls.pop(call_id)
            keep(live.voids)
    yield from ()


def output_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.item.create."""
    call_id, live = record.text("item.call_id"), conversation.live
    if call_id in live.calls:
        live.calls[call_id].output = record.evidence()
    elif call_id in live.voids:
        yield OutputVoid(record.evidence(), conversation.now_ms, live.voids.pop(call_id))


def continued(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.create: it runs when every open call has its output, and not before."""
    live, evidence, now_ms = conversation.live, record.evidence(), conversation.now_ms
    given = [call for call in live.calls.values() if call.output is not None]
    missing = tuple(call for call in live.calls.values() if call.output is None)
    if not given:
        yield ContinuedWithoutOutputs(evidence, now_ms, missing)
        return
    if missing:
        yield BatchPartial(evidence, now_ms, missing, len(given))
        return
    live.calls.clear()
    live.work[""] = LiveWork(evidence, now_ms, "a continuation")


def told(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """An append: it answers a delegation to the application, or is to be spoken."""
    live = conversation.live
    live.work.pop(record.text("delegation_id") or "-", None)
    if record.type != "session.thinking.append":
        _await(conversation, record)
    yield from ()


# --- who is heard -----------------------------------------------------------------------------------------------------


def words(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """Of the caller: they are to be answered. What was waited for so long is told first."""
    yield from _silence(conversation)
    live = conversation.live
    lags = live.is_sounding or (live.heard_ms is not None and conversation.now_ms - live.heard_ms < _LAG_MS)
    if record.text("delta").strip() and not lags:
        _await(conversation, record)


def spoken(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """The model is heard, by its words or by its sound."""
    live = conversation.live
    yield from _silence(conversation)
    live.awaited, live.heard_ms = None, conversation.now_ms
    live.is_sounding = live.is_sounding or record.type == "voice.began"


def voice_ended(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    live = conversation.live
    live.is_sounding, live.heard_ms = False, conversation.now_ms
    live.voice_ended[record.text("speech_id")] = conversation.now_ms
    keep(live.voice_ended)
    yield from ()


def drained(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """The caller has heard all that was queued; none of it should be old."""
    ended = conversation.live.voice_ended
    if ended and conversation.timed and (late_ms := conversation.now_ms - max(ended.values())) > LATE_MS:
        yield SpeechLate(record.evidence(), conversation.now_ms, late_ms)
    ended.clear()


def cut(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """What was flushed is not late."""
    del record
    conversation.live.voice_ended.clear()
    yield from ()


def left(conversation: LoggedConversation) -> Iterator[Observation]:
    """At the end of a session: what was never answered."""
    live, now_ms, patience_ms = conversation.live, conversation.now_ms, conversation.options.dead_air_ms
    waits = list(live.work.values())
    waits += [LiveWork(call.evidence, call.since_ms, _state_of(call)) for call in live.calls.values()]
    for work in waits:
        if conversation.timed and now_ms - work.since_ms > patience_ms:
            yield DelegationUnanswered(work.evidence, now_ms, work.what, now_ms - work.since_ms)
    yield from _silence(conversation)


def _state_of(call: DelegatedCall) -> str:
    return "a call of a tool" if call.output is None else "a round of tools, for want of a continuation,"


def _await(conversation: LoggedConversation, record: Record) -> None:
    live = conversation.live
    live.awaited, live.awaited_ms, live.is_told = record.evidence(), conversation.now_ms, False


def _silence(conversation: LoggedConversation) -> Iterator[Observation]:
    live = conversation.live
    waited_ms = conversation.now_ms - live.awaited_ms
    if live.awaited is None or live.is_told or not conversation.timed:
        return
    if waited_ms > conversation.options.dead_air_ms:
        live.is_told = True
        yield LiveSilent(live.awaited, conversation.now_ms, waited_ms)
