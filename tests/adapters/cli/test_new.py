"""`turnspec new`: what it writes passes every gate; it overwrites nothing, and writes nothing that is not sound."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.cli.starter import recipes
from adapters.settings.config import load_settings
from adapters.specs import BUNDLED, load_spec

PART = """# A call ends at last. What else is there to say.
figures: {longest_ms: 600000}
context: {spent: {values: [no, yes]}}
deadlines: {long_enough: {after_ms: 600000, while: spent == no and line == up and not ending}}
prompts: {time_is_up: }
groups:
  live:
    on:
      timer.long_enough: {do: [spent = yes, {if: prompt == idle, do: [play_prompt(time_is_up)]}], to: farewell}
"""

KEYS = {"OPENAI_API_KEY": "k", "DEEPGRAM_API_KEY": "k", "GEMINI_API_KEY": "k"}


def turnspec(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "longest.yaml"
    path.write_text(PART.replace("figures: {longest_ms: 600000}\n", ""), encoding="utf-8")
    return path


@pytest.mark.parametrize("base", BUNDLED)
def test_what_is_started_from_a_bundled_spec_is_it_by_another_name(tmp_path: Path, base: str) -> None:
    done = turnspec("new", tmp_path / "desk", "--from", base)
    assert done.exit_code == 0, done.output
    mine, other = load_spec(tmp_path / "desk" / "desk.yaml").spec, load_spec(base).spec
    assert mine.name == "desk" and mine.cells == other.cells
    settings = load_settings(tmp_path / "desk" / "turnspec.yaml", KEYS)
    assert settings.spec.name == "desk"


@pytest.mark.parametrize("base", ["server_vad", "push_to_talk"])
def test_its_scenarios_hold_and_the_part_is_among_them(tmp_path: Path, part: Path, base: str) -> None:
    done = turnspec("new", tmp_path / "desk", "--from", base, "--with", part)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "desk" / "scenarios.yaml").read_text(encoding="utf-8")
    assert "over: wire" in text and text.count("timer.long_enough, state:") > 3
    ran = turnspec("test", tmp_path / "desk" / "scenarios.yaml")
    assert ran.exit_code == 0 and " 0 fail" in ran.output, ran.output


def test_what_a_part_leaves_to_the_configuration_has_a_placeholder(tmp_path: Path, part: Path) -> None:
    turnspec("new", tmp_path / "desk", "--with", part)
    assert "  - ../longest.yaml   # A call ends at last\n" in (tmp_path / "desk" / "desk.yaml").read_text(
        encoding="utf-8"
    )
    settings = load_settings(tmp_path / "desk" / "turnspec.yaml", {"OPENAI_API_KEY": "k"})
    assert [agent.prompts for agent in settings.agents] == [{"time_is_up": tmp_path / "desk" / "time_is_up.wav"}]


def test_a_spec_of_ones_own_is_extended_by_its_place(tmp_path: Path) -> None:
    turnspec("new", tmp_path / "desk")
    done = turnspec("new", tmp_path / "night" / "desk_at_night", "--from", tmp_path / "desk" / "desk.yaml")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "night" / "desk_at_night" / "desk_at_night.yaml").read_text(encoding="utf-8")
    assert "\nextends: ../../desk/desk.yaml\n" in text


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    done = turnspec("new", tmp_path / "desk")
    assert done.exit_code == 2 and "is there already; nothing is overwritten" in done.output
    assert list((tmp_path / "desk").iterdir()) == []


def test_what_does_not_go_together_is_not_written(tmp_path: Path, part: Path) -> None:
    part.write_text(PART.replace("to: farewell", "to: fairwell"), encoding="utf-8")
    done = turnspec("new", tmp_path / "desk", "--with", part)
    assert done.exit_code == 1 and "longest.yaml:" in done.output and "nothing is written" in done.output
    assert not (tmp_path / "desk").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("new",), "NAME is missing"),
        (("new", "Front-Desk"), "'Front-Desk' is not the name of a spec"),
        (("new", "server_vad"), "is a bundled spec"),
        (("new", "desk", "--from", "server_vat"), "there is no spec 'server_vat'; did you mean 'server_vad'?"),
        (("new", "desk", "--with", "nothing_like_it"), "there is no part 'nothing_like_it'"),
    ],
)
def test_wrong_use_names_what_there_is(arguments: tuple[str, ...], says: str) -> None:
    done = turnspec(*arguments)
    assert done.exit_code == 2 and says in done.output


def test_the_parts_are_those_of_the_folder_that_no_bundled_spec_has() -> None:
    found = recipes()
    assert not {"conversation", "overlooked"} & set(found)
    listed = turnspec("new", "--parts")
    assert listed.exit_code == 0 and [line.split()[0] for line in listed.output.splitlines()] == list(found)


@pytest.mark.parametrize("name", recipes())
def test_each_bundled_part_starts_a_spec(tmp_path: Path, name: str) -> None:
    """With one of the bundled specs at least: a part may need what another does not have."""
    said = []
    for base in BUNDLED:
        done = turnspec("new", tmp_path / base / "desk", "--from", base, "--with", name)
        said.append(done.output)
        if done.exit_code == 0:
            return
    pytest.fail("\n".join(said))
