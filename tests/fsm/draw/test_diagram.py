"""Pictures and pages of the bundled specs: fresh, true to the machine, nothing left out, every link leads somewhere."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cache

import pytest

from fsm.diff.overlay import overlay
from fsm.draw.dot import dot, to_dot
from fsm.draw.flow import Lead, leads, routes
from fsm.draw.matrix import MARKS, kinds
from fsm.draw.mermaid import escape, mermaid
from fsm.draw.page import page, pages
from fsm.draw.picture import OverviewPicture, all_boxes, duration, ends, kind_of, picture, short, sinks, trouble
from fsm.draw.text import anchor
from fsm.language.derivation import Change
from fsm.language.loader import Loaded, load
from fsm.language.problem import Place
from fsm.language.spec import STATE
from fsm.machine.ledgers import LEDGERS
from tests.fsm.bundle import NAMES, SPECS, load_changed, loaded, machine, text_of

DIAGRAMS = SPECS.parent / "diagrams"
ODD = """
spec: odd
about: Names that are hard to draw.
vocabulary: [v]
initial: 'say "hi"; end'
happy_path: ['say "hi"; end', a-b, a_b]
groups:
  a-b: {states: [a-b, a_b], on: {operator.hang_up_requested: over}}
states:
  'say "hi"; end': {on: {caller.hung_up: a-b}, ignore: {'a | b; <c> `d`': [operator.hang_up_requested]}}
  a-b: {on: {caller.hung_up: a_b}}
  a_b: {on: {caller.hung_up: over}}
  over: {final: yes, ignore: {it is over: [caller.hung_up, operator.hang_up_requested]}}
"""
WORDS = """
vocabulary: v
slots: {line: {values: [up]}}
events: {caller.hung_up: {from: caller}, operator.hang_up_requested: {from: request}}
"""


def odd() -> Loaded:
    return load(ODD, "specs/odd.yaml", lambda _: (WORDS, "specs/v.yaml"), LEDGERS)


def test_the_label_of_the_quiet_state_says_so() -> None:
    quiet = ODD.replace("a-b: {on: {caller", "a-b: {tags: [quiet], on: {caller")
    made = load(quiet, "specs/odd.yaml", lambda _: (WORDS, "specs/v.yaml"), LEDGERS)
    drawn = picture(made)
    assert (drawn.label("a-b"), drawn.label("a_b")) == (("a-b", "(quiet)"), ("a_b",))
    assert '["a-b<br/>(quiet)"]:::happy' in mermaid(made.spec, drawn)
    assert '[label="a-b\\n(quiet)"' in dot(made.spec, drawn)
    assert '["a-b<br/>(quiet)"]:::same' in overlay(made, made, ())


ALL = (*NAMES, "odd")


def any_spec(name: str) -> Loaded:
    return odd() if name == "odd" else loaded(name)


@cache
def found_leads(name: str) -> tuple[Lead, ...]:
    return leads(any_spec(name))


@cache
def drawing(name: str) -> OverviewPicture:
    return picture(any_spec(name), found_leads(name))


def page_of(name: str, up: str = "../") -> str:
    return page(any_spec(name), found_leads(name), drawing(name), up)


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_pages_are_fresh(name: str) -> None:
    for path, text in pages(loaded(name)).items():
        assert (DIAGRAMS / path).read_text(encoding="utf-8") == text, (
            f"diagrams/{path} is stale: run `turnspec diagram`"
        )


# --- where answers lead -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_machine_never_goes_where_the_flow_does_not_lead(name: str) -> None:
    """A long random walk over the compiled table stays within what the pictures are drawn from."""
    core, spec = machine(name), loaded(name).spec
    targets = {(lead.state, lead.event, lead.row.id): lead.targets for lead in found_leads(name)}
    events, dice = core.table.strict_events(), random.Random(7)
    names = spec.variables[STATE].domain
    control, seen = core.start()[-1].snapshot.control, set()
    for _ in range(20_000):
        event = dice.choice(spec.events)
        deadline = spec.deadlines.get(event.removeprefix("timer."))
        if deadline is not None and not deadline.condition.run(control.values):
            continue
        reaction = events[event].react(control)
        before, after = (names[c.values[STATE]] for c in (control, reaction.after))
        if reaction.outcome in ("taken", "stayed"):
            assert after in targets[before, reaction.event, reaction.path[0].id]
            seen.add((before, after))
        control = core.start()[-1].snapshot.control if before == "closed" else reaction.after
    assert len(seen) > 15, "the walk came about"


def test_choices_resolve_to_states() -> None:
    spec = loaded("server_vad").spec
    assert ends(spec, "next_answer") == (
        "playing_out",
        "response_pending",
        "tool_call",
        "configured",
        "closing",
        "closed",
    )
    assert ends(spec, "next_floor")[:3] == ("user_speaking", "responding", "response_pending")
    ways = routes(found_leads("server_vad"))
    assert ("playing_out", "responding") in ways
    assert ("responding", "connecting") not in ways
    assert ways["connecting", "awaiting_session_created"] == ("provider.opened",)


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_every_state_is_drawn_once_and_every_arrow_ends_somewhere(name: str) -> None:
    spec, drawn = any_spec(name).spec, drawing(name)
    states = [*drawn.states, *(s for box in all_boxes(drawn.boxes) for s in box.states)]
    assert sorted(states) == sorted(spec.states)
    places = {*states, *drawn.anywhere, *(note.choice for note in drawn.notes)}
    assert {a.source for a in drawn.arrows} | {a.target for a in drawn.arrows} <= places
    keys = [(a.source, a.target, a.kind) for a in drawn.arrows]
    assert len(keys) == len(set(keys)), "one arrow for each pair and kind"


@pytest.mark.parametrize("name", ALL)
def test_the_happy_path_is_drawn_state_by_state(name: str) -> None:
    spec, drawn = any_spec(name).spec, drawing(name)
    happy = [(a.source, a.target) for a in drawn.arrows if a.kind == "happy"]
    assert happy == list(dict.fromkeys(zip(spec.happy_path, spec.happy_path[1:], strict=False)))
    bad = trouble(spec)
    assert all(kind_of(e, bad) == "normal" for a in drawn.arrows if a.kind == "happy" for e in a.events)


@pytest.mark.parametrize("name", ALL)
def test_nothing_that_can_happen_is_missing_from_the_picture(name: str) -> None:
    """Each way from a state to another is an arrow of it or of a box around it, or told by a note."""
    found = found_leads(name)
    drawn = drawing(name)
    missing = [
        (lead.state, lead.event, target)
        for lead in found
        for target in lead.targets
        if target != lead.state and not shown(any_spec(name), drawn, lead, target)
    ]
    assert missing == []


def test_dot_of_a_loaded_spec_is_that_of_its_picture() -> None:
    assert to_dot(odd()) == dot(odd().spec, drawing("odd"))


def shown(loaded_spec: Loaded, drawn: OverviewPicture, lead: Lead, target: str) -> bool:
    groups = loaded_spec.spec.groups
    around = {lead.state, *(name for name, group in groups.items() if lead.state in group.states)}
    through_choice = lead.row.target in loaded_spec.spec.choices
    for arrow in drawn.arrows:
        if arrow.source in around and lead.event in arrow.events and (arrow.target == target or through_choice):
            return True
    return any(lead.event in note.events and target in note.ends for note in drawn.notes)


@pytest.mark.parametrize("name", ALL)
def test_an_arrow_leads_to_every_state(name: str) -> None:
    drawn = drawing(name)
    assert set(any_spec(name).spec.states) - {a.target for a in drawn.arrows} == {drawn.initial} - {"connecting"}


def test_a_happy_path_may_come_back_to_where_it_was() -> None:
    path = re.findall(r"^happy_path: \[(.*)\]$", text_of("server_vad.yaml"), re.M)[0]
    start = "connecting, awaiting_session_created, configuring, response_pending, responding, playing_out, configured"
    loop = f"{start}, user_speaking, response_pending, responding, tool_call, response_pending"
    spec = load_changed("server_vad", ("server_vad.yaml", path, loop))
    drawn = picture(spec)
    happy = {(a.source, a.target): a.events for a in drawn.arrows if a.kind == "happy"}
    assert len(happy) == 10
    assert "tool.returned.pending" in happy["tool_call", "response_pending"]
    assert len(happy["tool_call", "response_pending"]) < 4, "of twenty events only those that speak of tools"
    assert ("user_speaking", "live") in sinks(drawn), "the lowest state, not the last"
    assert ("tool_call", "live") not in sinks(drawn)


def test_a_state_in_a_box_does_not_repeat_the_arrow_of_the_box() -> None:
    """provider.unreachable is a row of one group, provider.closed of the group around it: one red arrow for both."""
    arrows = [a for a in drawing("server_vad").arrows if a.target == "reconnecting" and a.kind == "error"]
    assert [a.source for a in arrows] == ["live"]
    assert {"provider.closed.retryable", "provider.unreachable.retryable", "retries.overflowed"} <= set(
        arrows[0].events
    )


def test_what_went_wrong_is_told_apart_from_what_may_happen() -> None:
    bad = trouble(loaded("server_vad").spec)
    wrong = {"provider.closed.fatal", "provider.closed.retryable", "session.update_rejected", "create_rejected.busy",
             "response.done.failed", "retries.overflowed", "provider.refused", "create_failed.ours"}  # fmt: skip
    assert wrong <= bad
    assert (
        not {
            "response.done.completed",
            "session.updated",
            "caller.hung_up",
            "response.created.own",
            "tool.returned.pending",
        }
        & bad
    )
    assert kind_of("timer.create_overdue", bad) == "timer"


def test_labels_are_short() -> None:
    spec = loaded("server_vad").spec
    assert short(spec, ["response.created.ours", "response.created.own"]) == ("response.created",)
    assert short(spec, ["provider.closed.fatal"]) == ("provider.closed.fatal",)
    assert short(spec, ["input_audio_buffer.speech_started.new"]) == ("speech_started",)
    assert short(spec, ["timer.create_overdue"]) == ("create_overdue (5 s)",)
    many = ["caller.hung_up", "session.updated", "playout.drained", "playout.flushed", "prompt.finished"]
    assert short(spec, many) == ("caller.hung_up", "session.updated", "and 3 more")
    assert [duration(ms) for ms in (700, 1000, 1500, 130000, 1234)] == ["700 ms", "1 s", "1.5 s", "130 s", "1234 ms"]


# --- Mermaid and DOT --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_mermaid_is_well_formed(name: str) -> None:
    text = mermaid(any_spec(name).spec, drawing(name))
    lines = [line.strip() for line in text.splitlines()]
    assert len([x for x in lines if x.startswith("subgraph")]) == lines.count("end")
    arrows = [re.fullmatch(r'(\w+) (?:==>|-->|-\.->|~~~)(?:\|"[^"]*"\|)? (\w+)', line) for line in lines]
    links = [match for match in arrows if match]
    nodes = {match[1] for line in lines if (match := re.match(r"(?:subgraph )?(\w+)[(\[]", line))}
    assert {end for link in links for end in link.groups()} <= nodes
    styled = [int(n) for line in lines if line.startswith("linkStyle") for n in line.split()[1].split(",")]
    invisible = [n for n, link in enumerate(links) if "~~~" in link[0]]
    assert sorted([*styled, *invisible]) == list(range(len(links))), "every line has one colour"
    assert not any(";" in re.sub(r"#\w+;", "", line) for line in lines), "a semicolon would end the statement"


def test_colours_go_to_the_lines_they_are_for() -> None:
    text = mermaid(loaded("server_vad").spec, drawing("server_vad"))
    links = re.findall(r"^  s?\w+ (==>|-->|-\.->|~~~)", text, re.M)
    red = next(line for line in text.splitlines() if "stroke:#dc2626" in line)
    amber = next(line for line in text.splitlines() if "linkStyle" in line and "stroke:#d97706" in line)
    assert {links[int(n)] for n in amber.split()[1].split(",")} == {"-.->"}
    assert {links[int(n)] for n in red.split()[1].split(",")} == {"-->"}


def test_what_mermaid_would_take_for_its_own_is_escaped() -> None:
    assert escape('a;b "c" <d> #e & |f|') == "a#59;b #quot;c#quot; #lt;d#gt; #35;e #amp; #124;f#124;"
    text = mermaid(odd().spec, drawing("odd"))
    assert 's_say_20__22_hi_22__3b__20_end["say #quot;hi#quot;#59; end"]' in text
    assert "s_a_2d_b" in text and "s_a_b[" in text, "two names, two ids"


@pytest.mark.parametrize("name", ALL)
def test_dot_is_well_formed(name: str) -> None:
    text = dot(any_spec(name).spec, drawing(name))
    assert text.count("{") == text.count("}")
    quoted = r'"(?:[^"\\]|\\.)*"'
    nodes = set(re.findall(rf"^\s*({quoted}) \[(?:label|shape)=", text, re.M))
    edges = re.findall(rf"^  ({quoted}) -> ({quoted}) ", text, re.M)
    assert {end for edge in edges for end in edge} <= nodes
    drawn = drawing(name)
    assert len([line for line in text.splitlines() if " -> " in line and "invis" not in line]) == len(drawn.arrows) + 1


# --- the table and the page -------------------------------------------------------------------------------------------


def cells(text: str, heading: str) -> tuple[list[str], Mapping[tuple[str, str], str]]:
    """The table below a heading: its columns, and its cells by (column, row)."""
    rows = text.split(heading, 1)[1].split("\n\n")[1].splitlines()
    columns = [part.strip().replace("<br>", "_") for part in rows[0].split("|")[2:-1]]
    body = [[part.strip() for part in row.split("|")[1:-1]] for row in rows[2:]]
    return columns, {(c, row[0].strip("`")): mark for row in body for c, mark in zip(columns, row[1:], strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_the_table_answers_every_cell(name: str) -> None:
    spec, live = loaded(name).spec, loaded(name).flow.live_cells
    columns, found = cells(page_of(name), "## State × event")
    assert columns == list(spec.states)
    assert set(found) == {(s, e) for s in spec.states for e in spec.events}
    for cell, marks in found.items():
        assert (marks not in ("", MARKS["late"], MARKS["instead"])) == (cell in live), cell


def test_marks_say_what_the_spec_says() -> None:
    _, found = cells(page_of("server_vad"), "## State × event")
    assert found["connecting", "provider.opened"] == "→"
    assert found["configured", "application.say_requested"] == "→…"
    assert found["closing", "operator.hang_up_requested"] == "✕"
    assert found["connecting", "timer.retry_due"] == "!"
    assert found["connecting", "session.created"] == "~", "its slots forbid it, the vocabulary gives a reason"
    assert found["responding", "response.done.interrupted"] == "≡", "it is caller.interrupted there"
    assert found["connecting", "response.done.completed"] == "", "derived: it cannot happen"
    assert found["responding", "caller.pressed_key.other"] == "↺"
    assert found["closed", "playout.drained"] == "–"


def test_a_row_that_can_only_come_back_is_no_way_out() -> None:
    """`to: next_floor` from user_speaking leads back to it for most events."""
    what = kinds(loaded("server_vad"), found_leads("server_vad"))
    assert what["user_speaking", "playout.drained"] == ("stay",)
    assert what["configured", "playout.drained"] == ("go",)


@pytest.mark.parametrize("name", ALL)
def test_tables_are_tables_and_links_lead_somewhere(name: str) -> None:
    text = page_of(name)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(widths) == 1, block
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    anchors = {"".join(c for c in h.lower().replace(" ", "-") if c.isalnum() or c in "-_") for h in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors
    assert "```mermaid\n" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_links_to_its_line(name: str) -> None:
    text = page_of(name)
    linked = re.findall(r"\[(specs/[\w/.]+):(\d+)\]\(\.\./(specs/[\w/.]+)#L(\d+)\)", text)
    assert len(linked) > 100
    lines = {file: (SPECS.parent / file).read_text(encoding="utf-8").splitlines() for file, *_ in linked}
    for file, line, to_file, to_line in linked:
        assert (file, line) == (to_file, to_line)
        assert lines[file][int(line) - 1].strip(), f"{file}:{line} is an empty line"
    rows = re.findall(r"^\| `(caller\.hung_up)` .*\[(specs/[\w/.]+):(\d+)\]", text, re.M)
    assert rows
    assert all("caller.hung_up" in lines[file][int(line) - 1] for _, file, line in rows)


@pytest.mark.parametrize("name", NAMES)
def test_every_line_leads_back_to_the_section_that_tells_of_it(name: str) -> None:
    page, _, index = page_of(name).partition("\n## Lines\n")
    sections = {anchor(part.partition("\n")[0]): part for part in re.split(r"^##+ ", page, flags=re.M)}
    back = [
        (f"specs/{file}:{line}", target)
        for file, part in re.findall(r"^### In specs/([\w/.]+)$(.*?)(?=^###|\Z)", index, re.M | re.S)
        for line, cell in re.findall(r"^\| \[(\d+)\]\(\S+\) \| (.*) \|$", part, re.M)
        for target in re.findall(r"\]\(#([^)]*)\)", cell)
    ]
    for place, target in back:
        assert f"[{place}]" in sections[target], (place, target)
    told = {place for key, part in sections.items() if key not in ELSEWHERE for place in re.findall(LINK, part)}
    assert told <= {place for place, _ in back}


LINK = re.compile(r"\[(specs/[\w/.]+:\d+)\]")
ELSEWHERE = {"context", "slots", "events", "effects", "presumptions"}  # words are told of in one place


def test_a_state_lists_its_own_answers_and_names_those_of_its_groups() -> None:
    section = page_of("server_vad").split("### configured\n")[1].split("\n### ")[0]
    own = re.findall(r"^\| `([\w.]+)` \|.*\.yaml#L", section, re.M)
    say = "application.say_requested"
    rest = ["misses.overflowed", "timer.speech_overdue", "timer.probe_overdue", "timer.renewal_due"]
    assert own == [say, say, *rest], "two rows: guard and guard"
    assert "From [conversation](#group-conversation): " in section
    shared = section.split("From [conversation]")[1]
    assert "`session.updated`" in shared and "application.say_requested" not in shared


def test_the_page_holds_every_state_deadline_and_word() -> None:
    text, spec = page_of("push_to_talk"), loaded("push_to_talk").spec
    for name in (*spec.states, *spec.groups, *spec.choices):
        assert re.search(rf"^### (Group |Choice )?{name}$", text, re.M), name
    vocabulary = spec.vocabulary
    for word in (*vocabulary.events, *vocabulary.effects, *vocabulary.presumptions, *vocabulary.noise):
        assert f"`{word}`" in text, word
    for deadline in spec.deadlines.values():
        after = f"{deadline.after_ms} or `{deadline.at_least}`" if deadline.at_least else str(deadline.after_ms)
        assert f"| `{deadline.event}` | {after} | `{deadline.condition.text}` |" in text
    for reason in ("calls beyond the fourth are refused, not counted", "the call is ending"):
        assert reason in text


@pytest.mark.parametrize("name", NAMES)
def test_a_page_begins_with_one_for_reviewers(name: str) -> None:
    text, spec = page_of(name), loaded(name).spec
    head = text[: text.index("## Overview")]
    assert head.count("\n") < 100 < text.count("\n")
    assert all(f"| `{deadline}` | " in head for deadline in spec.deadlines)
    green = head[head.index("A call in which all goes well") : head.index("What else")]
    assert all(f"| `{state}` | " in green for state in spec.happy_path)
    assert "of the spec that it extends" not in head


def test_of_a_derived_spec_it_says_what_differs_from_the_base() -> None:
    place, base = Place("mine.yaml", 4, 3), Place("specs/server_vad.yaml", 26, 3)
    changes = (
        Change("overrides", ("deadlines", "answer_overdue"), place, base),
        Change("adds", ("states", "x"), place, None),
    )
    text = page(any_spec("server_vad"), found_leads("server_vad"), drawing("server_vad"), "../", changes)
    head = text[: text.index("## Overview")]
    assert "| overrides | deadlines answer\\_overdue | [specs/server_vad.yaml:26]" in head
    assert "| adds | states x |  | [mine.yaml:4](../mine.yaml#L4) |" in head


def test_up_leads_from_the_folder_of_the_page_to_the_root() -> None:
    assert "](a/b/specs/server_vad.yaml#L" in page_of("server_vad", "a/b/")
