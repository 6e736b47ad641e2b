"""The guard language: finite variables, their values, and expressions over them. No text outside an expression.

Values are small integers (positions in the variable's domain), so that the runtime, the type check and the explorer
share one representation: a configuration is a tuple of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import attrs

from fsm.errors import LocalError
from fsm.language.problem import NOWHERE, Place, Problem, SpecError, meant, suggestion

Values = Sequence[int]


@attrs.frozen
class Variable:
    """A finite variable. `index` is its position in a configuration; `kind` is state, slot, context, world or ghost."""

    name: str
    domain: tuple[str, ...]
    initial: int
    index: int
    kind: str
    overflow: str | None = None
    numeric: bool = False
    place: Place = attrs.field(default=NOWHERE, eq=False)

    def value(self, name: str) -> int:
        return self.domain.index(name)


@attrs.frozen(eq=False)
class Formula:
    """A condition taken apart, for who reasons about it and not only asks: a comparison, or what its parts come to."""

    kind: Literal["comparison", "not", "and", "or"]
    python: str
    reads: frozenset[int]
    parts: tuple[Formula, ...] = ()

    @property
    def run(self) -> Callable[[Values], int]:
        return _compiled(self.python)


@attrs.frozen
class Expr:
    """A typed expression; `python` is its text over a tuple `v`, `run` the same compiled; a value has no formula."""

    text: str
    python: str
    reads: frozenset[int]
    run: Callable[[Values], int] = attrs.field(eq=False, repr=False)
    formula: Formula | None = attrs.field(eq=False, repr=False, default=None)
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class _Term:
    """A typed value on the way to an Expr."""

    python: str
    reads: frozenset[int]
    domain: tuple[str, ...]
    numeric: bool = False


class _WrongError(LocalError):
    def __init__(self, node: ast.AST, message: str, hint: str = "") -> None:
        self.column = getattr(node, "col_offset", 0)
        self.message, self.hint = message, hint
        super().__init__(message)


_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


class Scope:
    """The variables an expression may name."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.variables = {v.name: v for v in variables}
        self.conditions: dict[str, Expr] = {}
        self.figures: Mapping[str, int] = {}
        """Numbers by name."""
        self._known: dict[tuple[str, str | None], tuple[str, frozenset[int], Formula | None]] = {}

    def name(self, condition: str, expr: Expr) -> None:
        """Lets later expressions use `expr` by a name."""
        self.conditions[condition] = expr
        self._known.clear()  # a name that meant nothing, or a variable, may mean this

    def truth(self, text: str, place: Place) -> Expr:
        """A guard: `a == b`, `a in (b, c)`, `not`, `and`, `or`; a yes/no variable stands for itself."""
        return self._parse(text, place, None)

    def value(self, text: str, place: Place, target: Variable) -> Expr:
        """The right side of `target = ...`: a value, a variable, `max(a, b)`, a number; of the target's domain."""
        return self._parse(text, place, target)

    def _parse(self, text: str, place: Place, target: Variable | None) -> Expr:
        """Most of what a spec says it says many times: by an action, in many rows."""
        key = text, None if target is None else target.name
        if key not in self._known:
            self._known[key] = self._read(text, place, target)
        python, reads, formula = self._known[key]
        return Expr(text, python, reads, _compiled(python), formula, place)

    def _read(self, text: str, place: Place, target: Variable | None) -> tuple[str, frozenset[int], Formula | None]:
        try:
            tree = ast.parse(text.strip() or "?", mode="eval").body
            if target is not None:
                term = self._value(tree, target.domain, target.numeric)
                return term.python, term.reads, None
            formula = self._truth(tree)
            return formula.python, formula.reads, formula
        except (SyntaxError, RecursionError, MemoryError, ValueError):
            raise SpecError([Problem(place, "expression", f"'{text}' is not an expression", _GRAMMAR)]) from None
        except _WrongError as wrong:
            where = place.shifted(wrong.column)
            raise SpecError([Problem(where, "expression", f"in '{text}': {wrong.message}", wrong.hint)]) from None

    def _truth(self, node: ast.expr) -> Formula:
        if isinstance(node, ast.BoolOp):
            kind: Literal["and", "or"] = "and" if isinstance(node.op, ast.And) else "or"
            parts = tuple(self._truth(value) for value in node.values)
            return Formula(kind, "(" + f" {kind} ".join(p.python for p in parts) + ")", _union(parts), parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return negation(self._truth(node.operand))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._comparison(node)
        if isinstance(node, ast.Name):
            if (known := self.conditions.get(node.id)) is not None and known.formula is not None:
                return known.formula
            variable = self._variable(node)
            if variable.domain != ("no", "yes"):
                hint = f"compare it with one of: {', '.join(variable.domain)}"
                raise _WrongError(node, f"'{variable.name}' is not a yes/no variable", hint)
            return Formula("comparison", f"(v[{variable.index}] == 1)", frozenset({variable.index}))
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return Formula("comparison", str(node.value), frozenset())
        raise _WrongError(node, "this is not a condition", _GRAMMAR)

    def _comparison(self, node: ast.Compare) -> Formula:
        operator, right = node.ops[0], node.comparators[0]
        if isinstance(operator, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple) or not right.elts or not isinstance(node.left, ast.Name):
                raise _WrongError(node, "'in' takes a variable and a list of values", "e.g. create in (none, lost)")
            variable = self._variable(node.left)
            members = [self._value(item, variable.domain, variable.numeric) for item in right.elts]
            word = "in" if isinstance(operator, ast.In) else "not in"
            inside = ", ".join(m.python for m in members)
            reads = _union(members) | {variable.index}
            return Formula("comparison", f"(v[{variable.index}] {word} ({inside},))", reads)
        word = _COMPARISONS.get(type(operator), "")
        if not word:
            raise _WrongError(node, "this comparison is not in the language", _GRAMMAR)
        left_node, right_node = node.left, right
        if not self._names_variable(left_node) and self._names_variable(right_node):
            anchor = self._variable(right_node)  # "0 < tools_running"
        else:
            anchor = self._variable(left_node)
        left = self._value(left_node, anchor.domain, anchor.numeric)
        other = self._value(right_node, anchor.domain, anchor.numeric)
        return Formula("comparison", f"({left.python} {word} {other.python})", _union([left, other]))

    def _names_variable(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self.variables

    def _variable(self, node: ast.expr) -> Variable:
        if not isinstance(node, ast.Name):
            raise _WrongError(node, "a variable is expected here", _GRAMMAR)
        variable = self.variables.get(node.id)
        if variable is None:
            raise _WrongError(node, f"there is no variable '{node.id}'", suggestion(node.id, self.variables))
        return variable

    def _value(self, node: ast.expr, domain: tuple[str, ...], numeric: bool) -> _Term:
        """A term whose values lie in `domain`."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("max", "min"):
            if len(node.args) < 2 or node.keywords:
                raise _WrongError(node, f"'{node.func.id}' takes two or more values", "e.g. max(owed, turn)")
            parts = [self._value(argument, domain, numeric) for argument in node.args]
            inside = ", ".join(p.python for p in parts)
            return _Term(f"{node.func.id}({inside})", _union(parts), domain, numeric)
        if isinstance(node, ast.BinOp) and numeric and isinstance(node.op, ast.Add | ast.Sub):
            left, right = self._value(node.left, domain, True), self._value(node.right, domain, True)
            sign = "+" if isinstance(node.op, ast.Add) else "-"
            return _Term(f"({left.python} {sign} {right.python})", _union([left, right]), domain, True)
        name = node.id if isinstance(node, ast.Name) else None
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            name = str(node.value)
        if name is None:
            raise _WrongError(node, "a value or a variable is expected here", _GRAMMAR)
        if numeric and name in self.figures:
            name = str(self.figures[name])
        if name in domain:
            return _Term(str(domain.index(name)), frozenset(), domain, numeric)
        variable = self.variables.get(name)
        if variable is None:
            hint = f"values here: {', '.join(domain)}{meant(name, (*domain, *self.variables))}"
            raise _WrongError(node, f"'{name}' is neither a value nor a variable", hint)
        if variable.domain != domain and not (numeric and variable.numeric):
            raise _WrongError(node, f"'{name}' has other values", f"values here: {', '.join(domain)}")
        return _Term(f"v[{variable.index}]", frozenset({variable.index}), domain, numeric)


_GRAMMAR = "the language: a == b, a != b, a in (b, c), a < 3, not, and, or, max(a, b), yes/no variables by name"


def negation(formula: Formula) -> Formula:
    return Formula("not", f"(not {formula.python})", formula.reads, (formula,))


def _union(terms: Sequence[_Term | Formula]) -> frozenset[int]:
    return frozenset().union(*(t.reads for t in terms))


_RUNNERS: dict[str, Callable[[Values], int]] = {}


def _compiled(python: str) -> Callable[[Values], int]:
    """The function of a generated text; the text holds nothing but v[i], numbers and operators (see Scope)."""
    runner = _RUNNERS.get(python)
    if runner is None:
        runner = eval(f"lambda v: {python}", {"__builtins__": {"max": max, "min": min}})
        _RUNNERS[python] = runner
    return runner


ALWAYS = Expr("always", "True", frozenset(), lambda _v: True, Formula("comparison", "True", frozenset()))
