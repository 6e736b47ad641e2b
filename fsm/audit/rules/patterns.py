"""Rules about what a whole call shows: answers nobody heard, phantom turns, loops, formats, transcriptions."""

from __future__ import annotations

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import Content
from fsm.audit.observations import (
    AnswerIncomplete,
    AnswerSilent,
    CallSilent,
    CreatesAfterCommits,
    FormatDiffers,
    ToolLooped,
    TranscriptionsFailed,
    TurnCutOff,
    TurnsEmpty,
)
from fsm.audit.record import seconds
from fsm.audit.rules.rule import AuditRule, RuleJudgement, lines, on
from fsm.audit.spec_links import SpecLink

_NOTICED = 3  # phantom turns, failed transcriptions: so many are a fault, fewer are an accident


def _left_incomplete(left: AnswerIncomplete, conversation: LoggedConversation) -> RuleJudgement | None:
    response = left.response
    text = f"{response.id} was cut in the middle ({response.reason or 'incomplete'})"
    went_on = conversation.now_ms - response.ended_ms > conversation.options.dead_air_ms or not conversation.has_clock
    harm = not left.continued and went_on and Content.CALLS not in response.content
    how = ", and went on in another response" if left.continued else ", and nobody went on with it"
    return RuleJudgement(harm, text + how, lines(response.evidence), at_ms=response.ended_ms)


def _silent(found: AnswerSilent, conversation: LoggedConversation) -> RuleJudgement:
    response = found.response
    what = f"turn {response.turn.number}" if response.turn else "the opening of the call"
    text = f"{response.id}, the answer to {what}, had no sound"
    text += "; it was asked for again" if found.made_good else ": nobody heard it"
    return RuleJudgement(not found.made_good, text, lines(response.evidence), "silent", response.at_ms)


def _heard_nothing(found: CallSilent, conversation: LoggedConversation) -> RuleJudgement:
    text = f"the caller heard nothing in {seconds(found.lasted_ms)} of call"
    return RuleJudgement(True, text, lines(found.evidence), "the whole call", 0.0)


def _after_commits(found: CreatesAfterCommits, conversation: LoggedConversation) -> RuleJudgement | None:
    count, rejected = len(found.creates), found.rejected
    if count < 0.6 * conversation.caller.turns:
        return None
    text = f"{count} creates followed a commit at once, where the provider answers what is committed by itself"
    text += f"; {rejected} creates were rejected" if rejected else ""
    return RuleJudgement(rejected > 0, text, lines(*found.creates[:3], found.creates[-1]))


def _cut_off(found: TurnCutOff, conversation: LoggedConversation) -> RuleJudgement:
    turn, response = found.turn, found.response
    long = f" for {seconds(found.overlap_ms)}" if conversation.has_clock else ""
    text = f"turn {turn.number} was committed while the caller was speaking; {response.id} talked over the rest{long}"
    is_long = found.overlap_ms > conversation.options.overlap_ms or not conversation.has_clock
    return RuleJudgement(
        is_long, text, lines(turn.evidence, response.audio.first, turn.stopped), "committed", turn.at_ms
    )


def _phantom(found: TurnsEmpty, conversation: LoggedConversation) -> RuleJudgement:
    cut = sum(turn.overlap is not None for turn in found.turns)
    answered = sum(turn.answer is not None and turn.answer.has_words for turn in found.turns)
    count = len(found.turns)
    text = f"{count} {'turn' if count == 1 else 'turns'} of the caller without a word in it"
    text += f", {answered} of them answered" if answered else ""
    text += f", {cut} of them while the agent was speaking" if cut else ""
    harm = count >= _NOTICED and (answered + cut) >= _NOTICED and count > 0.3 * conversation.caller.turns
    return RuleJudgement(harm, text, lines(*(turn.evidence for turn in found.turns[:3])), at_ms=found.turns[0].at_ms)


def _not_transcribed(found: TranscriptionsFailed, conversation: LoggedConversation) -> RuleJudgement:
    count, good = len(found.failed), found.succeeded
    text = f"{count} {'transcription' if count == 1 else 'transcriptions'} failed, {good} did not"
    harm = conversation.session.mode.transcription_only or (count >= _NOTICED and count > good)
    return RuleJudgement(harm, text, lines(*found.failed[:3]))


def _looped(found: ToolLooped, conversation: LoggedConversation) -> RuleJudgement:
    call = found.calls[0]
    text = f"{call.name or 'a tool'} was called {len(found.calls)} times with the same arguments, nothing said between"
    return RuleJudgement(True, text, lines(*(each.evidence for each in found.calls)), at_ms=call.at_ms)


def _other_format(found: FormatDiffers, conversation: LoggedConversation) -> RuleJudgement:
    text = f"{found.side} audio: asked for {found.asked}, got {found.got}"
    return RuleJudgement(True, text, lines(found.update.evidence, found.evidence), found.side)


_SILENT_ROW = SpecLink("answer", "playout.silent.current", "an answer without a sound is asked for again")
RULES = (
    AuditRule(
        "answer-silent", "Nobody heard the answer",
        "There was an answer, or there was to be one, and the caller heard nothing.",
        "counts an answer as given when the caller has heard it; a silent one is asked for again, two times at most.",
        on(AnswerSilent, _silent) | on(CallSilent, _heard_nothing), (_SILENT_ROW,),
    ),
    AuditRule(
        "answer-incomplete", "An answer broke off in the middle",
        "The caller hears half a sentence and then nothing.",
        "asks for the rest of an answer that its token limit cut, once.",
        on(AnswerIncomplete, _left_incomplete),
        (SpecLink("answer", "response.done.incomplete", "what a limit cut is to be continued"),
         SpecLink("answer", "response.done.failed", "a failed answer is owed again")),
    ),
    AuditRule(
        "create-per-commit", "A create after every commit",
        "The provider answers what is committed by itself: each of these creates asks for a second answer.",
        "leaves the answers to turns to the provider; where it is to ask for them, the session says create_response: "
        "false (owned_turns).",
        on(CreatesAfterCommits, _after_commits),
        (SpecLink("deadline", "answer_overdue", "the provider's own answer has {after}"),),
    ),
    AuditRule(
        "turn-cut-off", "Committed while the caller was speaking",
        "The model answers half of what was said and talks over the other half.",
        "commits where it holds the turns, and only when the caller is silent or lets go of the key.",
        on(TurnCutOff, _cut_off),
        (SpecLink("effect", "commit_audio", "commit_audio needs {when}"),),
    ),
    AuditRule(
        "phantom-turns", "Turns in which nobody spoke",
        "Noise or echo passes for the caller: it is answered, or it cuts the agent.",
        "does not ask again for an answer to a turn without a word; raise the threshold of the detection, or take the "
        "noise out of what is sent.",
        on(TurnsEmpty, _phantom),
        (SpecLink("answer", "input_audio_buffer.speech_started.new", "a turn cuts what plays"),),
    ),
    AuditRule(
        "transcription-failed", "What the caller said was not transcribed",
        "The call goes on, but its transcript has holes; where the transcript is all there is to be, it is missing.",
        "does without: no decision waits for a transcript.",
        on(TranscriptionsFailed, _not_transcribed),
    ),
    AuditRule(
        "tool-loop", "The same tool call, again and again",
        "The model does not get further: the caller waits, and the tool runs each time.",
        "counts rounds without a word of the caller and ends them.",
        on(ToolLooped, _looped),
        (SpecLink("counter", "tools.overflowed", "the tools that still run"),),
    ),
    AuditRule(
        "format-mismatch", "Another audio format than was asked for",
        "The caller hears noise, or a voice too fast or too slow; the model hears the same.",
        "compares what session.updated says with what was asked, and apologises where it is another format.",
        on(FormatDiffers, _other_format),
        (SpecLink("answer", "session.update_rejected", "an update that was not taken ends the call with an apology"),),
    ),
)  # fmt: skip
