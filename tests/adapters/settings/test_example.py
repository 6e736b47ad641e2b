"""turnspec.example.yaml is true: it documents every key of the classes, and the defaults it shows are theirs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from adapters.lines.audiosocket.protocol import DIGITS
from adapters.providers.realtime.endpoint import OPENAI_URL
from adapters.providers.realtime.realtime_server import FORMATS
from adapters.settings import kinds, listening, sections
from adapters.settings.provider import DEFAULT_MODEL
from adapters.settings.reader import Section, SettingsReader
from adapters.settings.server_fit import TELEPHONE
from adapters.settings.turns import SemanticVad, ServerVad
from fsm.language.problem import Problems
from fsm.language.yaml_nodes import Node, read

EXAMPLE = Path(__file__).resolve().parents[3] / "turnspec.example.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
COMMENTED_KEY = re.compile(r"^( *)# ( *(?:- )?[a-z_]+:(?: .*)?)$", re.MULTILINE)


def everything() -> Node:
    """The example with every key that is commented out."""
    return read(COMMENTED_KEY.sub(r"\1\2", TEXT), "example")


def keys(section: type[Section]) -> set[str]:
    return {field.name for field in attrs.fields(section)} - {"written", "more"}


def at(path: str) -> Node:
    node = everything()
    for key in filter(None, path.split(".")):
        found = node.get(key)
        assert found is not None, f"{path} is not in the example"
        node = found
    return node


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("", sections.ConfigFile), ("listen", listening.ListenSection), ("provider", sections.ProviderSection),
        ("journal", sections.JournalSection), ("recording", sections.RecordingSection),
        ("limits", sections.LimitsSection), ("serve", sections.ServeSection), ("log", sections.LogSection),
        ("audio", sections.AudioSection), ("prompts", sections.PromptsSection), ("agents.night", sections.AgentSection),
        ("agents.night.prompts", sections.PromptsSection), ("transfers.sales", sections.TransferSection),
        ("chan_websocket", listening.ChanWebSocketSection), ("twilio", listening.TwilioSection),
        ("sideband", listening.SidebandSection), ("sideband.webhook", listening.SipWebhookSection),
        ("http", listening.HttpSection), ("http.tls", listening.TlsSection), ("cluster", listening.ClusterSection),
    ],
)  # fmt: skip
def test_every_key_is_in_the_example_and_no_other(path: str, section: type[Section]) -> None:
    assert {name.text for name, _ in at(path).pairs or ()} == keys(section)


def test_every_key_of_a_tool_is_in_the_example() -> None:
    assert {name.text for item in at("tools") for name, _ in item.pairs or ()} == keys(sections.ToolSection)


def test_every_section_is_compared() -> None:
    """A new section of the file gets a line in the tests above."""
    found = {
        each
        for each in (*vars(sections).values(), *vars(listening).values())
        if isinstance(each, type) and issubclass(each, Section)
    }
    assert {each.__name__ for each in found - {Section}} == {
        "ConfigFile", "ListenSection", "ProviderSection", "AudioSection", "JournalSection", "RecordingSection",
        "LimitsSection", "LogSection", "ToolSection", "PromptsSection", "AgentSection", "AmiSection", "AriSection",
        "ControlSection", "DelegationSection",
        "TransferSection", "EffectSection",
        "VoiceSection", "TranscriptionSection", "McpSection", "ChanWebSocketSection", "TwilioSection",
        "HttpSection", "TlsSection", "ServeSection", "ClusterSection", "SidebandSection", "SipWebhookSection",
    }  # fmt: skip


@pytest.mark.parametrize(
    "section",
    [
        sections.VoiceSection,
        sections.TranscriptionSection,
        sections.AriSection,
        sections.EffectSection,
        ServerVad,
        SemanticVad,
    ],
    ids=lambda each: each.__name__,
)
def test_every_field_that_is_not_shown_as_a_key_is_mentioned(section: type[Section]) -> None:
    assert keys(section) <= set(re.findall(r"[a-z_]+", TEXT))


def test_the_figures_of_control_that_it_shows_are_the_defaults() -> None:
    shown, control = at("control"), sections.ControlSection()
    for key in ("result_variable", "uuid_variable", "deadline_s"):
        node = shown.get(key)
        assert node is not None and node.text == f"{getattr(control, key):{'g' if key == 'deadline_s' else ''}}"
    ami = sections.AmiSection(username="turnspec", secret="")
    assert (at("control.ami.host").text, at("control.ami.port").text) == (ami.host, str(ami.port))
    assert sections.AriSection(username="turnspec", password="").url in TEXT


def test_the_figures_of_a_cluster_that_it_shows_are_the_defaults() -> None:
    read = SettingsReader(Problems(), {}, Path()).read(at("cluster"), listening.ClusterSection)
    assert read == listening.ClusterSection(url="redis://127.0.0.1:6379/0", node="node-a")


@pytest.mark.parametrize("path", ["limits", "log", "audio"])
def test_the_figures_that_it_shows_are_the_defaults(path: str) -> None:
    section = {"limits": sections.LimitsSection, "log": sections.LogSection, "audio": sections.AudioSection}[path]
    problems = Problems()
    shown: dict[str, dict[str, Any]] = {
        "limits": {"connect_s": 5.0, "calls_per_peer": 100},
        "audio": {"min_speech_ms": 300},
    }
    examples = shown.get(path, {})  # what is no default
    assert SettingsReader(problems, {}, Path()).read(at(path), section) == section(**examples)
    assert not list(problems)


def test_the_other_defaults_that_it_shows() -> None:
    host, port = listening.ListenSection().audiosocket
    tools = list(at("tools"))
    assert at("listen.audiosocket").text == f"{host}:{port}"
    assert (at("provider.url").text, at("provider.model").text) == (OPENAI_URL, DEFAULT_MODEL)
    listen = SettingsReader(Problems(), {}, Path()).read(at("listen"), listening.ListenSection)
    assert (listen.rates, listen.refuse) == (listening.ListenSection().rates, listening.ListenSection().refuse)
    assert at("provider.format").text == TELEPHONE
    assert (at("spec").text, at("talk_key").text) == (sections.ConfigFile().spec, sections.ConfigFile().talk_key)
    shown = tools[1].get("deadline_s")
    assert shown is not None
    assert shown.text == f"{attrs.fields(sections.ToolSection).deadline_s.default:g}"


def test_the_figures_of_twilio_that_it_shows_are_the_defaults() -> None:
    """But for its address and its account, which have none."""
    problems, node = Problems(), at("twilio")
    environment = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "secret"}
    shown = SettingsReader(problems, environment, Path()).read(node, listening.TwilioSection)
    assert attrs.evolve(shown, public_url=None, account_sid=None, auth_token=None) == listening.TwilioSection()
    assert not list(problems)


def test_the_figures_of_chan_websocket_that_it_shows_are_the_defaults() -> None:
    """But for a token and files, which it has none of by itself."""
    problems, node = Problems(), at("chan_websocket")
    shown = SettingsReader(problems, {"MEDIA_TOKEN": "0123456789"}, Path()).read(node, listening.ChanWebSocketSection)
    none: dict[str, Any] = dict.fromkeys(("token", "certificate", "key", "asterisk_url", "asterisk_ca"))
    assert attrs.evolve(shown, **none) == listening.ChanWebSocketSection()
    assert not list(problems)


def test_the_figures_of_sideband_that_it_shows_are_the_defaults() -> None:
    """But for its secrets and the header, which it has none of by itself."""
    problems, environment = Problems(), {"OPENAI_WEBHOOK_SECRET": "whsec_x"}
    shown = SettingsReader(problems, environment, Path()).read(at("sideband"), listening.SidebandSection)
    assert shown.webhook is not None
    webhook = attrs.evolve(shown.webhook, secrets=(), agent_header=None)
    assert attrs.evolve(shown, webhook=webhook) == listening.SidebandSection(webhook=listening.SipWebhookSection())
    assert not list(problems)


def test_the_figures_of_the_door_that_it_shows_are_the_defaults() -> None:
    """But for where it is, its token and its certificate: by itself there is no door."""
    problems, node = Problems(), at("http")
    shown = SettingsReader(problems, {}, Path()).read(node, listening.HttpSection)
    assert attrs.evolve(shown, listen=None, token_env=None, tls=None) == listening.HttpSection()
    assert not list(problems)


def test_names_in_types_are_those_of_the_parts_that_they_configure() -> None:
    assert set(get_args(kinds.TalkKey)) == DIGITS
    assert set(get_args(kinds.Format)) == set(FORMATS)
