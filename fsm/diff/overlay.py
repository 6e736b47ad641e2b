"""The picture of a change: the overview in grey, what was added, removed and changed on top, in Mermaid.

It is laid out as the new spec's overview is: the same nodes, notes and arrows in the same order, and no arrow besides,
since one more may turn the whole round. What changed is said on the arrow that stands for it, else in the node that it
starts from, else in a note beside. Added is green and dashed, removed red, changed amber. Never here: what changed
(fsm.diff.structure).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from fsm.diff.structure import SpecChange, Status
from fsm.draw.mermaid import THEME, escape, node_id
from fsm.draw.picture import Arrow, Box, ChoiceNote, all_boxes, picture, short, sinks
from fsm.language.loader import Loaded
from fsm.language.spec import Row, Spec

_CLASSES = {
    "same": "fill:#f8fafc,stroke:#cbd5e1,color:#475569",
    "added": "fill:#dcfce7,stroke:#16a34a,stroke-width:2px,stroke-dasharray:6 3,color:#052e16",
    "removed": "fill:#fee2e2,stroke:#dc2626,stroke-width:2px,color:#450a0a",
    "changed": "fill:#fef3c7,stroke:#d97706,stroke-width:2px,color:#422006",
    "start": "fill:#94a3b8,stroke:#94a3b8,color:#94a3b8",
    "box": "fill:#94a3b80f,stroke:#cbd5e1,color:#64748b",
}
_LINES = {
    "same": ("-->", "stroke:#94a3b8,stroke-width:1px"),
    "added": ("-.->", "stroke:#16a34a,stroke-width:2.5px,stroke-dasharray:6 4,color:#15803d"),
    "removed": ("-->", "stroke:#dc2626,stroke-width:2.5px,color:#b91c1c"),
    "changed": ("-->", "stroke:#d97706,stroke-width:2.5px,color:#b45309"),
}
_SIGNS: dict[Status, str] = {"added": "+", "removed": "−", "changed": "~"}
MANY = 6  # more lines than this in one place say nothing any more
LEGEND = "green and dashed: added; red: removed; amber: changed; grey: as it was"


@attrs.frozen
class _Way:
    """One changed row for one event: from a state, a group or a choice; without a target it stays."""

    source: str
    target: str
    event: str
    look: Status
    text: str

    @property
    def line(self) -> str:
        return f"{_SIGNS[self.look]} {escape(self.text)}"

    @property
    def whole(self) -> str:
        """Where no arrow says where it leads."""
        return self.line + (f" → {escape(self.target)}" if self.target not in ("", self.source) else "")


def overlay(old: Loaded, new: Loaded, changes: Sequence[SpecChange]) -> str:
    """The text of the picture; deterministic."""
    return "\n".join(_Overlay(old, new, changes).lines()) + "\n"


class _Overlay:
    """One use."""

    def __init__(self, old: Loaded, new: Loaded, changes: Sequence[SpecChange]) -> None:
        self.specs = (old.spec, new.spec)
        self.drawn = picture(new)
        self.finals = picture(old).final | self.drawn.final
        self.changes = [c for c in changes if not c.is_wording]
        self.states: dict[str, Status] = {c.name: c.status for c in self.changes if c.part == "state"}
        self.choices = {c.name.partition("/")[0]: c.status for c in self.changes if c.part == "choice"}
        self.gone = sorted(name for name, status in self.states.items() if status == "removed")
        self.on_arrows: dict[Arrow, list[_Way]] = {}
        self.in_nodes: dict[str, list[_Way]] = {}
        self.beside: list[_Way] = []
        for way in self._all_ways():
            self._put(way)

    def lines(self) -> Iterator[str]:
        drawn = self.drawn
        yield THEME
        yield "flowchart TB"
        yield "  start(( )):::start"
        yield from (f"  {self._state(state)}" for state in drawn.states)
        for box in drawn.boxes:
            yield from self._box(box, "  ")
        yield from (f"  {self._note(note)}" for note in drawn.notes if not note.group)
        yield f"  start ==> {node_id(drawn.initial)}"
        unseen = sinks(drawn)
        yield from (f"  {node_id(above)} ~~~ {node_id(box)}" for above, box in unseen)
        yield from (f"  {self._arrow(arrow)}" for arrow in drawn.arrows)
        yield from (f"  {self._state(state)}" for state in self.gone)
        yield from (f"  {line}" for line in self._loose())
        yield from (f"  classDef {name} {style}" for name, style in _CLASSES.items())
        yield f"  linkStyle 0 {_LINES['same'][1]}"
        for look, (_, style) in _LINES.items():
            numbers = [str(n) for n, each in enumerate(drawn.arrows, 1 + len(unseen)) if self._look(each) == look]
            if numbers:
                yield f"  linkStyle {','.join(numbers)} {style}"
        yield from (f"  class {node_id('box ' + box.name)} box" for box in all_boxes(drawn.boxes))

    # --- where a change is said ---------------------------------------------------------------------------------------

    def _all_ways(self) -> Iterator[_Way]:
        for change in self.changes:
            if change.part in ("transition", "choice"):
                spec = self.specs[change.status != "removed"]
                for source, target, event in _ways(spec, change):
                    guard = change.name.partition("/")[2].strip("[]")
                    text = short(spec, [event])[0] if event else _cut(guard)
                    yield _Way(source, target, event, change.status, text)

    def _put(self, way: _Way) -> None:
        """On the arrows of its event, from its source, a box around it or a state in it; else on that of its ends."""
        arrows = self.drawn.arrows if way.target not in ("", way.source) else ()
        told = [arrow for arrow in arrows if way.event in arrow.events and self._related(way.source, arrow.source)]
        fits = told or [arrow for arrow in arrows if (arrow.source, arrow.target) == (way.source, way.target)]
        nodes = {*self.specs[1].states, *self.drawn.anywhere, *(note.choice for note in self.drawn.notes), *self.gone}
        for arrow in fits:
            self.on_arrows.setdefault(arrow, []).append(way)
        if not fits and way.source in nodes:
            self.in_nodes.setdefault(way.source, []).append(way)
        elif not fits:
            self.beside.append(way)

    def _related(self, one: str, other: str) -> bool:
        """The same place, or one within the other."""
        mine, its = self._members(one), self._members(other)
        return one == other or (bool(mine and its) and (mine <= its or its <= mine))

    def _members(self, name: str) -> frozenset[str]:
        spec = self.specs[1]
        return frozenset(spec.groups[name].states if name in spec.groups else (name,) if name in spec.states else ())

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _state(self, state: str) -> str:
        left, right = ("([", "])") if state in self.finals else ("[", "]")
        label = "<br/>".join(escape(line) for line in self.drawn.label(state))
        look = self.states.get(state) or ("changed" if state in self.in_nodes else "same")
        return f'{node_id(state)}{left}"{self._text(label, state)}"{right}:::{look}'

    def _text(self, label: str, node: str) -> str:
        """The label of a node, with what changed and has no arrow."""
        return "<br/>".join((label, *_few([way.whole for way in self.in_nodes.get(node, ())])))

    def _box(self, box: Box, indent: str) -> Iterator[str]:
        yield f'{indent}subgraph {node_id("box " + box.name)}["{escape(box.name)}"]'
        if box.anywhere:
            look = "changed" if box.name in self.in_nodes else "same"
            text = self._text(f"anywhere in {escape(box.name)}", box.name)
            yield f'{indent}  {node_id(box.name)}(["{text}"]):::{look}'
        for inner in box.boxes:
            yield from self._box(inner, indent + "  ")
        yield from (f"{indent}  {self._state(state)}" for state in box.states)
        yield from (f"{indent}  {self._note(note)}" for note in self.drawn.notes if note.group == box.name)
        yield f"{indent}end"

    def _note(self, note: ChoiceNote) -> str:
        """As the overview has it, so that it takes as much room."""
        ends = "<br/>".join(escape(state) for state in note.ends)
        look = self.choices.get(note.choice, "same")
        text = self._text(f"<b>{escape(note.choice)}</b>:<br/>{ends}", note.choice)
        return f'{node_id(note.choice)}["{text}"]:::{look}'

    def _loose(self) -> Iterator[str]:
        """Notes of what has no place in the overview: deadlines, context, words, rows of what is not drawn."""
        others = [c for c in self.changes if c.part not in ("state", "transition", "choice", "group")]
        said: dict[Status, list[str]] = {
            look: [f"{_SIGNS[look]} {c.part} {escape(c.name)}{_figures(c)}" for c in others if c.status == look]
            + [f"{way.whole} ({escape(way.source)})" for way in self.beside if way.look == look]
            for look in _SIGNS
        }
        for look, names in said.items():
            if names:
                yield f'note_{look}["{"<br/>".join(_few(names, 2 * MANY))}"]:::{look}'

    # --- arrows -------------------------------------------------------------------------------------------------------

    def _look(self, arrow: Arrow) -> str:
        """That of all that it stands for; where some of it is as it was, it is changed."""
        looks = {way.look for way in self.on_arrows.get(arrow, ())}
        if not looks:
            return "same"
        new = {way.event for way in self.on_arrows[arrow] if way.look == "added"}
        return "added" if looks == {"added"} and {*arrow.events} <= new else "changed"

    def _arrow(self, arrow: Arrow) -> str:
        ways = self.on_arrows.get(arrow, ())
        told = {way.event for way in ways}
        lines = [way.line if way.target == arrow.target else way.whole for way in ways]
        rest = [event for event in arrow.events if event not in told]
        names = [escape(name) for name in short(self.specs[1], rest, 1 if lines else 3) if name]
        label = "<br/>".join((*_few(list(dict.fromkeys(lines))), *names))
        text = f'|"{label}"|' if label else ""
        return f"{node_id(arrow.source)} {_LINES[self._look(arrow)][0]}{text} {node_id(arrow.target)}"


def _few(lines: Sequence[str], most: int = MANY) -> list[str]:
    return [*lines] if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more"]


def _ways(spec: Spec, change: SpecChange) -> Iterator[tuple[str, str, str]]:
    """(source, target, event) of a changed row: from its group, its state or its choice; staying comes back."""
    owner = change.name.partition("/")[0]
    if change.part == "choice":
        rows: Iterable[Row] = spec.choices[owner].rows if owner in spec.choices else ()
        yield from ((owner, row.target or "", "") for row in rows if row.id == change.name)
        return
    for (state, event), cell in spec.cells.items():
        for row in cell.rows:
            if row.id == change.name and (row.kind in ("go", "stay") or change.status == "changed"):
                source = cell.group or state
                yield source, row.target or source, event
                if cell.group:
                    return


def _figures(change: SpecChange) -> str:
    """The old and the new figure of a deadline."""
    after = next((a for a in change.aspects if a.what == "after"), None)
    return f": {' to '.join(filter(None, (after.old, after.new)))}" if after else ""


def _cut(text: str, most: int = 32) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
