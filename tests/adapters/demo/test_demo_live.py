"""The demo over models that decide who speaks, in virtual time: the same caller."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from adapters.demo.lines import WITH_AUDIO
from adapters.demo.plan import PlanError
from adapters.demo.summary_text import show_ending
from tests.adapters.demo.played_demo import planned, play


@pytest.mark.parametrize("line", WITH_AUDIO)
def test_the_demo_is_healthy_over_every_line_with_audio(tmp_path: Path, line: str) -> None:
    played = play(tmp_path, spec="full_duplex", protocol="live", line=line)
    assert played.outcome.problems == ()
    numbers = played.summary
    assert (numbers["turns"], numbers["answers"], numbers["tools"], numbers["barge_ins"]) == (6, 6, 2, 1)
    assert (numbers["rejections"], numbers["violations"], numbers["reconnects"]) == (0, 0, 0)
    assert numbers["creates_by_cause"] == {"greeting": 1}
    assert numbers["caller"]["talk_over_ms"] < 1000
    assert (tmp_path / "journal.jsonl").is_file()


@pytest.mark.parametrize(("protocol", "spec"), [("deepgram", "provider_turns"), ("gemini", "gemini_turns")])
def test_the_demo_is_healthy_with_a_provider_that_owns_its_turns(tmp_path: Path, protocol: str, spec: str) -> None:
    played = play(tmp_path, spec=spec, protocol=protocol)
    assert played.outcome.problems == ()
    numbers = played.summary
    assert (numbers["turns"], numbers["answers"], numbers["tools"], numbers["barge_ins"]) == (6, 6, 2, 1)
    assert (numbers["rejections"], numbers["violations"], numbers["reconnects"]) == (0, 0, 0)
    assert numbers["creates_by_cause"] == {"greeting": 1}
    assert numbers["caller"]["talk_over_ms"] < 1000


def test_what_is_next_fits_the_protocol(tmp_path: Path) -> None:
    out = io.StringIO()
    plan = planned(spec="provider_turns", protocol="deepgram")
    show_ending(Console(file=out, width=100), plan, tmp_path, None, "turnspec")
    text = out.getvalue()
    assert "turnspec new mine --from provider_turns" in text
    assert "turnspec demo --spec mine/mine.yaml --protocol deepgram" in text
    assert "--naive" not in text and "--scenario" not in text


def test_a_spec_of_the_other_protocol_is_wrong_use_that_says_how() -> None:
    with pytest.raises(PlanError, match="spec server_vad is one for realtime, and not for live: say --protocol"):
        planned(spec="server_vad", protocol="live")
    with pytest.raises(PlanError, match="say --protocol live"):
        planned(spec="full_duplex")
