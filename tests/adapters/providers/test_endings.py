"""Fatal or worth another attempt."""

from __future__ import annotations

import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI, PayloadTooBig
from websockets.http11 import Response

from adapters.providers import endings
from adapters.providers.endings import OPENAI
from adapters.providers.provider import ConnectionEnding
from adapters.providers.realtime.protocol import fatal_error


@pytest.mark.parametrize(
    ("code", "reason", "fatal"),
    [
        (1000, "", False),
        (1001, "Your session hit the maximum duration of 60 minutes.", False),
        (1005, "", False),
        (1011, "", False),
        (1012, "", False),
        (1013, "", False),
        (1011, "insufficient_quota: You exceeded your current quota", True),
        (3000, "invalid_request_error.invalid_api_key", True),
        (4000, "invalid_request_error.beta_api_shape_disabled", True),
        (4000, "invalid_request_error.missing_model", True),
        (4004, "invalid_request_error.model_not_found", True),
        (3000, "", True),
        (4000, "", True),
        (4004, "", True),
        (4999, "", False),
    ],
)
def test_closes(code: int, reason: str, fatal: bool) -> None:
    assert endings.of_close(code, reason, OPENAI) == ConnectionEnding(code, reason, fatal)


def test_a_reason_is_one_line_without_keys() -> None:
    ending = endings.of_close(1008, "Incorrect API key provided: sk-proj-abc***xyz.\nek_123", OPENAI)
    assert ending.reason == "Incorrect API key provided: [key] [key]"


def test_breaks_are_retryable() -> None:
    assert endings.of_break(None, "") == ConnectionEnding(1006, "connection lost", False)
    assert (
        endings.of_break(ConnectionResetError(104, "Connection reset by peer"), "").reason == "Connection reset by peer"
    )
    assert endings.of_break(TimeoutError(), "keepalive ping timeout").reason == "keepalive ping timeout"
    assert endings.of_break(PayloadTooBig(9, 8), "x").reason == "message over the size limit"


def refused(status: int, body: bytes = b"") -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers(), body))


@pytest.mark.parametrize(
    ("error", "reason", "fatal"),
    [
        (refused(301), "http 301", True),
        (refused(400), "http 400", True),
        (refused(401, b'{"error":{"code":"invalid_api_key","message":"sk-x"}}'), "http 401 invalid_api_key", True),
        (refused(403, b"<html>"), "http 403", True),
        (refused(404, b"[]"), "http 404", True),
        (refused(408), "http 408", False),
        (refused(429), "http 429", False),
        (refused(429, b'{"error":{"code":"insufficient_quota"}}'), "http 429 insufficient_quota", True),
        (refused(500, b'{"error":{"code":"Bearer sk-x"}}'), "http 500", False),
        (refused(503, b'{"error":7}'), "http 503", False),
        (TimeoutError("wss://secret"), "no connection within the deadline", False),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused", False),
        (OSError("Multiple exceptions: [Errno 111] ..."), "OSError", False),
        (EOFError("x"), "not a WebSocket conversation: EOFError", False),
        (InvalidMessage("x"), "not a WebSocket conversation: InvalidMessage", False),
        (InvalidHandshake("x"), "not a WebSocket conversation: InvalidHandshake", False),
        (InvalidURI("wss://h?key=s", "bad"), "not a WebSocket conversation: InvalidURI", True),
        (ssl.SSLError(1, "wrong version number"), "SSLError", False),
        (RuntimeError("anything"), "RuntimeError", False),
    ],
    ids=str,
)
def test_failures_to_open(error: Exception, reason: str, fatal: bool) -> None:
    is_missing = "404" in reason
    assert endings.of_failed_open(error, OPENAI) == ConnectionEnding(None, reason, fatal, is_missing)


def test_a_certificate_that_is_not_accepted_stays_so() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    assert endings.of_failed_open(error, OPENAI) == ConnectionEnding(
        None, "certificate not accepted: self-signed certificate", True
    )


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "error", "error": {"code": "insufficient_quota"}}, "insufficient_quota"),
        ({"type": "error", "error": {"code": "response_cancel_not_active"}}, None),
        ({"type": "error", "error": {"code": ["insufficient_quota"]}}, None),
        ({"type": "error", "error": "insufficient_quota"}, None),
        ({"type": "error"}, None),
        (
            {"type": "response.done", "response": {"status_details": {"error": {"code": "account_deactivated"}}}},
            "account_deactivated",
        ),
        ({"type": "response.done", "response": {"status_details": "unimplemented"}}, None),
        ({"type": "response.done", "response": None}, None),
        ({"type": "other", "error": {"code": "insufficient_quota"}}, None),
    ],
)
def test_errors_that_retrying_cannot_mend(event: dict[str, object], code: str | None) -> None:
    assert fatal_error(event) == code
