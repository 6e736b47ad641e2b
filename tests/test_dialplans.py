"""The dialplans that we give away are one text: what pages and help show is in deploy/asterisk/extensions.conf."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.cli import main
from adapters.lines.audiosocket.mistakes import Mistake
from adapters.lines.refusal import CallRefusal

ROOT = Path(__file__).resolve().parents[1]
FILE = (ROOT / "deploy/asterisk/extensions.conf").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/asterisk.md").read_text(encoding="utf-8")
CONTEXT = re.compile(r"^\[([a-z-]+)\]\n", re.MULTILINE)
FENCE = re.compile(r"```ini\n(.*?)```", re.DOTALL)
CORE_SOUNDS = {"tt-allbusy", "vm-nobodyavail", "vm-goodbye", "beep"}
"""Of asterisk-core-sounds-en; what is played is among these."""


def contexts(text: str) -> dict[str, str]:
    """Each with its lines, without comments before the next one and empty lines."""
    found = {}
    pieces = CONTEXT.split(text)
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        assert name not in found, f"[{name}] is there twice"
        found[name] = "\n".join(line for line in body.splitlines() if line and not line.startswith(";"))
    return found


OURS = contexts(FILE)


@pytest.mark.parametrize("path", ["README.md", "docs/asterisk.md"])
def test_what_a_page_shows_is_the_text_of_the_file(path: str) -> None:
    shown = contexts("".join(FENCE.findall((ROOT / path).read_text(encoding="utf-8"))))
    assert "agent" in shown
    assert shown == {name: OURS[name] for name in shown}


def test_the_help_of_serve_begins_as_the_dialplan_does() -> None:
    help_lines = [line.strip() for line in CliRunner().invoke(main, ["serve", "--help"]).output.splitlines()]
    shown = [line for line in help_lines if line.startswith(("exten =>", "same =>"))]
    assert len(shown) == 3
    assert shown == [line.strip().replace("n(call)", "n") for line in OURS["agent"].splitlines()[:3]]


def test_every_context_and_label_that_is_gone_to_is_there() -> None:
    for name, body in OURS.items():
        for context, extension, priority in re.findall(r"\b(agent[a-z-]*),([^,()]+),([a-z0-9]+)\b", body):
            assert context in OURS, f"[{name}] goes to [{context}]"
            if not extension.startswith("$"):
                assert f"exten => {extension},1," in OURS[context], f"[{name}] goes to {extension}@{context}"
            assert priority.isdecimal() or f"n({priority})" in OURS[context]
        for label in re.findall(r"\?([a-z]+)\)", body):
            assert f"n({label})" in body, f"[{name}] goes to {label}"


def test_only_prompts_of_the_core_sounds_are_played() -> None:
    played = re.findall(r"Playback\(([^)]+)\)", FILE) + re.findall(r"Read\([A-Z]+,([^,]+),", FILE)
    assert played and set(played) <= CORE_SOUNDS


def test_contexts_that_the_page_names_are_there_and_none_is_left_out() -> None:
    named = set(re.findall(r"`\[(agent[a-z-]*)\]`", PAGE)) | set(contexts("".join(FENCE.findall(PAGE))))
    assert named - set(OURS) == set()
    assert set(OURS) - named == {"agent-report"}, "reached from [agent-cdr]"


@pytest.mark.parametrize("word", [each.value for kind in (CallRefusal, Mistake) for each in kind])
def test_every_reason_and_mistake_is_explained(word: str) -> None:
    assert f"`{word}`" in PAGE
