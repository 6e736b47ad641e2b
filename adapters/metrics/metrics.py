"""What a process of calls measures, in Prometheus' text format. Counts; never decides, and harms no call.

Every label has few values: specs, states, events and effects are those of the specs in use, tools those of the
configuration, reasons and codes are bounded here (`Few`). Source of the format: prometheus.io/docs/instrumenting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

_STATE_S: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)
_LATENCY_S: Final = (0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 3.0, 5.0, 8.0, 15.0)
_REACTION_S: Final = (0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0)
_SILENCE_S: Final = (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0)
_CALL_S: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_TOOL_S: Final = (0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)
_OTHER: Final = "other"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for


class Few:
    """The values of a label that comes from outside: the first so many, then `other`."""

    def __init__(self, most: int = 30) -> None:
        self._known: set[str] = set()
        self._most = most

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return _OTHER
        self._known.add(value)
        return value


class Metrics:
    """All metrics of a process. One object for each server; `render` is what is scraped."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"turnspec_{name}", about, labels, registry=registry)

        def seconds(name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"turnspec_{name}_seconds", about, labels, buckets=buckets, registry=registry)

        self.calls = counter("calls", "Calls taken.", "spec", "agent")
        self.refused = counter("calls_refused", "Calls turned away.", "reason")
        self.deliveries = counter("webhook_deliveries_refused", "Deliveries that announced no call.", "reason")
        self.ended = counter("calls_ended", "Calls that are over, by what began their end.", "spec", "reason")
        self.call_time = seconds("call", "How long calls took.", _CALL_S, "spec")
        self.state_time = seconds("state", "How long calls stayed in a state.", _STATE_S, "spec", "state")
        self.response_latency = seconds(
            "response_latency", "End of the caller's turn, as it is known, to the first frame of the answer.",
            _LATENCY_S, "spec",
        )  # fmt: skip
        self.greeting_latency = seconds(
            "greeting_latency", "Begin of a call to the first frame the caller hears.", _LATENCY_S, "spec"
        )
        self.barge_in = seconds(
            "barge_in_reaction", "From the word that the caller interrupts to silence.", _REACTION_S, "spec"
        )
        self.longest_silence = seconds("longest_silence", "Of a call: nobody is heard.", _SILENCE_S, "spec")
        self.longest_wait = seconds("longest_wait", "The same while something is owed.", _SILENCE_S, "spec")
        self.turns = counter("turns", "Turns of callers.", "spec")
        self.answers = counter("answers", "Answers: completed, cancelled, silent, failed, unended.", "spec", "outcome")
        self.creates = counter("creates", "Requests for an answer.", "spec", "cause")
        self.rejections = counter("rejections", "What the provider rejected of ours.", "spec", "kind")
        self.barge_ins = counter("barge_ins", "Callers who interrupted the agent.", "spec")
        self.requests = counter("requests", "Requests of tools and applications.", "spec", "request", "outcome")
        self.impossible = counter("impossible_events", "Events against the provider's protocol.", "spec", "event")
        self.reconnects = counter("sessions_replaced", "Sessions that came in the place of another.", "spec")
        self.provider_errors = counter("provider_errors", "Error events of the provider.", "code")
        self.tool_time = seconds("tool", "How long tools took.", _TOOL_S, "tool")
        self.tool_failures = counter("tool_failures", "Tools that failed or were overdue.", "tool")
        self.underruns = counter("playout_underruns", "Times that an answer ran dry while it was heard.", "spec")
        self.dropped = counter("events_dropped", "Events that a mailbox had no room for.", "spec")
        self.journal_dropped = counter("journal_lines_dropped", "Lines that are missing in journals.", "spec")
        self.reason, self.code, self.tool = Few(), Few(), Few(100)

    def gauge(self, name: str, about: str, value: Callable[[], float], **labels: str) -> None:
        """What is asked for when somebody scrapes."""
        gauge = self._gauges.get(name)
        if gauge is None:
            gauge = self._gauges[name] = Gauge(f"turnspec_{name}", about, tuple(labels), registry=self._registry)
        (gauge.labels(**labels) if labels else gauge).set_function(value)

    def delivery_refused(self, reason: str) -> None:
        """Of a webhook; the reasons are few and ours."""
        self.deliveries.labels(reason).inc()

    def render(self) -> bytes:
        """All of it."""
        return generate_latest(self._registry)
