"""What a search has found of the cookbook is kept by content, and stale once a text has changed."""

from __future__ import annotations

from pathlib import Path

import attrs
import click
import pytest
from click.testing import CliRunner

from adapters.specs import BUNDLED, specs_folder
from adapters.verify.run import SearchProgress
from tools.cookbook import __main__ as program
from tools.cookbook import verdicts
from tools.cookbook.goes_with import bases, conflicts, cookbook_parts, table, why_not
from tools.cookbook.verdicts import PASS, Case, Found, cases, keep, kept, searched, stale


def test_every_part_and_pair_that_goes_together_is_a_case_and_so_is_every_example() -> None:
    found = set(cases())
    assert {Case(base, (part,)) for part in cookbook_parts() for base in bases(part)} <= found
    assert Case("owned_turns", ("filler", "hold")) in found
    assert not any(why_not(*case.parts) for case in found if len(case.parts) == 2)
    assert {case.base for case in found if not case.parts}.isdisjoint(BUNDLED)
    assert Case("all") in found


def test_a_verdict_is_of_all_texts_behind_it_and_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with_menu, with_filler = Case("owned_turns", ("menu",)), Case("owned_turns", ("filler",))
    before = {case: case.digest() for case in (with_menu, with_filler)}
    found = {str(case): Found(digest, PASS, 1) for case, digest in before.items()}
    assert stale([with_menu, with_filler], found) == []
    said = verdicts.said

    def changed(path: Path) -> object:
        return [*("longer",), said(path)] if path.name == "menu.yaml" and path.parent.name == "parts" else said(path)

    monkeypatch.setattr(verdicts, "said", changed)
    assert stale([with_menu, with_filler], found) == [with_menu]


def test_prose_makes_nothing_stale() -> None:
    said = verdicts.said(specs_folder() / "parts" / "menu.yaml")
    assert "A keypad menu." not in str(said) and "cut_by_key" in str(said)


def test_what_a_part_does_not_go_with_makes_nothing_stale() -> None:
    path = specs_folder() / "parts" / "menu.yaml"
    reason = conflicts("menu")["digits"]
    assert reason in path.read_text(encoding="utf-8")
    assert reason not in str(verdicts.said(path)) and "conflicts" not in str(verdicts.said(path))


def test_verdicts_are_kept_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    assert kept(path) == {}
    found = {"b": Found("2", "wait_is_over", 3), "a": Found("1", PASS, 2)}
    keep(found, path)
    assert kept(path) == found
    assert len(path.read_text().splitlines()) == len(found) + 2
    path.write_text("[]")
    with pytest.raises(click.ClickException, match="is not what"):
        kept(path)


def test_a_case_is_searched() -> None:
    ((case, found),) = searched([Case("push_to_talk", ("filler",))], SearchProgress(quiet=True))
    assert case == Case("push_to_talk", ("filler",))
    assert found.outcome == PASS and found.digest == case.digest() and found.states > 0


def test_what_is_missing_stale_or_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    good, wrong = Case("owned_turns", ("menu",)), Case("owned_turns", ("filler",))
    monkeypatch.setattr(program, "cases", lambda: [good, wrong])
    monkeypatch.setattr(program, "kept", lambda: {str(good): Found(good.digest(), PASS, 1)})
    missing = CliRunner().invoke(program.command, ["--check"])
    assert missing.exit_code == 1 and "owned_turns filler: not searched as it is now" in missing.output
    assert CliRunner().invoke(program.command, ["menu", "--check"]).exit_code == 0
    monkeypatch.setattr(
        program, "kept", lambda: {str(c): Found(c.digest(), PASS if c is good else "no_end", 1) for c in (good, wrong)}
    )
    bad = CliRunner().invoke(program.command, ["--check"])
    assert bad.exit_code == 1 and "owned_turns filler: no_end" in bad.output


def test_a_yes_of_the_table_was_searched_with_every_spec_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ("digits", "filler")
    of_pair = [Case(base, pair) for base in bases(*pair)]
    monkeypatch.setattr(verdicts, "cases", lambda: of_pair)
    fresh = {str(case): Found(case.digest(), PASS, 1) for case in of_pair}
    name, one = next(iter(fresh.items()))
    assert _cell(table(verdicts.searched_pairs(fresh))) == "yes"
    for less in ({}, {name: one}, fresh | {name: attrs.evolve(one, digest="of before")}):
        assert pair not in verdicts.searched_pairs(less)
    assert pair not in verdicts.searched_pairs(fresh | {name: attrs.evolve(one, outcome="no_end")})
    assert _cell(table(set())) == "(yes)"


def _cell(text: str) -> str:
    heads, _, *rows = (line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|"))
    row = next(row for row in rows if row[0] == "**digits**")
    return row[len(row) - len(heads) + heads.index("filler")]
