"""SPIN as a second opinion: runs `spin`, a C compiler and the search they make, in a folder of its own, with deadlines.

Never here: what the model says (tools.promela.model).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from fsm.errors import LocalError
from tools.promela.lasting import CLAIM
from tools.promela.model import BEFORE

TRANSLATE_S: Final = 120.0  # wide: a busy machine takes long for what is a second of work
COMPILE_S: Final = 300.0
SEARCH_S: Final = 600.0
DEPTH: Final = 2_000_000
MEMORY_MB: Final = 8_000
TOOLS: Final = ("spin", "gcc")
FLAGS: Final = ("-O0", "-w", "-DNOREDUCE", f"-DMEMLIM={MEMORY_MB}", "-DVECTORSZ=2048")


class SpinError(LocalError):
    """SPIN is missing, ran out of time, depth or memory, or found fault with the text."""


@attrs.frozen
class Opinion:
    """What SPIN found: as many states as the explorer should have, the properties that are broken."""

    states: int
    transitions: int
    broken: frozenset[str]
    seconds: float


def missing() -> tuple[str, ...]:
    """The programs that are not installed."""
    return tuple(tool for tool in TOOLS if shutil.which(tool) is None)


def second_opinion(promela: str, depth: int = DEPTH) -> Opinion:
    """Searches the model. Raises SpinError where there is no complete result."""
    with _made(promela, ("-DSAFETY",)) as folder:
        return read(_run(folder, ("./pan", "-c0", f"-m{depth}", "-w22"), SEARCH_S))


def broken_promises(promela: str, names: Sequence[str], depth: int = DEPTH) -> frozenset[str]:
    """Searches the model about `leads_to`, once for each promise. Raises SpinError where no search is complete."""
    found = set()
    with _made(promela, ("-DNOFAIR",)) as folder:
        for place, name in enumerate(names):
            said = _run(folder, ("./pan", "-a", f"-m{depth}", "-w18"), SEARCH_S, {CLAIM: str(place)})
            if "acceptance cycle" in said:
                found.add(name)
            else:
                read(said)
    return frozenset(found)


@contextmanager
def _made(promela: str, flags: Sequence[str]) -> Iterator[Path]:
    """A folder with the search that SPIN and a C compiler make of a text."""
    if missing():
        raise SpinError(f"not installed: {', '.join(missing())}")
    with tempfile.TemporaryDirectory(prefix="turnspec-spin-") as name:
        folder = Path(name)
        (folder / "model.pml").write_text(promela, encoding="utf-8")
        said = _run(folder, ("spin", "-a", "model.pml"), TRANSLATE_S)
        if not (folder / "pan.c").is_file() or "Error" in said:
            raise SpinError(f"spin: {said[-2000:]}")
        _run(folder, ("gcc", *FLAGS, *flags, "-o", "pan", "pan.c"), COMPILE_S)
        yield folder


def _run(folder: Path, command: Sequence[str], seconds: float, more: Mapping[str, str] | None = None) -> str:
    environment = {**os.environ, **(more or {})}
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise SpinError(f"{command[0]} took more than {seconds:.0f} s") from None
    if done.returncode != 0:
        raise SpinError(f"{command[0]}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr


def read(output: str) -> Opinion:
    """The report of a search; SpinError where it is not complete or something else than a property failed."""
    failures = re.findall(r"^pan:\d+: (.*?) \(at depth", output, re.MULTILINE)
    broken = [re.search(r"assertion violated .*said_(\w+)", failure) for failure in failures]
    others = [f for f, found in zip(failures, broken, strict=True) if found is None]
    stored, taken = (
        re.search(rf"^\s*(\d+) {word}", output, re.MULTILINE) for word in ("states, stored", "transitions")
    )
    partial = "too small" in output or "Search not completed" in output or "out of memory" in output
    if partial or others or stored is None or taken is None:
        raise SpinError(f"the search is not complete: {'; '.join(others)}\n{output[-2000:]}")
    seconds = re.search(r"elapsed time ([\d.]+)", output)
    names = frozenset(found.group(1) for found in broken if found is not None)
    states = int(stored.group(1)) - BEFORE
    return Opinion(states, int(taken.group(1)), names, float(seconds.group(1)) if seconds else 0.0)
