"""What Twilio asks when a call comes in, and our answer: TwiML that streams the call to us. Plain values, no server.

The number's webhook points here, by POST or GET. Parameters of one's own in the webhook's URL (`/twiml?agent=sales`)
go along to the call as variables; their names begin in lower case, as none of Twilio's does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import attrs
import structlog

from adapters.lines.twilio import twiml
from adapters.lines.twilio.gate import TOKEN, Gate, TwilioRefusal
from adapters.lines.twilio.protocol import PARAMETER_MAX_CHARS
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.signature import HEADER

log = structlog.get_logger(__name__)

BODY_MAX_BYTES: Final = 65_536
FIELDS_MAX: Final = 200
"""Of Twilio's form there are about forty."""

CALLER: Final = "From"
DIALLED: Final = "To"
_ALONG: Final = (CALLER, DIALLED, "ForwardedFrom", "CallerName", "Direction")
"""What of Twilio's own fields goes along to the call."""
_OWN_NAME: Final = re.compile(r"[a-z][A-Za-z0-9_.-]{0,63}")
_OWN_MAX: Final = 32
_CALL_SID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ERRORS: Final[Mapping[int, str]] = {400: "bad_request", 403: "refused", 405: "method_not_allowed"}
_JSON: Final = "application/json"
_CURE: Final = (
    "the signature covers the URL as Twilio sees it: twilio.public_url and the path must be what stands in the "
    "number's webhook, and twilio.auth_token must be the primary one of the account"
)


@attrs.frozen(kw_only=True)
class HttpRequest:
    """`url` from the path on, as it came; names of headers in lower case; `form` of a POST, decoded, in order."""

    method: str
    url: str
    headers: Mapping[str, str]
    form: Sequence[tuple[str, str]] = ()


@attrs.frozen
class HttpResponse:
    status: int
    content_type: str
    body: bytes


def form_of(body: bytes) -> tuple[tuple[str, str], ...]:
    """A form's fields from a request's body. ValueError: too long, or too many."""
    if len(body) > BODY_MAX_BYTES:
        raise ValueError(f"a form of more than {BODY_MAX_BYTES} bytes")
    text = body.decode("utf-8", "surrogateescape")
    return tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="surrogateescape"))


class Webhook:
    """`answer` for each request. `is_full`: asked before a call is taken; what it says is why it is not."""

    def __init__(self, settings: TwilioSettings, gate: Gate, is_full: Callable[[], str | None] = lambda: None) -> None:
        self._settings = settings
        self._gate = gate
        self._is_full = is_full

    def answer(self, request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "POST"):
            return _problem(405, "Twilio asks by POST or GET", "set the number's webhook to POST")
        form = request.form if request.method == "POST" else ()
        if why := self._gate.check_request(request.url, request.headers.get(HEADER, ""), form):
            self._log(why)
            return _problem(403, "the signature is not that of this request", _CURE)
        try:
            query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError:
            return self._bad("more parameters than Twilio has")
        fields = dict(query) | dict(form)
        call_sid = fields.get("CallSid", "")
        if not _CALL_SID.fullmatch(call_sid):
            return self._bad("there is no CallSid")
        if why := self._gate.check_account(fields.get("AccountSid", "")):
            self._log(why)
            return _problem(403, "this call is of another account", "compare twilio.account_sid with the console")
        if full := self._is_full():
            self._gate.refuse(TwilioRefusal.TOO_MANY)
            log.warning("twilio_call_rejected", call_id=call_sid, why=full)
            return _twiml(twiml.reject())
        along = self._along(fields, query, call_sid) | {TOKEN: self._gate.issue(call_sid)}
        return _twiml(twiml.stream(self._settings.stream_url, along))

    def _along(self, fields: Mapping[str, str], query: Sequence[tuple[str, str]], call_sid: str) -> dict[str, str]:
        own = [(name, value) for name, value in query if _OWN_NAME.fullmatch(name) and name != TOKEN]
        found = {name: fields[name] for name in _ALONG if fields.get(name)} | dict(own[:_OWN_MAX])
        fit = {name: value for name, value in found.items() if len(name) + len(value) < PARAMETER_MAX_CHARS}
        if len(fit) < len(found) or len(own) > _OWN_MAX:
            log.warning("twilio_parameters_dropped", call_id=call_sid, names=sorted(set(dict(own)) - set(fit)))
        return fit

    def _bad(self, why: str) -> HttpResponse:
        self._gate.refuse(TwilioRefusal.BAD_REQUEST)
        return _problem(400, why, "this address is for the webhook of a Twilio number")

    def _log(self, why: TwilioRefusal) -> None:
        count = self._gate.refused[why]
        if count & (count - 1) == 0:  # 1st, 2nd, 4th, ...: whoever knocks does it often
            log.warning("twilio_request_refused", why=why, count=count)


def _twiml(text: str) -> HttpResponse:
    return HttpResponse(200, twiml.CONTENT_TYPE, text.encode("utf-8"))


def _problem(status: int, cause: str, cure: str) -> HttpResponse:
    error = _ERRORS[status]
    return HttpResponse(status, _JSON, json.dumps({"error": error, "cause": cause, "cure": cure}).encode("ascii"))
