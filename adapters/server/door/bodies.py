"""Bodies of requests as typed values: JSON objects with known fields, within bounds. What is wrong is named."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Final

import orjson
from starlette.requests import ClientDisconnect, Request

from adapters.server.door.errors import DoorRefusalError
from adapters.server.inside import MAX_NAME_CHARS, MAX_VALUE_CHARS, MAX_VARIABLES, Announcement

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_SESSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EVENT_CHARS: Final = 120
_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"
}  # fmt: skip
_JSON_TYPE: Final = "application/json"


async def json_object(request: Request, bound: int) -> Mapping[str, object]:
    """The body, if it is a JSON object of at most so many bytes. DoorRefusalError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON_TYPE:
        raise DoorRefusalError(415, "no_json", "a body of JSON is expected", f"send content-type: {_JSON_TYPE}")
    body = await body_of(request, bound)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise DoorRefusalError(400, "no_json", "the body is not JSON", "send one JSON object, in UTF-8") from None
    if not isinstance(value, dict):
        raise DoorRefusalError(400, "no_object", f"a JSON object is expected, this is {_kind(value)}", "send {...}")
    return value


async def body_of(request: Request, bound: int) -> bytes:
    """Of at most so many bytes. DoorRefusalError."""
    too_long = DoorRefusalError(
        413, "too_long", f"the body has more than {bound} bytes", "send less, or raise http.body_bytes"
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > bound:
        raise too_long
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > bound:
                raise too_long
    except ClientDisconnect:
        raise DoorRefusalError(400, "cut", "the body ends in the middle", "send all of it") from None
    return bytes(body)


def announcement(body: Mapping[str, object]) -> Announcement:
    """What POST /calls says. Without an id one is made."""
    _only(body, ("id", "call_id", "agent", "caller_id", "dialled", "variables"))
    agent = _text(body, "agent", MAX_NAME_CHARS)
    return Announcement(
        id=_session_id(body) if "call_id" in body else _uuid(body.get("id")),
        attaches="call_id" in body,
        agent=agent,
        caller_id=_text(body, "caller_id", MAX_VALUE_CHARS),
        dialled=_text(body, "dialled", MAX_VALUE_CHARS),
        variables=_variables(body.get("variables", {})),
    )


def event(body: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """What POST /calls/ID/events says: name and data. Their types are the vocabulary's to check."""
    _only(body, ("event", "data"))
    name, data = _text(body, "event", _EVENT_CHARS), body.get("data", {})
    if not name:
        raise _wrong("event", "is missing", 'e.g. {"event": "application.say_requested", "data": {"text": "..."}}')
    if not isinstance(data, dict):
        raise _wrong("data", f"an object is expected, this is {_kind(data)}", 'e.g. "data": {"text": "..."}')
    return name, data


def _uuid(value: object) -> str:
    if value is None:
        return str(uuid.uuid4())
    try:
        if isinstance(value, str) and len(value) <= MAX_NAME_CHARS:
            return str(uuid.UUID(value))
    except ValueError:
        pass
    raise _wrong("id", "a UUID is expected", "e.g. what the dialplan's ${UUID()} gives")


def _session_id(body: Mapping[str, object]) -> str:
    """Of the provider's session that has the audio."""
    if "id" in body:
        raise _wrong("id", "is said beside call_id, which is the call's id", "leave it out")
    value = body["call_id"]
    if isinstance(value, str) and _SESSION_ID.fullmatch(value):
        return value
    raise _wrong("call_id", "1 to 64 letters, digits, _ and - are expected", "send what the provider calls the call")


def _variables(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise _wrong("variables", f"an object is expected, this is {_kind(value)}", 'e.g. {"tenant": "7"}')
    if len(value) > MAX_VARIABLES:
        raise _wrong("variables", f"there are more than {MAX_VARIABLES}", "send what the agent needs")
    for name in value:
        if not _NAME.fullmatch(name):
            raise _wrong("variables", "a name has 1 to 64 letters, digits, _ . and -, no digit first", "rename it")
    return {name: _text(value, name, MAX_VALUE_CHARS, f"variables.{name}") for name in value}


def _text(body: Mapping[str, object], key: str, most: int, shown: str = "") -> str:
    """ "" where it is not there."""
    value = body.get(key, "")
    shown = shown or key
    if not isinstance(value, str):
        raise _wrong(shown, f"a text is expected, this is {_kind(value)}", "put it in quotes")
    if len(value) > most:
        raise _wrong(shown, f"it has more than {most} characters", "shorten it")
    if not value.isprintable():
        raise _wrong(shown, "it has control characters", "send printable text")
    return value


def _only(body: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in body:
        if key not in known:
            raise _wrong(_shown(key), "is not a field of this", f"known are: {', '.join(known)}")


def _wrong(field: str, cause: str, cure: str) -> DoorRefusalError:
    return DoorRefusalError(422, "wrong_field", f"{field}: {cause}", cure)


def _shown(key: str) -> str:
    """A foreign word, quoted in our answer."""
    return "".join(c if c.isprintable() else "?" for c in key[:MAX_NAME_CHARS])


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "null")
