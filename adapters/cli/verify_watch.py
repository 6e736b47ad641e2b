"""`turnspec verify --watch`: searches again after each save, in one warm process; the first violation is shown at once.

The scenes that failed last are searched first, and a save ends the search that is under way. Never the search itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import click

from adapters.cli.search_request import SearchRequest
from adapters.cli.watch import LOOKED_EVERY_S, Times, times, watch
from adapters.specs import load_spec, source_files
from adapters.verify.run import SearchProgress, load_environment, settled, without_collector
from fsm.language.problem import SpecError
from fsm.language.spec import Spec
from fsm.verify import verdict_text
from fsm.verify.environment import Environment
from fsm.verify.explore import Tick
from fsm.verify.verdict import SceneVerdict

INDENT: Final = "   "


class WatchedProgress(SearchProgress):
    """Ends a search when a file has changed, too."""

    def __init__(self, files: Times) -> None:
        super().__init__(quiet=True)
        self._files = files
        self._next_look = 0.0

    @property
    def is_stale(self) -> bool:
        return times(self._files) != self._files

    @contextmanager
    def searching(self, what: str) -> Iterator[Tick]:
        """Asked now and then, it says no where a file has changed; which is looked at a few times a second."""
        with super().searching(what) as tick:

            def asked(expanded: int, found: int) -> bool:
                now = time.perf_counter()
                if now >= self._next_look:
                    self._next_look = now + LOOKED_EVERY_S
                    self.stopped = self.stopped or self.is_stale
                return tick(expanded, found)

            yield asked


@attrs.define
class VerifyWatch:
    """One watch. `failed`: the scenes that failed last, by spec."""

    request: SearchRequest
    failed: dict[str, tuple[str, ...]] = attrs.field(factory=dict)

    def run(self) -> None:
        watch(self._files, self._again)

    def _files(self) -> Iterable[Path]:
        return [path for name in self.request.names for path in source_files(name)]

    def _again(self) -> None:
        progress = WatchedProgress(times(self._files()))
        for name in self.request.names:
            try:
                with without_collector():
                    spec = load_spec(name, typestate=self.request.typestate).spec
                    environment = load_environment(spec)
            except SpecError as error:
                click.echo(str(error))
                continue
            self._search(name, spec, environment, progress)
            if progress.is_stale:
                click.echo(f"{spec.name}: saved meanwhile; begun anew")
                return
            if progress.stopped:  # Ctrl-C
                raise KeyboardInterrupt

    def _search(self, name: str, spec: Spec, environment: Environment, progress: WatchedProgress) -> None:
        before, shown = self.failed.get(name, ()), set[str]()
        limits = sorted(self.request.options.limits(spec, environment.world), key=lambda each: each.scene not in before)
        bench, verdicts = environment.workbench(spec), list[SceneVerdict]()
        with without_collector():
            for each in limits:
                if progress.stopped:
                    return
                verdict = settled(bench, each, progress)
                verdicts.append(verdict)
                self._show(verdict, shown)
        self.failed[name] = tuple(v.scene for v in verdicts if not v.passed)
        seconds, states = sum(v.seconds for v in verdicts), sum(v.states for v in verdicts)
        outcome = verdict_text.outcome(verdicts, len(limits))
        click.echo(f"{spec.name}: {outcome}  ({states:,} states in {len(verdicts)} scenes, {seconds:.1f} s)")

    @staticmethod
    def _show(verdict: SceneVerdict, shown: set[str]) -> None:
        """What fails in a scene, each property once in a round."""
        new = [finding.name for finding in verdict.violated if finding.name not in shown]
        for head, run in verdict_text.failures([verdict]):
            if head.partition(" ")[0] in new:
                lines = "\n".join(INDENT + line for line in str(run).splitlines())
                click.echo(f"{head}\n\n{lines}\n")
        for key, text in verdict_text.impossible([verdict]).items():
            if key not in shown:
                click.echo(f"{text}\n")
        shown |= {*new, *verdict_text.impossible([verdict])}
