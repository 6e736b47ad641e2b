"""A telephone call that has come to the provider: its webhook, checked before it is read. Plain values, no server.

Signed as Standard Webhooks has it: HMAC-SHA256 over `id.timestamp.body`, headers `webhook-id`, `webhook-timestamp`,
`webhook-signature` (`v1,BASE64`, several after a change of the secret). A delivery that comes late is refused, and one
that comes again is the same call. Source: docs/facts/realtime_api.md section 6, docs/facts/gpt_live.md section 7.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import attrs
import orjson
import structlog

log = structlog.get_logger(__name__)

BODY_MAX_BYTES: Final = 65_536
TOLERANCE_S: Final = 300.0
IDS_KEPT: Final = 10_000
INCOMING: Final = "realtime.call.incoming"
FOREIGN: Final = frozenset({"live.transport.incoming", "live.call.incoming"})
"""The newer and the older name of a protocol's whose sessions cannot be attached to (docs/sideband.md, GPT-Live)."""

_CALL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_ID_CHARS: Final = 200
_HEADERS_MAX: Final = 64
_VALUE_CHARS: Final = 1_000


class WebhookRefusal(StrEnum):
    """Why a delivery begins no call."""

    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    LATE = "late"
    REPEATED = "repeated"
    BAD_BODY = "bad_body"
    OTHER_EVENT = "other_event"
    OTHER_PROTOCOL = "other_protocol"
    """A telephone call for sessions that cannot be attached to."""


@attrs.frozen
class IncomingSipCall:
    """`headers` are the caller's own words (names in lower case, the first of each): nothing of them can be trusted."""

    call_id: str
    headers: Mapping[str, str]


class SipWebhook:
    """`take` for each delivery. `now_s`: the time of day. `secrets`: one, or several while it is changed; ValueError:
    one of them is none."""

    def __init__(self, secrets: str | Iterable[str], now_s: Callable[[], float] = time.time) -> None:
        self.refused: Counter[WebhookRefusal] = Counter()
        self._keys = [signing_key(each) for each in ([secrets] if isinstance(secrets, str) else secrets)]
        self._now_s = now_s
        self._seen: OrderedDict[str, float] = OrderedDict()

    def take(self, headers: Mapping[str, str], body: bytes) -> IncomingSipCall | WebhookRefusal:
        """`headers`: names in lower case. What is refused is counted."""
        taken = self._checked(headers, body) or self._read(headers["webhook-id"], body)
        return self.refuse(taken) if isinstance(taken, WebhookRefusal) else taken

    def refuse(self, why: WebhookRefusal) -> WebhookRefusal:
        """Counts it; the 1st, 2nd, 4th, ... is logged: whoever knocks does it often."""
        count = self.refused[why] = self.refused[why] + 1
        if count & (count - 1) == 0:
            log.warning("sideband_delivery_refused", why=why.value, count=count)
        return why

    def _checked(self, headers: Mapping[str, str], body: bytes) -> WebhookRefusal | None:
        identity, at, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
        if not (0 < len(identity) <= _ID_CHARS and given and at.isascii() and at.isdecimal() and len(at) <= 12):
            return WebhookRefusal.UNSIGNED
        if len(body) > BODY_MAX_BYTES:
            return WebhookRefusal.BAD_BODY
        signed = f"{identity}.{at}.".encode("utf-8", "surrogateescape") + body
        wanted = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in self._keys]
        fits = [_is_equal(each, one) for each in given.split()[:10] for one in wanted]
        if not any(fits):
            return WebhookRefusal.BAD_SIGNATURE
        return WebhookRefusal.LATE if abs(self._now_s() - int(at)) > TOLERANCE_S else None

    def _read(self, identity: str, body: bytes) -> IncomingSipCall | WebhookRefusal:
        try:
            event = orjson.loads(body)
        except orjson.JSONDecodeError:
            return WebhookRefusal.BAD_BODY
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            return WebhookRefusal.BAD_BODY
        if event["type"] in FOREIGN:
            return WebhookRefusal.OTHER_PROTOCOL
        if event["type"] != INCOMING:
            return WebhookRefusal.OTHER_EVENT
        data = event.get("data")
        if not isinstance(data, dict):
            return WebhookRefusal.BAD_BODY
        call_id = data.get("call_id")
        if not (isinstance(call_id, str) and _CALL_ID.fullmatch(call_id)):
            return WebhookRefusal.BAD_BODY
        if self._is_repeated(identity):
            return WebhookRefusal.REPEATED
        return IncomingSipCall(call_id, _sip_headers(data.get("sip_headers")))

    def _is_repeated(self, identity: str) -> bool:
        """Ids are kept for as long as a delivery could come again in time: after that it is late."""
        now_s = self._now_s()
        while self._seen and (next(iter(self._seen.values())) < now_s - 2 * TOLERANCE_S or len(self._seen) >= IDS_KEPT):
            self._seen.popitem(last=False)
        if identity in self._seen:
            return True
        self._seen[identity] = now_s
        return False


def signing_key(secret: str) -> bytes:
    """Of a secret as the provider shows it. ValueError, which does not quote it."""
    try:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < 16:
        raise ValueError("webhook_secret: is not whsec_ and base64 of at least 16 bytes")
    return key


def _is_equal(given: str, wanted: bytes) -> bool:
    version, _, text = given.partition(",")
    return version == "v1" and hmac.compare_digest(text.encode("utf-8", "surrogateescape"), wanted)


def _sip_headers(said: object) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for each in said[:_HEADERS_MAX] if isinstance(said, list) else ():
        name, value = (each.get("name"), each.get("value")) if isinstance(each, dict) else (None, None)
        if isinstance(name, str) and isinstance(value, str) and _HEADER_NAME.fullmatch(name):
            found.setdefault(name.lower(), "".join(c for c in value[:_VALUE_CHARS] if c.isprintable()))
    return MappingProxyType(found)
