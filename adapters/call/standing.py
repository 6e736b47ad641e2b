"""Where a call stands, for whoever looks at it from outside: names and values of its spec. Never a decision."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from fsm.language.spec import Spec
from fsm.machine.machine import Snapshot


@attrs.frozen
class Standing:
    """A moment of a call."""

    state: str
    since_s: float
    """The loop's time at which this state was entered."""
    is_ending: bool
    slots: Mapping[str, str]
    context: Mapping[str, str]
    deadlines: tuple[str, ...]
    """Those that run."""


@attrs.define
class StandingWatch:
    """`take` each snapshot of a call; `look` makes the values only when somebody looks."""

    spec: Spec
    snapshot: Snapshot | None = None
    since_s: float = 0.0

    def take(self, snapshot: Snapshot, now_s: float) -> None:
        if self.snapshot is None or self.snapshot.state != snapshot.state:
            self.since_s = now_s
        self.snapshot = snapshot

    def look(self) -> Standing:
        spec, snapshot = self.spec, self.snapshot
        if snapshot is None:
            return Standing(spec.initial, self.since_s, False, {}, {}, ())
        values = snapshot.control.values
        slots, context = (
            {each.name: each.domain[values[each.index]] for each in part} for part in (spec.slots, spec.context)
        )
        ending = snapshot.state in spec.tagged("ending")
        return Standing(snapshot.state, self.since_s, ending, slots, context, tuple(sorted(snapshot.armed)))
