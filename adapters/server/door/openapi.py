"""The OpenAPI document of the door, with what may be asked of calls here: the requests of the vocabularies in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, Final

from adapters.server.inside import MAX_VARIABLES, REASONS, TROUBLES, RequestForm
from adapters.settings.http import HttpSettings

Schema = dict[str, Any]
_NO_PATHS: Final[Mapping[str, Iterable[str]]] = MappingProxyType({})

_TYPES: Final = {"text": "string", "number": "number", "flag": "boolean"}
_RESULT: Final = "How a call ended: completed, refused:WHY, provider_failed, transfer:KEY."
_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
_SECONDS: Final[Schema] = {"type": "number"}


def openapi(
    requests: Sequence[RequestForm], settings: HttpSettings, signed: Mapping[str, Iterable[str]] = _NO_PATHS
) -> Schema:
    """`signed`: the methods of paths whose requests carry a signature of their own."""
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "turnspec",
            "version": _version(),
            "description": "The calls of a server: what they are doing, what may be asked of them, how they ended.",
        },
        "paths": _paths(settings, signed),
        "components": {"schemas": _schemas(requests)},
    }
    if settings.token is not None:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _version() -> str:
    try:
        return version("turnspec")
    except PackageNotFoundError:
        return "unknown"


def _paths(settings: HttpSettings, signed: Mapping[str, Iterable[str]]) -> Schema:
    by_id = [{"name": "id", "in": "path", "required": True, "schema": _TEXT}]
    by_key = [*by_id, {"name": "key", "in": "path", "required": True, "schema": _TEXT}]
    page = [
        {"name": "after", "in": "query", "schema": _TEXT, "description": "Ids greater than this one."},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 200}},
    ]
    about = "404: the status where calls may not come, in place of 503, for balancers that drain by it."
    otherwise = [{"name": "otherwise", "in": "query", "schema": {"enum": ["404", "503"]}, "description": about}]
    paths: Schema = {
        "/livez": {"get": _does("Does the process answer?", _made("Alive"), open_to_all=True)},
        "/readyz": {
            "get": _does("May calls come here?", _made("Ready"), 404, 503, open_to_all=True, parameters=otherwise)
        },
        "/openapi.json": {"get": _does("This document.", {"type": "object"})},
        "/metrics": {"get": _metrics()},
        "/reload": {
            "get": _does("What came of the last one.", _made("Reloaded"), 404, 422, 503),
            "post": _reload(),
        },
        "/calls": {
            "get": _does("The live calls, in the order of their ids.", _made("Calls"), 422, parameters=page),
            "post": _does(
                "Announces a call: what is known about it, and its agent.", _made("Announced"), 400, 409, 413, 415, 422,
                503, body="Announcement", status=201,
            ),
        },
        "/calls/{id}": {"get": _does("One live call.", _made("Call"), 404, 410, 421, parameters=by_id)},
        "/calls/{id}/events": {
            "post": _does(
                "Asks something of a call; the spec accepts it or says why not.", _made("Accepted"), 400, 404, 409, 410,
                413, 415, 421, 422, 504, body="Event", parameters=by_id,
            )
        },
        "/calls/{id}/result": {"get": _plain(_RESULT, by_id)},
        "/calls/{id}/result/{key}": {"get": _plain("One value of a call's result.", by_key)},
    }  # fmt: skip
    for path, methods in signed.items():
        paths[path] = {each.lower(): _webhook() for each in methods}
    return _guarded(paths, (401, 429) if settings.token is not None else (403, 429))


def _guarded(paths: Schema, refusals: tuple[int, int]) -> Schema:
    """The same, where whoever has no right to ask, or asks too often, is refused."""
    for path, methods in paths.items():
        for method in methods.values():
            plain = path.endswith(("/result", "/result/{key}"))
            for status in refusals if "security" not in method else (429,):
                method["responses"][str(status)] = _nothing() if plain else _refusal()
    return paths


def _does(
    summary: str, answer: Schema, *refusals: int, body: str = "", status: int = 200, open_to_all: bool = False,
    parameters: Sequence[Schema] = (),
) -> Schema:  # fmt: skip
    said: Schema = {
        "summary": summary,
        "responses": {str(status): {"description": "done", "content": {"application/json": {"schema": answer}}}},
    }
    said["responses"] |= {str(each): _refusal() for each in refusals}
    if parameters:
        said["parameters"] = list(parameters)
    if body:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": _made(body)}}}
    if open_to_all:
        said["security"] = []
    return said


def _webhook() -> Schema:
    return _does("A webhook; its requests carry a signature.", {}, 400, 403, 413, open_to_all=True)


def _reload() -> Schema:
    said = _does("Reads the configuration again, for new calls.", _made("Reloaded"), 422, 503)
    waits = {"application/json": {"schema": _object(reloading={"const": True})}}
    said["responses"]["202"] = {"description": "it takes longer: GET /reload has the verdict", "content": waits}
    return said


def _plain(summary: str, parameters: Sequence[Schema]) -> Schema:
    text = {"description": "one line", "content": {"text/plain": {"schema": _TEXT}}}
    return {"summary": summary, "parameters": list(parameters), "responses": {"200": text, "404": _nothing()}}


def _metrics() -> Schema:
    text = {"description": "Prometheus' text format", "content": {"text/plain": {"schema": _TEXT}}}
    return {"summary": "All that is measured.", "responses": {"200": text}}


def _refusal() -> Schema:
    return {"description": "refused", "content": {"application/json": {"schema": _made("Refusal")}}}


def _nothing() -> Schema:
    return {"description": "an empty body, so that a dialplan's variable is empty"}


def _made(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas(requests: Sequence[RequestForm]) -> Schema:
    listed = _object(
        id=_TEXT, agent=_TEXT, state=_TEXT, age_s=_SECONDS, state_age_s=_SECONDS, caller_id=_TEXT, dialled=_TEXT
    )
    words = {"type": "array", "items": _TEXT}
    more = _object(slots=_TEXTS, context=_TEXTS, deadlines=words, variables=_TEXTS, result=_TEXT, results=_TEXTS)
    reason = _object(reason={"enum": list(REASONS)}, detail=_TEXT)
    names = {**_TEXTS, "maxProperties": MAX_VARIABLES}
    session_id = {**_TEXT, "pattern": "^[A-Za-z0-9_-]{1,64}$"}
    ids = {"id": {**_TEXT, "format": "uuid"}, "call_id": session_id}
    announced = {**ids, "agent": _TEXT, "caller_id": _TEXT, "dialled": _TEXT}
    return {
        "Alive": _object(alive={"const": True}),
        "Ready": _object(
            ready={"const": True},
            reasons={"type": "array", "items": reason, "maxItems": 0},
            degraded={"type": "array", "items": _object(reason={"enum": list(TROUBLES)}, detail=_TEXT)},
        ),
        "LiveCall": listed,
        "Calls": _object(calls={"type": "array", "items": _made("LiveCall")}, more={"type": "integer"}),
        "Call": {"allOf": [_made("LiveCall"), more]},
        "Announcement": _closed({**announced, "variables": names}),
        "Announced": {
            **_object(id=_TEXT, lifetime_s=_SECONDS),
            "properties": {"id": _TEXT, "lifetime_s": _SECONDS, "shared": {"const": False}},
        },
        "Event": {"oneOf": [_event(each) for each in requests]} if requests else {"type": "object"},
        "Accepted": _object(accepted={"const": True}),
        "Reloaded": _object(reloaded={"const": True}, agents=words, warnings=words, needs_restart=words),
        "Refusal": {
            **_object(error=_TEXT, cause=_TEXT, cure=_TEXT),
            "properties": {
                "error": _TEXT, "cause": _TEXT, "cure": _TEXT,
                "reasons": {"type": "array", "items": {"anyOf": [reason, _TEXT]}},
            },
        },
    }  # fmt: skip


def _event(form: RequestForm) -> Schema:
    fields = {name: {"type": _TYPES[kind]} for name, kind in form.fields.items()}
    needed = [name for name in fields if name not in form.optional]
    data = _closed(fields) | ({"required": needed} if needed else {})
    said = _closed({"event": {"const": form.name}, "data": data})
    said["required"] = ["event", "data"] if needed else ["event"]
    return said | ({"description": form.about} if form.about else {})


def _object(**fields: Mapping[str, Any]) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _closed(fields: Mapping[str, Any]) -> Schema:
    return {"type": "object", "properties": dict(fields), "additionalProperties": False}
