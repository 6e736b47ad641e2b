"""The circuits of a process: one for each provider that its calls know, by address and key, across reloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import attrs

from adapters.providers.circuit import FAILURES, Circuit
from adapters.providers.failover import Candidate, ProviderChoice
from adapters.settings.protocols import ConfiguredProvider

if TYPE_CHECKING:
    from adapters.metrics.metrics import Metrics

_MEASURED: Final = {"works": 0.0, "half_open": 1.0, "passed_over": 2.0}
_Key = tuple[str, tuple[tuple[str, str], ...]]


@attrs.define(eq=False)
class Circuits:
    """`now_s` is the loop's clock."""

    now_s: Callable[[], float]
    failures: int = FAILURES
    _known: dict[_Key, tuple[str, Circuit]] = attrs.field(factory=dict, repr=False)  # the key holds a secret
    _metrics: Metrics | None = None

    def choice(self, providers: Iterable[ConfiguredProvider]) -> ProviderChoice:
        """The providers of an agent, each with its circuit."""
        return ProviderChoice(tuple(Candidate(each, self._of(each)) for each in providers), self.now_s)

    def passed_over(self) -> list[str]:
        """Providers that new calls do not go to now, and why. Without an address: whoever asks has no token."""
        now_s, circuits = self.now_s(), [circuit for _, circuit in self._known.values()]
        return [
            f"provider {place}: {each.reason}"
            for place, each in enumerate(circuits, start=1)
            if each.state(now_s) != "works"
        ]

    def measure(self, metrics: Metrics) -> None:
        """Each of them, and those to come."""
        self._metrics = metrics
        for label, circuit in self._known.values():
            self._measure(metrics, label, circuit)

    def _measure(self, metrics: Metrics, label: str, circuit: Circuit) -> None:
        about = "0: calls go there, 1: one may try, 2: passed over."
        metrics.gauge("provider_circuit", about, lambda: _MEASURED[circuit.state(self.now_s())], provider=label)

    def _of(self, provider: ConfiguredProvider) -> Circuit:
        endpoint = provider.endpoint
        key = (endpoint.url, tuple(sorted(endpoint.headers.items())))
        if key not in self._known:
            self._known[key] = (provider.label, Circuit(failures=self.failures))
            if self._metrics is not None:
                self._measure(self._metrics, *self._known[key])
        return self._known[key][1]
