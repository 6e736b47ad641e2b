"""The session's other side by HTTP: a WebRTC client's offer, and what is asked of calls by their ids. Sans-I/O.

Source: docs/facts/realtime_api.md section 6. Inferred [INF]: every status but 201, the wording of errors, that a call
is over after refer, that accept comes once, and that a call can be attached to only once it is accepted.
"""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import attrs
import orjson

from adapters.simulator.providers.realtime import errors
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.outbox import Ids
from adapters.simulator.providers.realtime.provider_settings import ProviderSettings, has_key
from adapters.simulator.providers.realtime.sdp import SdpError, answer_to
from fsm.errors import RemoteError

PATH: Final = "/v1/realtime/calls"
BODY_MAX_BYTES: Final = 256 * 1024
DECLINED: Final = 603
"""What a rejected caller is told unless it is said."""
CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-allow-methods": "POST",
    "access-control-expose-headers": "location",
}
"""A browser posts its offer itself, with a key that lasts for a minute."""


@attrs.frozen
class CallAsked:
    """One request, as it was answered. `verb`: offer, accept, reject, refer or hangup; `said`: its body."""

    at_s: float
    verb: str
    call_id: str
    status: int
    said: Mapping[str, Any] = MappingProxyType({})


@attrs.frozen
class CallAnswer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})


class CallRefusedError(RemoteError):
    """Answered with a status and an `error` object."""

    def __init__(self, status: int, problem: WireError) -> None:
        super().__init__(problem.message)
        self.status, self.problem = status, problem


class SessionHost(Protocol):
    """Who has the sessions."""

    @property
    def calls(self) -> Mapping[str, object]:
        """Those that go on, by the id of their call."""

    def begin_call(self, call_id: str, model: str, session: Json) -> None:
        """WireError: what is wrong with the session. CallRefusedError: another status than 400."""

    def end_call(self, call_id: str) -> None: ...


class CallDesk:
    """Of one server. `answer` for each request; `ring` for a telephone call that comes in."""

    def __init__(self, settings: ProviderSettings, host: SessionHost, now_s: Callable[[], float]) -> None:
        self.asked: list[CallAsked] = []
        self.ringing: set[str] = set()
        """Telephone calls that nobody has answered."""
        self._settings, self._host, self._now_s = settings, host, now_s
        self._ids = Ids(settings.seed, 0)
        self._verbs: Mapping[str, Callable[[str, Json], None]] = {
            "accept": self._accept, "reject": self._reject, "refer": self._refer, "hangup": self._hang_up
        }  # fmt: skip

    def ring(self) -> str:
        """A telephone call comes in. Its id."""
        call_id = self._ids.rtc()
        self.ringing.add(call_id)
        return call_id

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> CallAnswer:
        """`headers`: names in lower case."""
        call_id, verb = _place(path)
        if method == "OPTIONS":
            return CallAnswer(204, headers=CORS)
        said: Json = {}
        try:
            if (
                method != "POST"
                or verb is None
                or (verb != "offer" and verb not in self._verbs)
                or self._settings.server is not None
            ):
                raise CallRefusedError(404, WireError("not_found", f"Invalid URL ({method} {path})"))
            if not has_key(headers, self._settings):
                raise CallRefusedError(401, errors.invalid_api_key())
            if verb == "offer":
                sdp, said = _offer_of(headers, body)
                call_id = self._ids.rtc()
                answer = self._offered(call_id, sdp, said, parse_qs(query).get("model", [""])[0])
            else:
                said = _object(body, verb)
                self._verbs[verb](call_id, said)
                answer = CallAnswer(200, headers=CORS)
        except WireError as problem:
            answer = _refused(CallRefusedError(400, problem))
        except CallRefusedError as refused:
            answer = _refused(refused)
        self.asked.append(CallAsked(self._now_s(), verb or "", call_id, answer.status, said))
        return answer

    def _offered(self, call_id: str, sdp: str, session: Json, model: str) -> CallAnswer:
        try:
            described = answer_to(sdp, call_id)
        except SdpError as error:
            raise CallRefusedError(400, WireError("invalid_offer", str(error))) from None
        self._host.begin_call(call_id, self._model(session, model), session)
        location = {"location": f"{PATH}/{call_id}", **CORS}
        return CallAnswer(201, described.encode(), "application/sdp", location)

    def _model(self, session: Json, asked: str) -> str:
        known = self._settings.models
        model = str(session.get("model") or asked or (known[0] if known else "gpt-realtime"))
        if known and model not in known:
            raise errors.invalid_model(model)
        return model

    def _accept(self, call_id: str, session: Json) -> None:
        if call_id in self._host.calls:
            raise CallRefusedError(409, WireError("call_already_accepted", "The call has been accepted already."))
        self._must_ring(call_id)
        self._host.begin_call(call_id, self._model(session, ""), session)
        self.ringing.discard(call_id)

    def _reject(self, call_id: str, said: Json) -> None:
        status = said.get("status_code", DECLINED)
        if not isinstance(status, int) or not 300 <= status <= 699:
            raise errors.out_of_range("status_code", 300, 699, status if isinstance(status, int) else 0)
        self._must_ring(call_id)
        self.ringing.discard(call_id)

    def _refer(self, call_id: str, said: Json) -> None:
        target = said.get("target_uri")
        if not isinstance(target, str) or not target:
            raise errors.missing_parameter("target_uri")
        self._must_go_on(call_id)
        self._host.end_call(call_id)

    def _hang_up(self, call_id: str, _said: Json) -> None:
        self._must_go_on(call_id)
        self._host.end_call(call_id)

    def _must_ring(self, call_id: str) -> None:
        if call_id not in self.ringing:
            raise _unknown(call_id)

    def _must_go_on(self, call_id: str) -> None:
        if call_id not in self._host.calls:
            raise _unknown(call_id)


def _unknown(call_id: str) -> CallRefusedError:
    return CallRefusedError(404, WireError("call_id_not_found", f"No session found for call_id '{call_id}'"))


def _place(path: str) -> tuple[str, str | None]:
    """The id of the call and what is asked; None: nothing here."""
    parts = path.removeprefix(PATH).split("/") if path.startswith(PATH) else ()
    if tuple(parts) in ((), ("",)):
        return "", "offer" if parts else None
    return (parts[1], parts[2]) if len(parts) == 3 and not parts[0] else ("", None)


def _object(body: bytes, verb: str) -> Json:
    if not body and verb in ("reject", "hangup"):
        return {}
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise WireError("invalid_json", "We could not parse the JSON body of your request.")
    return said


def _offer_of(headers: Mapping[str, str], body: bytes) -> tuple[str, Json]:
    """The SDP and the session: the body alone, or the fields `sdp` and `session` of a form."""
    kind = headers.get("content-type", "")
    media_type = kind.partition(";")[0].strip().lower()
    if media_type == "application/sdp":
        return body.decode(errors="replace"), {}
    if media_type != "multipart/form-data":
        raise CallRefusedError(415, WireError("unsupported_content_type", f"Unsupported content type: '{media_type}'."))
    fields = _form(kind, body)
    if "sdp" not in fields:
        raise errors.missing_parameter("sdp")
    return fields["sdp"].decode(errors="replace"), _object(fields.get("session", b"{}"), "session")


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    head = f"content-type: {content_type}\r\n\r\n".encode(errors="replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    parts: Sequence[Any] = list(message.iter_parts()) if message.is_multipart() else []
    return {
        str(part.get_param("name", "", "content-disposition")): part.get_payload(decode=True) or b"" for part in parts
    }


def _refused(refused: CallRefusedError) -> CallAnswer:
    problem = refused.problem
    error = {"message": problem.message, "type": problem.type, "param": problem.param, "code": problem.code}
    return CallAnswer(refused.status, orjson.dumps({"error": error}), headers=CORS)
