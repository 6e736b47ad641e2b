"""What is counted of one call: was it over, was it answered once, was nobody left in silence. An observer.

Second answers are counted here from the steps, by other means than the spec's own: what the caller was answered, and
what there was to answer. Never here: leaks and exceptions, which are of a process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.providers.provider import WireEvent
from fsm.machine.machine import Step

LONGEST_WAIT_MS: Final = 8_000
_OCCASIONS: Final = ("input_audio_buffer.committed.", "caller.pressed_key", "tool.returned", "application.")
"""Events that may be answered."""
_REJECTIONS: Final = ("create_rejected", "create_failed")
_ENDED: Final = "response.done."
_WHOLE: Final = "response.done.completed"
_UNDONE: Final = ("playout.silent", "playout.dropped", "caller.interrupted")


@attrs.define
class _Answer:
    """A response under way, and how many occasions it is for."""

    occasions: int
    is_ours: bool
    heard: bool = False
    whole: bool = False
    called_tools: bool = False
    counted: bool = False


@attrs.define
class CallWatch:
    """An observer of one call."""

    call_id: str
    summary: Summary | None = None
    impossible: Counter[str] = attrs.field(factory=Counter)
    second_answers: list[str] = attrs.field(factory=list)
    trail: list[str] = attrs.field(factory=list)
    """The steps, for whoever repeats the call; kept where `keeps_trail`."""
    keeps_trail: bool = False
    _open: int = 1  # the greeting
    _asked: list[int] = attrs.field(factory=list)
    _answer: _Answer | None = None
    _was_answered: bool = False

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del envelope
        if self.keeps_trail:
            effects = " ".join(each.name for each in step.effects)
            self.trail.append(
                f"{at_ms:>7} ms  {step.variant:<50} {step.outcome:<10} {step.snapshot.state:<26} {effects}"
            )
        if step.outcome == "impossible":
            self.impossible[f"{step.before} x {step.variant}"] += 1
        self._count_answers(step, at_ms)

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None:
        self.summary = summary

    def findings(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the call, by kind, in words."""
        if self.summary is None:
            yield "stuck", f"call {self.call_id} never ended"
            return
        if self.summary.longest_wait_ms > LONGEST_WAIT_MS:
            yield "silence", f"{self.summary.longest_wait_ms} ms of silence while something was owed"
        for each in self.second_answers:
            yield "second answer", each

    # --- answers ------------------------------------------------------------------------------------------------------

    def _count_answers(self, step: Step, at_ms: int) -> None:
        variant = step.variant
        if step.outcome != "ignored":
            self._take_event(variant, at_ms)
        for effect in step.effects:
            match effect.name:
                case "create_response":
                    self._asked.append(self._open)
                    self._open = 0
                case "send_digits":
                    self._open += 1
                case "connect_provider" | "resend_turn" | "flush_playout":
                    self._open += 1  # what was asked or said before may be again
                    self._asked.clear()
                case "run_tool" if self._answer is not None:
                    self._answer.called_tools = True

    def _take_event(self, variant: str, at_ms: int) -> None:
        answer = self._answer
        if variant.startswith(_OCCASIONS):
            self._open += 1
        elif variant.startswith("response.created."):
            self._begin(is_ours=variant.endswith(".ours"))
        elif variant.startswith(_REJECTIONS):
            self._open += max(self._asked.pop(0) if self._asked else 1, 1)
        elif answer is None:
            return
        elif variant == "playout.heard.current":
            answer.heard = True
        elif variant == _WHOLE:
            answer.whole = True
        elif variant.startswith((_ENDED, *_UNDONE)) and not answer.counted:
            self._open += max(answer.occasions, 1)
        if answer is not None and answer.heard and answer.whole and not answer.counted:
            self._count(answer, at_ms)

    def _begin(self, *, is_ours: bool) -> None:
        if is_ours:
            occasions = self._asked.pop(0) if self._asked else 1
        else:
            occasions = min(self._open, 1)
            self._open -= occasions
        if self._answer is not None and not self._answer.counted:
            occasions = max(occasions, 1)  # the end of that one was lost
        self._answer = _Answer(occasions, is_ours)

    def _count(self, answer: _Answer, at_ms: int) -> None:
        answer.counted = True
        if answer.called_tools:
            return
        if not answer.occasions and answer.is_ours and self._was_answered:
            self.second_answers.append(f"at {at_ms} ms an answer of ours was heard that nothing had asked for")
        self._was_answered = True
