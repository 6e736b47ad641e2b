"""`turnspec replay` as a command: journals as they are found on disks, whole, cut, damaged, foreign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from fsm.journal.journal import EndLine, Header, Line, TakeoverLine, WireLine, encode, step_line
from fsm.machine.machine import Event
from tests.fsm.bundle import machine

EVENTS = ("provider.opened", "session.created", "session.updated", "caller.hung_up")
HEADER = Header("server_vad", "specs/server_vad.yaml", "0123456789abcdef", "call-1")


def turnspec(*args: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, args)])


def journal_lines() -> list[str]:
    """Header, step 0, a wire line, steps 1 to 4, the end: nine lines of which line 3 is no step."""
    stepper = machine("server_vad")
    step = stepper.start()[-1]
    lines: list[Line] = [HEADER, step_line(step, 0, 0, "start"), WireLine(1, "in", {"type": "session.created"})]
    for serial, name in enumerate(EVENTS, 1):
        step = stepper.step(step.snapshot, Event(name))
        lines.append(step_line(step, serial, serial * 10, "wire"))
    lines.append(EndLine(50, {}))
    return [encode(line) + "\n" for line in lines]


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "call.jsonl"
    path.write_text("".join(lines))
    return path


def test_a_whole_journal_matches(tmp_path: Path) -> None:
    result = turnspec(written(tmp_path, journal_lines()))
    assert (result.exit_code, result.output) == (0, "all 5 steps are the same\n")


@pytest.mark.parametrize(
    ("number", "text", "told", "came_of_it"),
    [
        (3, '{"kind": "wi\n', "error[line]: this is not JSON", "all 5 steps are the same"),
        (3, "nonsense\n", "error[line]: this is not JSON", "all 5 steps are the same"),
        (3, '{"kind": "mood", "t_ms": 1}\n', "error[line]: 'mood' is not a kind of line", "all 5 steps are the same"),
        (3, '{"type": "session.created"}\n', "error[line]: it has no 'kind', so", "all 5 steps are the same"),
        (5, "[1]\n", "error[line]: a JSON object is expected", "2 of 4 steps are the same; then it stopped: step 2 is"),
        (5, '{"kind": "step"}\n', "error[line]: required field missing @ $.serial", "step 2 is missing"),
        (5, "\x00" * 40 + "\n", "error[line]: this is not JSON", "step 2 is missing"),
    ],
)
def test_a_damaged_line_is_told_and_what_can_be_replayed_is_replayed(
    tmp_path: Path, number: int, text: str, told: str, came_of_it: str
) -> None:
    lines = journal_lines()
    lines[number - 1] = text
    path = written(tmp_path, lines)
    result = turnspec(path)
    assert result.exit_code == 1
    assert f"{path}:{number}:1: {told}" in result.output and came_of_it in result.output
    found = json.loads(turnspec(path, "--json").stdout)
    assert [(each["line"], each["severity"]) for each in found["problems"]] == [(number, "error")]


def test_every_damaged_line_is_told(tmp_path: Path) -> None:
    lines = journal_lines()
    lines[2] = lines[6] = "?\n"
    result = turnspec(written(tmp_path, lines))
    assert result.output.count("error[line]") == 2 and "all 4 steps are the same" in result.output


def test_a_line_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, journal_lines())
    path.write_bytes(path.read_bytes().replace(b'"type":"session.created"', b'"type":"s\xff\xfe"'))
    result = turnspec(path)
    assert result.exit_code == 1
    assert f"{path}:3:1: error[line]: this is not UTF-8" in result.output and "all 5 steps" in result.output


def test_a_journal_cut_by_a_crash_matches_as_far_as_it_goes(tmp_path: Path) -> None:
    lines = journal_lines()
    result = turnspec(written(tmp_path, [*lines[:5], lines[5][:30]]))
    assert result.exit_code == 0
    assert "call.jsonl:6:1: warning[cut-line]" in result.output and "all 3 steps are the same" in result.output


def test_two_journals_in_one_file(tmp_path: Path) -> None:
    lines = journal_lines()
    result = turnspec(written(tmp_path, lines + lines))
    assert result.exit_code == 1
    assert "call.jsonl:9:1: error[line]: another journal begins here" in result.output
    assert "all 5 steps are the same" in result.output


def test_lines_out_of_order(tmp_path: Path) -> None:
    lines = journal_lines()
    lines[5] = lines[3]
    result = turnspec(written(tmp_path, lines))
    assert result.exit_code == 1 and "step 1 comes where step 3 is due" in result.output


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("", "a journal of turnspec begins with a line of kind 'header'"),
        ('{"type": "session.created"}\n', "it has no 'kind'"),
        (journal_lines()[1], "turnspec audit"),
        (journal_lines()[0].replace('"version":1', '"version":2'), "a newer turnspec wrote it"),
        (journal_lines()[0].replace('"version":1', '"version":"x"'), "version x of a journal; this reads version 1"),
        ("\xff\n", "this is not JSON"),
    ],
)
def test_a_file_that_is_no_journal(tmp_path: Path, first: str, told: str) -> None:
    path = written(tmp_path, [first])
    result = turnspec(path)
    assert result.exit_code == 1
    assert result.output.startswith(f"{path}:1: ") and told in result.output


def test_a_journal_of_a_bundled_spec_from_another_machine(tmp_path: Path) -> None:
    lines = journal_lines()
    lines[0] = lines[0].replace("specs/server_vad.yaml", "/another/machine/specs/server_vad.yaml")
    assert turnspec(written(tmp_path, lines)).exit_code == 0


def test_wrong_use(tmp_path: Path) -> None:
    assert turnspec().exit_code == 2
    assert turnspec(tmp_path / "none.jsonl").exit_code == 2


def two_parts() -> list[str]:
    """The call goes on under full_duplex, begins there with what it is owed, and connects."""
    lines = journal_lines()
    spec = machine("full_duplex")
    values = {"owed": "turn", "reconnects": "1"}
    (begun,) = spec.take_over(values, {"wish": "Hello."})
    opened = spec.advance(begun.snapshot, Event("provider.opened"))[0]
    moved = TakeoverLine(3_000, "full_duplex", "specs/full_duplex.yaml", "", values, {"wish": "Hello."})
    steps = [step_line(begun, 0, 3_000, "takeover"), step_line(opened, 1, 3_010, "socket")]
    part: list[Line] = [moved, *steps]
    return [*lines[:-1], *(encode(each) + "\n" for each in part), lines[-1]]


def test_a_call_that_went_on_under_another_spec_is_replayed_in_its_parts(tmp_path: Path) -> None:
    path = written(tmp_path, two_parts())
    result = turnspec(path)
    assert result.exit_code == 0, result.output
    assert "under server_vad: all 5 steps are the same" in result.output
    assert "under full_duplex: all 2 steps are the same" in result.output
    told = json.loads(turnspec(path, "--json").output)
    assert told["matches"] and [part["spec"] for part in told["parts"]] == ["server_vad", "full_duplex"]


def test_another_spec_takes_the_place_of_the_one_for_its_protocol(tmp_path: Path) -> None:
    result = turnspec(written(tmp_path, two_parts()), "--spec", "owned_turns")
    assert "under full_duplex: all 2 steps are the same" in result.output
    assert "under server_vad: all" not in result.output or result.exit_code == 0


def test_of_two_parts_each_is_compared(tmp_path: Path) -> None:
    lines = two_parts()
    lines[-2] = lines[-2].replace("awaiting_session_created", "configured")
    result = turnspec(written(tmp_path, lines))
    assert result.exit_code == 1 and "under full_duplex: 1 of 2 steps are the same" in result.output
