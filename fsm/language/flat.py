"""A text of nodes as YAML again: what a derived spec comes to, for reading and for comparing. Text out, no file."""

from __future__ import annotations

import attrs
import yaml

from fsm.language.yaml_nodes import Node, plain

_FIRST = ("spec", "version", "about", "vocabulary", "initial", "happy_path", "turn_detection")


class _Dumper(yaml.SafeDumper):
    """Lists of texts on one line, as specs write them, and everything else in blocks.

    Whoever reads it reads texts alone: figures, `yes` and `on` need no quotes.
    """


def _list(dumper: yaml.SafeDumper, items: list[object]) -> yaml.Node:
    short = all(isinstance(item, str) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(list, _list)
_Dumper.yaml_implicit_resolvers = {}


def as_yaml(root: Node) -> str:
    """The text; whoever reads it gets these nodes again, but for their places and the order of the sections."""
    pairs = sorted(root.pairs or (), key=lambda pair: _FIRST.index(pair[0].text) if pair[0].text in _FIRST else 99)
    return str(
        yaml.dump(
            plain(attrs.evolve(root, pairs=tuple(pairs))),
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=120,
        )
    )
