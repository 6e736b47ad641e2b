"""The manager protocol of Asterisk as messages: bytes in, messages out. Never a socket, a deadline, a meaning.

A greeting line, then messages of `Name: value` lines, each ended by an empty line. Names have no case and may come
several times. What is too long or is not such a line is skipped to the end of its message and reported as Malformed;
the next message is read as if nothing had been.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs

from adapters.control.control import ControlError

MAX_LINE_BYTES: Final = 16 * 1024
MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_SENT_LINE_BYTES: Final = 1024
"""More is cut by the manager's own reader."""

_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_()-]*")
_UNSENDABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


@attrs.frozen
class Banner:
    """The line a manager greets with: `Asterisk Call Manager/11.0.0`."""

    text: str

    @property
    def version(self) -> str:
        """Of the protocol; "" where this is not a manager."""
        name, _, version = self.text.partition("/")
        return version.strip() if name.strip() == "Asterisk Call Manager" else ""


@attrs.frozen
class AmiMessage:
    """A response or an event."""

    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The first of that name; "" if there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]


@attrs.frozen
class Malformed:
    """Something that is not the protocol, and why; what it was in is lost."""

    reason: str


Received: TypeAlias = Banner | AmiMessage | Malformed


def encode(action: str, action_id: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """An action. ControlError: a value that would be read as something else."""
    lines = []
    for name, value in (("Action", action), ("ActionID", action_id), *headers):
        if not _HEADER.fullmatch(name) or _UNSENDABLE.search(value):
            raise ControlError(f"{name[:40]} has a character that the manager protocol cannot carry")
        line = f"{name}: {value}".encode()
        if len(line) > MAX_SENT_LINE_BYTES:
            raise ControlError(f"{name} has {len(line)} bytes, the manager reads {MAX_SENT_LINE_BYTES}")
        lines.append(line)
    return b"\r\n".join(lines) + b"\r\n\r\n"


class AmiDecoder:
    """One connection's incoming bytes, in pieces of any size. It holds one message at the most."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._headers: list[tuple[str, str]] = []
        self._size = 0
        self._problem = ""
        self._greeted = False
        self._line_is_lost = False

    def feed(self, data: bytes) -> list[Received]:
        found: list[Received] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._keep(data[start:end])
            found.extend(self._ended())
            start = end + 1
        self._keep(data[start:])
        return found

    def _keep(self, piece: bytes) -> None:
        if len(self._line) + len(piece) > MAX_LINE_BYTES:
            self._problem = self._problem or f"a line of more than {MAX_LINE_BYTES} bytes"
            self._line_is_lost = True
            self._line.clear()
        if not self._line_is_lost:
            self._line += piece

    def _ended(self) -> Iterable[Received]:
        """What the line that has just ended completes."""
        line = self._line.decode("utf-8", "replace").removesuffix("\r")
        is_lost, size = self._line_is_lost, len(self._line)
        self._line.clear()
        self._line_is_lost = False
        if not self._greeted:
            self._greeted = True
            problem, self._problem = self._problem, ""
            return [Malformed(problem) if problem else Banner(line)]
        if is_lost:
            return ()
        if not line:
            return self._completed()
        self._size += size
        if self._size > MAX_MESSAGE_BYTES:
            self._problem = self._problem or f"a message of more than {MAX_MESSAGE_BYTES} bytes"
        name, colon, value = line.partition(":")
        if not colon or not _HEADER.fullmatch(name):
            self._problem = self._problem or "a line that is not 'Name: value'"
        if self._problem:
            self._headers.clear()
        else:
            self._headers.append((name, value.strip()))
        return ()

    def _completed(self) -> Iterable[Received]:
        headers, problem = tuple(self._headers), self._problem
        self._headers.clear()
        self._size, self._problem = 0, ""
        if problem:
            return [Malformed(problem)]
        return [AmiMessage(headers)] if headers else ()
