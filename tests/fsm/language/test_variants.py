"""Variants by what an event carries: told apart, answered, and an error where they can never be."""

from __future__ import annotations

import pytest

from fsm.language.spec import Spec
from fsm.language.variants import sample, spelled, told
from fsm.machine.machine import Event
from fsm.scenario.roles import role_data
from tests.fsm.language.mini import HOUSE, WORDS, Walk, changed, load_mini, said


def words(more: str) -> str:
    """The mini vocabulary with further lines for its events."""
    return changed(("events:\n", "events:\n" + more), text=WORDS)


SPLIT = changed(
    ("  bell.rang: {from: caller}\n",
     "  bell.rang: {from: caller, variants: {long: {where: {tone: [deep, '3']}}, "
     "sharp: {where: {tone: high, loud: 'true'}}, other: {}}}\n"),
    ("instead: bell.rang}", "instead: bell.rang_twice}"),
    text=WORDS,
)  # fmt: skip
KEYPAD = words(
    "  caller.pressed_key: {from: caller, identity: key, variants: {talk: {}, other: {}, "
    "end: {where: {digit: '#'}, noted: no}, zero: {where: {digit: '0'}}}}\n"
)
PRESSED = changed(
    ("    on:\n      bell.rang: {do: [bells += 1, open_door]}\n",
     "    on:\n      caller.pressed_key.zero: garden\n      bell.rang: {do: [bells += 1, open_door]}\n"),
    ("nothing to do here: [", "nothing to do here: [caller.pressed_key.other, caller.pressed_key.talk, "),
    ("nothing to do outside: [", "nothing to do outside: [caller.pressed_key.*, "),
)  # fmt: skip


def test_a_split_event_is_the_first_variant_that_fits_and_else_the_rest() -> None:
    walk = Walk(HOUSE, SPLIT)
    data: tuple[dict[str, object], ...] = (
        {"tone": "deep"}, {"tone": 3}, {"tone": "high"}, {"tone": "high", "loud": True}, {}
    )  # fmt: skip
    assert [walk("bell.rang", **each).variant for each in data] == [
        "bell.rang.long", "bell.rang.long", "bell.rang.other", "bell.rang.sharp", "bell.rang.other",
    ]  # fmt: skip


def test_what_is_said_of_an_event_holds_for_its_variants_and_less_than_what_is_said_of_one() -> None:
    spec = changed(
        ("      bell.rang_twice: {to: garden}\n", "      bell.rang.long: cellar\n      bell.rang_twice: garden\n")
    )
    walk = Walk(spec, SPLIT)
    assert walk("bell.rang").snapshot.state == "hall"
    assert walk("bell.rang", tone="deep").snapshot.state == "cellar"


def test_a_groups_word_about_a_variant_goes_before_its_word_about_the_event() -> None:
    ignored = "{quiet: [caller.pressed_key.*], zero: [caller.pressed_key.zero]}"
    groups = f"groups:\n  a: {{states: [hall, garden], ignore: {ignored}}}\n"
    spec = changed(("states:\n  hall", groups + "states:\n  hall"))
    walk = Walk(spec, KEYPAD)
    assert [walk("caller.pressed_key", digit=digit).reason for digit in "05"] == ["zero", "quiet"]


def test_a_variant_refines_one_of_the_ledgers_and_a_terminator_is_not_a_digit() -> None:
    walk = Walk(PRESSED, KEYPAD)
    assert walk("caller.pressed_key", digit="7").variant == "caller.pressed_key.other"
    ending = walk("caller.pressed_key", digit="#")
    assert (ending.variant, ending.outcome) == ("caller.pressed_key.end", "ignored"), "as its parent is"
    assert walk("caller.pressed_key", digit="0").snapshot.state == "garden"
    assert walk.snapshot.ledger.keys.digits == "70"  # type: ignore[attr-defined]


def test_the_talk_key_stays_the_ledgers() -> None:
    walk = Walk(PRESSED, KEYPAD)
    walk.snapshot = walk.machine.start(talk_key="0")[-1].snapshot
    assert walk("caller.pressed_key", digit="0").variant == "caller.pressed_key.talk"


def test_a_later_file_may_tell_variants_of_an_earlier_word_apart() -> None:
    known = "vocabulary: [words.yaml, part.yaml]"
    part = "vocabulary: more\nevents:\n  bulb.lit: {variants: {red: {where: {colour: red}}, other: {}}}\n"
    spec = load_mini(changed(("vocabulary: [words.yaml]", known)), part=part).spec
    red = spec.vocabulary.events["bulb.lit.red"]
    assert (red.source, dict(red.moves["lamp"]), red.of) == ("socket", {0: 1}, "bulb.lit")
    assert "bulb.lit" not in spec.vocabulary.events


NEVER = {
    "no such variant of the ledger": (
        "  caller.pressed_key: {from: caller, identity: key, variants: {talk: {}, other: {}}}\n",
        "  caller.pressed_key: {variants: {zero: {}}}\n",
        "'caller.pressed_key.zero' can never be: 'key' tells apart talk, other",
    ),
    "nothing tells": (
        "", "  bulb.lit: {variants: {red: {}, other: {where: {colour: green}}, blue: {}}}\n",
        "'bulb.lit' needs one variant without 'where', for what no other is",
    ),
    "nothing at all tells": (
        "", "  bulb.lit: {variants: {red: {}}}\n",
        "'bulb.lit.red' can never be: nothing tells it from others of 'bulb.lit'",
    ),
    "covered by an earlier one": (
        "", "  bulb.lit: {variants: {a: {where: {c: [x, y]}}, b: {where: {c: x, d: z}}, other: {}}}\n",
        "'bulb.lit.b' can never be: each such event is 'bulb.lit.a' already",
    ),
    "a field that is not there": (
        "  caller.pressed_key: {from: caller, identity: key, variants: {talk: {}, other: {}}}\n",
        "  caller.pressed_key: {variants: {zero: {where: {digits: '0'}}}}\n",
        "'caller.pressed_key.zero' can never be: 'caller.pressed_key' carries no 'digits'",
    ),
    "a field that is not declared": (
        "", "  visit.requested: {data: {who: text}, variants: {aunt: {where: {whom: aunt}}, other: {}}}\n",
        "'visit.requested.aunt' can never be: 'visit.requested' carries no 'whom'",
    ),
    "a flag that is no flag": (
        "", "  visit.requested: {data: {late: flag}, variants: {late: {where: {late: maybe}}, other: {}}}\n",
        "'visit.requested.late' can never be: 'late' is a flag, never 'maybe'",
    ),
    "a number that is none": (
        "", "  visit.requested: {data: {guests: number}, variants: {party: {where: {guests: many}}, other: {}}}\n",
        "'visit.requested.party' can never be: 'guests' is a number, never 'many'",
    ),
    "what is no key of a telephone": (
        "  caller.pressed_key: {from: caller, identity: key, variants: {talk: {}, other: {}}}\n",
        "  caller.pressed_key: {variants: {zero: {where: {digit: ['0', '00']}}}}\n",
        "'caller.pressed_key.zero' can never be: 'digit' is one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, *, #, A, B, C, D, "
        "never '00'",
    ),
    "told apart otherwise in an earlier file": (
        "  caller.pressed_key: {from: caller, identity: key, variants: {talk: {}, other: {}, "
        "zero: {where: {digit: '0'}}}}\n",
        "  caller.pressed_key: {variants: {zero: {where: {digit: '9'}}}}\n",
        "'caller.pressed_key.zero' is another event in an earlier file",
    ),
    "noise": (
        "  tool.returned: {from: tool, identity: tool_returned, variants: {pending: {}, late: {noise: it is late}}}\n",
        "  tool.returned: {variants: {odd: {of: late, where: {output: odd}}}}\n",
        "'tool.returned.odd' can never be: 'tool.returned.late' reaches no state: it is late",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NEVER)
def test_a_variant_that_can_never_be_is_an_error_in_whatever_file_it_stands(case: str) -> None:
    first, later, message = NEVER[case]
    spec = changed(("vocabulary: [words.yaml]", "vocabulary: [words.yaml, part.yaml]"))
    found = said(spec, words(first), f"vocabulary: more\nevents:\n{later}")
    assert [each for each in found if each.startswith("part.yaml:3:") and message in each], found


@pytest.mark.parametrize(
    ("later", "message"),
    [
        ("  caller.pressed_key: {variants: {talk: {where: {digit: '1'}}}}", "is a variant of the ledger's already"),
        ("  caller.pressed_key: {variants: {one: {of: nobody, where: {digit: '1'}}}}", "has no variant 'nobody'"),
        ("  bulb.lit: {variants: {red: {where: {}}, other: {}}}", "it needs a field and its values"),
        ("  bulb.lit: {variants: {red: {noted: no}, other: {}}}", "'noted' means nothing without 'where'"),
        ("  bulb.lit: {variants: {red: {where: {c: x}, moves: {lamp: {on: off}}}, other: {}}}",
         "moves slot 'lamp' already"),
        ("  bulb.lit: {where: {c: x}}", "'where' means nothing here"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_variant_is_said(later: str, message: str) -> None:
    spec = changed(("vocabulary: [words.yaml]", "vocabulary: [words.yaml, part.yaml]"))
    keys = "  caller.pressed_key: {from: caller, identity: key, variants: {talk: {}, other: {}}}\n"
    found = said(spec, words(keys), f"vocabulary: more\nevents:\n{later}\n")
    assert any(message in each for each in found), found


def spec_of(vocabulary: str) -> Spec:
    return load_mini(PRESSED if vocabulary == KEYPAD else HOUSE, vocabulary).spec


@pytest.mark.parametrize(("vocabulary", "base"), [(SPLIT, "bell.rang"), (KEYPAD, "caller.pressed_key")])
def test_a_scenario_can_bring_about_each_variant_by_its_name(vocabulary: str, base: str) -> None:
    walk = Walk(PRESSED if vocabulary == KEYPAD else HOUSE, vocabulary)
    walk.snapshot = walk.machine.start(talk_key="*")[-1].snapshot
    words_ = [word for word in walk.machine.spec.vocabulary.alphabet if word.base == base]
    for word in words_:
        data = role_data(walk.machine.spec.vocabulary, word, walk.snapshot.ledger, lambda kind: f"{kind}_1")
        assert data is not None
        assert walk.machine.step(walk.snapshot, Event(base, data)).variant == word.name


def test_the_rest_of_a_ledgers_variant_is_made_up_so_that_it_is_none_of_ours() -> None:
    five = words(
        "  caller.pressed_key: {from: caller, identity: key, "
        "variants: {talk: {}, other: {}, five: {where: {digit: '5'}}}}\n"
    )
    spec = changed(("nothing to do here: [", "nothing to do here: [caller.pressed_key.*, "),
                   ("nothing to do outside: [", "nothing to do outside: [caller.pressed_key.*, "))  # fmt: skip
    walk = Walk(spec, five)
    vocabulary = walk.machine.spec.vocabulary
    data = role_data(vocabulary, vocabulary.events["caller.pressed_key.other"], walk.snapshot.ledger, str)
    assert data is not None and walk("caller.pressed_key", **data).variant == "caller.pressed_key.other"


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (3, "3"), (0.5, "0.5"), (2.0, "2"), ("x", "x"), (None, ""), ([], "")],
)  # fmt: skip
def test_values_are_compared_as_they_are_written(value: object, text: str) -> None:
    assert spelled(value) == text


def test_a_sample_has_the_types_that_are_declared() -> None:
    data = "{guests: number, late: flag, who: text, part: number}"
    where = "{guests: ['3'], late: 'true', who: aunt, part: '0.5'}"
    text = changed(
        ("  visit.requested: {from: request}\n",
         f"  visit.requested: {{from: request, data: {data}, variants: {{aunt: {{where: {where}}}, other: {{}}}}}}\n"),
        text=WORDS,
    )  # fmt: skip
    vocabulary = load_mini(HOUSE, text).spec.vocabulary
    word = vocabulary.events["visit.requested.aunt"]
    assert sample(word) == {"guests": 3, "late": True, "who": "aunt", "part": 0.5}
    found = told(vocabulary.refined["visit.requested"], sample(word))
    assert found is not None and found.name == word.name


def test_an_identity_that_no_ledger_has_is_the_one_problem() -> None:
    wrong = words(
        "  caller.pressed_key: {from: caller, identity: kay, variants: {talk: {}, one: {where: {digit: '1'}}}}\n"
    )
    assert [each.split(": ", 2)[1] for each in said(HOUSE, wrong)] == ["error[unknown-name]"]
