"""`turnspec diagram`: draws specs, or checks that their diagrams are fresh."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from adapters.cli.show import flat_text
from adapters.specs import BUNDLED, display_path, load_spec
from fsm.draw.dot import to_dot
from fsm.draw.page import pages
from fsm.errors import LocalError
from fsm.language.loader import Loaded
from fsm.language.problem import SpecError

NEEDS: Final = "drawing SVG needs pygraphviz: pip install 'turnspec[draw]'"


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("diagrams"),
    show_default=True,
    help="Folder to write to, or to compare with.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is missing or not what would be written.")
@click.option("--svg", "as_svg", is_flag=True, help="Write NAME.svg, too (needs the extra `draw`).")
def command(specs: tuple[str, ...], out: Path, check: bool, as_svg: bool) -> None:
    """Draw SPEC files (or bundled names; without any, all bundled specs).

    For each spec: an overview as Mermaid (NAME.mmd) and a page in Markdown (NAME.md) that begins with a page for
    reviewers; then the overview, the table of states and events with reasons, the deadlines and the vocabulary, each
    with a link to its line.

    Exit code: 0 written (or fresh), 1 a spec has problems or a file is stale, 2 wrong use.
    """
    if check and as_svg:
        raise click.UsageError("--svg or --check: pictures are drawn on demand and not compared")
    wanted: dict[Path, str] = {}
    for name in specs or BUNDLED:
        try:
            loaded = load_spec(name)
            changes = flat_text(name).changes
        except SpecError as error:
            click.echo(str(error), err=True)
            sys.exit(1)
        drawn = pages(loaded, f"{Path(os.path.relpath(Path.cwd(), out)).as_posix()}/", changes)
        if name in BUNDLED:
            wanted |= {out / path: text for path, text in drawn.items()}
        else:  # a copy has its original's name inside; its pictures must not take the original's place
            stem = Path(name).stem
            wanted |= {out / f"{stem}{Path(path).suffix}": text for path, text in drawn.items()}
        if as_svg:
            wanted[out / f"{name if name in BUNDLED else Path(name).stem}.svg"] = _drawn(loaded)
    sys.exit(report_stale(wanted, "turnspec diagram") if check else write(wanted))


def _drawn(loaded: Loaded) -> str:
    """The overview as SVG; ends the program where it cannot be drawn."""
    try:
        return svg(to_dot(loaded))
    except CannotDrawError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


class CannotDrawError(LocalError):
    """Graphviz is not installed, or refuses the text."""


def svg(dot: str) -> str:
    """DOT text as SVG by pygraphviz, whose wheel carries Graphviz: no system package. Raises CannotDrawError."""
    try:
        import pygraphviz  # optional, and half a second to import
    except ImportError:
        raise CannotDrawError(NEEDS) from None
    try:
        drawn = pygraphviz.AGraph(string=dot).draw(format="svg", prog="dot")
    except (OSError, ValueError, RuntimeError) as error:  # DotError is a ValueError
        raise CannotDrawError(f"Graphviz refuses the picture: {error}") from None
    assert isinstance(drawn, bytes)
    return drawn.decode("utf-8")


def write(files: Mapping[Path, str]) -> int:
    """Writes generated files and says which; 0."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {display_path(path)}")
    return 0


def report_stale(files: Mapping[Path, str], remedy: str) -> int:
    """Compares generated files with what is there; 1 if any differs."""
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        click.echo(f"{display_path(path)}: stale; run `{remedy}`", err=True)
    if not stale:
        click.echo(f"{len(files)} generated {'file is' if len(files) == 1 else 'files are'} fresh")
    return 1 if stale else 0
