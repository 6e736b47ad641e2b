"""`turnspec show`: what a spec changes of its base, each with both lines, and what it comes to."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.specs import load_spec

SHOP = Path(__file__).parents[1] / "server" / "shop" / "shop.yaml"


def show(*args: object) -> Result:
    return CliRunner().invoke(main, ["show", *map(str, args)])


def test_what_a_spec_changes_is_listed_with_its_line_and_the_bases() -> None:
    lines = show(SHOP).output.splitlines()
    assert any("shop.yaml:34:37: overrides deadlines keys_done after_ms (" in line for line in lines), lines
    assert any(line.endswith(": adds context ticket") for line in lines), lines
    assert any("adds to vocabulary (" in line and "server_vad.yaml:8:1)" in line for line in lines), lines


def test_a_spec_without_a_base_changes_nothing() -> None:
    assert show("server_vad").output == "server_vad extends no other spec; --flat prints it with what it includes\n"


def test_the_flat_text_has_the_tables_of_the_derived_spec(tmp_path: Path) -> None:
    for name in ("shop_words.yaml", "goodbye.wav"):
        (tmp_path / name).write_bytes((SHOP.parent / name).read_bytes())
    flat = tmp_path / "flat.yaml"
    flat.write_text(show("--flat", SHOP).output, encoding="utf-8")
    one, other = load_spec(SHOP, typestate=False).spec, load_spec(flat, typestate=False).spec
    assert "extends" not in flat.read_text(encoding="utf-8")
    assert (one.cells, one.states, one.choices, one.deadlines) == (
        other.cells, other.states, other.choices, other.deadlines
    )  # fmt: skip
    assert (one.variables, one.vocabulary.events, one.prompts, one.say) == (
        other.variables, other.vocabulary.events, other.prompts, other.say
    )  # fmt: skip


def test_what_is_wrong_is_said_and_the_command_fails(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("spec: mine\nextends: server_vad\nremove: {states: [nowhere]}\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["show", str(path)])
    assert result.exit_code == 1
    assert "mine.yaml:3:19: error[not-in-base]: 'nowhere' cannot be removed" in result.stderr
    missing = CliRunner().invoke(main, ["show", "servervad"])
    assert missing.exit_code == 1 and "did you mean 'server_vad'?" in missing.stderr
