"""What is said of a name that nobody knows: the one that is meant, or what there is, and not a hundred names."""

from __future__ import annotations

from fsm.language.problem import MANY, meant, suggestion


def test_one_that_is_alike_or_ends_in_it_is_meant() -> None:
    assert suggestion("clozing", ["closing", "closed"]) == "did you mean 'closing'?"
    assert suggestion("french", ["caller.pressed_key.french", "caller.spoke"]) == (
        "did you mean 'caller.pressed_key.french'?"
    )
    assert suggestion("end", ["first_word.end", "other_word.end"]) == "known: first_word.end, other_word.end"
    assert (meant("clozing", ["closing"]), meant("x", ["closing"])) == ("; did you mean 'closing'?", "")


def test_of_many_names_the_likest_are_shown() -> None:
    names = [f"{letter}{number}" for letter in "klm" for number in range(10)]
    found = suggestion("l.zzz", names)
    assert found.endswith(f" and {30 - MANY} more") and found.count(",") == MANY - 1
    assert {f"l{number}" for number in range(10)} <= set(found.removeprefix("known: ").replace(",", "").split())
    assert suggestion("zzz", []) == ""
