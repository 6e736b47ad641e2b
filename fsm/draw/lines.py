"""The way back: from each line of the YAML to what of the page it says. Never here: what the page says of it."""

from __future__ import annotations

from collections.abc import Iterator

from fsm.draw.text import Links, anchor, code, table
from fsm.language.loader import Loaded
from fsm.language.problem import Place


def index(loaded: Loaded, links: Links) -> Iterator[str]:
    """A table for each file of states, rows, choices and deadlines: the line, and where it is told of."""
    spec = loaded.spec
    told: dict[str, dict[int, dict[str, dict[str, None]]]] = {}
    for place, section, name in _said(loaded):
        sections = told.setdefault(place.file, {}).setdefault(place.line, {})
        sections.setdefault(section, {}).update({name: None} if name else {})
    if not told:
        return
    yield from ("## Lines", "", "From a line of the YAML to what it says, by the section that tells of it.", "")
    for file in sorted(told, key=lambda name: (name != spec.file, name)):
        rows = [(links.number(file, line), _sections(told[file][line])) for line in sorted(told[file])]
        yield from (f"### In {file}", "", *table(("line", "says"), rows))


def _said(loaded: Loaded) -> Iterator[tuple[Place, str, str]]:
    """A line, the section of the page it is told in, and what of that it says."""
    spec, live = loaded.spec, loaded.flow.live_cells
    yield from ((state.place, state.name, "") for state in spec.states.values())
    yield from ((group.place, f"Group {group.name}", "") for group in spec.groups.values())
    for (state, event), cell in spec.cells.items():
        section = f"Group {cell.group}" if cell.group is not None else state
        if cell.group is not None or (state, event) in live:
            yield from ((row.place, section, event) for row in cell.rows)
    for choice in spec.choices.values():
        yield from ((row.place, f"Choice {choice.name}", row.target or "") for row in choice.rows)
    yield from ((deadline.place, "Deadlines", deadline.event) for deadline in spec.deadlines.values())


def _sections(sections: dict[str, dict[str, None]]) -> str:
    return "<br>".join(
        f"[{section}](#{anchor(section)})" + (f": {', '.join(map(code, names))}" if names else "")
        for section, names in sections.items()
    )
