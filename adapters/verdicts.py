"""The type check's verdicts by content, kept in the user's cache folder: what was checked once is not checked again.

Only what the check found is kept, as data: a spec is read anew each time, and its verdict counts only for the same
texts under the same names, the same code of the language and the same Python. Whatever is odd (a folder or a file that
is another user's or that others may write, an entry that is damaged, a disk that is full) means checking, never an
error. TURNSPEC_CACHE=off turns it off.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from fsm import language
from fsm.language.loader import Verdict
from fsm.language.problem import Place, Problem

SWITCH: Final = "TURNSPEC_CACHE"
MOST_ENTRIES: Final = 200
LARGEST: Final = 1_000_000
_FOLDER, _FILE, _OTHERS_WRITE = 0o700, 0o600, 0o022


def cache_folder() -> Path | None:
    """Where this system keeps what may be lost; None: nowhere, or the user does not want it."""
    if os.environ.get(SWITCH, "").lower() in ("off", "no", "0"):
        return None
    named = os.environ.get("XDG_CACHE_HOME" if os.name == "posix" else "LOCALAPPDATA", "")
    if named and Path(named).is_absolute():
        return Path(named) / "turnspec"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return (home / "Library/Caches" if sys.platform == "darwin" else home / ".cache") / "turnspec"


class KeptVerdict:
    """The verdict on one spec: `texts` are (file as reported, text), in the order in which they were read."""

    def __init__(self, texts: list[tuple[str, str]]) -> None:
        self.texts = texts  # still being read when this is made; asked for when all of them are there

    def get(self) -> Verdict | None:
        """The verdict, if the same was checked before."""
        name, folder = self._name(), cache_folder()
        if not name or folder is None:
            return None
        try:
            if not _ours(folder.lstat(), stat.S_ISDIR):
                return None
            return _verdict(_content(folder / name))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def put(self, verdict: Verdict) -> None:
        """Keeps it, if that is possible."""
        name, folder = self._name(), cache_folder()
        if not name or folder is None:
            return
        with contextlib.suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=_FOLDER, exist_ok=True)
            if _ours(folder.lstat(), stat.S_ISDIR):
                _written(folder, name, _entry(verdict))
                _bounded(folder)

    def _name(self) -> str:
        code = _code()
        if not code:
            return ""
        parts = [code, *(part for text in self.texts for part in text)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest() + ".json"


@cache
def _code() -> str:
    """A digest of all that decides besides the texts; empty where the sources cannot be read."""
    found = hashlib.sha256(f"{sys.version} yaml {yaml.__version__}".encode())
    try:
        sources = sorted(Path(str(language.__file__)).parent.glob("*.py"))
        for path in sources:
            found.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    except OSError:
        return ""
    return found.hexdigest() if len(sources) > 1 else ""


def _ours(status: os.stat_result, kind: Callable[[int], bool]) -> bool:
    """Is it what it should be (not a link), this user's, and nobody else's to write?"""
    if not kind(status.st_mode):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & _OTHERS_WRITE)


def _content(path: Path) -> str:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        if not _ours(os.fstat(handle), stat.S_ISREG):
            raise ValueError("not ours")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError("too large")
    return content.decode()


def _entry(verdict: Verdict) -> str:
    """The digest of the second line, then the verdict."""
    problems = [
        [p.place.file, p.place.line, p.place.column, p.code, p.message, p.hint, list(p.trail), p.severity]
        for p in verdict.problems
    ]
    body = json.dumps({"situations": verdict.situations, "problems": problems})
    return f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def _verdict(content: str) -> Verdict:
    digest, _, body = content.partition("\n")
    if hashlib.sha256(body.encode()).hexdigest() != digest:
        raise ValueError("damaged")
    kept = json.loads(body)
    problems = (
        Problem(Place(file, line, column), code, message, hint, tuple(trail), severity)
        for file, line, column, code, message, hint, trail, severity in kept["problems"]
    )
    return Verdict(tuple(problems), kept["situations"])


def _written(folder: Path, name: str, content: str) -> None:
    """At once or not at all, whoever else writes the same."""
    draft = folder / f".{name}.{os.getpid()}.{threading.get_ident()}.{time.monotonic_ns()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        draft.replace(folder / name)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _bounded(folder: Path) -> None:
    """Removes the oldest entries, and drafts that nobody finished."""
    found = sorted((path.stat().st_mtime, path) for path in folder.iterdir())
    for _, path in found[: max(0, len(found) - MOST_ENTRIES)]:
        path.unlink(missing_ok=True)
