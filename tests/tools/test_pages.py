"""Pages that are made from what the product finds out about itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import pages


def test_the_page_of_verdicts_is_written_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = pages.verified(["push_to_talk"], ["turns"])
    assert "| No session.update before session.created. | holds |" in text
    assert "| scenes | 1 |" in text
    monkeypatch.setitem(pages.PAGES, "verified", (Path("docs/verified.md"), lambda: text))
    assert CliRunner().invoke(pages.command, ["verified", "--check"]).exit_code == 1
    assert CliRunner().invoke(pages.command, ["verified"]).exit_code == 0
    assert (tmp_path / "docs/verified.md").read_text(encoding="utf-8") == text
    assert CliRunner().invoke(pages.command, ["verified", "--check"]).exit_code == 0
    (tmp_path / "docs/verified.md").write_text("old", encoding="utf-8")
    stale = CliRunner().invoke(pages.command, ["verified", "--check"])
    assert stale.exit_code == 1
    assert "run `python -m tools.pages verified`" in stale.output


def test_the_picture_of_the_readme_is_written_where_it_has_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begin = "<!-- diagram server_vad: written by `python -m tools.pages readme` -->\n"
    Path("README.md").write_text(f"before\n{begin}old\n<!-- end diagram -->\nafter\n")
    assert CliRunner().invoke(pages.command, ["readme", "--check"]).exit_code == 1
    assert CliRunner().invoke(pages.command, ["readme"]).exit_code == 0
    text = Path("README.md").read_text()
    assert text.startswith(f"before\n{begin}```mermaid\n") and text.endswith("```\n<!-- end diagram -->\nafter\n")
    assert "old" not in text
    Path("README.md").write_text("no place\n")
    nowhere = CliRunner().invoke(pages.command, ["readme"])
    assert nowhere.exit_code == 2 and "has no place for the picture" in nowhere.output
