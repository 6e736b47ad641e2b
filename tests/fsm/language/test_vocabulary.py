"""Vocabularies: what their reader refuses, how several files become one, what a later file may add."""

from __future__ import annotations

import pytest

from tests.fsm.language.mini import HOUSE, WORDS, changed, found, load_mini, said


def words(*changes: tuple[str, str]) -> str:
    return changed(*changes, text=WORDS)


VOCABULARIES: dict[str, tuple[str, str]] = {
    "unknown section": (WORDS + "event: {}\n", "words.yaml:23:1: error[unknown-key]: 'event' means nothing here"),
    "unknown slot in when": (
        words(("fuse.blew: {from: socket, when: {lamp:", "fuse.blew: {from: socket, when: {lump:")),
        "words.yaml:10:36: error[unknown-slot]: there is no slot 'lump'\n    slots: lamp",
    ),
    "unknown value in when": (
        words(("when: {lamp: [lost]}", "when: {lamp: [last]}")),
        "words.yaml:10:43: error[unknown-name]: 'last' is not known here\n    did you mean 'lost'?",
    ),
    "unknown value in moves": (
        words(("moves: {lamp: {off: on}}", "moves: {lamp: {off: one}}")),
        "words.yaml:7:48: error[unknown-name]: 'one' is not known here\n    did you mean 'on'?",
    ),
    "unknown source": (
        words(("bell.rang: {from: caller}", "bell.rang: {from: cellar}")),
        "words.yaml:5:21: error[unknown-name]: 'cellar' is not known here\n    did you mean 'caller'?",
    ),
    "unknown key": (
        words(("bell.rang: {from: caller}", "bell.rang: {form: caller}")),
        "words.yaml:5:15: error[unknown-key]: 'form' means nothing here\n    did you mean 'from'?",
    ),
    "a slot without values": (
        words(("lamp: {values: [off, on, lost], waits: [on]}", "lamp: {waits: [on]}")),
        "words.yaml:3:3: error[missing]: slot 'lamp' has no 'values'",
    ),
    "variants that are not those of the identity": (
        words(("bell.rang_twice: {from: caller}", "bell.rang_twice: {identity: closed, variants: {fatal: {}}}")),
        "words.yaml:6:3: error[variants]: the variants of 'bell.rang_twice' must be exactly: retryable, fatal",
    ),
    "unknown identity": (
        words(("bell.rang_twice: {from: caller}", "bell.rang_twice: {from: caller, identity: close}")),
        "words.yaml:6:45: error[unknown-name]: 'close' is not known here\n    did you mean 'closed'?",
    ),
    "unknown recipe": (
        words(("open_door: {}", "open_door: {recipe: planes}")),
        "words.yaml:16:23: error[unknown-name]: 'planes' is not known here\n    did you mean 'plain'?",
    ),
    "arguments that the recipe does not make": (
        words(("open_door: {}", "open_door: {recipe: run_tool, args: [call_id, name]}")),
        "words.yaml:16:39: error[arguments]: 'open_door' with recipe 'run_tool' has exactly "
        "'args: [call_id, name, arguments]'",
    ),
    "arguments that are not declared": (
        words(("open_door: {}", "open_door: {recipe: named}")),
        "words.yaml:16:3: error[arguments]: 'open_door' with recipe 'named' has exactly 'args: [name]'",
    ),
    "arguments without a recipe": (
        words(("open_door: {}", "open_door: {args: [name]}")),
        "words.yaml:16:21: error[arguments]: 'open_door' with recipe 'plain' has no 'args'",
    ),
    "unknown ledger": (
        words(("ledger: realtime", "ledger: realtme")),
        "words.yaml:22:9: error[unknown-name]: 'realtme' is not known here\n    did you mean 'realtime'?",
    ),
    "an identity without a ledger": (
        words(
            ("ledger: realtime\n", ""),
            ("bell.rang_twice: {from: caller}", "bell.rang_twice: {identity: closed, variants: {fatal: {}}}"),
        ),
        "words.yaml:6:31: error[no-ledger]: 'closed' needs a ledger, and none is named before\n"
        "    say 'ledger: NAME' in the vocabulary's first file; NAME is one of: realtime",
    ),
    "a recipe without a ledger": (
        words(("ledger: realtime\n", ""), ("open_door: {}", "open_door: {recipe: named, args: [name]}")),
        "words.yaml:16:23: error[no-ledger]: 'named' needs a ledger, and none is named before\n"
        "    say 'ledger: NAME' in the vocabulary's first file; NAME is one of: realtime",
    ),
    "data of a type that there is none of": (
        words(("tea.requested: {from: request}", "tea.requested: {from: request, data: {sugar: nummber}}")),
        "words.yaml:12:48: error[unknown-name]: 'nummber' is not known here\n    did you mean 'number'?",
    ),
    "data of a fact": (
        words(("bell.rang: {from: caller}", "bell.rang: {from: caller, data: {how: text}}")),
        "words.yaml:5:35: error[not-a-request]: 'bell.rang' is a fact of ours: only what an application says has",
    ),
    "data of a variant": (
        words(
            (
                "tea.requested: {from: request}",
                "tea.requested: {from: request, identity: closed, variants: {fatal: {data: {a: text}}, retryable: {}}}",
            ),
        ),
        "words.yaml:12:70: error[unknown-key]: 'data' means nothing here\n    write it under 'tea.requested'",
    ),
    "unknown receiver": (
        words(("open_door: {}", "open_door: {to: porter}")),
        "words.yaml:16:19: error[unknown-name]: 'porter' is not known here",
    ),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_wrong_vocabulary_is_refused_at_its_place(name: str) -> None:
    text, problem = VOCABULARIES[name]
    lines = said(HOUSE, text)
    assert any(line.startswith(problem) for line in lines), "\n".join(lines) or "it was accepted"


# Names that nothing checks would lead to words nobody ever hears of.
LOOSE: dict[str, tuple[str, str]] = {
    "an error that becomes no event": (
        WORDS + "errors:\n  - {code: dark, event: bulb.brok}\n",
        "words.yaml:24:25: error[unknown-event]: 'bulb.brok' is not an event of the vocabulary\n"
        "    did you mean 'bulb.broke'?",
    ),
    "an error without an event": (
        WORDS + "errors:\n  - {code: dark}\n",
        "words.yaml:24:5: error[missing]: an error needs 'event:'",
    ),
    "an effect whose rejection is no event": (
        words(("open_door: {}", "open_door: {to: provider, rejected: bulb.borke}")),
        "words.yaml:16:39: error[unknown-event]: 'bulb.borke' is not an event of the vocabulary\n"
        "    did you mean 'bulb.broke'?",
    ),
}


@pytest.mark.parametrize("name", LOOSE)
def test_a_vocabulary_that_names_an_unknown_event_is_refused(name: str) -> None:
    text, problem = LOOSE[name]
    assert said(HOUSE, text) == [problem]


def test_instead_of_an_event_that_is_none() -> None:
    assert said(HOUSE, words(("instead: bell.rang", "instead: bell.rung"))) == [
        "words.yaml:9:60: error[unknown-event]: 'bell.rung' is not an event of the vocabulary\n"
        "    did you mean 'bell.rang'?"
    ]


def test_a_happy_path_through_a_state_that_is_none() -> None:
    assert found(HOUSE + "happy_path: [hall, gardn]\n")


def test_a_wire_form_of_an_event_whose_variants_nothing_tells_apart() -> None:
    text = words(("bell.rang: {from: caller}", "bell.rang: {from: caller, wire: {ring: {}}, variants: {loud: {}}}"))
    assert (
        "words.yaml:5:58: error[never]: 'bell.rang.loud' can never be: nothing tells it from others of 'bell.rang'\n"
        "    or say 'where: {FIELD: VALUE}'"
    ) in said(HOUSE, text)


def test_two_files_may_not_declare_a_slot_or_move_it_for_one_event() -> None:
    spec = HOUSE.replace("[words.yaml]", "[words.yaml, part.yaml]")
    twice = "vocabulary: more\nslots:\n  lamp: {values: [off, on, lost]}\n"
    assert said(spec, part=twice) == [
        "part.yaml:3:3: error[duplicate-slot]: slot 'lamp' is declared in another file already"
    ]
    moved = "vocabulary: more\nevents:\n  bulb.lit: {moves: {lamp: {lost: on}}}\n"
    assert said(spec, part=moved) == ["part.yaml:3:3: error[two-moves]: 'bulb.lit' moves slot 'lamp' in two files"]


def test_a_later_vocabulary_adds_moves_of_its_own_slots() -> None:
    spec = HOUSE.replace("[words.yaml]", "[words.yaml, part.yaml]")
    more = "vocabulary: more\nslots:\n  cat: {values: [out, in]}\nevents:\n  bulb.lit: {moves: {cat: {out: in}}}\n"
    vocabulary = load_mini(spec, part=more).spec.vocabulary
    assert set(vocabulary.events["bulb.lit"].moves) == {"lamp", "cat"}
    assert (vocabulary.names, vocabulary.events["bulb.lit"].source) == (("mini", "more"), "socket")


APPLICATION = """vocabulary: more
events:
  application.book_found: {from: application, data: {shelf: text}}
effects:
  note_book: {to: application, args: [shelf]}
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("args: [shelf]", "args: [shelf, who]", ()),
        (
            "args: [shelf]",
            "args: [shelv]",
            ("part.yaml:5:38: error[never]: no event carries 'shelv'\n    did you mean 'shelf'?",),
        ),
        (
            "args: [shelf]",
            "args: [raeson]",
            ("part.yaml:5:38: error[never]: no event carries 'raeson'\n    did you mean 'reason'?",),
        ),
        (
            "effects:\n",
            "  application.note_bok.done: {from: application}\neffects:\n",
            (
                "part.yaml:4:3: error[never]: 'application.note_bok.done' comes of no effect\n"
                "    did you mean 'application.note_book.done'?",
            ),
        ),
        ("effects:\n", "  application.payment.done: {from: application}\neffects:\n", ()),
    ],
)
def test_a_misspelt_field_or_effect_of_an_application_is_an_error(
    old: str, new: str, expected: tuple[str, ...]
) -> None:
    spec = changed(("vocabulary: [words.yaml]", "vocabulary: [words.yaml, part.yaml]"))
    found = said(spec, WORDS, changed((old, new), text=APPLICATION))
    assert tuple(each for each in found if "[never]" in each) == expected
