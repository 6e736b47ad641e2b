"""No name of a state, slot or context variable means anything to a program: under others every call is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.settings.compat import incompatibilities
from fsm.language.problem import NOWHERE
from fsm.language.spec import Spec
from fsm.scenario.reader import read_scenarios
from fsm.scenario.runner import Result, run_scenario
from tests.adapters.call import rig
from tests.adapters.call.test_whole_call import TWO_TURNS
from tests.adapters.demo.played_demo import planned, play_plan
from tests.renamed_spec import machine, names, renamed

BUNDLED = ("server_vad", "owned_turns", "push_to_talk")
MACHINES = {"plain": rig.machine, "other": machine}


def results(name: str) -> Iterator[tuple[Result, Result]]:
    """Each bundled scenario of a spec, with the old names and with the new ones. Scenarios name slots: those stay."""
    plain, other = rig.machine(name), machine(name, slots=False)
    for path in sorted((rig.SPECS / "scenarios").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        both = (read_scenarios(each, path.name).scenarios for each in (text, renamed(text, names(plain.spec))))
        for one, two in zip(*both, strict=True):
            if name in one.specs:
                yield run_scenario(plain, one), run_scenario(other, two)


def summed_up(result: Result, spec: Spec) -> dict[str, object]:
    summary = Summary(spec)
    for number, step in enumerate(result.steps):
        summary.count(step, Envelope(step.event, "test"), 100 * number)
    return summary.as_json()


@pytest.mark.parametrize("name", BUNDLED)
def test_scenarios_and_their_summaries_are_the_same_under_other_names(name: str) -> None:
    count = 0
    for plain, other in results(name):
        assert plain.failure is None and other.failure is None, other.failure
        assert [(s.variant, s.outcome, s.effects, s.start, f"{s.snapshot.state}_x") for s in plain.steps] == [
            (s.variant, s.outcome, s.effects, s.start, s.snapshot.state) for s in other.steps
        ]
        assert summed_up(plain, rig.machine(name).spec) == summed_up(other, machine(name).spec)
        count += 1
    assert count > 20


@pytest.mark.parametrize("name", BUNDLED)
def test_a_spec_under_other_names_can_be_served_and_starts_without_a_greeting(name: str) -> None:
    spec = machine(name).spec
    assert list(incompatibilities(spec, has_greeting=False, place=NOWHERE)) == []
    assert spec.start_context(has_greeting=False) == {"owed_x": "none"}
    assert spec.start_context(has_greeting=True) == {}


def test_a_call_that_ends_has_a_reason_whatever_its_last_state_is_called() -> None:
    over = next(state for state in machine("server_vad").spec.states.values() if state.final)
    assert over.name == "closed_x"
    ended = [other for _, other in results("server_vad") if other.steps[-1].snapshot.is_final]
    assert ended and all(summed_up(each, machine("server_vad").spec)["end_reason"] for each in ended)


@pytest.mark.virtual_time
async def test_a_whole_call_is_the_same_under_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = await rig.play(TWO_TURNS)
    monkeypatch.setattr(rig, "machine", machine)
    other = await rig.play(TWO_TURNS)
    assert other.summary.as_json() == plain.summary.as_json()
    assert [step.variant for _, step in other.watcher.steps] == [step.variant for _, step in plain.watcher.steps]
    assert other.summary.states == [f"{state}_x" for state in plain.summary.states]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_demo_is_shown_the_same_under_other_names(tmp_path: Path, name: str) -> None:
    plan = planned(spec=name)
    plain, other = (play_plan(attrs.evolve(plan, spec=m(name).spec), tmp_path / n).events for n, m in MACHINES.items())
    assert {event.kind for event in plain} >= {"state", "key", "asked", "cut"}
    assert {event.text for event in plain if event.floor_caller} == {"user_speaking"}
    assert other == [attrs.evolve(event, text=f"{event.text}_x") if event.kind == "state" else event for event in plain]


def test_a_spec_whose_states_have_no_tags_is_not_served_and_says_what_to_add() -> None:
    spec = machine("server_vad").spec
    bare = attrs.evolve(
        spec, without_greeting={}, states={k: attrs.evolve(s, tags=frozenset()) for k, s in spec.states.items()}
    )
    said = list(incompatibilities(bare, has_greeting=False, place=NOWHERE))
    wanted = ("'without_greeting: VALUE'", "'tags: [quiet]'", "'tags: [floor_caller]'")
    assert all(each in str(text) for each, text in zip(wanted, said, strict=True)), said
    assert len(list(incompatibilities(bare, has_greeting=True, place=NOWHERE))) == 2
