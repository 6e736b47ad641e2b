"""Reader of JSON that is not made of lines: an array of events, objects one after the other, one object of it all.

One value is held at a time; of one that is larger than memory should hold, its parts. Never here: what an event means.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from typing import Final

from adapters.audit.events import Found, Recorder, every

NAME: Final = "JSON document"
_BETWEEN: Final = " \t\r\n,[]"
_WITHIN: Final = re.compile(r'(?:[\s,:\[\]}]|"(?:[^"\\]|\\.)*"\s*:)*')
_LARGE: Final = 16 * 1024 * 1024  # the largest message of the wire is 15 MiB
_DECODER: Final = json.JSONDecoder(strict=False)


def fits(head: bytes) -> bool:
    """Does it begin as an array of objects, or as an object that goes on over the next lines?"""
    text = head.lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] in (b"{", b"]", b"")
    first, _, rest = text.partition(b"\n")
    goes_on = rest[:1].isspace() or rest[:1] in (b'"', b"}", b"")
    return first.startswith(b"{") and not first.rstrip().endswith(b"}") and goes_on


def read(chunks: Iterable[bytes], recorder: Recorder) -> Iterator[tuple[int, Found]]:
    """Every event of the document; line numbers are those of where an object begins."""
    for line, value in _Values(recorder).read(chunks):
        for found in every(value):
            yield line, found


class _Values:
    """Takes complete values off a text that grows."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._text = ""
        self._line = 1
        self._descends = False

    def read(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, object]]:
        decode = getincrementaldecoder("utf-8")("replace").decode
        parts: list[str] = []
        waiting, enough = 0, 0
        for chunk in chunks:
            parts.append(decode(chunk))
            waiting += len(parts[-1])
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
        self._recorder.skipped += bool(self._text.strip(_BETWEEN))

    def _take(self, is_over: bool = False) -> Iterator[tuple[int, object]]:
        """Every value that is complete."""
        at = 0
        while True:
            begin = self._begin(at)
            self._line += self._text.count("\n", at, begin)
            at = begin
            try:
                value, end = _DECODER.raw_decode(self._text, at)
            except ValueError as error:
                wrong = self._after_what_is_wrong(error, at, is_over)
                if wrong is None:
                    break
                self._recorder.skipped += 1
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
