"""Verification with a screen and a keyboard: the bundled world's files, progress, Ctrl-C. Never what is judged."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

import attrs
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from adapters.specs import shown, specs_folder
from fsm.language.spec import Spec
from fsm.verify.explore import MAX_STATES
from fsm.verify.property import Properties
from fsm.verify.property_reader import load_properties
from fsm.verify.verdict import Verdict
from fsm.verify.verify import SearchLimits, Verification, Workbench, scenes, verify_stable
from fsm.world.reader import load_world
from fsm.world.world import World

WORLD: Final = "worlds/realtime.yaml"
FEW, MANY = 30_000, 1_000_000
QUICK = 500_000
"""States of a quick scene, many times those of a sound spec: what is more is left out, and said so."""
ROOMY, MOST = 16, 32
"""Room in each queue that a verdict begins with, and what it is raised to while a full queue still cuts a move."""
PROPERTIES: Final = ("worlds/properties.yaml", "worlds/manners.yaml", "worlds/books.yaml")


@attrs.frozen
class Environment:
    """What every spec is verified in."""

    world: World
    properties: Properties

    def workbench(self, spec: Spec) -> Workbench:
        """For the searches of a spec."""
        return Workbench(spec, self.world, self.properties)


def load_environment() -> Environment:
    """The bundled world and properties. Raises SpecError."""
    path = specs_folder() / WORLD
    world = load_world(path.read_text(encoding="utf-8"), shown(path))
    properties: Properties | None = None
    for name in PROPERTIES:
        path = specs_folder() / name
        properties = _more(properties, path.read_text(encoding="utf-8"), shown(path), world)
    assert properties is not None
    return Environment(world, properties)


def _more(first: Properties | None, text: str, file: str, world: World) -> Properties:
    """The properties of a file beside those of another, whose ghosts it may read."""
    if first is None:
        return load_properties(text, file, world)
    more = load_properties(text, file, attrs.evolve(world, variables=(*world.variables, *first.ghosts)))
    hooks = {key: (*first.hooks.get(key, ()), *more.hooks.get(key, ())) for key in {**first.hooks, **more.hooks}}
    return Properties(first.file, (*first.ghosts, *more.ghosts), hooks, (*first.claims, *more.claims))


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
    """Tells of long searches on stderr, and turns the first Ctrl-C into an end with a partial result."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True)
        self.quiet = quiet or not self.console.is_terminal
        self.stopped = False

    @contextmanager
    def searching(self, what: str) -> Iterator[SearchTick]:
        """For one search; a second Ctrl-C ends the program at once."""
        with self._interruptible(), self._progress() as bar:
            yield SearchTick(self, bar, what)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[int, str], bool]]:
        """A bar for many searches: tell it how many are done and what else there is to say; False after Ctrl-C."""
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with (
            self._interruptible(),
            Progress(*columns, console=self.console, transient=True, disable=self.quiet, refresh_per_second=5) as bar,
        ):
            task = bar.add_task("", total=total)

            def told(done: int, more: str) -> bool:
                bar.update(task, completed=done, description=f"{done:,} of {total:,} {what}{more}")
                return not self.stopped

            yield told

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

    def _progress(self) -> Progress:
        return Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=self.console,
            transient=True, disable=self.quiet, refresh_per_second=5,
        )  # fmt: skip


class SearchTick:
    """`tick` for the explorer: goes on until Ctrl-C."""

    def __init__(self, progress: SearchProgress, bar: Progress, what: str) -> None:
        self.progress, self.bar, self.what = progress, bar, what
        self.task = bar.add_task(what, total=None)

    def __call__(self, expanded: int, found: int) -> bool:
        share = f"{100 * expanded // found} % of what is known" if found else ""
        self.bar.update(self.task, description=f"{self.what}: {found:,} states, {share} expanded")
        return not self.progress.stopped


def searched(
    spec: Spec, environment: Environment, limits: SearchLimits, progress: SearchProgress
) -> tuple[Verification, Verdict]:
    """One scene, with progress."""
    verification = Verification(spec, environment.world, environment.properties, limits)
    with progress.searching(f"{spec.name} / {limits.scene}") as tick, _without_collector():
        return verification, verification.run(time.perf_counter, tick)


def settled(bench: Workbench, limits: SearchLimits, progress: SearchProgress) -> Verdict:
    """The verdict of a scene with queues so long that they cut nothing, or that more room changes nothing any more."""
    roomy = VerifyOptions.roomy(limits, bench.world)
    with progress.searching(f"{bench.spec.name} / {limits.scene}") as tick, _without_collector():
        return verify_stable(bench, roomy, time.perf_counter, tick, MOST)[-1]


@contextmanager
def _without_collector() -> Iterator[None]:
    """A search makes millions of tuples and no circles: looking for circles costs a fifth of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def all_searched(
    spec: Spec, environment: Environment, options: VerifyOptions, progress: SearchProgress
) -> tuple[Verdict, ...]:
    """Every scene that was wished for, until Ctrl-C."""
    verdicts: list[Verdict] = []
    bench = environment.workbench(spec)
    with _without_collector():
        for limits in options.limits(spec, environment.world):
            if progress.stopped:
                break
            verdicts.append(settled(bench, limits, progress))
    return tuple(verdicts)


def switched(
    spec: Spec, environment: Environment, options: VerifyOptions, scene: str, progress: SearchProgress
) -> dict[str, Verdict]:
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


def _capped(spec: Spec, environment: Environment, options: VerifyOptions, progress: SearchProgress) -> Verdict:
    limits = attrs.evolve(
        options.limits(spec, environment.world)[0], max_states=MANY if options.size == "full" else FEW
    )
    return searched(spec, environment, limits, progress)[1]
