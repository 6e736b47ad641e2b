"""The webhook of telephone calls as a route of the HTTP application. What it says is adapters.server.incoming's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.lines.sideband.webhook import BODY_MAX_BYTES, WebhookRefusal
from adapters.server.door.bodies import body_of
from adapters.server.door.errors import DoorRefusalError
from adapters.server.incoming import IncomingCalls

_CURE: Final = (
    "sideband.webhook.secrets must be that of this webhook at the provider, and the clocks of both right within minutes"
)
_REFUSALS: Final[Mapping[WebhookRefusal, tuple[int, str, str]]] = {
    WebhookRefusal.UNSIGNED: (403, "refused", "there is no signature"),
    WebhookRefusal.BAD_SIGNATURE: (403, "refused", "the signature is not that of this delivery"),
    WebhookRefusal.LATE: (403, "refused", "the delivery is older or newer than five minutes"),
    WebhookRefusal.BAD_BODY: (400, "bad_request", "this is not an event of the provider's"),
}
"""All others are answered as good: whoever is told no sends it again for days."""


def sip_route(incoming: IncomingCalls) -> Route:
    """POST."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await body_of(request, BODY_MAX_BYTES)
        except DoorRefusalError:
            incoming.refuse(WebhookRefusal.BAD_BODY)
            raise
        why = incoming.take(dict(request.headers), body)
        if why is None:
            return JSONResponse({"taken": True})
        if why in _REFUSALS:
            status, error, cause = _REFUSALS[why]
            raise DoorRefusalError(status, error, cause, _CURE)
        return JSONResponse({"taken": False, "why": why.value})

    return Route(incoming.path, endpoint, methods=["POST"])
