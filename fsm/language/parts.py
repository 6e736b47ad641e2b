"""The parts of a text: each once, those that a part needs first; what a part says of itself. No meaning, no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from fsm.language.derivation import OPERATIONS, Change, Deriver
from fsm.language.problem import Place, Problems
from fsm.language.yaml_nodes import Node

OF_ITSELF = ("about", "conflicts")
"""What a part says of itself, and not of the text that includes it."""
_UNIQUE = ("overrides", "removes")


@attrs.frozen
class Part:
    """A part as it is written, without what it includes itself. `place`: where it is included."""

    root: Node
    place: Place

    @property
    def file(self) -> str:
        return self.root.place.file

    @property
    def name(self) -> str:
        """That of its file: what others name it by, in `conflicts:`."""
        return self.file.replace("\\", "/").rpartition("/")[2].partition(".")[0]

    @property
    def plain(self) -> Node:
        """What is merged key by key."""
        gone = (*OF_ITSELF, *OPERATIONS, "include")
        return attrs.evolve(self.root, pairs=tuple(pair for pair in self.root.pairs or () if pair[0].text not in gone))

    def conflicts(self) -> Iterator[tuple[Node, Node]]:
        """The names of what it does not go with, parts and specs, each with the reason."""
        said = self.root.get("conflicts")
        yield from said.pairs or () if said is not None else ()


def changed_by_parts(root: Node, parts: Sequence[Part], problems: Problems) -> tuple[Node, tuple[Change, ...]]:
    """The text after what its parts remove, override and add, in their order. Two may not change the same thing."""
    found: tuple[Change, ...] = ()
    for part in parts:
        deriver = Deriver(problems)
        root = deriver.changed(root, part.root)
        for change in deriver.changes:
            other = next((each for each in found if _clash(each, change)), None)
            if other is not None:
                what = " ".join(change.path)
                hint = (
                    f"the other does at {other.place}; a part says what it does not go with: 'conflicts: {{NAME: why}}'"
                )
                problems.add(change.place, "two-meanings", f"two parts change '{what}'", hint)
        found = (*found, *deriver.changes)
    return root, found


def _clash(one: Change, other: Change) -> bool:
    short = min(len(one.path), len(other.path))
    return one.path[:short] == other.path[:short] and one.kind in _UNIQUE and other.kind in _UNIQUE


def report_conflicts(parts: Sequence[Part], specs: frozenset[str], problems: Problems) -> None:
    """A part that does not go with another, or with the spec that includes it."""
    known = {part.name: index for index, part in enumerate(parts)}
    for index, part in enumerate(parts):
        for other, reason in part.conflicts():
            name = other.text or ""
            if name not in known and name not in specs:
                continue
            place = parts[max(index, known.get(name, index))].place
            problems.add(
                place, "conflict", f"'{part.name}' does not go with '{name}': {reason.text}", f"said at {other.place}"
            )
