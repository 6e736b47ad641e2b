"""The page for reviewers, at the head of a spec's page: what differs from its base, its main rows, its deadlines.

Some 60 lines: what a change of a spec has to be read against. Never here: everything (fsm.draw.page).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsm.draw.flow import Lead
from fsm.draw.picture import OverviewPicture, duration
from fsm.draw.text import Links, code, guard, named, prose, table
from fsm.language.derivation import Change
from fsm.language.spec import Branch, Cell, Deadline, Emit, Operation, Presume, Row, Spec

MOST_CHANGES, MOST_ROWS = 30, 30
_Told = tuple[tuple[str, ...], str, Row]
"""The events that are answered, where, and the row that answers them."""


def summary(
    spec: Spec, found: Sequence[Lead], drawn: OverviewPicture, links: Links, changes: Sequence[Change]
) -> Iterator[str]:
    """The lines of the page; `changes` are those of a spec that extends another."""
    yield from ("## For reviewers", "")
    if changes:
        yield from ("What it changes of the spec that it extends:", "")
        rows = [(each.kind, prose(" ".join(each.path)), _base(links, each), links.line(each.place)) for each in changes]
        yield from table(("it", "what", "of the base", "line"), rows[:MOST_CHANGES])
        if len(rows) > MOST_CHANGES:
            yield from (f"and {len(rows) - MOST_CHANGES} more (`turnspec show`).", "")
    yield from ("A call in which all goes well, by what goes out:", "", *_rows(links, _happy(found, drawn)))
    told = {row.place for _, _, row in _happy(found, drawn)}
    own = [each for each in _own(spec) if each[2].kind in ("go", "stay") and each[2].place not in told]
    if own:
        yield from ("What else the spec's own file says:", "", *_rows(links, own[:MOST_ROWS]))
        if len(own) > MOST_ROWS:
            yield from (f"and {len(own) - MOST_ROWS} more, below.", "")
    yield from ("What is waited for, and what comes of it if it does not come:", "")
    waits = [(code(d.name), duration(d.after_ms), *_due(spec, d), links.line(d.place)) for d in spec.deadlines.values()]
    yield from table(("deadline", "after", "does", "to", "line"), waits)


def _base(links: Links, change: Change) -> str:
    return links.line(change.base) if change.base is not None else ""


def _rows(links: Links, told: Sequence[_Told]) -> list[str]:
    head = ("in", "event", "if", "does", "to", "line")
    return table(
        head,
        [
            (code(where), named(events, "<br>"), guard(row), _does(row), code(row.target or ""), links.line(row.place))
            for events, where, row in told
        ],
    )


def _does(row: Row) -> str:
    """Its effects, and what it takes for granted; what it notes is below."""
    return named(dict.fromkeys(_said(row.operations)))


def _said(ops: Sequence[Operation]) -> Iterator[str]:
    for each in ops:
        if isinstance(each, Branch):
            yield from _said((*each.then, *each.otherwise))
        elif isinstance(each, Emit | Presume):
            yield each.text


def _happy(found: Sequence[Lead], drawn: OverviewPicture) -> list[_Told]:
    """The rows behind the green line of the overview; events of a state that lead on alike are one."""
    told: dict[tuple[str, str, str], tuple[list[str], Row]] = {}
    for arrow in drawn.arrows:
        for lead in found:
            here = lead.state == arrow.source and lead.event in arrow.events and arrow.target in lead.targets
            if here and arrow.kind == "happy":
                key = (lead.state, lead.row.target or "", _does(lead.row))
                told.setdefault(key, ([], lead.row))[0].append(lead.event)
    return [(tuple(dict.fromkeys(events)), key[0], row) for key, (events, row) in told.items()]


def _own(spec: Spec) -> list[_Told]:
    """The rows in the spec's own file, as they are written: several events that one line answers are one."""
    told: dict[tuple[str, str], tuple[list[str], Row]] = {}
    for (state, event), cell in spec.cells.items():
        for row in cell.rows:
            if row.place.file == spec.file:
                where = cell.group or state
                told.setdefault((where, f"{row.place} {row.guard}"), ([], row))[0].append(event)
    return [(tuple(dict.fromkeys(events)), where, row) for (where, _), (events, row) in told.items()]


def _due(spec: Spec, deadline: Deadline) -> tuple[str, str]:
    """What is done when it is due, by the first row that acts, and where that can lead."""
    cells: list[Cell] = [cell for (_, event), cell in spec.cells.items() if event == deadline.event]
    rows = {str(row.place): row for cell in cells for row in cell.rows if row.kind in ("go", "stay")}
    if not rows:
        return "", ""
    first, *others = rows.values()
    targets = dict.fromkeys(code(row.target) if row.target else "stays" for row in (first, *others))
    return _does(first), "<br>".join(targets)
