"""`turnspec prompts`: recordings made of texts by a command of the user's, noticed when the text changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main

SPEC = """
spec: mine
extends: server_vad
add:
  prompts: {goodbye: {text: "%s"}}
  states: {closed: {entry+: [{if: line == up, do: [play_prompt(goodbye)]}]}}
"""
MAKES = """
import sys, wave
with wave.open(sys.argv[1], "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", ""))
    file.writeframes(bytes(len(sys.argv[2]) * 100))
"""


def prompts(*args: object) -> Result:
    return CliRunner().invoke(main, ["prompts", *map(str, args)])


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "makes.py").write_text(MAKES)
    path = tmp_path / "mine.yaml"
    path.write_text(SPEC % "Good bye.")
    return path


def program(spec: Path) -> str:
    return f"{sys.executable} {spec.parent / 'makes.py'} {{wav}} {{text}}"


def test_a_missing_recording_is_an_error_that_says_how_it_is_made(spec: Path) -> None:
    checked = CliRunner().invoke(main, ["check", str(spec)])
    assert checked.exit_code == 1 and "there is no recording 'goodbye.wav'" in checked.output
    assert "turnspec prompts" in checked.output
    found = prompts(spec, "--check")
    assert found.exit_code == 1 and "the recording 'goodbye' is missing" in found.output


def test_recordings_are_made_once_and_again_when_their_text_changes(spec: Path) -> None:
    made = prompts(spec, "--with", program(spec))
    assert made.exit_code == 0 and "goodbye.wav" in made.output, made.output
    assert (spec.parent / "goodbye.wav").is_file() and prompts(spec, "--check").exit_code == 0
    assert prompts(spec, "--with", program(spec)).output == ""
    spec.write_text(SPEC % "Good bye; thank you.")
    stale = prompts(spec, "--check")
    assert stale.exit_code == 1 and "is of another text" in stale.output
    assert prompts(spec, "--with", program(spec)).exit_code == prompts(spec, "--check").exit_code == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("no_such_program_here {wav}", "'no_such_program_here' cannot be run"),
        (f"{sys.executable} -c 'raise SystemExit(3)' {{wav}}", "ended with 3"),
        (f"{sys.executable} -c pass {{wav}}", "made no WAV that can be played"),
    ],
)
def test_what_goes_wrong_is_told_with_the_place(spec: Path, given: str, said: str) -> None:
    found = prompts(spec, "--with", given)
    assert found.exit_code == 1 and said in found.output
    assert not (spec.parent / "goodbye.wav.said").exists()


def test_wrong_use(spec: Path) -> None:
    assert "{wav} is missing" in prompts(spec, "--with", "say").output
    assert prompts(spec).exit_code == 2
