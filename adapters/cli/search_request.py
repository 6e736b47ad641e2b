"""What the commands of `verify` share: which specs to search, in what, how far. Never what is asked of a search."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import click

from adapters.specs import BUNDLED, load_spec
from adapters.verify.run import (
    SearchProgress,
    VerifyOptions,
    load_environment,
    settled,
    without_collector,
)
from fsm.language.problem import SpecError, suggestion
from fsm.language.spec import Spec
from fsm.verify.environment import Environment
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits
from fsm.world.world import World

PATIENCE_S = 5.0
"""A process begins in one or two seconds, and then has loaded a spec."""


@attrs.frozen
class SearchRequest:
    """Which specs are to be searched, as they were named and as they were loaded, in what, and how far."""

    names: Sequence[str]
    specs: Sequence[Spec]
    environments: Mapping[str, Environment]
    """What each spec is searched in, by its name."""
    options: VerifyOptions
    progress: SearchProgress
    typestate: bool

    def searched(self) -> dict[str, tuple[SceneVerdict, ...]]:
        """Full bounds are searched by several processes. Most quick ones are done before those have begun: what is left
        after PATIENCE_S is theirs, too.
        """
        named = dict(zip(self.names, self.specs, strict=True))
        order = [(name, limits) for name, spec in named.items() for limits in self.limits(spec)]
        found: dict[tuple[str, str], SceneVerdict] = {}
        left = list(order)
        until = time.perf_counter() + (PATIENCE_S if self.options.size == "quick" else 0)
        bench = functools.cache(lambda name: self.around(named[name]).workbench(named[name]))
        while left and not self.progress.stopped and (len(left) == 1 or time.perf_counter() < until):
            name, limits = left.pop(0)
            found[name, limits.scene] = settled(bench(name), limits, self.progress)
        if left and not self.progress.stopped:
            from adapters.verify.parallel import spread  # processes: only where somebody asks for them

            found |= spread([(name, each.scene) for name, each in left], self.options, self.progress, self.typestate)
        seen = [(name, found[name, each.scene]) for name, each in order if (name, each.scene) in found]
        return {spec.name: tuple(verdict for of, verdict in seen if of == name) for name, spec in named.items()}

    def around(self, spec: Spec) -> Environment:
        return self.environments[spec.name]

    def limits(self, spec: Spec) -> Sequence[SearchLimits]:
        """One for each scene that is to be searched."""
        return self.options.limits(spec, self.around(spec).world)


def search_options(function: Callable[..., int]) -> Callable[..., None]:
    """Gives a command SPECs and what narrows a search: `function(request, ...)` returns the exit code.

    Ends the program with 2 for a spec that has problems.
    """

    @click.argument("specs", nargs=-1, metavar="[SPEC]...")
    @click.option(
        "--full", is_flag=True, help="Full bounds (all bundled specs in about seven minutes), not quick ones."
    )
    @click.option(
        "--scene", "scenes", multiple=True, metavar="NAME", help="Only this scene; may be given several times."
    )
    @click.option(
        "--assume",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="Switch an assumption in every scene (=yes if no value is given).",
    )
    @click.option(
        "--bound", multiple=True, metavar="NAME=N", help="How often something may happen: turns, calls, losses ..."
    )
    @click.option("--allow-broken", is_flag=True, help="Run also what the type check refuses.")
    @functools.wraps(function)
    def command(
        specs: tuple[str, ...],
        full: bool,
        scenes: tuple[str, ...],
        assume: tuple[str, ...],
        bound: tuple[str, ...],
        allow_broken: bool,
        **more: Any,
    ) -> None:
        names, progress = specs or BUNDLED, SearchProgress(quiet=more.get("as_json", False))
        try:
            with without_collector():
                loaded = list(_loaded(names, not allow_broken, more.get("stays", False)))
                environments = {spec.name: load_environment(spec) for spec in loaded}
                options = _options(list(environments.values()) or [load_environment()], full, scenes, assume, bound)
            status = function(SearchRequest(names, loaded, environments, options, progress, not allow_broken), **more)
        except SpecError as error:
            click.echo(str(error), err=True)
            sys.exit(2)
        sys.exit(status)

    return command


def _loaded(names: Iterable[str], typestate: bool, leniently: bool) -> Iterator[Spec]:
    """`leniently`: not those that cannot be loaded; a watch waits until they can be. Else SpecError."""
    for name in names:
        try:
            yield load_spec(name, typestate=typestate).spec
        except SpecError:
            if not leniently:
                raise


def _options(
    environments: Sequence[Environment], full: bool, scenes: Sequence[str], assume: Sequence[str], bound: Sequence[str]
) -> VerifyOptions:
    """The options, checked against each world; UsageError with the nearest name."""
    for each in environments:
        found = _checked(each.world, full, scenes, assume, bound)
    return found


def _checked(
    world: World, full: bool, scenes: Sequence[str], assume: Sequence[str], bound: Sequence[str]
) -> VerifyOptions:
    for name in scenes:
        known("scene", name, world.scenes)
    assumed = {}
    for text in assume:
        name, _, value = text.partition("=")
        known("assumption", name, world.assumptions)
        values = world.assumptions[name].values
        known(f"value of {name}", value or "yes", values)
        assumed[name] = value or "yes"
    bounds = {}
    for text in bound:
        name, _, value = text.partition("=")
        known("bound", name, world.bounds)
        if not value.isdigit() or int(value) > 9:
            raise click.UsageError(f"--bound {text}: a number from 0 to 9 is wanted, e.g. --bound {name}=2")
        bounds[name] = int(value)
    return VerifyOptions("full" if full else "quick", scenes, assumed, bounds)


def known(what: str, name: str, names: Iterable[str]) -> None:
    """UsageError, with the nearest name, for a name that is not there."""
    found = list(names)
    if name not in found:
        raise click.UsageError(f"there is no {what} '{name}'; {suggestion(name, found)}")
