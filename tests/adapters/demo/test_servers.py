"""The demo's call (six turns, keys, two tools at once, a barge-in) over every row of servers.yaml, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.settings.servers import bundled_servers
from adapters.simulator.providers.realtime.likes import row_like
from tests.adapters.demo.played_demo import PlayedDemo, planned, play_plan

ROWS = {name: row for name, row in bundled_servers().items() if not row.refused}


def story(played: PlayedDemo) -> str:
    return "\n".join(f"{event.kind:10} {event.text}" for event in played.events)


@pytest.mark.parametrize("name", ROWS)
def test_a_whole_call_over_every_server(tmp_path: Path, name: str) -> None:
    played = play_plan(planned().like(ROWS[name]), tmp_path)
    call = played.outcome.turnspec
    told = story(played)
    assert played.outcome.problems == (), told
    numbers = call.numbers
    assert (numbers["turns"], numbers["tools"], numbers["barge_ins"]) == (6, 2, 1), told
    (session,) = call.sessions
    assert (
        session.rejections == {} and session.violations == [] and session.notes == [] and session.close_code == 1000
    ), told


@pytest.mark.parametrize(
    ("name", "but"),
    [
        ("xai", "metadata=not_echoed"), ("xai", "begins=[conversation.created]"), ("voice_live", "metadata=not_echoed"),
        ("glm", "creates=options"), ("glm", "never_sent=[]"), ("hf", "metadata=not_echoed"),
    ],
)  # fmt: skip
def test_what_nobody_has_seen_may_be_otherwise(tmp_path: Path, name: str, but: str) -> None:
    plan = planned().like(ROWS[name], played=row_like(name, [but]))
    played = play_plan(plan, tmp_path)
    assert played.outcome.problems == (), story(played)


def test_a_server_that_refuses_what_its_row_allows_is_seen(tmp_path: Path) -> None:
    played = play_plan(planned().like(ROWS["xai"], played=row_like("xai", ["metadata=refused"])), tmp_path)
    sessions = played.outcome.turnspec.sessions
    assert all(each.rejections["unknown_parameter"] for each in sessions) and played.outcome.problems
