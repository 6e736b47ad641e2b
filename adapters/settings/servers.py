"""The table of servers that speak Realtime, or nearly: the bundled servers.yaml, and the rows of a configuration.

A row of the user's that is called like a bundled one takes its place; `like:` begins with another row's columns.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_origin, get_type_hints
from urllib.parse import SplitResult

import attrs

from adapters.providers.realtime import realtime_server
from adapters.providers.realtime.realtime_server import FORMATS, RealtimeServer
from adapters.providers.realtime.session import PATHS, SessionSettings
from adapters.settings.folders import reason_of
from adapters.settings.kinds import NAME
from adapters.settings.reader import RejectedError, SettingsReader
from fsm.language.problem import Problems, SpecError, suggestion
from fsm.language.yaml_nodes import Node, read

Servers = Mapping[str, RealtimeServer]
"""Rows by name, in the order in which they are tried on a URL."""

BUNDLED: Final = Path(realtime_server.__file__).with_name("servers.yaml")
LIKE: Final = "like"
_TYPES: Final = {name: kind for name, kind in get_type_hints(RealtimeServer).items() if name != "name"}


@functools.cache
def bundled_servers() -> Servers:
    """The rows that come with turnspec. SpecError: the file is broken."""
    reader = SettingsReader(Problems(), {}, BUNDLED.parent)
    found = _rows(reader, read(BUNDLED.read_text(encoding="utf-8"), BUNDLED.name, reader.problems), {})
    if reader.problems.errors:
        raise SpecError(tuple(reader.problems))
    return found


def read_servers(reader: SettingsReader, node: Node | None) -> Servers:
    """The bundled rows behind those of the configuration: inline, or in the file that it names."""
    bundled = bundled_servers()
    if node is None or node.text == "":
        return bundled
    table = node
    if node.pairs is None:
        path = reader.path(reader.filled(node))
        try:
            table = read(path.read_text(encoding="utf-8"), str(path), reader.problems)
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else reason_of(error)
            raise reader.rejected(node, "no-file", f"the table of servers cannot be read: {reason}") from None
    own = _rows(reader, table, bundled)
    return {**own, **{name: row for name, row in bundled.items() if name not in own}}


def server_at(servers: Servers, parts: SplitResult) -> RealtimeServer:
    """The first row whose pattern fits."""
    return next((row for row in servers.values() if row.is_at(parts)), realtime_server.GA)


def _rows(reader: SettingsReader, table: Node, known: Servers) -> Servers:
    if table.pairs is None:
        raise reader.mistyped(table, "a mapping of servers")
    found: dict[str, RealtimeServer] = {}
    for key, node in table.pairs:
        name = str(key.text)
        if not NAME.fullmatch(name):
            reader.problems.add(key.place, "name", f"'{name}' is not a name: 1 to 64 letters, digits, _ and -")
            continue
        try:
            found[name] = _row(reader, name, node, {**known, **found})
        except RejectedError:
            continue
    return found


def _row(reader: SettingsReader, name: str, node: Node, known: Servers) -> RealtimeServer:
    if node.pairs is None:
        raise reader.mistyped(node, "a mapping of columns")
    base = RealtimeServer()
    if (like := node.get(LIKE)) is not None:
        base = known[reader.choice(like, known)]
        base = attrs.evolve(base, matches=(), refused="")
    columns = {str(key.text): (key, value) for key, value in node.pairs if key.text != LIKE}
    values: dict[str, Any] = {}
    for column, (key, value) in columns.items():
        if column not in _TYPES:
            message = f"'{column}' is not a column of a server"
            reader.problems.add(key.place, "unknown-key", message, suggestion(column, _TYPES))
            continue
        kind = _TYPES[column]
        values[column] = _mapping(reader, value) if get_origin(kind) is Mapping else reader.read(value, kind)
    row = attrs.evolve(base, name=name, **values)
    wrong = list(_complaints(row))
    for column, complaint in wrong:
        place = columns[column][1].place if column in columns else node.place
        reader.problems.add(place, "server", f"{name}.{column}: {complaint}")
    if wrong:
        raise RejectedError
    return row


def _mapping(reader: SettingsReader, node: Node) -> Mapping[str, object]:
    if node.pairs is None and node.text != "":
        raise reader.mistyped(node, "a mapping")
    value = reader.value(node)
    return value if isinstance(value, dict) else {}


def _complaints(row: RealtimeServer) -> Iterator[tuple[str, str]]:
    """What no row can mean."""
    for pattern in row.matches:
        try:
            re.compile(pattern)
        except re.error as error:
            yield "matches", f"'{pattern}' is not a regular expression: {error}"
    for column, names in (("audio_in", row.audio_in), ("audio_out", row.audio_out)):
        for name in names:
            if name not in FORMATS or (column == "audio_out" and name.startswith("wav")):
                yield column, f"'{name}' is not a format known here: {', '.join(FORMATS)}"
    for field in row.paths:
        if field not in PATHS and field not in attrs.fields_dict(SessionSettings):
            yield "paths", f"'{field}' is not a field of a session{_meant(field)}"
    for column in row.unsure:
        if column not in _TYPES:
            yield "unsure", f"'{column}' is not a column{_meant(column)}"
    if "{key}" not in row.key_form:
        yield "key_form", "the key is not in it: write {key}"


def _meant(name: str) -> str:
    hint = suggestion(name, (*PATHS, *_TYPES))
    return f" ({hint})" if hint else ""
