"""What readers refuse in a text: place, code, message and hint of each problem; all problems of a file at once."""

from __future__ import annotations

import contextlib

import pytest

from fsm.language.problem import SpecError
from fsm.language.yaml_nodes import plain, read
from tests.fsm.bundle import ENDING, JUDGING, OPENING, PLAYOUT, Change, line_of, loaded, problems_of
from tests.fsm.language.mini import HOUSE, changed, found, said

RANG = "      bell.rang: {do: [bells += 1, open_door]}\n"
ACTIONS = "actions:\n  one: [two]\n  two: [one]\n"


def row(text: str) -> str:
    """HOUSE with another answer to bell.rang; `text` begins in column 7 of line 15."""
    return changed((RANG, f"      {text}\n"))


# --- YAML -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f.yaml:1:1: error[empty]: the file is empty"),
        ("# nothing\n", "f.yaml:1:1: error[empty]: the file is empty"),
        (
            "a: 1\nb: 2\na: 3\n",
            "f.yaml:3:1: error[duplicate-key]: the key 'a' is written twice\n    first at f.yaml:1:1",
        ),
        ("[a, b]: 1\n", "f.yaml:1:1: error[key]: a key must be a plain text"),
        (
            "a: {on: 1, on: 2}",
            "f.yaml:1:12: error[duplicate-key]: the key 'on' is written twice\n    first at f.yaml:1:5",
        ),
    ],
)
def test_what_is_not_a_document(text: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text, "f.yaml")
    assert str(caught.value) == problem


def test_yaml_reads_text_as_text() -> None:
    """YAML 1.1 would make True of `on`, False of `no`, 16 of 0x10, 90 of 1:30."""
    text = "on: no\nyes: 0x10\nn: 1:30\nempty:\ntilde: ~\nquoted: '~'\nlist: [on, off, 1.0, null]\n"
    assert plain(read(text, "f.yaml")) == {
        "on": "no", "yes": "0x10", "n": "1:30", "empty": "", "tilde": "", "quoted": "~",
        "list": ["on", "off", "1.0", ""],
    }  # fmt: skip


ALIASES = ["a: &x 1\nb: *x\n", "a: &x {b: *x}\n", "&a [*a]"]


@pytest.mark.parametrize("text", ["\x00", "a: \x07", "--- a\n--- b\n", "a: !!python/object:os.system x", "\ufeff", "%"])
def test_a_strange_document_is_read_or_refused_never_more(text: str) -> None:
    with contextlib.suppress(SpecError):
        read(text, "f.yaml")


@pytest.mark.parametrize("text", ALIASES)
def test_an_alias_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        read(text, "f.yaml")


# --- specs ------------------------------------------------------------------------------------------------------------

SPECS: dict[str, tuple[str, str]] = {
    "no vocabulary": (
        HOUSE.replace("vocabulary: [words.yaml]\n", ""),
        "mini.yaml:1:1: error[missing]: a spec needs 'vocabulary:'\n"
        "    e.g. vocabulary: [vocabularies/realtime/session.yaml, vocabularies/call.yaml]",
    ),
    "no such file": (
        HOUSE.replace("words.yaml", "worlds.yaml"),
        "mini.yaml:2:14: error[no-file]: 'worlds.yaml' cannot be read: No such file or directory",
    ),
    "no initial": (HOUSE.replace("initial: hall\n", ""), "mini.yaml:1:1: error[missing]: a spec needs 'initial:'"),
    "unknown section": (
        HOUSE + "stats: {}\n",
        "mini.yaml:41:1: error[unknown-key]: 'stats' means nothing here\n    did you mean 'states'?",
    ),
    "unknown initial": (
        HOUSE.replace("initial: hall", "initial: hal"),
        "mini.yaml:3:10: error[unknown-name]: 'hal' is not known here\n    did you mean 'hall'?",
    ),
    "typo in a target": (
        row("bell.rang: {to: gardn}"),
        "mini.yaml:15:23: error[unknown-name]: 'gardn' is not known here\n    did you mean 'garden'?",
    ),
    "typo in an event": (
        row("bell.rung: {do: []}"),
        "mini.yaml:15:7: error[unknown-event]: there is no event 'bell.rung'\n    did you mean 'bell.rang'?",
    ),
    "pattern of nothing": (
        changed((RANG, RANG + "      cat.*: {do: []}\n")),
        "mini.yaml:16:7: error[unknown-event]: there is no event 'cat.*'",
    ),
    "typo in an effect": (
        row("bell.rang: {do: [open_dor]}"),
        "mini.yaml:15:24: error[unknown-name]: 'open_dor' is neither an effect nor an action\n"
        "    did you mean 'open_door'?",
    ),
    "no argument": (
        row("bell.rang: {do: [greet]}"),
        "mini.yaml:15:24: error[argument]: '' is not an argument of 'greet'\n    one of: hello, goodbye",
    ),
    "wrong argument": (
        row("bell.rang: {do: [greet(helo)]}"),
        "mini.yaml:15:24: error[argument]: 'helo' is not an argument of 'greet'\n    one of: hello, goodbye",
    ),
    "too many arguments": (
        row("bell.rang: {do: [open_door(hello)]}"),
        "mini.yaml:15:24: error[argument]: 'hello' is not an argument of 'open_door'\n    it takes no argument",
    ),
    "unknown presumption": (
        row("bell.rang: {do: [presume(bulb_gon)]}"),
        "mini.yaml:15:24: error[unknown-name]: 'bulb_gon' is not known here\n    did you mean 'bulb_gone'?",
    ),
    "unknown deadline": (
        row("bell.rang: {do: [restart(patient)]}"),
        "mini.yaml:15:24: error[unknown-name]: 'patient' is not known here\n    did you mean 'patience'?",
    ),
    "no operation": (
        row('bell.rang: {do: ["open the door"]}'),
        "mini.yaml:15:24: error[operation]: 'open the door' is not an operation\n"
        "    operations: effect, effect(argument), action, name = value, name += 1, presume(name), restart(deadline)",
    ),
    "a slot assigned": (
        row("bell.rang: {do: [lamp = on]}"),
        "mini.yaml:15:24: error[assignment]: 'lamp' cannot be assigned\n    only the vocabulary moves a slot",
    ),
    "an unknown variable assigned": (
        row("bell.rang: {do: [moods = calm]}"),
        "mini.yaml:15:24: error[assignment]: there is no context variable 'moods'\n    did you mean 'mood'?",
    ),
    "a value that is not of the variable": (
        row("bell.rang: {do: [mood = happy]}"),
        "mini.yaml:15:24: error[expression]: in 'happy': 'happy' is neither a value nor a variable\n"
        "    values here: calm, cross, angry",
    ),
    "a value of another variable": (
        row("bell.rang: {do: [mood = tired]}"),
        "mini.yaml:15:24: error[expression]: in 'tired': 'tired' has other values\n    values here: calm, cross, angry",
    ),
    "a guard about nothing": (
        row("bell.rang: [{if: mod == calm, do: []}, {if: else, do: []}]"),
        "mini.yaml:15:24: error[expression]: in 'mod == calm': there is no variable 'mod'\n    did you mean 'mood'?",
    ),
    "a guard that names no value": (
        row('bell.rang: [{if: "tired and mood == happy", do: []}, {if: else, do: []}]'),
        "mini.yaml:15:42: error[expression]: in 'tired and mood == happy': 'happy' is neither a value nor a variable\n"
        "    values here: calm, cross, angry",
    ),
    "a guard that is no truth": (
        row("bell.rang: [{if: mood, do: []}, {if: else, do: []}]"),
        "mini.yaml:15:24: error[expression]: in 'mood': 'mood' is not a yes/no variable\n"
        "    compare it with one of: calm, cross, angry",
    ),
    "a guard that is no expression": (
        row('bell.rang: [{if: "mood ==", do: []}, {if: else, do: []}]'),
        "mini.yaml:15:24: error[expression]: 'mood ==' is not an expression\n"
        "    the language: a == b, a != b, a in (b, c), a < 3, not, and, or, max(a, b), yes/no variables by name",
    ),
    "a row that does nothing": (
        row("bell.rang: {about: me}"),
        "mini.yaml:15:18: error[row]: a row needs 'to', 'do', or one of ignore, refuse, defer ...",
    ),
    "a fact refused": (
        row("bell.rang: {refuse: not now}"),
        "mini.yaml:15:18: error[refuse-fact]: 'bell.rang' is a fact; only requests can be refused\n"
        "    facts have happened: ignore them with a reason, or answer them",
    ),
    "a fact that moves slots deferred": (
        changed(("      bulb.lit: {do: []}\n", "      bulb.lit: defer\n")),
        "mini.yaml:17:17: error[defer-fact]: 'bulb.lit' moves slots; it has happened and cannot wait",
    ),
    "no reason": (row('bell.rang: {ignore: ""}'), "mini.yaml:15:18: error[reason]: 'ignore' needs a reason"),
    "answered twice": (
        changed(("nothing to do here: [", "nothing to do here: [bell.rang, ")),
        "mini.yaml:20:28: error[two-answers]: 'bell.rang' in 'hall' is answered twice\n"
        "    the other answer is at mini.yaml:15:7",
    ),
    "a state and a choice": (
        HOUSE + "choices:\n  hall:\n    - {to: garden}\n",
        "mini.yaml:42:3: error[two-meanings]: 'hall' is a state and a choice",
    ),
    "a choice that goes nowhere": (
        changed((RANG, "      bell.rang: {to: where}\n")) + "choices:\n  where:\n    - {do: [open_door]}\n",
        "mini.yaml:43:7: error[row]: a row of a choice needs 'to'",
    ),
    "a context variable like a slot": (
        HOUSE.replace("  mood:", "  lamp: {values: [a, b]}\n  mood:"),
        "mini.yaml:6:3: error[two-meanings]: 'lamp' is already the name of a slot",
    ),
    "a condition like a variable": (
        HOUSE + "conditions:\n  mood: tired\n",
        "mini.yaml:42:3: error[two-meanings]: 'mood' is already the name of a variable",
    ),
    "a range that is none": (
        HOUSE.replace("range: 0..2, overflow: bells.overflowed", "range: 1-2, overflow: bells.overflowed"),
        "mini.yaml:5:18: error[range]: '1-2' is not a range\n    e.g. range: 0..4",
    ),
    "a count without an overflow": (
        HOUSE.replace("range: 0..2, overflow: bells.overflowed", "range: 0..2"),
        "mini.yaml:15:24: error[overflow]: 'bells' can grow beyond 2\n"
        "    add 'overflow: EVENT' to bells, and answer that event",
    ),
    "an overflow that is no event of ours": (
        HOUSE.replace("overflow: bells.overflowed", "overflow: bell.rang"),
        "mini.yaml:5:34: error[unknown-name]: 'bell.rang' is not known here\n    known: bells.overflowed",
    ),
    "a variable without values": (
        HOUSE.replace("mood: {values: [calm, cross, angry]}", "mood: {initial: calm}"),
        "mini.yaml:6:3: error[missing]: 'mood' needs 'values: [...]' or 'range: 0..n'",
    ),
    "a deadline without a time": (
        HOUSE.replace("patience: {after_ms: 500, ", "patience: {"),
        "mini.yaml:10:3: error[missing]: deadline 'patience' needs 'after_ms' and 'while'",
    ),
    "a deadline at once": (
        HOUSE.replace("after_ms: 500", "after_ms: 0"),
        "mini.yaml:10:24: error[type]: a whole number from 1 is expected here, not '0'",
    ),
    "a deadline twice": (
        changed(("    entry: [shut_door]\n", "    entry: [shut_door]\n    after: {patience: 5}\n")),
        "mini.yaml:25:13: error[two-meanings]: deadline 'patience' is written twice\n    first at mini.yaml:10:3",
    ),
    "an action like an effect": (
        HOUSE + "actions:\n  open_door: [shut_door]\n",
        "mini.yaml:42:3: error[two-meanings]: 'open_door' is already the name of an effect",
    ),
    "an action like an operation": (
        HOUSE + "actions:\n  restart: [shut_door]\n",
        "mini.yaml:42:3: error[two-meanings]: 'restart' is already the name of an operation of the language",
    ),
    "an action that uses itself": (
        row("bell.rang: {do: [one]}") + ACTIONS,
        "mini.yaml:43:9: error[recursion]: action 'one' uses itself",
    ),
    "unknown slot of a state": (
        changed(("    about: Outside.\n", "    about: Outside.\n    slots: {lump: [off]}\n")),
        "mini.yaml:24:13: error[unknown-name]: 'lump' is not known here\n    did you mean 'lamp'?",
    ),
    "a list for a text": (
        HOUSE.replace("about: Outside.", "about: [Outside]"),
        "mini.yaml:23:12: error[type]: a text is expected here, this is a list",
    ),
    "a text for a mapping": (
        HOUSE.replace("mood: {values: [calm, cross, angry]}", "mood: calm"),
        "mini.yaml:6:9: error[type]: a mapping is expected here, this is a text",
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_wrong_spec_is_refused_at_its_place(name: str) -> None:
    text, problem = SPECS[name]
    lines = said(text)
    assert any(line.startswith(problem) for line in lines), "\n".join(lines) or "it was accepted"


def test_all_problems_of_a_file_at_once() -> None:
    text = changed(
        (RANG, "      bell.rang: {do: [open_dor], to: gardn}\n"),
        ("bells: {range: 0..2", "bells: {range: 0-2"),
        ("      bell.rang: {to: hall}\n", "      bell.rung: {to: hall}\n"),
    )
    assert [p.code for p in found(text)] == ["range", "unknown-name", "unknown-name", "unknown-event"]
    assert [p.place.line for p in found(text)] == [5, 15, 15, 26]


# --- the bundled specs, with a slip of the pen ------------------------------------------------------------------------

SLIPS: dict[str, tuple[Change, str, str]] = {
    "a typo in a target": (
        (OPENING, "provider.opened:       awaiting_session_created", "provider.opened:       awaiting_session_creatd"),
        "unknown-name", "did you mean 'awaiting_session_created'?",
    ),
    "a key twice": (
        (JUDGING, "      response.done.completed:                {to: next_floor}\n",
         "      response.done.completed:                {to: next_floor}\n" * 2),
        "duplicate-key", "first at specs/parts/conversation/judging.yaml:",
    ),
    "a typo in an event": (
        (PLAYOUT, "      playout.drained:         ", "      playout.draind:          "),
        "unknown-event", "did you mean 'playout.drained'?",
    ),
    "a fact refused": (
        (ENDING, "the call is ending: [operator", "the call is ending: [caller.pressed_key.other, operator"),
        "refuse-fact", "facts have happened",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_of_the_pen_in_a_bundled_part(name: str) -> None:
    change, code, hint = SLIPS[name]
    problems = [p for p in problems_of("owned_turns", change) if p.code == code]
    line = line_of(change[0], change[1].split("\n")[0].rstrip())[0]
    assert problems and problems[0].place.file == f"specs/{change[0]}"
    assert (problems[0].place.line - line in (0, 1), problems[0].hint.startswith(hint)) == (True, True), str(
        problems[0]
    )


# --- what a spec demands of the provider ------------------------------------------------------------------------------


def test_turn_detection_of_the_bundled_specs() -> None:
    """What contradicts a spec is in the spec, with its reason: the settings are checked against it at start."""
    vad, owned, manual = (loaded(name).spec.turn_detection for name in ("server_vad", "owned_turns", "push_to_talk"))
    assert (vad.manual, owned.manual, manual.manual) == (False, False, True)
    assert (dict(vad.needs), dict(owned.needs)) == ({}, {"create_response": "false"})
    assert {(r.key, r.value) for r in vad.refuses} >= {("create_response", "false"), ("type", "none")}
    assert {(r.key, r.value) for r in owned.refuses} >= {("create_response", "true"), ("idle_timeout_ms", None)}
    guarded = loaded("guarded_turns").spec.turn_detection
    assert dict(guarded.needs) == {"create_response": "false", "interrupt_response": "false"}
    assert {(r.key, r.value) for r in guarded.refuses} >= {("interrupt_response", "true"), ("create_response", "true")}
    assert {(r.key, r.value) for r in manual.refuses} == {("type", "server_vad"), ("type", "semantic_vad")}
    assert all(r.reason and r.place.line for each in (vad, owned, manual) for r in each.refuses)
