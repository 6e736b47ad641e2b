"""Whether a spec, sound in itself, can run calls here: its effects can be executed, and a call can begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.call.executor import LOCAL_EFFECTS
from adapters.providers.realtime.protocol import ENCODERS
from fsm.language.spec import Spec

ENDINGS: Final = ("caller.hung_up", "operator.hang_up_requested")
"""Without these a call would never be over."""


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
    owed = next((variable for variable in spec.variables if variable.name == "owed"), None)
    if not has_greeting and (owed is None or "none" not in owed.domain):
        yield "a call without a greeting begins with owed = none, which it does not know: set 'greeting:'"
