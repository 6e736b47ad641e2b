"""Who comes through the door: how often, under which name, with which token. Before any route."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Collection
from email.utils import formatdate
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.server.door.errors import DoorRefusal, as_json
from adapters.server.door.protocol import DoorCounts
from adapters.settings.http import HttpSettings

PROBES: Final = frozenset({"/livez", "/readyz"})
"""For supervisors and balancers, which have no token: they say nothing of a call."""
_BURST_S: Final = 2.0
_PEERS: Final = 4_096
_LOCAL: Final = re.compile(r"(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_BEARER: Final = re.compile(r"bearer +([!-~]{1,4096})", re.IGNORECASE)

NO_TOKEN: Final = DoorRefusal(
    401, "unauthorized", "there is no token, or it is not the right one",
    "send the header: Authorization: Bearer TOKEN, as the variable of http.token_env has it",
    (("www-authenticate", "Bearer"),),
)  # fmt: skip
OTHER_HOST: Final = DoorRefusal(
    403, "other_host", "without a token the door is for this machine alone, and it was called by another name",
    "call it as 127.0.0.1 or localhost, or set http.token_env",
)  # fmt: skip


class RateLimit:
    """Tokens by address: so many a second, and at once those of two seconds. Bounded: who came least lately goes."""

    def __init__(self, per_s: float, now_s: Callable[[], float]) -> None:
        self._per_s = per_s
        self._most = per_s * _BURST_S
        self._now_s = now_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, peer: str) -> float:
        """0: it may come; else in how many seconds it may."""
        now_s = self._now_s()
        left, at_s = self._left.pop(peer, (self._most, now_s))
        left = min(self._most, left + (now_s - at_s) * self._per_s)
        self._left[peer] = (left - 1 if left >= 1 else left, now_s)
        if len(self._left) > _PEERS:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._per_s


class Guard:
    """Around the application. `signed`: paths whose requests carry a signature of their own, in place of the token."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, counts: DoorCounts, signed: Collection[str]) -> None:
        self._app = app
        self._token = settings.token.encode() if settings.token is not None else None
        self._rate = RateLimit(settings.requests_per_s, lambda: asyncio.get_running_loop().time())
        self._counts = counts
        self._signed = frozenset(signed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("date", formatdate(usegmt=True))
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, dated)
            return
        self._counts.note(refusal.error, scope.get("client"))
        await answer(refusal, scope["path"])(scope, receive, dated)

    def _refusal(self, scope: Scope) -> DoorRefusal | None:
        path, client = scope["path"], scope.get("client")
        if path == "/livez":  # a flood of it costs what a flood of refusals costs, and nobody is restarted for it
            return None
        if wait_s := self._rate.take(client[0] if client else ""):
            return _too_often(wait_s)
        if path in PROBES or path in self._signed:
            return None
        headers = Headers(scope=scope)
        if self._token is None:
            return None if _LOCAL.fullmatch(headers.get("host", "")) else OTHER_HOST
        given = _BEARER.fullmatch(headers.get("authorization", "").strip())
        return None if given and hmac.compare_digest(given[1].encode(), self._token) else NO_TOKEN


def answer(refusal: DoorRefusal, path: str) -> Response:
    """As JSON; where a dialplan reads text, nothing: a quote in a channel variable would break its expressions."""
    if is_for_dialplans(path):
        headers = dict(refusal.more) | {"content-type": "text/plain; charset=utf-8", "x-turnspec-error": refusal.error}
        return Response(b"", refusal.status, headers)
    return Response(as_json(refusal), refusal.status, dict(refusal.headers()))


def is_for_dialplans(path: str) -> bool:
    """/calls/ID/result, and a key of it."""
    return path.split("/")[3:4] == ["result"]


def _too_often(wait_s: float) -> DoorRefusal:
    return DoorRefusal(
        429, "too_many_requests", "there are more requests from this address than http.requests_per_s allows",
        "ask less often, or raise it", (("retry-after", str(max(1, round(wait_s + 0.5)))),),
    )  # fmt: skip
