"""A diff as people and programs read it: sentences, a terminal's text, JSON, a comment that stays within its bound."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from fsm.diff import markdown as comments
from fsm.diff.behaviour import Behaviour, PairStep, SceneSearched, Witness
from fsm.diff.markdown import MARK, markdown
from fsm.diff.report import (
    Diff,
    Lone,
    as_json,
    asides,
    behaviour_verdict,
    bounds,
    delta,
    lone_json,
    lone_text,
    members,
    step_lines,
    structure_verdict,
    text,
    traffic_verdict,
)
from fsm.diff.structure import Aspect, SpecChange, structure
from fsm.diff.traffic import NO_JOURNAL, Aside, CallGroup, RecordedCall, Traffic
from fsm.journal.replay import Divergence, StepDifference
from fsm.language.problem import Place
from fsm.verify.counterexample import RunAnswer, RunStep
from tests.fsm.language.mini import HOUSE, load_mini

OLD, NEW = load_mini(HOUSE), load_mini(HOUSE.replace("about: The end.", "about: The very end.", 1))
WORDING = structure(OLD.spec, NEW.spec)
ROW = SpecChange(
    "transition", "hall/bell.rang", "changed", (Aspect("to", "garden", "cellar"),), Place("a", 4, 1), Place("b", 5, 1)
)


def answer(line: int, *effects: str, after: str = "hall") -> RunAnswer:
    return RunAnswer("bell.rang", "taken", "hall", after, Place("x.yaml", line, 1), ("hall/bell.rang",), effects)


def step(number: int, old: tuple[RunAnswer, ...], new: tuple[RunAnswer, ...], **more: Any) -> PairStep:
    given = {"received": ("wire", "bell"), "sent": (("out", "light"),), "lost": None, **more}
    return PairStep(
        RunStep(number, "the caller rings", "caller", **given, event="bell.rang", answers=(), changed=()), old, new
    )


SEARCHED = SceneSearched("turns", 1234, True, {"loss": "yes", "echo": "2", "calm": "no"}, {"socket": 2, "idle": 0}, {})
ACTS = Witness(
    "turns", "effects", (step(1, (answer(4),), (answer(4),)), step(2, (answer(5, "greet(hello)"),), (answer(6),)))
)
WAITS = attrs.evolve(ACTS, kind="deadline", deadline="patience", waits_ms=(4000, 4500))
FOUND = Behaviour(searched=(SEARCHED,))
DIFFERENCE = StepDifference("effects", "greet", "nothing | or <b>")
DIVERGENCE = Divergence(7, 12_345, "bell.rang", {}, (DIFFERENCE,), None, None)
CALLS = tuple(RecordedCall(f"{n}.jsonl", f"id{n}", 20, DIVERGENCE) for n in range(5))
GROUP = CallGroup(("hall/bell.rang",), (), "bell.rang", "x.yaml:4", "", CALLS)
TRAFFIC = Traffic(1, (GROUP,), (Aside("n", "no", NO_JOURNAL), Aside("d.jsonl", "cut", "damaged")), {"patience": 1})


def diff(**more: Any) -> Diff:
    return Diff(OLD, NEW, **{"changes": (ROW,), **more})


# --- sentences --------------------------------------------------------------------------------------------------------


def test_what_is_written_in_a_line() -> None:
    assert structure_verdict(()) == "nothing is written differently"
    assert structure_verdict(WORDING) == "1 changed (words for people only)"
    added = attrs.evolve(ROW, status="added")
    assert structure_verdict([added, added, ROW]) == "2 added, 1 changed"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (FOUND, "equivalent within quick bounds (1,234 states in 1 scene)"),
        (attrs.evolve(FOUND, searched=(SEARCHED, SEARCHED)),
         "equivalent within quick bounds (2,468 states in 2 scenes)"),
        (attrs.evolve(FOUND, searched=(attrs.evolve(SEARCHED, done=False),)),
         "UNDECIDED: no difference in the 1,234 states searched, but not all were"),
        (attrs.evolve(FOUND, witness=ACTS), "they act differently after 2 steps (scene 'turns')"),
        (attrs.evolve(FOUND, witness=attrs.evolve(ACTS, kind="states", steps=ACTS.steps[:1])),
         "they reach different states after 1 step (scene 'turns')"),
        (attrs.evolve(FOUND, timing=WAITS),
         "the same acts in the same order within quick bounds (1,234 states in 1 scene), but 'patience' 4000 ms became "
         "4500 ms"),
        (Behaviour(reason="they live in different worlds"), "not compared: they live in different worlds"),
    ],
)  # fmt: skip
def test_what_is_done_in_a_line(found: Behaviour, says: str) -> None:
    assert behaviour_verdict(found) == says


def test_a_search_that_was_cut_is_never_the_same() -> None:
    cut = attrs.evolve(FOUND, searched=(attrs.evolve(SEARCHED, done=False),))
    assert FOUND.is_same and not cut.is_same and not cut.is_complete
    assert not Behaviour(reason="other worlds").is_same
    assert not diff(changes=(), behaviour=attrs.evolve(FOUND, witness=ACTS)).is_same
    assert not diff(changes=(), behaviour=attrs.evolve(FOUND, timing=WAITS)).is_same
    assert not diff(changes=(), traffic=TRAFFIC).is_same
    assert diff(changes=(), behaviour=FOUND, traffic=attrs.evolve(TRAFFIC, groups=())).is_same


def test_how_far_a_search_went() -> None:
    full = attrs.evolve(SEARCHED, scene="long", done=False, assumed={"loss": "yes"}, bounds={}, cut={"socket": 3})
    assert list(bounds(attrs.evolve(FOUND, searched=(SEARCHED, full)))) == [
        "turns: 1,234 states; 2 socket; assumed: echo=2",
        "long: 1,234 states, NOT ALL; no bounds; socket was full 3 times",
        "assumed everywhere: loss",
    ]


def test_recorded_calls_in_a_line() -> None:
    assert traffic_verdict(TRAFFIC) == "5 of 6 recorded calls would have gone differently (1 other set aside)"
    assert traffic_verdict(Traffic(0, (), TRAFFIC.aside)) == "no recorded call could be compared (2 files set aside)"
    many = Traffic(1, (), tuple(Aside(f"{n}.jsonl", "cut", "damaged") for n in range(7)))
    assert list(asides(many)) == [
        "7 × damaged: 0.jsonl: cut; 1.jsonl: cut; 2.jsonl: cut; 3.jsonl: cut; 4.jsonl: cut; and 2 more"
    ]


def test_of_a_list_only_what_came_and_went_is_shown() -> None:
    assert members("a(b, c), d ⟨e, f⟩, g") == ["a(b, c)", "d ⟨e, f⟩", "g"]
    assert delta(Aspect("do", "a, b(c, d), e", "a, f, e")) == "− b(c, d)  + f"
    assert delta(Aspect("to", "hall", "cellar")) == "hall  →  cellar"
    assert delta(Aspect("do", "a", "")) == "a  →  nothing" and delta(Aspect("do", "", "a")) == "a"


# --- text and JSON ----------------------------------------------------------------------------------------------------


def test_a_step_says_once_what_both_did_and_what_each_did_where_they_differ() -> None:
    same, differs = ACTS.steps
    assert list(step_lines(same)) == [
        "  1. the caller rings  <- bell  -> light",
        "     both bell.rang: taken in hall; does nothing  (x.yaml:4)",
    ]
    assert list(step_lines(differs))[1:] == [
        "     old  bell.rang: taken in hall; does greet(hello)  (x.yaml:5)",
        "     new  bell.rang: taken in hall; does nothing  (x.yaml:6)",
    ]
    alone = step(3, (answer(5, after="garden"),), (), received=None, lost="bell")
    assert list(step_lines(alone)) == [
        "  3. the caller rings  -> light  LOST bell",
        "     old  bell.rang: taken in hall → garden; does nothing  (x.yaml:5)",
        "     new  nothing: it does not wait for this",
    ]


def test_the_text_has_the_run_the_bounds_and_the_calls() -> None:
    acts = text(diff(behaviour=attrs.evolve(FOUND, witness=ACTS), traffic=TRAFFIC))
    assert "  ~ transition hall/bell.rang  (a:4 → b:5)\n      to: garden  →  cellar\n" in acts
    assert "  --- here they differ\n" in acts and "1,234 states" not in acts
    assert "  5 calls at bell.rang:\n     old hall/bell.rang  (x.yaml:4)\n     new no row  (-)\n" in acts
    assert acts.count("step 7 of 20 at 12.345 s") == 3 and "     and 2 calls more\n" in acts
    assert "  in 1 call 'patience' started and was over before either length had passed\n" in acts
    waits = text(diff(behaviour=attrs.evolve(FOUND, timing=WAITS)))
    assert "--- here 'patience' starts: it waits 4000 ms in the old spec, 4500 ms in the new" in waits
    assert "  turns: 1,234 states;" in waits


def test_a_changed_row_that_no_run_took_is_named_and_one_that_was_taken_is_not() -> None:
    gone = attrs.evolve(ROW, name="hall/bell.broke", status="removed")
    untaken, taken = (attrs.evolve(FOUND, taken=frozenset(names)) for names in ((), (ROW.name,)))
    assert diff(changes=(ROW, gone), behaviour=untaken).unvisited == (ROW,)
    assert diff(behaviour=taken).unvisited == () == diff(behaviour=attrs.evolve(FOUND, witness=ACTS)).unvisited
    assert "no run took the changed transition hall/bell.rang (b:5)" in text(diff(behaviour=untaken))


def test_the_json_is_for_programs() -> None:
    found = json.loads(
        json.dumps(as_json(diff(behaviour=attrs.evolve(FOUND, witness=ACTS), traffic=TRAFFIC)), default=str)
    )
    assert (found["spec"], found["same"], found["structure"][0]["old"]) == ("house", False, "a:4")
    assert found["behaviour"]["witness"]["kind"] == "effects" and found["behaviour"]["complete"] is True
    second = found["behaviour"]["witness"]["steps"][1]
    assert (second["received"], second["old"][0]["effects"], second["new"][0]["place"]) == (
        ["wire", "bell"],
        ["greet(hello)"],
        "x.yaml:6",
    )
    assert (found["traffic"]["compared"], len(found["traffic"]["groups"][0]["calls"])) == (6, 5)
    bare = as_json(diff())
    assert bare["behaviour"] is None and bare["traffic"] is None


def test_a_spec_that_only_one_side_has() -> None:
    added, removed = Lone("mine", "added"), Lone("mine", "removed")
    assert lone_text(added) == "+ mine: new: there is nothing to compare it with\n"
    assert lone_text(removed) == "- mine: removed\n"
    assert lone_json(removed) == {"spec": "mine", "same": False, "status": "removed"}


# --- the comment ------------------------------------------------------------------------------------------------------


def test_the_comment_begins_with_its_mark_and_the_verdicts() -> None:
    lines = markdown([diff(behaviour=FOUND), Diff(OLD, OLD, ())], [Lone("mine", "added")]).splitlines()
    assert lines[:2] == [MARK, "## turnspec diff"]
    assert lines[3:6] == [
        "- **house**: 1 changed; equivalent within quick bounds (1,234 states in 1 scene)",
        "- **house**: nothing is written differently",
        "- **mine**: new: there is nothing to compare it with",
    ]
    assert lines.count("### house") == 1  # what is the same has its line and no section


def test_the_run_is_drawn_and_listed_step_by_step() -> None:
    page = markdown([diff(behaviour=attrs.evolve(FOUND, witness=ACTS))])
    assert "```mermaid\nsequenceDiagram\n" in page and "    alt old: mini.yaml\n" in page
    assert "1. `the caller rings` ← `bell` → `light`\n   - both: bell.rang: taken in hall" in page
    assert "   - old: bell.rang: taken in hall; does greet(hello)" in page
    assert "Bounds and assumptions" not in page
    assert page.count("<details>") == page.count("</details>") and page.count("```") % 2 == 0


def test_a_deadline_of_another_length_is_in_the_drawing_and_below_it() -> None:
    page = markdown([diff(behaviour=attrs.evolve(FOUND, timing=WAITS))])
    assert "waits 4000 ms for patience" in page and "waits 4500 ms for patience" in page
    assert "here 'patience' starts: it waits 4000 ms in the old spec, 4500 ms in the new" in page
    assert "- turns: 1,234 states; 2 socket" in page


def test_recorded_calls_are_a_table_whose_cells_cannot_break_it() -> None:
    page = markdown([diff(traffic=TRAFFIC)])
    (row,) = [line for line in page.splitlines() if line.startswith("| 5 |")]
    assert (row.replace("\\|", "").count("|") == 7 and "<b>" not in row.replace("`", "")) or "`" in row
    assert "`hall/bell.rang`<br>x.yaml:4" in row and "| no row |" in row and "0.jsonl step 7 at 12.345 s" in row
    assert "2 files set aside" in page and "1 × damaged: d.jsonl: cut" in page


def test_many_changes_are_folded_and_the_rest_is_counted() -> None:
    changes = tuple(attrs.evolve(ROW, name=f"hall/bell.rang_{n}") for n in range(70))
    page = markdown([diff(changes=changes)])
    assert "<details><summary>All 70 changes</summary>" in page
    assert "and 10 more: run `turnspec diff`." in page
    assert sum(line.startswith("| ~ |") for line in page.splitlines()) == 60


def test_what_is_too_long_for_a_comment_loses_its_drawing_then_its_table_then_its_section(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = diff(behaviour=attrs.evolve(FOUND, witness=ACTS), changes=(ROW, *WORDING))
    pages = [markdown([one])]
    for _ in range(3):
        monkeypatch.setattr(comments, "MOST_SIGNS", len(pages[-1]) - 1)
        pages.append(markdown([one]))
    assert sorted(map(len, pages), reverse=True) == [len(page) for page in pages]
    found = [("```mermaid" in page, "| ~ |" in page, "Too long for a comment: house." in page) for page in pages]
    assert found == [(True, True, False), (False, True, False), (False, False, False), (False, False, True)]
