"""YAML text as nodes that know their place. No meaning here: keys, lists and scalars only.

`yaml.compose` keeps line and column marks and every duplicate key; scalars stay text, so that YAML 1.1 cannot read
`on`, `no` or `0x10` as something else.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import yaml

from fsm.language.problem import Place, Problem, Problems, SpecError
from fsm.language.yaml_errors import explained

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@attrs.frozen
class Node:
    """A place in the text: exactly one of `text`, `items`, `pairs` is not None (an empty value is the text "").

    `quoted`: the text was written in quotes or as a block, so it is a text whatever it looks like.
    """

    place: Place
    text: str | None = None
    items: tuple[Node, ...] | None = None
    pairs: tuple[tuple[Node, Node], ...] | None = None
    quoted: bool = False

    @property
    def kind(self) -> str:
        return "text" if self.text is not None else "list" if self.items is not None else "mapping"

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.pairs or () if name.text == key), None)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items or ())


def read(text: str, file: str, found: Problems | None = None) -> Node:
    """The document of a YAML text. Raises SpecError: not YAML, a key written twice, an alias, a key that is not a text.

    With `found`, a key that is written twice or is not a text is reported there instead, and reading goes on.
    """
    problems = Problems() if found is None else found
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise SpecError([explained(error, text, file)]) from None
    if root is None:
        raise SpecError([Problem(Place(file, 1, 1), "empty", "the file is empty")])
    node = _convert(root, file, problems, set())
    if found is None:
        problems.raise_if_any()
    return node


def _convert(node: yaml.Node, file: str, problems: Problems, met: set[int]) -> Node:
    place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in met:  # the composer gives an alias the anchor's own node
        problems.add(place, "alias", "this is used again by an alias (*name): write it out where it is used")
        return Node(place, text="")
    met.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        empty = node.tag == "tag:yaml.org,2002:null" and not node.style
        text = "" if empty and node.value in ("", "~", "null") else str(node.value)
        return Node(place, text=text, quoted=bool(node.style))
    if isinstance(node, yaml.SequenceNode):
        return Node(place, items=tuple(_convert(item, file, problems, met) for item in node.value))
    assert isinstance(node, yaml.MappingNode)
    seen: dict[str, Place] = {}
    pairs = []
    for raw_key, raw_value in node.value:
        key = _convert(raw_key, file, problems, met)
        if key.text is None:
            problems.add(key.place, "key", "a key must be a plain text")
            continue
        if key.text in seen:
            first = seen[key.text]
            problems.add(key.place, "duplicate-key", f"the key '{key.text}' is written twice", f"first at {first}")
        seen.setdefault(key.text, key.place)
        pairs.append((key, _convert(raw_value, file, problems, met)))
    return Node(place, pairs=tuple(pairs))


def plain(node: Node) -> object:
    """The node as dicts, lists and texts, for readers that need no place."""
    if node.text is not None:
        return node.text
    if node.items is not None:
        return [plain(item) for item in node.items]
    return {str(key.text): plain(value) for key, value in node.pairs or ()}
