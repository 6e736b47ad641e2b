"""Conditions as decision diagrams, and words as moves of regions, against the same tried tuple by tuple."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.language.decision_diagram import Diagrams
from fsm.language.expression import Expr, Scope
from fsm.language.problem import NOWHERE
from fsm.language.region import Space
from fsm.language.spec import STATE, Spec
from fsm.language.vocabulary import Word
from tests.fsm.bundle import NAMES, loaded
from tests.fsm.language.mini import HOUSE, WORDS, load_mini

TWO_SLOTS = WORDS.replace("events:\n", "  door: {values: [shut, ajar, open, locked]}\nevents:\n", 1)
SPEC = load_mini(HOUSE, TWO_SLOTS).spec
SCOPE = Scope(SPEC.variables)
SLOTS = list(itertools.product(*(range(len(slot.domain)) for slot in SPEC.slots)))
CONTEXTS = list(itertools.product(*(range(len(variable.domain)) for variable in SPEC.context)))

comparisons = st.sampled_from([
    "lamp == on", "lamp != lost", "lamp in (off, lost)", "door == ajar", "door > shut", "state == hall",
    "state in (garden, hall)", "mood == calm", "mood not in (calm, cross)", "tired", "bells > 0",
    "bells == min(bells, 1)", "mood in (cross, angry)", "True",
])  # fmt: skip
texts = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) and ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) or ({two[1]})"),
    ),
    max_leaves=12,
)


def truths(condition: Expr, state: int) -> list[list[bool]]:
    """For each slot tuple its truth with each context."""
    return [[bool(condition.run((state, *slots, *context))) for context in CONTEXTS] for slots in SLOTS]


@given(texts, st.integers(0, 1))
def test_where_a_condition_can_be_and_must_be_true(text: str, state: int) -> None:
    condition = SCOPE.truth(text, NOWHERE)
    assert condition.formula is not None
    space = Space(SPEC)
    diagrams = Diagrams(space, SPEC.variables)
    diagram = diagrams.of(condition.formula, {STATE: state})
    tried = truths(condition, state)
    can_be = {slots for slots, found in zip(SLOTS, tried, strict=True) if any(found)}
    must_be = {slots for slots, found in zip(SLOTS, tried, strict=True) if all(found)}
    assert set(space.tuples(diagrams.can_be(diagram))) == can_be
    assert set(space.tuples(diagrams.must_be(diagram))) == must_be
    assert diagrams.negated(diagrams.negated(diagram)) is diagram
    assert diagrams.either(diagram, diagrams.negated(diagram)) is diagrams.always
    assert diagrams.both(diagram, diagrams.negated(diagram)) is diagrams.never


def test_conditions_that_mean_the_same_are_one_diagram() -> None:
    diagrams = Diagrams(Space(SPEC), SPEC.variables)
    one, other = (
        SCOPE.truth("tired and not (lamp == on or mood == calm)", NOWHERE),
        SCOPE.truth("mood in (cross, angry) and lamp in (off, lost) and tired", NOWHERE),
    )
    assert one.formula is not None and other.formula is not None
    assert diagrams.of(one.formula, {}) is diagrams.of(other.formula, {})


def words(spec: Spec) -> list[Word]:
    vocabulary = spec.vocabulary
    return [*vocabulary.events.values(), *vocabulary.effects.values(), *vocabulary.presumptions.values()]


@pytest.mark.parametrize("name", ["a small one", *NAMES])
def test_a_word_moves_a_region_as_it_moves_each_tuple(name: str) -> None:
    spec = SPEC if name == "a small one" else loaded(name).spec
    space = Space(spec)
    every = list(space.tuples(space.everything))
    assert len(every) == space.size == len(set(every))
    for word in words(spec):
        moves, some = space.moves(word), every[:: max(1, len(every) // 200)]
        legal, moved = 0, 0
        for slots in some:
            v = [0, *slots]
            legal |= space.region(slots) if word.admits(spec.slot_index, v) else 0
            word.move(spec.slot_index, v)
            moved |= space.region(tuple(v[1:]))
        region = sum(map(space.region, some))
        assert region & moves.legal == legal, word.name
        assert moves(region) == moved, word.name
