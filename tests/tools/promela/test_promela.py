"""SPIN's second opinion: as many states and the same verdicts, on what must never be and on what must come, too."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from adapters.specs import load_spec
from adapters.verify.run import load_environment
from fsm.language.expression import Scope, Variable
from fsm.language.problem import NOWHERE
from fsm.language.vocabulary import EventWord
from fsm.verify.property import Properties
from fsm.verify.property_reader import load_properties
from fsm.verify.verify import SearchLimits, Verification, scenes
from fsm.world.reader import load_world
from tests.fsm.verify import house
from tools.promela.model import to_lasting_promela, to_promela, uncovered
from tools.promela.spin import Opinion, SpinError, broken_promises, missing, read, second_opinion
from tools.promela.text import expression

BROKEN = {  # a scene in which each shows what it does, or its safety
    "answer_tool_twice": "tools",
    "ask_after_each_tool": "tools",
    "ask_while_caller_speaks": "turns",
    "cancel_and_create": "turns",
    "check_then_send": "turns",
    "forget_the_owed_answer": "turns",
    "log_the_rejection": "turns",
    "update_before_created": "turns",
    "wait_for_created": "loss",
}


@pytest.fixture
def _spin() -> None:
    if missing():
        pytest.skip(f"NO SECOND OPINION: {', '.join(missing()).upper()} NOT INSTALLED (Debian: apt install spin gcc)")


def agreed(checked: Verification, said: Properties, with_promises: bool = True) -> frozenset[str]:
    """Asks both; returns the properties that both find broken."""
    verdict = checked.run(lambda: 0.0)
    assert not verdict.partial
    violated = frozenset(f.name for f in verdict.findings if f.status == "violated")
    lasting = frozenset(p.name for p in checked.properties if p.goal is not None)
    given = (checked.spec, checked.world, said, checked.settings)
    found = second_opinion(to_promela(*given))
    assert found.states == verdict.states
    assert found.broken == violated - lasting
    text, promises = to_lasting_promela(*given)
    assert set(promises) == lasting
    if with_promises:
        assert broken_promises(text, promises) == violated & lasting
    return violated


def test_expressions_mean_the_same_in_promela() -> None:
    colours = ("red", "green", "blue")
    scope = Scope([Variable("a", colours, 0, 0, "world"), Variable("b", colours, 0, 1, "world")])
    names = ["w_a", "w_b"]
    truth = scope.truth("not (a == red and b in (green, blue)) or a not in (blue,)", NOWHERE)
    assert expression(truth, names.__getitem__) == ("(!(((w_a == 0) && (w_b == 1 || w_b == 2))) || !(w_a == 2))")
    larger = scope.value("max(a, b)", NOWHERE, scope.variables["a"])
    assert expression(larger, names.__getitem__) == "(w_a > w_b -> w_a : w_b)"


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        (SearchLimits(), {"never_bright", "lit_at_last"}),
        (
            SearchLimits(scene="patient", assume={"messages_are_lost": "yes"}),
            {"never_bright", "patience", "lit_at_last"},
        ),
        (
            SearchLimits(assume={"messages_are_lost": "yes"}, bounds={"presses": 2}),
            {"never_bright", "asked_once", "lit_at_last"},
        ),
    ],
)
@pytest.mark.usefixtures("_spin")
def test_spin_agrees_on_the_world_counted_by_hand(limits: SearchLimits, broken: set[str]) -> None:
    said = load_properties(house.TOY_PROPERTIES, "toy.yaml", load_world(house.TOY_WORLD, "toy_world.yaml"))
    assert agreed(house.toy(limits), said) == broken


SCENES = [(name, scene) for name in house.BUNDLED for scene in scenes(house.spec(name), house.world(), "quick")]


@pytest.mark.parametrize(("name", "scene"), SCENES)
@pytest.mark.usefixtures("_spin")
def test_spin_agrees_on_bundled_specs(name: str, scene: str) -> None:
    """In every scene, about every property."""
    said = load_environment().properties
    checked = Verification(house.spec(name), house.world(), said, SearchLimits(scene=scene))
    assert agreed(checked, said) == frozenset()


ABOUT_PROMISES = {  # of all, SPIN takes a quarter of an hour
    "full_duplex": ("going_on", "keys", "parting_fails", "noisy", "renewal"),
    "provider_turns": ("keys", "tools_fail", "unspoken", "renewal"),
    "gemini_turns": ("taken_up", "renewed_by_handle"),
}
"""The scenes in which SPIN is asked about what must come, too, of each spec with a world of its own."""
OWN = {name: load_spec(name).spec for name in ABOUT_PROMISES}
OWN_SCENES = [
    (name, scene)
    for name, spec in OWN.items()
    for scene in scenes(spec, load_environment(spec).world, "quick")
    if name != "gemini_turns" or scene in ABOUT_PROMISES[name]  # its other scenes are those of provider_turns
]


@pytest.mark.parametrize(("name", "scene"), OWN_SCENES)
@pytest.mark.usefixtures("_spin")
def test_spin_agrees_on_a_spec_with_a_world_of_its_own(name: str, scene: str) -> None:
    """Also where the scene sets a setting, and where the model is asked to say what the spec has words for."""
    spec, around = OWN[name], load_environment(OWN[name])
    assert uncovered(spec, around.world, around.properties) == ()
    checked = Verification(spec, around.world, around.properties, SearchLimits(scene=scene))
    assert agreed(checked, around.properties, with_promises=scene in ABOUT_PROMISES[name]) == frozenset()


@pytest.mark.parametrize("name", ["longest_call", "no_input"])
@pytest.mark.usefixtures("_spin")
def test_spin_agrees_on_instructions_of_a_specs_own(name: str) -> None:
    """What a spec has its own words for is something that is to be said, and may be listened to by its own name."""
    spec = load_spec(house.SPECS / "cookbook" / f"{name}.yaml").spec
    around = load_environment(spec)
    checked = Verification(spec, around.world, around.properties, SearchLimits(scene="turns"))
    assert agreed(checked, around.properties, with_promises=False) == frozenset()


@pytest.mark.parametrize("path", sorted((house.SPECS / "broken").glob("*.yaml")), ids=lambda p: p.stem)
@pytest.mark.usefixtures("_spin")
def test_spin_agrees_on_broken_specs(path: Path) -> None:
    spec = load_spec(path, typestate=False).spec
    limits = SearchLimits(scene=BROKEN.get(path.stem, "turns"))
    agreed(Verification(spec, house.world(), house.properties(), limits), house.properties())


def test_what_the_text_cannot_say_is_named() -> None:
    around, plain = load_environment(), house.spec("push_to_talk")
    assert uncovered(plain, around.world, around.properties) == ()
    asked = EventWord("application.visit", source="request")
    vocabulary = attrs.evolve(plain.vocabulary, events={**plain.vocabulary.events, "application.visit": asked})
    own = attrs.evolve(plain, vocabulary=vocabulary)
    assert uncovered(own, around.world, around.properties) == ("'application.visit' may come at any time",)
    hooks = {**around.properties.hooks, ("instead", "play_prompt(beep)"): ()}
    found = uncovered(plain, around.world, attrs.evolve(around.properties, hooks=hooks))
    assert found == ("'play_prompt(beep)' is followed by nothing else",)


def test_a_report_is_read() -> None:
    report = (
        "pan:1: assertion violated  (((int)said_untold)==0) (at depth 9)\n  11 states, stored\n  12 transitions (= \n"
    )
    assert read(report) == Opinion(10, 12, frozenset({"untold"}), 0.0)


@pytest.mark.parametrize("trouble", ["error: max search depth too small", "pan:1: invalid end state (at depth 3)"])
def test_a_search_that_is_not_complete_is_no_opinion(trouble: str) -> None:
    with pytest.raises(SpinError):
        read(f"{trouble}\n  11 states, stored\n  12 transitions\n")
