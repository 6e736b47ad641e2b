"""The `sideband` section: what it becomes, what stands for a key that is absent, and every way to get it wrong."""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path

import pytest

from adapters.lines.sideband.settings import SidebandSettings, SipWebhookSettings
from adapters.server.generation import changed_beyond
from adapters.settings.config import Settings
from fsm.language.problem import SpecError
from tests.adapters.settings.test_twilio import found, loaded

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"fedcba9876543210").decode()
DOOR = "http: {listen: 9080}\n"
WEBHOOK = "sideband: {webhook: {path: /sip}}\n"
ENVIRONMENT = {"OPENAI_API_KEY": "k", "OPENAI_WEBHOOK_SECRET": SECRET}


def settings_of(folder: Path, text: str, **environment: str) -> Settings:
    return loaded(folder, text, {**ENVIRONMENT, **environment})


def test_there_is_no_webhook_unless_it_is_said(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "spec: server_vad").sideband == SidebandSettings()


def test_the_environment_stands_for_the_secret(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, DOOR + WEBHOOK)
    assert settings.sideband == SidebandSettings(webhook=SipWebhookSettings(path="/sip", secrets=(SECRET,)))
    assert SECRET in settings.secrets and SECRET not in repr(settings)
    assert not settings.warnings


def test_every_key(tmp_path: Path) -> None:
    text = "sideband: {webhook: {path: /a/b, secrets: ['${NEW}', '${OLD}'], agent_header: X-Agent}, deadline_s: 2}\n"
    settings = settings_of(tmp_path, DOOR + text, NEW=OTHER, OLD=SECRET)
    webhook = SipWebhookSettings(path="/a/b", secrets=(OTHER, SECRET), agent_header="X-Agent")
    assert settings.sideband == SidebandSettings(webhook=webhook, deadline_s=2.0)
    assert {OTHER, SECRET} <= set(settings.secrets)


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        (WEBHOOK, "1:21", "no-door", "its path is a route of the door, which is off"),
        (DOOR + "sideband: {webhook: {path: sip}}", "2:28", "webhook", "sideband.webhook.path: a path like /openai"),
        (DOOR + "sideband: {webhook: {path: '/a?b'}}", "2:28", "webhook", "sideband.webhook.path"),
        (DOOR + "sideband: {webhook: {path: /calls/x}}", "2:28", "path", "'/calls/x' is the door's own"),
        (DOOR + "sideband: {webhook: {secrets: ['whsec_x']}}", "2:31", "webhook", "secrets: the 1. is not whsec_"),
        (DOOR + "sideband: {webhook: {agent_header: 'a b'}}", "2:36", "webhook", "the name of a SIP header"),
        (DOOR + "sideband: {webhook: {pfad: /x}}", "2:22", "unknown-key", "'pfad' is not a key of"),
        (DOOR + "sideband: {webhook: /x}", "2:21", "type", "e.g. webhook: {path: /openai"),
        (DOOR + "sideband: {deadline_s: 60}", "2:24", "type", "from 0.5 to 10"),
        (DOOR + WEBHOOK + "serve: {workers: 2}", "2:21", "workers", "are held by one process alone"),
        (
            DOOR + WEBHOOK + "spec: full_duplex\nprovider: {protocol: live, url: 'ws://127.0.0.1:1', model: m}\n",
            "2:21", "protocol", "no session of this provider can be attached to",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, place: str, code: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        settings_of(tmp_path, text)
    assert (place, code) in found(caught.value.problems)
    assert words in str(caught.value)


def test_a_secret_that_is_not_said_is_missed_by_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="OPENAI_WEBHOOK_SECRET is not set") as caught:
        settings_of(tmp_path, DOOR + WEBHOOK, OPENAI_WEBHOOK_SECRET="")
    assert found(caught.value.problems) == [("2:21", "missing")]


def test_no_problem_shows_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="secrets") as caught:
        settings_of(tmp_path, DOOR + WEBHOOK, OPENAI_WEBHOOK_SECRET=f"{SECRET}!")
    assert SECRET not in str(caught.value)


def test_without_its_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec_of = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "httpx2" else spec_of(name))
    with pytest.raises(SpecError, match=r"install turnspec\[sideband\]"):
        settings_of(tmp_path, DOOR + WEBHOOK)


def test_whom_a_provider_refers_to_needs_no_twilio(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, DOOR + "transfers: {sales: {dial: '+4930'}}")
    assert settings.dials["sales"].address == "+4930" and not settings.warnings


def test_another_webhook_needs_another_process(tmp_path: Path) -> None:
    before, now = settings_of(tmp_path, DOOR), settings_of(tmp_path, DOOR + WEBHOOK)
    assert changed_beyond(before, now) == ["sideband"]
