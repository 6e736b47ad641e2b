"""What was judged so far, so that a run that was ended goes on where it was: a line for each notice in a file.

It is of one spec, one world and one state of the code: the file's name is a digest of all of them. A line that was cut
in the middle, or was damaged, is a mutant that is judged again. Never here: who notices (tools.mutants.mutation).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import fsm
import tools.mutants
from adapters.verdicts import cache_folder
from fsm.language.problem import Place
from tools.mutants.mutation import Notice

MOST_FILES: Final = 14
"""Two for each bundled spec: of today's texts, and of those before."""


class Notebook:
    """Notices kept in a file of the user's cache folder; without such a folder nothing is kept and nothing found."""

    def __init__(self, name: str, digest: str, folder: Path | None = None) -> None:
        base = folder or cache_folder()
        code = hashlib.sha256(f"{digest} {_code()}".encode()).hexdigest()[:16]
        self.path = None if base is None else base / "mutants" / f"{name}-{code}.jsonl"

    def found(self) -> dict[str, Notice]:
        """By name, what an earlier run came to."""
        if self.path is None or not self.path.is_file():
            return {}
        notices = (_notice(line) for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines())
        return {notice.id: notice for notice in notices if notice is not None}

    def add(self, notices: Iterable[Notice]) -> None:
        if self.path is None:
            return
        if not self.path.parent.is_dir():
            self.path.parent.mkdir(parents=True, mode=0o700)
        is_new = not self.path.exists()
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(_line(notice) for notice in notices)
        if is_new:
            _bounded(self.path.parent)


def _line(notice: Notice) -> str:
    place = [notice.place.file, notice.place.line, notice.place.column]
    return "\n" + json.dumps([notice.id, notice.kind, place, notice.by, notice.how])


def _notice(line: str) -> Notice | None:
    try:
        name, kind, (file, row, column), by, how = json.loads(line)
    except (ValueError, TypeError):
        return None
    return Notice(name, kind, Place(file, row, column), by, how)


def _code() -> str:
    """A digest of the code that makes mutants and judges them."""
    found = hashlib.sha256()
    for package in (fsm, tools.mutants):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _bounded(folder: Path) -> None:
    """Removes the oldest."""
    found = sorted((path.stat().st_mtime, path) for path in folder.glob("*.jsonl"))
    for _, path in found[: max(0, len(found) - MOST_FILES)]:
        path.unlink(missing_ok=True)
