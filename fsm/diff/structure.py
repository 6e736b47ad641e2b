"""Two specs laid side by side, part by part: what was added, removed, changed. By name, transitions by their stable id.

Where something is written does not count, nor the order of rows; what it says does. Never here: what it amounts to in
a call (fsm.diff.behaviour), text for people (fsm.diff.report).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import attrs

from fsm.language.expression import Expr
from fsm.language.problem import NOWHERE, Place
from fsm.language.spec import Branch, Operation, Row, Spec
from fsm.language.vocabulary import EffectWord, EventWord, Word

Status = Literal["added", "removed", "changed"]
Part = Literal[
    "call", "state", "group", "transition", "choice", "deadline", "context", "slot", "event", "effect", "presumption"
]
PARTS: tuple[Part, ...] = (
    "call", "state", "group", "transition", "choice", "deadline", "context", "slot", "event", "effect", "presumption"
)  # fmt: skip
WORDING = frozenset({"about", "why", "id"})  # what no call notices


@attrs.frozen
class Aspect:
    """One thing said of a part, before and after; empty where nothing was said."""

    what: str
    old: str
    new: str


@attrs.frozen
class SpecChange:
    """A part that is not the same. `states` are those in which a transition is taken, in either spec."""

    part: Part
    name: str
    status: Status
    aspects: tuple[Aspect, ...]
    old: Place = NOWHERE
    new: Place = NOWHERE
    states: tuple[str, ...] = ()

    @property
    def is_wording(self) -> bool:
        """Does it change only what people read?"""
        return self.status == "changed" and all(a.what in WORDING for a in self.aspects)


@attrs.frozen
class SpecPart:
    """A part as texts."""

    part: Part
    name: str
    says: Mapping[str, str]
    place: Place
    states: tuple[str, ...] = ()


def structure(old: Spec, new: Spec) -> tuple[SpecChange, ...]:
    """Every part that differs, in the order of PARTS, then of the new spec, what was removed last."""
    moved_states = _moved_states(old, new)
    before = {(i.part, i.name): i for i in _items(old, moved_states)}
    after = {(i.part, i.name): i for i in _items(new, moved_states)}
    moved = dict(_renamed(before, after))
    found = [c for key, item in after.items() if (c := _changed(before.get(moved.get(key, key)), item))]
    gone = [item for key, item in before.items() if key not in after and key not in moved.values()]
    found += [_alone(item, "removed") for item in gone]
    return tuple(sorted(found, key=lambda c: PARTS.index(c.part)))


def _moved_states(old: Spec, new: Spec) -> Mapping[str, frozenset[str]]:
    """By group ("" for all): states that are new, gone, or no longer (or newly) of it. Said once, not for each row."""
    lone = frozenset(set(old.states) ^ set(new.states))
    found = {"": lone}
    for name in {*old.groups, *new.groups}:
        members = [set(s.groups[name].states) if name in s.groups else set() for s in (old, new)]
        found[name] = lone | frozenset(members[0] ^ members[1])
    return found


def _changed(old: SpecPart | None, new: SpecPart) -> SpecChange | None:
    if old is None:
        return _alone(new, "added")
    pairs = [Aspect(what, old.says.get(what, ""), new.says.get(what, "")) for what in {**old.says, **new.says}]
    if old.name != new.name:
        pairs.append(Aspect("id", old.name, new.name))
    aspects = tuple(a for a in pairs if a.old != a.new)
    if not aspects:
        return None
    states = tuple(dict.fromkeys((*new.states, *old.states)))
    return SpecChange(new.part, new.name, "changed", aspects, old.place, new.place, states)


def _alone(item: SpecPart, status: Status) -> SpecChange:
    is_new = status == "added"
    aspects = tuple(Aspect(w, "" if is_new else t, t if is_new else "") for w, t in item.says.items() if t)
    places = {"new" if is_new else "old": item.place}
    return SpecChange(item.part, item.name, status, aspects, states=item.states, **places)


def _renamed(
    before: Mapping[tuple[Part, str], SpecPart], after: Mapping[tuple[Part, str], SpecPart]
) -> Iterator[tuple[tuple[Part, str], tuple[Part, str]]]:
    """The id of a row holds its guard; the one row of a cell whose id changed is the same row, changed."""
    gone: dict[tuple[Part, str], list[tuple[Part, str]]] = {}
    come: dict[tuple[Part, str], list[tuple[Part, str]]] = {}
    for found, keys, other in ((gone, before, after), (come, after, before)):
        for part, name in keys:
            if part in ("transition", "choice") and (part, name) not in other:
                found.setdefault((part, name.partition("[")[0]), []).append((part, name))
    for cell, names in come.items():
        if len(names) == 1 and len(gone.get(cell, ())) == 1:
            yield names[0], gone[cell][0]


# --- the parts of a spec as texts -------------------------------------------------------------------------------------


def _items(spec: Spec, moved: Mapping[str, frozenset[str]]) -> Iterator[SpecPart]:
    yield from _call(spec)
    final = {True: "the call is over", False: ""}
    for state in spec.states.values():
        bound = ", ".join(f"{k} {slot_values(spec, k, v)}" for k, v in sorted(state.bound.items()))
        says = {
            "entry": operations(spec, state.entry), "exit": operations(spec, state.exit), "slots": bound,
            "final": final[state.final], "about": state.about,
        }  # fmt: skip
        yield SpecPart("state", state.name, says, state.place)
    for group in spec.groups.values():
        yield SpecPart("group", group.name, {"states": ", ".join(sorted(group.states))}, group.place)
    yield from _rows(spec, moved)
    for deadline in spec.deadlines.values():
        says = {"after": f"{deadline.after_ms} ms", "while": condition(spec, deadline.condition)}
        says |= {"at least": deadline.at_least} if deadline.at_least else {}
        says |= {"setting": deadline.setting} if deadline.setting else {}
        yield SpecPart("deadline", deadline.name, says, deadline.place)
    parts: tuple[tuple[Part, Sequence[object]], ...] = (("context", spec.context), ("slot", spec.slots))
    for part, _ in parts:
        for v in spec.context if part == "context" else spec.slots:
            says = {"values": ", ".join(v.domain), "initial": v.domain[v.initial], "past the end": v.overflow or ""}
            yield SpecPart(part, v.name, says, v.place)
    yield from _words(spec, "event", spec.vocabulary.events.values())
    yield from _words(spec, "effect", spec.vocabulary.effects.values())
    yield from _words(spec, "presumption", spec.vocabulary.presumptions.values())


def _call(spec: Spec) -> Iterator[SpecPart]:
    """What is said of the whole: where it begins, what the provider must be set to."""
    wants = spec.turn_detection
    needs = ", ".join(f"{k}: {v}" for k, v in sorted(wants.needs.items()))
    refuses = ", ".join(sorted(f"{r.key}: {r.value or 'any'}" for r in wants.refuses))
    place = spec.states[spec.initial].place
    says = {"initial state": spec.initial, "vocabularies": ", ".join(spec.vocabulary.names), "about": spec.about}
    yield SpecPart("call", "begin", says, attrs.evolve(place, file=spec.file, line=1))
    says = {"turns": "by hand" if wants.manual else "by the provider", "needs": needs, "refuses": refuses}
    yield SpecPart("call", "turn detection", says, attrs.evolve(place, file=spec.file, line=1))


def _rows(spec: Spec, moved: Mapping[str, frozenset[str]]) -> Iterator[SpecPart]:
    """Each row once, with the states that take it."""
    states: dict[str, list[str]] = {}
    rows: dict[str, Row] = {}
    for (state, _), cell in spec.cells.items():
        for row in cell.rows:
            if state not in moved.get(cell.group or "", moved[""]):
                states.setdefault(row.id, []).append(state)
            rows.setdefault(row.id, row)
    for name, row in rows.items():
        yield _row(spec, "transition", row, tuple(states.get(name, ())))
    for choice in spec.choices.values():
        for row in choice.rows:
            yield _row(spec, "choice", row, ())


def _row(spec: Spec, part: Part, row: Row, states: tuple[str, ...]) -> SpecPart:
    guard = condition(spec, row.guard) if row.guard is not None else "" if row.always else "else"
    says = {
        "answer": row.kind, "if": guard, "do": operations(spec, row.operations), "to": row.target or "",
        "why": row.reason, "in": ", ".join(sorted(states)),
    }  # fmt: skip
    return SpecPart(part, row.id, says, row.place, states)


def _words(spec: Spec, part: Part, words: Iterable[Word]) -> Iterator[SpecPart]:
    for word in words:
        when = ", ".join(f"{k} {slot_values(spec, k, v)}" for k, v in sorted(word.when.items()))
        says = {"legal while": when, "moves": slot_moves(spec, word.moves)}
        if isinstance(word, EventWord):
            says |= {"noise": word.noise or "", "else ignored": word.otherwise or "", "else": word.instead or ""}
        if isinstance(word, EffectWord):
            says |= {"sends": word.sends, "to": word.to, "with": word.recipe, "choices": ", ".join(word.choices)}
        yield SpecPart(part, word.name, says, word.place)


def short_id(name: str) -> str:
    """An id for a heading: a long guard is cut."""
    return re.sub(r"\[(.{48}).+\]", r"[\1…]", name)


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
