"""The picture of a change: the overview in grey, what was added, removed and changed on top, in Mermaid.

It is laid out as the new spec's overview is: the same nodes, notes and arrows in the same order, with the same labels.
Added is green and dashed, removed red, changed amber. A changed transition is drawn as an arrow of its own, from its
state or group. Never here: what changed (fsm.diff.structure).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from fsm.diff.structure import SpecChange, Status
from fsm.draw.mermaid import THEME, escape, node_id
from fsm.draw.picture import Box, ChoiceNote, OverviewPicture, all_boxes, picture, short, sinks
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
MANY = 40  # more coloured arrows than this say nothing any more
LEGEND = "green and dashed: added; red: removed; amber: changed; grey: as it was"


@attrs.frozen
class _Line:
    source: str
    target: str
    look: str
    label: str = ""


def overlay(old: Loaded, new: Loaded, changes: Sequence[SpecChange]) -> str:
    """The text of the picture; deterministic."""
    return "\n".join(_Overlay(old, new, changes).lines()) + "\n"


class _Overlay:
    """One use."""

    def __init__(self, old: Loaded, new: Loaded, changes: Sequence[SpecChange]) -> None:
        self.specs = (old.spec, new.spec)
        self.pictures = (picture(old), picture(new))
        self.changes = [c for c in changes if not c.is_wording]
        self.states: dict[str, Status] = {c.name: c.status for c in self.changes if c.part == "state"}
        self.choices = {c.name.partition("/")[0]: c.status for c in self.changes if c.part == "choice"}
        self.boxes = {box.name for box in all_boxes(self.pictures[1].boxes)}
        self.guards: dict[tuple[str, str, Status], str] = {}
        self.drawn = self._loud()
        self.loose = self._loose()

    def lines(self) -> Iterator[str]:
        drawn = self.pictures[1]
        yield THEME
        yield "flowchart TB"
        yield "  start(( )):::start"
        yield from (f"  {line}" for state in drawn.states for line in self._state(state))
        for box in drawn.boxes:
            yield from self._box(box, "  ")
        yield from (f"  {self._note(note)}" for note in drawn.notes if not note.group)
        yield f"  start ==> {node_id(drawn.initial)}"
        unseen = sinks(drawn)
        yield from (f"  {node_id(above)} ~~~ {node_id(box)}" for above, box in unseen)
        every = self._all_lines(drawn)
        yield from (f"  {self._arrow(line)}" for line in every)
        yield from (f"  {self._node(state, 'removed')}" for state in sorted(self._gone()))
        yield from (f"  {line}" for line in self._others())
        yield from (f"  classDef {name} {style}" for name, style in _CLASSES.items())
        yield f"  linkStyle 0 {_LINES['same'][1]}"
        for look, (_, style) in _LINES.items():
            numbers = [str(n) for n, line in enumerate(every, 1 + len(unseen)) if line.look == look]
            if numbers:
                yield f"  linkStyle {','.join(numbers)} {style}"
        yield from (f"  class {node_id('box ' + box.name)} box" for box in all_boxes(drawn.boxes))

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _gone(self) -> set[str]:
        return {name for name, status in self.states.items() if status == "removed"}

    def _state(self, state: str) -> Iterator[str]:
        yield self._node(state, self.states.get(state, "same"))

    def _node(self, name: str, look: str, text: str = "") -> str:
        left, right = ("([", "])") if name in self.pictures[1].final else ("[", "]")
        return f'{node_id(name)}{left}"{escape(text or name)}"{right}:::{look}'

    def _box(self, box: Box, indent: str) -> Iterator[str]:
        yield f'{indent}subgraph {node_id("box " + box.name)}["{escape(box.name)}"]'
        if box.name in self._ends() or box.anywhere:
            yield f'{indent}  {node_id(box.name)}(["anywhere in {escape(box.name)}"]):::same'
        for inner in box.boxes:
            yield from self._box(inner, indent + "  ")
        for state in box.states:
            yield f"{indent}  {self._node(state, self.states.get(state, 'same'))}"
        yield from (f"{indent}  {self._note(note)}" for note in self.pictures[1].notes if note.group == box.name)
        yield f"{indent}end"

    def _note(self, note: ChoiceNote) -> str:
        """As the overview has it, so that it takes as much room."""
        ends = "<br/>".join(escape(state) for state in note.ends)
        look = self.choices.get(note.choice, "same")
        return f'{node_id(note.choice)}["<b>{escape(note.choice)}</b>:<br/>{ends}"]:::{look}'

    def _ends(self) -> set[str]:
        return {end for line in self.drawn for end in (line.source, line.target)}

    def _others(self) -> Iterator[str]:
        """Choices, groups without a box, deadlines that changed: what has no place among states."""
        noted = {note.choice for note in self.pictures[1].notes}
        known = {*self.specs[1].states, *self._gone(), *self.boxes, *noted}
        named = self._ends()
        for name in sorted((named | set(self.choices)) - known):
            if any(name in spec.choices for spec in self.specs):
                yield f'{node_id(name)}{{{{"{escape(name)}"}}}}:::{self.choices.get(name, "same")}'
            else:
                yield f'{node_id(name)}(["anywhere in {escape(name)}"]):::same'
        yield from self.loose

    def _loose(self) -> list[str]:
        """A box of notes for changed deadlines, context and words."""
        found = [c for c in self.changes if c.part not in ("state", "transition", "choice", "group")]
        if not found:
            return []
        looks = sorted({c.status for c in found}, key=list(_SIGNS).index)
        notes = []
        for look in looks:
            names = [f"{_SIGNS[look]} {c.part} {escape(c.name)}{_figures(c)}" for c in found if c.status == look]
            more = [f"and {len(names) - 12} more"] if len(names) > 12 else []
            notes.append(f'note_{look}["{"<br/>".join([*names[:12], *more])}"]:::{look}')
        return notes

    # --- lines --------------------------------------------------------------------------------------------------------

    def _all_lines(self, drawn: OverviewPicture) -> list[_Line]:
        """The arrows of the overview in its order, coloured ones in place of those they cover; then the others."""
        loud: dict[tuple[str, str], list[_Line]] = {}
        for line in self.drawn:
            loud.setdefault((line.source, line.target), []).append(line)
        found: list[_Line] = []
        for arrow in drawn.arrows:
            covering = loud.pop((arrow.source, arrow.target), None)
            label = "<br/>".join(escape(name) for name in short(self.specs[1], arrow.events) if name)
            found += covering or [_Line(arrow.source, arrow.target, "same", label)]
        return found + [line for lines in loud.values() for line in lines]

    def _loud(self) -> list[_Line]:
        """Changed transitions, those between the same two places as one arrow for each look."""
        bundles: dict[tuple[str, str, Status], list[str]] = {}
        for change in self.changes:
            if change.part not in ("transition", "choice"):
                continue
            spec = self.specs[change.status != "removed"]
            for source, target, event in _ways(spec, change):
                if target:
                    bundles.setdefault((source, target, change.status), []).append(event)
                    if not event:
                        self.guards[source, target, change.status] = change.name.partition("/")[2].strip("[]")
        found = []
        for (source, target, look), events in list(bundles.items())[:MANY]:
            names = short(self.specs[look != "removed"], [e for e in events if e])
            names = names or (_cut(self.guards[source, target, look]),)
            label = "<br/>".join(f"{_SIGNS[look]} {escape(name)}" for name in names)
            found.append(_Line(source, target, look, label))
        return found

    def _arrow(self, line: _Line) -> str:
        label = f'|"{line.label}"|' if line.label else ""
        return f"{node_id(line.source)} {_LINES[line.look][0]}{label} {node_id(line.target)}"


def _ways(spec: Spec, change: SpecChange) -> Iterator[tuple[str, str, str]]:
    """(source, target, event) of a changed row: from its group, its state or its choice; staying comes back."""
    owner = change.name.partition("/")[0]
    if change.part == "choice":
        rows: Iterable[Row] = spec.choices[owner].rows if owner in spec.choices else ()
        yield from ((owner, row.target or "", "") for row in rows if row.id == change.name)
        return
    for (state, event), cell in spec.cells.items():
        for row in cell.rows:
            if row.id == change.name and row.kind in ("go", "stay"):
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
