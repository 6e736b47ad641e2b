"""turnspec.example.yaml is true: it documents every key of the classes, and the defaults it shows are theirs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import attrs
import pytest

from adapters.lines.audiosocket.protocol import DIGITS
from adapters.providers.realtime.endpoint import OPENAI_URL
from adapters.providers.realtime.provider import WIRE_FORMATS
from adapters.settings import sections
from adapters.settings.provider import DEFAULT_MODEL
from adapters.settings.reader import Section, SettingsReader
from adapters.settings.turns import SemanticVad, ServerVad
from fsm.language.problem import Problems
from fsm.language.source import Node, read

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
        ("", sections.ConfigFile), ("listen", sections.ListenSection), ("provider", sections.ProviderSection),
        ("journal", sections.FolderSection), ("recording", sections.FolderSection), ("limits", sections.LimitsSection),
        ("log", sections.LogSection),
        ("audio", sections.AudioSection),
    ],
)  # fmt: skip
def test_every_key_is_in_the_example_and_no_other(path: str, section: type[Section]) -> None:
    assert {name.text for name, _ in at(path).pairs or ()} == keys(section)


def test_every_key_of_a_tool_is_in_the_example() -> None:
    assert {name.text for item in at("tools") for name, _ in item.pairs or ()} == keys(sections.ToolSection)


def test_every_section_is_compared() -> None:
    """A new section of the file gets a line in the tests above."""
    found = {each for each in vars(sections).values() if isinstance(each, type) and issubclass(each, Section)}
    assert {each.__name__ for each in found - {Section}} == {
        "ConfigFile", "ListenSection", "ProviderSection", "AudioSection", "FolderSection", "LimitsSection",
        "LogSection", "ToolSection", "VoiceSection", "TranscriptionSection",
    }  # fmt: skip


@pytest.mark.parametrize(
    "section",
    [sections.VoiceSection, sections.TranscriptionSection, ServerVad, SemanticVad],
    ids=lambda each: each.__name__,
)
def test_every_field_of_the_session_is_mentioned(section: type[Section]) -> None:
    assert keys(section) <= set(re.findall(r"[a-z_]+", TEXT))


@pytest.mark.parametrize("path", ["limits", "log", "audio"])
def test_the_figures_that_it_shows_are_the_defaults(path: str) -> None:
    section = {"limits": sections.LimitsSection, "log": sections.LogSection, "audio": sections.AudioSection}[path]
    problems = Problems()
    assert SettingsReader(problems, {}, Path()).read(at(path), section) == section()
    assert not list(problems)


def test_the_other_defaults_that_it_shows() -> None:
    host, port = sections.ListenSection().audiosocket
    tools = list(at("tools"))
    assert at("listen.audiosocket").text == f"{host}:{port}"
    assert (at("provider.url").text, at("provider.model").text) == (OPENAI_URL, DEFAULT_MODEL)
    assert at("provider.format").text == sections.ProviderSection().format
    assert (at("spec").text, at("talk_key").text) == (sections.ConfigFile().spec, sections.ConfigFile().talk_key)
    shown = tools[1].get("deadline_s")
    assert shown is not None
    assert shown.text == f"{attrs.fields(sections.ToolSection).deadline_s.default:g}"


def test_names_in_types_are_those_of_the_parts_that_they_configure() -> None:
    assert set(get_args(sections.TalkKey)) == DIGITS
    assert set(get_args(sections.Format)) == set(WIRE_FORMATS)
