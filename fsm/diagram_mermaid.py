"""The overview as a Mermaid flowchart, which code hosts draw in Markdown. Deterministic; one arrow a line.

A flowchart and not a state diagram: only it lets lines have colours. Never here: what is drawn (fsm.diagram_picture).
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.diagram_picture import KINDS, Arrow, Box, Kind, Note, Picture, short
from fsm.spec import Spec

# Readable on white and on black: filled nodes carry their own dark text, lines are of middle brightness.
_CLASSES = {
    "state": "fill:#eef2f6,stroke:#64748b,color:#0f172a",
    "happy": "fill:#dcfce7,stroke:#16a34a,stroke-width:2px,color:#052e16",
    "final": "fill:#334155,stroke:#334155,color:#f8fafc",
    "start": "fill:#16a34a,stroke:#16a34a,color:#16a34a",
    "anywhere": "fill:#ffffff,stroke:#94a3b8,stroke-dasharray:4 3,color:#475569",
    "note": "fill:#fefce8,stroke:#ca8a04,color:#422006,text-align:left",
    "box": "fill:#94a3b814,stroke:#94a3b8,color:#64748b",
}
_LINES: dict[Kind, tuple[str, str]] = {
    "happy": ("==>", "stroke:#16a34a,stroke-width:3px,color:#15803d"),
    "normal": ("-->", "stroke:#64748b,color:#475569"),
    "timer": ("-.->", "stroke:#d97706,stroke-width:1.5px,color:#b45309"),
    "error": ("-->", "stroke:#dc2626,stroke-dasharray:8 3,color:#b91c1c"),
}
LEGEND: dict[Kind, str] = {
    "happy": "thick green: a call in which all goes well",
    "normal": "grey: what else may happen",
    "timer": "dotted amber: a deadline",
    "error": "dashed red: something went wrong",
}


def mermaid(spec: Spec, picture: Picture) -> str:
    """The text of a `.mmd` file."""
    lines = ["flowchart TB", f"  start(( )):::start", *_nodes(picture, picture.states, "  ")]
    for box in picture.boxes:
        lines += _box(picture, spec, box, "  ")
    lines += [line for note in picture.notes if not note.group for line in _note(spec, note, "  ")]
    lines.append(f"  start ==> {_id(picture.initial)}")
    lines += [f"  {_arrow(spec, picture, arrow)}" for arrow in picture.arrows]
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items()]
    lines += _styles(picture)
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text for a quoted label: what Mermaid reads as the end of something becomes an entity."""
    for sign, entity in (("#", "#35;"), (";", "#59;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("&", "#amp;")):
        text = text.replace(sign, entity) if sign != ";" else _semicolons(text)
    return text


def _semicolons(text: str) -> str:
    return text.replace("#35;", "\0").replace(";", "#59;").replace("\0", "#35;")


def _id(name: str) -> str:
    """An id that no Mermaid word can be mistaken for."""
    return "s_" + "".join(c if c.isalnum() and c.isascii() else "_" for c in name)


def _nodes(picture: Picture, states: tuple[str, ...], indent: str) -> Iterator[str]:
    for state in states:
        kind = "final" if state in picture.final else "happy" if state in picture.happy else "state"
        label = escape(state)
        shape = f'(["{label}"])' if kind == "final" else f'["{label}"]'
        yield f"{indent}{_id(state)}{shape}:::{kind}"


def _box(picture: Picture, spec: Spec, box: Box, indent: str) -> Iterator[str]:
    yield f'{indent}subgraph {_id("box " + box.name)}["{escape(box.name)}"]'
    deeper = indent + "  "
    if box.anywhere:
        yield f'{deeper}{_id(box.name)}(["anywhere in {escape(box.name)}"]):::anywhere'
    for inner in box.boxes:
        yield from _box(picture, spec, inner, deeper)
    yield from _nodes(picture, box.states, deeper)
    for note in picture.notes:
        if note.group == box.name:
            yield from _note(spec, note, deeper)
    yield f"{indent}end"


def _note(spec: Spec, note: Note, indent: str) -> Iterator[str]:
    head = f"<b>{escape(note.choice)}</b>"
    body = "<br/>".join(escape(line) for line in note.lines)
    yield f'{indent}{_id(note.choice)}["{head}<br/>{body}"]:::note'


def _arrow(spec: Spec, picture: Picture, arrow: Arrow) -> str:
    names = [escape(name) for name in short(spec, arrow.events) if name]
    if arrow.kind == "timer" and names:
        names[0] = "⏱ " + names[0]
    label = f'|"{"<br/>".join(names)}"|' if names else ""
    return f"{_id(arrow.source)} {_LINES[arrow.kind][0]}{label} {_id(arrow.target)}"


def _styles(picture: Picture) -> Iterator[str]:
    """Colours of lines by number; number 0 is the arrow from the start."""
    yield f"  linkStyle 0 {_LINES['happy'][1]}"
    for kind in KINDS:
        numbers = [str(n) for n, arrow in enumerate(picture.arrows, 1) if arrow.kind == kind]
        if numbers:
            yield f"  linkStyle {','.join(numbers)} {_LINES[kind][1]}"
    for box in _all_boxes(picture.boxes):
        yield f"  class {_id('box ' + box.name)} box"


def _all_boxes(boxes: tuple[Box, ...]) -> Iterator[Box]:
    for box in boxes:
        yield box
        yield from _all_boxes(box.boxes)
