"""Lints: what a sound spec says in vain is a warning with its place."""

from __future__ import annotations

import pytest

from adapters.specs import BUNDLED, load_spec
from fsm.language.problem import SpecError
from tests.fsm.language.mini import HOUSE, WORDS, load_mini

SOUND = HOUSE.replace(
    "bell.rang: {do: [bells += 1, open_door]}",
    "bell.rang: {do: [bells += 1, {if: mood == calm, do: [mood = cross], else: [mood = calm]}, "
    "{if: tired, do: [tired = no], else: [tired = yes]}, {if: bells == 2, do: [bells = 0]}]}",
)


def warned(spec: str, words: str = WORDS) -> list[str]:
    return [f"{p.place.line} {p.code}: {p.message}" for p in load_mini(spec, words).warnings]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_a_spec_that_uses_all_it_says_is_not_warned() -> None:
    assert warned(SOUND) == []


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_specs_are_clean(name: str) -> None:
    assert load_spec(name).warnings == ()


def test_a_guard_that_the_slots_rule_out() -> None:
    guarded = SOUND.replace("bulb.lit: {do: []}", "bulb.lit: [{if: lamp == off, do: [open_door]}, {if: else, do: []}]")
    line = line_of(guarded, "if: lamp == off")
    assert warned(guarded) == [f"{line} never-holds: 'lamp == off' never holds"], "the event has lit it by then"


def test_a_guard_with_a_value_that_nothing_gives() -> None:
    guarded = SOUND.replace(
        "bell.rang_twice: {to: garden}", "bell.rang_twice: [{if: mood == angry, do: []}, {if: else, to: garden}]"
    )
    assert warned(guarded) == [f"{line_of(guarded, 'mood == angry')} never-holds: 'mood == angry' never holds"]
    given = guarded.replace("else: [mood = calm]", "else: [{if: tired, do: [mood = angry], else: [mood = calm]}]")
    assert warned(given) == []


def test_a_branch_and_a_choice_that_contradict_themselves() -> None:
    branch = SOUND.replace("bulb.lit: {do: []}", "bulb.lit: {do: [{if: tired and not tired, do: [open_door]}]}")
    assert [w.partition(" ")[2] for w in warned(branch)] == ["never-holds: 'tired and not tired' never holds"]
    choice = SOUND.replace("bell.rang: {to: hall}", "bell.rang: {to: where}").replace(
        "states:\n", "choices: {where: [{if: bells > 1 and bells < 1, to: cellar}, {if: else, to: hall}]}\nstates:\n", 1
    )
    assert [w.partition(" ")[2] for w in warned(choice)] == ["never-holds: 'bells > 1 and bells < 1' never holds"]


def test_actions_and_conditions_that_nobody_uses() -> None:
    named = SOUND.replace(
        "states:\n", "actions: {wave: [open_door], nod: [wave]}\nconditions: {fine: mood == calm}\nstates:\n", 1
    )
    assert [w.partition(" ")[2] for w in warned(named)] == [
        "unused: action 'wave' is never used",
        "unused: action 'nod' is never used",
        "unused: condition 'fine' is never used",
    ]
    used = named.replace("bulb.lit: {do: []}", "bulb.lit: {do: [{if: fine, do: [nod]}]}")
    assert warned(used) == []
    offered = named.replace("states:\n", "offers: {nod: we agree, fine: all is well}\nstates:\n", 1)
    assert [w.partition(" ")[2] for w in warned(offered)] == ["unused: action 'wave' is never used"]


def test_what_is_offered_says_what_it_is_for() -> None:
    text = "actions: {nod: [open_door]}\noffers: {nod: , wink: one eye}\nstates:\n"
    with pytest.raises(SpecError) as caught:
        warned(SOUND.replace("states:\n", text, 1))
    assert [each.message for each in caught.value.problems] == ["what is 'nod' for?", "'wink' is not known here"]


def test_context_that_comes_to_nothing() -> None:
    more = SOUND.replace("  tired:", "  spare: {values: [no, yes]}\n  seen: {values: [no, yes]}\n  tired:", 1)
    said = more.replace("bulb.lit: {do: []}", "bulb.lit: {do: [seen = yes]}")
    first = line_of(said, "spare:")
    assert warned(said) == [
        f"{first} unused: 'spare' is never used",
        f"{first + 1} unused: 'seen' is never read",
    ]
    constant = said.replace("{do: [seen = yes]}", "{do: [{if: seen and spare, do: [seen = no], else: [seen = yes]}]}")
    assert f"{first} unused: 'spare' is never set: it stays no" in warned(constant)
    latched = constant.replace("spare: {values: [no, yes]}", "spare: {values: [no, yes], latch: yes}")
    assert not any("'spare'" in each for each in warned(latched)), "a part may set it"


def test_a_variable_that_is_set_and_never_reset() -> None:
    more = SOUND.replace("  tired:", "  seen: {values: [no, yes]}\n  tired:", 1)
    said = more.replace("bulb.lit: {do: []}", "bulb.lit: {do: [{if: not seen, do: [seen = yes]}]}")
    assert warned(said) == [f"{line_of(said, 'seen:')} never-reset: 'seen' is set and never reset to no"]
    assert warned(said.replace("seen: {values: [no, yes]}", "seen: {values: [no, yes], latch: yes}")) == []


def test_an_effect_whose_slot_is_always_forbidden() -> None:
    words = WORDS.replace("values: [off, on, lost]", "values: [off, on, lost, dim]").replace(
        "  open_door: {}\n", "  open_door: {}\n  brighten: {when: {lamp: [dim]}}\n"
    )
    said = SOUND.replace("bulb.lit: {do: []}", "bulb.lit: {do: [{if: lamp == dim, do: [brighten]}]}")
    assert any(
        "never-possible: 'brighten' is forbidden always: nothing brings 'lamp'" in w for w in warned(said, words)
    )
