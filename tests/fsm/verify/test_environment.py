"""What a spec says of its own verification: a world laid beside the world, properties, intents, waivers."""

from __future__ import annotations

import pytest

from fsm.language.loader import load
from fsm.language.problem import SpecError
from fsm.language.yaml_nodes import read
from fsm.machine.ledgers import LEDGERS
from fsm.verify.environment import Bundled, Environment, environment_of
from fsm.verify.verdict import SceneVerdict
from fsm.verify.verify import SearchLimits, Verification
from tests.fsm.verify.house import TOY_PROPERTIES, TOY_SPEC, TOY_WORDS, TOY_WORLD

INTENTS = """
intents:
  counts_as_asked: {about: it asks for light, after: event each, do: [asked += 1]}
  unlit: {about: it asks for none, after: effect each, instead: yes}
"""
ASKS = TOY_WORDS.replace(
    "  button.pressed: {from: caller}\n", "  button.pressed: {from: caller}\n  application.visit: {from: request}\n"
)
VISITED = TOY_SPEC.replace("ignore:\n", "ignore:\n      not of interest: [application.visit]\n").replace(
    "      button.pressed: {do: [light], to: waiting}\n",
    "      button.pressed: {do: [light], to: waiting}\n      application.visit: {do: []}\n",
)
PART = """
verify:
  ghosts: {visits: {range: 0..2}}
  after:
    event button.pressed: [visits += 1]
  properties:
    two_at_most: {never: visits == 2}
"""


def spec_and_around(text: str, words: str = ASKS, **files: str) -> tuple[object, Environment]:
    texts = {"toy_words": words, **{f"{name}.yaml": each for name, each in files.items()}}

    def fetch(reference: str, _file: str = "") -> tuple[str, str]:
        if reference not in texts:
            raise FileNotFoundError(2, "no such file")
        return texts[reference], reference

    spec = load(text, "toy.yaml", fetch, LEDGERS).spec
    bundled = Bundled(read(TOY_WORLD, "toy_world.yaml"), [read(TOY_PROPERTIES + INTENTS, "toy_properties.yaml")])
    return spec, environment_of(bundled, spec, fetch)


def verdict(text: str, words: str = ASKS, **files: str) -> SceneVerdict:
    spec, around = spec_and_around(text, words, **files)
    limits = SearchLimits(bounds={"presses": 2})
    return Verification(spec, around.world, around.properties, limits).run(lambda: 0.0)  # type: ignore[arg-type]


def statuses(text: str, **files: str) -> dict[str, str]:
    return {finding.name: finding.status for finding in verdict(text, **files).findings}


def errors(text: str, **files: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        spec_and_around(text, **files)
    return [f"{p.place.file}:{p.place.line} {p.code}: {p.message}" for p in caught.value.problems]


def test_a_spec_without_a_word_about_it_is_asked_what_all_are_asked() -> None:
    assert "lit_at_last" in statuses(VISITED)


def test_a_request_that_the_world_does_not_know_may_come_at_any_time() -> None:
    assert ("dark", "application.visit") in verdict(VISITED).cells


def test_a_move_of_the_spec_s_own_takes_the_place_of_that() -> None:
    own = "verify: {world: {moves: {visits: {class: request, when: presses_left == 0, do: [emit(application.visit)]}}}}"
    cells = verdict(f"{VISITED}{own}\n").cells
    assert ("waiting", "application.visit") in cells
    alone = own.replace("presses_left == 0", "presses_left > 7")
    assert ("dark", "application.visit") not in verdict(f"{VISITED}{alone}\n").cells


def test_a_part_brings_its_ghosts_and_properties_along() -> None:
    included = VISITED.replace("vocabulary:", "include: [part.yaml]\nvocabulary:")
    assert statuses(included, part=PART)["two_at_most"] == "violated"
    both = included + "verify: {after: {event button.pressed: [visits = 0]}}\n"
    assert statuses(both, part=PART)["two_at_most"] == "holds", "the part's operations first, then the spec's"


def test_what_two_texts_name_is_an_error_with_both_places() -> None:
    included = VISITED.replace("vocabulary:", "include: [part.yaml]\nvocabulary:")
    own = "verify: {properties: {two_at_most: {never: visits == 1}}}\n"
    assert any("duplicate-key: 'never' is written twice" in each for each in errors(included + own, part=PART))
    shared = "verify: {properties: {lit_at_last: {never: state == dark}}}\n"
    assert errors(VISITED + shared)[0].endswith("there is a property 'lit_at_last' already")


def test_a_derived_text_says_it_beside_what_it_changes() -> None:
    derived = "spec: mine\nextends: base\nverify: {waive: {two_at_most: it may}}\n"
    found = statuses(derived, base=VISITED + PART)
    assert found["two_at_most"] == "waived"
    assert found["never_bright"] == "violated"


def test_a_waived_property_is_no_failure_and_is_not_silent() -> None:
    waiving = VISITED + "verify: {waive: {never_bright: it should be, asked_once: and often}}\n"
    found = verdict(waiving)
    assert "never_bright" not in {each.name for each in found.violated}
    assert ("never_bright", "it should be") in [(each.name, each.reason) for each in found.waived]


def test_a_part_and_a_spec_may_waive_the_same() -> None:
    included = VISITED.replace("vocabulary:", "include: [part.yaml]\nvocabulary:")
    own = "verify: {waive: {never_bright: mine}}\n"
    found = verdict(included + own, part="verify: {waive: {never_bright: its}}\n")
    assert [each.reason for each in found.waived if each.name == "never_bright"] == ["its; mine"]


def test_a_waiver_needs_a_property_and_a_reason() -> None:
    line = VISITED.count("\n") + 1
    assert errors(VISITED + "verify: {waive: {never_bright: , none_such: why}}\n") == [
        f"toy.yaml:{line} reason: why is 'never_bright' waived?",
        f"toy.yaml:{line} unknown-name: there is no property 'none_such'",
    ]


def test_an_intent_says_what_follows_a_word_of_one_s_own() -> None:
    said = "verify: {properties: {never_asked_twice: {never: asked == 2}}, intents: {%s}}\n"
    assert statuses(VISITED + said % "counts_as_asked: [application.visit]")["never_asked_twice"] == "violated"
    assert errors(VISITED + said % "counts_as_asked: [application.visits]")[0].endswith("is not known here")
    assert errors(VISITED + said % "counted: [application.visit]")[0].endswith("'counted' is not known here")
    instead = "verify: {properties: {never_asked: {never: asked == 1}}, intents: {unlit: [light]}}\n"
    assert statuses(VISITED + instead)["never_asked"] == "holds"


def test_a_deadline_that_is_followed_is_one_of_the_spec_s() -> None:
    own = "verify: {after: {event timer.overdu: []}}\n"
    assert errors(VISITED + own)[0].endswith("there is no deadline 'timer.overdu'")


def test_an_expression_that_does_not_fit_is_found_before_any_search() -> None:
    own = "verify: {properties: {mine: {never: state == gone}}}\n"
    assert "'gone'" in errors(VISITED + own)[0]


def test_files_say_the_same_and_one_may_take_the_place_of_the_world() -> None:
    more = "verify: {worlds: [more.yaml], properties: [said.yaml, {quiet: {never: lamp == on}}]}\n"
    said = "properties: {lit: {never: state == bright}}"
    found = statuses(VISITED + more, more="about: more\nscenes: {late: {about: a scene of one's own}}", said=said)
    assert found["lit"] == found["quiet"] == "violated" and "lit_at_last" in found
    _, around = spec_and_around(VISITED + more, more="scenes: {late: {about: a scene of one's own}}", said=said)
    assert set(around.world.scenes) == {"patient", "late"}
    alone = statuses(VISITED + more, more=TOY_WORLD.replace("world: toy", "world: another"), said=said)
    assert set(alone) == {"lit", "quiet"}
    assert errors(VISITED + more, said=said)[0].endswith("'more.yaml' cannot be read: no such file")


def test_what_the_world_says_already_is_an_error() -> None:
    own = "verify: {world: {moves: {press: {class: caller, when: presses_left > 0}}}}\n"
    found = errors(VISITED + own)
    assert any("'class' is written twice" in each for each in found)
    joined = "verify: {world: {effects: {light: [send(ask)]}}}\n"
    assert not verdict(VISITED + joined).problems


def test_a_claim_about_each_state_includes_new_ones() -> None:
    own = "verify: {properties: {left: {each: not quiet, leads_to: {from: state == each, to: state != each}}}}\n"
    assert {"left[dark]", "left[waiting]"} <= set(statuses(VISITED + own))
    assert "left[bright]" not in statuses(VISITED + own), "a final state is not left"
    tagged = (VISITED + own).replace("  dark:\n", "  dark:\n    tags: [quiet]\n", 1)
    assert "left[dark]" not in statuses(tagged)


FEATURES = """
features: {bright: {vocabulary: toy, about: lamps are lit}, dim: {vocabulary: dimmed, about: lamps are dimmed}}
turn_detection: {glare: {feature: bright, default: yes}, fade: {of: bright, feature: dim}}
"""


def agreeing(turn_detection: str) -> list[str]:
    text = VISITED + turn_detection
    spec = load(text, "toy.yaml", lambda name: ({"toy_words": ASKS}[name], name), LEDGERS).spec
    bundled = Bundled(read(TOY_WORLD + FEATURES, "toy_world.yaml"), [read(TOY_PROPERTIES, "toy_properties.yaml")])
    try:
        environment_of(bundled, spec, lambda name, _file: (name, name))
    except SpecError as error:
        return [p.message for p in error.problems]
    return []


def test_what_a_provider_is_asked_for_agrees_with_the_vocabulary() -> None:
    assert agreeing("") == agreeing('turn_detection: {needs: {glare: "true", fade: "false"}}\n') == []
    assert agreeing('turn_detection: {needs: {glare: "false"}}\n') == [
        "'glare' is false here, but the spec has the vocabulary 'toy'"
    ]
    assert agreeing('turn_detection: {needs: {fade: "true"}}\n') == [
        "'fade' is true here, but the spec lacks the vocabulary 'dimmed'"
    ]
