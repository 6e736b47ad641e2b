"""What scenarios reach: counted right, split by why not, claims that can be disproved; ways that are found work."""

from __future__ import annotations

import attrs
import pytest

from fsm.language.loader import Loaded, load
from fsm.machine.ledgers import LEDGERS
from fsm.machine.machine import TurnSpecMachine
from fsm.scenario.coverage import Coverage, all_targets, coverage
from fsm.scenario.reader import read_scenarios
from fsm.scenario.report import coverage_json, coverage_text
from fsm.scenario.runner import run_scenario
from fsm.scenario.scenario import Unreachable
from fsm.scenario.search import NoveltySearch
from fsm.scenario.writer import Draft, drafts_in, drafts_of, needed, rendered

VOCABULARY = """
vocabulary: v
slots:
  door: {values: [open, shut]}
events:
  pushed: {from: caller, when: {door: [open]}, moves: {door: {open: shut}}, otherwise: it is shut}
  pulled: {from: caller, moves: {door: {shut: open}}}
  knocked: {from: caller}
  counted_over: {from: internal}
effects:
  ring: {}
"""
SPEC = """
spec: small
vocabulary: [v.yaml]
initial: idle
context:
  knocks: {range: 0..2, overflow: counted_over}
choices:
  where:
    - {if: knocks == 0, to: idle}
    - {if: knocks > 0, to: busy}
states:
  idle:
    slots: {door: [open, shut]}
    on:
      pushed: {do: []}
      pulled: {do: []}
      knocked: {do: [knocks += 1, {if: door == open, do: [ring]}], to: where}
    cannot_happen: {nothing is counted: [counted_over]}
  busy:
    entry: [{if: knocks > 1, do: [ring]}]
    after: {bored: 1000}
    on:
      pushed: {do: [knocks = 0], to: where}
      pulled: {do: []}
      knocked:
        - {if: knocks < 2, do: [knocks += 1]}
        - {if: knocks == 2, do: [ring, knocks += 1]}
      counted_over: {do: [knocks = 0], to: where}
      timer.bored: over
  over:
    final: yes
    ignore: {it is over: [pushed, pulled, knocked, counted_over]}
"""


# Beyond the type check: 'busy' is entered with one knock, and a count that overflows is taken up in 'busy'.
NEVER = {"busy entry {if knocks > 1}: yes", "over / counted_over"}


def small() -> Loaded:
    return load(SPEC, "small.yaml", lambda name: (VOCABULARY, name), LEDGERS)


def covered(loaded: Loaded, *steps: str, claims: tuple[Unreachable, ...] = ()) -> Coverage:
    text = "spec: small\nscenarios:\n  s:\n    steps: [" + ", ".join(steps) + "]\n"
    result = run_scenario(TurnSpecMachine(loaded.spec), read_scenarios(text, "s.yaml").scenarios[0])
    assert result.failure is None
    return coverage(loaded, [("s", step) for step in result.steps], claims)


def test_rows_choices_and_branches_are_reached_one_by_one() -> None:
    found = covered(small(), "knocked", "pulled")
    assert {str(target) for target in found.hit} == {
        "idle / knocked", "choice where[knocks > 0]", "idle/knocked {if door == open}: yes",
        "busy entry {if knocks > 1}: no", "busy / pulled",
    }  # fmt: skip


def test_events_that_waited_count_too() -> None:
    found = covered(small(), "knocked", "knocked", "knocked")
    assert {"busy / counted_over", "busy / knocked[knocks == 2]"} <= {str(target) for target in found.hit}


def test_what_is_not_reached_is_split_by_why() -> None:
    why = {str(m.target): m.why for m in covered(small(), "knocked").missing}
    assert why["idle / pulled"] == "open"
    assert why["idle / counted_over"] == "spec"
    assert why["busy entry {if knocks > 1}: yes"] == "open"


def test_a_claim_is_believed_until_a_scenario_disproves_it() -> None:
    pattern = "busy entry {if knocks > 1}: yes"
    claim = Unreachable(("small",), pattern, "the first knock leads to busy")
    believed = covered(small(), "knocked", claims=(claim,))
    assert {str(m.target): m.reason for m in believed.missing if m.why == "claimed"} == {pattern: claim.reason}
    assert believed.false == ()
    disproved = attrs.evolve(claim, pattern="busy / pull*")
    [(_, why)] = covered(small(), "knocked", "pulled", claims=(disproved,)).false
    assert why == "'s' reaches 'busy / pulled'"
    [(_, why)] = covered(small(), claims=(attrs.evolve(claim, pattern="nowhere"),)).false
    assert why == "it names nothing that could be reached"
    assert covered(small(), claims=(attrs.evolve(claim, specs=("other",)),)).false == ()


def test_counts_and_text_and_json_say_the_same() -> None:
    found = covered(small(), "knocked", "pulled")
    rows, cells = found.count("row"), found.cells()
    assert (rows, cells) == ((2, 13), (2, 12))
    text = coverage_text(found)
    assert text.startswith("small: cells 2/12 (16.7%), rows of cells 2/13 (15.4%)")
    assert "idle / pulled" in text
    assert coverage_json(found)["rows"] == {"reached": 2, "reachable": 13}


def test_the_search_finds_a_shortest_way_to_all_that_can_be_reached() -> None:
    loaded = small()
    machine = TurnSpecMachine(loaded.spec)
    wanted = {target for target, why in all_targets(loaded).items() if why == "open"}
    ways = {str(way.target): way for way in NoveltySearch(machine).ways(wanted)}
    assert {str(t) for t in wanted} - set(ways) == NEVER
    assert (ways["busy / counted_over"].given, ways["busy / counted_over"].last) == (("knocked", "knocked"), "knocked")
    assert ways["over / pulled"].given == ("knocked", "timer.bored")


def test_what_is_written_is_read_again_holds_and_is_found_fresh() -> None:
    loaded = small()
    machine = TurnSpecMachine(loaded.spec)
    wanted = {t for t, why in all_targets(loaded).items() if why == "open" and str(t) not in NEVER}
    drafts, left = needed(machine, drafts_of(NoveltySearch(machine).ways(wanted)), wanted)
    text = rendered(machine, drafts, "small")
    assert left == set()
    read = read_scenarios(text, "g.yaml").scenarios
    results = [run_scenario(machine, scenario) for scenario in read]
    assert [r.failure for r in results if r.failure] == []
    assert coverage(loaded, [("", s) for r in results for s in r.steps]).count("row") == (12, 13)
    again, _ = needed(machine, drafts_in(read), wanted)
    assert rendered(machine, again, "small") == text


def test_a_way_that_does_not_work_any_more_is_dropped_and_a_needless_one_too() -> None:
    loaded = small()
    machine = TurnSpecMachine(loaded.spec)
    wanted = {t for t in all_targets(loaded) if str(t) == "idle / pulled"}
    stale, needless = Draft(("timer.bored",), ("pulled",)), Draft((), ("pushed",))
    kept, left = needed(machine, [stale, needless, Draft((), ("pulled",))], wanted)
    assert (kept, left) == ([Draft((), ("pulled",))], set())


@pytest.mark.parametrize("event", ["pulled", "knocked"])
def test_events_that_change_nothing_are_told_as_one_scenario(event: str) -> None:
    loaded = small()
    machine = TurnSpecMachine(loaded.spec)
    wanted = {t for t, why in all_targets(loaded).items() if why == "open" and str(t).startswith("over / ")}
    drafts, _ = needed(machine, drafts_of(NoveltySearch(machine).ways(wanted)), wanted)
    assert any(event in draft.events and len(draft.events) > 1 for draft in drafts)
