"""How a connection ended or did not begin, and whether to try again. Never a socket, a retry, a secret.

Fatal is what another attempt cannot repair: the key, the account, the model, the address. Everything unknown is
retryable: attempts are bounded elsewhere, and a call given up for nothing cannot be taken back.
Source: docs/facts/realtime_api.md section 4.
"""

from __future__ import annotations

import re
import ssl
from typing import Final

import attrs
import orjson
from websockets.exceptions import InvalidStatus, InvalidURI, PayloadTooBig, WebSocketException

from adapters.providers.json_wire import object_of
from adapters.providers.provider import ConnectionEnding


@attrs.frozen(kw_only=True)
class FatalEnds:
    """What of a provider another attempt would meet again: codes of close frames, and codes of its errors."""

    closes: frozenset[int]
    errors: frozenset[str]

    def error_of(self, error: object) -> str | None:
        """The code of an error object that a retry cannot repair."""
        code = object_of(error).get("code")
        return code if isinstance(code, str) and code in self.errors else None


OPENAI: Final = FatalEnds(
    closes=frozenset({3000, 4000, 4004}),
    errors=frozenset(
        {
            "account_deactivated",
            "beta_api_shape_disabled",
            "billing_hard_limit_reached",
            "insufficient_quota",
            "invalid_api_key",
            "invalid_model",
            "missing_model",
            "model_not_found",
        }
    ),
)
"""Of both its protocols, Realtime and GPT-Live."""

# Of the 4xx these alone say "not now"; the others, and redirects, say "not like this".
_RETRYABLE_STATUSES: Final = frozenset({408, 425, 429})
_CODE: Final = re.compile(r"[a-z0-9_.]{1,60}")
_KEY: Final = re.compile(r"\b[se]k[-_][\w*.-]+")
_REASON_CHARS: Final = 200


def of_close(code: int, reason: str, fatal_ends: FatalEnds) -> ConnectionEnding:
    """A close frame of the provider; reasons read `<type>.<code>`."""
    fatal = code in fatal_ends.closes or any(error in reason for error in fatal_ends.errors)
    return ConnectionEnding(code, printable(reason), fatal)


def of_break(exc: BaseException | None, told_peer: str) -> ConnectionEnding:
    """A wire that broke without a close frame of theirs. `told_peer`: the reason of the close frame we sent."""
    if isinstance(exc, PayloadTooBig):
        return ConnectionEnding(1006, "message over the size limit", False)
    return ConnectionEnding(1006, printable(told_peer) or (_of_exception(exc) if exc else "connection lost"), False)


def of_failed_open(exc: BaseException, fatal_ends: FatalEnds) -> ConnectionEnding:
    """An attempt that did not become a connection. Texts of exceptions stay out: they may quote the URL."""
    if isinstance(exc, InvalidStatus):
        return _of_status(exc.response.status_code, bytes(exc.response.body or b""), fatal_ends)
    if isinstance(exc, TimeoutError):
        return ConnectionEnding(None, "no connection within the deadline", False)
    if isinstance(exc, ssl.SSLCertVerificationError):
        return ConnectionEnding(None, f"certificate not accepted: {exc.verify_message}", True)
    return ConnectionEnding(None, _of_exception(exc), isinstance(exc, InvalidURI))


def _of_status(status: int, body: bytes, fatal_ends: FatalEnds) -> ConnectionEnding:
    code = _error_code(body)
    fatal = (300 <= status < 500 and status not in _RETRYABLE_STATUSES) or code in fatal_ends.errors
    return ConnectionEnding(None, f"http {status} {code}".rstrip(), fatal, is_missing=status == 404)


def _error_code(body: bytes) -> str:
    """`error.code` of a JSON body, "" for anything else. Nothing more of it is kept: it may quote the key."""
    try:
        code = object_of(object_of(orjson.loads(body)).get("error")).get("code")
    except orjson.JSONDecodeError:
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _of_exception(exc: BaseException) -> str:
    if isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError):
        return printable(exc.strerror or type(exc).__name__)
    if isinstance(exc, (WebSocketException, EOFError)):
        return f"not a WebSocket conversation: {type(exc).__name__}"
    return type(exc).__name__


def printable(text: str) -> str:
    """A text of the provider as a log line may show it: bounded, one line, without keys."""
    clean = "".join(char if char.isprintable() else " " for char in text[:_REASON_CHARS])
    return _KEY.sub("[key]", clean).strip()
