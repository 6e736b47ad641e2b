"""The lines that a demo's caller can come by: what the server listens on, and how it is called. One row for each."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

import attrs

from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.webhook import HttpRequest, HttpResponse
from adapters.server.server import TurnspecServer
from adapters.settings.config import Settings
from adapters.simulator.caller.caller import Dial
from adapters.simulator.lines.audiosocket import dial_audiosocket
from adapters.simulator.lines.chan_websocket import AsteriskChannel, dial_server
from adapters.simulator.lines.twilio import TwilioNumber, call_sid_of, dial_twilio

HOST: Final = "127.0.0.1"


@attrs.frozen
class DemoLine:
    """`listening` gets the settings of a server that listens on AudioSocket alone, at a port of the system's choice."""

    listening: Callable[[Settings], Settings]
    dial: Callable[[TurnspecServer], Dial]
    call_id: Callable[[UUID], str]
    """What the line calls the call."""
    is_paced: bool
    """Each 20 ms has a frame of ours, silence too."""


def _dial_audiosocket(server: TurnspecServer) -> Dial:
    return functools.partial(dial_audiosocket, HOST, server.port)


def _listen_for_channels(settings: Settings) -> Settings:
    return attrs.evolve(settings, chan_websocket=ChanWebSocketSettings(port=0))


def _dial_as_channel(server: TurnspecServer) -> Dial:
    assert server.channels is not None
    url = f"ws://{HOST}:{server.channels.port}/media"
    return functools.partial(dial_server, url, AsteriskChannel(format="ulaw"))


def _listen_for_twilio(settings: Settings) -> Settings:
    made = TwilioSettings(port=0, public_url="https://demo", account_sid="AC0", auth_token=secrets.token_hex(16))
    return attrs.evolve(settings, twilio=made)


def _dial_twilio(server: TurnspecServer) -> Dial:
    settings, webhook, streams = server.settings.twilio, server.webhook, server.streams
    assert settings is not None and webhook is not None and streams is not None

    async def ask(request: HttpRequest) -> HttpResponse:
        return webhook.answer(request)

    number = TwilioNumber(
        auth_token=settings.auth_token,
        account_sid=settings.account_sid,
        webhook_url=f"{settings.public_url}/twiml",
        stream_address=streams.addresses[0],
    )
    return functools.partial(dial_twilio, number, ask)


LINES: Final[Mapping[str, DemoLine]] = MappingProxyType(
    {
        "audiosocket": DemoLine(lambda settings: settings, _dial_audiosocket, str, is_paced=True),
        "chan_websocket": DemoLine(_listen_for_channels, _dial_as_channel, str, is_paced=False),
        "twilio": DemoLine(_listen_for_twilio, _dial_twilio, call_sid_of, is_paced=False),
    }
)
"""By the name of the command's option."""
