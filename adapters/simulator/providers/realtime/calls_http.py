"""The desk of calls as an ASGI application: every request is read, bounded, and handed over."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.simulator.providers.realtime.calls import BODY_MAX_BYTES, CallDesk

_METHODS = ("POST", "OPTIONS", "PUT", "PATCH", "DELETE", "HEAD")


def calls_app(desk: CallDesk) -> Starlette:
    async def endpoint(request: Request) -> Response:
        body = b""
        try:
            async for part in request.stream():
                body += part
                if len(body) > BODY_MAX_BYTES:
                    return Response(b"", 413)
        except ClientDisconnect:
            return Response(b"", 400)
        headers = dict(request.headers)
        answer = desk.answer(request.method, request.url.path, request.url.query, headers, body)
        return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=_METHODS)])
