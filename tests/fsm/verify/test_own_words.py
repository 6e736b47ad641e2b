"""A vocabulary of one's own in a world that knows nothing of it: variants, facts and effects of an application."""

from __future__ import annotations

from fsm.language.loader import load
from fsm.language.problem import NOWHERE
from fsm.machine.ledgers import LEDGERS
from fsm.verify.counterexample import Counterexample, RunAnswer, RunStep
from fsm.verify.property_reader import load_properties
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification
from fsm.world.reader import load_world
from tests.fsm.verify.house import TOY_PROPERTIES, TOY_SPEC, TOY_WORDS, TOY_WORLD

WORDS = TOY_WORDS.replace(
    "  button.pressed: {from: caller}\n",
    "  button.pressed: {from: caller, variants: {long: {where: {ms: long}}, other: {}}}\n"
    "  application.visit: {from: application}\n"
    "  application.tell.failed: {from: application}\n",
).replace("effects:\n", "effects:\n  tell: {to: application}\n")
SPEC = TOY_SPEC.replace(
    "      button.pressed: {do: [light], to: waiting}\n",
    "      button.pressed.other: {do: [light, tell], to: waiting}\n"
    "      button.pressed.long, application.visit, application.tell.failed: {do: []}\n",
).replace("ignore:\n", "ignore:\n      not of interest: [application.*]\n")
SAID = (
    TOY_PROPERTIES.replace(
        "  effect light: [asked += 1]\n",
        "  effect light: [asked += 1]\n  event button.pressed: [pressed = yes]\n",
    )
    .replace("ghosts:\n", "ghosts:\n  pressed: {values: [no, yes]}\n")
    .replace("properties:\n", "properties:\n  seen: {always: pressed or state == dark}\n")
)


def verified(spec: str = SPEC, words: str = WORDS, world: str = TOY_WORLD) -> SceneVerdict:
    around = load_world(world, "toy_world.yaml")
    loaded = load(spec, "toy.yaml", lambda _reference: (words, "toy_words.yaml"), LEDGERS)
    return Verification(
        loaded.spec, around, load_properties(SAID, "toy_properties.yaml", around), SearchLimits(bounds={"presses": 2})
    ).run(lambda: 0.0)


def test_the_world_says_each_variant_and_what_an_application_may_say() -> None:
    verdict = verified()
    events = {event for _, event in verdict.cells}
    assert {"button.pressed.long", "button.pressed.other", "application.visit", "application.tell.failed"} <= events
    assert not [p for p in verdict.problems if p.severity == "error"], verdict.problems


def test_what_a_property_says_of_an_event_holds_for_its_variants() -> None:
    assert {f.name: f.status for f in verified().findings}["seen"] == "holds"


def test_a_run_that_an_application_goes_on_with_for_ever_says_how_to_bound_it() -> None:
    def step(number: int, move: str, event: str) -> RunStep:
        answer = RunAnswer(event, "stayed", "hall", "hall", NOWHERE, (), ())
        return RunStep(number, move, "request", None, (), None, event, (answer,), ())

    steps = (step(1, "application.visit", "application.visit"), step(2, "rings", "button.pressed.long"))
    assert Counterexample(steps, loop=1).unbounded == ("application.visit",)
    assert "'application.visit' comes here as often as it likes" in str(Counterexample(steps, loop=1))
    assert "as often as it likes" not in str(Counterexample(steps, loop=2)) + str(Counterexample(steps))
