"""The `twilio` section: what it becomes, what stands for a key that is absent, and every way to get it wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from adapters.lines.twilio.settings import TwilioSettings
from adapters.settings.config import Settings, load_settings
from fsm.language.problem import Problem, SpecError

TOKEN = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {"OPENAI_API_KEY": "k", "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": TOKEN}
LISTEN = "listen: {twilio: '127.0.0.1:9021'}\n"
URL = "twilio: {public_url: https://agent.example.com}\n"


def loaded(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(text)
    return load_settings(path, environment)


def found(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    return [(f"{each.place.line}:{each.place.column}", each.code) for each in problems]


def test_nothing_listens_for_twilio_unless_it_is_said(tmp_path: Path) -> None:
    assert loaded(tmp_path, "spec: server_vad").twilio is None


def test_every_key(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "listen: {twilio: '[::1]:9100'}\nlimits: {calls: 7, handshake_s: 3, hang_up_s: 4}\n"
        "twilio: {public_url: 'https://a.example/x/', path: /in, account_sid: AC2, auth_token: '${T}', lead_ms: 300,"
        " token_s: 30}\n",
        {**ENVIRONMENT, "T": "another"},
    )
    assert settings.twilio == TwilioSettings(
        host="::1", port=9100, public_url="https://a.example/x", path="/in", account_sid="AC2", auth_token="another",
        lead_ms=300, token_lifetime_s=30, max_connections=7, start_deadline_s=3, hang_up_deadline_s=4,
    )  # fmt: skip
    assert settings.twilio.stream_url == "wss://a.example/x/in"
    assert "another" in settings.secrets
    assert "another" not in repr(settings)


def test_the_environment_stands_for_the_account(tmp_path: Path) -> None:
    settings = loaded(tmp_path, LISTEN + URL)
    assert settings.twilio == TwilioSettings(
        public_url="https://agent.example.com", account_sid="AC1", auth_token=TOKEN
    )
    assert TOKEN in settings.secrets


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        (LISTEN, "1:1", "missing", "'twilio.public_url' is missing"),
        (LISTEN + "twilio: {public_url: agent.example.com}", "2:22", "twilio", "twilio.public_url: an address like"),
        (LISTEN + "twilio: {public_url: 'https://a.example', path: audio}", "2:49", "twilio", "twilio.path: a path"),
        (
            LISTEN + "twilio: {public_url: 'https://a.example', account_sid: A C}",
            "2:56",
            "twilio",
            "twilio.account_sid",
        ),
        (LISTEN + "twilio: {public_url: 'https://a.example', lead_ms: 10}", "2:52", "type", "from 40 to 2000"),
        (LISTEN + "twilio: {public_url: 'https://a.example', token_s: 900}", "2:52", "type", "from 5 to 600"),
        (LISTEN + "twilio: {public_uri: 'https://a.example'}", "2:10", "unknown-key", "did you mean 'public_url'?"),
        ("listen: {twilio: 9021}\n" + URL, "1:18", "type", "listen.twilio: a text is expected"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, place: str, code: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, text)
    assert (place, code) in found(caught.value.problems)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"])
def test_an_account_that_is_not_said_is_missed_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match=f"is missing, and {name} is not set") as caught:
        loaded(tmp_path, LISTEN + URL, {**ENVIRONMENT, name: ""})
    assert len(list(caught.value.problems)) == 1


def test_no_problem_shows_the_token(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="auth_token") as caught:
        loaded(tmp_path, LISTEN + URL, {**ENVIRONMENT, "TWILIO_AUTH_TOKEN": f"{TOKEN} x"})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        (URL, "1:9", "unused"),
        (LISTEN + "twilio: {public_url: 'http://agent.example.com'}\nhttp: {listen: 9080}", "2:22", "clear-text"),
    ],
)
def test_what_works_and_is_seldom_meant_is_a_warning(tmp_path: Path, text: str, place: str, code: str) -> None:
    assert found(loaded(tmp_path, text).warnings) == [(place, code)]


def test_a_server_of_ones_own_machine_may_do_without_tls(tmp_path: Path) -> None:
    settings = loaded(tmp_path, LISTEN + "twilio: {public_url: 'http://127.0.0.1:9021'}\nhttp: {listen: 9080}")
    assert settings.warnings == ()
    assert settings.twilio is not None
    assert settings.twilio.stream_url == "ws://127.0.0.1:9021/audio"
