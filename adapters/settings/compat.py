"""Whether a spec, sound in itself, can run calls here: its effects can be executed, and a call can begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.call.executor import LOCAL_EFFECTS
from adapters.providers.realtime.protocol import ENCODERS
from fsm.language.spec import Spec

ENDINGS: Final = ("caller.hung_up", "operator.hang_up_requested")
"""Without these a call would never be over."""

_TAGS: Final = {
    "quiet": "so a drain would never end a call of it",
    "floor_caller": "so barge-ins and silences of its calls could not be counted",
}
_WHERE: Final = {"quiet": "nobody has the floor", "floor_caller": "the caller speaks"}


def incompatibilities(spec: Spec, has_greeting: bool) -> Iterator[str]:
    """Why calls of this spec could not be served."""
    for name in ENDINGS:
        if name not in spec.vocabulary.events:
            yield f"its vocabulary has no event '{name}', so no call of it would ever end"
    for word in spec.vocabulary.effects.values():
        name = word.sends or word.name
        is_sent = word.recipe == "plain" or word.to == "provider"  # the other recipes may change the ledger alone
        if is_sent and name not in LOCAL_EFFECTS | ENCODERS.keys():
            yield f"its effect '{name}' cannot be executed here"
    if not has_greeting and not spec.without_greeting:
        yield (
            "it does not say how a call without a greeting begins: set 'greeting:', or give a context variable"
            " 'without_greeting: VALUE'"
        )
    for tag, use in _TAGS.items():
        if not spec.tagged(tag):
            yield f"none of its states has the tag '{tag}', {use}: add 'tags: [{tag}]' to the state where {_WHERE[tag]}"
