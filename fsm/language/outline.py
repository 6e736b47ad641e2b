"""Where in a text a place is: the keys around it, by indentation and brackets, in a text that need not be YAML yet.

A text that is being typed is broken most of the time, so no parser is asked. Never here: what a key means (.cursor).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

_KEY: Final = re.compile(r"""("[^"]*"|'[^']*'|[^\s#{}\[\],&*!|>'"%@`-][^#{}\[\]]*?|-[^\s#][^#{}\[\]]*?)\s*:(?=\s|$)""")
_FLOW_KEY: Final = re.compile(r"""\s*("[^"]*"|'[^']*'|[^\s,:{}\[\]"'][^,:{}\[\]"']*?)\s*:(?=[\s,}\]]|$)""")
_DASH: Final = re.compile(r"-(\s+|$)")


@attrs.frozen
class Key:
    """A key of the text: its place (from 0), its name without quotes, and how deep it stands."""

    line: int
    column: int
    name: str
    depth: int


@attrs.frozen
class Context:
    """`path`: the keys around a place. `before`: what is written before it in its own value or key.

    `is_key`: a key may stand here, not only a value. `in_braces`: it is one of `{...}`.
    """

    path: tuple[str, ...]
    before: str
    is_key: bool
    in_braces: bool = False


@attrs.define
class _Scan:
    """Reads line by line and keeps what is open."""

    block: list[tuple[int, str]] = attrs.field(factory=list)
    flow: list[tuple[str, str]] = attrs.field(factory=list)
    """Open brackets, each with the key that was last written in it."""
    keys: list[Key] = attrs.field(factory=list)
    since: str = ""
    """What was written since the last key, comma or bracket."""
    is_key: bool = True

    @property
    def path(self) -> tuple[str, ...]:
        return (*(name for _, name in self.block), *(key for _, key in self.flow if key))

    def line(self, number: int, text: str) -> None:
        if self.flow:
            self.rest(number, text, 0)
            return
        column = len(text) - len(text.lstrip(" "))
        if column == len(text) or text[column] == "#":
            self.since, self.is_key = "", True
            self._close(column if column == len(text) else len(text))
            return
        while (dash := _DASH.match(text, column)) is not None:
            self._close(column)
            column = dash.end()
        self._close(column)
        key = _KEY.match(text, column)
        self.since, self.is_key = text[column:], key is None
        if key is not None:
            name = key.group(1).strip("\"'")
            self.block.append((column, name))
            self.keys.append(Key(number, column, name, len(self.block) - 1))
            self.since = ""
            self.rest(number, text, key.end())
        else:
            self.rest(number, text, column)

    def _close(self, column: int) -> None:
        while self.block and self.block[-1][0] >= column:
            self.block.pop()

    def rest(self, number: int, text: str, column: int) -> None:
        """A value, with the brackets that it opens and closes."""
        start = column
        self.since = ""
        while column < len(text):
            char = text[column]
            if char in "\"'" and not text[start:column].strip():
                end = text.find(char, column + 1)
                column = len(text) if end < 0 else end + 1
                continue
            if char == "#" and (column == 0 or text[column - 1] in " \t"):
                self.since = text[start:column]
                return
            if char in "{[":
                self.flow.append((char, ""))
                start, self.is_key = column + 1, char == "{"
            elif char in "}]" and self.flow:
                self.flow.pop()
                start, self.is_key = column + 1, False
            elif char == "," and self.flow:
                opened = self.flow[-1][0]
                self.flow[-1] = (opened, "")
                start, self.is_key = column + 1, opened == "{"
            elif char == ":" and self.flow and self.flow[-1][0] == "{":
                found = _FLOW_KEY.match(text, start)
                if found is not None and found.end() == column + 1:
                    name = found.group(1).strip("\"'")
                    self.keys.append(Key(number, found.start(1), name, len(self.block) + len(self.flow) - 1))
                    self.flow[-1] = ("{", name)
                    start, self.is_key = column + 1, False
            column += 1
        self.since = text[start:]


def context(text: str, line: int, column: int) -> Context:
    """What is around a place; line and column count from 0."""
    scan = _Scan()
    lines = text.splitlines()
    for number, each in enumerate(lines[:line]):
        scan.line(number, each)
    current = lines[line] if line < len(lines) else ""
    here = current[:column]
    depth = len(here) - len(here.lstrip(" "))
    if not scan.flow and depth == len(here):  # nothing but indentation so far: a key or an item may begin here
        scan._close(column)
        return Context(scan.path, "", True)
    scan.line(line, here)
    in_braces = bool(scan.flow) and scan.flow[-1][0] == "{"
    return Context(scan.path, scan.since.lstrip(" \"'"), scan.is_key, in_braces)


def keys(text: str) -> Iterator[Key]:
    """Every key, in the order of the text."""
    scan = _Scan()
    for number, each in enumerate(text.splitlines()):
        scan.line(number, each)
    yield from scan.keys
