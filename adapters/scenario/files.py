"""Scenario files on disk: finds them, reads them, runs them with the specs they name, keeps what they reach.

Never here: what a scenario means (fsm.scenario.scenario*), the wire (adapters.scenario.wire), the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from adapters.specs import BUNDLED, display_path, load_spec, specs_folder
from fsm.language.loader import Loaded
from fsm.language.problem import Place, Problem, Problems, SpecError
from fsm.machine.machine import Step, TurnSpecMachine
from fsm.scenario.coverage import Coverage, coverage
from fsm.scenario.names import check_names
from fsm.scenario.reader import read_scenarios
from fsm.scenario.runner import Result, run_scenario
from fsm.scenario.scenario import Scenario, ScenarioFile, Unreachable

CALLS_AT_ONCE = 8
Play = Callable[[TurnSpecMachine, Scenario, Path], Result]
"""Plays a scenario over the wire (.wire.play_scenario); given, so that only who needs it loads sockets."""


def bundled_scenarios() -> Path:
    """The folder of the bundled scenarios."""
    return specs_folder() / "scenarios"


def found_files(paths: Iterable[Path]) -> list[Path]:
    """The files, and the YAML files in the folders, each once. Raises SpecError for a path that is neither."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise SpecError([Problem(Place(str(path), 1, 1), "no-file", "there is no such file or folder")])
        found += sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return list({path.resolve(): path for path in found}.values())


def read_files(paths: Iterable[Path]) -> list[tuple[Path, ScenarioFile]]:
    """Every file, read. Raises SpecError with the problems of all of them."""
    problems, read = Problems(), []
    for path in paths:
        try:
            read.append((path, read_scenarios(path.read_text(encoding="utf-8"), display_path(path))))
        except SpecError as error:
            problems.adopt(error)
        except (OSError, UnicodeDecodeError) as error:
            problems.add(Place(display_path(path), 1, 1), "no-file", f"this cannot be read: {error}")
    problems.raise_if_any()
    return read


@attrs.frozen
class ScenarioCase:
    """A scenario, the file it is in and the spec it is run with."""

    path: Path
    scenario: Scenario
    spec: str


@attrs.define
class Suite:
    """Scenarios with their specs, loaded once. `only` is a spec (a name or path) that stands in for what files name."""

    files: Sequence[tuple[Path, ScenarioFile]]
    only: str | None = None
    specs: dict[str, Loaded] = attrs.field(factory=dict)
    typestate: bool = True
    machines: dict[str, TurnSpecMachine] = attrs.field(factory=dict)

    def cases(self, name_part: str = "") -> list[ScenarioCase]:
        """What is to be run. Raises SpecError: a spec that does not load, a name that its spec does not have."""
        problems = Problems()
        found = [case for path, file in self.files for case in self._of_file(path, file)]
        found = [case for case in found if name_part in case.scenario.name]
        for case in found:
            try:
                check_names(case.scenario, self.loaded(case.spec).spec, problems)
            except SpecError as error:
                problems.adopt(error)
        problems.raise_if_any()
        return found

    def _of_file(self, path: Path, file: ScenarioFile) -> Iterator[ScenarioCase]:
        for scenario in file.scenarios:
            if self.only is None:
                yield from (ScenarioCase(path, scenario, self._resolved(path, name)) for name in scenario.specs)
            elif self._is_for_only(scenario.specs):
                yield ScenarioCase(path, scenario, self.only)

    def _is_for_only(self, names: Sequence[str]) -> bool:
        """A spec by another file keeps its scenarios by its name; one with a name of its own takes all."""
        assert self.only is not None
        name = self.loaded(self.only).spec.name
        return name in [Path(each).stem for each in names] or name not in BUNDLED

    def _resolved(self, path: Path, name: str) -> str:
        return name if name in BUNDLED else str(path.parent / name)

    def loaded(self, name: str) -> Loaded:
        """Raises SpecError: it does not load; unless it may be broken, it has effects that nothing here can execute."""
        if name not in self.specs:
            loaded = load_spec(name, typestate=self.typestate)
            if self.typestate:
                from adapters.settings.compat import unexecutable  # sockets, audio: not for the help of a command
                from adapters.settings.words import unsaid

                problems = Problems()
                problems.extend(unexecutable(loaded.spec))
                problems.extend(unsaid(loaded.spec))
                problems.raise_if_any()
            self.specs[name] = loaded
        return self.specs[name]

    def machine(self, name: str) -> TurnSpecMachine:
        if name not in self.machines:
            self.machines[name] = TurnSpecMachine(self.loaded(name).spec)
        return self.machines[name]

    def run(self, case: ScenarioCase, play: Play | None) -> Result | None:
        """How it goes; None for one over the wire where nobody plays."""
        machine = self.machine(case.spec)
        if case.scenario.play is None:
            return run_scenario(machine, case.scenario)
        return play(machine, case.scenario, case.path.parent) if play is not None else None

    def run_all(self, cases: Sequence[ScenarioCase], play: Play | None) -> list[tuple[ScenarioCase, Result]]:
        """The machine alone is quick; calls over the wire mostly wait for the kernel, so they do it side by side."""
        with ThreadPoolExecutor(CALLS_AT_ONCE) as threads:
            waiting = {n: threads.submit(self.run, case, play) for n, case in enumerate(cases) if case.scenario.play}
            results = [waiting[n].result() if n in waiting else self.run(case, play) for n, case in enumerate(cases)]
        return [(case, result) for case, result in zip(cases, results, strict=True) if result is not None]

    @property
    def claims(self) -> tuple[Unreachable, ...]:
        """What the files claim to be unreachable; with `only`, of that spec."""
        claims = tuple(claim for _, file in self.files for claim in file.unreachable)
        if self.only is None:
            return claims
        name = self.loaded(self.only).spec.name
        return tuple(attrs.evolve(c, specs=(name,)) for c in claims if self._is_for_only(c.specs))

    def coverages(self, results: Iterable[tuple[ScenarioCase, Result]]) -> dict[str, Coverage]:
        """What is reached of each spec that was run."""
        steps: dict[str, list[tuple[str, Step]]] = {self.only: []} if self.only is not None else {}
        for case, result in results:
            steps.setdefault(case.spec, []).extend((result.scenario.name, step) for step in result.steps)
        return {spec: coverage(self.loaded(spec), each, self.claims) for spec, each in steps.items()}
