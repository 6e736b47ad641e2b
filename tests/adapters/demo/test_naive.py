"""The naive controller: rejected creates and answers given twice, in the call in which turnspec has neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.demo.played_demo import play


def test_flags_are_rejected_or_answer_twice_where_turnspec_does_not(tmp_path: Path) -> None:
    summary = play(tmp_path, naive=True, scenario="crossing").summary
    turnspec = summary["turnspec"]
    assert summary["controller"] == "naive"
    assert summary["rejections"] > 0 and summary["answers"] > summary["turns"]
    assert (turnspec["rejections"], turnspec["answers"]) == (0, turnspec["turns"])
    assert summary["creates"] > 2 * turnspec["creates"]
    assert (tmp_path / "naive" / "recording.wav").is_file() and (tmp_path / "recording.wav").is_file()


def test_a_lost_event_leaves_the_flag_up_for_good(tmp_path: Path) -> None:
    summary = play(tmp_path, naive=True, spec="owned_turns", scenario="lost_response_done").summary
    assert summary["answers"] < summary["turns"] - 2
    assert summary["caller"]["waited_in_vain"]
    assert summary["turnspec"]["answers"] > summary["answers"]


@pytest.mark.parametrize("spec", ["owned_turns", "push_to_talk"])
def test_both_take_part_in_every_kind_of_turn(spec: str, tmp_path: Path) -> None:
    summary = play(tmp_path, naive=True, spec=spec).summary
    assert summary["turns"] == 6 and summary["answers"] >= 6 and summary["barge_ins"] >= 1
    turnspec = summary["turnspec"]
    assert summary["problems"] == []  # of turnspec's call
    assert (turnspec["turns"], turnspec["answers"], turnspec["barge_ins"]) == (6, 6, 1)
    assert turnspec["creates_by_cause"] == {"greeting": 1, "turn": 6, "tools": 1}
