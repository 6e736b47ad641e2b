"""The guard language: what it means, and that nothing but it gets through; a wrong text is a problem with a place."""

from __future__ import annotations

import pytest

from fsm.language.expression import Scope, Variable
from fsm.language.problem import Place, SpecError

VARIABLES = (
    Variable("state", ("hall", "garden"), 0, 0, "state"),
    Variable("lamp", ("off", "on", "lost"), 0, 1, "slot"),
    Variable("bells", ("0", "1", "2"), 0, 2, "context", numeric=True),
    Variable("jars", ("0", "1", "2", "3", "4"), 0, 3, "context", numeric=True),
    Variable("tired", ("no", "yes"), 0, 4, "context"),
)
HERE = Place("f.yaml", 7, 10)
DEEP = "not " * 5000 + "tired"
NOW = (0, 1, 2, 3, 1)  # hall, on, 2, 3, yes


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("lamp == on", True), ("on == lamp", True), ("lamp != on", False), ("lamp in (off, lost)", False),
        ("lamp not in (off, lost)", True), ("bells >= 2", True), ("2 > bells", False), ("bells < jars", True),
        ("jars == bells", False), ("tired", True), ("not tired", False), ("tired and lamp == off", False),
        ("tired or lamp == off", True), ("state == hall", True), ("True", True), ("False", False),
        ("not (tired and (bells == 1 or jars == 3))", False), ("  tired  ", True),
    ],
)  # fmt: skip
def test_a_condition(text: str, holds: bool) -> None:
    expr = Scope(VARIABLES).truth(text, HERE)
    assert bool(expr.run(NOW)) == holds
    assert expr.reads <= set(range(5))


def test_what_a_condition_reads() -> None:
    assert Scope(VARIABLES).truth("lamp == on and bells < jars", HERE).reads == {1, 2, 3}
    assert Scope(VARIABLES).truth("bells in (0, jars)", HERE).reads == {2, 3}
    scope = Scope(VARIABLES)
    scope.name("sleepy", scope.truth("tired and bells == 2", HERE))
    named = scope.truth("not sleepy or lamp == lost", HERE)
    assert set(named.reads) == {1, 2, 4}
    assert not named.run(NOW)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("bells", 2), ("bells + 1", 3), ("max(bells, 1)", 2), ("min(bells, 1, 2)", 1), ("bells - 1 + 1", 2)],
)
def test_a_value(text: str, value: int) -> None:
    assert Scope(VARIABLES).value(text, HERE, VARIABLES[2]).run(NOW) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "lamp", "lamp ==", "lamp = on", "lamp == onn", "lmp == on", "lamp == 1", "bells == 3", "bells == on",
        "lamp is on", "lamp in on", "lamp in [off]", "on in (lamp,)", "tired == maybe", "lamp.on", "lamp[0] == on",
        "__import__('os')", "(lambda: 1)()", "[x for x in y]", "tired if tired else tired", "f'{lamp}'", "lamp == 'on'",
        "1", "'text'", "tired; tired", "print(lamp)", "lamp == on == lost", "0 < bells < 2",
        "*lamp", "lamp := on",
        "tired and", "not", "(" * 500,
    ],
)  # fmt: skip
def test_what_is_not_in_the_language_is_a_problem_with_a_place(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        Scope(VARIABLES).truth(text, HERE)
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.file, problem.place.line) == ("expression", "f.yaml", 7)
    assert problem.place.column >= 10


@pytest.mark.parametrize("text", ["on", "tired", "3", "-1", "bells * 2", "bells if tired else 1", ""])
def test_what_is_not_a_value_of_the_variable(text: str) -> None:
    with pytest.raises(SpecError):
        Scope(VARIABLES).value(text, HERE, VARIABLES[2])


def test_the_column_is_that_of_the_guilty_word() -> None:
    with pytest.raises(SpecError) as caught:
        Scope(VARIABLES).truth("tired and lamp == onn", HERE)
    assert str(caught.value).startswith("f.yaml:7:28: error[expression]: in 'tired and lamp == onn':")


@pytest.mark.parametrize("text", ["lamp in ()", "bells == max(1)", "bells == max()", "bells == max(1, key=2)", DEEP])
def test_what_python_takes_but_the_language_does_not(text: str) -> None:
    with pytest.raises(SpecError):
        Scope(VARIABLES).truth(text, HERE)
