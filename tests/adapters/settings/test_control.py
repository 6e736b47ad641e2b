"""The `control` section: what it means, what contradicts itself, and never a secret in what is said about it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from adapters.control.control import DialplanTarget
from adapters.control.settings import AmiSettings, AriSettings, ControlSettings
from adapters.settings import config as settings_config
from tests.adapters.settings.test_config import ENVIRONMENT, load_once, loaded
from tests.adapters.settings.test_errors import problems

SECRET = "ami-s3cret-value"
WITH_SECRET = {**ENVIRONMENT, "AMI_SECRET": SECRET, "BROKEN": f"{SECRET}\nAction: x"}
AMI = 'control:\n  ami: {username: turnspec, secret: "${AMI_SECRET}"}\n'
ARI = 'control:\n  ari: {username: turnspec, password: "${AMI_SECRET}"}\n'


@pytest.fixture(autouse=True)
def _specs_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_config, "load_file", load_once)


def test_without_it_nobody_acts(tmp_path: Path) -> None:
    assert loaded(tmp_path, "transfers: {sales: {to: whatever it is}}").control == ControlSettings()


def test_the_manager_with_the_places_of_those_transfers_that_have_one(tmp_path: Path) -> None:
    text = AMI + "transfers: {sales: {to: 'sales,s'}, night: {about: x}, vip: {to: ' vip , 100, begin'}}"
    settings = loaded(tmp_path, text, WITH_SECRET)
    assert settings.control == ControlSettings(
        ami=AmiSettings(username="turnspec", secret=SECRET),
        targets={"sales": DialplanTarget("sales", "s", "1"), "vip": DialplanTarget("vip", "100", "begin")},
    )
    assert SECRET in settings.secrets
    assert SECRET not in repr(settings)


def test_the_rest_interface(tmp_path: Path) -> None:
    text = ARI + "  result_variable: R\n  uuid_variable: U\n  deadline_s: 2\n"
    settings = loaded(tmp_path, text, WITH_SECRET)
    expected = AriSettings(username="turnspec", password=SECRET)
    assert settings.control == ControlSettings(ari=expected, result_variable="R", uuid_variable="U", deadline_s=2.0)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("text", "place", "code", "says"),
    [
        (AMI + '  ari: {username: a, password: b}\n', "3:8", "two-meanings", "AMI works while AudioSocket() runs"),
        ("control: {ami: {username: a}}", "1:16", "missing", "'secret:' is missing"),
        ("control: {ami: {username: a, secret: ''}}", "1:38", "empty", "control.ami.secret is empty"),
        ('control: {ami: {username: a, secret: "${BROKEN}"}}', "1:38", "empty", "a character that cannot be sent"),
        ("control: {ami: {username: a, secret: b, port: 0}}", "1:47", "type", "from 1 to 65535"),
        ("control: {ami: {user: a, secret: b}}", "1:17", "unknown-key", "did you mean 'username'?"),
        ("control: {ari: {username: a, password: b, url: 'ws://h/ari'}}", "1:48", "url", "ending in /ari"),
        ("control: {ari: {username: a, password: b, url: 'http://h:8088'}}", "1:48", "url", "ending in /ari"),
        ("control: {ari: {username: a, password: b, url: 'http://u:p@h/ari'}}", "1:48", "url", "without credentials"),
        ("control: {ari: {username: a, password: b, url: 'http://h:99999/ari'}}", "1:48", "url", "e.g. http://127"),
        ("control: {result_variable: 'SHELL(x)'}", "1:28", "name", "cannot be the name of a channel variable"),
        ("control: {deadline_s: 60}", "1:23", "type", "from 0.5 to 25"),
        (AMI + "transfers: {s: {to: '+4930123456'}}", "3:21", "target", "a place in the dialplan is expected here"),
        (AMI + "transfers: {s: {to: 'a,PJSIP/200,1'}}", "3:21", "target", "not a channel"),
        (AMI + "transfers: {s: {to: 'a,b,0'}}", "3:21", "target", "priority"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_place(tmp_path: Path, text: str, place: str, code: str, says: str) -> None:
    found = problems(tmp_path, text, WITH_SECRET)
    assert (f"{found[0].place.line}:{found[0].place.column}", found[0].code) == (place, code)
    assert says in f"{found[0].message} {found[0].hint}"
    assert SECRET not in f"{found}"


@pytest.mark.parametrize(
    ("text", "says"),
    [(AMI.replace("{user", "{host: pbx.example, user"), "unencrypted"),
     (ARI.replace("{user", "{url: 'http://pbx.example/ari', user"), "use https://")],
)  # fmt: skip
def test_credentials_in_the_clear_are_warned_of(tmp_path: Path, text: str, says: str) -> None:
    assert says in loaded(tmp_path, text, WITH_SECRET).warnings[0].message


def test_a_missing_extra_is_named_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    found = problems(tmp_path, ARI, WITH_SECRET)
    assert (found[0].code, found[0].hint) == ("missing-extra", "install turnspec[ari]")
