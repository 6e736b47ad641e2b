"""Mutants: which there are (a toy's by hand), who notices them, and that explanations of survivors stay true."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click import ClickException

from adapters.specs import load_spec
from adapters.verify.run import SearchProgress, load_environment
from fsm.language.loader import load
from fsm.language.problem import NOWHERE, Place, SpecError
from fsm.language.spec import Spec
from fsm.machine.ledgers import LEDGERS
from fsm.verify.property_reader import load_properties
from fsm.verify.verify import SearchLimits, scenes
from fsm.world.reader import load_world
from tests.fsm.verify import house
from tests.fsm.verify.house import TOY_PROPERTIES, TOY_WORLD
from tools.mutants import run
from tools.mutants.known import Reason, drifted, load_known, unexplained
from tools.mutants.mutants import KINDS, Mutant, commute, mutants, sample
from tools.mutants.mutation import ALIKE, Jury, Notice, score, scores
from tools.mutants.notebook import MOST_FILES, Notebook
from tools.mutants.run import (
    AIMED,
    EVERY,
    Kept,
    Trial,
    all_fresh,
    digest,
    kept_result,
    known_of,
    looked_at,
    result_text,
    summed_up,
    tried,
)

FEW = 9  # mutants of each bundled spec that are looked at anew in each test run


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


def test_what_is_unnoticed_is_explained_but_not_called_equivalent() -> None:
    known = load_known(KNOWN + "unnoticed:\n  - why: nobody asks\n    mutants: [c]\n", "known.yaml", "toy")
    assert [(name, reason.kind) for name, reason in known.items()] == [
        ("a", "equivalent"), ("b", "equivalent"), ("c", "unnoticed"),
    ]  # fmt: skip
    (problem,) = drifted([notice("a", ""), notice("b", ""), notice("c", "totality")], known)
    assert problem.hint.startswith("it is not unnoticed")
    text = summed_up(Trial("toy", (notice("c", ""),), known))
    assert "unnoticed: nobody asks" in text


# --- samples, and what is kept of them --------------------------------------------------------------------------------


def test_a_sample_is_about_one_in_so_many_and_all_of_them_make_the_whole() -> None:
    everything = mutants(house.spec("server_vad"))
    found = sample(everything, 6)
    assert 0.8 < 6 * len(found) / len(everything) < 1.2
    assert [m for m in everything if m in set(found)] == list(found)
    assert sample(everything, 1) == everything


def test_who_is_in_a_sample_does_not_hang_on_the_others() -> None:
    """An edit that adds or removes mutants leaves the sample of the others as it was."""
    everything = mutants(house.spec("server_vad"))
    edited = everything[::3] + everything[1::3]
    assert set(sample(edited, 6)) == set(sample(everything, 6)) & set(edited)


def test_a_run_that_was_ended_goes_on_where_it_was(tmp_path: Path) -> None:
    book = Notebook("toy", "1234", tmp_path)
    assert book.found() == {}
    book.add([Notice("a", KINDS[0], Place("toy.yaml", 3, 4), "totality", "no-answer"), notice("b", "")])
    again = Notebook("toy", "1234", tmp_path)
    assert again.found() == {
        "a": Notice("a", KINDS[0], Place("toy.yaml", 3, 4), "totality", "no-answer"),
        "b": notice("b", ""),
    }
    assert Notebook("toy", "of another text", tmp_path).found() == {}


def test_what_was_cut_in_the_middle_is_judged_again(tmp_path: Path) -> None:
    book = Notebook("toy", "1234", tmp_path)
    book.add([notice("a", ""), notice("b", "totality")])
    assert book.path is not None
    content = book.path.read_text(encoding="utf-8")
    book.path.write_text(content[:-4], encoding="utf-8")
    assert set(book.found()) == {"a"}
    book.add([notice("c", "")])
    assert set(book.found()) == {"a", "c"}


def test_notebooks_are_few(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 3):
        Notebook("toy", str(number), tmp_path).add([notice("a", "")])
    assert len(list((tmp_path / "mutants").iterdir())) == MOST_FILES


def test_what_is_judged_already_is_not_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a sample is in the notebook: no process is begun, and the result is what it says."""
    monkeypatch.setenv("TURNSPEC_CACHE", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = house.spec("push_to_talk")
    chosen = sample(mutants(spec), 400)
    book = Notebook("push_to_talk", digest("push_to_talk"))
    book.add([Notice(m.id, m.kind, m.place, "totality") for m in chosen])
    monkeypatch.setattr(run, "results", None)
    trial = tried("push_to_talk", spec, SearchProgress(quiet=True), 400)
    assert [n.id for n in trial.notices] == [m.id for m in chosen] != []
    assert (trial.left, trial.every, trial.of) == (0, 400, len(mutants(spec)))
    assert "1 in 400" in summed_up(trial)


@pytest.fixture
def results_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "result_path", lambda name: tmp_path / f"{name}.json")
    monkeypatch.setattr(run, "digest", lambda name: f"of {name}")
    return tmp_path


def keep(folder: Path, name: str, every: int = EVERY) -> None:
    trial = Trial(name, (notice("a", "totality"), notice("b", ""), notice("c", ALIKE)), {}, 0, every, 17)
    (folder / f"{name}.json").write_text(result_text(name, trial), encoding="utf-8")


def test_the_kept_result_says_of_how_many_it_is(results_in: Path) -> None:
    keep(results_in, "one")
    assert kept_result("one") == Kept("of one", EVERY, 3, 17, 1, 1, ("b",))
    assert str(kept_result("one")) == f"1 of 2 noticed, 1 equivalent, 17 there are (a sample, 1 in {EVERY})"
    assert json.loads((results_in / "one.json").read_text(encoding="utf-8"))["score"] == 0.5


@pytest.mark.usefixtures("results_in")
def test_without_any_result_the_check_passes_loudly(capsys: pytest.CaptureFixture[str]) -> None:
    assert all_fresh(["one", "two"])
    assert "NO RESULT OF MUTANTS IS KEPT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "two.json").unlink(), "two.json: missing"),
        (lambda folder: keep(folder, "two", EVERY + 1), "two.json: of 1 mutant in"),
        (lambda folder: (folder / "one.json").replace(folder / "two.json"), "two.json: stale"),
    ],
)
def test_once_results_are_kept_each_has_to_be_there_and_fresh(
    results_in: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], said: str
) -> None:
    for name in ("one", "two"):
        keep(results_in, name)
    assert all_fresh(["one", "two"])
    spoil(results_in)
    assert not all_fresh(["one", "two"])
    assert said in capsys.readouterr().err


def test_a_result_that_is_none_is_named(results_in: Path) -> None:
    (results_in / "one.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ClickException, match=r"one\.json is not a result"):
        all_fresh(["one"])


def test_a_result_is_of_the_texts_it_was_made_from() -> None:
    assert digest("server_vad") == digest("server_vad") != digest("owned_turns")


def test_a_result_is_of_the_world_that_the_spec_names(tmp_path: Path) -> None:
    """Of a world of its own, a change in it counts, and prose does not."""
    for name in ("full_duplex.yaml", "worlds/live.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((house.SPECS / name).read_text(encoding="utf-8"), encoding="utf-8")
    world, copy = tmp_path / "worlds" / "live.yaml", str(tmp_path / "full_duplex.yaml")
    assert digest(copy) == digest("full_duplex") != digest("server_vad")
    text = world.read_text(encoding="utf-8")
    world.write_text(text.replace("about: One thing fails.", "about: Something fails."), encoding="utf-8")
    assert digest(copy) == digest("full_duplex")
    world.write_text(text.replace("says: [0, 1]", "says: [1, 1]"), encoding="utf-8")
    assert digest(copy) != digest("full_duplex")


def test_aimed_scenes_are_of_the_world_that_they_are_for() -> None:
    assert set(AIMED) == {"realtime", "live", "provider_turns"}
    for name in ("server_vad", "full_duplex", "provider_turns"):
        world = load_environment(load_spec(name).spec).world
        assert {limits.scene for limits in AIMED[world.name]} <= set(world.scenes)
        for limits in AIMED[world.name]:
            assert set(limits.bounds) <= set(world.bounds) and set(limits.assume) <= set(world.assumptions)


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


def last_result(name: str) -> Kept:
    """What the last run left beside the spec. A tree that keeps none at all is one whose specs are being edited."""
    kept = {each: kept_result(each) for each in house.BUNDLED}
    if not any(kept.values()):
        pytest.skip("NO RESULT OF MUTANTS IS KEPT: run `python -m tools.mutants`")
    found = kept[name]
    assert found is not None, f"run `python -m tools.mutants {name}`"
    return found


@pytest.mark.parametrize("name", house.BUNDLED)
def test_every_survivor_of_the_last_run_is_explained_and_enough_are_noticed(name: str) -> None:
    """The run is `python -m tools.mutants`; `--check` tells whether it is of this spec, world and properties."""
    kept = last_result(name)
    expected = looked_at(known_of(name), house.spec(name), kept.every)
    assert set(kept.survivors) == set(expected), "run `python -m tools.mutants`"
    assert kept.every <= EVERY
    assert len(kept.survivors) <= 0.05 * (kept.judged - kept.alike)


@pytest.mark.parametrize("name", house.BUNDLED)
def test_a_few_fare_as_in_the_last_run(name: str) -> None:
    """Of quick scenes alone, which notice no more than all of them do: enough of a few, and no survivor."""
    survivors = last_result(name).survivors
    found = {mutant.id: mutant for mutant in mutants(house.spec(name))}
    assert {jury(name).judge(found[survivor]).by for survivor in survivors} <= {"", ALIKE}
    few = list(found.values())[7 :: len(found) // FEW]
    noticed = [mutant.id for mutant in few if jury(name).judge(mutant).by not in ("", ALIKE)]
    assert len(noticed) >= 0.7 * len(few)
    assert not set(noticed) & set(survivors)
