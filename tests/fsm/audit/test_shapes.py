"""A call without a fault has notes at most, whoever serves it, whatever of it is logged, wherever the log begins."""

from __future__ import annotations

import random

import pytest

from tests.fsm.audit.bench import audited, named, untimed
from tests.fsm.audit.crossing import SEED, crossed, flat, pairs
from tests.fsm.audit.failures import FAILURES
from tests.fsm.audit.logbook import Row
from tests.fsm.audit.shapes import CLEAN, VIEWS, Wire


def findings(rows: list[Row]) -> list[str]:
    return [f"{group.rule.id}: {group.first.text}" for group in audited(rows).findings]


@pytest.mark.parametrize(("shape", "view", "timed"), flat(crossed(CLEAN, pairs(VIEWS, (True, False)))))
def test_a_call_without_a_fault_is_clean(shape: str, view: str, timed: bool) -> None:
    rows = VIEWS[view](CLEAN[shape]())
    assert findings(rows if timed else untimed(rows)) == []


def telling(rows: list[Row]) -> list[tuple[int, int]]:
    """For each kind of event, where it comes first, and one of the places where it comes, chosen by the seed."""
    places: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        kind = row.get("event", {}).get("type", "closed")
        if not kind.endswith((".append", ".delta")):
            places.setdefault(kind, []).append(at)
    chance = random.Random(SEED)
    return [(found[0], chance.choice(found)) for found in places.values()]


@pytest.mark.parametrize("shape", CLEAN)
def test_a_log_may_begin_and_end_anywhere(shape: str) -> None:
    rows = VIEWS["cut audio"](CLEAN[shape]())
    for first, other in telling(rows):
        assert findings(rows[: other + 1]) == [], f"ends after {rows[other]}"
        assert findings(rows[first:]) == [], f"begins with {rows[first]}"


_NEEDS_TIME = {"storm", "no greeting", "response lost", "nobody asks after a tool", "late answer"}
_NEEDS_CLIENT = {
    "storm",
    "storm, rejected",
    "two tools ask",
    "update lost",
    "played on",
    "answered twice",
    "late audio",
}
_NEEDS_AUDIO = {"played on"}


_SHOWN_BY = ("beta", "cut audio", "no audio", "no deltas", "provider only")


@pytest.mark.parametrize(("name", "view", "timed"), flat(crossed(FAILURES, pairs(_SHOWN_BY, (True, False)))))
def test_a_failure_is_named_wherever_the_log_still_shows_it(name: str, view: str, timed: bool) -> None:
    make, rule = FAILURES[name]
    rows = VIEWS[view](make())
    hidden = (
        (not timed and name in _NEEDS_TIME)
        or (name in _NEEDS_AUDIO and view != "beta")
        or (view == "provider only" and name in _NEEDS_CLIENT)
    )
    found = named(audited(rows if timed else untimed(rows)).findings)
    assert (rule in found) is not hidden


def greeting_missing(wire: Wire) -> None:
    wire.opened()
    wire.hush(9.0).speaks()
    wire.replies()


def answer_late(wire: Wire) -> None:
    wire.greets().speaks()
    wire.hush(9.0).replies()


def tool_unasked(wire: Wire) -> None:
    wire.greets().speaks()
    name = wire.began()
    call = wire.function(name)
    wire.ended(name, [call])
    wire.returns(call)
    wire.hush(12.0)


def stalled(wire: Wire) -> None:
    wire.greets().speaks()
    name = wire.began()
    item = wire.message(name)
    wire.pieces(name, item, 1000)
    wire.hush(8.0)
    wire.pieces(name, item, 1000)
    wire.ended(name, [wire.close_item(name, item)])


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize(
    ("make", "rule"),
    [(greeting_missing, "no-greeting"), (answer_late, "dead-air"), (tool_unasked, "tool-round-unasked"),
     (stalled, "dead-air")],
)  # fmt: skip
def test_where_a_log_has_no_times_the_audio_of_a_live_line_is_its_clock(make: object, rule: str, timed: bool) -> None:
    assert callable(make)
    wire = Wire()
    make(wire)
    assert named(audited(wire.rows if timed else untimed(wire.rows)).findings) == [rule]


def test_audio_that_is_sent_faster_than_spoken_is_no_clock() -> None:
    """A file is sent at once: its 20 seconds are no silence before the answer."""
    wire = Wire().greets()
    at = len(wire.rows)
    wire.exchange().exchange()
    begins = wire.rows[:at]
    sent = [row for row in wire.rows[at:] if row["event"]["type"].endswith(".append")]
    rest = [row for row in wire.rows[at:] if not row["event"]["type"].endswith(".append")]
    assert findings(untimed([*begins, *sent, *sent, *sent, *rest])) == []


def test_a_double_answer_that_its_log_does_not_explain_is_a_note() -> None:
    """What the provider says shows two answers; whether the client had a reason is not in the log."""
    report = audited(VIEWS["provider only"](FAILURES["answered twice"][0]()))
    assert (named(report.findings), named(report.notes)) == ([], ["turn-answered-twice"])


def test_an_update_without_an_answer_at_the_very_end_of_a_log_is_a_note() -> None:
    wire = Wire().greets().exchange()
    wire.update()
    wire.hush(0.5)
    assert findings(wire.rows) == []


def test_a_response_outside_the_conversation_is_told_by_its_metadata() -> None:
    """Two creates cross; the answers come in the other order."""
    wire = Wire().greets()
    wire.says_text("What is new?")
    wire.create(metadata={"for": "caller"})
    wire.create(conversation="none", metadata={"for": "log"}, instructions="Classify.")
    wire.began({"for": "log"}, None)
    first = wire.began({"for": "caller"})
    wire.ended("resp_0002", [])
    wire.pieces(first, wire.message(first), 1000)
    wire.ended(first, [])
    report = audited(wire.rows)
    assert report.findings == [] and report.figures.accepted == 3
