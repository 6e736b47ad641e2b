"""`turnspec prompts`: recordings that a spec has texts for, made by a speech program of the user's. Never in a call."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from adapters.audio.wav import load_wav
from adapters.settings.kinds import RECORDING_HZ
from adapters.settings.words import recording_of
from adapters.specs import display_path, load_spec
from fsm.language.problem import SpecError
from fsm.language.spec import OwnWord, Spec

DEADLINE_S: Final = 120
"""For one recording."""
SAID: Final = ".said"
"""Beside a recording: the text that it was made of."""


@click.command()
@click.argument("spec", metavar="SPEC")
@click.option("--with", "program", metavar="COMMAND", help="Makes one WAV: {wav} is its path, {text} what is said.")
@click.option("--check", is_flag=True, help="Make nothing; exit 1 if a recording is missing or of another text.")
def command(spec: str, program: str | None, check: bool) -> None:
    """Make the recordings that SPEC has a text for (`prompts: {goodbye: {text: Goodbye.}}`) and that are missing, or of
    another text.

    The command is run once for each, without a shell: --with 'espeak-ng -w {wav} {text}'. The text that a recording was
    made of is kept beside it (goodbye.wav.said), so that a change of the text is noticed.

    Exit code: 0 every recording is there, 1 not, 2 wrong use.
    """
    if not check and program is None:
        raise click.UsageError("--with COMMAND makes the recordings, --check looks whether they are there")
    if program is not None and "{wav}" not in program:
        raise click.UsageError("--with: {wav} is missing, the path of the file that is to be made")
    try:
        loaded = load_spec(spec, typestate=False).spec
    except SpecError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    stale = list(_stale(loaded))
    if check:
        for name, word, why in stale:
            click.echo(f"{word.place}: the recording '{name}' {why} ({display_path(recording_of(word))})")
        sys.exit(1 if stale else 0)
    for name, word, _ in stale:
        _make(program or "", name, word)
        click.echo(f"wrote {display_path(recording_of(word))}")


def _stale(spec: Spec) -> Iterator[tuple[str, OwnWord, str]]:
    """Each recording that is to be made, and why."""
    for name, word in spec.prompts.items():
        path = recording_of(word)
        kept = _kept(path)
        if word.said and not path.is_file():
            yield name, word, "is missing"
        elif word.said and (not kept.is_file() or kept.read_text(encoding="utf-8") != word.said):
            yield name, word, "is of another text"


def _make(program: str, name: str, word: OwnWord) -> None:
    """Raises ClickException where it fails or makes something that cannot be played."""
    path = recording_of(word)
    words = [each.replace("{wav}", str(path)).replace("{text}", word.said) for each in shlex.split(program)]
    try:
        done = subprocess.run(words, input=word.said, text=True, capture_output=True, timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        raise click.ClickException(f"{word.place}: '{name}' took longer than {DEADLINE_S} s: {words[0]}") from None
    except OSError as error:
        raise click.ClickException(f"'{words[0]}' cannot be run: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.strip()[-300:]
        raise click.ClickException(f"{word.place}: '{name}': {words[0]} ended with {done.returncode}: {said}")
    try:
        load_wav(path, RECORDING_HZ)
    except (OSError, ValueError, RuntimeError) as error:
        raise click.ClickException(
            f"{word.place}: '{name}': {words[0]} made no WAV that can be played: {error}"
        ) from None
    _kept(path).write_text(word.said, encoding="utf-8")


def _kept(path: Path) -> Path:
    return path.with_name(path.name + SAID)
