"""The bare bridge over GPT-Live: what comes is played, silence and all, and nothing is decided. Not for use."""

from __future__ import annotations

import binascii
from types import MappingProxyType
from typing import Final

from adapters.audio.g711 import mulaw_to_pcm16
from bench.bare_bridge import BareProvider


class BareLive(BareProvider):
    """One session of GPT-Live."""

    prefix = b'{"type":"session.input_audio.append","audio":"'

    def _opened(self) -> None:
        self._say({"type": "session.start", "session": _SESSION})

    def _hear(self, event: dict[str, object]) -> None:
        kind = event["type"]
        if kind == "session.output_audio.delta":
            self._phone.hear(mulaw_to_pcm16(binascii.a2b_base64(str(event["delta"]))))
        elif kind == "session.started":
            self._is_ready = True
            greeting = {"content": "Greet the caller.", "delegation_id": None}
            self._say({"type": "session.commentary.append", **greeting})


_SESSION = {"model": "gpt-live-1", "audio": {"format": {"type": "audio/pcmu", "rate": 8000}}}

PROVIDERS: Final = MappingProxyType({"realtime": BareProvider, "live": BareLive})
"""By the name of the protocol."""
