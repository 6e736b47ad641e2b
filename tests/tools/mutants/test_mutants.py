"""Mutants: which there are (a toy's by hand), who notices them, and that explanations of survivors stay true."""

from __future__ import annotations

import functools
from collections import Counter

import pytest

from adapters.verify.run import load_environment
from fsm.language.loader import load
from fsm.language.problem import NOWHERE, SpecError
from fsm.language.spec import Spec
from fsm.machine.ledgers import LEDGERS
from fsm.verify.property_reader import load_properties
from fsm.verify.verify import SearchLimits, scenes
from fsm.world.reader import load_world
from tests.fsm.verify import house
from tests.fsm.verify.house import TOY_PROPERTIES, TOY_WORLD
from tools.mutants.known import Reason, drifted, load_known, unexplained
from tools.mutants.mutants import KINDS, Mutant, commute, mutants
from tools.mutants.mutation import ALIKE, Jury, Notice, score, scores
from tools.mutants.run import Trial, digest, kept_result, known_of, looked_at, summed_up

SAMPLE = 9  # mutants of each bundled spec that are looked at anew in each test run


def toy() -> dict[str, Mutant]:
    return {m.id: m for m in mutants(house.toy_spec())}


def toy_jury() -> Jury:
    spec, world = house.toy_spec(), load_world(TOY_WORLD, "toy_world.yaml")
    said = load_properties(
        TOY_PROPERTIES.replace("never_bright", "seldom").replace(
            "never: state == bright", "never: lamp == off and state == bright"
        ),
        "p.yaml",
        world,
    )
    return Jury(spec, world, said, [SearchLimits(scene=name) for name in scenes(spec, world, "quick")])


def test_a_toy_has_these_mutants() -> None:
    counted = Counter(m.kind for m in toy().values())
    assert counted == {
        "transition dropped": 3, "transition doubled": 3, "transition retargeted": 8, "effect dropped": 2,
        "effect doubled": 2, "timer removed": 1,
    }  # fmt: skip
    assert "transition retargeted: waiting/lamp.lit -> dark" in toy()
    assert "effect dropped: light in dark/button.pressed" in toy()
    assert str(toy()["timer removed: overdue"]).startswith("toy.yaml:10:")


def test_a_mutant_changes_one_thing_and_leaves_the_spec_alone() -> None:
    spec = house.toy_spec()
    for mutant in mutants(spec):
        broken = mutant.rewrite(spec)
        assert broken != spec, mutant.id
    assert spec == house.toy_spec()


def test_what_is_the_same_program_is_no_mutant() -> None:
    spec = house.spec("server_vad")
    first, second, third = spec.choices["answer_judged"].rows[0].operations[1:4]  # retries, reconnects, silences
    assert commute(spec, first, second) and commute(spec, second, third)
    assert not any("moved: retries = 0 behind reconnects = 0" in m.id for m in mutants(spec))


def test_a_states_own_row_dropped_uncovers_its_groups() -> None:
    spec = house.spec("server_vad")
    name = "transition dropped: user_speaking/response.created.own"
    broken = next(m for m in mutants(spec) if m.id == name).rewrite(spec)
    assert broken.cells["user_speaking", "response.created.own"].group == "conversation"


def test_the_jury_names_who_notices() -> None:
    jury, made = toy_jury(), toy()
    by = {name: jury.judge(mutant).by for name, mutant in made.items()}
    assert by["transition dropped: dark/button.pressed"] == "totality"
    assert by["transition doubled: waiting/lamp.lit"] == "totality"
    assert by["effect doubled: light in dark/button.pressed"] == "typestate"
    assert by["timer removed: overdue"] == "typestate"
    assert by["transition retargeted: waiting/lamp.lit -> dark"] in ("typestate", "lit_at_last", "left_at_last")


def notice(name: str, by: str) -> Notice:
    return Notice(name, KINDS[0], NOWHERE, by)


def test_scores_count_what_was_noticed() -> None:
    found = [notice("a", "totality"), notice("b", ""), notice("c", "no_short_commit"), notice("d", "totality")]
    assert (score(found).noticed, score(found).total, score(found).by["totality"]) == (3, 4, 2)
    assert str(scores(found)[KINDS[0]]) == "3 of 4 (75.0 %)"
    assert score([]).share == 1.0


def test_what_is_no_mutant_counts_for_nothing() -> None:
    found = score([notice("a", "totality"), notice("b", ""), notice("c", ALIKE)])
    assert (found.noticed, found.total, found.alike) == (1, 2, 1)
    assert ALIKE not in found.by


KNOWN = """
spec: toy
equivalent:
  - why: it is the same
    mutants: ["a", "b"]
"""


def test_explanations_of_what_is_noticed_or_gone_are_problems() -> None:
    known = load_known(KNOWN, "known.yaml", "toy")
    found = [notice("a", "totality"), notice("c", "")]
    assert [n.id for n in unexplained(found, known)] == ["c"]
    assert [(p.code, p.place.line) for p in drifted(found, known)] == [("noticed", 5), ("no-mutant", 5)]
    assert not drifted([notice("a", ""), notice("b", "")], known)


@pytest.mark.parametrize(
    "text", [KNOWN.replace("why:", "wy:"), KNOWN.replace('"b"', '"a"'), KNOWN.replace("spec: toy", "")]
)
def test_wrong_explanations_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"known\.yaml:"):
        load_known(text, "known.yaml", "toy")


def test_explanations_may_be_of_several_specs() -> None:
    shared = KNOWN.replace("spec: toy", "spec: [toy, other]")
    assert load_known(shared, "known.yaml", "toy") == load_known(shared, "known.yaml", "other") != {}
    assert load_known(shared, "known.yaml", "another") == {}


def test_mutants_are_told_by_kind_and_survivors_with_their_reason() -> None:
    notices = (
        Notice("timer removed: a", "timer removed", NOWHERE, "typestate"),
        Notice("timer removed: b", "timer removed", NOWHERE, "", "3 scenes reach it"),
        Notice("timer removed: c", "timer removed", NOWHERE, "", "no scene reaches it"),
    )
    text = summed_up(Trial("toy", notices, {"timer removed: b": Reason("it is never seen", NOWHERE)}))
    assert "1 of 3 (33.3 %)" in text
    assert "equivalent: it is never seen" in text
    assert "1 survive unexplained" in text
    assert "timer removed: c  (no scene reaches it)" in text


def test_a_result_is_of_the_texts_it_was_made_from() -> None:
    assert digest("server_vad") == digest("server_vad") != digest("owned_turns")


# --- the bundled specs ------------------------------------------------------------------------------------------------


@functools.cache
def jury(name: str) -> Jury:
    around = load_environment()
    spec: Spec = load(*house.fetch(f"{name}.yaml"), house.fetch, LEDGERS).spec
    return Jury(
        spec, around.world, around.properties, [SearchLimits(scene=n) for n in scenes(spec, around.world, "quick")]
    )


JUDGED = {
    # whoever hangs up has nothing to hear: the choice leads where the row led
    "transition retargeted: live/caller.hung_up -> farewell": ALIKE,
    "effect doubled: watch_silence in user_speaking entry": "cannot_happen",
    "assignment dropped: unechoed -= 1 in conversation/conversation.item.added.ours": "items_are_counted",
    "assignment dropped: tools_running = 0 in closed entry": "tools_are_counted",
    "assignment dropped: asked = none in conversation/response.created.begun": "what_was_asked_is_asked",
}


@pytest.mark.parametrize(("mutant", "by"), JUDGED.items())
def test_who_notices_what(mutant: str, by: str) -> None:
    found = {m.id: m for m in mutants(house.spec("push_to_talk"))}
    assert jury("push_to_talk").judge(found[mutant]).by == by


def test_a_spec_takes_its_own_steps_and_a_mutant_does_not() -> None:
    sound = jury("push_to_talk").steps
    assert len(sound.answers) > 1000
    assert sound.same(house.spec("push_to_talk"))
    retargeted = "transition retargeted: conversation/response.created.ours -> closing"
    broken = next(m for m in mutants(house.spec("push_to_talk")) if m.id == retargeted)
    assert not sound.same(broken.rewrite(house.spec("push_to_talk")))


@pytest.mark.parametrize("name", house.BUNDLED)
def test_mutants_have_names_of_their_own(name: str) -> None:
    found = mutants(house.spec(name))
    assert len({m.id for m in found}) == len(found) > 1000
    assert {m.kind for m in found} == set(KINDS)


def last_result(name: str) -> dict[str, object]:
    """What the last full run left beside the spec."""
    kept = kept_result(name)
    if kept is None:
        pytest.skip(f"NO RESULT OF MUTANTS IS KEPT: run `python -m tools.mutants {name}`")
    return kept


@pytest.mark.parametrize("name", house.BUNDLED)
def test_every_survivor_of_the_last_full_run_is_explained_and_enough_are_noticed(name: str) -> None:
    """The full run is `python -m tools.mutants`; `--check` tells whether it is of this spec, world and properties."""
    kept = last_result(name)
    survivors, every, total = kept["survivors"], kept.get("every", 1), kept["mutants"]
    assert isinstance(survivors, list) and isinstance(every, int) and isinstance(total, int)
    assert set(survivors) == set(looked_at(known_of(name), house.spec(name), every)), "run `python -m tools.mutants`"
    assert len(survivors) <= 0.05 * total


@pytest.mark.parametrize("name", house.BUNDLED)
def test_a_sample_fares_as_in_the_last_full_run(name: str) -> None:
    """Of quick scenes alone, which notice no more than all of them do: enough of a sample, and no survivor."""
    survivors = last_result(name)["survivors"]
    assert isinstance(survivors, list)
    found = {mutant.id: mutant for mutant in mutants(house.spec(name))}
    assert {jury(name).judge(found[survivor]).by for survivor in survivors} <= {"", ALIKE}
    sample = list(found.values())[7 :: len(found) // SAMPLE]
    noticed = [mutant.id for mutant in sample if jury(name).judge(mutant).by not in ("", ALIKE)]
    assert len(noticed) >= 0.7 * len(sample)
    assert not set(noticed) & set(survivors)
