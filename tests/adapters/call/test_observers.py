"""Observers that fail, and a call that is attached to what cannot be attached to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import MagicMock

import attrs
import pytest
import structlog

from adapters.audio.formats import PCMU
from adapters.call.call import Call, CallServices
from adapters.call.observers import Observers
from adapters.call.settings import CallSettings
from adapters.files import FileWriterThread
from adapters.lines.line import NO_DATA
from adapters.providers.endpoint import bearer_endpoint
from adapters.providers.live.provider import LiveProvider
from adapters.providers.live.session import LiveSettings
from adapters.providers.provider import EncodingError
from tests.adapters.call.rig import machine


class Broken:
    """Fails at whatever it is told."""

    def __init__(self) -> None:
        self.told = 0

    def _fail(self, *_: Any) -> None:
        self.told += 1
        raise RuntimeError("an observer of somebody's")

    stepped = wire = ended = took_over = _fail


def test_an_observer_that_fails_ends_no_call_and_the_next_one_is_told() -> None:
    first, second = Broken(), Broken()
    observers = Observers([first, second], structlog.get_logger())
    told: Any = observers
    told.took_over(MagicMock(), MagicMock(), "ws://there", 0)
    told.ended(MagicMock())
    assert (first.told, second.told) == (2, 2)


async def test_a_session_of_a_protocol_without_second_clients_cannot_be_attached_to() -> None:
    session = LiveSettings(model="gpt-live-1", instructions=None, format="pcmu", delegates="client")
    provider = LiveProvider(endpoint=bearer_endpoint("ws://127.0.0.1:1/v1/live/sessions", None), session=session)
    assert provider.audio_in == PCMU
    leg = MagicMock(rate_hz=8000, keeps_lead=False, data=attrs.evolve(NO_DATA, session_id="rtc_1"))
    with ThreadPoolExecutor(1) as threads:
        services = CallServices(machine("full_duplex"), provider, CallSettings(), {}, threads, FileWriterThread())
        with pytest.raises(EncodingError, match="cannot be attached to"):
            Call("c1", leg, services)
