"""docs/simulator.md: its scenario is one, its keys and defaults are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from adapters.simulator.providers.realtime import ProviderScenario, ProviderSettings
from adapters.simulator.providers.realtime.conversation import MOST_SOUNDS
from adapters.simulator.providers.realtime.input_audio import MOST_KEPT_MS
from adapters.simulator.providers.realtime.provider_scenario import McpCall, parse_scenario

PAGE = (Path(__file__).parents[5] / "docs/simulator.md").read_text(encoding="utf-8")


def test_the_example_is_a_scenario() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    scenario = parse_scenario(example, Path("simulator.md"))
    assert set(scenario.mcp) == {"shop", "closed"} and scenario.mcp["closed"].fails
    calls = [part for rule in scenario.responses for part in rule.output if isinstance(part, McpCall)]
    assert [call.mcp for call in calls] == ["find_order", "refund"]


def test_the_keys_and_defaults_in_its_table_are_those_of_the_code() -> None:
    defaults = {name: default for names, default in re.findall(r"^\| (`.*?) \|.*\| `?(\w+)`? \|$", PAGE, re.MULTILINE)
                for name in re.findall(r"`(\w+)`", names)}  # fmt: skip
    assert set(defaults) <= set(attrs.fields_dict(ProviderScenario))
    settings = ProviderSettings()
    assert int(defaults["skew_ms"]) == settings.skew_ms
    assert int(defaults["truncation_tolerance_ms"]) == settings.truncation_tolerance_ms
    assert int(defaults["session_max_s"]) == settings.session_max_s
    assert defaults["unoffered_calls"] == ProviderScenario().unoffered_calls


def test_what_it_says_of_kept_audio_is_so() -> None:
    assert f"the last {MOST_SOUNDS} items, of a turn its last {MOST_KEPT_MS // 1000} s" in PAGE
