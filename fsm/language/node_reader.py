"""Taking nodes apart with errors that name the place: the tool of every reader of specs, vocabularies and worlds."""

from __future__ import annotations

from collections.abc import Sequence

from fsm.language.problem import Problems, suggestion
from fsm.language.yaml_nodes import Node


class Reader:
    """Typed access to nodes; what is wrong goes to `problems` and a harmless value comes back."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def text(self, node: Node) -> str:
        if node.text is None:
            self.problems.add(node.place, "type", f"a text is expected here, this is a {node.kind}")
            return ""
        return node.text

    def one_of(self, node: Node, allowed: Sequence[str]) -> str:
        """The text of the node, which must be one of `allowed` (its first one, where it is not)."""
        name = self.text(node)
        if name in allowed:
            return name
        self.problems.add(node.place, "unknown-name", f"'{name}' is not known here", suggestion(name, allowed))
        return allowed[0] if allowed else ""

    def number(self, node: Node, least: int = 0) -> int:
        name = self.text(node)
        if name.isdigit() and int(name) >= least:
            return int(name)
        self.problems.add(node.place, "type", f"a whole number from {least} is expected here, not '{name}'")
        return least

    def entries(self, node: Node | None) -> tuple[tuple[Node, Node], ...]:
        """The pairs of a mapping; none for a node that is absent or empty."""
        if node is None or node.text == "":
            return ()
        if node.pairs is None:
            self.problems.add(node.place, "type", f"a mapping is expected here, this is a {node.kind}")
            return ()
        return node.pairs

    def mapping(self, node: Node, keys: Sequence[str]) -> dict[str, Node]:
        """A mapping that may hold only `keys`."""
        found = {}
        for key, value in self.entries(node):
            name = key.text or ""
            if name in keys:
                found[name] = value
            else:
                self.problems.add(key.place, "unknown-key", f"'{name}' means nothing here", suggestion(name, keys))
        return found

    def listed(self, node: Node) -> tuple[Node, ...]:
        """The items of a list; a single value counts as a list of one."""
        if node.items is not None:
            return node.items
        return (node,) if node.text != "" else ()
