"""What an error says of how long to wait, and the deadline that lasts so long."""

from __future__ import annotations

import pytest

from fsm.language.loader import load
from fsm.machine.ledgers import LEDGERS
from fsm.machine.ledgers.realtime.stated_wait import wait_ms
from fsm.machine.machine import Event, TurnSpecMachine
from fsm.machine.wire import read_wire
from tests.fsm.bundle import machine
from tests.fsm.machine import wire_forms as wire


@pytest.mark.parametrize(
    ("words", "stated_ms"),
    [
        (
            "Rate limit reached for gpt-realtime on tokens per min (TPM). Please try again in 20s. Visit https://x.",
            20_000,
        ),
        ("Please try again in 1.5s", 1500),
        ("please try again in 120ms.", 120),
        ("Please try again in 1.234567ms.", 1),
        ("Please try again in 0s", 1),
        ("Please try again in 0.2s.", 200),
        ("Please try again in 1m3s.", 60_000),
        ("Please try again in 7m12.5s", 60_000),
        ("Please try again in 999999999h", 60_000),
        ("Try again in 12 seconds", 12_000),
        ("Please retry after 3 seconds.", 3000),
        ("Please retry after 250 milliseconds.", 250),
        ("retry in 1 minute", 60_000),
        ("Too fast; wait 5 s", 5000),
        ("Please try again in 2 s and 500 ms", 2500),
        ("Please try again in 20", None),
        ("Please try again in 20 sheep", None),
        ("Please try again in 1.2.3s", None),
        ("Please try again later.", None),
        ("Wait until the response is finished before creating a new one.", None),
        ("in 20s", None),
        ("", None),
        (" " * 600 + "try again in 20s", None),
    ],
)
def test_words(words: str, stated_ms: int | None) -> None:
    assert wait_ms(words) == stated_ms


TWENTY = "Rate limit reached. Please try again in 20s."


def test_facts_of_a_failed_response_and_of_a_rejected_create_carry_it() -> None:
    vocabulary = machine("server_vad").spec.vocabulary
    failed = wire.failed("resp_1", "rate_limit_exceeded")
    failed["response"]["status_details"]["error"]["message"] = TWENTY  # type: ignore[index]
    (done,) = read_wire(vocabulary, failed)
    assert (done.name, done.data["retry_after_ms"]) == ("response.done", 20_000)
    error = {"code": "rate_limit_exceeded", "message": TWENTY, "event_id": "ts_create_response_3"}
    (rejected,) = read_wire(vocabulary, {"type": "error", "error": error})
    assert (rejected.name, rejected.data["retry_after_ms"]) == ("create_failed", 20_000)
    (other,) = read_wire(vocabulary, {"type": "error", "error": {**error, "message": "No."}})
    assert "retry_after_ms" not in other.data
    assert [e.name for e in read_wire(vocabulary, {"type": "error", "error": {"message": 5}})] == ["error.unrelated"]


SPEC = """
spec: waits
vocabulary: [v.yaml]
initial: idle
context: {backoff: {values: [no, yes]}}
deadlines: {retry_due: {after_ms: 700, at_least: retry_after_ms, while: backoff}}
states:
  idle: {on: {failed: {do: [backoff = yes]}, timer.retry_due: {do: [backoff = no]}, left: over}}
  over: {final: yes, ignore: {over: ["*"]}}
"""
VOCABULARY = "{vocabulary: v, ledger: realtime, slots: {}, events: {failed: {from: socket}, left: {from: socket}}}"


@pytest.mark.parametrize(
    ("data", "lasts_ms"),
    [
        ({}, 700),
        ({"retry_after_ms": 20_000}, 20_000),
        ({"retry_after_ms": 100}, 700),
        ({"retry_after_ms": "9000"}, 700),
    ],
)
def test_a_deadline_lasts_as_long_as_the_event_that_starts_it_states(data: dict[str, object], lasts_ms: int) -> None:
    made = TurnSpecMachine(load(SPEC, "s.yaml", lambda name: (VOCABULARY, name), LEDGERS).spec)
    for _ in range(2):  # worked out, and as it is kept
        step = made.advance(made.start()[-1].snapshot, Event("failed", data))[-1]
        assert [(timer.name, timer.after_ms) for timer in step.start] == [("retry_due", lasts_ms)]
