"""The lines that a demo's caller can come by: what the server listens on, and how it is called. One row for each."""

from __future__ import annotations

import functools
import importlib.util
import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias
from uuid import UUID

import attrs

from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.webhook import HttpRequest, HttpResponse
from adapters.server.inside import Announcement
from adapters.server.server import TurnspecServer
from adapters.settings.config import Settings
from adapters.settings.http import HttpSettings
from adapters.simulator.caller.caller import Dial
from adapters.simulator.lines.audiosocket import dial_audiosocket
from adapters.simulator.lines.chan_websocket import AsteriskChannel, dial_server
from adapters.simulator.lines.sideband import dial_sideband, rtc_id_of
from adapters.simulator.lines.twilio import TwilioNumber, call_sid_of, dial_twilio

HOST: Final = "127.0.0.1"


Lack: TypeAlias = Literal["prompts", "recording", "heard_ms", "played_s", "clear_end", "reconnect", "protocols"]
"""Words of our own; the two voices in a file; how much of an item was heard, and how much was played at all; an end
that is known at once; a session after a lost one; another protocol than Realtime."""


@attrs.frozen
class DemoLine:
    """`listening` gets the settings of a server that listens on AudioSocket alone, at a port of the system's choice."""

    listening: Callable[[Settings], Settings]
    dial: Callable[[TurnspecServer], Dial]
    call_id: Callable[[UUID], str]
    """What the line calls the call."""
    is_paced: bool
    """Each 20 ms has a frame of ours, silence too."""
    lacks: Mapping[Lack, str] = MappingProxyType({})
    """What cannot be had over this line, and why."""


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


def _with_a_door(settings: Settings) -> Settings:
    """Nothing listens for such a call: somebody comes with its id, by a door if there can be one."""
    if importlib.util.find_spec("starlette") is None:
        return settings
    return attrs.evolve(settings, http=HttpSettings(port=0, token=secrets.token_hex(16)))


def _dial_at_the_provider(server: TurnspecServer) -> Dial:
    async def attach(call_id: str) -> str:
        return (await server.inside.announce(Announcement(id=call_id, attaches=True))).why

    return functools.partial(dial_sideband, server.settings.provider_urls[0], attach)


_ELSEWHERE: Final[Mapping[Lack, str]] = MappingProxyType(
    {
        "prompts": "the audio is between the caller and the provider: nothing of ours can be played to him",
        "recording": "no audio comes by",
        "heard_ms": "the provider flushes and cuts its own items, and does not say where",
        "played_s": "the provider plays, and does not count for us",
        "clear_end": "a clean close may be a proxy that restarts, so it is attached to once more (docs/sideband.md)",
        "reconnect": "the session is the call: it ends with it",
        "protocols": "what an attached client may do is known of Realtime alone",
    }
)

LINES: Final[Mapping[str, DemoLine]] = MappingProxyType(
    {
        "audiosocket": DemoLine(lambda settings: settings, _dial_audiosocket, str, is_paced=True),
        "chan_websocket": DemoLine(_listen_for_channels, _dial_as_channel, str, is_paced=False),
        "twilio": DemoLine(_listen_for_twilio, _dial_twilio, call_sid_of, is_paced=False),
        "sideband": DemoLine(_with_a_door, _dial_at_the_provider, rtc_id_of, is_paced=False, lacks=_ELSEWHERE),
    }
)
"""By the name of the command's option."""

WITH_AUDIO: Final = tuple(name for name, line in LINES.items() if not line.lacks)
"""Those by which the audio comes to us."""
