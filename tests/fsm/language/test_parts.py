"""Parts that change what includes them, named figures, and parts that do not go together."""

from __future__ import annotations

import pytest

from fsm.language.problem import Place
from tests.fsm.language.mini import HOUSE
from tests.fsm.language.test_derivation import loaded, mine, problems

SLOW = """figures: {slow_ms: 900, most: 2}
context: {waited: {range: 0..most}}
deadlines: {slow: {after_ms: slow_ms, while: state == garden and waited < most}}
states: {garden: {on: {timer.slow: {do: [waited = waited + 1]}}}}
"""
GLAD = "add: {context: {mood: {values+: [glad]}}}\n"
MERRY = "add: {context: {mood: {values+: [merry]}}}\n"
HASTY = "override: {deadlines: {patience: {after_ms: 7}}}\n"


def test_figures_are_numbers_of_deadlines_ranges_and_guards_that_a_spec_overrides_in_one_place() -> None:
    text = mine("include: [slow.yaml]", "override: {figures: {slow_ms: 30, most: 4}}")
    spec = loaded(text, {"slow.yaml": SLOW}).spec
    assert spec.deadlines["slow"].after_ms == 30
    assert spec.variable("waited").domain == ("0", "1", "2", "3", "4")
    full = [*spec.values_at_start({"waited": "4"})]
    full[0] = list(spec.states).index("garden")
    assert not spec.deadlines["slow"].condition.run(full)


@pytest.mark.parametrize(
    ("figures", "place", "message"),
    [
        ("{slow_ms: fast, most: 2}", Place("slow.yaml", 1, 20), "a whole number from 0 is expected here, not 'fast'"),
        ("{slow_ms: 0, most: 2}", Place("slow.yaml", 3, 30), "a whole number from 1 is expected here, not '0'"),
        ("{slow_ms: 900, most: 2, mood: 1}", Place("slow.yaml", 1, 34), "'mood' is already the name of a variable"),
    ],
)
def test_a_figure_is_a_number_with_a_name_of_its_own(figures: str, place: Place, message: str) -> None:
    part = SLOW.replace("{slow_ms: 900, most: 2}", figures)
    found = [
        (problem.place, problem.message) for problem in problems(mine("include: [slow.yaml]"), {"slow.yaml": part})
    ]
    assert (place, message) in found


def test_what_is_no_number_is_complained_of_once() -> None:
    text = mine("include: [slow.yaml]", "override: {figures: {slow_ms: soon}}")
    (problem,) = problems(text, {"slow.yaml": SLOW})
    assert (str(problem.place), problem.code) == ("mine.yaml:4:31", "type")


def test_a_figure_that_no_part_has_cannot_be_overridden() -> None:
    (problem, *_) = problems(mine("include: [slow.yaml]", "override: {figures: {slow: 3}}"), {"slow.yaml": SLOW})
    assert problem.message == "'slow' cannot be overridden: the base has no such thing in 'figures'"


def test_parts_add_to_one_list_in_their_order_and_the_spec_has_the_last_word() -> None:
    more = {"glad.yaml": GLAD, "merry.yaml": MERRY}
    spec = loaded(mine("include: [glad.yaml, merry.yaml]", "add: {context: {mood: {values+: [wild]}}}"), more).spec
    assert spec.variable("mood").domain == ("calm", "cross", "angry", "glad", "merry", "wild")


def test_a_text_of_its_own_may_change_what_it_includes() -> None:
    text = HOUSE.replace("spec: house\n", "spec: house\ninclude: [slow.yaml]\noverride: {figures: {slow_ms: 11}}\n")
    assert loaded(text, {"slow.yaml": SLOW}).spec.deadlines["slow"].after_ms == 11


def test_a_text_of_its_own_may_add_to_what_it_says_itself() -> None:
    added = loaded(HOUSE + "add: {context: {mood: {values+: [glad]}}}\n").spec
    assert added.variable("mood").domain == ("calm", "cross", "angry", "glad")
    (problem,) = problems(HOUSE + "add: {states: {hall: {on: {bell.rang: garden}}}}\n")
    assert (problem.code, problem.message) == ("duplicate-key", "'bell.rang' is there already")


def test_a_part_that_two_include_is_included_once_before_them() -> None:
    more = {"glad.yaml": GLAD, "a.yaml": "include: [glad.yaml]\n" + SLOW, "b.yaml": "include: [glad.yaml]\n" + MERRY}
    spec = loaded(mine("include: [a.yaml, b.yaml, glad.yaml]"), more).spec
    assert spec.variable("mood").domain[-2:] == ("glad", "merry")
    base = mine("include: [glad.yaml]").replace("mine", "base")
    again = loaded("spec: mine\nextends: base.yaml\ninclude: [glad.yaml]\n", {**more, "base.yaml": base}).spec
    assert again.variable("mood").domain[-1] == "glad"


def test_two_parts_do_not_override_the_same_thing_but_the_spec_may() -> None:
    more = {"hasty.yaml": HASTY, "hastier.yaml": HASTY.replace("7", "5")}
    found = problems(mine("include: [hasty.yaml, hastier.yaml]"), more)
    assert [(p.code, p.message) for p in found] == [("two-meanings", "two parts change 'deadlines patience after_ms'")]
    assert found[0].place.file == "hastier.yaml" and "hasty.yaml" in found[0].hint
    spec = loaded(mine("include: [hasty.yaml]", "override: {deadlines: {patience: {after_ms: 3}}}"), more).spec
    assert spec.deadlines["patience"].after_ms == 3


@pytest.mark.parametrize("order", [("glad", "merry"), ("merry", "glad")])
def test_parts_that_do_not_go_together_are_an_error_with_the_reason(order: tuple[str, str]) -> None:
    more = {"glad.yaml": GLAD + "conflicts: {merry: one mood at a time}\n", "merry.yaml": MERRY}
    (problem,) = problems(mine(f"include: [{order[0]}.yaml, {order[1]}.yaml]"), more)
    assert (problem.code, problem.message) == ("conflict", "'glad' does not go with 'merry': one mood at a time")
    assert problem.place == Place("mine.yaml", 3, 11 + len(f"{order[0]}.yaml, ")), "the second of them"


def test_what_both_say_of_parts_that_do_not_go_together_is_no_news() -> None:
    look = "actions: {look: [open_door]}\n"
    more = {"glad.yaml": look + "conflicts: {merry: one mood at a time}\n", "merry.yaml": look}
    (problem,) = problems(mine("include: [glad.yaml, merry.yaml]"), more)
    assert problem.code == "conflict"


def test_a_part_that_does_not_go_with_a_base_is_an_error_with_the_reason() -> None:
    more = {"glad.yaml": GLAD + "conflicts: {house: nobody is glad in it}\n"}
    (problem,) = problems(mine("include: [glad.yaml]"), more)
    assert problem.message == "'glad' does not go with 'house': nobody is glad in it"
