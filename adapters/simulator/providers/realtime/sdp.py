"""The answer to a WebRTC client's offer, as far as it goes without media: well formed, and nobody at its address.

A browser takes it, and waits for candidates that never come. Source: RFC 8829 section 5.3 (what an answer repeats),
RFC 8841 (the data channel), docs/facts/realtime_api.md section 6 (one audio stream, one data channel).
"""

from __future__ import annotations

import random
import string
from typing import Final

from fsm.errors import RemoteError

_REPEATED: Final = ("a=mid:", "a=sctp-port:", "a=rtcp-mux", "a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")
_MOST_SECTIONS: Final = 8
_MOST_BYTES: Final = 64 * 1024
_LETTERS: Final = string.ascii_letters + string.digits


class SdpError(RemoteError, ValueError):
    """It is not an offer that a Realtime session could be made of."""


def answer_to(offer: str, seed: str) -> str:
    """SdpError: why there is none. The same seed gives the same answer."""
    lines = [line.rstrip("\r") for line in offer.split("\n")]
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    if len(offer) > _MOST_BYTES or not lines[0].startswith("v=0") or not 0 < len(starts) <= _MOST_SECTIONS:
        raise SdpError("the body is not an SDP offer")
    sections = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    if not any(section[0].startswith("m=audio ") for section in sections):
        raise SdpError("the offer has no audio")
    chance = random.Random(seed)
    secrets = [
        f"a=ice-ufrag:{''.join(chance.choices(_LETTERS, k=8))}",
        f"a=ice-pwd:{''.join(chance.choices(_LETTERS, k=24))}",
        f"a=fingerprint:sha-256 {':'.join(f'{byte:02X}' for byte in chance.randbytes(32))}",
        "a=setup:active",
    ]
    head = ["v=0", f"o=- {chance.randrange(10**12)} 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    head += [line for line in lines[: starts[0]] if line.startswith("a=group:BUNDLE")]
    body = [line for section in sections for line in _section(section, secrets)]
    return "\r\n".join([*head, *body]) + "\r\n"


def _section(section: list[str], secrets: list[str]) -> list[str]:
    is_audio = section[0].startswith("m=audio ")
    kept = [line for line in section[1:] if line.startswith(_REPEATED)]
    return [section[0], "c=IN IP4 0.0.0.0", *kept, *secrets, *(["a=sendrecv"] if is_audio else [])]
