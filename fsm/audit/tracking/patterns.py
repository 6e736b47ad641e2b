"""Tracking of what a whole session shows: answers nobody heard, turns nobody spoke, creates that follow commits."""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import Content, Response, Shown, TurnFacts
from fsm.audit.observations import (
    AnswerIncomplete,
    AnswerSilent,
    CallSilent,
    CreatesAfterCommits,
    Observation,
    TranscriptionsFailed,
    TurnsEmpty,
)
from fsm.audit.tracking.turns import left_over

_PATTERN = 3  # times that are no accident


def seen(conversation: LoggedConversation) -> Iterator[Observation]:
    """At the end of a session: what has become a pattern, and what was never made good."""
    yield from _answers(conversation)
    yield from _caller(conversation)
    creates = conversation.creates
    if len(creates.after_commits) >= _PATTERN:
        made = tuple(creates.after_commits)
        yield CreatesAfterCommits(made[-1], conversation.now_ms, made, creates.rejections)


def _answers(conversation: LoggedConversation) -> Iterator[Observation]:
    now_ms, responses = conversation.now_ms, conversation.responses
    for response in responses.incomplete:
        if response.has_words or Content.SOUND in response.content:
            yield AnswerIncomplete(response.evidence, now_ms, response, response.followed)
    for response in responses.unspoken:
        if not _owes_no_sound(response):
            yield AnswerSilent(response.evidence, now_ms, response, response.followed)
    if _heard_nothing(conversation) and now_ms > conversation.options.dead_air_ms:
        yield CallSilent(left_over(conversation), now_ms, now_ms)


def _heard_nothing(conversation: LoggedConversation) -> bool:
    """Does a journal of ours say so: its playout told of no sound, or there was no audio for it to tell of?"""
    log, mode = conversation.log, conversation.session.mode
    judged = "playout.silent" in log.kinds or "playout.heard" in log.kinds
    had_none = Shown.TIMES not in conversation.agent_audio.shown and "playout.started" not in log.kinds
    is_call = log.is_journal and not mode.transcription_only
    return is_call and not conversation.responses.heard and (judged or had_none)


def _owes_no_sound(response: Response) -> bool:
    """A response that called a tool, or that answers a turn in which nothing was said (docs/answers.md)."""
    is_empty = response.turn is not None and TurnFacts.EMPTY in response.turn.facts
    return Content.CALLS in response.content or is_empty or response.is_outside


def _caller(conversation: LoggedConversation) -> Iterator[Observation]:
    caller, now_ms = conversation.caller, conversation.now_ms
    if caller.empty:
        yield TurnsEmpty(caller.empty[-1].evidence, now_ms, tuple(caller.empty))
    if caller.failed:
        yield TranscriptionsFailed(caller.failed[0], now_ms, tuple(caller.failed), caller.transcribed)
