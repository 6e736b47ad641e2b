"""The provider: its name, its port, its certificate, and a session opened as a call opens it, without a word said.

A session without audio and without a response costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import attrs

from adapters.audio.formats import AudioFormat
from adapters.doctor.finding import DoctorFinding, bad, good, warning
from adapters.providers.provider import (
    AudioDelta,
    ConnectionEnding,
    DecodeFailure,
    EncodingError,
    Provider,
    SessionBegan,
    SessionConfirmed,
    WireEvent,
)
from adapters.websocket.client_socket import tls_context

STEP_S: Final = 10.0
"""Of each step: a name, a connection, a handshake, a reply."""
_SLOW_S: Final = 0.4
"""Half a conversation's pause: a round trip that callers notice."""
_CERTIFICATE_DAYS: Final = 14.0
_DAY_S: Final = 86_400.0
_SETTINGS_CURE: Final = "the error names the field: provider or tools in the configuration"


async def provider_findings(provider: Provider, url: str) -> AsyncIterator[DoctorFinding]:
    """In order; what stands on a step that failed is not tried."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "wss"
    port = parts.port or (443 if secure else 80)
    for tried in (_name, _reached, *((_certificate,) if secure else ())):
        finding = await tried(host, port)
        yield finding
        if finding.status == "bad":
            return
    async for finding in _session(provider):
        yield finding


async def session_findings(provider: Provider) -> AsyncIterator[DoctorFinding]:
    """A session with these settings, and what came back."""
    async for finding in _session(provider):
        yield finding


async def _name(host: str, port: int) -> DoctorFinding:
    what, began_s = "provider's name", _now_s()
    with contextlib.suppress(ValueError):
        return good(what, f"{ip_address(host)} is an address")
    try:
        async with asyncio.timeout(STEP_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        return bad(what, f"'{host}' cannot be resolved: {_words(error)}", "provider.url, or this machine's resolver")
    addresses = ", ".join(dict.fromkeys(str(each[4][0]) for each in found))
    return good(what, f"{host} is {addresses} ({_ms(began_s)})")


async def _reached(host: str, port: int) -> DoctorFinding:
    what, began_s = "provider's port", _now_s()
    try:
        async with asyncio.timeout(STEP_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return bad(
            what, f"{host}:{port} cannot be reached: {_words(error)}", "a firewall or a proxy: HTTPS_PROXY is used"
        )
    took = _ms(began_s)
    writer.close()
    return good(what, f"{host}:{port} answers ({took})")


async def _certificate(host: str, port: int) -> DoctorFinding:
    what = "provider's certificate"
    try:
        async with asyncio.timeout(STEP_S):
            _, writer = await asyncio.open_connection(host, port, ssl=tls_context(), server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        hint = "this machine's clock, its certificates (ca-certificates), or a proxy that opens TLS"
        return bad(what, f"it is not accepted: {error.verify_message}", hint)
    except (OSError, TimeoutError) as error:
        return bad(what, f"no TLS at {host}:{port}: {_words(error)}", "provider.url: ws:// is for servers without TLS")
    certificate = writer.get_extra_info("peercert") or {}
    writer.close()
    days = (ssl.cert_time_to_seconds(str(certificate.get("notAfter"))) - time.time()) / _DAY_S
    if days < _CERTIFICATE_DAYS:
        return warning(
            what, f"it is valid for {days:.0f} more days", "tell the provider, or check this machine's clock"
        )
    return good(what, f"valid for {days:.0f} more days")


async def _session(provider: Provider) -> AsyncIterator[DoctorFinding]:
    heard, began_s = _Heard(provider), _now_s()
    connection = provider.connection(heard)
    control = connection.take_control()
    connection.open()
    try:
        start = _start_of(provider)
        if start is not None and await heard.within(heard.opened):
            control.send_control(start)
        if not await heard.within(heard.created):
            yield _refused("session", heard, "the key (provider.api_key), the model, or the address of the endpoint")
            return
        yield good("session", f"created by {provider.label} ({_ms(began_s)})")
        if heard.is_confirmed:
            used = f"{_told(provider.audio_in)} to it, {_told(provider.audio_out)} from it"
            yield good("settings", f"accepted: the session began with them ({used})")
            return
        began_s = _now_s()
        control.send_control(provider.encode("update_session", {"event_id": "ts_doctor_1"}))
        if not await heard.within(heard.answered):
            yield _refused("settings", heard, _SETTINGS_CURE)
            return
        for finding in _settings(provider, heard, _now_s() - began_s):
            yield finding
    finally:
        await connection.close()


def _start_of(provider: Provider) -> WireEvent | None:
    """What a client says first, over a protocol in which it asks for the session."""
    try:
        return provider.encode("start_session", {"event_id": "ts_doctor_0"})
    except EncodingError:
        return None


def _settings(provider: Provider, heard: _Heard, took_s: float) -> list[DoctorFinding]:
    confirmed = provider.note(heard.confirmed) if heard.confirmed is not None else None
    if not isinstance(confirmed, SessionConfirmed):
        return [_refused("settings", heard, _SETTINGS_CURE)]
    found = []
    if confirmed.audio_in is None or confirmed.audio_out is None:
        cure = "provider.format: one that this server speaks"
        found.append(bad("audio format", "the server keeps a format that turnspec does not speak", cure))
    else:
        used = f"{_told(confirmed.audio_in)} to it, {_told(confirmed.audio_out)} from it"
        found.append(good("audio format", used))
    for each in confirmed.differences:
        detail = f"{each.field}: asked {each.asked}, got {each.got}"
        found.append(warning("settings", detail, "the server does not take it; leave it out, or use another model"))
    found.append(
        good("settings", "accepted") if not confirmed.differences else good("round trip", "an update was answered")
    )
    slow = took_s > _SLOW_S
    text = f"{took_s * 1000:.0f} ms from a session.update to its answer"
    cure = "a region nearer to this machine; each answer of the agent waits for it once more"
    return [*found, warning("round trip", text, cure) if slow else good("round trip", text)]


def _told(audio: AudioFormat) -> str:
    return f"{audio.encoding} at {audio.rate_hz} Hz"


def _refused(what: str, heard: _Heard, cure: str) -> DoctorFinding:
    return bad(what, heard.problem or f"no answer within {STEP_S:g} s", cure)


@attrs.define(eq=False)
class _Heard:
    """What came of a connection that nobody calls over: a ConnectionListener."""

    provider: Provider
    opened: asyncio.Event = attrs.field(factory=asyncio.Event)
    created: asyncio.Event = attrs.field(factory=asyncio.Event)
    answered: asyncio.Event = attrs.field(factory=asyncio.Event)
    confirmed: WireEvent | None = None
    is_confirmed: bool = False
    """The session began with our settings: no update is answered."""
    problem: str = ""

    async def within(self, event: asyncio.Event) -> bool:
        """Whether it came in time, and nothing else did before."""
        try:
            async with asyncio.timeout(STEP_S):
                await event.wait()
        except TimeoutError:
            return False
        return not self.problem

    def on_open(self) -> None:
        self.opened.set()

    def on_event(self, event: WireEvent) -> None:
        kind, note = event.get("type"), self.provider.note(event)
        if isinstance(note, SessionBegan):
            self.is_confirmed = note.is_confirmed
            self.created.set()
        elif kind == "session.updated":
            self.confirmed = event
            self.answered.set()
        elif kind == "error":
            self._fail(_error(event))

    def on_audio(self, delta: AudioDelta) -> None:
        """Nobody has asked for any."""

    def on_undecodable(self, failure: DecodeFailure) -> None:
        self._fail(f"a message that is not of its protocol: {failure.detail}")

    def on_closed(self, ending: ConnectionEnding) -> None:
        self._fail(f"closed: {ending.reason or ending.code}")

    def on_unreachable(self, ending: ConnectionEnding) -> None:
        self._fail(ending.reason)

    def _fail(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.opened.set()
        self.created.set()
        self.answered.set()


def _error(event: WireEvent) -> str:
    error = event.get("error")
    said = error if isinstance(error, dict) else {}
    return f"{said.get('code') or said.get('type') or 'error'}: {str(said.get('message') or error)[:300]}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _ms(began_s: float) -> str:
    return f"{(_now_s() - began_s) * 1000:.0f} ms"


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {STEP_S:g} s"
    return getattr(error, "strerror", None) or str(error)
