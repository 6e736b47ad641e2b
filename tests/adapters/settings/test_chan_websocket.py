"""The `chan_websocket` section: what it becomes, and every way to get it wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.settings.config import Settings, load_settings
from fsm.language.problem import Problem, SpecError
from tests.tls import Certificate

TOKEN = "0123456789abcdef"
ENVIRONMENT = {"OPENAI_API_KEY": "k", "MEDIA_TOKEN": TOKEN}
LISTEN = "listen: {chan_websocket: '127.0.0.1:9020'}\n"


def loaded(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(text)
    return load_settings(path, environment)


def found(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    return [(f"{each.place.line}:{each.place.column}", each.code) for each in problems]


def test_nothing_listens_unless_it_is_said(tmp_path: Path) -> None:
    assert loaded(tmp_path, "spec: server_vad").chan_websocket is None


def test_every_key(tmp_path: Path, certificate: Certificate) -> None:
    settings = loaded(
        tmp_path,
        "listen: {chan_websocket: '[::1]:9100', allow: [192.0.2.1]}\n"
        "limits: {calls: 7, handshake_s: 3, hang_up_s: 4, ping_interval_s: 6, ping_timeout_s: 7}\n"
        "chan_websocket: {path: /in, token: '${MEDIA_TOKEN}', lead_ms: 300, answers: true,"
        f" certificate: {certificate.path}, key: {certificate.key},"
        f" asterisk_url: 'wss://a:b@asterisk:8089/media', asterisk_ca: {certificate.path}}}\n",
    )
    line = settings.chan_websocket
    assert line is not None and line.tls is not None and line.asterisk_tls is not None
    assert line == ChanWebSocketSettings(
        host="::1", port=9100, path="/in", tls=line.tls, token=TOKEN, asterisk_url="wss://a:b@asterisk:8089/media",
        asterisk_tls=line.asterisk_tls, lead_ms=300, answers=True, allowed_peers=("192.0.2.1",), max_connections=7,
        handshake_deadline_s=3, hang_up_deadline_s=4, ping_interval_s=6, ping_timeout_s=7,
    )  # fmt: skip
    assert {TOKEN, "wss://a:b@asterisk:8089/media"} <= set(settings.secrets)
    assert TOKEN not in repr(settings) and "a:b@" not in repr(settings)


def test_defaults_of_the_section_are_those_of_the_line(tmp_path: Path) -> None:
    assert loaded(tmp_path, LISTEN).chan_websocket == ChanWebSocketSettings()


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        (
            LISTEN + "chan_websocket: {path: media}",
            "2:18",
            "chan-websocket",
            "a path begins with /",
        ),
        (LISTEN + "chan_websocket: {token: short}", "2:18", "chan-websocket", "soon guessed"),
        (LISTEN + "chan_websocket: {token: ''}", "2:18", "chan-websocket", "soon guessed"),
        (LISTEN + "chan_websocket: {lead_ms: 20}", "2:18", "type", "from 40 to 1000"),
        (LISTEN + "chan_websocket: {asterisk_url: 'http://x'}", "2:18", "chan-websocket", "ws://asterisk:8088/media"),
        (LISTEN + "chan_websocket: {asterisk_url: 'ws://[x'}", "2:18", "chan-websocket", "ws://asterisk:8088/media"),
        (LISTEN + "chan_websocket: {certificate: a.pem}", "2:18", "tls", "takes both"),
        (LISTEN + "chan_websocket: {certificate: a.pem, key: b}", "2:18", "tls", "No such file"),
        (LISTEN + "chan_websocket: {asterisk_ca: a.pem}", "2:18", "tls", "No such file"),
        (LISTEN + "chan_websocket: {tokken: x}", "2:18", "unknown-key", "did you mean 'token'?"),
        ("listen: {chan_websocket: 9020}\n", "1:26", "type", "listen.chan_websocket: a text is expected"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, place: str, code: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, text)
    assert [each[1] for each in found(caught.value.problems)] == [code]
    assert found(caught.value.problems)[0][0].partition(":")[0] == place.partition(":")[0]
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("chan_websocket: {token: '0123456789'}", "unused"),
        ("listen: {chan_websocket: '0.0.0.0:9020'}", "open-port"),
    ],
)
def test_what_works_and_is_seldom_meant_is_a_warning(tmp_path: Path, text: str, code: str) -> None:
    assert [each[1] for each in found(loaded(tmp_path, text).warnings)] == [code]


def test_a_token_closes_an_open_port(tmp_path: Path) -> None:
    text = "listen: {chan_websocket: '0.0.0.0:9020'}\nchan_websocket: {token: '${MEDIA_TOKEN}'}"
    assert loaded(tmp_path, text).warnings == ()
