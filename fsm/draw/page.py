"""The page of a spec in Markdown: for reviewers, overview, table; every state, row, deadline and word with its line.

Its last table leads back, from each line of the YAML to what of the page it says.

`pages` gives the files in `diagrams/` that belong to a spec, as text; the caller writes or compares them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fsm.draw.flow import Lead, in_order, leads, routes
from fsm.draw.matrix import LEGEND as MARKS_LEGEND
from fsm.draw.matrix import matrix
from fsm.draw.mermaid import LEGEND, mermaid
from fsm.draw.picture import OverviewPicture, duration, ends, picture, short
from fsm.draw.summary import summary
from fsm.draw.text import (
    Links,
    anchor,
    code,
    conditions,
    guard,
    moves,
    named,
    operations,
    prose,
    row_table,
    table,
    values,
)
from fsm.language.derivation import Change
from fsm.language.loader import Loaded
from fsm.language.problem import Place
from fsm.language.spec import Deadline, Group, Row, Spec, State


def page(
    loaded: Loaded,
    found: Sequence[Lead],
    drawn: OverviewPicture,
    up: str = "../",
    changes: Sequence[Change] = (),
) -> str:
    """The whole page; `up` leads from its folder to where the file names in the spec's places begin.

    `changes`: what the spec changes of another one that it extends.
    """
    spec, links = loaded.spec, Links(up)
    lines = [
        *_head(spec, links),
        *summary(spec, found, drawn, links, changes),
        "## Overview",
        "",
        "```mermaid",
        *mermaid(spec, drawn).splitlines(),
        "```",
    ]
    lines += ["", *(f"- {text}" for text in LEGEND.values()), "- dashed oval: from every state in the box", ""]
    lines += ["## State × event", "", *matrix(loaded, found), *(f"- {text}" for text in MARKS_LEGEND), ""]
    lines += ["## States", ""]
    for state in spec.states.values():
        lines += _state(loaded, links, found, state)
    lines += ["## Groups", "", "Rows written once for several states; a state's own row for an event wins.", ""]
    for group in spec.groups.values():
        lines += _group(spec, links, group)
    lines += [*_choices(spec, links), *_deadlines(loaded, links), *_variables(spec, links)]
    lines += [*_vocabulary(spec, links), *index(loaded, links)]
    return "\n".join(lines).rstrip() + "\n"


def _head(spec: Spec, links: Links) -> Iterator[str]:
    yield f"# {spec.name}"
    yield ""
    yield f"<!-- generated from {spec.file}: change that, then run `turnspec diagram` -->"
    yield ""
    yield prose(spec.about)
    yield ""
    words = spec.vocabulary
    parts = (spec.cells, spec.choices, spec.states, words.events, words.effects, words.presumptions)
    places = [each.place for part in parts for each in part.values()] + [slot.place for slot in spec.slots]
    files = dict.fromkeys([spec.file, *(place.file for place in places)])
    yield f"Version {spec.version}, read from {', '.join(links.file(name) for name in files)}."
    yield ""


# --- states and groups ------------------------------------------------------------------------------------------------


def _state(loaded: Loaded, links: Links, found: Sequence[Lead], state: State) -> Iterator[str]:
    spec = loaded.spec
    yield from (f"### {state.name}", "", f"{prose(state.about)} {links.line(state.place)}".strip(), "")
    facts = [("on entry", operations(state.entry)), ("on exit", operations(state.exit))]
    facts += [("slots", _bound(spec, state)), ("leads to", _next(spec, state.name, found))]
    timers = [d for d in spec.deadlines.values() if state.name in _runs_in(loaded, d)]
    facts.append(("deadlines", ", ".join(f"{code(d.name)} {duration(d.after_ms)}" for d in timers)))
    yield from table(("", ""), [(name, text) for name, text in facts if text])
    live = [event for event in spec.events if (state.name, event) in loaded.flow.live_cells]
    own = [event for event in live if spec.cells[state.name, event].group is None]
    yield from row_table(links, [(event, row) for event in own for row in spec.cells[state.name, event].rows])
    for group in spec.groups:
        shared = [event for event in live if spec.cells[state.name, event].group == group]
        if shared:
            yield from (f"From [{group}](#group-{anchor(group)}): {named(shared)}.", "")


def _bound(spec: Spec, state: State) -> str:
    slots = {slot.name: slot for slot in spec.slots}
    return "<br>".join(f"{code(name)}: {values(slots[name], allowed)}" for name, allowed in state.bound.items())


def _next(spec: Spec, state: str, found: Sequence[Lead]) -> str:
    """The states that can be next, each with some of the events that can lead there."""
    ways = {target: events for (source, target), events in routes(found).items() if source == state != target}
    return "<br>".join(
        f"[{target}](#{anchor(target)}): {', '.join(map(prose, short(spec, ways[target], 6)))}"
        for target in in_order(spec.states, ways)
    )


def _runs_in(loaded: Loaded, deadline: Deadline) -> tuple[str, ...]:
    """The states in which a deadline can be due; not those of which the spec says that it cannot."""
    cells = loaded.spec.cells
    live = [state for state in loaded.spec.states if (state, deadline.event) in loaded.flow.live_cells]
    return tuple(s for s in live if any(row.kind != "cannot_happen" for row in cells[s, deadline.event].rows))


def _group(spec: Spec, links: Links, group: Group) -> Iterator[str]:
    yield from (f"### Group {group.name}", "", f"{named(group.states)} {links.line(group.place)}", "")
    rows: dict[tuple[str, str], Row] = {}
    for (_, event), cell in spec.cells.items():
        if cell.group == group.name:
            rows.update({(event, row.id): row for row in cell.rows})
    order = {event: index for index, event in enumerate(spec.events)}
    ordered = sorted(rows.items(), key=lambda item: order.get(item[0][0], 0))
    yield from row_table(links, [(event, row) for (event, _), row in ordered])


# --- what the rows refer to -------------------------------------------------------------------------------------------


def _choices(spec: Spec, links: Links) -> Iterator[str]:
    if not spec.choices:
        return
    yield from ("## Choices", "", "Decided once, targeted by many rows: exactly one row of a choice holds.", "")
    for choice in spec.choices.values():
        yield from (f"### Choice {choice.name}", "", f"Can end in {named(ends(spec, choice.name))}.", "")
        yield from table(
            ("to", "if", "do", "line"),
            [(code(r.target or ""), guard(r), operations(r.operations), links.line(r.place)) for r in choice.rows],
        )


def _deadlines(loaded: Loaded, links: Links) -> Iterator[str]:
    spec = loaded.spec
    rows = []
    for deadline in spec.deadlines.values():
        where = named(_runs_in(loaded, deadline))
        condition = code(deadline.condition.text)
        after = f"{deadline.after_ms} or {code(deadline.at_least)}" if deadline.at_least else str(deadline.after_ms)
        rows.append((code(deadline.event), after, condition, where, links.line(deadline.place)))
    if rows:
        yield from ("## Deadlines", "", "A deadline runs while its condition holds and is started anew when what it")
        yield from ("reads changes.", "", *table(("event", "after ms", "while", "can run in", "line"), rows))


def _variables(spec: Spec, links: Links) -> Iterator[str]:
    for title, text, variables in (
        ("Context", "What the spec counts and remembers; its rows change it.", spec.context),
        ("Slots", "What a conversation has exactly one of; only the vocabulary moves them.", spec.slots),
    ):
        rows = []
        for v in variables:
            domain = f"0..{len(v.domain) - 1}" if v.numeric else named(v.domain)
            waits = spec.vocabulary.waits.get(v.name, frozenset())
            more = f"past the end: {code(v.overflow)}" if v.overflow else ""
            more = f"somebody is waited for: {values(v, waits)}" if waits else more
            rows.append((code(v.name), domain, code(v.domain[v.initial]), more, links.line(v.place)))
        if rows:
            yield from (f"## {title}", "", text, "", *table(("name", "values", "at first", "", "line"), rows))


# --- vocabulary -------------------------------------------------------------------------------------------------------


def _vocabulary(spec: Spec, links: Links) -> Iterator[str]:
    vocabulary = spec.vocabulary
    yield from ("## Vocabulary", "", f"Of {named(vocabulary.names)}: what each word needs and does to the slots.", "")
    wire: dict[str, dict[str, None]] = {}
    for wire_type, forms in vocabulary.wire.items():
        for form in forms:
            wire.setdefault(form.event, {})[wire_type] = None
    events = []
    for word in vocabulary.events.values():
        source = "<br>".join(map(code, wire.get(word.base, {}))) if word.source == "wire" else word.source
        else_ = f"is {code(word.instead)}" if word.instead else prose(word.noise or word.otherwise or "")
        where = "never a reason to act" if word.noise else conditions(spec, word)
        events.append((code(word.name), source, where, moves(spec, word), else_, links.line(word.place)))
    yield from ("### Events", "", *table(("event", "from", "can be where", "moves", "elsewhere", "line"), events))
    effects = [
        (code(word.name), named(word.choices), word.to, conditions(spec, word), moves(spec, word),
         code(word.rejected or ""), links.line(word.place))
        for word in vocabulary.effects.values()
    ]  # fmt: skip
    head = ("effect", "arguments", "for", "legal where", "moves", "its rejection is", "line")
    yield from ("### Effects", "", *table(head, effects))
    presumed = [
        (code(w.name), conditions(spec, w), moves(spec, w), links.line(w.place))
        for w in vocabulary.presumptions.values()
    ]
    if presumed:
        yield from ("### Presumptions", "", "What a deadline may take for granted.", "")
        yield from table(("name", "legal where", "moves", "line"), presumed)
    yield from _noise(vocabulary.noise)


def _noise(noise: Mapping[str, str]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in noise.items():
        by_reason.setdefault(reason, []).append(name)
    if by_reason:
        yield from ("### Noise", "", "Wire events that no state ever sees.", "")
        yield from table(("why", "wire events"), [(prose(why), named(names)) for why, names in by_reason.items()])


def index(loaded: Loaded, links: Links) -> Iterator[str]:
    """A table for each file of states, rows, choices and deadlines: the line, and the section about it."""
    spec = loaded.spec
    lines_of: dict[str, dict[int, dict[str, dict[str, None]]]] = {}
    for place, section, name in _said(loaded):
        sections = lines_of.setdefault(place.file, {}).setdefault(place.line, {})
        sections.setdefault(section, {}).update({name: None} if name else {})
    if not lines_of:
        return
    yield from ("## Lines", "", "From a line of the YAML to what it says, by the section that describes it.", "")
    for file in sorted(lines_of, key=lambda name: (name != spec.file, name)):
        rows = [(links.number(file, line), _sections(lines_of[file][line])) for line in sorted(lines_of[file])]
        yield from (f"### In {file}", "", *table(("line", "says"), rows))


def _said(loaded: Loaded) -> Iterator[tuple[Place, str, str]]:
    """A line, the section of the page about it, and what of that it says."""
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


def pages(loaded: Loaded, up: str = "../", changes: Sequence[Change] = ()) -> dict[str, str]:
    """Text by path relative to the folder of diagrams: `<spec>.md` and `<spec>.mmd`.

    `up` leads from that folder to where the file names that the spec was loaded under begin (the repository's root).
    """
    name, found = loaded.spec.name, leads(loaded)
    drawn = picture(loaded, found)
    return {f"{name}.md": page(loaded, found, drawn, up, changes), f"{name}.mmd": mermaid(loaded.spec, drawn)}
