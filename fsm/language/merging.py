"""Two texts as one: what a text includes, and what it says about its own verification, is laid beside the rest.

Never here: changing another text (fsm.language.derivation), meaning.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm.language.problem import Problems
from fsm.language.yaml_nodes import Node

VERIFY = "verify"
_LISTS = ("worlds", "properties", "patience")
"""Of what is said about verification: lists to which each text adds."""
_LISTS_OF = ("after", "intents", "effects", "waive")
"""And mappings whose values are such lists: operations that follow one thing in the order of the texts, reasons."""


def merged(
    part: Node,
    whole: Node,
    problems: Problems,
    path: Sequence[str] = (),
    hint: str = "the included part says it at",
) -> Node:
    """Two mappings as one, key by key. What both say is a problem, but for mappings, and for lists that are joined."""
    own = {key.text: (key, value) for key, value in whole.pairs or ()}
    pairs = []
    for key, value in part.pairs or ():  # what is shared keeps its order; the whole's own keys follow
        mine = own.pop(key.text, None)
        inner = (*path, key.text or "")
        if mine is None:
            pairs.append((key, value))
        elif value.pairs is not None and mine[1].pairs is not None and not _are_operations(inner):
            pairs.append((mine[0], merged(value, mine[1], problems, inner, hint)))
        elif _are_operations(inner) or (inner[0] == VERIFY and inner[-1] in _LISTS):
            pairs.append((mine[0], Node(mine[1].place, items=(*_items(value), *_items(mine[1])))))
        else:
            message = f"'{key.text}' is written twice"
            problems.add(mine[0].place, "duplicate-key", message, f"{hint} {key.place}")
    return Node(whole.place, pairs=(*pairs, *own.values()))


def _are_operations(path: Sequence[str]) -> bool:
    return path[0] == VERIFY and len(path) > 1 and path[-2] in _LISTS_OF


def _items(node: Node) -> tuple[Node, ...]:
    """A single value counts as a list of one."""
    return node.items if node.items is not None else (node,) if node.text != "" else ()
