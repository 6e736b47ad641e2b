"""What a YAML parser complains of, as a cause and a cure. Its own words where it is none of the usual mistakes.

The parser says where it could not go on, which may be far from the mistake: what was opened and never closed is named
by its beginning. Its messages are libyaml's, or those of PyYAML's own parser, which differ in a few words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import attrs
import yaml

from fsm.language.problem import Place, Problem


@attrs.frozen
class _Mistake:
    """`complaint`: of the parser; `line`: what is found there from the place on, or anywhere, with `anywhere`."""

    complaint: str
    cause: str
    cure: str
    line: str = ""
    anywhere: bool = False
    at_beginning: bool = False
    """The place that counts is where the thing began, not where the parser gave up."""


_INDENT: Final = "give it the same indentation as its neighbours; two spaces for each level, and no tabs"
_CLOSED: Final = "close it, and check the commas between its entries"
_MISTAKES: Final[Sequence[_Mistake]] = (
    _Mistake("cannot start any token", "a tab", "indent with spaces", line=r"\t"),
    _Mistake("cannot start any token", "a value cannot begin with this character", "put the value in quotes"),
    _Mistake("mapping values are not allowed", "a ':' within a value", "put the value in quotes: \"...: ...\"",
             line=r"[^\"']*:\s+\S.*:(\s|$)", anywhere=True),
    _Mistake("mapping values are not allowed", "this line belongs to nothing: the line before it has its value already",
             _INDENT),
    _Mistake(r"expected ',' or '\}'", "a '{' is not closed", _CLOSED, at_beginning=True),
    _Mistake(r"expected ',' or '\]'", "a '[' is not closed", _CLOSED, at_beginning=True),
    _Mistake("while scanning a quoted scalar", "a quote is not closed", "close it with the same quote",
             at_beginning=True),
    _Mistake("could not find expected ':'|expected ':'", "a key without a ':'",
             "write 'key: value', or 'key:' above what belongs to it", at_beginning=True),
    _Mistake("parsing a block collection|expected '-'|block sequence entries are not allowed",
             "a list among keys, or a key in a list",
             "a list has '- ' before each of its entries, and nothing else at its level"),
    _Mistake("expected key|expected <block end>", "this line's indentation fits no line above it", _INDENT),
    _Mistake("undefined alias|scanning an (alias|anchor)", "'*' or '&' at the beginning of a value is YAML's own",
             "put the value in quotes"),
    _Mistake("unknown escape|expected escape", "a '\\' in double quotes begins an escape",
             "use single quotes, or '\\\\'"),
)  # fmt: skip


def explained(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """The parser's error about `text` as a problem with its place."""
    if not isinstance(error, yaml.MarkedYAMLError):
        before = text[: getattr(error, "position", 0)]  # a character that no text has
        place = Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        return _problem(place, str(error).splitlines()[0], "save the file as UTF-8 text")
    said = f"{error.context or ''} {error.problem or ''}"
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    if not marks:
        return _problem(Place(file, 1, 1), said.strip(), "")
    lines = text.splitlines()
    for mistake in _MISTAKES:
        mark = marks[-1] if mistake.at_beginning else marks[0]
        line = lines[mark.line] if mark.line < len(lines) else ""
        if re.search(mistake.complaint, said) and re.match(
            mistake.line, line[0 if mistake.anywhere else mark.column :]
        ):
            return _problem(Place(file, mark.line + 1, mark.column + 1), mistake.cause, mistake.cure)
    return _problem(Place(file, marks[0].line + 1, marks[0].column + 1), said.strip(), "")


def _problem(place: Place, cause: str, cure: str) -> Problem:
    return Problem(place, "yaml", f"this is not YAML: {cause}", cure)
