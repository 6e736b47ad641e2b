"""The metrics of several processes as those of one: counts and times are added up, of lateness the worst counts.

What a process counted before it was gone stays in the sums, as of the last time it was asked: a counter never falls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

WORST_COUNTS: Final = frozenset(
    {
        "turnspec_events_waiting_most",
        "turnspec_calls_limit",
        "turnspec_loop_lag_worst_seconds",
        "turnspec_playout_lateness_seconds",
    }
)
"""Gauges that are not added up."""
_GAUGE: Final = "gauge"

SampleKey: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]
"""Of which family, its name, its labels."""


class MergedMetrics(Collector):
    """`note` what each process says, `lose` one that is gone, `render` all of it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._families: dict[str, Metric] = {}  # without samples; in the order in which they came
        self._last: dict[int, Mapping[SampleKey, float]] = {}
        self._gone: defaultdict[SampleKey, float] = defaultdict(float)
        self._own: list[Metric] = []
        self._registry.register(self)

    def note(self, process: int, text: str) -> None:
        """All that this process says, in Prometheus' text format. ValueError: it is something else."""
        found: dict[SampleKey, float] = {}
        for family in text_string_to_metric_families(text):
            self._families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                found[family.name, sample.name, tuple(sorted(sample.labels.items()))] = sample.value
        self._last[process] = found

    def lose(self, process: int) -> None:
        """What it counted stays; what it had at the moment does not."""
        for key, value in self._last.pop(process, {}).items():
            if self._families[key[0]].type != _GAUGE:
                self._gone[key] += value

    def render(self, own: Iterable[Metric] = ()) -> bytes:
        """`own`: of the process that merges."""
        self._own = list(own)
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        sums = defaultdict(float, self._gone)
        for found in self._last.values():
            for key, value in found.items():
                sums[key] = max(sums.get(key, value), value) if key[0] in WORST_COUNTS else sums[key] + value
        own = {each.name for each in self._own}  # said here, not in any worker
        by_family: defaultdict[str, list[tuple[str, dict[str, str], float]]] = defaultdict(list)
        for (family, name, labels), value in sums.items():
            by_family[family].append((name, dict(labels), value))
        for name, empty in self._families.items():
            if name in own:
                continue
            made = Metric(empty.name, empty.documentation, empty.type)
            for sample_name, labels_of, value in by_family[name]:
                made.add_sample(sample_name, labels_of, value)
            yield made
        yield from self._own


def gauge(name: str, about: str, values: Mapping[str, float], label: str = "") -> Metric:
    """One more, of the process that merges: by the value of a label, or one value under ""."""
    made = Metric(f"turnspec_{name}", about, _GAUGE)
    for key, value in values.items():
        made.add_sample(f"turnspec_{name}", {label: key} if label else {}, value)
    return made
