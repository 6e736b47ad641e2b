"""Conditions and operations of a spec as texts that mean the same in any other spec: names, never positions.

Never here: comparing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from fsm.language.expression import Expr
from fsm.language.spec import Branch, Operation, Spec


def condition(spec: Spec, expr: Expr) -> str:
    """As written; where it uses named conditions, followed by what they come to."""
    meaning = _meaning(spec, expr)
    return expr.text if _plain(meaning) == _plain(expr.text) else f"{expr.text}  ⟨{meaning}⟩"


def _meaning(spec: Spec, expr: Expr) -> str:
    """The compiled text with the names of variables and, beside a number, the value it stands for."""

    def compared(found: re.Match[str]) -> str:
        variable = spec.variables[int(found[1])]
        value = int(found[3])
        named = variable.domain[value] if value < len(variable.domain) and not variable.numeric else found[3]
        return f"{variable.name} {found[2]} {named}"

    def within(found: re.Match[str]) -> str:
        variable = spec.variables[int(found[1])]
        names = [variable.domain[int(n)] for n in re.findall(r"\d+", found[3])]
        return f"{variable.name} {found[2]} ({', '.join(names)})"

    text = re.sub(r"v\[(\d+)\]\s*((?:not )?in)\s*\(([\d, ]+)\)", within, expr.python)
    text = re.sub(r"v\[(\d+)\]\s*(==|!=|<=|>=|<|>)\s*(\d+)", compared, text)
    return re.sub(r"v\[(\d+)\]", lambda found: spec.variables[int(found[1])].name, text)


def _plain(text: str) -> str:
    return re.sub(r"[\s()'\"]", "", text)


def operations(spec: Spec, ops: Sequence[Operation]) -> str:
    """Operations as written, named actions unfolded, in order."""
    return ", ".join(_operation(spec, op) for op in ops)


def _operation(spec: Spec, op: Operation) -> str:
    if not isinstance(op, Branch):
        return op.text
    then, otherwise = operations(spec, op.then) or "nothing", operations(spec, op.otherwise)
    return f"if {condition(spec, op.condition)}: ({then})" + (f" else: ({otherwise})" if otherwise else "")


def slot_values(spec: Spec, slot: str, values: Iterable[int]) -> str:
    """Values of a slot by name."""
    domain = spec.variables[spec.slot_index[slot]].domain
    return "|".join(domain[v] for v in sorted(values))


def slot_moves(spec: Spec, moves: Mapping[str, Mapping[int, int]]) -> str:
    """How a word moves slots, by name."""
    found = []
    for slot, change in sorted(moves.items()):
        domain = spec.variables[spec.slot_index[slot]].domain
        found += [f"{slot} {domain[a]} → {domain[b]}" for a, b in sorted(change.items()) if a != b]
    return ", ".join(found)
