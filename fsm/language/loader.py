"""From text to a checked spec. Opens no file: what a spec refers to is fetched by the caller's function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

import attrs

from fsm.language.derivation import KEYS, Change, Deriver
from fsm.language.grouping import grouped
from fsm.language.ledger import Ledgers
from fsm.language.lints import lint
from fsm.language.merging import VERIFY, merged
from fsm.language.node_reader import Reader
from fsm.language.parts import Part, changed_by_parts, report_conflicts
from fsm.language.problem import Problem, Problems, SpecError
from fsm.language.spec import Spec
from fsm.language.spec_reader import SpecReader
from fsm.language.typestate import Flow, Typestate
from fsm.language.vocabulary import Vocabulary
from fsm.language.vocabulary_reader import VocabularyReader
from fsm.language.yaml_nodes import Node, read

_USUAL = "[vocabularies/realtime/session.yaml, vocabularies/call.yaml]"
NO_FOLDERS: Mapping[str, str] = MappingProxyType({})
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
        if not found.errors:
            lint(spec, flow, found)
        verdict = Verdict(grouped(found, flow.unanswered, spec), flow.situations)
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


def flattened(text: str, file: str, fetch: Fetch) -> Flat:
    """A spec as one text: what it extends and includes is in it. Raises SpecError."""
    problems = Problems()
    flat = _flat(read(text, file), problems, fetch)
    report_conflicts(flat.parts, flat.specs, problems)
    problems.raise_if_any()
    return flat


@attrs.frozen
class Flat:
    """A text with all that it extends and includes, and what it changes of what it extends."""

    root: Node
    changes: tuple[Change, ...] = ()
    folders: Mapping[str, str] = attrs.field(factory=dict)
    """Of each base in another folder: its file, and that folder, where what it refers to is looked for first."""
    parts: tuple[Part, ...] = ()
    """All that it and its bases include."""
    specs: frozenset[str] = frozenset()
    """Its name and those of its bases."""


def _flat(root: Node, problems: Problems, fetch: Fetch, depth: int = 0) -> Flat:
    """Order: the base (with what that extends and includes), the parts, what they change, then one's own changes."""
    flat, own, extends = Flat(_without_keys(root)), root, root.get("extends")
    if extends is not None and depth >= MAX_BASES:
        problems.add(extends.place, "recursion", f"more than {MAX_BASES} texts extend one another")
    elif extends is not None:
        for base, folder in _fetched_base(extends, Reader(problems), fetch):
            inner = _flat(base, problems, _beside(folder, fetch), depth + 1)
            folders = {file: f"{folder}/{inside}".strip("/") for file, inside in inner.folders.items()}
            flat = attrs.evolve(inner, folders={**folders, base.place.file: folder})
    parts = tuple(_parts(root, problems, fetch, {part.file for part in flat.parts}))
    whole = flat.root
    for part in parts:
        if extends is None:
            whole = merged(part.plain, whole, problems)
        else:  # in the order of the texts: what comes later may use what was there
            whole = merged(whole, part.plain, problems, (), "it is said at")
    if any(problem.code in ("no-file", "yaml") for problem in problems):  # what is there says nothing of what is not
        return attrs.evolve(flat, root=_without_keys(whole), parts=(*flat.parts, *parts))
    whole, changes = changed_by_parts(whole, parts, problems)
    deriver = Deriver(problems)
    if extends is None:
        whole = deriver.changed(whole, own)
    else:
        beside, own = _set_apart(own)
        whole = merged(deriver.derived(whole, own), beside, problems, (), "the base says it at")
    name = root.get("spec")
    specs = flat.specs | {name.text or ""} if name is not None else flat.specs
    changes = (*flat.changes, *changes, *deriver.changes)
    return Flat(_without_keys(whole), changes, flat.folders, (*flat.parts, *parts), specs)


def _without_keys(root: Node) -> Node:
    return attrs.evolve(root, pairs=tuple(pair for pair in root.pairs or () if pair[0].text not in KEYS))


def _parts(root: Node, problems: Problems, fetch: Fetch, known: set[str], depth: int = 0) -> Iterator[Part]:
    """What a text includes, each file once; what a part includes comes before it. A derived one is what it comes to."""
    references = root.get("include")
    if references is None:
        return
    if depth >= MAX_BASES:
        problems.add(references.place, "recursion", f"more than {MAX_BASES} parts include one another")
        return
    reader = Reader(problems)
    for reference in reader.listed(references):
        for node in _fetched(reference, reader, fetch):
            if node.place.file in known:
                continue
            if node.get("extends") is not None:
                node = _flat(node, problems, fetch, depth + 1).root
            else:
                yield from _parts(node, problems, fetch, known, depth + 1)
            known.add(node.place.file)
            yield Part(node, reference.place)


def _set_apart(root: Node) -> tuple[Node, Node]:
    """What a derived text says about its verification stands beside its base's; and the rest of it."""
    said = tuple(pair for pair in root.pairs or () if pair[0].text == VERIFY)
    rest = tuple(pair for pair in root.pairs or () if pair[0].text != VERIFY)
    return Node(root.place, pairs=said), attrs.evolve(root, pairs=rest)


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
    laid, conflicts = Problems(), Problems()
    flat = _flat(root, laid, fetch)
    report_conflicts(flat.parts, flat.specs, conflicts)
    problems.extend(conflicts.errors or laid)  # of what does not go together, what both say is no further news
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
