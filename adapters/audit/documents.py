"""JSON that is not made of lines, and cassettes in YAML: one value is held at a time, none of any size."""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from typing import Final

import yaml

from adapters.audit.events import FoundEvent, RecordMaker, every
from fsm.errors import RemoteError

Events = Iterator[tuple[int, FoundEvent]]


class LogRefusedError(RemoteError):
    """A log that is not read on, because it would take memory without bounds."""


_BETWEEN: Final = " \t\r\n,[]"
_WITHIN: Final = re.compile(r'(?:[\s,:\[\]}]|"(?:[^"\\]|\\.)*"\s*:)*')
_LARGE: Final = 16 * 1024 * 1024  # the largest message of the wire is 15 MiB
_LARGEST: Final = 128 * 1024 * 1024  # of one value that does not end
_DECODER: Final = json.JSONDecoder(strict=False)


def is_document(head: bytes) -> bool:
    """Does it begin as an array of objects, or as an object that goes on over the next lines?"""
    text = head.lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] in (b"{", b"]", b"")
    first, _, rest = text.partition(b"\n")
    goes_on = rest[:1].isspace() or rest[:1] in (b'"', b"}", b"")
    return first.startswith(b"{") and not first.rstrip().endswith(b"}") and goes_on


def read_document(chunks: Iterable[bytes], maker: RecordMaker) -> Events:
    """Every event of the document; line numbers are those of where an object begins."""
    for line, value in _Values(maker).taken(chunks):
        for found in every(value):
            yield line, found


class _Values:
    """Takes complete values off a text that grows."""

    def __init__(self, maker: RecordMaker) -> None:
        self._maker = maker
        self._text = ""
        self._line = 1
        self._descends = False

    def taken(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, object]]:
        decode = getincrementaldecoder("utf-8")("replace").decode
        parts: list[str] = []
        waiting, enough = 0, 0
        for chunk in chunks:
            parts.append(decode(chunk))
            waiting += len(parts[-1])
            if len(self._text) + waiting > _LARGEST:
                raise LogRefusedError(
                    f"line {self._line}: a value of more than {_LARGEST >> 20} MiB that does not end is not read"
                )
            if waiting < enough:
                continue  # a long value: try again when there is twice as much
            self._text, parts = self._text + "".join(parts), []
            yield from self._take()
            while len(self._text) > _LARGE and self._text.startswith("{"):
                self._text, self._descends = self._text[1:], True  # an object that holds the whole log
                yield from self._take()
            waiting, enough = 0, len(self._text)
        self._text += "".join(parts)
        yield from self._take(is_over=True)
        self._maker.unread(self._line, self._text.strip(_BETWEEN))

    def _take(self, is_over: bool = False) -> Iterator[tuple[int, object]]:
        """Every value that is complete."""
        at = 0
        while True:
            begin = self._begin(at)
            self._line += self._text.count("\n", at, begin)
            at = begin
            try:
                value, end = _DECODER.raw_decode(self._text, at)
            except RecursionError:
                raise LogRefusedError(f"line {self._line}: a value nested without end is not read") from None
            except ValueError as error:
                wrong = self._after_what_is_wrong(error, at, is_over)
                if wrong is None:
                    break
                self._maker.unread(self._line, self._text[at : at + 200])
                self._line += self._text.count("\n", at, wrong)
                at = wrong
                continue
            yield self._line, value
            self._line += self._text.count("\n", at, end)
            at = end
        self._text = self._text[at:]

    def _begin(self, at: int) -> int:
        if self._descends:
            found = _WITHIN.match(self._text, at)
            return found.end() if found else at
        while at < len(self._text) and self._text[at] in _BETWEEN:
            at += 1
        return at

    def _after_what_is_wrong(self, error: ValueError, at: int, is_over: bool) -> int | None:
        """The next line that begins an object, if a value is not merely incomplete."""
        wrong = getattr(error, "pos", at)
        incomplete = "Unterminated" in str(error) or wrong >= len(self._text) - 16
        if at >= len(self._text) or (incomplete and not is_over):
            return None
        found = re.compile(r"^\s*(?=\{)", re.MULTILINE).search(self._text, max(wrong if not incomplete else at, at) + 1)
        return found.end() if found else len(self._text)


# --- YAML -------------------------------------------------------------------------------------------------------------

CASSETTE_BYTES: Final = 16 * 1024 * 1024
_AT_MARGIN: Final = re.compile(r"---|%YAML|#|- |[A-Za-z_][\w .-]*:(?:\s|$)")
_ALIAS: Final = re.compile(r"(?:^|[\s,\[{:-])\*[A-Za-z_]\w*", re.MULTILINE)
_ALIASES: Final = 20  # each may double what is to be visited
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def is_cassette(head: bytes) -> bool:
    """Does it begin as YAML: keys at the margin, others below them, and an event in it?"""
    lines = [line for line in head.decode("utf-8", "replace").split("\n")[:400] if line.strip()]
    margin = [line for line in lines[:40] if not line[:1].isspace()]
    below = any(line[:1].isspace() or line.startswith("- ") for line in lines)
    return bool(margin) and below and all(map(_AT_MARGIN.match, margin)) and b"type" in head


def read_cassette(data: bytes, maker: RecordMaker) -> list[tuple[int, FoundEvent]] | None:
    """Every event of a cassette, with the line its document begins at; None if it is none after all."""
    text = data.decode("utf-8", "replace")
    if len(data) > CASSETTE_BYTES or len(_ALIAS.findall(text)) > _ALIASES:
        return None
    found: list[tuple[int, FoundEvent]] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            for line, part in _parts(node):
                found += [(line, each) for each in every(loader.construct_document(part))]
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return found or None
    del maker
    return found or None


def _parts(node: yaml.Node | None) -> Iterator[tuple[int, yaml.Node]]:
    """A document in the parts that its events are in, each with its line: the entries of its longest list."""
    if node is not None:
        yield from ((each.start_mark.line + 1, each) for each in list(_entries(node, 4)) or [node])


def _entries(node: yaml.Node, depth: int) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode) and len(node.value) > 1:
        yield from node.value
    elif depth > 0 and isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _entries(child, depth - 1)
    elif depth > 0 and isinstance(node, yaml.MappingNode):
        for _, child in node.value:
            yield from _entries(child, depth - 1)
