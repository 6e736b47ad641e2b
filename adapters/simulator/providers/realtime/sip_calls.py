"""A telephone call comes to the provider: its webhook, as it is signed and sent, or as it should not be.

Signed as Standard Webhooks has it: HMAC-SHA256 over `id.timestamp.body`. Source: docs/facts/realtime_api.md section 6
and gpt_live.md section 7 (the older and the newer name of GPT-Live's); ids of deliveries and events are made up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

import attrs
import orjson

RINGS: Final = ("realtime.call.incoming", "live.transport.incoming", "live.call.incoming")
"""What a provider calls it: Realtime; GPT-Live, newer and older."""
SipHeaders: TypeAlias = Sequence[tuple[str, str]]
SIP_HEADERS: Final[SipHeaders] = (("From", "sip:+15551234@sip.example"), ("To", "sip:proj_1@sip.example"))
Flaw: TypeAlias = Literal["", "unsigned", "forged", "late", "repeated"]
FLAWS: Final[Sequence[Flaw]] = get_args(Flaw)
LATE_S: Final = 900
DEADLINE_S: Final = 5.0


@attrs.frozen(kw_only=True)
class SipCall:
    """What the caller's INVITE says. `headers`: names and values in its own order, e.g. ("From", "sip:+49@example")."""

    call_id: str
    headers: SipHeaders = SIP_HEADERS


@attrs.frozen(kw_only=True)
class Delivery:
    """One POST of the webhook."""

    headers: Mapping[str, str]
    body: bytes


def delivery(call: SipCall, secret: str, now_s: float, *, name: str = RINGS[0], flaw: Flaw = "") -> Delivery:
    """`secret`: `whsec_` and base64. `now_s`: the time of day. What is `repeated` is the same delivery."""
    data = {"call_id": call.call_id, "sip_headers": [{"name": each, "value": value} for each, value in call.headers]}
    event = {"object": "event", "id": f"evt_{call.call_id}", "type": name, "created_at": int(now_s), "data": data}
    body = orjson.dumps(event)
    at_s = int(now_s) - (LATE_S if flaw == "late" else 0)
    identity = f"wh_{call.call_id}"
    signature = "" if flaw == "unsigned" else _signature(secret, f"{identity}.{at_s}.".encode() + body)
    if flaw == "forged":
        signature = _signature(base64.b64encode(b"another secret of somebody's").decode(), body)
    signed = {"webhook-signature": f"v1,{signature}"} if signature else {}
    headers = {"content-type": "application/json", "webhook-id": identity, "webhook-timestamp": str(at_s), **signed}
    return Delivery(headers=headers, body=body)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


async def deliver(url: str, sent: Delivery, *, times: int = 1) -> list[int]:
    """The statuses of the answers; 0: there was none in time. ImportError: no httpx2, which extras bring."""
    import httpx2

    statuses = []
    async with httpx2.AsyncClient(timeout=DEADLINE_S) as client:
        for _ in range(times):
            try:
                answer = await client.post(url, content=sent.body, headers=dict(sent.headers))
                statuses.append(answer.status_code)
            except httpx2.HTTPError:
                statuses.append(0)
    return statuses
