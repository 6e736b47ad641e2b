"""`turnspec new`: starts a spec of one's own that extends another: the spec, its scenarios, its configuration."""

from __future__ import annotations

import math
import os
import re
import shutil
import struct
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from adapters.specs import BUNDLED, display_path, load_file, spec_hint, spec_path
from fsm.language.problem import SpecError, suggestion

if TYPE_CHECKING:
    from adapters.cli.starter import IncludablePart

NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
SCENARIOS, CONFIG = "scenarios.yaml", "turnspec.yaml"
BEEP_HZ, BEEP_S, RATE_HZ = 440, 0.4, 16_000


@click.command()
@click.argument("name", metavar="[NAME]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--from", "base", default="server_vad", show_default=True, metavar="SPEC", help="A bundled name, or a file."
)
@click.option("--with", "parts", default="", metavar="PART,...", help="Parts it includes: bundled ones, or files.")
@click.option("--parts", "lists", is_flag=True, help="List the bundled parts, and end.")
def command(name: Path | None, base: str, parts: str, lists: bool) -> None:
    """Start a spec of your own: a new folder NAME with NAME.yaml, scenarios.yaml and turnspec.yaml.

    The spec extends another one and includes parts; the rest is yours (docs/language.md section 13). What is written
    passes `turnspec check`, `test` and `serve --check`. Nothing is ever overwritten.

    Exit code: 0 written, 1 these parts do not make a sound spec (nothing is written), 2 wrong use.
    """
    from adapters.cli.starter import recipes

    if lists:
        for each, path in recipes().items():
            click.echo(f"{each:<16} {_recipe(path, '').about}")
        return
    if name is None:
        raise click.UsageError("NAME is missing: turnspec new front_desk")
    if not NAME.fullmatch(name.name):
        raise click.UsageError(f"'{name.name}' is not the name of a spec: small letters, digits and _, as front_desk")
    if name.name in BUNDLED:
        raise click.UsageError(f"'{name.name}' is a bundled spec; give yours another name")
    if name.exists():
        raise click.UsageError(f"{name} is there already; nothing is overwritten")
    if base not in BUNDLED and not spec_path(base).is_file():
        raise click.UsageError(f"--from: there is no spec '{base}'; {spec_hint(base)}")
    chosen = _chosen([each for each in parts.split(",") if each], name)
    try:
        name.mkdir(parents=True)
    except OSError as error:
        raise click.UsageError(f"the folder {name} cannot be made: {error.strerror or error}") from None
    try:
        _write(name, _reference(base, name, BUNDLED), chosen)
    except SpecError as error:
        shutil.rmtree(name)
        for problem in error.problems:
            click.echo(str(problem), err=True)
        click.echo("nothing is written: these do not go together", err=True)
        sys.exit(1)
    except BaseException:
        shutil.rmtree(name)
        raise
    shown = display_path(name)
    click.echo(f"\nturnspec check {shown}/{name.name}.yaml\nturnspec test {shown}/{SCENARIOS}")
    click.echo(f"turnspec serve --check {shown}/{CONFIG}")


def _chosen(names: Sequence[str], folder: Path) -> list[IncludablePart]:
    """The parts, by name or by file; one that is not there is wrong use that names those that are."""
    from adapters.cli.starter import PARTS, recipes

    known = recipes()
    found = []
    for name in names:
        if name in known:
            found.append(_recipe(known[name], f"{PARTS}/{name}.yaml"))
        elif name.endswith((".yaml", ".yml")) and Path(name).is_file():
            found.append(_recipe(Path(name), _reference(name, folder, ())))
        else:
            hint = suggestion(name, known) or "there are none; a part of yours is a file: --with my_part.yaml"
            raise click.UsageError(f"--with: there is no part '{name}'; {hint}")
    return found


def _recipe(path: Path, reference: str) -> IncludablePart:
    from adapters.cli.starter import recipe

    try:
        return recipe(path, reference)
    except (SpecError, OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} is not a part: {error}") from None


def _reference(name: str, folder: Path, bundled: Sequence[str]) -> str:
    """A file as the new spec names it: from its own folder."""
    return name if name in bundled else Path(os.path.relpath(name, folder)).as_posix()


def _write(folder: Path, base: str, chosen: Sequence[IncludablePart]) -> None:
    """Raises SpecError, with the folder half full."""
    from adapters.cli.starter import config_text, effects_text, left_to_say, scenarios_text, spec_text
    from adapters.settings.config import load_settings
    from adapters.settings.protocols import KEYS

    path = folder / f"{folder.name}.yaml"
    _put(path, spec_text(folder.name, base, chosen))
    loaded, _ = load_file(path)
    sounds, says = left_to_say(loaded.spec)
    for file in sounds.values():
        _beep(folder / file)
    module = re.sub(r"\W", "_", f"{folder.name}_effects")
    if functions := effects_text(loaded.spec):
        _put(folder / f"{module}.py", functions)
    _put(folder / CONFIG, config_text(loaded.spec, path.name, sounds, says, module))
    load_settings(folder / CONFIG, {**dict.fromkeys(KEYS, "not-asked-for"), **os.environ})
    parts = [display_path(path)] + [_place(folder, each) for each in chosen]
    _put(folder / SCENARIOS, scenarios_text(loaded, path.name, parts))


def _place(folder: Path, part: IncludablePart) -> str:
    """A part's file, as problems and rows name it."""
    from adapters.cli.starter import recipes

    known = recipes().get(Path(part.reference).stem)
    own = folder / part.reference
    return display_path(own if own.is_file() or known is None else known)


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {display_path(path)}")


def _beep(path: Path) -> None:
    """A short soft tone, in place of a recording that is still to be made."""
    count = round(BEEP_S * RATE_HZ)
    tone = [
        round(4000 * math.sin(math.pi * n / count) * math.sin(2 * math.pi * BEEP_HZ * n / RATE_HZ))
        for n in range(count)
    ]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{count}h", *tone))
    click.echo(f"wrote {display_path(path)} (a placeholder)")
