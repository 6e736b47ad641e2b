"""The overview of a spec as data: boxes, arrows, notes; what is bundled and what is left out is decided here, once.

A picture of every transition is a picture of nothing. So: the happy path is drawn state by state; rows of a group are
one arrow from its box; one arrow for each pair and kind; a choice that only moves the floor within its group is a note.
Never here: Mermaid, DOT, Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import attrs

from fsm.diagram_flow import Lead, in_order, leads, routes
from fsm.loader import Loaded
from fsm.spec import Spec

Kind = Literal["happy", "normal", "timer", "error"]
KINDS: tuple[Kind, ...] = ("happy", "normal", "timer", "error")
MANY = 2  # a choice with more targets than this is not drawn as arrows to each
_TROUBLE_TAGS = ("failed", "fatal", "retryable", "unreachable")


@attrs.frozen
class Arrow:
    """One edge for all `events` of a kind between two places; `source` is a state, a group or a choice."""

    source: str
    target: str
    kind: Kind
    events: tuple[str, ...] = ()


@attrs.frozen
class Box:
    """A group as a frame: its own states and the frames within. `anywhere`: arrows leave from the whole of it."""

    name: str
    states: tuple[str, ...]
    boxes: tuple[Box, ...] = ()
    anywhere: bool = False


@attrs.frozen
class Note:
    """A choice: who comes next and under which condition; `group` is the frame it stands in ("" for none)."""

    choice: str
    lines: tuple[str, ...]
    events: tuple[str, ...]
    group: str


@attrs.frozen
class Picture:
    """Everything there is to draw, in drawing order."""

    name: str
    boxes: tuple[Box, ...]
    states: tuple[str, ...]
    notes: tuple[Note, ...]
    arrows: tuple[Arrow, ...]
    initial: str
    final: frozenset[str]
    happy: frozenset[str]


def picture(loaded: Loaded) -> Picture:
    """The overview of a spec."""
    spec, found = loaded.spec, leads(loaded)
    return _Painter(spec, found).paint()


def trouble(spec: Spec) -> frozenset[str]:
    """The events that tell of something gone wrong: errors of the wire, rejections, lost sockets, overflows."""
    vocabulary = spec.vocabulary
    bases = {form.event for form in vocabulary.errors} | {w.rejected for w in vocabulary.effects.values()}
    found = {e.name for e in vocabulary.events.values() if e.base in bases or e.source == "internal"}
    return frozenset(found | {e for e in vocabulary.events if e.rpartition(".")[2] in _TROUBLE_TAGS})


def kind_of(event: str, bad: frozenset[str]) -> Kind:
    return "timer" if event.startswith("timer.") else "error" if event in bad else "normal"


def short(spec: Spec, events: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """Names for a label: several variants become their event, long wire names lose what goes without saying."""
    by_base: dict[str, list[str]] = {}
    for event in events:
        word = spec.vocabulary.events.get(event)
        by_base.setdefault(word.base if word else event, []).append(event)
    alphabet = spec.vocabulary.alphabet
    names = []
    for base, variants in by_base.items():
        alone = len(variants) == 1 and sum(e.base == base for e in alphabet) > 1 and "timer" not in base
        name = variants[0] if alone and variants[0].rpartition(".")[2] not in ("new", "pending") else base
        name = name.removeprefix("timer.")
        names.append(name.partition(".")[2] if len(name) > 26 and name.count(".") else name)
    if len(names) <= most:
        return tuple(names)
    return (*names[: most - 1], f"and {len(names) - most + 1} more")


class _Painter:
    """One use: `_Painter(spec, leads).paint()`."""

    def __init__(self, spec: Spec, found: Sequence[Lead]) -> None:
        self.spec = spec
        self.leads = [lead for lead in found if lead.row.kind == "go"]
        self.bad = trouble(spec)
        self.arrows: dict[tuple[str, str, Kind], dict[str, None]] = {}
        self.noted: dict[tuple[str, str], dict[str, None]] = {}
        self.laminar = _laminar(spec)

    def paint(self) -> Picture:
        spec = self.spec
        self._happy_path()
        for lead in self.leads:
            if lead.group is None:
                self._own(lead)
        self._groups()
        self._orphans()
        pairs = [Arrow(s, t, k, tuple(e)) for (s, t, k), e in self.arrows.items()]
        arrows = sorted(pairs, key=lambda arrow: KINDS.index(arrow.kind))
        boxed = {s for names in self.laminar.values() for s in names}
        free = tuple(s for s in spec.states if s not in boxed)
        boxes = tuple(self._box(name, {a.source for a in arrows}) for name in self._children(None))
        final = frozenset(s.name for s in spec.states.values() if s.final)
        return Picture(
            spec.name, boxes, free, self._notes(), tuple(arrows), spec.initial, final, frozenset(spec.happy_path)
        )

    # --- arrows -------------------------------------------------------------------------------------------------------

    def _draw(self, source: str, target: str, kind: Kind, events: Iterable[str]) -> None:
        if source == target:
            return
        new = [e for e in events if e not in self.arrows.get((source, target, "happy"), ())]
        if new:
            self.arrows.setdefault((source, target, kind), {}).update(dict.fromkeys(new))

    def _happy_path(self) -> None:
        ways = routes(self.leads)
        for source, target in pairwise(self.spec.happy_path):
            events = ways.get((source, target), ())
            good = tuple(e for e in events if kind_of(e, self.bad) == "normal")
            self._draw(source, target, "happy", _telling(self.spec, good or events, source, target))

    def _own(self, lead: Lead) -> None:
        """A row of a state itself: straight to where it can lead, if those are few."""
        elsewhere = [t for t in lead.targets if t != lead.state]
        if len(elsewhere) > MANY:
            elsewhere = [lead.row.target or ""]
            self._note(lead.row.target or "", self._home((lead.state,)), ())
        for target in elsewhere:
            self._draw(lead.state, target, kind_of(lead.event, self.bad), [lead.event])

    def _groups(self) -> None:
        """Rows of a group: once, from its box; from the one state where only one can take it."""
        shared: dict[tuple[str, str, str], list[Lead]] = {}
        for lead in self.leads:
            if lead.group is not None:
                shared.setdefault((lead.group, lead.event, lead.row.id), []).append(lead)
        for (group, event, _), same in shared.items():
            source = group if len(same) > 1 else same[0].state
            targets = in_order(self.spec.states, {t for lead in same for t in lead.targets})
            choice = same[0].row.target if same[0].row.target in self.spec.choices else None
            within = set(targets) <= set(self.spec.groups[group].states)
            if choice is not None and within and len(same) > 1 and len(targets) > 1:
                self._note(choice, group, (event,))
            elif len(targets) > MANY:
                self._note(choice or "", self._home(self.spec.groups[group].states), ())
                self._draw(source, choice or "", kind_of(event, self.bad), [event])
            else:
                for target in targets:
                    self._draw(source, target, kind_of(event, self.bad), [event])

    def _orphans(self) -> None:
        """A state that no arrow reaches or leaves is tied to the note that leads there."""
        for (choice, group), events in list(self.noted.items()):
            for state in self.spec.groups[group].states if group and events else ():
                if not any(target == state for _, target, _ in self.arrows):
                    self._draw(choice, state, "normal", [""])
                if not any(source == state for source, _, _ in self.arrows):
                    self._draw(state, choice, "normal", [""])

    # --- notes and boxes ----------------------------------------------------------------------------------------------

    def _note(self, choice: str, group: str, events: Iterable[str]) -> None:
        self.noted.setdefault((choice, group), {}).update(dict.fromkeys(events))

    def _notes(self) -> tuple[Note, ...]:
        return tuple(
            Note(choice, tuple(f"{to}: {when}" for to, when in choice_lines(self.spec, choice)), tuple(events), group)
            for (choice, group), events in self.noted.items()
        )

    def _home(self, states: Sequence[str]) -> str:
        """The innermost box around all of these states."""
        inside = [name for name, names in self.laminar.items() if set(states) <= set(names)]
        return min(inside, key=lambda name: len(self.laminar[name]), default="")

    def _children(self, parent: str | None) -> list[str]:
        outer = None if parent is None else set(self.laminar[parent])
        inside = {n: set(s) for n, s in self.laminar.items() if n != parent and (outer is None or set(s) < outer)}
        return [n for n, s in inside.items() if not any(s < other for other in inside.values())]

    def _box(self, name: str, sources: set[str]) -> Box:
        inner = tuple(self._box(child, sources) for child in self._children(name))
        taken = {s for child in self._children(name) for s in self.laminar[child]}
        own = tuple(s for s in self.laminar[name] if s not in taken)
        return Box(name, own, inner, name in sources)


def _telling(spec: Spec, events: Sequence[str], source: str, target: str) -> Sequence[str]:
    """Of very many events that lead on, those that speak of what the two states are about."""
    words = {*source.split("_"), *target.split("_")}
    about = [e for e in events if words & set(e.replace(".", "_").split("_"))]
    return about or events if len(events) > 4 else events


def _laminar(spec: Spec) -> Mapping[str, tuple[str, ...]]:
    """The groups that can be drawn as frames: of two that overlap without one holding the other, the first."""
    kept: dict[str, tuple[str, ...]] = {}
    for name, group in spec.groups.items():
        new = set(group.states)
        clash = any(new & set(old) and not new < set(old) and not set(old) < new for old in kept.values())
        if new and not clash:
            kept[name] = in_order(spec.states, new)
    return kept


def choice_lines(spec: Spec, name: str) -> tuple[tuple[str, str], ...]:
    """The rows of a choice as (target, condition)."""
    return tuple((row.target or "", row.guard.text if row.guard else "else") for row in spec.choices[name].rows)
