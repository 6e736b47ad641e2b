"""Effects for the application: Python functions that a configuration binds, run beside the call; what comes of them is
a fact. Never whether one is due.

A function gets what the vocabulary says: the effect's `argument`, fields of the event, the call itself for a parameter
that is annotated with ActiveCall. It has a deadline and may raise anything; where the vocabulary has the events
`application.NAME.done` and `.failed`, the spec hears of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from adapters.active_call import ActiveCall
from adapters.tools import Outcome, Tool, ToolRunner
from fsm.errors import RemoteError
from fsm.journal.scrub import HIDDEN
from fsm.language.request_data import complaint
from fsm.language.vocabulary import APPLICATION, EffectWord, Vocabulary, result_of

SECRET: Final = "secure_digits"
"""An argument that is what the caller has pressed secretly."""
MOST_RUNNING: Final = 16
"""Of one call; what comes beyond it has failed."""
_TEXT_CHARS: Final = 300
OnFact = Callable[[str, Mapping[str, object]], None]

log = structlog.get_logger(__name__)


def effects_for_application(vocabulary: Vocabulary) -> Mapping[str, EffectWord]:
    """Those that a configuration binds."""
    return {name: word for name, word in vocabulary.effects.items() if word.to == APPLICATION}


def mismatch(function: Callable[..., object], word: EffectWord, call_parameter: str) -> str:
    """Why a function cannot be given what the vocabulary says; "" if it can, or if nobody can say."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return ""
    given = dict.fromkeys([*(["argument"] if word.choices else []), *word.args, *filter(None, [call_parameter])])
    try:
        signature.bind(**given)
    except TypeError as error:
        return (
            f"the function does not take what the effect '{word.name}' gives ({', '.join(given) or 'nothing'}): {error}"
        )
    return ""


class SecretError(RemoteError):
    """A function has failed that knew a secret: what it raised may quote it."""


class ApplicationEffects:
    """Of one call. `report` is told what came of an effect, on the loop, once for each that was not cancelled."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        bound: Mapping[str, Tool],
        report: OnFact,
        threads: ThreadPoolExecutor,
        active: ActiveCall,
    ) -> None:
        self.follow(vocabulary, bound)
        self._report = report
        self._runner = ToolRunner({}, lambda _call_id, _output: None, threads, active)
        self._running = 0

    def follow(self, vocabulary: Vocabulary, bound: Mapping[str, Tool]) -> None:
        """From here on the call is under a spec with these words."""
        self._words, self._vocabulary, self._bound = effects_for_application(vocabulary), vocabulary, bound

    def takes(self, effect: str) -> bool:
        """Is it one of the application's?"""
        return effect in self._words

    async def run(self, effect: str, args: Mapping[str, object]) -> None:
        """Returns when it is reported how it went."""
        if self._running >= MOST_RUNNING:
            self._failed(effect, "too_many", f"{MOST_RUNNING} effects of this call run already")
            return
        tool = self._bound.get(effect)
        if tool is None:
            self._failed(effect, "unbound", "no function is bound to it")
            return
        self._running += 1
        try:
            outcome = await self._runner.outcome(tool, args)
        finally:
            self._running -= 1
        if secret := str(args.get(SECRET) or ""):
            outcome = _without(secret, outcome)
        if outcome is None:
            self._failed(effect, "overdue", f"it did not return within {tool.deadline_s:g} s")
        elif outcome.error is not None:
            kind = type(outcome.error).__name__
            self._failed(effect, "raised", f"{kind}: {_words_of(outcome.error)}".rstrip(": "), outcome.error)
        else:
            self._done(effect, outcome.result)

    async def close(self) -> None:
        """Returns when every task is gone, but for a function that does not let itself be cancelled."""
        await self._runner.close()

    def _done(self, effect: str, result: object) -> None:
        name = result_of(effect, "done")
        if name in self._vocabulary.said:
            data = result if isinstance(result, Mapping) else {} if result is None else {"result": result}
            if wrong := complaint(self._vocabulary.data_of(name), data):
                self._failed(effect, "result", f"what it returned is not what '{name}' carries: {wrong}")
                return
            self._report(name, dict(data))
        log.debug("effect_done", effect=effect)

    def _failed(self, effect: str, reason: str, text: str, error: BaseException | None = None) -> None:
        log.warning("application_effect_failed", effect=effect, reason=reason, text=text, exc_info=error)
        name = result_of(effect, "failed")
        if name in self._vocabulary.said:
            self._report(name, {"reason": reason, "text": text[:_TEXT_CHARS]})


def _without(secret: str, outcome: Outcome | None) -> Outcome | None:
    """What a function returns or raises is written down: never what it was given in secret."""
    if outcome is None:
        return None
    if outcome.error is not None:
        name = type(outcome.error).__name__
        return Outcome(None, SecretError(f"what the caller has keyed in could not be taken: {name}"))
    if isinstance(outcome.result, Mapping):
        return Outcome({key: _hidden(value, secret) for key, value in outcome.result.items()})
    return Outcome(_hidden(outcome.result, secret))


def _hidden(value: object, secret: str) -> object:
    return str(value).replace(secret, HIDDEN) if secret in str(value) else value


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
