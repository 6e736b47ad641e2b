"""A caller whose audio is at the provider (WebRTC, SIP): his end of the call, at the simulated provider's.

Over one WebSocket to it: 20 ms of 24 kHz PCM each way, `key 5` for a key, a close for a hang-up (docs/simulator.md,
"Calls whose audio is elsewhere"). Whoever is to control the call is told of its id once it is there.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from urllib.parse import urlencode

from adapters.audio.resample import Resampler
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.lines.telephone import OnEvent, Telephone
from adapters.websocket.client_socket import dial
from adapters.websocket.frames import Payload
from adapters.websocket.message_socket import MessageSocket, SocketLimits
from fsm.errors import RemoteError

MEDIA_HZ: Final = 24_000
Attach: TypeAlias = Callable[[str], Awaitable[str]]
"""Somebody is to control the call of this id. "", or why he will not."""


class NotAttachedError(RemoteError, ConnectionError):
    """Nobody controls the call, so there is none."""


class CallerAtProvider(Telephone):
    """The wire of one call, and the sink of its WebSocket."""

    def __init__(self, socket: MessageSocket, settings: CallerSettings, emit: OnEvent) -> None:
        super().__init__(settings, emit)
        self._socket = socket
        self._up = None if settings.rate_hz == MEDIA_HZ else Resampler(settings.rate_hz, MEDIA_HZ)

    def start(self) -> None:
        self._begin()

    # --- what a script does with it

    def press(self, digit: str) -> None:
        self._socket.send_text(f"key {digit}".encode())

    def hang_up(self) -> None:
        if self.ending is None:
            self._end("caller")
            self._socket.close(1000)

    def reset(self) -> None:
        if self.ending is None:
            self._end("caller")
            self._socket.abort()

    def abandon(self) -> None:
        self._stop()
        self._socket.abort()

    # --- the sink of the WebSocket

    def received(self, payload: Payload, *, binary: bool) -> None:
        if binary and self.ending is None:  # text is the data channel, which a telephone has not
            self._hear(self.now_ms, MEDIA_HZ, bytes(payload))

    def ended(self) -> None:
        end = self._socket.end
        self._note_closed()
        self._end("rst" if end is None or end.code is None else "fin")
        if not self.closed.done():
            self.closed.set_result(None)

    # --- inside

    def _send_frame(self, at_ms: float) -> None:
        if self.is_pressing:
            return
        pcm = self.voice.frame(at_ms)
        if pcm is not None:
            self._socket.send_binary(pcm if self._up is None else self._up.process(pcm))


def rtc_id_of(call_id: uuid.UUID) -> str:
    """What the provider calls the call."""
    return f"rtc_{call_id.hex}"


async def answered_by(provider_url: str, rtc_id: str, settings: CallerSettings, emit: OnEvent) -> CallerAtProvider:
    """The caller's end of a call that has been accepted, or that begins with him. OSError: it is not there.

    `provider_url`: of the simulated provider, with its model.
    """
    phones: list[CallerAtProvider] = []

    def make(socket: MessageSocket) -> CallerAtProvider:
        phones.append(CallerAtProvider(socket, settings, emit))
        return phones[0]

    said = urlencode({"call_id": rtc_id, "media": "pcm"})
    limits = SocketLimits(open_s=settings.connect_deadline_ms / 1000)
    await dial(f"{provider_url}&{said}", make, limits, headers={"Authorization": "Bearer simulated-caller"})
    phones[0].start()
    return phones[0]


async def dial_sideband(
    provider_url: str, attach: Attach, call_id: uuid.UUID, settings: CallerSettings, emit: OnEvent
) -> Telephone:
    """A call that an application has accepted, and somebody attaches to. OSError: there is none."""
    rtc_id = rtc_id_of(call_id)
    phone = await answered_by(provider_url, rtc_id, settings, emit)
    if why := await attach(rtc_id):
        phone.abandon()
        raise NotAttachedError(f"nobody attaches to the call: {why}")
    return phone
