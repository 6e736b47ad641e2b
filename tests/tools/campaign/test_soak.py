"""A short soak on one server: what it holds between calls is the same each time; and growth would be told."""

from __future__ import annotations

import attrs
import pytest

from adapters.demo.lines import LINES
from tools.campaign.soak import KEPT, SoakSample, growth, soak

SAMPLE = SoakSample(calls=1, memory_kb=100_000, descriptors=9, tasks=1, timers=0, threads=3, objects={"adapters.X": 5})


@pytest.mark.virtual_time
@pytest.mark.parametrize("line", LINES)
async def test_what_a_server_holds_between_calls_does_not_grow(line: str) -> None:
    told: list[SoakSample] = []
    samples = await soak(4, 3, line, "server_vad", turns=2, tell=told.append)
    assert [each.calls for each in samples] == [0, 3, 6, 9, 12] and told == samples[1:]
    assert list(growth(samples)) == []
    assert all(each.counts == samples[2].counts for each in samples[2:])


@pytest.mark.parametrize("name", ["descriptors", "tasks", "timers", "threads"])
def test_a_count_that_grows_is_told(name: str) -> None:
    more = attrs.evolve(SAMPLE, calls=9, **{name: 12})  # type: ignore[arg-type]
    assert list(growth([SAMPLE] * 4 + [more])) == [f"{name}: {getattr(SAMPLE, name)} after 1 calls, 12 after 9"]


def test_objects_and_memory_that_grow_are_told() -> None:
    grown = [
        attrs.evolve(SAMPLE, calls=n, memory_kb=100_000 + 10_000 * n, objects={"adapters.X": 5 + n}) for n in range(9)
    ]
    assert list(growth(grown)) == [
        "objects of adapters.X: 6 more after 8 calls than after 2",
        "memory: 122 MB in the first third, 171 MB in the last",
    ]
    assert list(growth(grown[:2])) == []


def test_what_is_kept_by_design_may_grow_to_its_bound() -> None:
    name, most = next(iter(KEPT.items()))
    few, many = ([attrs.evolve(SAMPLE, objects={name: n})] * 3 for n in (1, most))
    assert list(growth([*few, *many])) == []
    assert list(growth([*few, attrs.evolve(SAMPLE, objects={name: most + 1})])) != []
