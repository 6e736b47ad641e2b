"""What checking a spec costs, beside the code of 3e09356 in the same run: CPU time, each in processes of its own.

The old code is taken from this clone's history and checks the specs it came with. Both take turns, and the middle of
their times counts. Without a kept verdict, but for the line that says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final

import attrs
import click

from bench.report import console, machine_lines
from bench.targets import check_lines, shown

BASELINE: Final = "3e09356"
SPECS: Final = ("server_vad", "owned_turns", "push_to_talk")
ROUNDS: Final = 5
HERE: Final = Path(__file__).resolve().parents[1]

_TYPESTATE = """
import sys, time
import fsm
from adapters.specs import load_spec
from fsm.language.problem import Problems
from fsm.language.typestate import Typestate
assert fsm.__file__.startswith(sys.argv[2]), fsm.__file__
spec = load_spec(sys.argv[1], typestate=False).spec
check = Typestate(spec, Problems())
before = time.process_time()
check.check()
print(time.process_time() - before)
"""
_COMMAND = "import sys; from adapters.cli.check import command; command([sys.argv[1]])"


@attrs.frozen
class Checked:
    """Of one spec, in CPU seconds: the type check alone, and the command as a whole; `kept` with a kept verdict."""

    spec: str
    typestate_s: float
    old_typestate_s: float
    command_s: float
    old_command_s: float
    kept_s: float


def missing() -> str:
    """Why there is nothing to compare with; empty if there is."""
    git = shutil.which("git")
    if git is None:
        return f"skipped: without git, {BASELINE} cannot be had to compare with"
    found = subprocess.run(
        [git, "cat-file", "-e", f"{BASELINE}^{{commit}}"], cwd=HERE, capture_output=True, check=False
    )
    return f"skipped: {BASELINE} is not in this clone (a shallow one?)" if found.returncode else ""


def measure(rounds: int = ROUNDS, specs: tuple[str, ...] = SPECS) -> Iterator[Checked]:
    """Each spec by both; nothing if the old code is missing."""
    if missing():
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        old = folder / "old"
        old.mkdir()
        archive = subprocess.run(["git", "archive", BASELINE], cwd=HERE, capture_output=True, check=True)
        subprocess.run(["tar", "-x"], cwd=old, input=archive.stdout, check=True)
        kept = {"TURNSPEC_CACHE": "", "XDG_CACHE_HOME": str(folder), "LOCALAPPDATA": str(folder)}
        for spec in specs:
            _command_s(HERE, spec, kept)  # the verdict is kept from here on
            times = [
                (
                    _typestate_s(HERE, spec), _typestate_s(old, spec),
                    _command_s(HERE, spec), _command_s(old, spec), _command_s(HERE, spec, kept),
                )
                for _ in range(rounds)
            ]  # fmt: skip
            yield Checked(spec, *(median(each) for each in zip(*times, strict=True)))


def _typestate_s(tree: Path, spec: str) -> float:
    worker = [sys.executable, "-c", _TYPESTATE, spec, str(tree)]
    return float(subprocess.run(worker, cwd=tree, env=_environment(tree), capture_output=True, check=True).stdout)


def _command_s(tree: Path, spec: str, more: Mapping[str, str] = {}) -> float:
    """User and system time of `turnspec check SPEC`, start of Python and imports among it."""
    worker = [sys.executable, "-c", _COMMAND, spec]
    process = subprocess.Popen(worker, cwd=tree, env={**_environment(tree), **more}, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, worker)
    return used.ru_utime + used.ru_stime


def _environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "TURNSPEC_CACHE": "off"}


def show(found: list[Checked]) -> None:
    console().print(shown(f"a spec checked, beside {BASELINE}", check_lines(found)) if found else missing())


@click.command(help=__doc__)
@click.option("--rounds", default=ROUNDS, show_default=True, help="Repetitions; the middle one counts.")
def main(rounds: int) -> None:
    for line in machine_lines():
        console().print(line, highlight=False)
    found = list(measure(rounds))
    show(found)
    sys.exit(any(line.missed for line in check_lines(found)))


if __name__ == "__main__":
    main()
