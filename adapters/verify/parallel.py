"""Long verifications over processes, a scene of a spec each, with progress; Ctrl-C keeps what is judged by then.

Never here: what is judged (fsm.verify). A spec is loaded where it is searched: compiled guards do not travel.
"""

from __future__ import annotations

import functools
import gc
import signal
from collections.abc import Sequence

from adapters.specs import load_spec
from adapters.verify.processes import results
from adapters.verify.run import SearchProgress, VerifyOptions, load_environment, settled
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import Workbench

Task = tuple[str, str, bool, VerifyOptions]
"""The name of a spec, a scene, whether the spec is type-checked, and what was wished for."""
LONGEST_FIRST = ("keys", "tools")


def spread(
    wanted: Sequence[tuple[str, str]], options: VerifyOptions, progress: SearchProgress, typestate: bool
) -> dict[tuple[str, str], SceneVerdict]:
    """The verdicts of scenes, each named by its spec and itself; those that Ctrl-C left out are missing."""
    tasks: list[Task] = [(name, scene, typestate, options) for name, scene in wanted]
    tasks.sort(key=lambda task: task[1] not in LONGEST_FIRST)
    found: dict[tuple[str, str], SceneVerdict] = {}
    with progress.counting("scenes", len(tasks)) as done:

        def goes_on() -> bool:
            return done(len(found), f", {sum(verdict.states for verdict in found.values()):,} states")

        for name, verdict in results(_searched, tasks, _quietly, (), goes_on):
            found[name, verdict.scene] = verdict
    return found


def _quietly() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    gc.disable()  # a search makes millions of tuples and few circles; what one leaves is collected after it


@functools.cache
def _loaded(name: str, typestate: bool) -> Workbench:
    """A process searches many scenes of a spec."""
    spec = load_spec(name, typestate=typestate).spec
    return load_environment(spec).workbench(spec)


def _searched(task: Task) -> tuple[str, SceneVerdict]:
    name, scene, typestate, options = task
    bench = _loaded(name, typestate)
    limits = next(each for each in options.limits(bench.spec, bench.world) if each.scene == scene)
    verdict = settled(bench, limits, SearchProgress(quiet=True))
    gc.collect()
    return name, verdict
