"""What is written differently is found by name and said once; where it is written does not count."""

from __future__ import annotations

import re
from functools import cache

from adapters.specs import load_spec, specs_folder
from fsm.diff.overlay import overlay
from fsm.diff.report import Diff, delta, text
from fsm.diff.structure import Aspect, SpecChange, structure
from fsm.draw.mermaid import mermaid
from fsm.draw.picture import picture
from tests.fsm.bundle import Change as Edit
from tests.fsm.bundle import load_changed, loaded
from tests.fsm.language.mini import HOUSE, WORDS, load_mini

changed = cache(load_changed)
BARGE_IN: Edit = (
    "server_vad.yaml",
    "speech_started.new: {do: [stop_talking, begins_to_speak], to: user_speaking}",
    "speech_started.new: {to: user_speaking}",
)
SLOWER: Edit = ("server_vad.yaml", "answer_overdue: {after_ms: 4000,", "answer_overdue: {after_ms: 4500,")


def house(old: str, new: str, words: str = WORDS) -> tuple[SpecChange, ...]:
    assert old in HOUSE
    return structure(load_mini(HOUSE).spec, load_mini(HOUSE.replace(old, new, 1), words).spec)


def said(changes: tuple[SpecChange, ...]) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(c.part, c.name, c.status, tuple(a.what for a in c.aspects)) for c in changes]


def test_a_spec_beside_itself_moved_down_is_the_same() -> None:
    moved = load_mini("# a word\n\n" + HOUSE)
    assert structure(load_mini(HOUSE).spec, moved.spec) == ()


def test_a_deadline_that_waits_longer() -> None:
    (change,) = structure(loaded("server_vad").spec, changed("server_vad", SLOWER).spec)
    assert (change.part, change.name, change.aspects) == (
        "deadline",
        "answer_overdue",
        (Aspect("after", "4000 ms", "4500 ms"),),
    )


def test_the_row_of_a_group_is_one_change_by_its_stable_id() -> None:
    (change,) = structure(loaded("server_vad").spec, changed("server_vad", BARGE_IN).spec)
    assert change.name == "conversation/input_audio_buffer.speech_started.new"
    (aspect,) = change.aspects
    assert aspect.what == "do" and "flush_playout" in aspect.old and aspect.new == ""
    assert delta(aspect).endswith("→  nothing")


def test_a_row_whose_only_guard_changed_is_changed_and_not_another_row() -> None:
    old = "bell.rang: {to: hall}"
    guarded = [
        f"bell.rang: [{{if: tired == {value}, to: hall}}, {{if: else, do: [greet(hello)]}}]" for value in ("no", "yes")
    ]
    before, after = (load_mini(HOUSE.replace(old, each)).spec for each in guarded)
    (change,) = structure(before, after)
    assert change.status == "changed" and {a.what for a in change.aspects} == {"if", "id"}


ATTIC = HOUSE + "  attic:\n    about: Above.\n    final: yes\n    ignore:\n      it is over: ['*']\n"
ATTIC = ATTIC.replace("bell.rang_twice: {to: garden, do", "bell.rang_twice: {to: attic, do")


def test_a_new_state_is_said_once_and_its_rows_are_added() -> None:
    changes = structure(load_mini(HOUSE).spec, load_mini(ATTIC).spec)
    assert ("state", "attic", "added", ("final", "about")) in said(changes)
    assert ("transition", "garden/bell.rang_twice", "changed", ("to",)) in said(changes)
    assert {c.status for c in changes if c.name.startswith("attic/")} == {"added"}


def test_a_reason_alone_is_wording() -> None:
    changes = house("no tea in the garden", "no tea outside")
    assert [c.is_wording for c in changes] == [True]


def test_words_and_context() -> None:
    changes = house(
        "range: 0..2", "range: 0..3", WORDS.replace("choices: [hello, goodbye]", "choices: [hello, goodbye, hi]")
    )
    assert said(changes) == [("context", "bells", "changed", ("values",)), ("effect", "greet", "changed", ("choices",))]
    assert [delta(c.aspects[0]) for c in changes] == ["+ 3", "+ hi"]


def test_the_overlay_colours_what_changed_and_nothing_else() -> None:
    old, new = loaded("server_vad"), changed("server_vad", BARGE_IN, SLOWER)
    drawn = overlay(old, new, structure(old.spec, new.spec))
    assert 's_conversation -->|"~ speech_started<br/>caller.interrupted"| s_user_speaking' in drawn
    assert "answer_overdue: 4000 ms to 4500 ms" in drawn
    assert ":::added" not in drawn and ":::removed" not in drawn
    assert "changed" not in overlay(old, old, ()).replace("classDef changed", "")


def test_what_was_added_is_green_and_what_was_removed_red() -> None:
    old, new = load_mini(HOUSE), load_mini(ATTIC)
    there, back = (overlay(a, b, structure(a.spec, b.spec)) for a, b in ((old, new), (new, old)))
    assert 's_attic(["attic"]):::added' in there and ":::removed" not in there
    assert 's_attic(["attic"]):::removed' in back and ":::added" not in back
    assert 's_garden -->|"~ bell.rang_twice"| s_attic' in there


def test_a_diff_of_the_same_says_so() -> None:
    same = Diff(loaded("server_vad"), loaded("server_vad"), ())
    assert same.is_same and "nothing is written differently" in text(same)


def skeleton(text: str) -> list[str]:
    """The nodes and arrows in their order, without colours and labels."""
    drawn = text[: text.index("classDef")].replace("==>", "-->").replace("-.->", "-->")
    lines = [re.sub(r":::\w+|\|.*\|", "", line) for line in drawn.splitlines() if "note_" not in line]
    return [re.sub(r'(\[|\(\[)".*"(\]|\]\))', "", line) for line in lines]


def test_the_overlay_is_laid_out_as_the_overview() -> None:
    """A layout follows the order of nodes and arrows: one more would turn it round. Colours take no room."""
    old, new = loaded("server_vad"), load_spec(specs_folder() / "cookbook" / "no_input.yaml")
    drawn = overlay(old, new, structure(old.spec, new.spec))
    overview = skeleton(mermaid(new.spec, picture(new)))
    assert skeleton(drawn) == overview and len(overview) > 50
    assert "+ nobody (" in drawn and "~ context unasked" in drawn


def test_what_no_arrow_stands_for_is_said_where_it_starts() -> None:
    tea = HOUSE.replace("    refuse:\n      no tea in the garden: [tea.requested]\n", "")
    tea = tea.replace(
        "      visit.requested: {do: [greet(hello)]}\n", "      visit.requested, tea.requested: {do: []}\n"
    )
    old, new = load_mini(HOUSE), load_mini(tea)
    there, back = (overlay(a, b, structure(a.spec, b.spec)) for a, b in ((old, new), (new, old)))
    assert 's_garden["garden<br/>~ visit.requested<br/>~ tea.requested"]:::changed' in there
    assert 's_garden["garden<br/>~ visit.requested<br/>~ tea.requested"]:::changed' in back
