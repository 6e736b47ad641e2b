"""Verification with a screen and a keyboard: the bundled world's files, progress, Ctrl-C. Never what is judged."""

from __future__ import annotations

import functools
import gc
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import attrs

from adapters.specs import display_path, fetcher, specs_folder
from fsm.language.spec import Spec
from fsm.language.yaml_nodes import Node, read
from fsm.verify.environment import Bundled, Environment, FetchFrom, environment_of
from fsm.verify.explore import MAX_STATES, Tick
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification, Workbench, scenes, verify_stable
from fsm.world.world import World

if TYPE_CHECKING:
    from rich.progress import Progress

WORLD: Final = "worlds/realtime.yaml"
FEW, MANY = 30_000, 1_000_000
QUICK = 2_000_000
"""States of a quick scene, many times those of a sound spec: what is more is left out, and said so."""
ROOMY, MOST = 16, 32
"""Room in each queue that a verdict begins with, and what it is raised to while a full queue still cuts a move."""
PROPERTIES: Final = ("worlds/properties.yaml", "worlds/conduct.yaml", "worlds/bookkeeping.yaml")


def beside(reference: str, file: str) -> tuple[str, str]:
    """What a text names is looked for in its own folder, then among what is bundled."""
    return fetcher(Path(file).parent)(reference)


def load_environment(spec: Spec | None = None, fetch: FetchFrom = beside) -> Environment:
    """The bundled world and properties, with what a spec says of its own. Raises SpecError."""
    return environment_of(_bundled(), spec, fetch) if spec is not None else _bundled().environment


@functools.cache
def _bundled() -> Bundled:
    world, *properties = (_read(specs_folder() / name) for name in (WORLD, *PROPERTIES))
    return Bundled(world, properties)


def _read(path: Path) -> Node:
    return read(path.read_text(encoding="utf-8"), display_path(path))


@attrs.frozen
class VerifyOptions:
    """What the user asked for: quick or full, only some scenes, assumptions and bounds switched."""

    size: str = "quick"
    scenes: Sequence[str] = ()
    assume: Mapping[str, str] = attrs.field(factory=dict)
    bounds: Mapping[str, int] = attrs.field(factory=dict)

    def limits(self, spec: Spec, world: World) -> tuple[SearchLimits, ...]:
        """One for each scene that says something about the spec."""
        names = self.scenes or scenes(spec, world, self.size)
        most = QUICK if self.size == "quick" else MAX_STATES
        return tuple(SearchLimits(n, self.size, self.assume, self._bounds(n, world), max_states=most) for n in names)

    @staticmethod
    def roomy(limits: SearchLimits, world: World) -> SearchLimits:
        """The same with queues so long that hardly one is ever full."""
        return attrs.evolve(limits, capacities={c.name: ROOMY for c in world.channels} | dict(limits.capacities))

    def _bounds(self, scene: str, world: World) -> dict[str, int]:
        """An assumption that lets something happen is empty where its budget is 0: then it may happen once."""
        found = dict(SearchLimits(scene, self.size).settings(world).bounds)
        budgets = {world.variable(name).index: bound for name, bound in world.budgets.items()}
        once = {world.budgets[world.loss[0]]} if world.loss is not None and world.loss[1] in self.assume else set()
        for move in world.moves:
            if any(n.name in self.assume and not n.negated for n in move.needs):
                once |= {budgets[i] for i in move.when.reads if i in budgets}
        raised = {name: 1 for name in once if found[name] == 0}
        return raised | dict(self.bounds)


class SearchProgress:
    """Reports long searches on stderr, and turns the first Ctrl-C into an end with a partial result.

    Where nobody watches (no terminal, or `quiet`) only Ctrl-C is left, and what draws a bar is not even imported.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet or not sys.stderr.isatty()
        self.stopped = False

    @contextmanager
    def searching(self, what: str) -> Iterator[Tick]:
        """For one search: asked now and then, it says no after Ctrl-C. A second Ctrl-C ends the program at once."""
        with self._interruptible():
            if self.quiet:
                yield lambda _expanded, _found: not self.stopped
                return
            with self._bar() as bar:
                task = bar.add_task(what, total=None)

                def tick(expanded: int, found: int) -> bool:
                    share = f"{100 * expanded // found} % of what is known" if found else ""
                    bar.update(task, description=f"{what}: {found:,} states, {share} expanded")
                    return not self.stopped

                yield tick

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int, str], bool]]:
        """A bar for many searches: say how many are done and what else there is to say; False after Ctrl-C."""
        with self._interruptible():
            if self.quiet:
                yield lambda _done, _more: not self.stopped
                return
            with self._bar(counts=True) as bar:
                task = bar.add_task("", total=total)

                def done(count: int, more: str) -> bool:
                    bar.update(task, completed=count, description=f"{count:,} of {total:,} {what}{more}")
                    return not self.stopped

                yield done

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            if self.stopped:
                raise KeyboardInterrupt
            self.stopped = True

        try:
            before = signal.signal(signal.SIGINT, stop)
        except ValueError:  # not in the main thread
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @staticmethod
    def _bar(counts: bool = False) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        text, elapsed = TextColumn("{task.description}"), TimeElapsedColumn()
        columns = (text, BarColumn(), elapsed) if counts else (SpinnerColumn(), text, elapsed)
        return Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5)


def searched(
    spec: Spec, environment: Environment, limits: SearchLimits, progress: SearchProgress
) -> tuple[Verification, SceneVerdict]:
    """One scene, with progress."""
    verification = Verification(spec, environment.world, environment.properties, limits)
    with progress.searching(f"{spec.name} / {limits.scene}") as tick, without_collector():
        return verification, verification.run(time.perf_counter, tick)


def settled(bench: Workbench, limits: SearchLimits, progress: SearchProgress) -> SceneVerdict:
    """The verdict of a scene with queues so long that they cut nothing, or that more room changes nothing any more."""
    roomy = VerifyOptions.roomy(limits, bench.world)
    with progress.searching(f"{bench.spec.name} / {limits.scene}") as tick, without_collector():
        return verify_stable(bench, roomy, time.perf_counter, tick, MOST)[-1]


@contextmanager
def without_collector() -> Iterator[None]:
    """Loading and searching make millions of objects and no cycles: looking for cycles costs a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def all_searched(
    spec: Spec, environment: Environment, options: VerifyOptions, progress: SearchProgress
) -> tuple[SceneVerdict, ...]:
    """Every scene that was wished for, until Ctrl-C."""
    verdicts: list[SceneVerdict] = []
    bench = environment.workbench(spec)
    with without_collector():
        for limits in options.limits(spec, environment.world):
            if progress.stopped:
                break
            verdicts.append(settled(bench, limits, progress))
    return tuple(verdicts)


def switched(
    spec: Spec, environment: Environment, options: VerifyOptions, scene: str, progress: SearchProgress
) -> dict[str, SceneVerdict]:
    """The verdict of a scene with each assumption switched, one at a time: `name = value` to verdict.

    Without some of them there is no end of states: a search is cut at FEW (quick) or MANY (full) and says so.
    """
    found = {"": _capped(spec, environment, attrs.evolve(options, scenes=(scene,)), progress)}
    for each in environment.world.assumptions.values():
        for value in each.values:
            if value == found[""].assumed[each.name] or progress.stopped:
                continue
            other = attrs.evolve(options, scenes=(scene,), assume={**options.assume, each.name: value})
            found[f"{each.name} = {value}"] = _capped(spec, environment, other, progress)
    return found


def _capped(spec: Spec, environment: Environment, options: VerifyOptions, progress: SearchProgress) -> SceneVerdict:
    limits = attrs.evolve(
        options.limits(spec, environment.world)[0], max_states=MANY if options.size == "full" else FEW
    )
    return searched(spec, environment, limits, progress)[1]
