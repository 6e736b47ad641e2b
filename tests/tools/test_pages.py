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
    monkeypatch.setitem(pages.PAGES, "verified", lambda: text)
    assert CliRunner().invoke(pages.command, ["verified", "--check"]).exit_code == 1
    assert CliRunner().invoke(pages.command, ["verified"]).exit_code == 0
    assert (tmp_path / "docs/verified.md").read_text(encoding="utf-8") == text
    assert CliRunner().invoke(pages.command, ["verified", "--check"]).exit_code == 0
    (tmp_path / "docs/verified.md").write_text("old", encoding="utf-8")
    stale = CliRunner().invoke(pages.command, ["verified", "--check"])
    assert stale.exit_code == 1
    assert "run `python -m tools.pages verified`" in stale.output
