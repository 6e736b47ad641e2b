"""Whether further calls should come here: what listens, whether we are leaving, whether the provider can be reached.

The provider is known by the last calls: one that has got a session is a good sign, one that has got none a bad one.
Where no call is recent enough, its port is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.providers.provider import WireEvent
from adapters.server.inside import NotReady
from adapters.websocket.client_socket import tls_context
from fsm.machine.machine import Step

RECENT_S: Final = 30.0
"""How long what a call has seen stands for what the next one will see."""
PROBE_S: Final = 3.0
PROBED_S: Final = 10.0
"""How long a probe stands for itself: however often somebody asks, the provider is tried no more often."""
SESSION: Final = ("session.created", "session.started")
FAILED: Final = ("provider.unreachable", "timer.connect_overdue", "timer.created_overdue")


class ProviderHealth:
    """What the calls of this process have seen of the provider last; an observer of all of them."""

    def __init__(
        self,
        now_s: Callable[[], float],
        urls: Sequence[str],
        system_proxy: bool = True,
        on_seen: Callable[[str], None] = lambda _complaint: None,
    ) -> None:
        """`urls`: of the providers; one that can be reached is enough.

        `system_proxy`: calls go through the proxy of the environment, where it names one; so does a probe.

        `on_seen` hears what a call has seen as well: why it has got no session, or "".
        """
        self._on_seen = on_seen
        self._now_s = now_s
        self._urls = tuple(urls)
        self._system_proxy = system_proxy
        self._seen: tuple[float, str] | None = None
        self._probed: tuple[float, str] | None = None
        self._probing: asyncio.Task[str] | None = None

    def renew(self, urls: Sequence[str], system_proxy: bool) -> None:
        """New calls go there: what was seen of others says nothing."""
        if (tuple(urls), system_proxy) != (self._urls, self._system_proxy):
            self._urls, self._system_proxy = tuple(urls), system_proxy
            self._seen = self._probed = None

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del envelope, at_ms
        if step.outcome == "ignored":
            return
        if step.variant.startswith(SESSION):
            self.note("")
        elif step.variant.startswith(FAILED):
            self.note(f"the last call has got no session ({step.variant})")

    def note(self, complaint: str) -> None:
        """What a call has seen just now."""
        self._seen = (self._now_s(), complaint)
        self._on_seen(complaint)

    def wire(self, direction: Literal["in", "out"], event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None: ...

    async def complaint(self) -> str:
        """Why it cannot be reached; "" if it can. Within a deadline."""
        now_s = self._now_s()
        if self._seen is not None and now_s - self._seen[0] < RECENT_S:
            return self._seen[1]
        if self._probed is None or now_s - self._probed[0] >= PROBED_S:
            if self._probing is None or self._probing.done():
                self._probing = asyncio.get_running_loop().create_task(self._probe(), name="probe_provider")
            said = await asyncio.shield(self._probing)
            self._probed = (self._now_s(), said)
        return self._probed[1]

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _probe(self) -> str:
        """Of the first provider, where none can be reached: why."""
        found = await asyncio.gather(*(self._try(url) for url in self._urls))
        return found[0] if all(found) else ""

    async def _try(self, url: str) -> str:
        """Connects and leaves: the port answers, and its certificate is good. A key is not tried."""
        host, port, is_secure = _first_hop(url, self._system_proxy)
        tls: ssl.SSLContext | None = tls_context() if is_secure else None
        try:
            async with asyncio.timeout(PROBE_S):
                _, writer = await asyncio.open_connection(host, port, ssl=tls)
        except TimeoutError:
            return f"its port does not answer within {PROBE_S:g} s"
        except OSError as error:
            return f"its port cannot be reached: {_reason(error)}"
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return ""


def _first_hop(url: str, system_proxy: bool) -> tuple[str, int, bool]:
    """Host and port that a call connects to first, and whether it begins TLS there: the provider's, or a proxy's."""
    target = parse_uri(url)
    proxy = get_proxy(target) if system_proxy else None
    if proxy is None:
        return target.host, target.port, target.secure
    parts = urlsplit(proxy)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 1080), parts.scheme == "https"


def _reason(error: OSError) -> str:
    """Without the address: whoever asks for readiness has no token."""
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or type(error).__name__}"
    return os.strerror(error.errno) if error.errno else type(error).__name__


async def not_ready(found: Sequence[NotReady], health: ProviderHealth) -> Sequence[NotReady]:
    """These reasons; where there is none, whether the provider is one."""
    if not found and (why := await health.complaint()):
        return [NotReady("provider_unreachable", why)]
    return found
