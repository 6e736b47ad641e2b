"""From text to a checked spec. Opens no file: what a spec refers to is fetched by the caller's function."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from fsm.problem import Problem, Problems, SpecError
from fsm.source import Node, read
from fsm.spec import Spec
from fsm.spec_reader import SpecReader
from fsm.typestate import Flow, Typestate
from fsm.vocabulary_reader import VocabularyReader

Fetch = Callable[[str], tuple[str, str]]
"""`fetch(reference)` gives the text behind a name written in a spec, and the file name to report; raises OSError."""


@attrs.frozen
class Loaded:
    """A spec that may run, what the type check found out about it, and warnings."""

    spec: Spec
    flow: Flow
    warnings: tuple[Problem, ...]


def load(text: str, file: str, fetch: Fetch, typestate: bool = True) -> Loaded:
    """Reads and checks a spec. Raises SpecError with every problem.

    `typestate=False` accepts what only the type check refuses: for the verifier, to show what a broken spec would do.
    """
    problems = Problems()
    root = read(text, file)
    spec = _spec(root, problems, fetch)
    problems.raise_if_any()
    assert spec is not None
    found = problems if typestate else Problems()
    flow = Typestate(spec, found).check()
    found.raise_if_any()
    return Loaded(spec, flow, tuple(found))


def _spec(root: Node, problems: Problems, fetch: Fetch) -> Spec | None:
    vocabulary = VocabularyReader(problems)
    node = root.get("vocabulary")
    if node is None:
        problems.add(root.place, "missing", "a spec needs 'vocabulary:'", "e.g. vocabulary: [vocabularies/call.yaml]")
        return None
    for reference in vocabulary.listed(node):
        try:
            text, file = fetch(vocabulary.text(reference))
            vocabulary.read(read(text, file))
        except OSError as error:
            problems.add(reference.place, "no-file", f"'{reference.text}' cannot be read: {error.strerror or error}")
        except SpecError as error:
            for p in error.problems:
                problems.add(p.place, p.code, p.message, p.hint)
    if problems.errors:
        return None
    return SpecReader(vocabulary.finish(), problems).read(root)
