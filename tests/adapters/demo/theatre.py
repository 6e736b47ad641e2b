"""Demo calls in virtual time, half a minute in a second: what was told, what was left, and the summary."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from adapters.demo.moments import Moment
from adapters.demo.plan import Options, Plan, make_plan, read_spec
from adapters.demo.run import Outcome, run_demo
from adapters.specs import BUNDLED
from adapters.virtual_time import VirtualTimeLoop

_read_once = functools.cache(read_spec)


@attrs.frozen
class Evening:
    """A demo that was played."""

    outcome: Outcome
    moments: list[Moment]
    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        return self.outcome.summary

    def said(self, kind: str) -> list[str]:
        return [moment.text for moment in self.moments if moment.kind == kind]


def planned(environment: Mapping[str, str] | None = None, **options: Any) -> Plan:
    chosen = Options(**options)
    is_bundled = chosen.spec in BUNDLED
    return make_plan(chosen, environment or {}, read=_read_once if is_bundled else None)


def play(folder: Path, naive: bool = False, **options: Any) -> Evening:
    """One demo call; `options` are those of adapters.demo.plan.Options."""
    moments: list[Moment] = []
    plan = planned(**options)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        outcome = runner.run(run_demo(plan, folder, moments.append, naive=naive))
    return Evening(outcome, moments, folder)
