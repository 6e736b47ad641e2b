"""How fast every run of a spec is visited: states a second and bytes a state, scene by scene, in one process.

A rate hangs on how much of a scene is new (a first state of its kind is worked out, the next is looked up) and on what
is judged in it; so all scenes of a spec are measured, search and judging together, and the rate is of all of them.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import attrs
import click

from adapters.specs import load_spec
from adapters.verify.run import SearchProgress, VerifyOptions, all_searched, load_environment
from bench.report import console, machine_lines
from bench.targets import shown, verify_lines
from fsm.language.spec import Spec
from fsm.verify.environment import Environment

LONGEST = ("turns",)
"""The scene a rate is promised for: long enough to be about looking up."""


@attrs.frozen
class SearchRate:
    """Of one spec and one group of scenes."""

    spec: str
    scenes: str
    states: int
    seconds: float
    bytes_a_state: float

    @property
    def rate(self) -> float:
        return self.states / self.seconds


def measure() -> Iterator[SearchRate]:
    """The quick scenes of each bundled spec, as on every save, and a long one."""
    for name in ("server_vad", "owned_turns", "push_to_talk"):
        spec = load_spec(name).spec
        environment = load_environment(spec)
        yield _searched(spec, environment, VerifyOptions(), "quick")
        yield _searched(spec, environment, VerifyOptions("full", LONGEST), "long")


def _searched(spec: Spec, environment: Environment, options: VerifyOptions, what: str) -> SearchRate:
    gc.collect()
    began = time.perf_counter()
    verdicts = all_searched(spec, environment, options, SearchProgress(quiet=True))
    seconds = time.perf_counter() - began
    states = sum(verdict.states for verdict in verdicts)
    held = sum(verdict.bytes_per_state * verdict.states for verdict in verdicts)
    return SearchRate(spec.name, what, states, seconds, held / states)


def show(found: list[SearchRate]) -> None:
    console().print(shown("every run of a spec, visited and judged", verify_lines(found)))


@click.command(help=__doc__)
def main() -> None:
    for line in machine_lines():
        console().print(line, highlight=False)
    show(list(measure()))


if __name__ == "__main__":
    main()
