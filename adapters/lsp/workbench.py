"""Specs as they are being written: which spec a text belongs to, what is wrong with it, who can answer about it.

Texts that are open in an editor stand in for those on disk. Never here: the protocol (.server).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from adapters.settings.words import unsaid
from adapters.specs import BUNDLED, Texts, display_path, fetcher, spec_path
from fsm.language.assist import Assistant
from fsm.language.loader import Verdict, load, sketch
from fsm.language.problem import Place, Problem, SpecError
from fsm.language.sources import Sources
from fsm.machine.ledgers import LEDGERS

MOST_CHARACTERS: Final = 1_000_000
MOST_NEIGHBOURS: Final = 50
"""So many files beside a part are looked at for the spec that includes it."""
KEPT: Final = 50
"""So many specs are remembered, and so many verdicts of the type check."""
_OURS: Final = re.compile(
    r"^(extends|include|initial|states|groups|choices|actions|context|conditions|deadlines|slots|events|effects)\s*:",
    re.MULTILINE,
)
_OTHERS: Final = re.compile(r"^(scenarios|provider|listen|mutants|scenes|properties)\s*:", re.MULTILINE)
_SPEC: Final = re.compile(r"^spec\s*:", re.MULTILINE)


class OpenTexts(Texts):
    """Texts on disk, but for those that are open in an editor (by absolute path)."""

    def __init__(self, opened: Mapping[str, str]) -> None:
        super().__init__()
        self._opened = opened

    def has(self, path: Path) -> bool:
        return str(path.resolve()) in self._opened or super().has(path)

    def read(self, path: Path, at_most: int = -1) -> str:
        key = str(path.resolve())
        if key in self._opened:
            self.read_so_far[key] = self._opened[key]
            return self._opened[key]
        return super().read(path, at_most)


@attrs.frozen
class Desk:
    """A spec as it is now: its files, what is wrong with them, and who answers about it (None: nobody can yet)."""

    root: Path
    files: Mapping[str, Path]
    """As places name them."""
    problems: tuple[Problem, ...]
    assistant: Assistant | None
    complete: bool = False
    """The type check has been asked, too."""


def is_ours(text: str) -> bool:
    """Is it a spec, a part or a vocabulary, and not another YAML file?"""
    return _OURS.search(text) is not None and _OTHERS.search(text) is None


@attrs.define
class SpecWorkbench:
    """What is known of the specs whose texts are open. One thread at a time uses it."""

    opened: dict[str, str] = attrs.field(factory=dict)
    desks: dict[Path, Desk] = attrs.field(factory=dict)
    verdicts: dict[tuple[str, ...], Verdict] = attrs.field(factory=dict)

    def read(self, path: Path) -> Desk | None:
        """The spec that a text belongs to, read anew; None where the text is none of ours, or belongs to no spec."""
        root = self._root(path)
        return self._sketched(root) if root is not None else None

    def known(self, path: Path) -> Desk | None:
        """As `read`, but without reading anew what is known."""
        within = (desk for desk in reversed(self.desks.values()) if path in desk.files.values())
        return self.desks.get(path) or next(within, None) or self.read(path)

    def checked(self, desk: Desk) -> Desk:
        """With what the type check has to say, where there is nothing else to say."""
        if any(problem.severity == "error" for problem in desk.problems):
            return attrs.evolve(desk, complete=True)
        texts = OpenTexts(self.opened)
        verdicts = _Verdicts(self.verdicts, desk)
        try:
            text = texts.read(desk.root)
            loaded = load(text, display_path(desk.root), fetcher(desk.root.parent, texts), LEDGERS, verdicts=verdicts)
            problems = (*unsaid(loaded.spec), *loaded.warnings)
        except SpecError as error:
            problems = error.problems
        except (OSError, UnicodeDecodeError) as error:
            problems = (_unreadable(desk.root, error),)
        return self._keep(attrs.evolve(desk, problems=problems, complete=True))

    def _keep(self, desk: Desk) -> Desk:
        self.desks.pop(desk.root, None)
        self.desks[desk.root] = desk
        for old in list(self.desks)[:-KEPT]:
            del self.desks[old]
        return desk

    def _sketched(self, root: Path) -> Desk:
        texts = OpenTexts(self.opened)
        try:
            text = texts.read(root)
            if len(text) > MOST_CHARACTERS:
                raise OSError(f"it has more than {MOST_CHARACTERS:,} characters")
            spec, problems = sketch(text, display_path(root), fetcher(root.parent, texts), LEDGERS)
        except (OSError, UnicodeDecodeError) as error:
            spec, problems = None, (_unreadable(root, error),)
        before = self.desks.get(root)
        files = {display_path(Path(path)): Path(path) for path in texts.read_so_far}
        assistant = before.assistant if before is not None else None
        if spec is not None:
            sources = Sources({display_path(Path(path)): text for path, text in texts.read_so_far.items()})
            assistant = Assistant(spec, sources)
        if before is not None and spec is None:  # what cannot be reached just now still belongs to it
            files = {**before.files, **files}
        return self._keep(Desk(root, files or {display_path(root): root}, problems, assistant))

    # --- which spec a text belongs to ---------------------------------------------------------------------------------

    def _root(self, path: Path) -> Path | None:
        text = self.opened.get(str(path), "")
        if not is_ours(text):
            return None
        if _SPEC.search(text):
            return path
        known = [desk.root for desk in self.desks.values() if path in desk.files.values()]
        for candidate in dict.fromkeys((*known, *self._candidates(path))):
            desk = self.desks.get(candidate) or self._sketched(candidate)
            if path in desk.files.values():
                return candidate
            self.desks.pop(candidate, None)
        return None

    def _candidates(self, path: Path) -> Iterator[Path]:
        """Specs that may include a text: open ones, those beside it and above it, the bundled ones."""
        yield from (Path(each) for each, text in list(self.opened.items()) if _SPEC.search(text) and is_ours(text))
        for folder in (path.parent, *list(path.parents)[1:3]):
            for each in sorted(folder.glob("*.yaml"))[:MOST_NEIGHBOURS]:
                if each != path and self._is_spec(each):
                    yield each.resolve()
        yield from (spec_path(name).resolve() for name in BUNDLED)

    def _is_spec(self, path: Path) -> bool:
        try:
            text = OpenTexts(self.opened).read(path, MOST_CHARACTERS)
        except (OSError, UnicodeDecodeError):
            return False
        return _SPEC.search(text) is not None and is_ours(text)


class _Verdicts:
    """The verdicts on texts that were checked while the editor has been open."""

    def __init__(self, kept: dict[tuple[str, ...], Verdict], desk: Desk) -> None:
        self._kept = kept
        assistant = desk.assistant
        self._key = (str(desk.root), *(assistant.sources.texts.values() if assistant is not None else ()))

    def get(self) -> Verdict | None:
        return self._kept.get(self._key)

    def put(self, verdict: Verdict) -> None:
        self._kept[self._key] = verdict
        for old in list(self._kept)[:-KEPT]:
            del self._kept[old]


def _unreadable(path: Path, error: Exception) -> Problem:
    reason = getattr(error, "strerror", None) or str(error)
    return Problem(Place(display_path(path), 1, 1), "no-file", f"this cannot be read: {reason}")
