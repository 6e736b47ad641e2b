"""Several processes' metrics as one: sums, the worst, what a process that is gone had counted."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.audio.tick import Ticker
from adapters.metrics.merged import WORST_COUNTS, MergedMetrics, gauge
from adapters.metrics.metrics import Metrics
from adapters.server.measured import LoopLag, measure_server


def values(text: bytes) -> dict[str, float]:
    families = text_string_to_metric_families(text.decode())
    return {
        " ".join([each.name, *dict(sorted(each.labels.items())).values()]): each.value
        for family in families
        for each in family.samples
    }


def process(calls: int, live: float, behind: float) -> Metrics:
    metrics = Metrics()
    metrics.calls.labels("server_vad", "sales").inc(calls)
    metrics.response_latency.labels("server_vad").observe(0.5)
    metrics.gauge("calls_live", "Calls.", lambda: live)
    metrics.gauge("events_waiting_most", "Events.", lambda: behind)
    return metrics


def test_counts_are_added_up_and_of_what_is_late_the_worst_counts() -> None:
    merged = MergedMetrics()
    merged.note(1, process(2, 1, 7).render().decode())
    merged.note(2, process(3, 4, 5).render().decode())
    merged.note(2, process(5, 4, 5).render().decode())
    found = values(merged.render([gauge("workers_ready", "Workers.", {"": 2.0})]))
    assert found["turnspec_calls_total sales server_vad"] == 7
    assert (found["turnspec_calls_live"], found["turnspec_events_waiting_most"]) == (5, 7)
    assert found["turnspec_response_latency_seconds_bucket 0.4 server_vad"] == 0
    assert found["turnspec_response_latency_seconds_bucket 0.6 server_vad"] == 2
    assert found["turnspec_response_latency_seconds_count server_vad"] == 2
    assert found["turnspec_workers_ready"] == 2


def test_a_counter_does_not_fall_when_its_process_is_gone() -> None:
    merged = MergedMetrics()
    merged.note(1, process(2, 1, 0).render().decode())
    merged.note(2, process(3, 4, 0).render().decode())
    merged.lose(1)
    merged.lose(9)
    merged.note(3, process(1, 1, 0).render().decode())
    found = values(merged.render())
    assert found["turnspec_calls_total sales server_vad"] == 6 and found["turnspec_calls_live"] == 5


def test_the_names_of_which_the_worst_counts_are_those_of_a_server() -> None:
    metrics = Metrics()
    measure_server(metrics, Ticker(), LoopLag(), {}, 1)
    names = {family.name for family in text_string_to_metric_families(metrics.render().decode())}
    assert names >= WORST_COUNTS


def test_what_is_no_metric_is_an_error() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        MergedMetrics().note(1, "x y z")


def test_one_by_a_label() -> None:
    made = gauge("worker_calls", "Calls.", {"0": 1.0, "1": 2.0}, "worker")
    assert [(each.labels, each.value) for each in made.samples] == [({"worker": "0"}, 1.0), ({"worker": "1"}, 2.0)]


def test_what_the_merging_process_says_itself_stands_for_what_the_others_say_of_it() -> None:
    merged = MergedMetrics()
    merged.note(1, "# TYPE turnspec_store_degraded gauge\nturnspec_store_degraded 0\n")
    found = values(merged.render([gauge("store_degraded", "Of all.", {"": 1.0})]))
    assert found["turnspec_store_degraded"] == 1
    assert merged.render([gauge("store_degraded", "Of all.", {"": 1.0})]).count(b"# TYPE turnspec_store_degraded") == 1
