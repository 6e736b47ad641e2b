"""The routes of the door. What they show and ask goes through adapters.server.inside; what is refused says why."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

import attrs
import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler

from adapters.server.door import bodies
from adapters.server.door.errors import BROKEN, DoorRefusal, DoorRefusalError
from adapters.server.door.guard import Guard, answer
from adapters.server.door.openapi import openapi
from adapters.server.door.protocol import DoorCounts
from adapters.server.inside import CallInside, CallOutcome, Inside, LiveCall, ReloadVerdict, RequestVerdict
from adapters.settings.http import HttpSettings

log = structlog.get_logger(__name__)

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_CALL: Final = "there is no call of this id"
_LISTED: Final = 200
_LISTED_MOST: Final = 500
"""A list of these holds the loop for less than a frame lasts."""
_STATUS: Final = {
    "unknown": 404, "ended": 410, "elsewhere": 421,
    "refused": 409, "untyped": 422, "no_such_request": 422, "overdue": 504, "busy": 429,
}  # fmt: skip
_CURES: Final = {
    "unknown": "GET /calls lists those that are live here",
    "elsewhere": "ask at the door of that node",
    "ended": "GET /calls/ID/result says how it ended",
    "refused": "ask again when the call is in another state: GET /calls/ID shows it",
    "untyped": "GET /openapi.json has each event's data",
    "no_such_request": "GET /openapi.json lists what may be asked of calls here",
    "overdue": "the call may still do it: look at GET /calls/ID before you ask again",
    "busy": "wait for the answers to what you have asked of this call",
}
_NO_ANNOUNCEMENT: Final = {
    "live": (409, "announce a call before it comes"),
    "no_such_agent": (422, "agents: of the configuration has the names"),
    "full": (503, "try again soon"),
    "draining": (503, "announce it to another server"),
    "not_attachable": (409, "attach calls at a server of one process (without workers)"),
}

_NO_RELOAD: Final = {
    "refused": (422, "correct it and reload again; until then new calls begin with what was good before"),
    "unavailable": (503, "see the cause, and try again"),
}


def door_app(inside: Inside, settings: HttpSettings, counts: DoorCounts, signed: Iterable[Route] = ()) -> ASGIApp:
    """`signed`: routes whose requests carry a signature of their own, in place of the token."""
    signed = tuple(signed)
    door = Doorway(inside, settings, {route.path: sorted((route.methods or set()) - {"HEAD"}) for route in signed})
    routes = [
        Route("/livez", door.livez),
        Route("/readyz", door.readyz),
        Route("/openapi.json", door.openapi),
        Route("/metrics", door.metrics),
        Route("/reload", door.reload, methods=["POST"]),
        Route("/reload", door.reloaded, methods=["GET"]),
        Route("/calls", door.calls, methods=["GET"]),
        Route("/calls", door.announce, methods=["POST"]),
        Route("/calls/{id}", door.call),
        Route("/calls/{id}/events", door.event, methods=["POST"]),
        Route("/calls/{id}/result", door.result),
        Route("/calls/{id}/result/{key}", door.result),
        *signed,
    ]
    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        DoorRefusalError: _refused, HTTPException: _no_route, Exception: _broken
    }  # fmt: skip
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, settings, counts, [route.path for route in signed])


@attrs.frozen
class Doorway:
    """The endpoints, one method for each route."""

    inside: Inside
    settings: HttpSettings
    signed: Mapping[str, Sequence[str]]
    """Methods of routes that are not ours alone."""

    async def livez(self, _request: Request) -> Response:
        return _json({"alive": True})

    async def readyz(self, request: Request) -> Response:
        """`?otherwise=404`: balancers that take a 404 for "no new calls" and silence for the end of a server."""
        reasons = [attrs.asdict(each) for each in await self.inside.not_ready()]
        degraded = [attrs.asdict(each) for each in self.inside.degraded()]
        if not reasons:
            return _json({"ready": True, "reasons": [], "degraded": degraded})
        cause = "; ".join(f"{each['reason']}: {each['detail']}" for each in reasons)
        cure = "send calls to another server until this one is ready"
        status = 404 if request.query_params.get("otherwise") == "404" else 503
        return answer(DoorRefusal(status, "not_ready", cause, cure, details=reasons), "/readyz")

    async def openapi(self, _request: Request) -> Response:
        return _json(openapi(self.inside.requests(), self.settings, self.signed))

    async def metrics(self, _request: Request) -> Response:
        return Response(
            await self.inside.measured(), headers={"content-type": METRICS_TYPE, "cache-control": "no-store"}
        )

    async def reload(self, _request: Request) -> Response:
        verdict = await self.inside.reload()
        if verdict.why == "under_way":
            return _json({"reloading": True}, 202)
        return _reloaded(verdict)

    async def reloaded(self, _request: Request) -> Response:
        verdict = self.inside.reloaded()
        if verdict is None:
            raise DoorRefusalError(
                404, "no_reload", "the configuration has not been read again", "POST /reload does that"
            )
        return _reloaded(verdict)

    async def calls(self, request: Request) -> Response:
        limit = request.query_params.get("limit", str(_LISTED))
        if not limit.isdecimal() or len(limit) > 6 or not 0 < int(limit) <= _LISTED_MOST:
            raise DoorRefusalError(422, "wrong_field", f"limit: 1 to {_LISTED_MOST} is expected", "e.g. ?limit=100")
        after = request.query_params.get("after", "")
        listed, more = await self.inside.calls(after, int(limit))
        return _json({"calls": [_listed(each) for each in listed], "more": more})

    async def announce(self, request: Request) -> Response:
        said = bodies.announcement(await bodies.json_object(request, self.settings.body_bytes))
        kept = await self.inside.announce(said)
        if kept.why:
            status, cure = _NO_ANNOUNCEMENT[kept.why]
            raise DoorRefusalError(status, kept.why, kept.cause, cure)
        log.info("call_announced", call_id=said.id, agent=said.agent, lifetime_s=kept.lifetime_s, shared=kept.is_shared)
        alone = {} if kept.is_shared else {"shared": False}
        return _json({"id": said.id, "lifetime_s": kept.lifetime_s, **alone}, 201)

    async def call(self, request: Request) -> Response:
        call_id = _call_id(request)
        found = await self.inside.call(call_id)
        if found is None:
            if node := await self.inside.holder(call_id):
                raise _refusal_of(RequestVerdict("elsewhere", f"node {node} has this call"))
            if await self.inside.result(call_id) is not None:
                raise _refusal_of(RequestVerdict("ended", "the call is over"))
            raise _refusal_of(RequestVerdict("unknown", _NO_CALL))
        return _json(_shown(found))

    async def event(self, request: Request) -> Response:
        call_id = _call_id(request)
        name, data = bodies.event(await bodies.json_object(request, self.settings.body_bytes))
        verdict = await self.inside.request(call_id, name, data)
        if verdict.why:
            raise _refusal_of(verdict)
        return _json({"accepted": True})

    async def result(self, request: Request) -> Response:
        """Plain text, for a dialplan; nothing where there is none."""
        outcome = await self.inside.result(_call_id(request))
        if outcome is None:
            raise DoorRefusalError(404, "no_result", "no call of this id was ended by us, or long ago", "")
        text = _said(outcome, request.path_params.get("key"))
        if not text:
            raise DoorRefusalError(404, "no_result", "there is none yet, or no such key", "")
        headers = {"cache-control": "no-store"}
        return Response(text.encode(), media_type="text/plain; charset=utf-8", headers=headers)


def _reloaded(verdict: ReloadVerdict) -> Response:
    if verdict.why:
        status, cure = _NO_RELOAD[verdict.why]
        raise DoorRefusalError(status, f"reload_{verdict.why}", verdict.cause, cure, details=list(verdict.problems))
    return _json(
        {
            "reloaded": True,
            "agents": list(verdict.agents),
            "warnings": list(verdict.problems),
            "needs_restart": list(verdict.needs_restart),
        }
    )


def _said(outcome: CallOutcome, key: str | None) -> str:
    """Safe between the quotes of an expression of Asterisk's: `$["${RESULT}" = "completed"]`."""
    text = outcome.word if key is None else outcome.values.get(key, "")
    return text.replace('"', "'").replace("\\", "/")


def _refusal_of(verdict: RequestVerdict) -> DoorRefusalError:
    assert verdict.why
    return DoorRefusalError(_STATUS[verdict.why], verdict.why, verdict.cause, _CURES[verdict.why])


def _call_id(request: Request) -> str:
    """As lines give it: a UUID in small letters, or Twilio's CallSid."""
    given = str(request.path_params["id"])
    if not _ID.fullmatch(given):
        raise DoorRefusalError(404, "unknown", _NO_CALL, _CURES["unknown"])
    try:
        return str(uuid.UUID(given)) if len(given) == 36 else given
    except ValueError:
        return given


def _listed(call: LiveCall) -> dict[str, object]:
    return {
        "id": call.id,
        "agent": call.agent,
        "state": call.state,
        "age_s": call.age_s,
        "state_age_s": call.state_age_s,
        "caller_id": call.caller_id,
        "dialled": call.dialled,
    }


def _shown(found: CallInside) -> dict[str, object]:
    return {
        **_listed(found.call),
        "slots": dict(found.slots),
        "context": dict(found.context),
        "deadlines": list(found.deadlines),
        "variables": dict(found.variables),
        "result": found.result,
        "results": dict(found.results),
    }


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, {"cache-control": "no-store"}, "application/json")


# --- what is not answered by a route ----------------------------------------------------------------------------------


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DoorRefusalError)
    return answer(error.refusal, request.url.path)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase.lower()
    cause = "there is no such address" if error.status_code == 404 else f"{request.method} is not answered here"
    refusal = DoorRefusal(
        error.status_code, phrase.replace(" ", "_"), cause, "GET /openapi.json lists what there is",
        tuple((error.headers or {}).items()),
    )  # fmt: skip
    return answer(refusal, request.url.path)


async def _broken(request: Request, error: Exception) -> Response:
    log.error("door_failed", method=request.method, route=request.scope.get("path", "")[:80], exc_info=error)
    return answer(BROKEN, request.url.path)
