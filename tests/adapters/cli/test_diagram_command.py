"""Pictures as SVG; without pygraphviz a sentence that says what to install."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.cli.diagram import NEEDS, CannotDrawError, command, svg
from adapters.specs import specs_folder


def test_every_state_of_a_spec_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygraphviz", reason=NEEDS)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["push_to_talk", "--svg", "--out", "drawn"])
    assert result.exit_code == 0, result.output
    drawn = (tmp_path / "drawn/push_to_talk.svg").read_text(encoding="utf-8")
    assert "<svg" in drawn and ">user_speaking</text>" in drawn


def test_links_lead_to_the_spec_from_wherever_the_page_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "specs/mine.yaml"
    spec.parent.mkdir()
    spec.write_text((specs_folder() / "server_vad.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    for out in ("diagrams", "docs/pictures", "."):
        assert CliRunner().invoke(command, ["specs/mine.yaml", "--out", out]).exit_code == 0
        page = tmp_path / out / "mine.md"
        targets = set(re.findall(r"\]\(([^)#]+)(?:#L\d+)?\)", page.read_text(encoding="utf-8")))
        assert any(target.endswith("mine.yaml") for target in targets)
        assert all((page.parent / target).resolve().is_file() for target in targets), targets


def test_without_pygraphviz_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(CannotDrawError, match=r"turnspec\[draw\]"):
        svg("digraph {}")


def test_a_broken_picture_is_an_error_with_a_reason() -> None:
    pytest.importorskip("pygraphviz", reason=NEEDS)
    with pytest.raises(CannotDrawError, match="refuses"):
        svg("digraph { a -> ")
