"""Whether a spec, sound in itself, can run calls here: its effects can be executed, and a call can begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.call.executor import Executor
from adapters.settings.protocols import ENCODED
from fsm.language.problem import Place, Problem, suggestion
from fsm.language.spec import Spec
from fsm.language.vocabulary import APPLICATION

ENDINGS: Final = ("caller.hung_up", "operator.hang_up_requested")
"""Without these a call would never be over."""

_TAGS: Final = {
    "quiet": "so a drain would never end a call of it",
    "floor_caller": "so barge-ins and silences of its calls could not be counted",
}
_WHERE: Final = {"quiet": "nobody has the floor", "floor_caller": "the caller speaks"}


def incompatibilities(spec: Spec, has_greeting: bool, place: Place) -> Iterator[Problem]:
    """Why calls of this spec could not be served: an effect at its definition, the rest at `place`."""
    yield from unexecutable(spec)
    for complaint in _shortcomings(spec, has_greeting):
        yield Problem(place, "spec-fit", f"spec {spec.name}: {complaint}")


def unexecutable(spec: Spec) -> Iterator[Problem]:
    """The effects of its vocabulary that nothing here can execute: no encoder of the provider, no local action."""
    protocol = spec.vocabulary.ledger.name
    known = (*ENCODED.get(protocol, ()), *Executor.LOCAL)
    for word in spec.vocabulary.effects.values():
        name = word.sends or word.name
        if word.recipe != "plain" and word.to == "local" and not word.args:
            continue  # what changes the ledger alone is made and never executed
        if word.to == APPLICATION:
            if name in known:
                message = f"the effect '{name}' is one of ours: it cannot be for the application"
                yield Problem(word.place, "spec-fit", message, "choose another name")
            continue
        if name in known:
            continue
        who = "the provider's protocol has no encoder for it" if word.to == "provider" else "no local action does it"
        cure = f"{hint}; or " if (hint := suggestion(name, known)) else ""
        yield Problem(
            word.place,
            "spec-fit",
            f"its effect '{name}' cannot be executed here: {who}",
            f"{cure}add it to ENCODERS (adapters/providers/{protocol}/protocol.py) or Executor.LOCAL"
            " (adapters/call/executor.py)",
        )


def _shortcomings(spec: Spec, has_greeting: bool) -> Iterator[str]:
    for name in ENDINGS:
        if name not in spec.vocabulary.events:
            yield f"its vocabulary has no event '{name}', so no call of it would ever end"
    if not has_greeting and not spec.without_greeting:
        yield (
            "it does not say how a call without a greeting begins: set 'greeting:', or give a context variable"
            " 'without_greeting: VALUE'"
        )
    for tag, use in _TAGS.items():
        if not spec.tagged(tag):
            yield f"none of its states has the tag '{tag}', {use}: add 'tags: [{tag}]' to the state where {_WHERE[tag]}"
