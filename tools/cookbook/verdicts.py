"""What a search within quick bounds has found of the cookbook: each part and each pair with each spec, each example.

Found once, and kept in specs/cookbook/verdicts.json by the content of all texts that it depends on: to search all of it
takes minutes of an idle machine, and the table of docs/cookbook.md is made of it.
"""

from __future__ import annotations

import gc
import hashlib
import json
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Final

import attrs
import click
import yaml

from adapters.specs import BUNDLED, display_path, load_spec, spec_path, specs_folder
from adapters.verify.processes import results
from adapters.verify.run import PROPERTIES, WORLD, SearchProgress, VerifyOptions, all_searched, load_environment
from fsm.language.loader import Loaded
from fsm.language.problem import SpecError
from tools.cookbook.goes_with import bases, cookbook_parts, including, why_not
from tools.mutants.run import without_prose

KEPT: Final = specs_folder() / "cookbook" / "verdicts.json"
COMMAND: Final = "python -m tools.cookbook"
PASS: Final = "PASS"


@attrs.frozen(order=True)
class Case:
    """A bundled spec with parts and nothing else; without parts, an example of specs/cookbook."""

    base: str
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.base, *self.parts))

    def load(self) -> Loaded:
        """Raises SpecError."""
        return including(self.base, *self.parts) if self.parts else load_spec(self._example)

    def digest(self) -> str:
        """Of all that a verdict depends on, leaving out prose and comments."""
        own = [spec_path(self.base), *(specs_folder() / "parts" / f"{part}.yaml" for part in self.parts)]
        files = _files(own if self.parts else [self._example])
        if not any(map(_is_world, files)):
            files |= _files(specs_folder() / name for name in (WORLD, *PROPERTIES))
        return hashlib.sha256("".join(sorted(json.dumps(said(path)) for path in files)).encode()).hexdigest()[:16]

    @property
    def _example(self) -> Path:
        return specs_folder() / "cookbook" / f"{self.base}.yaml"


@attrs.frozen
class Found:
    """`outcome` is PASS, or what is wrong."""

    digest: str
    outcome: str
    states: int


def cases() -> Iterator[Case]:
    """The examples; each part and each pair with each spec that they go with by their own word."""
    parts = cookbook_parts()
    pairs = [pair for pair in combinations(parts, 2) if why_not(*pair) is None]
    yield from (Case(path.stem) for path in sorted((specs_folder() / "cookbook").glob("*.yaml")))
    for base in BUNDLED:
        yield from (Case(base, each) for each in (*((part,) for part in parts), *pairs) if base in bases(*each))


def kept(path: Path = KEPT) -> dict[str, Found]:
    """By name of the case. Raises ClickException for a file that is not one."""
    if not path.is_file():
        return {}
    try:
        return {name: Found(*found) for name, found in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise click.ClickException(f"{display_path(path)} is not what `{COMMAND}` writes: {error!r}") from None


def keep(found: Mapping[str, Found], path: Path = KEPT) -> None:
    """One line for a case, so that a diff of it can be read."""
    lines = (f" {json.dumps(name)}: {json.dumps(attrs.astuple(each))}" for name, each in sorted(found.items()))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def searched_pairs(found: Mapping[str, Found]) -> set[tuple[str, ...]]:
    """Parts and pairs that hold, as they are now, with every spec that they go with."""
    wanted = [case for case in cases() if case.parts]
    fails = {case.parts for case in wanted if (known := found.get(str(case))) is None or known.outcome != PASS}
    of_before = {case.parts for case in stale([case for case in wanted if case.parts not in fails], found)}
    return {case.parts for case in wanted} - fails - of_before


def stale(wanted: Sequence[Case], found: Mapping[str, Found]) -> list[Case]:
    """Those of which nothing is kept, or a verdict on other texts."""
    return [case for case in wanted if str(case) not in found or found[str(case)].digest != case.digest()]


def searched(wanted: Sequence[Case], goes_on: SearchProgress) -> Iterator[tuple[Case, Found]]:
    """As they are found, one process a processor, until Ctrl-C."""
    with goes_on.counting("cases", len(wanted)) as done:
        seen: list[Case] = []
        for case, found in results(_search, wanted, _quietly, (), lambda: done(len(seen), "")):
            seen.append(case)
            yield case, found


def _quietly() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's


def _search(case: Case) -> tuple[Case, Found]:
    digest = case.digest()
    try:
        spec = case.load().spec
        verdicts = all_searched(spec, load_environment(spec), VerifyOptions(), SearchProgress(quiet=True))
    except SpecError as error:
        return case, Found(digest, str(error).splitlines()[0], 0)
    bad = [f.name for verdict in verdicts for f in verdict.violated]
    bad += [problem.message for verdict in verdicts for problem in verdict.problems]
    bad += [f"{verdict.scene} is too large" for verdict in verdicts if verdict.partial]
    gc.collect()
    return case, Found(digest, ", ".join(dict.fromkeys(bad)) or PASS, sum(verdict.states for verdict in verdicts))


def _files(paths: Iterable[Path]) -> set[Path]:
    """Texts and all that they name, and so on."""
    found: set[Path] = set()
    left = [path.resolve() for path in paths]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            near = (path.parent, specs_folder())
            places = ((folder / name).resolve() for name in _names(said(path)) for folder in near)
            left += [place for place in places if place.is_file()]
    return found


def _is_world(path: Path) -> bool:
    """What a spec brings along in place of the bundled world; moves that a part adds to a world are none."""
    text = said(path)
    return isinstance(text, list) and any(isinstance(entry, list) and entry[0] == "world" for entry in text)


@cache
def said(path: Path) -> object:
    """A text, read, without prose, and without what a part does not go with: no case has both."""
    text = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    kept = {key: value for key, value in text.items() if key != "conflicts"} if isinstance(text, dict) else text
    return without_prose(kept)


def _names(text: object) -> Iterator[str]:
    """Every file that a text names, and the spec that it extends."""
    if isinstance(text, str) and text.endswith(".yaml"):
        yield text
    elif isinstance(text, list):
        if len(text) == 2 and text[0] == "extends":
            yield f"{text[1]}.yaml"
        for each in text:
            yield from _names(each)
