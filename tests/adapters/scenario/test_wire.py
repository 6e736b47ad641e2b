"""The bundled scenarios hold and reach every transition, the generated ones are fresh; `turnspec test` from outside."""

from __future__ import annotations

import functools
import json
import wave
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli.test import TEACHES, command
from adapters.scenario.files import ScenarioCase, Suite, bundled_scenarios, found_files, read_files
from adapters.scenario.generate import generated
from adapters.scenario.wire import play_scenario
from adapters.specs import BUNDLED, specs_folder
from fsm.language.problem import SpecError
from fsm.machine.machine import TurnSpecMachine
from fsm.scenario import runner as scenario_runner
from fsm.scenario.coverage import all_targets
from fsm.scenario.report import coverage_text, failure_text
from fsm.scenario.search import NoveltySearch

GENERATED = bundled_scenarios() / "generated"


@functools.cache
def suite() -> Suite:
    return Suite(read_files(found_files([bundled_scenarios()])))


@functools.cache
def ran() -> tuple[tuple[ScenarioCase, scenario_runner.Result], ...]:
    """Every bundled scenario that the machine is told alone."""
    return tuple(suite().run_all(suite().cases(), None))


def test_every_bundled_scenario_holds() -> None:
    assert "\n\n".join(failure_text(result) for _, result in ran() if result.failure) == ""


@pytest.mark.parametrize("spec", BUNDLED)
def test_every_transition_of_a_bundled_spec_is_reached(spec: str) -> None:
    """Rows of cells and of choices, both ways of branches. If not: see the next test."""
    found = suite().coverages(ran())[spec]
    assert found.is_complete, coverage_text(found)
    assert min(found.count("row")[0], found.cells()[0]) > 300


def test_the_generated_scenarios_are_fresh() -> None:
    """If not: `turnspec test --generate specs/scenarios/generated`."""
    stale = [path.name for path, text in generated(suite(), GENERATED, search=False) if path.read_text() != text]
    assert stale == []


@pytest.mark.parametrize("spec", BUNDLED)
def test_nothing_that_was_ruled_out_can_be_reached(spec: str) -> None:
    """The machine in a world where anything may come, against its own `cannot_happen` and the type check."""
    loaded = suite().loaded(spec)
    ruled_out = {target for target, why in all_targets(loaded).items() if why in ("spec", "typestate")}
    ways = NoveltySearch(TurnSpecMachine(loaded.spec)).ways(ruled_out, ((2, False),))
    assert [str(way.target) for way in ways] == []


def test_every_bundled_scenario_over_the_wire_holds() -> None:
    cases = [case for case in suite().cases() if case.scenario.play]
    played = suite().run_all(cases, play_scenario)
    assert len(played) >= 12
    assert "\n\n".join(failure_text(result) for _, result in played if result.failure) == ""


# --- the command ------------------------------------------------------------------------------------------------------

HOLDS = """
spec: server_vad
scenarios:
  it opens: {steps: [{event: provider.opened, state: awaiting_session_created}]}
"""
FAILS = HOLDS.replace("awaiting_session_created}", "configured}").replace("it opens", "it does not")
CALLER = "caller: {steps: [wait_agent_speaking, hang_up]}"


def turnspec_test(tmp_path: Path, text: str, *options: str) -> Result:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return CliRunner().invoke(command, [str(path), *options])


def test_exit_codes_and_texts(tmp_path: Path) -> None:
    holds, fails = turnspec_test(tmp_path, HOLDS), turnspec_test(tmp_path, FAILS)
    assert (holds.exit_code, holds.output) == (0, "1 scenarios: 1 hold, 0 fail\n")
    assert fails.exit_code == 1
    assert "expected  configured" in fails.output and "actual    awaiting_session_created" in fails.output
    assert f"{tmp_path}/s.yaml:4:25: failed: server_vad: it does not" in fails.output


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (HOLDS.replace("server_vad", "no_such.yaml"), (), "error[no-file]"),
        (HOLDS.replace("provider.opened", "provider.openend"), (), "did you mean 'provider.opened'?"),
        (HOLDS.replace("steps", "step"), (), "error[unknown-key]"),
        (HOLDS, ("-k", "nothing"), "no scenario has 'nothing' in its name"),
        (HOLDS, ("--check",), "--check goes with --generate DIR"),
        ("{", (), "this is not YAML"),
    ],
)
def test_wrong_use_is_told_where(tmp_path: Path, text: str, options: tuple[str, ...], said: str) -> None:
    result = turnspec_test(tmp_path, text, *options)
    assert result.exit_code == 2
    assert said in result.output + (result.stderr or "")


def test_an_effect_that_nothing_executes_is_reported_where_it_is_defined(tmp_path: Path) -> None:
    (tmp_path / "vocabularies").mkdir()
    for file, old, new in (
        ("server_vad.yaml", "spec: server_vad", "spec: mine"),
        ("vocabularies/call.yaml", "  close_uplink: {}\n", "  close_uplink: {}\n  ring_a_bell: {}\n"),
    ):
        (tmp_path / file).write_text((specs_folder() / file).read_text().replace(old, new))
    text = HOLDS.replace("server_vad", "server_vad.yaml").replace("spec: s", "spec: ./s")
    result = turnspec_test(tmp_path, text)
    assert result.exit_code == 2
    assert "vocabularies/call.yaml:" in result.stderr
    assert "error[spec-fit]: its effect 'ring_a_bell' cannot be executed here" in result.stderr
    assert turnspec_test(tmp_path, text, "--allow-broken").exit_code == 0


def test_json_is_for_programs(tmp_path: Path) -> None:
    result = turnspec_test(tmp_path, FAILS, "--json", "--coverage")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    [scenario] = found["scenarios"]
    assert (scenario["holds"], scenario["line"]) == (False, 4)
    assert scenario["failure"]["mismatches"][0] == {
        "what": "state",
        "expected": "configured",
        "actual": "awaiting_session_created",
    }
    assert found["coverage"][0]["rows"]["reached"] == 1


def test_coverage_shows_what_nobody_reaches(tmp_path: Path) -> None:
    result = turnspec_test(tmp_path, HOLDS, "--coverage")
    assert result.exit_code == 1
    assert "not covered: no scenario reaches it" in result.output
    assert "configured / application.say_requested[response != closing]" in result.output


def test_a_spec_of_my_own_takes_the_scenarios_of_its_name(tmp_path: Path) -> None:
    spec = tmp_path / "mine.yaml"
    text = (bundled_scenarios().parent / "server_vad.yaml").read_text(encoding="utf-8")
    spec.write_text(text, encoding="utf-8")
    assert turnspec_test(tmp_path, HOLDS, "--spec", str(spec)).output == "1 scenarios: 1 hold, 0 fail\n"
    other = turnspec_test(tmp_path, HOLDS.replace("spec: server_vad", "spec: owned_turns"), "--spec", str(spec))
    assert (other.exit_code, "no scenario" in other.output) == (2, True)
    spec.write_text(text.replace("spec: server_vad", "spec: mine"), encoding="utf-8")
    assert turnspec_test(tmp_path, HOLDS, "--spec", str(spec)).output == "1 scenarios: 1 hold, 0 fail\n"


def test_generated_files_are_written_checked_and_stale_after_a_change(tmp_path: Path) -> None:
    into = tmp_path / "generated"
    into.mkdir()
    (into / "server_vad.yaml").write_text(
        (GENERATED / "server_vad.yaml").read_text().replace("state: responding", "state: closed")
    )
    stale = turnspec_test(tmp_path, HOLDS, "--generate", str(into), "--check")
    assert (stale.exit_code, "server_vad.yaml is stale" in stale.output) == (1, True)


def test_a_generated_file_names_a_spec_of_ones_own_from_where_it_lies(tmp_path: Path) -> None:
    text = (specs_folder() / "server_vad.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("spec: server_vad", "spec: mine"), encoding="utf-8")
    by_hand = tmp_path / "tests/a.yaml"
    by_hand.parent.mkdir()
    by_hand.write_text(HOLDS.replace("spec: server_vad", "spec: ../mine.yaml"), encoding="utf-8")
    into = tmp_path / "tests/generated"
    (made,) = generated(Suite(read_files(found_files([by_hand]))), into, search=False)
    assert made[0] == into / "mine.yaml"
    assert "\nspec: ../../mine.yaml\n" in made[1]


def test_over_the_wire_what_is_not_so_is_told(tmp_path: Path) -> None:
    text = f"""
spec: server_vad
scenarios:
  a greeting:
    over: wire
    {CALLER}
    expect:
      states: [connecting, closed]
      summary: {{turns: 5, longest_silence_ms: "< 1", tunrs: 1}}
      deadlines:
        - {{of: response.created, comes: playout.started, within_ms: 1}}
        - {{of: tool.called, comes: run_tool, within_ms: 1}}
"""
    result = turnspec_test(tmp_path, text)
    assert result.exit_code == 1
    lines = [line.strip() for line in result.output.splitlines()]
    assert any(line.startswith("states") and line.endswith("connecting closed") for line in lines)
    places = [line.removeprefix("at ").strip() for line in lines if line.startswith("at  ")]
    numbers = [int(place.rpartition("s.yaml:")[2].partition(":")[0]) for place in places]
    told = text.splitlines()
    assert all(place.partition(":")[0].endswith("s.yaml") for place in places)
    at_line = {number: told[number - 1] for number in numbers}
    expected = ("states:", "summary:", "of: response.created", "of: tool.called")
    assert [any(word in line for line in at_line.values()) for word in expected] == [True] * 4
    for said in ("turns", "longest_silence_ms", "tunrs", "playout.started after response.created", "tool.called"):
        assert any(line.startswith(said) and "expected" in line for line in lines), said


def test_the_recording_of_a_scenario_over_the_wire_is_kept(tmp_path: Path) -> None:
    expected = "expect: {summary: {turns: 0}}"
    text = f"spec: server_vad\nscenarios:\n  A greeting, heard:\n    over: wire\n    {CALLER}\n    {expected}\n"
    folder = tmp_path / "kept" / "here"
    result = turnspec_test(tmp_path, text, "--listen", str(folder))
    assert result.exit_code == 0, result.output
    (found,) = folder.iterdir()
    assert found.name == "server_vad-a-greeting-heard.wav"
    with wave.open(str(found), "rb") as recording:
        assert recording.getnchannels() == 2 and recording.getnframes() > 4000
    for options, said in (
        (("--listen", str(folder), "--no-wire"), "--listen goes with neither --no-wire nor --generate"),
        (("--listen", str(found)), "is a file"),
    ):
        result = turnspec_test(tmp_path, text, *options)
        assert result.exit_code == 2 and said in result.output


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("caller: {steps: [sing]}", "no step is called 'sing'"),
        (CALLER + "\n    provider: {faults: [{fault: x}]}", "`fault` must"),
        (CALLER + "\n    session: {voices: 2}", "voices"),
        (CALLER + "\n    session: {half_duplex: 1}", "session.half_duplex: true or false is expected"),
        ("caller: {steps: [], telephone: {echos: {}}}", "telephone: extra fields found (echos)"),
        (CALLER + "\n    tools: {t: 5}", "tools.t"),
        ("caller: {steps: [], expect: {summary: {turns: 0}}}", "'expect' stands beside 'caller' and 'provider' here"),
        (CALLER + "\n    provider: {expect: {summary: {turns: 0}}}", "'expect' stands beside 'caller' and 'provider'"),
    ],
)
def test_what_the_simulators_refuse_is_told_at_the_scenario(tmp_path: Path, key: str, said: str) -> None:
    text = f"spec: server_vad\nscenarios:\n  a:\n    over: wire\n    {key}\n    expect: {{summary: {{turns: 0}}}}\n"
    result = turnspec_test(tmp_path, text)
    assert result.exit_code == 2
    assert "s.yaml:3:3: error[simulator]: 'a':" in result.output + (result.stderr or "")
    assert said in result.output + (result.stderr or "")


def test_help_teaches_the_language() -> None:
    result = CliRunner().invoke(command, ["--help"])
    for word in ("within_ms", "never", "$create_response", "over: wire", "unreachable", "Exit code"):
        assert word in result.output


def test_what_the_help_teaches_holds(tmp_path: Path) -> None:
    examples = [
        TEACHES[TEACHES.index(first) :].split("\n\n")[0] for first in ("  spec: server_vad", "    a turn is answ")
    ]
    result = turnspec_test(tmp_path, "\n".join(examples) + "\n")
    assert (result.exit_code, result.output) == (0, "2 scenarios: 2 hold, 0 fail\n")


def test_a_folder_that_is_not_there_is_wrong_use() -> None:
    with pytest.raises(SpecError):
        found_files([Path("/nowhere")])
