"""From text to a checked spec. Opens no file: what a spec refers to is fetched by the caller's function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Protocol

import attrs

from fsm.language.ledger import Ledgers
from fsm.language.node_reader import Reader
from fsm.language.problem import Problem, Problems, SpecError
from fsm.language.spec import Spec
from fsm.language.spec_reader import SpecReader
from fsm.language.typestate import Flow, Typestate
from fsm.language.vocabulary import Vocabulary
from fsm.language.vocabulary_reader import VocabularyReader
from fsm.language.yaml_nodes import Node, read

_USUAL = "[vocabularies/realtime/session.yaml, vocabularies/call.yaml]"
Fetch = Callable[[str], tuple[str, str]]
"""`fetch(reference)` gives the text behind a name written in a spec, and the file name to report; raises OSError."""


@attrs.frozen
class Verdict:
    """What the type check found, and in how many situations."""

    problems: tuple[Problem, ...]
    situations: int


class Verdicts(Protocol):
    """Where the verdict on the texts that were fetched is kept from one load to the next."""

    def get(self) -> Verdict | None: ...

    def put(self, verdict: Verdict) -> None: ...


@attrs.frozen
class Loaded:
    """A spec that may run, what the type check found out about it, and warnings."""

    spec: Spec
    warnings: tuple[Problem, ...]
    situations: int = 0
    checked: Flow | None = attrs.field(default=None, repr=False)

    @cached_property
    def flow(self) -> Flow:
        return self.checked or Typestate(self.spec, Problems()).check()


def load(
    text: str, file: str, fetch: Fetch, ledgers: Ledgers, typestate: bool = True, verdicts: Verdicts | None = None
) -> Loaded:
    """Reads and checks a spec. Raises SpecError with every problem.

    `ledgers` are those a vocabulary may name (fsm.machine.ledgers).

    `typestate=False` accepts what only the type check refuses: for the verifier, to show what a broken spec would do.
    With `verdicts`, what is known of these very texts is not worked out again.
    """
    problems = Problems()
    root = read(text, file)
    spec = _spec(root, problems, fetch, ledgers)
    problems.raise_if_any()
    assert spec is not None
    if not typestate:
        return Loaded(spec, tuple(problems))
    verdict, flow = verdicts.get() if verdicts is not None else None, None
    if verdict is None:
        found = Problems()
        flow = Typestate(spec, found).check()
        verdict = Verdict(tuple(found), sum(map(len, flow.reached.values())))
        if verdicts is not None:
            verdicts.put(verdict)
    problems.extend(verdict.problems)
    problems.raise_if_any()
    return Loaded(spec, tuple(problems), verdict.situations, flow)


def _spec(root: Node, problems: Problems, fetch: Fetch, ledgers: Ledgers) -> Spec | None:
    parts = root.get("include")
    for node in _fetched(parts, Reader(problems), fetch) if parts is not None else ():
        root = merged(node, root, problems)
    words = root.get("vocabulary")
    if words is None:
        problems.add(root.place, "missing", "a spec needs 'vocabulary:'", f"e.g. vocabulary: {_USUAL}")
        return None
    vocabulary = load_vocabulary(words, problems, fetch, ledgers)
    return SpecReader(vocabulary, problems).read(root) if vocabulary is not None else None


def load_vocabulary(words: Node, problems: Problems, fetch: Fetch, ledgers: Ledgers) -> Vocabulary | None:
    """The vocabulary that a list of names makes together; None, with the reasons in `problems`, if there is none."""
    reader = VocabularyReader(problems, ledgers)
    for node in _fetched(words, reader, fetch):
        reader.read(node)
    return reader.finish() if not problems.errors else None


def _fetched(references: Node, reader: Reader, fetch: Fetch) -> Iterator[Node]:
    """The documents a list of names refers to."""
    for reference in reader.listed(references):
        try:
            text, file = fetch(reader.text(reference))
            yield read(text, file)
        except OSError as error:
            message = f"'{reference.text}' cannot be read: {error.strerror or error}"
            reader.problems.add(reference.place, "no-file", message)
        except SpecError as error:
            reader.problems.adopt(error)


def merged(part: Node, whole: Node, problems: Problems) -> Node:
    """Two mappings as one, key by key; what both say is a problem, unless both are mappings."""
    own = {key.text: (key, value) for key, value in whole.pairs or ()}
    pairs = []
    for key, value in part.pairs or ():  # what is shared keeps its order; the whole's own keys follow
        mine = own.pop(key.text, None)
        if mine is None:
            pairs.append((key, value))
        elif value.pairs is not None and mine[1].pairs is not None:
            pairs.append((mine[0], merged(value, mine[1], problems)))
        else:
            hint = f"the included part says it at {key.place}"
            problems.add(mine[0].place, "duplicate-key", f"'{key.text}' is written twice", hint)
    return Node(whole.place, pairs=(*pairs, *own.values()))
