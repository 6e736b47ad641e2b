"""The tables of docs/servers.md, which are made of servers.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import click

from adapters.providers.realtime.realtime_server import COLUMNS, RealtimeServer
from adapters.settings.servers import bundled_servers

PAGE: Final = Path("docs/servers.md")
BEGIN: Final = "<!-- the table: written by `python -m tools.pages servers` -->\n"
END: Final = "<!-- end of the table -->"
_FORMAT_COLUMNS: Final = ("audio_in", "audio_out")
_FIRST: Final = ("about", "refused", "unsure", "matches")


def servers_page() -> str:
    """The page with its tables as they should be."""
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise click.UsageError(f"{PAGE} has no place for the table: {BEGIN.strip()} {END}")
    rows = bundled_servers().values()
    held = [row for row in rows if not row.refused]
    lines = [
        *_table(("server", "what it is", "address", "names", "sent", "sends"), map(_summary, held)),
        "", "### What each does otherwise", "",
        *(line for row in held for line in _otherwise(row)),
        "### No call can be held with", "",
        *(f"- `{row.name}`: {row.about}. {row.refused[:1].upper()}{row.refused[1:]}." for row in rows if row.refused),
        "", "### Columns", "",
        *_table(("column", "meaning"), ((f"`{name}`", about) for name, about in COLUMNS.items())),
    ]  # fmt: skip
    return before + BEGIN + "\n".join(lines) + f"\n{END}" + after


def _summary(row: RealtimeServer) -> tuple[str, ...]:
    address = f"`{row.url}`" if row.url else "yours"
    return (f"`{row.name}`", row.about, address, row.names, ", ".join(row.formats_in), ", ".join(row.formats_out))


def _otherwise(row: RealtimeServer) -> Iterator[str]:
    plain = RealtimeServer()
    named = (*_FIRST, "name", "url", "names", *_FORMAT_COLUMNS)
    columns = [each.name for each in attrs.fields(RealtimeServer) if each.name not in named]
    told = [f"`{name}`: {_shown(getattr(row, name))}" for name in columns if getattr(row, name) != getattr(plain, name)]
    told += [f"not seen by us: {why} (`{column}`)" for column, why in row.unsure.items()]
    if told:
        yield f"- **{row.name}**: " + "; ".join(told) + "."
        yield ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"`{json.dumps(dict(value))}`" if value else "nothing"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value) or "nothing"
    return f"`{value}`"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | map[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
