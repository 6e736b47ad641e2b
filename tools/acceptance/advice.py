"""Which option would have a refused log accepted: another dialect, an event that was lost, an assumption let go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from tools.acceptance.acceptance import Acceptance, AcceptOptions, accept
from tools.acceptance.projection import Projection
from tools.acceptance.projector import Observation

_LOST: Final = 2  # events; with more of them anything is a call
_NAMED: Final = 2  # options are enough
_STATES: Final = 20_000  # held at once while options are tried: a guess is not worth more


def advised(
    found: Acceptance,
    log: Sequence[Observation],
    projection: Projection,
    options: AcceptOptions,
    dialect: str | None,
) -> tuple[str, ...]:
    """The options, as they are written on the command line; none for a log that was not refused."""
    if found.outcome != "refused":
        return ()
    named: list[str] = []
    for option, changed, as_dialect in _options(found, projection, options, dialect):
        if accept(found.file, log, projection, changed, as_dialect).outcome == "accepted":
            named.append(option)
            if len(named) == _NAMED or "--lose" in option:
                break
    return tuple(named)


def _options(
    found: Acceptance, projection: Projection, options: AcceptOptions, dialect: str | None
) -> Iterator[tuple[str, AcceptOptions, str | None]]:
    """The most likely first: what the log was kept from, then what was asked for, then what may have been lost."""
    few = attrs.evolve(options, most_states=min(options.most_states, _STATES))
    if not options.relax:
        yield "no --strict", attrs.evolve(few, relax=True), dialect
    for name in options.assume:
        rest = {key: value for key, value in options.assume.items() if key != name}
        yield f"no --assume {name}", attrs.evolve(few, assume=rest), dialect
    for name in projection.dialects:
        if name != found.dialect:
            yield f"--dialect {name}", few, name
    for losses in range(options.losses + 1, _LOST + 1):
        yield f"--lose {losses}", attrs.evolve(few, losses=losses), dialect
