"""The measuring of neighbours: what is read from times, and that offenders can offend. Results: docs/campaign.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.settings.config import load_settings
from tools.campaign import bystanders
from tools.campaign.attacks import ATTACKS
from tools.campaign.bystanders import BEHAVIOURS, HEAD, OFFENDER, judged, provider_of


def test_a_frame_is_late_by_what_lies_before_it() -> None:
    on_time = [n * 0.02 for n in range(50)]
    stalled = [*on_time[:20], *(0.1 + n * 0.02 for n in range(20, 45))]
    found = judged("turns", [on_time, stalled], 1.0)
    assert (found.frames, found.expected, found.late) == (95, 100, 1)
    assert found.worst_ms == pytest.approx(100.0)
    assert found.row() == "| 25,000 speech_started in 4 s | 95 | 5 | 1 | 100.0 |"
    assert all(line.count("|") == found.row().count("|") for line in HEAD)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_each_offender_has_a_server_that_takes_its_configuration(name: str, tmp_path: Path) -> None:
    text = bystanders._CONFIG.format(url="ws://127.0.0.1:1/v1/realtime", message_bytes=BEHAVIOURS[name].message_bytes)
    (tmp_path / "tools_of_the_offender.py").write_text(bystanders.TOOL_MODULE)
    (tmp_path / "turnspec.yaml").write_text(text)
    settings = load_settings(tmp_path / "turnspec.yaml", {"OPENAI_API_KEY": "sk-1"})
    assert BEHAVIOURS[name].tool in ("", *settings.call.tools)
    assert set(BEHAVIOURS[name].attacks) <= set(ATTACKS)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_what_a_provider_does_strikes_the_offender_alone(name: str) -> None:
    assert all(fault.connection == OFFENDER for fault in provider_of(name).faults)
