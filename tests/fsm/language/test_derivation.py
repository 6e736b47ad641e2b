"""A spec that extends another: what is removed, overridden and added, each with its place and the base's."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fsm.draw.text import Links
from fsm.journal.journal import step_line
from fsm.language.flat import as_yaml
from fsm.language.loader import Loaded, flattened, load
from fsm.language.problem import Place, Problem, SpecError
from fsm.language.spec import Spec
from fsm.machine.ledgers import LEDGERS
from fsm.machine.machine import Event, TurnSpecMachine
from tests.fsm.language.mini import HOUSE, WORDS

FILES = {"house.yaml": HOUSE, "words.yaml": WORDS}


def loaded(text: str, more: Mapping[str, str] | None = None) -> Loaded:
    return load(text, "mine.yaml", fetch_of(more or {}), LEDGERS)


def fetch_of(more: Mapping[str, str]):  # type: ignore[no-untyped-def]
    known = {**FILES, **more}

    def fetch(reference: str) -> tuple[str, str]:
        if reference not in known:
            raise FileNotFoundError(2, "No such file or directory")
        return known[reference], reference

    return fetch


def mine(*lines: str) -> str:
    return "\n".join(["spec: mine", "extends: house", *lines]) + "\n"


def problems(text: str, more: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        loaded(text, more)
    return caught.value.problems


def meaning(spec: Spec) -> tuple[object, ...]:
    """All that decides, without places."""
    word = spec.vocabulary
    return (
        spec.cells, spec.states, spec.choices, dict(spec.deadlines), spec.variables, spec.initial, spec.happy_path,
        [(e, e.when, e.moves) for e in word.events.values()], [(e, e.when, e.moves) for e in word.effects.values()],
    )  # fmt: skip


def test_what_a_spec_does_not_say_its_base_says() -> None:
    base, derived = loaded(HOUSE).spec, loaded(mine("about: Another house.")).spec
    assert meaning(base) == meaning(derived)
    assert (derived.name, derived.about, derived.file) == ("mine", "Another house.", "mine.yaml")


def test_a_thing_is_overridden_by_its_key_and_an_answer_as_a_whole() -> None:
    spec = loaded(
        mine("override:", "  deadlines: {patience: {after_ms: 700}}", "  states:", "    hall:",
             "      on: {bell.rang: {to: garden}}")
    ).spec  # fmt: skip
    assert (spec.deadlines["patience"].after_ms, spec.deadlines["patience"].condition.text) == (700, "mood == cross")
    (row,) = spec.cells["hall", "bell.rang"].rows
    assert (row.target, row.operations) == ("garden", ())
    assert row.place == Place("mine.yaml", 7, 23) and row.place.over == "house.yaml:15:18"
    assert row.place.lines == "mine.yaml:7 (over house.yaml:15)"
    assert spec.cells["hall", "bell.rang_twice"].rows[0].place.lines == "house.yaml:16"


def test_what_is_added_is_new_and_a_plus_adds_to_a_list() -> None:
    spec = loaded(
        mine("add:", "  context: {mood: {values+: [glad]}, seen: {values: [no, yes]}}",
             "  actions: {look: [seen = yes]}", "  states:", "    cellar: {ignore: {}}",
             "    garden: {+entry: [look], entry+: [open_door]}")
    ).spec  # fmt: skip
    assert spec.variable("mood").domain == ("calm", "cross", "angry", "glad")
    assert [op.text for op in spec.states["garden"].entry] == ["seen = yes", "shut_door", "open_door"]


def test_what_is_removed_is_gone_and_may_be_added_anew() -> None:
    spec = loaded(
        mine("remove:", "  deadlines: patience", "  states: {hall: {on: [bell.rang],",
             "                  ignore: {nothing to do here: [timer.patience]}},",
             "           garden: {ignore: {nothing to do outside: [timer.patience]}}}",
             "add: {states: {hall: {on: {bell.rang: garden}}}}")
    ).spec  # fmt: skip
    assert "patience" not in spec.deadlines
    assert spec.cells["hall", "bell.rang"].rows[0].target == "garden"


def test_a_base_may_extend_another_and_the_last_word_counts() -> None:
    middle = mine("override: {deadlines: {patience: {after_ms: 600}, bulb_overdue: {after_ms: 50}}}")
    text = "spec: last\nextends: middle.yaml\noverride: {deadlines: {patience: {after_ms: 700}}}\n"
    spec = loaded(text, {"middle.yaml": middle}).spec
    assert [spec.deadlines[name].after_ms for name in ("patience", "bulb_overdue")] == [700, 50]


def test_a_base_in_another_folder_finds_its_own_files_there() -> None:
    more = {"far/base.yaml": HOUSE.replace("[words.yaml]", "[talk.yaml]"), "far/talk.yaml": WORDS}
    assert loaded("spec: mine\nextends: far/base.yaml\n", more).spec.name == "mine"


def test_a_part_and_a_vocabulary_are_derived_in_the_same_way() -> None:
    part = "actions: {ring: [open_door]}\n"
    mine_part = "extends: part.yaml\nadd: {actions: {ring+: [shut_door]}}\n"
    talk = "extends: words.yaml\nvocabulary: talk\nadd: {effects: {greet: {choices+: [bow]}}}\n"
    text = HOUSE.replace("spec: house\n", "spec: house\ninclude: [mine_part.yaml]\n").replace("words.yaml", "talk.yaml")
    text = text.replace("bell.rang: {do: [bells += 1, open_door]}", "bell.rang: {do: [bells += 1, ring, greet(bow)]}")
    spec = loaded(text, {"part.yaml": part, "mine_part.yaml": mine_part, "talk.yaml": talk}).spec
    (row,) = spec.cells["hall", "bell.rang"].rows
    assert [op.text for op in row.operations] == ["bells += 1", "open_door", "shut_door", "greet(bow)"]
    assert spec.vocabulary.names == ("mini", "talk"), "a world asks for either"


def test_moves_of_a_word_are_refined() -> None:
    talk = "extends: words.yaml\noverride: {events: {bulb.broke: {moves: {lamp: {on: lost}}}}}\n"
    spec = loaded(HOUSE.replace("words.yaml", "talk.yaml"), {"talk.yaml": talk}).spec
    assert dict(spec.vocabulary.events["bulb.broke"].moves["lamp"]) == {1: 2}


@pytest.mark.parametrize(
    ("lines", "place", "message", "hint"),
    [
        (["override: {deadlines: {patiense: {after_ms: 1}}}"], (3, 24),
         "'patiense' cannot be overridden: the base has no such thing in 'deadlines'", "did you mean 'patience'?"),
        (["remove: {states: {hall: {on: [bell.rung]}}}"], (3, 31),
         "'bell.rung' cannot be removed: the base has no such thing in 'states hall on'", "did you mean 'bell.rang'?"),
        (["remove: {happy_path: [hall]}"], (3, 10),
         "'happy_path' cannot be removed: the base has no such thing", "known: context"),
        (["remove: {context: {mood: {values: [sad]}}}"], (3, 36),
         "'sad' cannot be removed: the base has no such thing in 'context mood values'", "known: angry, calm, cross"),
        (["add: {deadlines: {patience: {after_ms: 1}}}"], (3, 40), "'after_ms' is there already",
         "under 'override:' it is replaced, 'after_ms+:' adds to a list"),
        (["add: {states: {hall: {on: {bell.rang: garden}}}}"], (3, 28), "'bell.rang' is there already",
         "house.yaml:15"),
        (["add: {context: {moods: {values+: [glad]}}}"], (3, 17),
         "'moods' cannot be added to: the base has no such thing in 'context'", "did you mean 'mood'?"),
        (["add: {states: {gardn: {on: {bell.rang: hall}, entry+: [open_door]}}}"], (3, 16),
         "'gardn' cannot be added to: the base has no such thing in 'states'", "did you mean 'garden'?"),
        (["add: {states: {hall: {exit+: [open_door]}}}"], (3, 23),
         "'exit' cannot be added to: the base has no such thing in 'states hall'",
         "what is new is 'exit:', without '+'"),
        (["add: {states: {hall: {on: {bell.rang: {do+: [shut_door]}}}}}"], (3, 28), "'bell.rang' is there already",
         "an answer is replaced as a whole, under 'override:'; what else is to be done, an action that it names does"),
        (["override: {states: {hall: {on: {bell.rang: {do+: [shut_door]}}}}}"], (3, 45), "'do+' means nothing here",
         "an answer is replaced as a whole: say all of it here, or add to an action that it names"),
        (["add: {context: {mood: {valuse+: [glad]}}}"], (3, 24),
         "'valuse' cannot be added to: the base has no such thing in 'context mood'", "did you mean 'values'?"),
        (["states: {}"], (3, 1), "'states' means nothing here", "under remove, override, add"),
        (["remove: {deadlines: [patience]}", "override: {deadlines: {patience: {after_ms: 1}}}"], (4, 24),
         "'patience' cannot be overridden", "it is removed at mine.yaml:3:22"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_to_the_base_is_an_error_that_names_it(
    lines: list[str], place: tuple[int, int], message: str, hint: str
) -> None:
    found = problems(mine(*lines))
    assert (found[0].place.file, found[0].place.line, found[0].place.column) == ("mine.yaml", *place)
    assert message in found[0].message and hint in found[0].hint, found


def test_a_key_that_names_several_events_is_named_in_full() -> None:
    base = HOUSE.replace("      bell.rang_twice: {to: garden}\n", "      bell.rang_twice, fuse.blew: {to: garden}\n")
    base = base.replace("bells.overflowed, fuse.blew]\n    defer", "bells.overflowed]\n    defer")
    (problem,) = problems(mine("override: {states: {hall: {on: {fuse.blew: garden}}}}"), {"house.yaml": base})
    assert problem.hint == "it stands in the key 'bell.rang_twice, fuse.blew': name that in full"


@pytest.mark.parametrize(
    ("more", "code"),
    [({"house.yaml": "spec: house\nextends: house.yaml\n"}, "recursion"),
     ({"house.yaml": "include: [house.yaml]\n"}, "recursion")],
)  # fmt: skip
def test_texts_that_extend_one_another_in_a_circle_are_an_error(more: Mapping[str, str], code: str) -> None:
    assert code in {problem.code for problem in problems(mine(), more)}


def test_a_base_that_is_not_there_is_an_error_at_its_name() -> None:
    (problem,) = problems("spec: mine\nextends: hose\n")
    assert str(problem).startswith("mine.yaml:2:10: error[no-file]: 'hose.yaml' cannot be read: No such file")


def test_what_a_missing_file_would_have_said_is_not_missed_once_more() -> None:
    lines = ("include: [par.yaml]", "override: {figures: {wait_ms: 3}}", "add: {actions: {look+: [open_door]}}")
    assert [problem.code for problem in problems(mine(*lines))] == ["no-file"]
    assert [problem.code for problem in problems("spec: mine\nextends: hose\n" + lines[2] + "\n")] == ["no-file"]


def test_what_a_derived_text_does_is_listed_with_both_lines() -> None:
    text = mine("remove: {deadlines: [bulb_overdue]}", "override: {deadlines: {patience: {after_ms: 7}}}",
                "add: {context: {mood: {values+: [glad]}}, actions: {look: [open_door]}}")  # fmt: skip
    flat = flattened(text, "mine.yaml", fetch_of({}))
    assert [str(change) for change in flat.changes] == [
        "mine.yaml:3:22: removes deadlines bulb_overdue (house.yaml:9:3)",
        "mine.yaml:4:45: overrides deadlines patience after_ms (house.yaml:10:24)",
        "mine.yaml:5:24: adds to context mood values (house.yaml:6:10)",
        "mine.yaml:5:43: adds actions",
    ]


def test_flat_and_derived_have_equal_tables() -> None:
    text = mine("override: {deadlines: {patience: {after_ms: 700}}, states: {hall: {on: {bell.rang: {to: garden}}}}}",
                "add: {context: {mood: {values+: [glad]}}, states: {garden: {entry+: [open_door]}}}")  # fmt: skip
    flat = as_yaml(flattened(text, "mine.yaml", fetch_of({})).root)
    assert "extends" not in flat and flat.startswith("spec: mine\n")
    assert meaning(loaded(flat).spec) == meaning(loaded(text).spec)
    assert "after_ms: 700\n" in flat and "values: [no, yes]\n" in flat, "as a person writes them"


def test_a_state_says_which_groups_it_joins() -> None:
    groups = "groups:\n  quiet: {ignore: {quiet: ['*']}}\nstates:\n"
    text = HOUSE.replace("states:\n", groups).replace(
        "bell.rang_twice: {to: garden}\n", "bell.rang_twice: {to: attic}\n"
    )
    attic = "  attic:\n    about: Up.\n    groups: [quiet]\n    on: {bell.rang: garden}\n"
    spec = loaded(text + attic).spec
    assert spec.groups["quiet"].states == ("attic",)
    assert spec.cells["attic", "tea.requested"].rows[0].reason == "quiet"
    wrong = problems(text + attic.replace("[quiet]", "[quit]"))
    assert any(p.message == "'quit' is not known here" and p.hint == "did you mean 'quiet'?" for p in wrong)
    twice = text.replace("quiet: {ignore", "quiet: {states: [attic], ignore") + attic
    assert "'attic' is in group 'quiet' already" in [p.message for p in problems(twice)]


def test_many_missing_answers_of_a_state_are_one_error() -> None:
    text = (
        HOUSE.replace("bell.rang_twice: {to: garden}\n", "bell.rang_twice: {to: attic}\n")
        + "  attic: {on: {bell.rang: garden}}\n"
    )
    found = [p for p in problems(text) if p.code == "no-answer"]
    assert [p.message for p in found] == ["10 events have no answer in state 'attic'"]
    assert found[0].hint == (
        "bell.rang_twice, bells.overflowed, bulb.broke and 7 more; it is in no group. "
        "Join one with 'groups:', or answer them: on, ignore ..."
    )


def test_an_event_that_several_states_do_not_answer_is_one_error() -> None:
    words = WORDS.replace("  tea.requested", "  sun.rose: {from: socket}\n  tea.requested")
    groups = "groups:\n  inside: {states: [hall]}\nstates:\n"
    found = problems(HOUSE.replace("states:\n", groups), {"words.yaml": words})
    assert [(problem.code, problem.message) for problem in found] == [
        ("no-answer", "'sun.rose' has no answer in 2 states: garden, hall"),
    ]
    assert str(found[0].place) == "words.yaml:12:3"
    assert found[0].hint == (
        "add it under 'on:', or say why not: ignore, cannot_happen; in group inside (of hall), and in garden"
    )


def test_a_guard_that_is_not_total_in_several_states_is_one_error() -> None:
    groups = (
        "groups:\n  both: {states: [hall, garden], on: {sun.rose: [{if: tired, do: []}]}}\n"
        "  inside: {states: [hall]}\nstates:\n"
    )
    words = WORDS.replace("  tea.requested", "  sun.rose: {from: socket}\n  tea.requested")
    found = problems(HOUSE.replace("states:\n", groups), {"words.yaml": words})
    assert [problem.message for problem in found] == ["'sun.rose' in state 'garden' has no answer, nor in hall"]


def test_a_page_and_a_journal_name_both_lines() -> None:
    text = mine("override: {states: {hall: {on: {bell.rang: garden}}}}")
    machine = TurnSpecMachine(loaded(text).spec)
    step = machine.advance(machine.start()[-1].snapshot, Event("bell.rang"))[0]
    assert step_line(step, 0, 0, "line").place == "mine.yaml:3 (over house.yaml:15)"
    assert step.place is not None
    assert Links("../").line(step.place) == "[mine.yaml:3](../mine.yaml#L3) over [house.yaml:15](../house.yaml#L15)"
    assert Links("").line(Place("a.yaml", 1, 1)) == "[a.yaml:1](a.yaml#L1)"
