"""Twilio's webhook as a route of the HTTP application. The answer itself is adapters.lines.twilio.webhook's."""

from __future__ import annotations

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.lines.twilio.webhook import BODY_MAX_BYTES, HttpRequest, Webhook, form_of

FORM: Final = "application/x-www-form-urlencoded"
_CURE: Final = "this address is for the webhook of a Twilio number"


def twiml_route(webhook: Webhook, path: str = "/twiml") -> Route:
    """POST, or GET."""

    async def endpoint(request: Request) -> Response:
        try:
            form = form_of(await _body(request)) if request.method == "POST" else ()
        except ValueError as error:
            return JSONResponse({"error": "bad_request", "cause": str(error), "cure": _CURE}, 400)
        answer = webhook.answer(
            HttpRequest(method=request.method, url=_url(request), headers=dict(request.headers), form=form)
        )
        return Response(answer.body, answer.status, media_type=answer.content_type)

    return Route(path, endpoint, methods=["GET", "POST"])


async def _body(request: Request) -> bytes:
    """ValueError: it is no form, or too long; no more of it is read."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise ValueError(f"a form is expected ({FORM})")
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > BODY_MAX_BYTES:
                raise ValueError(f"a form of more than {BODY_MAX_BYTES} bytes")
    except ClientDisconnect:
        raise ValueError("the form ends in the middle") from None
    return body


def _url(request: Request) -> str:
    """As it came, undecoded: the signature covers it."""
    path = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
