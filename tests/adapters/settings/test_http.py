"""The `http` section: the door's address, token, certificate and bounds, and what is wrong with them."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.settings.config import load_settings
from adapters.settings.http import HttpSettings
from fsm.language.problem import SpecError
from tests.tls import make_certificate

ENVIRONMENT = {"OPENAI_API_KEY": "sk-1234567890", "DOOR": "0123456789abcdef0123"}
TWILIO = "twilio: {public_url: https://agent.example.com, account_sid: AC1, auth_token: '0123456789abcdef'}\n"


def loaded(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Any:
    path = folder / "turnspec.yaml"
    path.write_text(text)
    return load_settings(path, environment)


def test_there_is_no_door_unless_it_is_asked_for(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "spec: server_vad")
    assert settings.http is None and settings.warnings == ()


@pytest.mark.parametrize("where", ["9080", "127.0.0.1:9080", "localhost:9080", "'9080'"])
def test_on_the_loopback_a_port_is_enough(tmp_path: Path, where: str) -> None:
    settings = loaded(tmp_path, f"http: {{listen: {where}}}")
    host = "localhost" if "local" in where else "127.0.0.1"
    assert settings.http == HttpSettings(host=host, port=9080) and settings.warnings == ()


def test_every_key(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    text = (
        f"http: {{listen: '[::]:9443', token_env: DOOR, connections: 7, requests_per_s: 3, body_bytes: 2048,"
        f" tls: {{certificate: {certificate.path.name}, key: {certificate.key.name}}}}}"
    )
    settings = loaded(tmp_path, text)
    http = settings.http
    assert (http.host, http.port, http.token) == ("::", 9443, ENVIRONMENT["DOOR"])
    assert (http.connections, http.requests_per_s, http.body_bytes) == (7, 3.0, 2048)
    assert http.tls is not None and settings.warnings == ()
    assert ENVIRONMENT["DOOR"] in settings.secrets and ENVIRONMENT["DOOR"] not in repr(settings)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("http: {listen: 0.0.0.0:9080}", "open-port", "beyond the loopback a token is required"),
        ("http: {listen: 9080, token_env: NONE}", "environment", "the environment variable NONE is not set"),
        ("http: {listen: 9080, token_env: SHORT}", "short-token", "less than 16 characters"),
        ("http: {listen: 9080, token_env: ODD}", "token", "a character that no header may hold"),
        ("http: {listen: 9080, token_env: 'sk-a-b'}", "name", "the name of an environment variable is expected"),
        ("http: {listen: nowhere}", "address", "host:port is expected"),
        ("http: {listen: 70000}", "type", "http.listen"),
        ("http: {listen: 9080, tls: {certificate: a.pem}}", "missing", "'key:' is missing"),
        ("http: {listen: 9080, tls: {certificate: a.pem, key: b}}", "tls", "No such file or directory"),
        ("http: {listen: 9080, connections: 0}", "type", "from 1 to 10000"),
        ("http: {listen: 9080, body_bytes: 10}", "type", "from 1024 to 1048576"),
    ],
)
def test_what_is_wrong_is_named_and_no_token_quoted(tmp_path: Path, text: str, code: str, words: str) -> None:
    environment = {**ENVIRONMENT, "SHORT": "0123abcd", "ODD": "0123456789 0123456789"}
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, text, environment)
    said = str(caught.value)
    assert f"error[{code}]" in said and words in said
    assert "0123abcd" not in said and "0123456789 " not in said


def test_a_key_with_a_passphrase_is_an_error_and_not_a_question(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    locked = ["openssl", "pkcs8", "-topk8", "-in", str(made.key), "-passout", "pass:secret"]
    made.key.write_bytes(subprocess.run(locked, check=True, capture_output=True).stdout)
    with pytest.raises(SpecError, match="the key has a passphrase"):
        loaded(tmp_path, f"http: {{listen: 9080, tls: {{certificate: {made.path.name}, key: {made.key.name}}}}}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http: {connections: 3}", "unused"),
        ("http: {listen: 10.0.0.1:9080, token_env: DOOR}", "clear-text"),
        ("listen: {twilio: 127.0.0.1:9021}\n" + TWILIO, "no-webhook"),
    ],
)
def test_what_is_odd_is_a_warning(tmp_path: Path, text: str, code: str) -> None:
    assert [each.code for each in loaded(tmp_path, text).warnings] == [code]


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    with pytest.raises(SpecError, match="the door needs uvicorn, which is not installed") as caught:
        loaded(tmp_path, "http: {listen: 9080}")
    assert "install turnspec[http]" in str(caught.value)
