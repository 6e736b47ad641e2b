"""What all changes since the baseline cost an ordinary call: that commit's server and this tree's, side by side.

The baseline is checked out into a temporary folder (`git worktree`), and its server runs there with its own PYTHONPATH;
the libraries and the load are the same for both. Both run at once on one core, each with its own calls, in either
order, so that whatever else the machine does happens to both: the ratio of CPU time is the result.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bench.calls import BESIDE_WINDOWS, ROOT, Contender, SideBySide, side_by_side
from bench.check import BASELINE
from bench.report import Progress, console, machine_lines
from bench.targets import baseline_lines, shown


@contextmanager
def checkout(commit: str, clone: Path = ROOT) -> Iterator[Path]:
    """A folder with that commit's files. ClickException: the clone does not have the commit, or is not a clone."""
    if _git(clone, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").returncode:
        raise click.ClickException(
            f"commit {commit} is not in this clone, so there is nothing to compare with; "
            "get it with: git fetch --unshallow (or clone without --depth)"
        )
    with tempfile.TemporaryDirectory(prefix="turnspec-baseline-") as name:
        folder = Path(name) / "tree"
        added = _git(clone, "worktree", "add", "--detach", str(folder), commit)
        if added.returncode:
            raise click.ClickException(f"commit {commit} cannot be checked out: {added.stderr.strip()}")
        try:
            yield folder
        finally:
            _git(clone, "worktree", "remove", "--force", str(folder))


def _git(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(clone), *arguments], capture_output=True, text=True, check=False)


def measure(commit: str, who: str, calls: int, seconds: float, settle: float) -> SideBySide:
    """CPU of both, and this tree's as a multiple of the commit's."""
    with checkout(commit) as tree:
        return side_by_side([Contender(commit, who, tree), Contender("this tree", who)], calls, seconds, settle)


@click.command(help=__doc__)
@click.option("--commit", default=BASELINE, show_default=True, help="The commit to compare with.")
@click.option("--who", type=click.Choice(["turnspec", "journal"]), default="turnspec", show_default=True,
              help="The server without, or with a journal of each call.")  # fmt: skip
@click.option("--calls", default=60, show_default=True, help="Calls of each side.")
@click.option("--seconds", default=5.0, show_default=True, help="How long is counted, three times in either order.")
@click.option("--settle", default=6.0, show_default=True, help="Seconds before counting.")
def main(commit: str, who: str, calls: int, seconds: float, settle: float) -> None:
    out = console()
    for line in machine_lines():
        out.print(line, highlight=False)
    progress = Progress(2 * (BESIDE_WINDOWS * seconds + settle + 8.0))
    progress.step(f"{calls} calls of {commit} and of this tree at once")
    found = measure(commit, who, calls, seconds, settle)
    out.print(found.table())
    lines = baseline_lines(found, commit)
    out.print(shown("An ordinary call: the promise", lines))
    sys.exit(any(line.missed for line in lines))


if __name__ == "__main__":
    main()
