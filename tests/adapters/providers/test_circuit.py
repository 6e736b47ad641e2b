"""A circuit: closed, open, half open, by the time that it is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.circuit import TRIAL_S, WINDOW_S, Circuit


def test_failures_within_the_window_open_it() -> None:
    circuit = Circuit(failures=3)
    assert [circuit.failed(at, "away", fatal=False) for at in (0.0, 10.0, 20.0)] == [False, False, True]
    assert circuit.state(20.0) == "passed_over" and not circuit.allows(49.9) and circuit.reason == "away"


def test_failures_that_are_far_apart_do_not() -> None:
    circuit = Circuit(failures=3)
    assert not any(circuit.failed(at, "away", fatal=False) for at in (0.0, 29.0, 31.0, 62.0, 100.0))
    assert circuit.allows(100.0)


def test_a_session_between_them_starts_the_count_again() -> None:
    circuit = Circuit(failures=2)
    circuit.failed(0.0, "away", fatal=False)
    circuit.succeeded()
    assert not circuit.failed(1.0, "away", fatal=False) and circuit.state(1.0) == "works"


def test_what_no_retry_repairs_opens_it_at_once() -> None:
    circuit = Circuit(failures=3)
    assert circuit.failed(0.0, "insufficient_quota", fatal=True)
    assert circuit.is_fatal and circuit.state(0.0) == "passed_over"


def test_one_call_tries_it_again_and_decides() -> None:
    circuit = Circuit(failures=1)
    circuit.failed(0.0, "away", fatal=False)
    half = WINDOW_S
    assert circuit.state(half) == "half_open" and circuit.allows(half)
    circuit.began(half)
    assert not circuit.allows(half + 1), "one call is enough to find out"
    assert circuit.allows(half + TRIAL_S), "and its end may never be told"
    circuit.failed(half + 2, "still away", fatal=False)
    assert circuit.state(half + 2) == "passed_over" and not circuit.allows(2 * half + 1)
    circuit.began(2 * half + 2)
    circuit.succeeded()
    assert circuit.state(2 * half + 2) == "works" and circuit.reason == "" and not circuit.is_fatal


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["failed", "fatal", "succeeded", "began"])), max_size=40))
def test_an_open_circuit_is_tried_again_in_the_end(events: list[tuple[float, str]]) -> None:
    circuit, now_s = Circuit(), 0.0
    for step_s, kind in events:
        now_s += step_s
        match kind:
            case "succeeded":
                circuit.succeeded()
            case "began":
                circuit.began(now_s)
            case _:
                circuit.failed(now_s, kind, fatal=kind == "fatal")
        assert circuit.allows(now_s) or circuit.state(now_s) != "works"
    assert circuit.allows(now_s + WINDOW_S + TRIAL_S)
