"""The scenario language: what a file may say, and that what is wrong in it is told at its place, all at once."""

from __future__ import annotations

import pytest

from fsm.language.problem import Problems, SpecError
from fsm.scenario.names import check_names
from fsm.scenario.reader import read_scenarios
from fsm.scenario.scenario import EffectMatch
from tests.fsm.bundle import machine


def problems_of(text: str) -> list[str]:
    with pytest.raises(SpecError) as raised:
        read_scenarios(text, "s.yaml")
    return [f"{p.place.line}:{p.place.column} {p.code}" for p in raised.value.problems]


def test_every_mistake_is_told_at_its_place() -> None:
    text = """\
spec: server_vad
scenarios:
  a:
    steps:
      - {event: x, after_ms: 5}
      - {after_ms: soon}
      - {within_ms: 5}
      - {event: x, outcome: perhaps}
      - {event: x, efects: []}
      - {event: x, effects: ["create response"]}
      - {event: x, effects: [create_response: turn]}
      - {after_ms: 5, with: {a: b}}
  b: {}
  c: {steps: [x], caller: {}}
  d: {over: wire, steps: [x]}
"""
    assert problems_of(text) == [
        "5:9 step", "6:20 type", "7:9 step", "8:29 unknown-name", "9:20 unknown-key", "10:30 effect", "11:47 type",
        "12:29 step", "13:3 missing", "14:27 unknown-key", "15:3 missing", "15:3 missing", "15:26 unknown-key",
    ]  # fmt: skip


def test_a_file_needs_a_spec() -> None:
    assert problems_of("scenarios: {a: {steps: [x]}}") == ["1:1 missing"]


def test_names_are_checked_against_the_spec() -> None:
    text = """\
spec: server_vad
scenarios:
  a:
    context: {owned: turn}
    steps:
      - {event: provider.open}
      - {wire: response.create}
      - {state: speaking}
      - {effects: [create_respons]}
      - {slots: {response: activ}}
"""
    problems = Problems()
    check_names(read_scenarios(text, "s.yaml").scenarios[0], machine("server_vad").spec, problems)
    assert [p.place.line for p in problems] == [3, 6, 7, 8, 9, 10]
    assert "did you mean 'provider.opened'?" in next(p.hint for p in problems if p.place.line == 6)


def test_data_keeps_its_types_and_quotes_make_texts() -> None:
    text = 'spec: x\nscenarios: {a: {steps: [{event: e, with: {n: 5, t: "5", no: null, yes: true, l: [1, a]}}]}}'
    step = read_scenarios(text, "s.yaml").scenarios[0].steps[0]
    assert dict(step.data) == {"n": 5, "t": "5", "no": None, "yes": True, "l": [1, "a"]}


def test_setups_are_written_out_and_may_use_each_other() -> None:
    text = "spec: x\nsetups: {a: [e], b: [a, f]}\nscenarios: {s: {given: [b, g], steps: [h]}}"
    scenario = read_scenarios(text, "s.yaml").scenarios[0]
    assert ([step.name for step in scenario.steps], scenario.given) == (["e", "f", "g", "h"], 3)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (EffectMatch("truncate_item"), True),
        (EffectMatch("truncate"), False),
        (EffectMatch("truncate_item", "900"), True),
        (EffectMatch("truncate_item", "901"), False),
        (EffectMatch("truncate_item", None, {"item_id": "a"}), True),
        (EffectMatch("truncate_item", None, {"item_id": "b"}), False),
        (EffectMatch("truncate_item", None, {"item": "a"}), False),
        (EffectMatch("truncate_item", None, {"ids": ["a", "b"]}), True),
        (EffectMatch("truncate_item", None, {"ids": ["a"]}), False),
        (EffectMatch("truncate_item", None, {"text": None}), True),
    ],
)
def test_effects_are_matched_by_name_literal_and_some_arguments(match: EffectMatch, fits: bool) -> None:
    from fsm.machine.machine import Effect

    effect = Effect("truncate_item", {"item_id": "a", "audio_end_ms": 900, "ids": ["a", "b"], "text": None})
    assert match.fits(effect) is fits
