"""The overview as a Mermaid flowchart, which code hosts draw in Markdown. Deterministic; one arrow a line.

A flowchart and not a state diagram: only it lets lines have colours. Never here: what is drawn (fsm.draw.picture).
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.draw.picture import KINDS, Arrow, Box, ChoiceNote, Kind, OverviewPicture, all_boxes, short, sinks
from fsm.language.spec import Spec

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
# Labels keep a light ground of their own, so that their colours can be read on a dark page too.
THEME = '%%{init: {"theme": "base", "themeVariables": {"edgeLabelBackground": "#f1f5f9", "fontSize": "15px"}}}%%'
_LINES: dict[Kind, tuple[str, str]] = {
    "happy": ("==>", "stroke:#16a34a,stroke-width:3px,color:#15803d"),
    "normal": ("-->", "stroke:#64748b,color:#475569"),
    "timer": ("-.->", "stroke:#d97706,stroke-width:1.5px,color:#b45309"),
    "error": ("-->", "stroke:#dc2626,stroke-dasharray:8 3,color:#b91c1c"),
}
_ENTITIES = {"#": "#35;", ";": "#59;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "|": "#124;"}
LEGEND: dict[Kind, str] = {
    "happy": "thick green: a call in which all goes well",
    "normal": "grey: what else may happen",
    "timer": "dotted amber: a deadline",
    "error": "dashed red: something went wrong",
}


def mermaid(spec: Spec, picture: OverviewPicture) -> str:
    """The text of a `.mmd` file."""
    lines = [THEME, "flowchart TB", "  start(( )):::start", *_nodes(picture, picture.states, "  ")]
    for box in picture.boxes:
        lines += _box(picture, box, "  ")
    lines += [line for note in picture.notes if not note.group for line in _note(note, "  ")]
    lines.append(f"  start ==> {node_id(picture.initial)}")
    lines += [f"  {node_id(above)} ~~~ {node_id(box)}" for above, box in sinks(picture)]
    lines += [f"  {_arrow(spec, arrow)}" for arrow in picture.arrows]
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items()]
    lines += _styles(picture)
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text for a quoted label: entities for what ends a label in Mermaid (docs/facts/state_machines.md section 4)."""
    return "".join(_ENTITIES.get(sign, sign) for sign in text)


def node_id(name: str) -> str:
    """An id that no Mermaid word can be mistaken for, another one for each name."""
    return "s_" + "".join(c if c.isascii() and (c.isalnum() or c == "_") else f"_{ord(c):x}_" for c in name)


def _nodes(picture: OverviewPicture, states: tuple[str, ...], indent: str) -> Iterator[str]:
    for state in states:
        kind = "final" if state in picture.final else "happy" if state in picture.happy else "state"
        label = "<br/>".join(escape(line) for line in picture.label(state))
        shape = f'(["{label}"])' if kind == "final" else f'["{label}"]'
        yield f"{indent}{node_id(state)}{shape}:::{kind}"


def _box(picture: OverviewPicture, box: Box, indent: str) -> Iterator[str]:
    yield f'{indent}subgraph {node_id("box " + box.name)}["{escape(box.name)}"]'
    deeper = indent + "  "
    if box.anywhere:
        yield f'{deeper}{node_id(box.name)}(["anywhere in {escape(box.name)}"]):::anywhere'
    for inner in box.boxes:
        yield from _box(picture, inner, deeper)
    yield from _nodes(picture, box.states, deeper)
    for note in picture.notes:
        if note.group == box.name:
            yield from _note(note, deeper)
    yield f"{indent}end"


def _note(note: ChoiceNote, indent: str) -> Iterator[str]:
    ends = "<br/>".join(escape(state) for state in note.ends)
    yield f'{indent}{node_id(note.choice)}["<b>{escape(note.choice)}</b>:<br/>{ends}"]:::note'


def _arrow(spec: Spec, arrow: Arrow) -> str:
    label = "<br/>".join(escape(name) for name in short(spec, arrow.events) if name)
    return (
        f"{node_id(arrow.source)} {_LINES[arrow.kind][0]}"
        + (f'|"{label}"|' if label else "")
        + f" {node_id(arrow.target)}"
    )


def _styles(picture: OverviewPicture) -> Iterator[str]:
    """Colours of lines by number; number 0 is the arrow from the start."""
    yield f"  linkStyle 0 {_LINES['happy'][1]}"
    first = 1 + len(sinks(picture))
    for kind in KINDS:
        numbers = [str(n) for n, arrow in enumerate(picture.arrows, first) if arrow.kind == kind]
        if numbers:
            yield f"  linkStyle {','.join(numbers)} {_LINES[kind][1]}"
    for box in all_boxes(picture.boxes):
        yield f"  class {node_id('box ' + box.name)} box"
