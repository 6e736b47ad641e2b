"""Data frames made without the library, messages of fragments, and what of the library's inside is leaned on.

No extension is ever negotiated: the library takes a frame object, a buffer, a generator and a system call for each.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Final, TypeAlias, cast

from websockets import frames
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri
from websockets.version import version as installed

# The default of 256 KB makes asyncio allocate and shrink a quarter of a megabyte for each read: 3.6 instead of
# 2.2 ms of CPU a call-second (docs/facts/performance.md).
READ_BYTES: Final = 64 * 1024

Payload: TypeAlias = bytes | bytearray | memoryview

# --- what is leaned on ------------------------------------------------------------------------------------------------

TESTED: Final = "websockets>=15.0,<18"
"""The versions whose inside is known; the same as in pyproject.toml."""

Internals: TypeAlias = Iterable[tuple[object, str, str]]

INTERNALS: Final = (
    (frames, "apply_mask", "called: masks a frame of our own, in C where the library has it in C"),
    (ServerProtocol, "parser_exc", "read: what broke the parser"),
    (ServerProtocol, "eof_sent", "read: a peer that broke the protocol before it was let in"),
    (ClientProtocol, "parser_exc", "read: what broke the parser"),
)
"""(owner, attribute, what for). None of it is in the documented interface of the library."""


def check_internals(internals: Internals = INTERNALS) -> None:
    """ImportError that names what the installed library does not have."""
    for owner, name, use in internals:
        if not _has(owner, name):
            place = f"{getattr(owner, '__module__', 'websockets')}.{getattr(owner, '__name__', owner)}"
            raise ImportError(
                f"websockets {installed} has no {place}.{name} ({use}), which turnspec needs; "
                f"it was tested with {TESTED}: pip install '{TESTED}'"
            )


def _has(owner: object, name: str) -> bool:
    if hasattr(owner, name):
        return True
    if owner is ClientProtocol:  # attributes of an instance; one is made without a socket
        return hasattr(ClientProtocol(parse_uri("ws://localhost/")), name)
    if owner is ServerProtocol:
        return hasattr(ServerProtocol(), name)
    if not isinstance(owner, type):
        return False
    # A connection is not made without a running loop; which attributes it sets stands in its code.
    makers = (vars(each).get(maker) for each in owner.__mro__ for maker in ("__init__", "connection_made"))
    return any(name in maker.__code__.co_names for maker in makers if isinstance(maker, FunctionType))


check_internals()

# --- frames -----------------------------------------------------------------------------------------------------------

FIN_TEXT: Final = 0x81
FIN_BINARY: Final = 0x82
_SHORT, _MEDIUM, _LONG = struct.Struct("!BB"), struct.Struct("!BBH"), struct.Struct("!BBQ")
_MASKED: Final = 0x80
_apply_mask = cast(Callable[[bytes, bytes], bytes], vars(frames)["apply_mask"])


_fresh_keys: list[bytes] = []


def _new_key() -> bytes:
    """A masking key, and a thousand more for the next frames, each used once: the kernel is seldom asked."""
    fresh = os.urandom(4096)
    _fresh_keys.extend(fresh[start : start + 4] for start in range(0, len(fresh), 4))
    return _fresh_keys.pop()


def _header(first: int, size: int, mask: int) -> bytes:
    if size < 126:
        return _SHORT.pack(first, mask | size)
    if size < 65_536:
        return _MEDIUM.pack(first, mask | 126, size)
    return _LONG.pack(first, mask | 127, size)


def masked_frame(first: int, payload: bytes) -> bytes:
    """A whole message of a client as one frame (RFC 6455 section 5.2)."""
    key = _fresh_keys.pop() if _fresh_keys else _new_key()
    size = len(payload)
    is_medium = 126 <= size < 65_536  # a caller's frame, fifty times a second
    header = _MEDIUM.pack(first, _MASKED | 126, size) if is_medium else _header(first, size, _MASKED)
    return header + key + _apply_mask(payload, key)


def plain_frame(first: int, payload: bytes) -> bytes:
    """A whole message of a server as one frame."""
    return _header(first, len(payload), 0) + payload


class Fragments:
    """The frames of a message that came in several, until it is whole. The library bounds their sum."""

    def __init__(self) -> None:
        self._held: bytearray | None = None
        self._is_binary = False

    def take(self, frame: Frame) -> tuple[Payload, bool] | None:
        """A message and whether it is binary, or None: there is more of it to come."""
        if frame.fin and frame.opcode is not Opcode.CONT:  # nearly always
            return frame.data, frame.opcode is Opcode.BINARY
        if self._held is None:
            self._held, self._is_binary = bytearray(), frame.opcode is Opcode.BINARY
        self._held += frame.data
        if not frame.fin:
            return None
        whole, self._held = self._held, None
        return whole, self._is_binary


def read_moderately(transport: asyncio.BaseTransport) -> None:
    """The size of one read. TLS reads in its own layer, by its own `max_size`; another event loop has its own way."""
    for reader in (transport, getattr(transport, "_ssl_protocol", None)):
        if isinstance(getattr(reader, "max_size", None), int):
            reader.max_size = READ_BYTES  # type: ignore[union-attr]
