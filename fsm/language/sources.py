"""The texts that a spec is made of, by what stands where in them: for editors. Never here: what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import attrs

from fsm.language.derivation import OPERATIONS
from fsm.language.problem import Place, Problems, SpecError
from fsm.language.yaml_nodes import Node, plain, read


@attrs.frozen(slots=False)
class Sources:
    """By file, as places name them; the first is the spec's own. What is not YAML has nothing in it."""

    texts: Mapping[str, str]

    @cached_property
    def roots(self) -> dict[str, Node]:
        found = {}
        for file, text in self.texts.items():
            try:
                found[file] = read(text, file, Problems())
            except SpecError:
                continue
        return found

    @cached_property
    def _entries(self) -> dict[Place, Node]:
        found: dict[Place, Node] = {}
        left = list(self.roots.values())
        while left:
            node = left.pop()
            for key, value in node.pairs or ():
                found[key.place] = value
                left.append(value)
            left += node.items or ()
        return found

    def about(self, place: Place) -> str:
        """What the text says in words of what has its key there."""
        node = self._entries.get(place)
        about = node.get("about") if node is not None else None
        return " ".join((about.text or "").split()) if about is not None else ""

    def names(self, section: str) -> dict[str, tuple[Place, Node]]:
        """What the texts name in a section, the spec's own first."""
        found: dict[str, tuple[Place, Node]] = {}
        for tree in self._trees():
            node = tree.get(section)
            for key, value in (node.pairs or ()) if node is not None else ():
                found.setdefault((key.text or "").strip("+"), (key.place, value))
        return found

    def _trees(self) -> Iterator[Node]:
        for root in self.roots.values():
            yield root
            yield from (tree for name in OPERATIONS[1:] if (tree := root.get(name)) is not None)


def shown(node: Node) -> str:
    """A node in one line, as a person would write it."""
    return _flow(plain(node))


def _flow(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    return str(value)
