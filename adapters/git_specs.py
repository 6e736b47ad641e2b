"""Specs as they were at a git revision: read with `git show`, parts and vocabularies from the same revision.

Nothing is checked out, nothing is written. Never here: what is in a spec.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Final

from adapters.specs import BUNDLED, load_spec, specs_folder
from fsm.errors import LocalError
from fsm.language.loader import Fetch, Loaded, load
from fsm.language.problem import Place, Problem, SpecError
from fsm.machine.ledgers import LEDGERS

DEADLINE_S: Final = 20
FOLDER: Final = "specs"  # where a repository keeps its specs
_HASH: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_IS_SPEC: Final = re.compile(r"^spec:", re.MULTILINE)


class GitError(LocalError):
    """Git could not answer: no repository, no such revision, no such file, no git."""


def git(*arguments: str) -> str:
    """What git prints. Raises GitError."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise GitError("git is not installed, so there are no revisions to read") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git did not answer within {DEADLINE_S} s: git {' '.join(arguments)}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(lines[0].removeprefix("fatal: ") if lines else f"git ended with {done.returncode}")
    return done.stdout.decode("utf-8")


def commit_of(revision: str) -> str:
    """The commit a revision names. Raises GitError."""
    if not revision or revision.startswith("-"):
        raise GitError(f"'{revision}' is not a revision")
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except GitError as error:
        if "exited" in str(error) or "ended with" in str(error):
            raise GitError(f"'{revision}' is not a revision of this repository") from None
        raise


def path_in_repository(name: str) -> str:
    """A spec's path from the root of the repository: of a bundled name, of `specs/...`, or of a file here."""
    if name in BUNDLED:
        return f"{FOLDER}/{name}.yaml"
    if name.startswith(f"{FOLDER}/") and not Path(name).is_file():
        return name
    root = Path(git("rev-parse", "--show-toplevel").strip()).resolve()
    try:
        return Path(name).resolve().relative_to(root).as_posix()
    except ValueError:
        raise GitError(f"'{name}' is not in the repository of this folder") from None


def here(name: str) -> str | Path:
    """A bundled name's file in the repository of this folder, if it has one (an installed turnspec has its own)."""
    if name not in BUNDLED and (not name.startswith(f"{FOLDER}/") or Path(name).is_file()):
        return name
    try:
        path = Path(git("rev-parse", "--show-toplevel").strip()) / path_in_repository(name)
    except GitError:
        return name
    return path if path.is_file() else name


def names_at(revision: str | None) -> tuple[str, ...]:
    """The specs in the folder `specs` of this repository, at a revision or (None) as they are here: bundled names, else
    paths from the root; the bundled ones first. Nothing outside a repository. Raises GitError."""
    if revision is None:
        try:
            root = Path(git("rev-parse", "--show-toplevel").strip())
        except GitError:
            return ()
        texts = {f"{FOLDER}/{path.name}": _text(path) for path in sorted((root / FOLDER).glob("*.yaml"))}
    else:
        commit = commit_of(revision)
        paths = git("ls-tree", "-z", "--full-tree", "--name-only", commit, f"{FOLDER}/").split("\0")
        texts = {path: git("show", f"{commit}:{path}") for path in paths if path.endswith(".yaml")}
    found = [_named(path) for path, text in texts.items() if _IS_SPEC.search(text)]
    return (*(name for name in BUNDLED if name in found), *sorted(name for name in found if name not in BUNDLED))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _named(path: str) -> str:
    stem = PurePosixPath(path).stem
    return stem if stem in BUNDLED else path


def load_at(revision: str, path: str, typestate: bool = True) -> Loaded:
    """A checked spec by revision and path from the root. Raises SpecError, also where there is no such file."""
    named = revision[:10] if _HASH.fullmatch(revision) else revision
    shown = f"{named}:{path}"
    try:
        commit = commit_of(revision)
        text = git("show", f"{commit}:{path}")
    except (GitError, UnicodeDecodeError) as error:
        raise SpecError([Problem(Place(shown, 1, 1), "no-file", f"the spec cannot be read: {error}")]) from None
    return load(text, shown, _fetcher(commit, named, str(PurePosixPath(path).parent)), LEDGERS, typestate=typestate)


def _fetcher(commit: str, revision: str, folder: str) -> Fetch:
    """References are relative to the spec's folder; then among the specs of that revision, then the bundled ones."""

    def fetch(reference: str) -> tuple[str, str]:
        for place in dict.fromkeys((folder, FOLDER)):
            path = _joined(place, reference)
            try:
                return git("show", f"{commit}:{path}"), f"{revision}:{path}"
            except GitError:
                continue
        return (specs_folder() / reference).read_text(encoding="utf-8"), f"bundled:{reference}"

    return fetch


def _joined(folder: str, reference: str) -> str:
    """A path from the root without `.` and `..`, as `git show` wants it."""
    parts: list[str] = []
    for part in PurePosixPath(folder, reference).parts:
        if part == ".." and parts:
            parts.pop()
        elif part not in (".", ".."):
            parts.append(part)
    return "/".join(parts)


def load_named(name: str, spec: str | None, typestate: bool = True) -> Loaded:
    """A spec by file, bundled name, `REV:path`, `REV:name`; or, with `spec` (a name or path), by `REV` alone.

    Raises SpecError.
    """
    if name in BUNDLED or Path(name).is_file():
        return load_spec(here(name), typestate)
    revision, colon, path = name.partition(":")
    try:
        if not colon and spec is None:
            commit_of(revision)  # says what is wrong with it
            raise GitError(f"'{name}' is a revision: name the spec, as {name}:specs/NAME.yaml or with --spec NAME")
        where = path_in_repository(spec or "") if not colon else path_in_repository(path) if path in BUNDLED else path
    except GitError as error:
        what = f"'{name}' is not a file, not a bundled spec ({', '.join(BUNDLED)}), and not found by git: {error}"
        raise SpecError([Problem(Place(name, 1, 1), "no-file", what)]) from None
    return load_at(revision, where, typestate)
