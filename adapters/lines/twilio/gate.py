"""Who may come in at Twilio's line: signatures, and one token for one stream of one call. Counts whom it refuses.

The signature of a WebSocket's upgrade covers nothing but our own URL, so it is the same for every call, for ever:
whoever has seen one can show it again. What makes a stream this call's is the token that the signed TwiML gives along,
as a `<Parameter>`: an HMAC over the call's id and a time, so that any process with the same secret knows it without
having made it. It is good for one stream, within its lifetime; the process that has served it knows that it was used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.signature import Form, is_signed

TOKEN: Final = "turnspec_token"
"""The name of the `<Parameter>`."""

_TOKEN: Final = re.compile(r"([0-9a-f]{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
_KEY_OF: Final = b"turnspec: the token of a Twilio stream"


class TwilioRefusal(StrEnum):
    """Why a request or a stream was refused."""

    BAD_SIGNATURE = "bad_signature"
    OTHER_ACCOUNT = "other_account"
    NO_TOKEN = "no_token"
    BAD_TOKEN = "bad_token"
    EXPIRED_TOKEN = "expired_token"
    REPLAYED = "replayed"
    SECOND_STREAM = "second_stream"
    BAD_REQUEST = "bad_request"
    BAD_START = "bad_start"
    NO_START = "no_start"
    TOO_MANY = "too_many"
    CLOSING = "server_closing"


class Gate:
    """Shared by the webhook and the streams of a process. `now_s`: the time of day, which other processes share."""

    def __init__(self, settings: TwilioSettings, now_s: Callable[[], float] = time.time) -> None:
        self.refused: Counter[TwilioRefusal] = Counter()
        self._settings = settings
        self._now_s = now_s
        self._key = hmac.new(settings.auth_token.encode(), _KEY_OF, hashlib.sha256).digest()
        self._used: dict[str, float] = {}  # token: when it expires

    def refuse(self, why: TwilioRefusal) -> TwilioRefusal:
        """Counts it."""
        self.refused[why] += 1
        return why

    def check_request(self, path_and_query: str, given: str, form: Form) -> TwilioRefusal | None:
        """Of the webhook: the URL as it came to us, from the path on."""
        return self._checked(given, self._settings.public_url + path_and_query, form)

    def check_upgrade(self, given: str) -> TwilioRefusal | None:
        return self._checked(given, self._settings.stream_url, ())

    def check_account(self, account_sid: str) -> TwilioRefusal | None:
        return None if account_sid == self._settings.account_sid else self.refuse(TwilioRefusal.OTHER_ACCOUNT)

    def issue(self, call_sid: str) -> str:
        """A new token for a stream of this call."""
        expires = f"{int(self._now_s() + self._settings.token_lifetime_s):x}"
        nonce = secrets.token_urlsafe(16)
        return f"{expires}.{nonce}.{self._mac(call_sid, expires, nonce)}"

    def redeem(self, token: str, call_sid: str) -> TwilioRefusal | None:
        """None: it is this call's, in time and not used, and is used from now on."""
        if not token:
            return self.refuse(TwilioRefusal.NO_TOKEN)
        parts = _TOKEN.fullmatch(token)
        if parts is None or not hmac.compare_digest(self._mac(call_sid, parts[1], parts[2]), parts[3]):
            return self.refuse(TwilioRefusal.BAD_TOKEN)
        expires_s, now_s = float(int(parts[1], 16)), self._now_s()
        if expires_s < now_s:
            return self.refuse(TwilioRefusal.EXPIRED_TOKEN)
        if token in self._used:
            return self.refuse(TwilioRefusal.REPLAYED)
        self._forget_expired(now_s)
        if len(self._used) >= self._settings.tokens_kept:
            return self.refuse(TwilioRefusal.TOO_MANY)
        self._used[token] = expires_s
        return None

    def _checked(self, given: str, url: str, form: Form) -> TwilioRefusal | None:
        signed = is_signed(self._settings.auth_token, given, url, form)
        return None if signed else self.refuse(TwilioRefusal.BAD_SIGNATURE)

    def _mac(self, call_sid: str, expires: str, nonce: str) -> str:
        digest = hmac.new(self._key, f"{call_sid} {expires} {nonce}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")

    def _forget_expired(self, now_s: float) -> None:
        """From the oldest on, in the order of use: one that expires before an older one is kept as long as that."""
        while self._used and self._used[oldest := next(iter(self._used))] < now_s:
            del self._used[oldest]
