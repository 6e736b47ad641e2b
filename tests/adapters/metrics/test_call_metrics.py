"""What a call leaves in the metrics: told line by line, scraped as text, read by Prometheus' own parser."""

from __future__ import annotations

import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.metrics.call_metrics import CallMetrics
from adapters.metrics.metrics import Few, Metrics
from fsm.machine.machine import Effect, Event, Step
from tests.fsm.bundle import machine
from tests.fsm.stories.story import Story


class Measured(Story):
    """A story that is measured as it is told."""

    def __init__(self, spec: str = "server_vad", **context: str) -> None:
        self.metrics = Metrics()
        self.observer = CallMetrics(self.metrics, machine(spec).spec, "shop")
        self.summary = Summary(machine(spec).spec)
        super().__init__(spec, **context)

    def _take(self, step: Step) -> list[Effect]:
        envelope = Envelope(step.event, "story")
        self.summary.count(step, envelope, self.now_ms)
        self.observer.stepped(step, envelope, self.now_ms)
        return super()._take(step)

    def ended(self) -> Measured:
        self.summary.duration_ms = self.now_ms
        self.observer.ended(self.summary)
        return self

    def value(self, name: str, **labels: str) -> float:  # type: ignore[override]
        return samples(self.metrics).get((f"turnspec_{name}", tuple(sorted(labels.items()))), 0.0)


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }


def label(metrics: Metrics, name: str, key: str) -> set[str]:
    """The values of a label."""
    return {dict(labels)[key] for found, labels in samples(metrics) if found == f"turnspec_{name}"}


def turn(story: Measured, number: int, wait_ms: int) -> None:
    """A turn of the caller's, answered after so long."""
    story.tell(f"speech_started u{number}").tell("flushed").tell(f"speech_stopped u{number}").tell(
        f"committed u{number}"
    )
    story.tell(f"created r{number}").tell(f"wait {wait_ms}").tell(f"heard r{number} i{number}").tell(f"done r{number}")


def test_a_call_with_two_turns() -> None:
    story = Measured(owed="none")
    story.ready()
    turn(story, 1, 700)
    turn(story, 2, 1500)
    story.ended()
    spec = {"spec": "server_vad"}
    assert story.value("calls_total", agent="shop", **spec) == 1
    assert story.value("turns_total", **spec) == 2
    assert story.value("answers_total", outcome="completed", **spec) == 2
    assert story.value("response_latency_seconds_count", **spec) == 2
    assert story.value("response_latency_seconds_sum", **spec) == pytest.approx(2.2)
    assert story.value("response_latency_seconds_bucket", le="0.8", **spec) == 1
    assert story.value("greeting_latency_seconds_count", **spec) == 1
    assert story.value("barge_in_reaction_seconds_count", **spec) == 2
    assert story.value("state_seconds_count", state="responding", **spec) == 2


def test_tools_are_timed_and_their_failures_counted() -> None:
    story = Measured(owed="none")
    story.ready().tell("speech_started u1").tell("flushed").tell("speech_stopped u1").tell("committed u1")
    story.tell("created r1").tell("calls r1 c1").tell("done r1 calls c1").tell("wait 400").tell("returned c1")
    (tool,) = label(story.metrics, "tool_seconds_sum", "tool")
    assert story.value("tool_seconds_sum", tool=tool) == pytest.approx(0.4)
    assert story.value("tool_failures_total", tool=tool) == 0


def test_requests_and_tools_that_fail_are_counted() -> None:
    story = Measured(owed="none")
    story.ready().tell("speech_started u1").tell("flushed").tell("speech_stopped u1").tell("committed u1")
    story.tell("created r1").tell("calls r1 c1")
    step = machine("server_vad").start(owed="none")[0]
    for event in (
        Event("tool.returned", {"call_id": "c1", "output": '{"error": "x"}'}),
        Event("application.hang_up_requested"),
    ):
        story.observer.stepped(attrs.evolve(step, event=event), Envelope(event, "story"), story.now_ms)
    (tool,) = label(story.metrics, "tool_failures_total", "tool")
    assert story.value("tool_failures_total", tool=tool) == 1
    assert label(story.metrics, "requests_total", "request") == {"application.hang_up_requested"}
    story.summary.rejections["create_rejected.busy"] += 2
    story.ended()
    assert story.value("rejections_total", spec="server_vad", kind="create_rejected.busy") == 2


def test_errors_of_the_provider_count_by_code_of_which_there_are_few() -> None:
    story = Measured()
    for number in range(100):
        story.observer.wire("in", {"type": "error", "error": {"code": f"code_{number}"}}, 0)
    story.observer.wire("in", {"type": "error", "error": "a text"}, 0)
    story.observer.wire("in", {"type": "error", "error": {"code": None, "type": "server_error"}}, 0)
    story.observer.wire("out", {"type": "error", "error": {"code": "ours"}}, 0)
    codes = {
        dict(labels)["code"] for name, labels in samples(story.metrics) if name == "turnspec_provider_errors_total"
    }
    assert len(codes) == 32 and {"other", "no_code"} <= codes
    assert story.value("provider_errors_total", code="other") == 71


def test_few_values_of_a_label_are_kept() -> None:
    few = Few(2)
    assert [few(each) for each in "abcab"] == ["a", "b", "other", "a", "b"]


def test_a_gauge_is_asked_when_somebody_scrapes() -> None:
    metrics, waiting = Metrics(), [3.0]
    metrics.gauge("calls_live", "Now.", lambda: waiting[0])
    metrics.gauge("lateness_ms", "By quantile.", lambda: 1.5, quantile="0.99")
    metrics.gauge("lateness_ms", "By quantile.", lambda: 0.5, quantile="0.5")
    waiting[0] = 4.0
    found = samples(metrics)
    assert found["turnspec_calls_live", ()] == 4.0
    assert found["turnspec_lateness_ms", (("quantile", "0.99"),)] == 1.5
