"""The overview of a spec as data: boxes, arrows, notes; what is bundled and what is left out is decided here, once.

A picture of every transition is a picture of nothing. So: the happy path is drawn state by state; rows of a group are
one arrow from its box; one arrow for each pair and kind; a choice that only moves the floor within its group is a note.
Never here: Mermaid, DOT, Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import attrs

from fsm.draw.flow import Lead, in_order, leads, routes
from fsm.language.loader import Loaded
from fsm.language.spec import Spec

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
class ChoiceNote:
    """A choice and the states it can end in; `group` is the box it stands in ("" for none)."""

    choice: str
    ends: tuple[str, ...]
    events: tuple[str, ...]
    group: str


@attrs.frozen
class OverviewPicture:
    """Everything there is to draw, in drawing order."""

    name: str
    boxes: tuple[Box, ...]
    states: tuple[str, ...]
    notes: tuple[ChoiceNote, ...]
    arrows: tuple[Arrow, ...]
    initial: str
    final: frozenset[str]
    happy: tuple[str, ...]
    quiet: frozenset[str] = frozenset()
    """The states in which nobody has the floor."""

    def label(self, state: str) -> tuple[str, ...]:
        """The lines of a state's label: its name, and that it is the quiet one, which not every name tells."""
        return (state, "(quiet)") if state in self.quiet else (state,)

    @property
    def anywhere(self) -> frozenset[str]:
        """The boxes that arrows leave as a whole."""
        return frozenset(box.name for box in all_boxes(self.boxes) if box.anywhere)


def picture(loaded: Loaded, found: Sequence[Lead] | None = None) -> OverviewPicture:
    """The overview of a spec; `found` are its leads, where they are known already."""
    return _Painter(loaded.spec, leads(loaded) if found is None else found).paint()


def trouble(spec: Spec) -> frozenset[str]:
    """The events that report something gone wrong: errors of the wire, rejections, lost sockets, overflows."""
    vocabulary = spec.vocabulary
    good = {form.event for forms in vocabulary.wire.values() for form in forms}  # a reply may stand for a refusal, too
    bases = {form.event for form in vocabulary.errors} | {w.rejected for w in vocabulary.effects.values()} - good
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
        if name.startswith("timer."):
            deadline = spec.deadlines[name.removeprefix("timer.")]
            name = f"{deadline.name} ({duration(deadline.after_ms)})"
        names.append(name.partition(".")[2] if len(name) > 26 and "(" not in name else name)
    if len(names) <= most:
        return tuple(names)
    return (*names[: most - 1], f"and {len(names) - most + 1} more")


def duration(ms: int) -> str:
    """Milliseconds as a person reads them."""
    return f"{ms} ms" if ms < 1000 or ms % 100 else f"{ms / 1000:g} s"


def all_boxes(boxes: Iterable[Box]) -> Iterator[Box]:
    """The boxes and those within them."""
    for box in boxes:
        yield box
        yield from all_boxes(box.boxes)


def sinks(picture: OverviewPicture) -> tuple[tuple[str, str], ...]:
    """(place, box): where all arrows of a box lead outside, the spot they start from goes below that state or note."""
    found = []
    for box in all_boxes(picture.boxes):
        boxes = list(all_boxes((box,)))
        inside = {state for each in boxes for state in each.states}
        notes = [note.choice for note in picture.notes if note.group in {each.name for each in boxes}]
        if box.anywhere and not any(a.source == box.name and a.target in inside | {*notes} for a in picture.arrows):
            hanging = [a.target for a in picture.arrows if a.source in notes and a.target in inside]
            found += [(place, box.name) for place in dict.fromkeys((*_lowest(picture, inside), *(hanging or notes)))]
    return tuple(found)


def _lowest(picture: OverviewPicture, inside: set[str]) -> tuple[str, ...]:
    """The state of these that the happy path reaches last before it comes back to one: drawn lowest."""
    first_round: dict[str, None] = {}
    for state in picture.happy:
        if state in first_round:
            break
        first_round[state] = None
    return tuple(state for state in first_round if state in inside)[-1:]


class _Painter:
    """One use: `_Painter(spec, leads).paint()`."""

    def __init__(self, spec: Spec, found: Sequence[Lead]) -> None:
        self.spec = spec
        self.leads = [lead for lead in found if lead.row.kind == "go"]
        self.bad = trouble(spec)
        self.arrows: dict[tuple[str, str, Kind], dict[str, None]] = {}
        self.noted: dict[tuple[str, str], dict[str, None]] = {}
        self.happy = dict(pairwise(spec.happy_path))
        self.frames = _frames(spec)

    def paint(self) -> OverviewPicture:
        spec = self.spec
        self._happy_path()
        for lead in self.leads:
            if lead.group is None:
                self._own(lead)
        self._groups()
        self._fold()
        self._tie_notes()
        pairs = [Arrow(s, t, k, tuple(e)) for (s, t, k), e in self.arrows.items()]
        arrows = tuple(sorted(pairs, key=lambda arrow: KINDS.index(arrow.kind)))
        boxed = {s for names in self.frames.values() for s in names}
        final = frozenset(s.name for s in spec.states.values() if s.final)
        return OverviewPicture(
            spec.name, tuple(self._box(name, arrows) for name in self._children(None)),
            tuple(s for s in spec.states if s not in boxed), self._notes(), arrows, spec.initial, final,
            spec.happy_path, spec.tagged("quiet"),
        )  # fmt: skip

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
            self._draw(source, target, "happy", _telling(good or events, source, target))

    def _own(self, lead: Lead) -> None:
        """A row of a state itself: straight to where it can lead if those are few, else to the usual one."""
        targets = lead.targets
        if len(targets) > MANY:
            usual = self.happy.get(lead.state)
            targets = (usual,) if usual in targets else (self._noted(lead.row.target or "", (lead.state,), ()),)
        for target in targets:
            self._draw(lead.state, target, kind_of(lead.event, self.bad), [lead.event])

    def _groups(self) -> None:
        """Rows of a group: once, from its box; from the one state where only one can take it."""
        shared: dict[tuple[str, str, str], list[Lead]] = {}
        for lead in self.leads:
            if lead.group is not None:
                shared.setdefault((lead.group, lead.event, lead.row.id), []).append(lead)
        for (group, event, _), same in shared.items():
            members = self.spec.groups[group].states
            targets = in_order(self.spec.states, {t for lead in same for t in lead.targets})
            choice = same[0].row.target if same[0].row.target in self.spec.choices else None
            if choice is not None and set(targets) <= set(members):
                self._noted(choice, members, (event,))
                continue
            if choice is not None and len(targets) > MANY:
                targets = (self._noted(choice, members, ()),)
            source = group if len(same) > 1 and group in self.frames else None
            for each in (source,) if source else [lead.state for lead in same]:
                for target in targets:
                    self._draw(each, target, kind_of(event, self.bad), [event])

    def _fold(self) -> None:
        """An arrow from within a box is a part of the box's own arrow to the same place, if that has the same kind."""
        for (source, target, kind), events in list(self.arrows.items()):
            inside = set(self.frames.get(source, (source,)))
            for name, states in self.frames.items():
                outer = (name, target, kind)
                if kind != "happy" and name != source and inside <= set(states) and outer in self.arrows:
                    self.arrows[outer].update(events)
                    self.arrows.pop((source, target, kind), None)
                    break

    def _tie_notes(self) -> None:
        """A note hangs on the box whose events lead to it, and on the states that nothing else reaches."""
        for (choice, group), events in self.noted.items():
            if not events or group not in self.frames:
                continue
            self._draw(group, choice, "normal", events)
            for state in self.frames[group]:
                if not any(target == state for _, target, _ in self.arrows):
                    self._draw(choice, state, "normal", [""])

    # --- notes and boxes ----------------------------------------------------------------------------------------------

    def _noted(self, choice: str, states: Sequence[str], events: Iterable[str]) -> str:
        """Puts down that a choice has to be explained, in the innermost box around `states`."""
        inside = [name for name, names in self.frames.items() if set(names) >= set(states)]
        home = min(inside, key=lambda name: len(self.frames[name]), default="")
        self.noted.setdefault((choice, home), {}).update(dict.fromkeys(events))
        return choice

    def _notes(self) -> tuple[ChoiceNote, ...]:
        return tuple(
            ChoiceNote(choice, ends(self.spec, choice), tuple(events), group)
            for (choice, group), events in self.noted.items()
        )

    def _children(self, parent: str | None) -> list[str]:
        outer = None if parent is None else set(self.frames[parent])
        inside = {n: set(s) for n, s in self.frames.items() if n != parent and (outer is None or set(s) < outer)}
        return [n for n, s in inside.items() if not any(s < other for other in inside.values())]

    def _box(self, name: str, arrows: Sequence[Arrow]) -> Box:
        inner = tuple(self._box(child, arrows) for child in self._children(name))
        own = tuple(s for s in self.frames[name] if not any(s in self.frames[c] for c in self._children(name)))
        return Box(name, own, inner, any(arrow.source == name for arrow in arrows))


def _telling(events: Sequence[str], source: str, target: str) -> Sequence[str]:
    """Of very many events that lead on, those that speak of what one of the two states is about."""
    for state in (source, target) if len(events) > 4 else ():
        about = [e for e in events if set(state.split("_")) & set(e.replace(".", "_").split("_"))]
        if about:
            return about
    return events


def _frames(spec: Spec) -> Mapping[str, tuple[str, ...]]:
    """The groups drawn as boxes and the states in them.

    Of two groups that overlap without one holding the other, the first; none that has its name from a state. A state
    off the happy path to which a group sends its own members stands outside of every box, or the arrow would have to
    leave the box it points into.
    """
    aimed = {row.target for cell in spec.cells.values() if cell.group for row in cell.rows}
    outside = {s for s in spec.states if s in aimed and s not in spec.happy_path}
    kept: dict[str, tuple[str, ...]] = {}
    for name, group in spec.groups.items():
        new = set(group.states) - outside
        clash = any(new & set(old) and not new < set(old) and not set(old) < new for old in kept.values())
        if new and not clash and name not in spec.states and name not in spec.choices:
            kept[name] = in_order(spec.states, new)
    return kept


def ends(spec: Spec, choice: str) -> tuple[str, ...]:
    """The states a choice can end in, in the order of its rows, choices behind it resolved."""
    found: dict[str, None] = {}
    queue, seen = [choice], set()
    while queue:
        name = queue.pop(0)
        if name in spec.states:
            found[name] = None
        elif name in spec.choices and name not in seen:
            seen.add(name)
            queue[:0] = [row.target or "" for row in spec.choices[name].rows]
    return tuple(found)
