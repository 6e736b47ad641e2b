"""Crossings too large to be run whole, sampled: every value of every axis, in pairs that a seed has chosen.

What a form of a log does to a call depends on the form, and hardly ever on the call: every form with every call is the
same few things tested over and over. A sample has each value `times` times at least, and every pair of the axes that
are given in `pairs`; a fault that needs one form and one call is found by another seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import product

SEED = 9


def crossed(*axes: Iterable[object], times: int = 1, seed: int = SEED) -> list[tuple[object, ...]]:
    """Rows in which each value of each axis is `times` times at least, spread evenly over the values of the others."""
    values = [list(axis) for axis in axes]
    count = times * max(len(each) for each in values)
    columns = [_spread(each, count, random.Random(f"{seed} {number}")) for number, each in enumerate(values)]
    return list(zip(*columns, strict=True))


def pairs(*axes: Iterable[object]) -> list[tuple[object, ...]]:
    """Axes as one, so that every pair of their values is in a crossing with others."""
    return list(product(*axes))


def flat(rows: Iterable[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Rows of a crossing in which an axis was a pair."""
    return [tuple(_flattened(row)) for row in rows]


def _flattened(row: Sequence[object]) -> Iterable[object]:
    for value in row:
        if isinstance(value, tuple):
            yield from value
        else:
            yield value


def _spread(values: Sequence[object], count: int, chance: random.Random) -> list[object]:
    """The values over and over, each round in an order of its own."""
    found: list[object] = []
    while len(found) < count:
        found += chance.sample(values, len(values))
    return found[:count]
