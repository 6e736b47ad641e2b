"""Rules about who has the floor: turns without an answer, silence, talk-over, audio after a flush, no greeting."""

from __future__ import annotations

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import CallerTurn, Response, ResponseState, Shown, TurnFacts
from fsm.audit.observations import (
    AudioBegan,
    AudioResumed,
    GreetingMissing,
    PlayedAfterCut,
    ResponseEnded,
    TurnAnswered,
    TurnBegan,
    TurnEnded,
    TurnEndless,
    TurnLeft,
)
from fsm.audit.record import Evidence, seconds
from fsm.audit.rules.rule import AuditRule, RuleJudgement, lines, on
from fsm.audit.spec_links import SpecLink

_ENDLESS_MS = 30_000.0  # of a turn: longer than anybody speaks without a pause
_IN_FLIGHT_MS = 500.0  # after a flush: what was on its way
_STOPPED = (ResponseState.CANCELLED, ResponseState.ENDED)


def _unanswered(left: TurnLeft, conversation: LoggedConversation) -> RuleJudgement | None:
    turn = left.turn
    shown = lines(turn.evidence, turn.stopped, left.spoke_again)
    if left.waited_ms > conversation.options.dead_air_ms:
        until = "until the caller spoke again" if left.spoke_again else "to the end of the session"
        text = f"turn {turn.number}: nobody answered for {seconds(left.waited_ms)}, {until}{_stopped(turn)}"
        # else: does anybody answer here at all?
        known = conversation.session.mode.described or conversation.responses.begun > 0
        return RuleJudgement(known, text, shown, at_ms=turn.ended_ms)
    if left.spoke_again is not None:
        return None  # the caller went on before anybody could answer
    return RuleJudgement(False, f"turn {turn.number} has no answer by the end of the session", shown)


def _stopped(turn: CallerTurn) -> str:
    """What became of the answer that there was, if it ended before its first sound."""
    failed = turn.failed
    if failed is None:
        return ""
    why = f" ({failed.reason})" if failed.reason else ""
    return f"; {failed.id} was stopped before its first sound{why}"


def _endless(endless: TurnEndless, conversation: LoggedConversation) -> RuleJudgement | None:
    turn = endless.turn
    hidden = TurnFacts.COMMITTED in turn.facts or turn.answer is not None
    shown = "input_audio_buffer.speech_stopped" in conversation.log.kinds or not hidden
    if endless.lasted_ms <= _ENDLESS_MS or not shown:
        return None
    text = f"turn {turn.number}: speech_started has no speech_stopped {seconds(endless.lasted_ms)} later"
    return RuleJudgement(True, text, lines(turn.evidence), at_ms=turn.at_ms)


# --- silence ----------------------------------------------------------------------------------------------------------


def _late_answer(answered: TurnAnswered, conversation: LoggedConversation) -> RuleJudgement | None:
    turn, response = answered.turn, answered.response
    if TurnFacts.LATE not in turn.facts or response.is_outside or not conversation.has_clock:
        return None
    text = f"{seconds(answered.waited_ms)} of silence before the answer to turn {turn.number} began"
    return RuleJudgement(True, text, lines(turn.stopped or turn.evidence, response.evidence), at_ms=turn.ended_ms)


def _stalled(resumed: AudioResumed, conversation: LoggedConversation) -> RuleJudgement | None:
    response = resumed.response
    if response.is_outside or not conversation.has_clock:
        return None
    text = f"{seconds(resumed.at_ms - resumed.quiet_since_ms)} of silence in the middle of {response.id}"
    return RuleJudgement(True, text, lines(response.evidence, resumed.evidence), "stalled")


def _late_voice(began: AudioBegan, conversation: LoggedConversation) -> RuleJudgement | None:
    """Silence before an answer that somebody waited for."""
    response = began.response
    is_late = response.turn is not None and TurnFacts.LATE in response.turn.facts
    is_known = is_late and response.first_word  # since the response began
    if response.is_outside or is_known or not conversation.has_clock:
        return None
    waited = _waited_for(response, conversation)
    if waited is None:
        return None
    what, since_ms, before = waited
    gap = began.at_ms - max(began.quiet_since_ms, since_ms)
    if gap <= conversation.options.dead_air_ms:
        return None
    return RuleJudgement(True, f"{seconds(gap)} of silence before {what}", lines(before, began.evidence))


def _waited_for(response: Response, conversation: LoggedConversation) -> tuple[str, float, Evidence | None] | None:
    """What somebody waited for, since when, and the line that shows it."""
    turn, create, ready_ms = response.turn, response.create, conversation.session.configured_ms
    asked = create.evidence if create is not None else None
    if turn is not None and response.first_word:
        return f"the answer to turn {turn.number}", turn.ended_ms or turn.at_ms, turn.stopped
    if create is not None and create.tool is not None:
        return f"the answer after {create.tool.name or 'a tool'}", create.tool.at_ms, asked
    if turn is None and response.first_word and response.begin.input_no == 0 and ready_ms is not None:
        return "the greeting", ready_ms, asked
    return ("the answer that was asked for", create.at_ms, asked) if create is not None else None


def _caller_spoke_first(began: TurnBegan, conversation: LoggedConversation) -> RuleJudgement | None:
    if conversation.caller.turns != 1:
        return None
    return _not_greeted(began.at_ms, "until the caller spoke", began.evidence, conversation)


def _nobody_spoke(missing: GreetingMissing, conversation: LoggedConversation) -> RuleJudgement | None:
    return _not_greeted(missing.at_ms, "to the end of the session", missing.evidence, conversation)


def _not_greeted(at_ms: float, until: str, found: Evidence, conversation: LoggedConversation) -> RuleJudgement | None:
    session = conversation.session
    is_ready = session.configured is not None and session.configured_ms is not None
    if not conversation.log.may_miss("response."):
        return None
    if not is_ready or conversation.responses.begun or not session.mode.speaks or session.mode.transcription_only:
        return None
    if session.mode.vad == "none" and not conversation.caller_audio.appends:
        return None  # nobody is on the line: the session waits for a text, or for a key
    waited = at_ms - (session.configured_ms or 0.0)
    if waited <= conversation.options.dead_air_ms:
        return None
    shown = lines(session.configured, *(c.evidence for c in conversation.creates.waiting), found)
    text = f"nobody said anything for {seconds(waited)} after the session was ready, {until}"
    return RuleJudgement(conversation.has_clock, text, shown)


# --- talk-over --------------------------------------------------------------------------------------------------------


def _talked_over(ended: ResponseEnded, conversation: LoggedConversation) -> RuleJudgement | None:
    response, audio = ended.response, ended.response.audio
    if response.is_outside or response.state in _STOPPED or response.cut is not None:
        return None
    if not audio.over_caller and not _ended_over(response, conversation):
        return None
    shown = lines(response.turn.evidence if response.turn else None, response.evidence, audio.first)
    if response.begin.over_caller:
        text = f"{response.id} began, and was given, while the caller was speaking"
        return RuleJudgement(True, text, shown, "began", response.at_ms)
    if audio.over_ms > conversation.options.overlap_ms and conversation.has_clock:
        text = f"{response.id} went on for {seconds(audio.over_ms)} after the caller had begun to speak"
        return RuleJudgement(True, text, shown, "went on")
    text = f"{response.id} was not interrupted by the caller ({audio.over_caller} pieces of audio came after)"
    return RuleJudgement(False, text, shown, "went on")


def _ended_over(response: Response, conversation: LoggedConversation) -> bool:
    """Where a log does not show audio: did a response begin, say something and end in one and the same turn?"""
    is_hidden = Shown.TIMES not in conversation.agent_audio.shown and not response.begin.unseen
    in_turn = conversation.speaking and conversation.caller.turn is response.turn
    return is_hidden and in_turn and response.begin.over_caller and response.has_words


def _played_on(ended: TurnEnded, conversation: LoggedConversation) -> RuleJudgement | None:
    """What was in the client's queue when the caller began, and nothing in the log took out."""
    turn, agent = ended.turn, conversation.agent_audio
    heard = turn.overlap
    if heard is None or Shown.LENGTHS not in agent.shown or heard.cut is not None:
        return None
    if heard.audio.over_caller:
        return None  # found when the response ends
    overlap = min(agent.heard_until_ms, ended.at_ms) - turn.at_ms
    if overlap <= conversation.options.overlap_ms:
        return None
    text = (
        f"the caller spoke over {seconds(overlap)} of {heard.id}; neither a truncate, a cancel nor a clear "
        "follows: it was played on, or the model believes it was heard"
    )
    shown = lines(heard.evidence, turn.evidence, ended.stopped)
    return RuleJudgement(conversation.log.sees_client, text, shown, "played on", turn.at_ms)


# --- audio after a flush ----------------------------------------------------------------------------------------------


def _heard_again(played: PlayedAfterCut, conversation: LoggedConversation) -> RuleJudgement:
    cut = played.cut
    text = f"{played.response.id} was heard again after it had been cut"
    return RuleJudgement(True, text, lines(cut.evidence, cut.first_late, played.evidence))


def _late_audio(ended: ResponseEnded, conversation: LoggedConversation) -> RuleJudgement | None:
    response, cut = ended.response, ended.response.cut
    if cut is None or not cut.late_pieces or cut.played is not None:
        return None
    late = cut.late_until_ms - cut.at_ms
    amount = f"{cut.late_pieces} pieces" + (f" ({seconds(cut.late_ms)})" if cut.late_ms >= 20 else "")
    shown = lines(cut.evidence, cut.first_late, ended.evidence)
    long_after = conversation.has_clock and late > _IN_FLIGHT_MS
    if response.cancel is None and (response.state not in _STOPPED or long_after):
        text = f"{amount} of audio of {response.id} came after it had been cut, up to {seconds(late)} later"
        return RuleJudgement(True, f"{text}, and nobody cancelled it", shown)
    return RuleJudgement(False, f"{amount} of audio of {response.id} were on their way when it was cut", shown)


RULES = (
    AuditRule(
        "turn-unanswered", "Nobody answered the caller",
        "The caller has spoken and hears nothing.",
        "gives every wait a deadline: when the provider's answer is overdue it is asked for, when a create is overdue "
        "it is asked for again.",
        on(TurnLeft, _unanswered),
        (SpecLink("deadline", "answer_overdue", "an answer the provider owes has {after}"),
         SpecLink("emitter", "create_response", "what is owed is asked for as soon as nobody speaks")),
    ),
    AuditRule(
        "turn-endless", "A turn that never ended",
        "speech_stopped was lost, or the line is noise: whoever waits for it waits endlessly.",
        "ends the caller's turn by local silence, too.",
        on(TurnEndless, _endless),
        (SpecLink("answer", "caller.silent", "local silence ends the turn", "floor_caller"),),
    ),
    AuditRule(
        "dead-air", "Dead air",
        "The caller waits and hears nothing; many hang up.",
        "keeps a deadline on every wait and asks again when it passes.",
        on(AudioBegan, _late_voice) | on(AudioResumed, _stalled) | on(TurnAnswered, _late_answer),
        (SpecLink("deadline", "answer_overdue", "an answer the provider owes has {after}"),
         SpecLink("deadline", "response_overdue", "a response has {after} to bring audio"),
         SpecLink("deadline", "create_overdue", "a create has {after} to be answered")),
    ),
    AuditRule(
        "no-greeting", "No greeting",
        "Both sides wait for the other to speak.",
        "owes a greeting from the start and asks for it as soon as the session is configured.",
        on(TurnBegan, _caller_spoke_first) | on(GreetingMissing, _nobody_spoke),
        (SpecLink("greeting", "", "a call begins with a greeting owed"),
         SpecLink("emitter", "create_response", "what is owed is asked for as soon as nobody speaks")),
    ),
    AuditRule(
        "talk-over", "The agent talked over the caller",
        "Two voices at once; the caller is not understood.",
        "flushes what plays when the caller begins, and cancels by id what begins while the caller speaks.",
        on(ResponseEnded, _talked_over) | on(TurnEnded, _played_on),
        (SpecLink("answer", "response.created.own", "a response that begins here is cancelled and flushed",
                  "floor_caller"),
         SpecLink("answer", "input_audio_buffer.speech_started.new", "the caller has the floor: what plays is cut")),
    ),
    AuditRule(
        "audio-after-flush", "Audio after a flush",
        "Words of an answer that was cut are heard after the cut.",
        "names the response ids in every flush; what still comes of them is dropped.",
        on(ResponseEnded, _late_audio) | on(PlayedAfterCut, _heard_again),
        (SpecLink("effect", "flush_playout", "flush_playout names the responses whose late audio is dropped"),
         SpecLink("event", "playout.dropped", "what comes late is reported as dropped, and truncated to nothing")),
    ),
)  # fmt: skip
