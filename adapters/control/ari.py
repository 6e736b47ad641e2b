"""Call control by Asterisk's REST interface: for channels in Stasis or in a bridge of it. Needs turnspec[ari].

Outside of Stasis (a caller in the application AudioSocket()) Asterisk answers 409 to everything but a hang-up; the
error says so and names AMI (docs/facts/asterisk_control.md section 5). Nothing is kept connected but a small pool that
httpx2 renews; each request has the operation's deadline. Events are not listened to: the end of the media is the proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import attrs
import orjson

from adapters.control.channels import ListedChannel, callers
from adapters.control.control import (
    CallHandle,
    ControlError,
    DialplanTarget,
    checked_channel,
    checked_variable,
    looked_up,
)
from adapters.control.settings import AriSettings, ControlSettings

if TYPE_CHECKING:
    pass

_NORMAL_CLEARING: Final = "16"
_MAX_REASON_CHARS: Final = 200
_CURES: Final[Mapping[int, str]] = {
    401: "username and password are those of a section in ari.conf",
    403: "the user in ari.conf must not be read_only",
    409: "outside of Stasis only AMI can do this: configure control.ami",
}


@attrs.frozen
class _Answer:
    status: int
    body: object


class AriControl:
    """A CallControl. Made within the running loop that uses it."""

    def __init__(self, settings: ControlSettings, ari: AriSettings) -> None:
        self._settings = settings
        self._ari = ari
        library = _library()
        self._errors: type[Exception] = library.HTTPError
        self._client = library.AsyncClient(
            auth=(ari.username, ari.password),
            timeout=settings.deadline_s,
            limits=library.Limits(max_connections=ari.max_connections, max_keepalive_connections=2),
            trust_env=False,  # a proxy for the world is none for the telephone system; no netrc
            follow_redirects=False,  # the password goes where the configuration says
        )

    def start(self) -> None:
        """Nothing: each operation connects where there is no connection left."""

    async def close(self) -> None:
        await self._client.aclose()

    async def transfer(self, call: CallHandle, target: str) -> None:
        place = looked_up(self._settings.targets, target)
        async with self._deadline(f"the transfer to '{target}'"):
            path = await self._callers(call)
            await self._must_exist(path, place, target)
            priority = "priority" if place.priority.isdigit() else "label"
            where = {"context": place.context, "extension": place.exten, priority: place.priority}
            await self._ask("POST", f"{path}/continue", where)

    async def hang_up(self, call: CallHandle) -> None:
        async with self._deadline("the hang-up"):
            try:
                await self._ask("DELETE", await self._callers(call), {"reason_code": _NORMAL_CLEARING})
            except ControlError as error:
                if not error.gone:
                    raise

    async def set_variable(self, call: CallHandle, name: str, value: str) -> None:
        checked_variable(name, value)
        async with self._deadline(f"setting {name}"):
            path = await self._callers(call)
            await self._ask("POST", f"{path}/variable", {"variable": name, "value": value})

    # --- steps

    @asynccontextmanager
    async def _deadline(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                yield
        except TimeoutError:
            cause = f"{what} had no answer from {self._ari.url} in {self._settings.deadline_s:g} s"
            raise ControlError(cause, is_uncertain=True) from None

    async def _callers(self, call: CallHandle) -> str:
        """The path of the caller's channel. A variable is not in the list, so a channel's own id is the UUID, or its
        application's data, or its name."""
        listed, bridges = await self._list("/channels"), await self._list("/bridges")
        inside = {str(channel): str(each.get("id")) for each in bridges for channel in _items(each.get("channels"))}
        found = callers((_channel(each, inside) for each in listed), call)
        return f"/channels/{quote(checked_channel(found.unique_id), safe='')}"

    async def _must_exist(self, path: str, place: DialplanTarget, key: str) -> None:
        """`continue` into nothing is accepted, and drops the caller."""
        function = f"DIALPLAN_EXISTS({place.context},{place.exten},{place.priority})"
        answer = await self._ask("GET", f"{path}/variable", {"variable": function})
        if isinstance(answer.body, dict) and answer.body.get("value") == "0":
            where = f"{place.context},{place.exten},{place.priority}"
            raise ControlError(f"the target '{key}' is {where}, and Asterisk's dialplan has no such place")

    async def _list(self, path: str) -> Sequence[Mapping[str, Any]]:
        body = (await self._ask("GET", path)).body
        return [each for each in _items(body) if isinstance(each, dict)]

    async def _ask(self, method: str, path: str, query: Mapping[str, str] | None = None) -> _Answer:
        """The answer, if it is one of success. The body is read up to a bound."""
        try:
            async with self._client.stream(method, self._ari.url.rstrip("/") + path, params=query) as response:
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > self._ari.max_answer_bytes:
                        raise ControlError(f"ARI: more than {self._ari.max_answer_bytes} bytes for {method} {path}")
                answer = _Answer(response.status_code, _json(bytes(body)))
        except self._errors as error:
            cause = (
                f"ARI at {self._ari.url} cannot be reached: {str(error)[:_MAX_REASON_CHARS] or type(error).__name__}"
            )
            raise ControlError(cause, is_uncertain=method != "GET") from None
        _check(method, path, answer)
        return answer


def _library() -> Any:
    try:
        import httpx2
    except ImportError:
        raise ControlError("call control by ARI needs httpx2: install turnspec[ari]") from None
    return httpx2


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _items(body: object) -> Sequence[Any]:
    return body if isinstance(body, list) else ()


def _channel(each: Mapping[str, Any], inside: Mapping[str, str]) -> ListedChannel:
    """From a list's item; what is not there is ""."""
    unique_id, variables, place = str(each.get("id", "")), each.get("channelvars"), each.get("dialplan")
    held = variables.values() if isinstance(variables, dict) else ()
    place = place if isinstance(place, dict) else {}
    return ListedChannel(
        name=str(each.get("name", "")),
        unique_id=unique_id,
        application=str(place.get("app_name", "")),
        data=str(place.get("app_data", "")),
        uuids=frozenset(str(value) for value in held),
        bridge=inside.get(unique_id, ""),
    )


def _check(method: str, path: str, answer: _Answer) -> None:
    if 200 <= answer.status < 300:
        return
    said = answer.body.get("message") if isinstance(answer.body, dict) else None
    cause = f"ARI answered {answer.status} to {method} {path}"
    if said:
        cause += f": {str(said)[:_MAX_REASON_CHARS]}"
    if cure := _CURES.get(answer.status):
        cause += f" ({cure})"
    raise ControlError(cause, gone=answer.status == 404 and "channel" in str(said or path).lower())
