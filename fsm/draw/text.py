"""Pieces of Markdown that every page is made of: tables, code, links to lines, rows of a spec in words.

Never here: what a page holds (fsm.draw.page), the state x event table (fsm.draw.matrix).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from fsm.language.expression import Variable
from fsm.language.problem import Place
from fsm.language.spec import Branch, Operation, Row, Spec
from fsm.language.vocabulary import Word

ENDS = {"defer": "waits", "ignore": "ignored", "refuse": "refused", "cannot_happen": "cannot happen", "stay": "stays"}


def code(text: str) -> str:
    """A code span that a table cell can hold."""
    return f"`{text.replace('|', chr(92) + '|').replace('`', chr(39))}`" if text else ""


def prose(text: str) -> str:
    """Words for a table cell: nothing in them is markup."""
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())


def anchor(heading: str) -> str:
    """The anchor a code host gives to a heading."""
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


@attrs.frozen
class Links:
    """Links from a page to lines of the YAML; `up` leads from the folder of the page to where file names begin."""

    up: str

    def line(self, place: Place) -> str:
        """Of a spec that extends another: the base's line, too, where it stands for something there."""
        own = f"[{place.file}:{place.line}]({self._to(place.file)}#L{place.line})"
        if not place.over:
            return own
        file, line, _ = place.over.rsplit(":", 2)
        return f"{own} over [{file}:{line}]({self._to(file)}#L{line})"

    def number(self, file: str, line: int) -> str:
        return f"[{line}]({self._to(file)}#L{line})"

    def file(self, name: str) -> str:
        return f"[{name}]({self._to(name)})"

    def _to(self, file: str) -> str:
        return file if file.startswith("/") else self.up + file


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table with an empty line behind it; nothing without a row."""
    body = ["| " + " | ".join(row) + " |" for row in rows]
    if not body:
        return []
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *body, ""]


def named(names: Iterable[str], between: str = ", ") -> str:
    return between.join(code(name) for name in names)


def operations(ops: Sequence[Operation]) -> str:
    """Operations as written, one a line, actions in place of their names."""
    return "<br>".join(code(_operation(op)) for op in ops)


def _operation(op: Operation) -> str:
    if not isinstance(op, Branch):
        return op.text
    then, otherwise = (", ".join(map(_operation, part)) for part in (op.then, op.otherwise))
    return f"if {op.condition.text}: {then or 'nothing'}" + (f", else: {otherwise}" if otherwise else "")


def row_table(links: Links, rows: Iterable[tuple[str, Row]]) -> list[str]:
    """Answers as a table; events that one line of the spec answers alike share a row."""
    bundled: dict[tuple[object, ...], list[str]] = {}
    of: dict[tuple[object, ...], Row] = {}
    for event, row in rows:
        key = (row.place.file, row.place.line, row.kind, row.guard, row.operations, row.target, row.reason)
        bundled.setdefault(key, []).append(event)
        of.setdefault(key, row)
    return table(
        ("event", "if", "do", "to", "why", "line"),
        [
            (
                named(events, "<br>"), guard(of[key]), operations(of[key].operations),
                code(of[key].target or "") or ENDS[of[key].kind], prose(of[key].reason), links.line(of[key].place),
            )
            for key, events in bundled.items()
        ],
    )  # fmt: skip


def guard(row: Row) -> str:
    return code(row.guard.text) if row.guard else "" if row.always else "else"


def conditions(spec: Spec, word: Word) -> str:
    """Where a word is legal: the values of the slots it needs."""
    slots = {slot.name: slot for slot in spec.slots}
    return "<br>".join(f"{code(name)}: {values(slots[name], allowed)}" for name, allowed in word.when.items())


def moves(spec: Spec, word: Word) -> str:
    """What a word does to the slots."""
    slots = {slot.name: slot for slot in spec.slots}
    return "<br>".join(_move(slots[name], change) for name, change in word.moves.items())


def _move(slot: Variable, change: Mapping[int, int]) -> str:
    by_target: dict[int, list[int]] = {}
    for source, target in change.items():
        by_target.setdefault(target, []).append(source)
    parts = []
    for target, sources in by_target.items():
        start = "" if len(sources) == len(slot.domain) else values(slot, sources) + " "
        parts.append(f"{start}→ {code(slot.domain[target])}")
    return f"{code(slot.name)}: {', '.join(parts)}"


def values(variable: Variable, chosen: Iterable[int]) -> str:
    return named(variable.domain[index] for index in sorted(chosen))
