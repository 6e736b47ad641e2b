"""Pictures as SVG; without pygraphviz a sentence that says what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.cli.diagram import command
from adapters.render import NEEDS, CannotDraw, svg


def test_every_state_of_a_spec_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygraphviz", reason=NEEDS)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["push_to_talk", "--svg", "--out", "drawn"])
    assert result.exit_code == 0, result.output
    drawn = (tmp_path / "drawn/push_to_talk.svg").read_text(encoding="utf-8")
    assert "<svg" in drawn and ">user_speaking</text>" in drawn


def test_without_pygraphviz_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(CannotDraw, match=r"turnspec\[draw\]"):
        svg("digraph {}")


def test_a_broken_picture_is_an_error_with_a_reason() -> None:
    pytest.importorskip("pygraphviz", reason=NEEDS)
    with pytest.raises(CannotDraw, match="refuses"):
        svg("digraph { a -> ")
