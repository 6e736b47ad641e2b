"""Bytes of a log as numbered lines: files, gzip, standard input. Bounded lines, bounded memory."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import attrs

from fsm.errors import RemoteError

STDIN: Final = "-"
_LINE_BYTES: Final = 32 * 1024 * 1024  # more than the largest message of the wire (15 MiB)
_HEAD_BYTES: Final = 64 * 1024
_UNPACKED_BYTES: Final = 32 * 1024 * 1024
_UNPACKED_TIMES: Final = 300  # silence in base64 shrinks to a hundredth, with its events around it
_GZIP_MAGIC: Final = b"\x1f\x8b"
Progressed = Callable[[int], None]
"""`progressed(bytes)`: so many bytes of the file have been read (of the compressed ones, if it is compressed)."""


@attrs.define
class Stream:
    """A log, open. `head` is its first bytes; `size` is None where it is not known."""

    name: str
    head: bytes
    size: int | None
    _data: BinaryIO
    _raw: BinaryIO

    def lines(self, progressed: Progressed | None = None) -> Iterator[tuple[int, bytes]]:
        """Every line with its number; the rest of a line beyond 32 MiB is passed over."""
        number = 0
        while True:
            line = self._data.readline(_LINE_BYTES)
            if not line:
                break
            number += 1
            whole = line
            while len(line) == _LINE_BYTES and not line.endswith(b"\n"):
                line = self._data.readline(_LINE_BYTES)
            if progressed is not None and number % 512 == 0:
                progressed(self._position())
            yield number, whole
        if progressed is not None:
            progressed(self._position())

    def first(self, most: int) -> tuple[bytes, bool]:
        """The first bytes, up to the end of a line; is there more?"""
        begin = self._data.read(most)
        more = len(begin) == most
        return (begin + self._data.readline(_LINE_BYTES) if more else begin), more

    def chunks(self, progressed: Progressed | None = None) -> Iterator[bytes]:
        """The bytes in pieces, for what is not made of lines."""
        while piece := self._data.read(_HEAD_BYTES):
            if progressed is not None:
                progressed(self._position())
            yield piece

    def _position(self) -> int:
        try:
            return self._raw.tell()
        except OSError:
            return 0

    def close(self) -> None:
        self._data.close()
        if self._raw is not self._data and self._raw is not sys.stdin.buffer:
            self._raw.close()


class _Raw(io.RawIOBase):
    """Any readable thing as what a BufferedReader takes."""

    def __init__(self, data: BinaryIO) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._data.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class LogBombError(RemoteError, OSError):
    """A log that is so much larger unpacked than packed that nothing in it can be a call."""


class LogDamagedError(RemoteError, OSError):
    """A log of which nothing can be unpacked."""


class _Counted(io.RawIOBase):
    """Bytes, and how many of them have been read: a pipe does not say."""

    def __init__(self, data: BinaryIO) -> None:
        self._data = data
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._data.read(len(buffer))
        self.bytes += len(piece)
        buffer[: len(piece)] = piece
        return len(piece)


class _Unpacked(io.RawIOBase):
    """What a gzip holds, up to where it is nothing but repetition."""

    def __init__(self, data: io.BufferedReader) -> None:
        self._packed = _Counted(data)
        self._data = gzip.GzipFile(fileobj=io.BufferedReader(self._packed))
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._data.read(len(buffer))
        except zlib.error as error:
            raise LogDamagedError(f"the gzip is damaged: {error}") from None
        self._bytes += len(piece)
        buffer[: len(piece)] = piece
        if self._bytes > _UNPACKED_BYTES and self._bytes > _UNPACKED_TIMES * max(self._packed.bytes, 1):
            raise LogBombError(
                f"more than {_UNPACKED_BYTES >> 20} MiB came out of {self._packed.bytes} bytes of gzip: "
                "no log of a call repeats itself so; unpack it yourself if it is one"
            )
        return len(piece)


class _Recoded(io.RawIOBase):
    """UTF-16, as a Windows shell redirects output, as UTF-8."""

    def __init__(self, data: BinaryIO) -> None:
        self._data = data
        self._decode = codecs.getincrementaldecoder("utf-16")("replace").decode
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = self._data.read(_HEAD_BYTES)
            self._left = self._decode(piece, final=not piece).encode("utf-8", "replace")
            if not piece:
                break
        taken, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def open_stream(name: str) -> Stream:
    """Opens a log by path, `-` for standard input. Raises OSError."""
    if name == STDIN:
        return _stream("(standard input)", sys.stdin.buffer, None)
    raw = Path(name).open("rb", _HEAD_BYTES)  # noqa: SIM115  # closed by Stream.close
    try:
        return _stream(name, raw, os.fstat(raw.fileno()).st_size)
    except BaseException:
        raw.close()
        raise


def _stream(name: str, raw: BinaryIO, size: int | None) -> Stream:
    try:
        return _opened(name, raw, size)
    except EOFError:
        raise LogDamagedError("the gzip ends before there is anything in it") from None


def _opened(name: str, raw: BinaryIO, size: int | None) -> Stream:
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(_Raw(raw), _HEAD_BYTES)
    data = buffered
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        data = io.BufferedReader(_Unpacked(buffered), _HEAD_BYTES)
    begin = data.peek(4)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = io.BufferedReader(_Recoded(data), _HEAD_BYTES)
    elif begin.startswith(codecs.BOM_UTF8):
        data.read(len(codecs.BOM_UTF8))
    return Stream(name, data.peek(_HEAD_BYTES)[:_HEAD_BYTES], size, data, buffered)
