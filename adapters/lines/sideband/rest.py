"""The provider is told over HTTP what becomes of a call that it has: accepted, rejected, referred, ended. Never media.

`POST CALLS/CALL_ID/accept` with a session, `/reject` with a `status_code`, `/refer` with a `target_uri`, `/hangup`
(docs/facts/realtime_api.md section 6). An end may come twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs
import orjson
import structlog

from adapters.lines.rest import RestLimits, RestProblem, RestTeller
from adapters.lines.sideband.control import SidebandControlError

try:
    import httpx2
except ImportError as error:
    raise ImportError("calls of the provider's need the extra 'sideband': pip install 'turnspec[sideband]'") from error

log = structlog.get_logger(__name__)

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TARGET: Final = re.compile(r"(sips?|tel):[!-~]{1,240}")
_CURES: Final = {
    401: "; the key must be one of the project that the call came to",
    403: "; the key may not do this",
    404: "; there is no such call (any more)",
}


@attrs.frozen(kw_only=True)
class SidebandRestSettings(RestLimits):
    """Of the client. `headers` hold the key."""

    calls_url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    query: str = attrs.field(default="", repr=False)
    system_proxy: bool = True


class SidebandRest:
    """`SidebandControl` over HTTP; `close` at the end. Its methods return within `deadline_s`."""

    def __init__(self, settings: SidebandRestSettings) -> None:
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(settings.deadline_s, connect=settings.connect_s),
            limits=httpx2.Limits(max_connections=50, max_keepalive_connections=4),
            trust_env=settings.system_proxy,
        )
        self.renew(settings)

    def renew(self, settings: SidebandRestSettings) -> None:
        """Address and key of whatever is asked from now on."""
        self._settings = settings
        self._teller = RestTeller(self._client, settings, _problem, "sideband")

    async def close(self) -> None:
        await self._client.aclose()

    async def accept(self, session_id: str, session: Mapping[str, object]) -> None:
        await self._tell(session_id, "accept", session)

    async def reject(self, session_id: str, status: int) -> None:
        await self._tell(session_id, "reject", {"status_code": status}, may_repeat=True, may_be_over=True)

    async def refer(self, session_id: str, target: str) -> None:
        if not _TARGET.fullmatch(target):
            raise SidebandControlError("refer: the target is not a URI like tel:+4930123 or sip:desk@example.com")
        await self._tell(session_id, "refer", {"target_uri": target})

    async def hang_up(self, session_id: str) -> None:
        await self._tell(session_id, "hangup", None, may_repeat=True, may_be_over=True)

    async def _tell(
        self, session_id: str, verb: str, body: Mapping[str, object] | None, *, may_repeat: bool = False,
        may_be_over: bool = False,
    ) -> None:  # fmt: skip
        if not _ID.fullmatch(session_id):
            raise SidebandControlError(f"{verb}: {session_id[:64]!r} is not the id of a call")
        settings = self._settings
        query = f"?{settings.query}" if settings.query else ""
        request = self._client.build_request(
            "POST", f"{settings.calls_url}/{session_id}/{verb}{query}",
            headers={**settings.headers, **({"content-type": "application/json"} if body is not None else {})},
            content=orjson.dumps(body) if body is not None else b"",
        )  # fmt: skip
        problem = await self._teller.tell(request, verb, may_repeat=may_repeat)
        if problem is not None and not (problem.is_over and may_be_over):
            raise SidebandControlError(
                f"{verb}: {problem.text}", is_over=problem.is_over, is_unknown=problem.is_unknown
            )
        log.info("sideband_call_told", call_id=session_id, what=verb)


def _problem(status: int, body: bytes) -> RestProblem:
    """In the provider's own words where it has some: `{"error": {"message", "code"}}`."""
    try:
        told = orjson.loads(body)
    except ValueError:
        told = None
    error = told.get("error") if isinstance(told, dict) else None
    fields = error if isinstance(error, dict) else {}
    code, message = fields.get("code"), fields.get("message")
    said = f": {_printable(message)[:200]}" if isinstance(message, str) and message else ""
    named = f" ({_printable(code)[:64]})" if isinstance(code, str) and code else ""
    text = f"the provider says {status}{named}{said}{_CURES.get(status, '')}"
    return RestProblem(text, status, is_over=status == 404, is_unknown=status >= 500)


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
