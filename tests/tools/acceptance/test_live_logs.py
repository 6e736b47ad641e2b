"""Logs of GPT-Live are runs of its world: the recorded call, hand-made ones, a journal of ours; damaged ones are not.

The hand-made logs are after docs/facts/gpt_live.md sections 3 and 5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.adapters.demo.played_demo import play
from tests.recordings import Recorded
from tests.tools.acceptance.logs import LIVE, Row, accepted, at, moved, projection, twice, without
from tools.acceptance.acceptance import Acceptance, accept
from tools.acceptance.projection import chosen, marks_of
from tools.acceptance.read import bundled_projections, read_log

RECORDED = "live_openai_client_delegation"


def client(kind: str, **fields: Any) -> Row:
    return {"dir": "client", "event": {"type": kind, **fields}}


def server(kind: str, **fields: Any) -> Row:
    return {"dir": "server", "event": {"type": kind, **fields}}


def nested(kind: str, delegation: str | None = "d1", **fields: Any) -> Row:
    return server("response.event", delegation_id=delegation, event={"type": kind, **fields})


def call(call_id: str) -> Row:
    item = {"type": "function_call", "status": "completed", "call_id": call_id, "name": "clock", "arguments": "{}"}
    return nested("response.output_item.done", item=item)


def output(call_id: str) -> Row:
    item = {"type": "function_call_output", "call_id": call_id, "output": "noon"}
    return client("response.item.create", item=item)


ROUND = [
    client("session.start", session={"model": "gpt-live-1"}),
    server("session.started", session={"id": "live_1"}),
    client("session.commentary.append", content="Hello!", delegation_id=None),
    server("session.commentary.appended", start_ms=200, end_ms=200),
    server("session.delegation.created", delegation={"id": "d1", "target": "responses", "response_id": "r1"}),
    nested("response.created"),
    nested("response.output_item.done", item={"type": "reasoning"}),
    call("c1"),
    call("c2"),
    nested("response.completed"),
    output("c1"),
    output("c2"),
    client("response.create", event_id="mine"),
    nested("response.created", delegation=None),
    nested("response.completed", delegation=None),
    client("session.close"),
    server("session.closed", reason="close_requested"),
]
REFUSAL = server("error", error={"type": "invalid_request_error", "message": "wait", "client_event_id": "mine"})


def judged(log: list[Row]) -> Acceptance:
    return accepted(log, by=projection(LIVE))


def test_the_recorded_call_is_a_run_of_the_world(recorded: Recorded) -> None:
    log = recorded(RECORDED)
    marks = {mark for row in log for mark in marks_of(row["event"])}
    assert chosen((projection(), projection(LIVE)), marks) is projection(LIVE)
    found = judged(log)
    assert (found.outcome, found.stop, found.dialect, found.relaxed) == ("accepted", None, "live", {})
    assert found.assumed == {"client_is_recorded": "no"}
    assert found.events + sum(found.passed.values()) == len(log) and found.events == 2


def test_a_delegation_before_the_session_is_not(recorded: Recorded) -> None:
    found = judged(moved(recorded(RECORDED), "session.delegation.created", "session.started"))
    assert found.outcome == "refused" and found.stop is not None
    assert (found.stop.type, found.stop.roles) == ("session.delegation.created", ("asks_us",))


def test_a_round_of_two_calls_is_a_run_of_the_world() -> None:
    found = judged(ROUND)
    assert (found.outcome, found.stop, found.assumed, found.relaxed) == ("accepted", None, {}, {})
    assert found.events == 14


@pytest.mark.parametrize(
    ("log", "impossible"),
    [
        (without(ROUND, "session.start"), "session.started"),
        (twice(ROUND, "session.started"), "session.started"),
        (without(ROUND, "session.delegation.created"), "response.event"),
        (without(ROUND, "response.item.create"), "response.event"),
        (without(ROUND, "response.create"), "response.event"),
        ([*ROUND[:9], *ROUND[10:12], ROUND[12], *ROUND[13:]], "response.event"),
        (without(ROUND, "session.close"), ""),
    ],
    ids=["no start", "started twice", "no delegation", "partial batch", "no continuation", "too early", "it ended it"],
)
def test_a_damaged_round_is_not_or_something_failed(log: list[Row], impossible: str) -> None:
    found = judged(log)
    if impossible:
        assert found.outcome == "refused" and found.stop is not None
        assert found.stop.type == impossible
    else:
        assert (found.outcome, found.relaxed) == ("accepted", {"things_fail": "yes"})


def test_a_partial_batch_is_refused_by_the_provider() -> None:
    place = at(ROUND, "response.create")
    assert judged([*without(ROUND, "response.item.create")[:place], REFUSAL]).outcome == "accepted"
    found = judged([*ROUND[: place + 1], REFUSAL])
    assert (found.outcome, found.relaxed) == ("accepted", {"things_fail": "yes"}), "a whole one is not"


def test_a_journal_is_a_run_of_the_world(tmp_path: Path) -> None:
    play(tmp_path / "out", spec="full_duplex", protocol="live")
    log = read_log(str(tmp_path / "out" / "journal.jsonl"), bundled_projections())
    found = accept("journal", log.observations, log.projection)
    assert (found.outcome, found.stop, found.dialect) == ("accepted", None, "live_journal")
    assert found.events >= 10 and found.relaxed == {}
    assert any(o.type == "voice.began" for o in log.observations)
