"""Demo calls in virtual time, half a minute in a second: what was shown, what was left, and the summary."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from adapters.demo.demo_call import DemoOutcome, run_demo
from adapters.demo.display_events import DisplayEvent
from adapters.demo.plan import DemoOptions, DemoPlan, make_plan, read_spec
from adapters.specs import BUNDLED
from adapters.virtual_time import VirtualTimeLoop

_read_once = functools.cache(read_spec)


@attrs.frozen
class PlayedDemo:
    """A demo that was played."""

    outcome: DemoOutcome
    events: list[DisplayEvent]
    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        return self.outcome.summary

    def said(self, kind: str) -> list[str]:
        return [event.text for event in self.events if event.kind == kind]


def planned(environment: Mapping[str, str] | None = None, **options: Any) -> DemoPlan:
    chosen = DemoOptions(**options)
    is_bundled = chosen.spec in BUNDLED
    return make_plan(chosen, environment or {}, read=_read_once if is_bundled else None)


def play(folder: Path, naive: bool = False, **options: Any) -> PlayedDemo:
    """One demo call; `options` are those of adapters.demo.plan.Options."""
    return play_plan(planned(**options), folder, naive)


def play_plan(plan: DemoPlan, folder: Path, naive: bool = False) -> PlayedDemo:
    """A demo as it was planned."""
    events: list[DisplayEvent] = []
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        outcome = runner.run(run_demo(plan, folder, events.append, naive=naive))
    return PlayedDemo(outcome, events, folder)
