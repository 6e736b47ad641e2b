"""What the simulated model answers: the first rule of its script that applies and is not used up, else a default."""

from __future__ import annotations

import attrs

from adapters.simulator.providers.realtime.provider_scenario import (
    AnswerRule,
    AnswersWhen,
    ProviderScenario,
    SpokenMessage,
)
from adapters.simulator.speech import line_for_text, wav_path


@attrs.frozen(kw_only=True)
class Question:
    """What a response answers to. `tools`: names of the calls whose outputs are new. `nth`: of the default
    conversation's responses, from 1. `user_turn`: how many spoken turns there were."""

    nth: int = 1
    automatic: bool = False
    out_of_band: bool = False
    idle: bool = False
    new_user: bool = False
    heard: str = ""
    user_turn: int = 0
    tools: tuple[str, ...] = ()
    instructions: str = ""


_GREETING = "Hello, thank you for calling. How can I help you today?"
_AFTER_TOOLS = "Here is what I found for you."
_IDLE = "Are you still there?"
_ROTATION = (
    "I understand. Let me help you with that.",
    "We are open from nine in the morning until six in the evening, Monday to Friday.",
    "Is there anything else I can do for you?",
)


def applies(when: AnswersWhen, question: Question) -> bool:
    """Whether all that a rule asks for holds."""
    after = {
        None: True,
        "user": question.new_user,
        "tools": bool(question.tools),
        "idle": question.idle,
        "nothing": not (question.new_user or question.tools or question.idle),
    }[when.after]
    return (
        after
        and when.out_of_band == question.out_of_band
        and when.nth in (None, question.nth)
        and when.automatic in (None, question.automatic)
        and (when.user_turn is None or (question.new_user and when.user_turn == question.user_turn))
        and (when.tool is None or when.tool in question.tools)
        and (when.heard is None or (question.new_user and when.heard.lower() in question.heard.lower()))
        and (when.instructions is None or when.instructions.lower() in question.instructions.lower())
    )


def _spoken(text: str) -> AnswerRule:
    line = line_for_text(text)
    return AnswerRule(output=(SpokenMessage(say=text, speech=wav_path(line.name) if line else None),))


class ScriptedModel:
    """One conversation's answers in the order in which they are asked for."""

    def __init__(self, scenario: ProviderScenario) -> None:
        self._rules = scenario.responses
        self._used = [0] * len(self._rules)
        self._turned = 0
        self._greeted = False

    def answer(self, question: Question) -> AnswerRule:
        """The rule for this response; never none."""
        for index, rule in enumerate(self._rules):
            if rule.times and self._used[index] >= rule.times:
                continue
            if applies(rule.when, question):
                self._used[index] += 1
                return rule
        return self._default(question)

    def _default(self, question: Question) -> AnswerRule:
        if question.idle:
            return _spoken(_IDLE)
        if question.tools:
            return _spoken(_AFTER_TOOLS)
        if not question.user_turn and not self._greeted and not question.out_of_band:
            self._greeted = True
            return _spoken(_GREETING)
        return self.small_talk()

    def small_talk(self) -> AnswerRule:
        """Words for any turn."""
        self._turned += 1
        return _spoken(_ROTATION[(self._turned - 1) % len(_ROTATION)])
