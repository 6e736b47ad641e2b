"""What must never, always or eventually be so, in the terms of one spec and its world. Pure.

An expression may name the state, slots, context, world and ghost variables (ghosts remember what has happened, so that
"never B after A" is a question about one state). There are two kinds of claims, and two ways to judge them:

- `never` and `always` are about each state by itself. Their contrary is brought into disjunctive normal form: a list
  of clauses, each a conjunction, so a claim is broken in a state where all tests of one clause hold. No test compares a
  variable of the spec with one of the world; so a clause falls apart into a part about the control and a part about
  the world. Each part is evaluated once for each control and each world, as a bit, and to judge a state is one `&` of
  two integers. The bit says which clause holds, the clause which claim is broken.
- `leads_to` is about runs: from a state where `from` holds, every fair run comes to one where `to` holds. It is judged
  on the graph when all of it is there (fsm.verify.cycles). `each:` makes one such promise for each state named.

A claim that names what a spec does not have (`over`), or that needs assumptions or features that are not given
(`needs`), does not apply, and is reported so: that is different from "holds".

Never here: searching (fsm.verify.explore), cycles (fsm.verify.cycles).
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import attrs

from fsm.language.expression import Expr, Scope, Variable
from fsm.language.problem import NOWHERE, Place, Problem, SpecError
from fsm.language.spec import Spec
from fsm.world.world import Act, Need

Kind = Literal["never", "always", "leads_to"]
NOT: Final = "not "


@attrs.frozen
class Claim:
    """A property as written. `texts` are (from, to) of leads_to, else the expressions of which none may hold."""

    name: str
    kind: Kind
    about: str
    texts: tuple[tuple[str, Place], ...]
    specs: tuple[str, ...]
    needs: tuple[Need, ...]
    each: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    """Variables of the spec it speaks of: a spec that has not all of them is not judged by it."""
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Check:
    """One test of a clause; `negated` turns it around."""

    expr: Expr
    negated: bool


@attrs.frozen
class Clause:
    """A way to break a property: all of these at once."""

    of_control: tuple[Check, ...]
    of_world: tuple[Check, ...]


@attrs.frozen
class Property:
    """A claim bound to a spec and a world. `clauses` break it; of leads_to, `start` must lead to `goal`."""

    claim: Claim
    name: str
    clauses: tuple[Clause, ...] = ()
    start: Expr | None = None
    goal: Expr | None = None


class Joint:
    """The variables of a spec and of a world in one configuration, the spec's first."""

    def __init__(self, spec: Sequence[Variable], world: Sequence[Variable]) -> None:
        self.split = len(spec)
        shifted = [attrs.evolve(v, index=v.index + self.split) for v in world]
        twice = {v.name: v.place for v in spec}.keys() & {v.name for v in world}
        if twice:
            places = [v.place for v in world if v.name in twice]
            names = ", ".join(sorted(twice))
            raise SpecError(
                [Problem(places[0], "two-meanings", f"the spec has variables of these names, too: {names}")]
            )
        self.scope = Scope([*spec, *shifted])
        self.padding = (0,) * self.split

    def lacks(self, claim: Claim) -> tuple[str, ...]:
        """What a claim speaks of and the spec does not know."""
        return tuple(name for name in claim.over if name not in self.scope.variables)

    def bound(self, claim: Claim) -> tuple[Property, ...]:
        """The properties a claim stands for; SpecError where an expression does not fit."""
        if claim.kind == "leads_to":
            return tuple(self._leads(claim, state) for state in claim.each or ("",))
        clauses: list[Clause] = []
        for text, place in claim.texts:
            try:
                tree = ast.parse(text.strip() or "?", mode="eval").body
            except SyntaxError:
                raise SpecError([Problem(place, "expression", f"'{text}' is not an expression")]) from None
            clauses += [self._clause(literals, place) for literals in ways(tree, claim.kind == "always")]
        return (Property(claim, claim.name, tuple(clauses)),)

    def _leads(self, claim: Claim, state: str) -> Property:
        texts = [(text.replace("each", state) if state else text, place) for text, place in claim.texts]
        start, goal = (self.scope.truth(text, place) for text, place in texts)
        return Property(claim, f"{claim.name}[{state}]" if state else claim.name, (), start, goal)

    def _clause(self, literals: Sequence[tuple[ast.expr, bool]], place: Place) -> Clause:
        control: list[Check] = []
        world: list[Check] = []
        for node, negated in literals:
            text = ast.unparse(node)
            literal = Check(self.scope.truth(text, place), negated)
            sides = {index < self.split for index in literal.expr.reads}
            if len(sides) > 1:
                message = f"'{text}' compares a variable of the spec with one of the world"
                raise SpecError([Problem(place, "expression", message, "compare each with a value")])
            (control if True in sides else world).append(literal)
        return Clause(tuple(control), tuple(world))


def ways(node: ast.expr, negated: bool) -> list[list[tuple[ast.expr, bool]]]:
    """The disjunctive normal form of a condition (of its contrary, if `negated`): lists of (test, turned around)."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ways(node.operand, not negated)
    if isinstance(node, ast.BoolOp):
        parts = [ways(value, negated) for value in node.values]
        if isinstance(node.op, ast.Or) != negated:
            return [way for part in parts for way in part]
        found: list[list[tuple[ast.expr, bool]]] = [[]]
        for part in parts:
            found = [[*left, *right] for left in found for right in part]
        return found
    return [[(node, negated)]]


class PropertyJudge:
    """Clauses of properties as bits, for the explorer (fsm.verify.tables.Judge)."""

    def __init__(self, properties: Sequence[Property], padding: tuple[int, ...]) -> None:
        self.padding = padding
        self.clauses = [(p, clause) for p in properties for clause in p.clauses]
        self.of_control = _bits([clause.of_control for _, clause in self.clauses], 0)
        self.of_world = _bits([clause.of_world for _, clause in self.clauses], len(padding))


def _bits(clauses: Sequence[Sequence[Check]], split: int) -> Callable[[Sequence[int]], int]:
    """One function for one side of all clauses: the bits of those that hold. Its text is made of generated texts.

    `split` is how many of the joint variables come before those of this side.
    """
    masks: dict[str, int] = {}
    for bit, literals in enumerate(clauses):
        tests = [f"{'not ' if each.negated else ''}({_shifted(each.expr.python, split)})" for each in literals]
        condition = " and ".join(tests)
        masks[condition] = masks.get(condition, 0) | 1 << bit
    lines = ["def made(v):", f"    bits = {masks.pop('', 0)}"]
    lines += [f"    if {condition}: bits |= {mask}" for condition, mask in masks.items()]
    return _function("\n".join([*lines, "    return bits"]))


@functools.lru_cache(64)
def _function(text: str) -> Callable[[Sequence[int]], int]:
    """Scenes of a spec have it in common where the same properties apply."""
    namespace: dict[str, Callable[[Sequence[int]], int]] = {}
    exec(text, {"__builtins__": {"max": max, "min": min}}, namespace)  # noqa: S102
    return namespace["made"]


def _shifted(python: str, split: int) -> str:
    """The text over the world's values alone."""
    return re.sub(r"v\[(\d+)\]", lambda found: f"v[{int(found.group(1)) - split}]", python)


@attrs.frozen
class Intent:
    """What a spec may say that it means by something of its own: what follows each thing that it names so.

    `after`: what is followed, with `each` for the name. `instead`: nothing else follows it.
    """

    name: str
    about: str
    after: str
    acts: tuple[Act, ...]
    instead: bool
    place: Place = attrs.field(default=NOWHERE, eq=False)


@attrs.frozen
class Waiver:
    """Why a spec does not keep to a property, in its own words."""

    name: str
    reason: str
    place: Place = attrs.field(default=NOWHERE, eq=False)


INSTEAD = "instead"
"""Of a hook: what it follows is followed by nothing else."""


@attrs.frozen
class Properties:
    """Files of properties: ghost variables (indexed after the world's), what moves them, and claims."""

    file: str
    ghosts: tuple[Variable, ...]
    hooks: Mapping[tuple[str, str], tuple[Act, ...]]
    claims: tuple[Claim, ...]
    intents: Mapping[str, Intent] = attrs.field(factory=dict)
    waived: Mapping[str, Waiver] = attrs.field(factory=dict)
    """By the name of the property, or of one of the promises that it stands for: `name[state]`."""

    def waiver(self, name: str) -> Waiver | None:
        return self.waived.get(name) or self.waived.get(name.partition("[")[0])


def states_of(claim: Claim, spec: Spec) -> tuple[str, ...]:
    """The states of a claim about each of several; `not TAG`: all that have not this tag, and are not final."""
    found: list[str] = []
    for each in claim.each:
        if each.startswith(NOT):
            tagged = spec.tagged(each.removeprefix(NOT).strip())
            found += [name for name, state in spec.states.items() if not state.final and name not in tagged]
        else:
            found.append(each)
    return tuple(dict.fromkeys(found))
