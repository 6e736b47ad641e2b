"""Which parts of the cookbook go together, by what they say of one another and by what a search has found of them.

A part of the cookbook is one in specs/parts that no bundled spec includes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from adapters.specs import BUNDLED, load_spec, specs_folder
from fsm.language.loader import Loaded
from fsm.language.yaml_nodes import Node, plain, read


def _root(name: str) -> Node:
    path = specs_folder() / f"{name}.yaml"
    return read(path.read_text(encoding="utf-8"), str(path))


def _includes(root: Node) -> set[str]:
    said = root.get("include")
    return {Path(item.text or "").stem for item in (said if said is not None and said.items is not None else ())}


def cookbook_parts() -> tuple[str, ...]:
    """By name, in order."""
    basic = {name for spec in BUNDLED for name in _includes(_root(spec))}
    names = {path.stem for path in (specs_folder() / "parts").glob("*.yaml")}
    return tuple(sorted(name for name in names if not {name} <= basic))


def conflicts(name: str) -> dict[str, str]:
    """The parts and specs that a part does not go with, each with the reason."""
    said = _root(f"parts/{name}").get("conflicts")
    found = plain(said) if said is not None else {}
    assert isinstance(found, dict)
    return found


def bases(*parts: str) -> tuple[str, ...]:
    """The bundled specs that all these parts go with. What does not go with a spec does not go with what extends it."""
    refused = {name for part in parts for name in conflicts(part)}
    return tuple(base for base in BUNDLED if not refused & {base, _extended_by(base)})


def _extended_by(spec: str) -> str:
    said = _root(spec).get("extends")
    return "" if said is None else str(plain(said))


def why_not(one: str, other: str) -> str | None:
    """Why two parts do not go together; None where they do."""
    said = conflicts(one).get(other) or conflicts(other).get(one)
    if said is None and not bases(one, other):
        return "there is no bundled spec that both go with"
    return said


def including(base: str, *parts: str, typestate: bool = True) -> Loaded:
    """A bundled spec with these parts and nothing else. Raises SpecError."""
    names = ", ".join(f"parts/{name}.yaml" for name in parts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.yaml"
        path.write_text(f"spec: {'_'.join((base, *parts))}\nextends: {base}\ninclude: [{names}]\n", encoding="utf-8")
        return load_spec(path, typestate=typestate)


def table(searched: Collection[tuple[str, ...]]) -> str:
    """What goes with what, in Markdown, then each reason; what is `searched` holds with every spec."""
    parts = cookbook_parts()
    shown = [base for base in BUNDLED if any(base in bases(part) for part in parts)]
    lines = [["", *shown, *parts], ["---", *(":-:" for _ in (*shown, *parts))]]
    reasons = [f"- {base}: no part goes with it yet" for base in BUNDLED if base not in shown]
    for part in parts:
        alone = (_word((part,), searched) if base in bases(part) else "-" for base in shown)
        lines.append([f"**{part}**", *alone, *_pairs(part, parts, searched)])
        reasons += [f"- {part}, {other}: {reason}" for other, reason in conflicts(part).items() if other in shown]
    pairs = ((one, other, why_not(one, other)) for one, other in combinations(parts, 2))
    reasons += [f"- {one}, {other}: {reason}" for one, other, reason in pairs if reason is not None]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) + "\n\n" + "\n".join(reasons)


def _pairs(part: str, parts: Sequence[str], searched: Collection[tuple[str, ...]]) -> Iterator[str]:
    for other in parts:
        pair = tuple(sorted((part, other)))
        yield "" if part == other else _word(pair, searched) if why_not(*pair) is None else "-"


def _word(together: tuple[str, ...], searched: Collection[tuple[str, ...]]) -> str:
    return "yes" if together in searched else "(yes)"
