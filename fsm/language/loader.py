"""From text to a checked spec. Opens no file: what a spec refers to is fetched by the caller's function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

import attrs

from fsm.language.derivation import KEYS, Change, Deriver
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
NO_FOLDERS: Mapping[str, str] = MappingProxyType({})
FEW = 3
"""So many missing answers of a state are reported one by one."""
MAX_BASES = 8
"""Of a text: whoever needs more of them goes round in a circle."""
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
        verdict = Verdict(_grouped(found, flow, spec), sum(map(len, flow.reached.values())))
        if verdicts is not None:
            verdicts.put(verdict)
    problems.extend(verdict.problems)
    problems.raise_if_any()
    return Loaded(spec, tuple(problems), verdict.situations, flow)


def sketch(text: str, file: str, fetch: Fetch, ledgers: Ledgers) -> tuple[Spec | None, tuple[Problem, ...]]:
    """A spec as far as it can be read, and what is wrong with it so far: for editors. The type check is not asked."""
    problems = Problems()
    try:
        spec = _spec(read(text, file), problems, fetch, ledgers)
    except SpecError as error:
        return None, error.problems
    return spec, tuple(problems)


def _grouped(found: Iterable[Problem], flow: Flow, spec: Spec) -> tuple[Problem, ...]:
    """A state that answers hardly anything is one problem, however many events there are."""
    problems = list(found)
    for name, events in flow.unanswered.items():
        if len(events) <= FEW:
            continue
        place = spec.states[name].place
        single = [each for each in problems if (each.place, each.code) == (place, "no-answer")]
        problems = [each for each in problems if each not in single]
        joined = [group.name for group in spec.groups.values() if name in group.states]
        known = f" of {', '.join(spec.groups)}" if spec.groups else ""
        groups = f"it is in {', '.join(joined)}" if joined else f"it is in no group{known}"
        shown = f"{', '.join(sorted(events)[:FEW])} and {len(events) - FEW} more"
        hint = f"{shown}; {groups}. Join one with 'groups:', or answer them: on, ignore ..."
        message = f"{len(events)} events have no answer in state '{name}'"
        problems.append(Problem(place, "no-answer", message, hint, single[0].trail))
    return tuple(sorted(problems))


def flattened(text: str, file: str, fetch: Fetch) -> Flat:
    """A spec as one text: what it extends and includes is in it. Raises SpecError."""
    problems = Problems()
    flat = _flat(read(text, file), problems, fetch)
    problems.raise_if_any()
    return flat


@attrs.frozen
class Flat:
    """A text with all that it extends and includes, and what it changes of what it extends."""

    root: Node
    changes: tuple[Change, ...] = ()
    folders: Mapping[str, str] = attrs.field(factory=dict)
    """Of each base in another folder: its file, and that folder, where what it refers to is looked for first."""


def _flat(root: Node, problems: Problems, fetch: Fetch, depth: int = 0) -> Flat:
    """Order: the base (with what that extends and includes), remove, override, add, then what the text includes."""
    changes: tuple[Change, ...] = ()
    folders: dict[str, str] = {}
    extends, parts = root.get("extends"), root.get("include")
    if extends is not None and depth >= MAX_BASES:
        problems.add(extends.place, "recursion", f"more than {MAX_BASES} texts extend one another")
    elif extends is not None:
        for base, folder in _fetched_base(extends, Reader(problems), fetch):
            within = _beside(folder, fetch)
            deriver = Deriver(problems)
            inner = _flat(base, problems, within, depth + 1)
            root = deriver.derived(inner.root, root)
            changes = (*inner.changes, *deriver.changes)
            folders |= {file: f"{folder}/{inside}".strip("/") for file, inside in inner.folders.items()}
            folders[base.place.file] = folder
    if parts is not None and depth >= MAX_BASES:
        problems.add(parts.place, "recursion", f"more than {MAX_BASES} parts include one another")
    else:
        for node in _fetched(parts, Reader(problems), fetch) if parts is not None else ():
            part = _flat(node, problems, fetch, depth + 1)
            root = merged(part.root, root, problems)
            changes = (*changes, *part.changes)
    pairs = tuple(pair for pair in root.pairs or () if pair[0].text not in KEYS)
    return Flat(attrs.evolve(root, pairs=pairs), changes, folders)


def _fetched_base(reference: Node, reader: Reader, fetch: Fetch) -> Iterator[tuple[Node, str]]:
    """The text that is extended, by its file or a bundled name, and the folder of its file."""
    name = reader.text(reference)
    if not name.endswith((".yaml", ".yml")):
        name += ".yaml"
    for node in _fetched(attrs.evolve(reference, text=name), reader, fetch):
        yield node, name.rpartition("/")[0]


def _beside(folder: str, fetch: Fetch) -> Fetch:
    """What a base refers to is looked for beside the base first."""
    if not folder:
        return fetch

    def fetched(reference: str) -> tuple[str, str]:
        try:
            return fetch(f"{folder}/{reference}")
        except OSError:
            return fetch(reference)

    return fetched


def _spec(root: Node, problems: Problems, fetch: Fetch, ledgers: Ledgers) -> Spec | None:
    extends = root.get("extends") is not None
    flat = _flat(root, problems, fetch)
    root = flat.root
    if extends and problems.errors:  # what is not there would only be missed once more
        return None
    words = root.get("vocabulary")
    if words is None:
        problems.add(root.place, "missing", "a spec needs 'vocabulary:'", f"e.g. vocabulary: {_USUAL}")
        return None
    vocabulary = load_vocabulary(words, problems, fetch, ledgers, flat.folders)
    return SpecReader(vocabulary, problems).read(root) if vocabulary is not None else None


def load_vocabulary(
    words: Node, problems: Problems, fetch: Fetch, ledgers: Ledgers, folders: Mapping[str, str] = NO_FOLDERS
) -> Vocabulary | None:
    """The vocabulary that a list of names makes together; None, with the reasons in `problems`, if there is none.

    `folders`: where a file's names are looked for first, if not in the folder of all.
    """
    reader = VocabularyReader(problems, ledgers)
    for name in reader.listed(words):
        beside = _beside(folders.get(name.place.file, ""), fetch)
        for node in _fetched(name, reader, beside):
            reader.read(_flat(node, problems, beside).root)
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
