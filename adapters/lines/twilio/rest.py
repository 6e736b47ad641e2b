"""Control of a call by Twilio's REST API: other instructions for it (a transfer), or its end. HTTP, never media.

`POST /2010-04-01/Accounts/ACCOUNT/Calls/CALL.json` with `Twiml` or `Status`. Instructions that have arrived twice would
ring twice; an end may come twice.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import attrs
import orjson
import structlog
from attrs.validators import matches_re

from adapters.lines.rest import RestLimits, RestProblem, RestTeller
from adapters.lines.twilio import twiml
from adapters.lines.twilio.twiml import DialTarget
from fsm.errors import RemoteError

try:
    import httpx2
except ImportError as error:
    raise ImportError("Twilio's REST API needs the extra 'twilio': pip install 'turnspec[twilio]'") from error

log = structlog.get_logger(__name__)

_SID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CURES: Final = {
    401: "; TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN must be those of the console",
    403: "; the account may not do this",
    404: "; the account has no such call",
}
NOT_IN_PROGRESS: Final = 21220
"""Twilio's code for a call that is over."""


class TwilioRestError(RemoteError):
    """What was not done, and why. `is_over`: there is no such call any more."""

    def __init__(self, message: str, *, is_over: bool = False) -> None:
        super().__init__(message)
        self.is_over = is_over


@attrs.frozen(kw_only=True)
class RestSettings(RestLimits):
    """Of the client; the credentials come from the environment."""

    account_sid: str = attrs.field(validator=matches_re(r"[A-Za-z0-9_-]{1,64}"))
    auth_token: str = attrs.field(repr=False)
    base_url: str = "https://api.twilio.com"


class TwilioCallControl(Protocol):
    """What a call of Twilio's can be told from outside of its stream."""

    async def transfer(self, call_sid: str, target: DialTarget) -> None:
        """Ends the stream and rings `target`. TwilioRestError: not done, unless it says that this is not known."""

    async def hang_up(self, call_sid: str) -> None:
        """Ends the call; one that is over is fine."""


class TwilioRest:
    """`CallControl` over HTTP; `close` at the end. Its methods return within `deadline_s`."""

    def __init__(self, settings: RestSettings) -> None:
        self._settings = settings
        self._client = httpx2.AsyncClient(
            base_url=settings.base_url,
            auth=httpx2.BasicAuth(settings.account_sid, settings.auth_token),
            timeout=httpx2.Timeout(settings.deadline_s, connect=settings.connect_s),
            limits=httpx2.Limits(max_connections=20, max_keepalive_connections=4),
        )
        self._teller = RestTeller(self._client, settings, _problem, "twilio")

    async def close(self) -> None:
        await self._client.aclose()

    async def transfer(self, call_sid: str, target: DialTarget) -> None:
        await self._update(call_sid, "transfer", {"Twiml": twiml.dial(target)}, may_repeat=False)

    async def hang_up(self, call_sid: str) -> None:
        try:
            await self._update(call_sid, "hang-up", {"Status": "completed"}, may_repeat=True)
        except TwilioRestError as error:
            if not error.is_over:
                raise

    async def _update(self, call_sid: str, what: str, form: dict[str, str], *, may_repeat: bool) -> None:
        if not _SID.fullmatch(call_sid):
            raise TwilioRestError(f"{what}: {call_sid[:64]!r} is not the id of a call")
        path = f"/2010-04-01/Accounts/{self._settings.account_sid}/Calls/{call_sid}.json"
        request = self._client.build_request("POST", path, data=form)
        problem = await self._teller.tell(request, what, may_repeat=may_repeat)
        if problem is not None:
            raise TwilioRestError(f"{what}: {problem.text}", is_over=problem.is_over)
        log.info("twilio_call_updated", call_id=call_sid, what=what)


def _problem(status: int, body: bytes) -> RestProblem:
    """In Twilio's own words where it has some."""
    try:
        told = orjson.loads(body)
    except ValueError:
        told = None
    fields = told if isinstance(told, dict) else {}
    code, message = fields.get("code"), str(fields.get("message", ""))[:200]
    said = f": {message}" if message else ""
    numbered = f" (code {code})" if isinstance(code, int) else ""
    cure = _CURES.get(status, "")
    return RestProblem(f"Twilio says {status}{numbered}{said}{cure}", status, status == 404 or code == NOT_IN_PROGRESS)
