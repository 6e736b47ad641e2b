"""What came of a call, in numbers: one log line for operators, one JSON object for programs. Counts; never decides.

Counted from steps and from the playout's own statistics, so the same journal gives the same numbers.
"""

from __future__ import annotations

from collections import Counter

import attrs

from adapters.audio.playout_counts import PlayoutStats
from adapters.call.mailbox import Envelope
from adapters.call.usage import CallUsage
from adapters.lines.line import NO_DATA, CallData
from fsm.language.spec import Spec
from fsm.machine.machine import Step

_CONFIRMS = "confirm_turn"
_CONFIRMS_ENDED = "confirm_ended_turn"
_TURN_BEGINS = ("input_audio_buffer.speech_started.new",)
_TURN_ENDS = ("input_audio_buffer.committed.expected", "input_audio_buffer.committed.new")
_ENDED = {
    "response.done.completed": "completed",
    "response.done.incomplete": "completed",
    "response.done.filtered": "completed",
    "response.done.interrupted": "cancelled",
    "response.done.cancelled": "cancelled",
    "response.done.failed": "failed",
    "response.done.fatal": "failed",
    "caller.interrupted": "cancelled",
}
_ASKS = ("create_response", "request_speech")
_BEGINS_TO_SPEAK = ("caller.spoke", "session.input_transcript.delta")
_FALLS_SILENT = ("caller.silent", "timer.turn_overdue")
_BARGE_INS = (
    "user.started_speaking.over",
    "user.started_speaking.alone",
    "input_audio_buffer.speech_started.new",
    "input_audio_buffer.speech_stopped.new",
    "input_audio_buffer.committed.new",
    "conversation.item.input_audio_transcription.completed.words",
    "caller.interrupted",
    "caller.spoke",
    "caller.pressed_key.talk",
)
"""By what an agent is cut whom the caller interrupts."""
_SILENT = ("playout.silent.current", "timer.sound_overdue")
_ASKED_FOR = (".ours", ".begun", ".unnamed")
"""The variants of a response that is ours."""
_TROUBLE = ("provider.", "timer.connect_overdue", "timer.created_overdue", "retries.overflowed")
_FAILING = ("wire", "socket", "internal")
"""Sources of events that begin the end of a call against everybody's wish: a refusal, attempts that ran out."""
_COUNTED_WAIT = "quiet_overdue"
"""The deadline that counts how long a caller waits in silence."""
_REJECTIONS = ("create_rejected", "create_failed", "session.update_rejected", "commit_rejected", "item_rejected")


@attrs.define
class _Response:
    """The response under way: what it was created for, whether the caller heard of it, called tools, was counted."""

    greeting: bool = False
    heard: bool = False
    ended: str = ""
    called_tools: bool = False
    counted: bool = False


@attrs.define
class _Stretch:
    """How long something has held, at the longest; `since_ms` is where it began, None while it does not hold."""

    longest_ms: int = 0
    since_ms: int | None = None

    def take(self, at_ms: int, *, holds: bool, anew: bool) -> None:
        """It holds from now on, or not; `anew`: what holds is counted from now."""
        if self.since_ms is not None:
            self.longest_ms = max(self.longest_ms, at_ms - self.since_ms)
        if not holds:
            self.since_ms = None
        elif anew or self.since_ms is None:
            self.since_ms = at_ms


@attrs.define
class _Doubts:
    """With a guard, what the provider commits is a turn once we know that it was the caller, by then or later."""

    is_known: bool = False
    is_committed: bool = False

    def resolved(self, step: Step) -> int:
        """How many turns, 0 or 1, this step makes certain."""
        made = {word.name for word, _ in step.reaction.effects}
        self.is_known = self.is_known or not made.isdisjoint({_CONFIRMS, _CONFIRMS_ENDED})
        self.is_committed = step.variant in _TURN_ENDS or (self.is_committed and step.variant not in _TURN_BEGINS)
        if not (self.is_known and self.is_committed):
            return 0
        self.is_known = self.is_committed = False
        return 1


@attrs.define
class _Talk:
    """Turns where the model decides who speaks: the caller's until they are quiet, or the model was heard meanwhile."""

    is_open: bool = False
    awaits: bool = False
    """The caller has said something, and the model has not been heard since."""

    def take(self, step: Step) -> tuple[int, int]:
        """How many turns begin with a step, and how many are answered."""
        if step.outcome == "ignored":
            return 0, 0
        if step.variant in _BEGINS_TO_SPEAK and not (self.is_open and self.awaits):
            self.is_open = self.awaits = True
            return 1, 0
        if step.variant in _FALLS_SILENT:
            self.is_open = False
        elif step.variant.startswith("playout.heard.") and self.awaits:
            self.awaits = False
            return 0, 1
        return 0, 0


@attrs.define
class Summary:
    """Counts of one call. `answers` are responses that answered a turn: no greeting, none that only called a tool."""

    spec: Spec
    agent: str = ""
    data: CallData = NO_DATA
    turns: int = 0
    answers: Counter[str] = attrs.field(factory=Counter)
    creates: Counter[str] = attrs.field(factory=Counter)
    rejections: Counter[str] = attrs.field(factory=Counter)
    barge_ins: int = 0
    tools: int = 0
    connects: int = 0
    violations: int = 0
    states: list[str] = attrs.field(factory=list)
    end_reason: str = ""
    provider_failed: bool = False
    """The call ended because the provider could not be had, or could not go on."""
    duration_ms: int = 0
    frames_unsent: int = 0
    mailbox_dropped: int = 0
    journal_dropped: int = 0
    played: PlayoutStats | None = None
    usage: CallUsage = attrs.field(factory=CallUsage)
    _ending: frozenset[str] = attrs.field(init=False)
    _caller_speaks: frozenset[str] = attrs.field(init=False)
    _idle: frozenset[str] = attrs.field(init=False)
    _response: _Response = attrs.field(factory=_Response)
    _doubts: _Doubts | None = attrs.field(init=False)
    _talk: _Talk | None = attrs.field(init=False)
    _asked: str = ""
    _silence: _Stretch = attrs.field(factory=lambda: _Stretch(since_ms=0))
    _wait: _Stretch = attrs.field(factory=lambda: _Stretch(since_ms=0))
    _was_audible: bool = False
    _trouble: str = ""

    def __attrs_post_init__(self) -> None:
        self._read_spec()

    def follow(self, spec: Spec) -> None:
        """The call goes on under another spec, which connects in the place of this one."""
        self.spec = spec
        self.connects -= 1
        self._count_unended()
        self._response = _Response()
        self._read_spec()

    def _read_spec(self) -> None:
        self._ending, self._caller_speaks = self.spec.tagged("ending"), self.spec.tagged("floor_caller")
        self._idle = self.spec.tagged("quiet")
        self._talk = _Talk() if "voice.began.new" in self.spec.vocabulary.events else None
        self._doubts = _Doubts() if _CONFIRMS in self.spec.vocabulary.effects else None

    def count(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        """Takes one step into account; `at_ms` is milliseconds since the call began."""
        variant = step.variant
        self._count_event(variant, step)
        if self._talk is not None:
            turns, answers = self._talk.take(step)
            self.turns += turns
            self.answers["completed"] += answers
        if self._doubts is not None:
            self.turns += self._doubts.resolved(step)
        for effect in step.effects:
            if effect.name in _ASKS:
                self._asked = str(effect.args.get("cause"))
                self.creates[self._asked] += 1
            elif effect.name == "send_digits":
                self.turns += 1
                if self._talk is not None:
                    self._talk.awaits = True
            elif effect.name == "connect_provider":
                self.connects += 1
            elif effect.name == "run_tool":
                self.tools += 1
                self._response.called_tools = True
        if step.outcome == "impossible":
            self.violations += 1
        if not self.states or self.states[-1] != step.snapshot.state:
            self.states.append(step.snapshot.state)
        self._note_end(step, envelope)
        self._was_audible = self._is_audible(step)
        self._count_silence(step, at_ms)

    def _note_end(self, step: Step, envelope: Envelope) -> None:
        """Why the call ends is what began its end; where attempts ran out, what the last one died of."""
        if step.variant.startswith(_TROUBLE) and step.outcome != "ignored":
            self._trouble = _reason(step, envelope)
        if not self.end_reason and step.snapshot.state in self._ending:
            ran_out = step.variant == "reconnects.overflowed" and self._trouble
            self.end_reason = self._trouble if ran_out else _reason(step, envelope)
            word = self.spec.vocabulary.events.get(step.variant)
            self.provider_failed = word is not None and word.source in _FAILING
        if step.snapshot.is_final:
            self._count_unended()

    def _is_audible(self, step: Step) -> bool:
        values = step.snapshot.control.values
        return any(values[index] in heard for index, heard in self.spec.audible)

    def _count_event(self, variant: str, step: Step) -> None:
        if variant in _TURN_ENDS and self._doubts is None:
            self.turns += 1
        elif variant.startswith("response.created.") and step.outcome != "ignored":
            self._count_unended()
            self._response = _Response(greeting=variant.endswith(_ASKED_FOR) and self._asked == "greeting")
        elif variant == "playout.heard.current":
            self._response.heard = True
            self._count_heard()
        elif variant in _SILENT:
            self._count_silent(step)
        elif variant in _ENDED:
            self._response.ended = _ENDED[variant]
            self._count_heard()
        elif variant.startswith(_REJECTIONS) and step.outcome != "ignored":
            self.rejections[variant] += 1
        cuts = variant in _BARGE_INS or (self._talk is not None and variant in _BEGINS_TO_SPEAK)
        cuts = cuts and any(effect.name == "flush_playout" for effect in step.effects)
        if cuts and step.before not in self._caller_speaks and self._was_audible:
            self.barge_ins += 1

    def _count_heard(self) -> None:
        """An answer is what has ended and was heard; one that failed or was cancelled is over without."""
        response = self._response
        if response.ended and not response.counted and (response.heard or response.ended != "completed"):
            self._count_answer(response.ended)

    def _count_silent(self, step: Step) -> None:
        if step.outcome != "ignored" and not self._response.heard and not self._response.counted:
            self._count_answer("silent")

    def _count_unended(self) -> None:
        """An answer that was heard and whose end was never reported (it was lost) was an answer, too."""
        if self._talk is None and self._response.heard and not self._response.counted:
            self._count_answer("unended")

    def _count_answer(self, how: str) -> None:
        response = self._response
        response.counted = True
        unheard = how == "cancelled" and not response.heard
        if not response.greeting and not response.called_tools and not unheard:
            self.answers[how] += 1

    def _count_silence(self, step: Step, at_ms: int) -> None:
        """Silence is when nobody has a voice: the caller does not speak and nothing of ours is played.

        A wait is silence while something is owed to the caller: the state is not one of rest, or the spec counts it.
        """
        snapshot = step.snapshot
        silent = snapshot.state not in self._caller_speaks and not self._was_audible and not snapshot.is_final
        owed = snapshot.state not in self._idle or _COUNTED_WAIT in snapshot.armed
        reassured = any(effect.name == "reassure" for effect in step.effects)
        self._silence.take(at_ms, holds=silent, anew=reassured)
        self._wait.take(at_ms, holds=silent and owed, anew=reassured)

    @property
    def longest_silence_ms(self) -> int:
        """Nobody was heard for so long."""
        return self._silence.longest_ms

    @property
    def longest_wait_ms(self) -> int:
        """The same, while something was owed to the caller."""
        return self._wait.longest_ms

    def as_json(self) -> dict[str, object]:
        """Flat, with a number for each headline and the details beside it."""
        minutes = max(self.duration_ms / 60_000, 1)  # of a call of seconds a rate says nothing
        creates = sum(self.creates.values())
        played = self.played
        return {
            "agent": self.agent,
            "caller_id": self.data.caller_id,
            "dialled": self.data.dialled,
            "turns": self.turns,
            "answers": sum(self.answers[how] for how in ("completed", "cancelled", "unended")),
            "creates": creates,
            "rejections": sum(self.rejections.values()),
            "barge_ins": self.barge_ins,
            "underruns": played.underruns if played else 0,
            "answers_by_outcome": dict(self.answers),
            "creates_by_cause": dict(self.creates),
            "creates_per_minute": round(creates / minutes, 1),
            "rejections_by_cause": dict(self.rejections),
            "tools": self.tools,
            "agent_audio_generated_s": round(played.generated_ms / 1000, 1) if played else 0.0,
            "agent_audio_played_s": round(played.played_ms / 1000, 1) if played else 0.0,
            "agent_audio_dropped_s": round(played.overflow_dropped_ms / 1000, 1) if played else 0.0,
            "longest_silence_ms": self.longest_silence_ms,
            "longest_wait_ms": self.longest_wait_ms,
            "reconnects": max(self.connects - 1, 0),
            "violations": self.violations,
            "duration_s": round(self.duration_ms / 1000, 1),
            "frames_unsent": self.frames_unsent,
            "mailbox_dropped": self.mailbox_dropped,
            "journal_dropped": self.journal_dropped,
            "usage": self.usage.as_json(),
            "end_reason": self.end_reason,
        }


def _reason(step: Step, envelope: Envelope) -> str:
    reason = envelope.event.data.get("reason")
    return f"{step.variant}: {reason}" if isinstance(reason, str) and reason else step.variant
