"""A world of seven states, counted by hand: explorer, properties, fairness, bounds, cells, counterexamples."""

from __future__ import annotations

import attrs
import pytest

from fsm.language.loader import load
from fsm.language.problem import SpecError
from fsm.machine.ledgers import LEDGERS
from fsm.verify.property_reader import load_properties
from fsm.verify.sequence_diagram import mermaid
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verdict_text import outcome
from fsm.verify.verify import SearchLimits, Verification, Workbench, unused_rows, verify_stable
from fsm.world.reader import load_world
from tests.fsm.verify import house
from tests.fsm.verify.house import TOY_PROPERTIES, TOY_SPEC, TOY_WORLD, toy


def clock() -> float:
    return 0.0


def statuses(verdict: SceneVerdict) -> dict[str, str]:
    return {f.name: f.status for f in verdict.findings}


def test_all_states_are_found_and_counted() -> None:
    verdict = toy(SearchLimits()).run(clock)
    # dark; waiting with ask / lit in flight; bright; dark again with ask / lit / nothing in flight
    assert (verdict.states, verdict.transitions) == (7, 7)
    assert verdict.depth == 4
    assert not verdict.partial


def test_an_assumption_takes_runs_away() -> None:
    verdict = toy(SearchLimits(scene="patient")).run(clock)
    assert (verdict.states, verdict.transitions) == (4, 3)
    assert verdict.assumptions_used == ("timers_are_long",)


def test_properties_hold_and_are_violated_with_shortest_runs() -> None:
    hasty, patient = toy(SearchLimits()).run(clock), toy(SearchLimits(scene="patient")).run(clock)
    assert statuses(hasty) == {
        "lit_at_last": "violated", "left_at_last": "holds", "never_bright": "violated", "asked_once": "holds",
        "patience": "not applicable", "elsewhere": "not applicable",
    }  # fmt: skip
    assert statuses(patient)["lit_at_last"] == "holds"
    assert statuses(patient)["patience"] == "holds"
    runs = {f.name: f.run for f in hasty.findings if f.run}
    assert [s.move for s in runs["never_bright"].steps] == ["press", "lamp_lights", "gets_lit"]
    assert runs["lit_at_last"].stuck
    assert hasty.outcome == "FAIL"


def test_always_is_violated_when_its_contrary_is_reached() -> None:
    verdict = toy(SearchLimits(bounds={"presses": 2})).run(clock)
    found = next(f for f in verdict.findings if f.name == "asked_once")
    assert found.status == "violated" and found.run is not None
    assert found.run.final[0] == "state waiting"


def test_a_loss_is_one_more_way() -> None:
    verdict = toy(SearchLimits(scene="patient", assume={"messages_are_lost": "yes"})).run(clock)
    # one more: waiting with nothing in flight (lost), where the deadline fires, to dark
    assert (verdict.states, verdict.transitions) == (6, 5)
    lost = next(f for f in verdict.findings if f.name == "lit_at_last").run
    assert lost is not None
    assert lost.steps[1].lost == "lit"


RETRY = TOY_SPEC.replace(
    "timer.overdue: {do: [presume(lamp_off)], to: dark}", "timer.overdue: {do: [presume(lamp_off), light]}"
)


def test_a_fair_cycle_is_a_violation_and_an_unfair_one_is_not() -> None:
    # The lamp never takes what it is asked: without fairness of the lamp, asking never ends.
    deaf = (
        TOY_WORLD.replace("lamp_lights: {class: provider,", "lamp_lights: {class: provider, fair: no,")
        .replace("to_lamp: {capacity: 1, reserve: 0}", "to_lamp: {capacity: 1, reserve: 0}")
        .replace("light: [send(ask)]", "light: [remove(ask), send(ask)]")
    )
    found = next(f for f in toy(SearchLimits(), RETRY, deaf).run(clock).findings if f.name == "lit_at_last")
    assert found.status == "violated" and found.run is not None
    assert found.run.loop and [s.move for s in found.run.steps[found.run.loop - 1 :]] == ["timer.overdue"]
    assert "--- from here on, again and again:" in str(found.run)
    assert "    loop without end" in mermaid(found.run)
    hearing = deaf.replace("fair: no,", "")
    found = next(f for f in toy(SearchLimits(), RETRY, hearing).run(clock).findings if f.name == "lit_at_last")
    assert found.status == "holds"


def test_a_fair_move_that_is_possible_only_now_and_then_may_never_be_taken() -> None:
    """Weak fairness: the lamp blinks, and the button works only while it is lit; it need not be pressed then."""
    blinking = TOY_WORLD.replace("variables:\n", "variables:\n  blink: {values: [off, on]}\n").replace(
        "press: {class: caller, when: presses_left > 0,",
        "lights: {class: provider, fair: yes, when: blink == off, do: [blink = on]}\n"
        "  darkens: {class: provider, fair: yes, when: blink == on, do: [blink = off]}\n"
        "  press: {class: caller, fair: yes, when: presses_left > 0 and blink == on,",
    )
    said = "properties:\n  pressed: {leads_to: {from: presses_left > 0, to: presses_left == 0}}"
    found = toy(SearchLimits(), world_text=blinking, said=said).run(clock).findings[0]
    assert found.status == "violated" and found.run is not None
    assert [s.move for s in found.run.steps[found.run.loop - 1 :]] == ["lights", "darkens"]
    always = blinking.replace(" and blink == on", "")
    assert toy(SearchLimits(), world_text=always, said=said).run(clock).findings[0].status == "holds"


@pytest.mark.parametrize(
    ("restart", "also", "status"),
    [("never", "", "holds"), ("on_change", "", "violated"), ("never", "restart(late)", "violated")],
)
def test_a_deadline_that_runs_on_fires_although_it_is_held_back_now_and_then(
    restart: str, also: str, status: str
) -> None:
    """The lamp flickers without end, and no deadline fires while that is in flight. A clock goes on all the same."""
    flickering = (
        TOY_WORLD.replace("light: [send(ask)]", "light: []")
        .replace("    lit: {lossy: yes}\n", "    lit:\n    flicker:\n")
        .replace(
            "  gets_lit:",
            "  flickers: {class: provider, fair: yes, when: presses_left == 0, do: [send(flicker)]}\n"
            "  gets_flicker: {class: telephony, receive: flicker, do: [emit(button.pressed)]}\n  gets_lit:",
        )
    )
    deadline = f"initial: dark\ndeadlines: {{late: {{after_ms: 1000, restart: {restart}, while: state == waiting}}}}\n"
    patient = (
        TOY_SPEC.replace("initial: dark\n", deadline)
        .replace("      timer.overdue:", "      timer.late: {do: [presume(lamp_off)], to: dark}\n      timer.overdue:")
        .replace("      timer.overdue: {do: [presume(lamp_off)], to: dark}", "      timer.overdue: {do: []}")
    )
    if also:
        patient = patient.replace(
            "    ignore:\n      we wait already: [button.pressed]\n", f"      button.pressed: {{do: [{also}]}}\n"
        )
    limits = SearchLimits(assume={"timers_are_long": "yes"})
    found = next(f for f in toy(limits, patient, flickering).run(clock).findings if f.name == "left_at_last")
    assert found.status == status


def test_full_queues_are_counted_and_capacities_raised() -> None:
    spec, world = house.toy_spec(RETRY), load_world(TOY_WORLD, "toy_world.yaml")
    said = load_properties(TOY_PROPERTIES, "toy_properties.yaml", world)
    narrow, *wider = verify_stable(Workbench(spec, world, said), SearchLimits(), clock, most=4)
    assert narrow.cut["to_lamp"] > 0
    assert narrow.capacities["to_lamp"] == 1
    assert wider and wider[-1].capacities["to_lamp"] > 1
    assert wider[-1].states > narrow.states


def test_a_cell_that_cannot_happen_but_does_is_an_error() -> None:
    wrong = TOY_SPEC.replace("ignore:\n      we wait already:", "cannot_happen:\n      we wait already:")
    verdict = toy(SearchLimits(bounds={"presses": 2}), wrong).run(clock)
    assert [p.message for p in verdict.problems] == ["'button.pressed' does happen in 'waiting'"]
    assert len(verdict.problems[0].trail) == 2
    assert verdict.outcome == "FAIL"


def test_a_spec_that_answers_itself_without_end_is_an_error_with_its_run() -> None:
    words = house.TOY_WORDS.replace("  button.pressed:", "  presses.overflowed: {from: internal}\n  button.pressed:")
    text = """
spec: toy
vocabulary: [toy_words]
initial: dark
context:
  presses: {range: 0..1, overflow: presses.overflowed}
states:
  dark:
    on:
      button.pressed: {do: [light, presses += 1], to: waiting}
    ignore:
      nothing yet: [presses.overflowed]
  waiting:
    on:
      button.pressed, presses.overflowed: {do: [presses += 1]}
      lamp.lit: {to: bright}
  bright:
    final: yes
    ignore:
      it is done: ["*"]
"""
    spec = load(text, "toy.yaml", lambda _reference: (words, "toy_words.yaml"), LEDGERS, typestate=False).spec
    around = load_world(TOY_WORLD, "toy_world.yaml")
    said = load_properties(TOY_PROPERTIES, "toy_properties.yaml", around)
    verdict = Verification(spec, around, said, SearchLimits(bounds={"presses": 2})).run(clock)
    (problem,) = verdict.problems
    assert problem.message == "'presses.overflowed' does happen in 'waiting'"
    assert "reactions to one event: the spec answers itself without end" in problem.hint
    assert len(problem.trail) == 2


def test_an_unused_ignore_is_a_warning() -> None:
    spec = house.toy_spec()
    once, twice = (toy(SearchLimits(bounds={"presses": n})).run(clock) for n in (1, 2))
    assert {str(p.place) for p in unused_rows(spec, [once])} == {"toy.yaml:15:25", "toy.yaml:19:20"}
    assert {str(p.place) for p in unused_rows(spec, [once, twice])} == {"toy.yaml:19:20"}


def test_a_cell_is_explained_by_its_shortest_run() -> None:
    verification = toy(SearchLimits())
    verification.run(clock)
    run = verification.explain("dark", "lamp.lit")
    assert run is not None
    assert [s.move for s in run.steps] == ["press", "lamp_lights", "timer.overdue", "gets_lit"]
    assert run.steps[-1].answers[0].outcome == "ignored"
    assert verification.explain("bright", "lamp.lit") is None


def test_an_interrupted_search_is_partial_and_goes_on() -> None:
    verification = toy(SearchLimits())
    verdict = verification.run(clock, lambda _expanded, _found: False)
    assert verdict.partial and verdict.outcome in ("PARTIAL", "FAIL")
    assert statuses(verdict)["lit_at_last"] == "unjudged"
    verdict = verification.run(clock)
    assert (verdict.partial, verdict.states) == (False, 7)


def test_a_bound_on_states_leaves_a_partial_result() -> None:
    assert toy(SearchLimits(max_states=1)).run(clock).partial


def test_runs_name_the_lines_that_decided() -> None:
    verdict = toy(SearchLimits()).run(clock)
    run = next(f.run for f in verdict.findings if f.name == "never_bright")
    assert run is not None
    assert [str(place) for place in run.places] == ["toy.yaml:8:23", "toy.yaml:12:17"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("light: [send(ask)]", "light: [send(aks)]", "toy_world.yaml:22:11: error[unknown-name]"),
        ("presses_left > 0", "presses > 0", "toy_world.yaml:24:"),
        ("class: caller", "class: calller", "toy_world.yaml:24:"),
        ("timers_are_long: all", "timers_are_lang: all", "toy_world.yaml:28:"),
        ("presses_left -= 1", "presses -= 1", "error[assignment]"),
    ],
)
def test_wrong_worlds_are_refused_with_their_place(old: str, new: str, where: str) -> None:
    with pytest.raises(SpecError, match=where.replace("[", r"\[").replace(".", r"\.")):
        load_world(TOY_WORLD.replace(old, new), "toy_world.yaml")


def test_a_world_that_tells_what_the_vocabulary_lacks_is_refused() -> None:
    with pytest.raises(SpecError, match=r"no event 'lamp\.litt' in 'toy'"):
        toy(SearchLimits(), world_text=TOY_WORLD.replace("emit(lamp.lit)", "emit(lamp.litt)"))


def test_a_world_that_does_not_answer_an_effect_is_refused() -> None:
    with pytest.raises(SpecError, match="does not answer the effect 'light'"):
        toy(
            SearchLimits(),
            world_text=TOY_WORLD.replace("  light: [send(ask)]\n", ""),
            said="properties:\n  a: {never: lamp == on}",
        )


def test_properties_with_wrong_words_are_refused() -> None:
    with pytest.raises(SpecError, match=r"toy_properties\.yaml:"):
        toy(SearchLimits(), said="properties:\n  a: {never: lmap == on}")


def test_a_moment_is_each_thing_that_the_world_calls_so() -> None:
    moments = "moments: {asks: [effect light, event button.pressed]}\nafter:\n  moment asks:"
    said = TOY_PROPERTIES.replace("after:\n  effect light:", moments)
    assert statuses(toy(SearchLimits(), said=TOY_PROPERTIES).run(clock))["asked_once"] == "holds"
    assert statuses(toy(SearchLimits(), said=said).run(clock))["asked_once"] == "violated"
    with pytest.raises(SpecError, match="'answers' is not known here"):
        toy(SearchLimits(), said=said.replace("moment asks", "moment answers"))


def test_a_property_over_what_a_spec_lacks_says_nothing_of_it() -> None:
    said = "properties:\n  counted: {over: [lamps], never: lamps == 3}\n  lit: {over: [lamp], never: lamp == asked}"
    found = {f.name: f for f in toy(SearchLimits(), said=said).run(clock).findings}
    assert (found["counted"].status, found["counted"].reason) == ("not applicable", "the spec has no lamps")
    assert found["lit"].status == "violated"


def test_there_is_no_pass_while_a_scene_is_missing() -> None:
    passed = toy(
        SearchLimits(scene="patient"), said="properties:\n  a: {never: asked == 2}\nghosts:\n  asked: {range: 0..2}"
    ).run(clock)
    assert passed.outcome == "PASS"
    assert [outcome([passed], wanted) for wanted in (1, 2)] == ["PASS", "PARTIAL"]
    assert outcome([passed, toy(SearchLimits()).run(clock)], 3) == "FAIL"
    assert outcome([], 3) == "not searched"


def test_verdicts_compare_and_print() -> None:
    verdict = toy(SearchLimits()).run(clock)
    assert verdict.same_as(attrs.evolve(verdict, states=1))
    assert verdict.table()[0][:3] == ("toy / ", "FAIL", "7 states")
    assert verdict.bytes_per_state > 0


def test_more_configurations_than_can_be_numbered_leave_a_partial_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that grows and grows: it is said so, nothing is judged that was not seen."""
    monkeypatch.setattr("fsm.verify.tables.MASK", 1)
    verdict = house.toy(SearchLimits()).run(lambda: 0.0)
    assert verdict.partial
    assert {f.status for f in verdict.findings} <= {"unjudged", "violated", "not applicable"}


def test_a_property_that_the_first_state_violates_has_a_run_without_steps() -> None:
    said = """
properties:
  never_dark: {never: state == dark}
  lit_at_last: {leads_to: {from: state == dark, to: state == bright}}
"""
    verdict = toy(SearchLimits(bounds={"presses": 0}), said=said).run(clock)
    assert statuses(verdict) == {"never_dark": "violated", "lit_at_last": "violated"}
    runs = {finding.name: finding.run for finding in verdict.findings}
    for run in runs.values():
        assert run is not None and run.steps == () and run.places == ()
        assert mermaid(run, "toy").startswith("sequenceDiagram")
    first = "    --- before anything has happened\n"
    assert str(runs["never_dark"]) == f"{first}    at the end: losses_left 1"
    assert str(runs["lit_at_last"]) == f"{first}    --- and nothing more happens\n    at the end: losses_left 1"
