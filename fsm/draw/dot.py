"""The overview as DOT, the language of Graphviz, for drawing it as SVG or PNG elsewhere. Deterministic.

Never here: what is drawn (fsm.draw.picture), drawing itself (no program is run here).
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.draw.picture import Arrow, Box, ChoiceNote, Kind, OverviewPicture, picture, short, sinks
from fsm.language.loader import Loaded
from fsm.language.spec import Spec

_HEAD = """\
  graph [rankdir=TB, compound=true, fontname="Helvetica", fontsize=12, nodesep=0.35, ranksep=0.45, bgcolor="white"]
  node [shape=box, style="filled", fontname="Helvetica", fontsize=12, margin="0.16,0.09", height=0.1]
  edge [fontname="Helvetica", fontsize=10, arrowsize=0.7]
"""
_STATES = {
    "state": 'fillcolor="#eef2f6", color="#64748b", fontcolor="#0f172a"',
    "happy": 'fillcolor="#dcfce7", color="#16a34a", fontcolor="#052e16", penwidth=2',
    "final": 'fillcolor="#334155", color="#334155", fontcolor="#f8fafc", style="filled,rounded"',
}
_ANYWHERE = 'style="filled,rounded,dashed", fillcolor="#ffffff", color="#94a3b8", fontcolor="#475569", fontsize=11'
_NOTE = 'shape=note, fillcolor="#fefce8", color="#ca8a04", fontcolor="#422006", fontsize=11'
_LINES: dict[Kind, str] = {
    "happy": 'color="#16a34a", fontcolor="#15803d", penwidth=2.5, weight=8',
    "normal": 'color="#64748b", fontcolor="#475569"',
    "timer": 'color="#d97706", fontcolor="#b45309", style=dotted, penwidth=1.6',
    "error": 'color="#dc2626", fontcolor="#b91c1c", style=dashed',
}


def to_dot(loaded: Loaded) -> str:
    """The overview of a spec as DOT text."""
    return dot(loaded.spec, picture(loaded))


def dot(spec: Spec, drawn: OverviewPicture) -> str:
    """A picture as DOT text."""
    lines = [f"digraph {_quoted(drawn.name)} {{", _HEAD.rstrip()]
    lines.append('  "start" [shape=circle, label="", width=0.16, fillcolor="#16a34a", color="#16a34a"]')
    lines += _nodes(drawn, drawn.states, "  ")
    for box in drawn.boxes:
        lines += _box(drawn, box, "  ")
    lines += [_note(note, "  ") for note in drawn.notes if not note.group]
    lines.append(f'  "start" -> {_quoted("state " + drawn.initial)} [{_LINES["happy"]}]')
    places = _places(drawn)
    lines += [
        f"  {_quoted(places.get(above, 'state ' + above))} -> {_quoted(places[box])} [style=invis]"
        for above, box in sinks(drawn)
    ]
    lines += [f"  {_arrow(spec, places, arrow)}" for arrow in drawn.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _places(drawn: OverviewPicture) -> dict[str, str]:
    """The node of each name that an arrow may have: a choice, a state, the inside of a box."""
    names = {note.choice: "note " + note.choice for note in drawn.notes}
    for arrow in drawn.arrows:
        for name in (arrow.source, arrow.target):
            names.setdefault(name, "anywhere " + name if name in drawn.anywhere else "state " + name)
    return names


def _quoted(text: str, newline: str = "\\n") -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", newline) + '"'


def _nodes(drawn: OverviewPicture, states: tuple[str, ...], indent: str) -> Iterator[str]:
    for state in states:
        kind = "final" if state in drawn.final else "happy" if state in drawn.happy else "state"
        label = _quoted("\n".join(drawn.label(state)))
        yield f"{indent}{_quoted('state ' + state)} [label={label}, {_STATES[kind]}]"


def _box(drawn: OverviewPicture, box: Box, indent: str) -> Iterator[str]:
    yield f"{indent}subgraph {_quoted('cluster ' + box.name)} {{"
    deeper = indent + "  "
    look = 'style="filled,rounded", fillcolor="#94a3b81c", color="#94a3b8", fontcolor="#64748b"'
    yield f"{deeper}graph [label={_quoted(box.name)}, labeljust=l, {look}]"
    if box.anywhere:
        yield f"{deeper}{_quoted('anywhere ' + box.name)} [label={_quoted('anywhere in ' + box.name)}, {_ANYWHERE}]"
    for inner in box.boxes:
        yield from _box(drawn, inner, deeper)
    yield from _nodes(drawn, box.states, deeper)
    for note in drawn.notes:
        if note.group == box.name:
            yield _note(note, deeper)
    yield f"{indent}}}"


def _note(note: ChoiceNote, indent: str) -> str:
    label = _quoted("\n".join((f"{note.choice}:", *note.ends, "")), "\\l")
    return f"{indent}{_quoted('note ' + note.choice)} [label={label}, {_NOTE}]"


def _arrow(spec: Spec, places: dict[str, str], arrow: Arrow) -> str:
    names = [name for name in short(spec, arrow.events) if name]
    label = f"label={_quoted(chr(10).join(names))}, " if names else ""
    return f"{_quoted(places[arrow.source])} -> {_quoted(places[arrow.target])} [{label}{_LINES[arrow.kind]}]"
