"""Mistakes of a dialplan or a network that look like something else, by name and with the cure. Never what is done.

Each is logged once for each peer: fifty calls with the same mistake are one (docs/facts/telephony.md section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_MAX_NAMED: Final = 256
_PROBED: Final = 50
_PAUSE_S: Final = 0.1
_BYTES_PER_S: Final = 16_000
"""Of 8 kHz PCM."""


class Mistake(StrEnum):
    HTTP = "http"
    TLS = "tls"
    G711 = "g711"
    WIDEBAND_AS_8K = "wideband_as_8k"
    SAID_NOTHING = "said_nothing"


CURES: Mapping[Mistake, str] = MappingProxyType(
    {
        Mistake.HTTP: (
            "an HTTP request came to the AudioSocket port: it is not a web server. A WebSocket of Asterisk goes to "
            "listen.chan_websocket, Twilio's streams to listen.twilio"
        ),
        Mistake.TLS: "a TLS handshake came to the AudioSocket port: Asterisk has no TLS here, so nothing else should",
        Mistake.G711: (
            "the caller's audio is G.711 and is called 8 kHz PCM, so both sides hear noise: write c(slin) in the dial "
            "string, Dial(AudioSocket/HOST:PORT/UUID/c(slin)), or format=slin for externalMedia"
        ),
        Mistake.WIDEBAND_AS_8K: (
            "the caller's audio is wideband and is called 8 kHz PCM, as Asterisk before 20.17, 21.12, 22.7 and 23.1 "
            "does: write c(slin) in the dial string, or update Asterisk"
        ),
        Mistake.SAID_NOTHING: (
            "it connected, said nothing and left: AudioSocket() on a channel that is not answered does so, and the "
            "call ends; write Answer() before it. A health check of a TCP port does so, too"
        ),
    }
)
_METHODS: Final = (b"GET ", b"POST", b"PUT ", b"HEAD", b"OPTI", b"PATC", b"DELE", b"CONN", b"TRAC", b"PRI ")


def of_first_bytes(data: bytes) -> Mistake | None:
    """What certainly does not begin with a message of Asterisk's."""
    if data.startswith(_METHODS):
        return Mistake.HTTP
    return Mistake.TLS if data.startswith(b"\x16\x03") else None


class Mistakes:
    """Those of all peers, each named once."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, Mistake], None] = {}

    def note(self, host: str, mistake: Mistake, call_id: str = "") -> None:
        key = (host, mistake)
        if key in self._named:
            return
        if len(self._named) >= _MAX_NAMED:
            del self._named[next(iter(self._named))]
        self._named[key] = None
        more = {"call_id": call_id} if call_id else {}
        log.warning("audiosocket_mistake", what=mistake, peer=host, cure=CURES[mistake], **more)


class RateProbe:
    """Whether what is called 8 kHz PCM comes as fast as that: by the size of the first messages, and the time between.

    The time of pauses does not count: a muted caller is not a slow one. What comes in bunches is late and then early.
    """

    def __init__(self) -> None:
        self._count = 0
        self._bytes = 0
        self._elapsed_s = 0.0
        self._last_s: float | None = None

    def hear(self, payload_bytes: int, at_s: float) -> bool:
        """True: that was enough, and `verdict` says what it was."""
        if self._last_s is not None and at_s - self._last_s <= _PAUSE_S:
            self._elapsed_s += at_s - self._last_s
            self._bytes += payload_bytes
            self._count += 1
        self._last_s = at_s
        return self._count >= _PROBED

    def verdict(self) -> Mistake | None:
        says_s = self._bytes / _BYTES_PER_S
        if says_s <= 0:
            return None
        took = self._elapsed_s / says_s
        if 1.6 <= took <= 2.4:
            return Mistake.G711
        return Mistake.WIDEBAND_AS_8K if 0.25 <= took <= 0.6 else None
