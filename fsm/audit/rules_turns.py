"""Rules about who has the floor: turns without an answer, silence, talk-over, audio after a flush, no greeting.

Never here: bookkeeping.
"""

from __future__ import annotations

from fsm.audit.anchors import Anchor
from fsm.audit.record import seconds
from fsm.audit.rule import Rule, Verdict, lines
from fsm.audit.talk import Moment, Talk

_ENDLESS_MS = 30_000.0  # of a turn: longer than anybody speaks without a pause
_IN_FLIGHT_MS = 500.0  # after a flush: what was on its way


def _judge_unanswered(moment: Moment, talk: Talk) -> Verdict | None:
    turn = moment.turn
    if turn is None:
        return None
    shown = lines(turn.evidence, turn.stopped, moment.before)
    if moment.ms > talk.options.dead_air_ms:
        until = "until the caller spoke again" if moment.before else "to the end of the session"
        text = f"turn {turn.number}: nobody answered for {seconds(moment.ms)}, {until}"
        known = talk.mode.described or talk.responses_begun > 0  # else: does anybody answer here at all?
        return Verdict(known, text, shown, at_ms=turn.ended_ms)
    if moment.before is not None:
        return None  # the caller went on before anybody could answer
    return Verdict(False, f"turn {turn.number} has no answer by the end of the session", shown)


def _judge_endless(moment: Moment, talk: Talk) -> Verdict | None:
    turn = moment.turn
    if turn is None or moment.ms <= _ENDLESS_MS or not talk.has_clock:
        return None
    text = f"turn {turn.number}: speech_started has no speech_stopped {seconds(moment.ms)} later"
    return Verdict(True, text, lines(turn.evidence), at_ms=turn.at_ms)


def _judge_silence(moment: Moment, talk: Talk) -> Verdict | None:
    """Silence before an answer that somebody waited for."""
    response = moment.response
    if response is None or response.outside or not talk.has_clock:
        return None
    turn, create = response.turn, response.create
    if moment.name == "turn_answered":
        return _late(moment)
    if moment.name == "audio_resumed":
        return Verdict(True, f"{seconds(moment.at_ms - moment.ms)} of silence in the middle of {response.id}",
                       lines(response.evidence, moment.evidence), "stalled")  # fmt: skip
    if turn is not None and turn.late and response.first_word:
        return None  # told when the response began
    since, what = moment.ms, ""
    if turn is not None and response.first_word:
        since, what = max(since, turn.ended_ms or turn.at_ms), f"the answer to turn {turn.number}"
    elif create is not None and create.tool is not None:
        since, what = max(since, create.tool.at_ms), f"the answer after {create.tool.name or 'a tool'}"
    elif turn is None and response.first_word and response.input_no == 0 and talk.configured_ms is not None:
        since, what = talk.configured_ms, "the greeting"
    elif create is not None:
        since, what = max(since, create.at_ms), "the answer that was asked for"
    gap = moment.at_ms - since
    if not what or gap <= talk.options.dead_air_ms:
        return None
    before = turn.stopped if turn is not None and response.first_word else create.evidence if create else None
    return Verdict(True, f"{seconds(gap)} of silence before {what}", lines(before, moment.evidence))


def _late(moment: Moment) -> Verdict | None:
    turn, response = moment.turn, moment.response
    if turn is None or response is None or not turn.late:
        return None
    text = f"{seconds(moment.ms)} of silence before the answer to turn {turn.number} began"
    return Verdict(True, text, lines(turn.stopped or turn.evidence, response.evidence), at_ms=turn.ended_ms)


def _judge_greeting(moment: Moment, talk: Talk) -> Verdict | None:
    if talk.responses_begun or talk.configured is None or talk.configured_ms is None or not talk.mode.speaks:
        return None
    if moment.name == "turn_began" and talk.turns != 1:
        return None
    if talk.mode.vad == "none" and not talk.sound.appends:
        return None  # nobody is on the line: the session waits for a text, or for a key
    waited = moment.at_ms - talk.configured_ms
    if waited <= talk.options.dead_air_ms or talk.mode.transcription_only:
        return None
    until = "until the caller spoke" if moment.name == "turn_began" else "to the end of the session"
    shown = lines(talk.configured, *(c.evidence for c in talk.creates), moment.evidence)
    return Verdict(
        talk.has_clock, f"nobody said anything for {seconds(waited)} after the session was ready, {until}", shown
    )


def _judge_talk_over(moment: Moment, talk: Talk) -> Verdict | None:
    if moment.name == "turn_ended":
        return _played_on(moment, talk)
    response = moment.response
    if response is None or response.outside:
        return None
    ended_over = response.over_caller and response.said and talk.speaking and talk.turn is response.turn
    if not response.deltas_over_caller and (talk.sound.logged or response.unseen or not ended_over):
        return None
    if response.status in ("cancelled", "unknown") or response.flushed is not None:
        return None
    shown = lines(response.turn.evidence if response.turn else None, response.evidence, response.first_delta)
    if response.over_caller:
        text = f"{response.id} began, and was given, while the caller was speaking"
        return Verdict(True, text, shown, "began", response.at_ms)
    if response.over_ms > talk.options.overlap_ms and talk.has_clock:
        text = f"{response.id} went on for {seconds(response.over_ms)} after the caller had begun to speak"
        return Verdict(True, text, shown, "went on")
    text = f"{response.id} was not interrupted by the caller ({response.deltas_over_caller} pieces of audio came after)"
    return Verdict(False, text, shown, "went on")


def _played_on(moment: Moment, talk: Talk) -> Verdict | None:
    """What was in the client's queue when the caller began, and nothing in the log took out."""
    turn = moment.turn
    if turn is None or turn.overlap is None or not talk.sound.known or turn.overlap.flushed is not None:
        return None
    if turn.overlap.deltas_over_caller:
        return None  # told when the response ends
    overlap = min(talk.sound.heard_until_ms, moment.at_ms) - turn.at_ms
    if overlap <= talk.options.overlap_ms:
        return None
    text = (
        f"the caller spoke over {seconds(overlap)} of {turn.overlap.id}; neither a truncate, a cancel nor a clear "
        "follows: it was played on, or the model believes it was heard"
    )
    return Verdict(
        talk.sees_client, text, lines(turn.overlap.evidence, turn.evidence, moment.before), "played on", turn.at_ms
    )


def _judge_late(moment: Moment, talk: Talk) -> Verdict | None:
    response = moment.response
    if response is None:
        return None
    if moment.name == "played_after_flush":
        text = f"{response.id} was heard again after it had been cut"
        return Verdict(True, text, lines(response.flushed, response.first_late, moment.evidence))
    if not response.late_deltas or response.played_late is not None:
        return None
    late = response.late_until_ms - response.flushed_ms
    amount = f"{response.late_deltas} pieces" + (f" ({seconds(response.late_ms)})" if response.late_ms >= 20 else "")
    shown = lines(response.flushed, response.first_late, moment.evidence)
    long_after = talk.has_clock and late > _IN_FLIGHT_MS
    if response.cancel is None and (response.status not in ("cancelled", "unknown") or long_after):
        text = f"{amount} of audio of {response.id} came after it had been cut, up to {seconds(late)} later"
        return Verdict(True, f"{text}, and nobody cancelled it", shown)
    return Verdict(False, f"{amount} of audio of {response.id} were on their way when it was cut", shown)


RULES = (
    Rule(
        "turn-unanswered", "Nobody answered the caller",
        "The caller has spoken and hears nothing.",
        "gives every wait a deadline: when the provider's answer is overdue it is asked for, when a create is overdue "
        "it is asked for again.",
        ("turn_left",), _judge_unanswered,
        (Anchor("deadline", "answer_overdue", "an answer the provider owes has {after}"),
         Anchor("choice", "next_answer", "what is owed is asked for as soon as nobody speaks", "create_response")),
    ),
    Rule(
        "turn-endless", "A turn that never ended",
        "speech_stopped was lost, or the line is noise: whoever waits for it waits for ever.",
        "ends the caller's turn by local silence, too.",
        ("turn_endless",), _judge_endless,
        (Anchor("cell", "user_speaking", "local silence ends the turn", "caller.silent"),),
    ),
    Rule(
        "dead-air", "Dead air",
        "The caller waits and hears nothing; many hang up.",
        "keeps a deadline on every wait and asks again when it passes.",
        ("audio_began", "audio_resumed", "turn_answered"), _judge_silence,
        (Anchor("deadline", "answer_overdue", "an answer the provider owes has {after}"),
         Anchor("deadline", "response_overdue", "a response has {after} to bring audio"),
         Anchor("deadline", "create_overdue", "a create has {after} to be answered")),
    ),
    Rule(
        "no-greeting", "No greeting",
        "Both sides wait for the other to speak.",
        "owes a greeting from the start and asks for it as soon as the session is configured.",
        ("turn_began", "greeting_missing"), _judge_greeting,
        (Anchor("variable", "owed", "a call begins with a greeting owed"),
         Anchor("choice", "next_answer", "what is owed is asked for as soon as nobody speaks", "create_response")),
    ),
    Rule(
        "talk-over", "The agent talked over the caller",
        "Two voices at once; the caller is not understood.",
        "flushes what plays when the caller begins, and cancels by id what begins while the caller speaks.",
        ("response_ended", "turn_ended"), _judge_talk_over,
        (Anchor("cell", "user_speaking", "a response that begins here is cancelled and flushed",
                "response.created.own"),
         Anchor("cell", "playing_out", "the caller has the floor: what plays is cut",
                "input_audio_buffer.speech_started.new")),
    ),
    Rule(
        "audio-after-flush", "Audio after a flush",
        "Words of an answer that was cut are heard after the cut.",
        "names the response ids in every flush; what still comes of them is dropped.",
        ("response_ended", "played_after_flush"), _judge_late,
        (Anchor("effect", "flush_playout", "flush_playout names the responses whose late audio is dropped"),
         Anchor("event", "playout.dropped", "what comes late is told as dropped, and truncated to nothing")),
    ),
)  # fmt: skip
