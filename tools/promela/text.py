"""Promela as lines of text: statements, conditions, and the guard language of fsm.language.expression written in it.

Never here: what a spec or a world means (tools.promela.controller, tools.promela.world).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from fsm.language.expression import Expr

Lines = list[str]
Namer = Callable[[int], str]
"""The Promela name of the variable with this index."""

MAX_LINES = 1000  # of a d_step; SPIN takes some 2000 statements
_SIGNS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


def identifier(prefix: str, name: str) -> str:
    """A name Promela takes; the prefix keeps it apart from its keywords and from other kinds of names."""
    return prefix + re.sub(r"\W", "_", name)


def comment(text: str) -> str:
    return "/* " + text.replace("*/", "* /").replace("\\", "/") + " */"


def indented(lines: Iterable[str]) -> Lines:
    return ["  " + line for line in lines]


def when(condition: str, then: Sequence[str], otherwise: Sequence[str] = ()) -> Lines:
    """`then` where the condition holds, else `otherwise`: deterministic, never blocks."""
    if not then and not otherwise:
        return []
    return ["if", f":: {condition} ->", *_body(then), ":: else ->", *_body(otherwise), "fi;"]


def cases(options: Sequence[tuple[str, Sequence[str]]], otherwise: Sequence[str] = ()) -> Lines:
    """One of several, of whose conditions at most one holds."""
    if not options:
        return list(otherwise)
    parts = [line for condition, lines in options for line in (f":: {condition} ->", *_body(lines))]
    return ["if", *parts, ":: else ->", *_body(otherwise), "fi;"]


def first(options: Sequence[tuple[str, Sequence[str]]], otherwise: Sequence[str] = ()) -> Lines:
    """The first whose condition holds."""
    if not options:
        return list(otherwise)
    condition, lines = options[0]
    rest = first(options[1:], otherwise)
    return ["if", f":: {condition} ->", *_body(lines), ":: else ->", *_body(rest), "fi;"]


def loop(condition: str, body: Sequence[str]) -> Lines:
    return ["do", f":: {condition} ->", *_body(body), ":: else -> break", "od;"]


def steps(options: Sequence[tuple[str, Sequence[str]]], before: Sequence[str] = (), after: Sequence[str] = ()) -> Lines:
    """As `cases`, in as many d_steps as SPIN's limit asks for; the conditions must not be made true by the lines."""
    parts: list[list[tuple[str, Sequence[str]]]] = [[]]
    size = len(before)
    for option in options:
        size += len(option[1]) + 2
        if size > MAX_LINES and parts[-1]:
            parts.append([])
            size = len(option[1])
        parts[-1].append(option)
    lines = [cases(part) for part in parts]
    lines[0] = [*before, *lines[0]]
    return [line for each in (*lines, list(after)) if each for line in d_step(each)]


def d_step(lines: Sequence[str]) -> Lines:
    """Something that happens at once."""
    return ["d_step {", *indented(lines), "};"]


def _body(lines: Sequence[str]) -> Lines:
    """Comments are not statements."""
    has = any(not line.lstrip().startswith("/*") for line in lines)
    return indented(lines if has else [*lines, "skip;"])


def expression(expr: Expr, name: Namer) -> str:
    """A typed expression, in Promela."""
    return _term(ast.parse(expr.python, mode="eval").body, name)


def _term(node: ast.expr, name: Namer) -> str:
    if isinstance(node, ast.Constant):
        return str(int(node.value)) if isinstance(node.value, bool | int) else _unknown(node)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
        return name(node.slice.value)
    if isinstance(node, ast.BoolOp):
        word = " && " if isinstance(node.op, ast.And) else " || "
        return "(" + word.join(_term(value, name) for value in node.values) + ")"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return f"!({_term(node.operand, name)})"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        sign = "+" if isinstance(node.op, ast.Add) else "-"
        return f"({_term(node.left, name)} {sign} {_term(node.right, name)})"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _extreme(">" if node.func.id == "max" else "<", [_term(a, name) for a in node.args])
    if isinstance(node, ast.Compare):
        return _comparison(node, name)
    return _unknown(node)


def _comparison(node: ast.Compare, name: Namer) -> str:
    left, operator, right = _term(node.left, name), node.ops[0], node.comparators[0]
    if isinstance(operator, ast.In | ast.NotIn) and isinstance(right, ast.Tuple):
        inside = " || ".join(f"{left} == {_term(each, name)}" for each in right.elts)
        return f"({inside})" if isinstance(operator, ast.In) else f"!({inside})"
    return f"({left} {_SIGNS[type(operator)]} {_term(right, name)})"


def _extreme(sign: str, terms: Sequence[str]) -> str:
    found = terms[0]
    for term in terms[1:]:
        found = f"({found} {sign} {term} -> {found} : {term})"
    return found


def _unknown(node: ast.expr) -> str:
    raise ValueError(f"no Promela for {ast.unparse(node)}")


def clamped(target: str, top: int, value: str) -> Lines:
    """`target = value`, kept within 0..top."""
    if value.isdigit():
        return [f"{target} = {min(int(value), top)};"]
    clamp = f"(t < 0 -> 0 : (t > {top} -> {top} : t))"
    return [f"t = {value};", f"{target} = {clamp};"]
