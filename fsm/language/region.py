"""Regions: sets of slot tuples, each as one integer with a bit for every tuple there is.

Theory. The values of the slots span a finite space; a tuple's number in it is its bit. Union, intersection and
difference are one operation on integers, however many tuples they are about, and to move a slot from one value to
another is a shift of the bits that have the one. So what an event, an effect or a guard does to *all* situations costs
about as much as what it does to one.

Never here: conditions (fsm.language.decision_diagram), states, events, what is wrong (fsm.language.proof).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

import attrs

from fsm.language.spec import Spec
from fsm.language.vocabulary import Word

Region = int
Slots = tuple[int, ...]


@attrs.frozen(eq=False)
class SlotMoves:
    """What a word does: where it is legal, and for each of its slots which tuples move by how many bits."""

    legal: Region
    moves: tuple[tuple[Region, tuple[tuple[Region, int], ...]], ...]

    def __call__(self, region: Region) -> Region:
        for stays, shifts in self.moves:
            moved = region & stays
            for leaves, by in shifts:
                part = region & leaves
                if part:
                    moved |= part << by if by > 0 else part >> -by
            region = moved
        return region


class Space:
    """Of the slots of a spec. `everything` is the region of all tuples."""

    def __init__(self, spec: Spec) -> None:
        self.slot_index = spec.slot_index
        self.slots = spec.slots
        self.size = size_of(spec)
        self.everything: Region = (1 << self.size) - 1
        self.strides: dict[int, int] = {}
        self._having: dict[int, tuple[Region, ...]] = {}
        self._words: dict[int, tuple[Word, SlotMoves]] = {}
        stride = 1
        for slot in reversed(self.slots):
            values = len(slot.domain)
            first = _repeated((1 << stride) - 1, stride * values, self.size // (stride * values))
            self.strides[slot.index] = stride
            self._having[slot.index] = tuple(first << value * stride for value in range(values))
            stride *= values

    def region(self, slots: Slots) -> Region:
        """Of one tuple."""
        return 1 << sum(value * self.strides[slot.index] for slot, value in zip(self.slots, slots, strict=True))

    def tuples(self, region: Region) -> Iterator[Slots]:
        """Those in the region, in the order of their values."""
        bits = f"{region:b}"[::-1]
        every = itertools.product(*(range(len(slot.domain)) for slot in self.slots))
        return itertools.compress(every, map(int, bits))

    def having(self, slot: int, values: Iterable[int]) -> Region:
        """Where a slot, by its position in a configuration, has one of these values."""
        found = 0
        for value in values:
            found |= self._having[slot][value]
        return found

    def moves(self, word: Word) -> SlotMoves:
        """Of an event, an effect or a presumption."""
        known = self._words.get(id(word))
        if known is None:
            legal = self.everything
            for slot, values in word.when.items():
                legal &= self.having(self.slot_index[slot], values)
            moves = tuple(self._moved(self.slot_index[slot], table) for slot, table in word.moves.items())
            known = self._words[id(word)] = word, SlotMoves(legal, moves)  # kept alive, its id stays its own
        return known[1]

    def _moved(self, slot: int, table: Mapping[int, int]) -> tuple[Region, tuple[tuple[Region, int], ...]]:
        leaves: dict[int, Region] = {}
        for old, new in table.items():
            if old != new:
                by = (new - old) * self.strides[slot]
                leaves[by] = leaves.get(by, 0) | self._having[slot][old]
        return self.everything & ~union(leaves.values()), tuple((where, by) for by, where in leaves.items())


def size_of(spec: Spec) -> int:
    """How many slot tuples there are."""
    size = 1
    for slot in spec.slots:
        size *= len(slot.domain)
    return size


def union(regions: Iterable[Region]) -> Region:
    found = 0
    for region in regions:
        found |= region
    return found


def _repeated(bits: int, width: int, times: int) -> int:
    """The bits, so many times, each `width` above the last."""
    if times <= 1:
        return bits if times else 0
    half = _repeated(bits, width, times // 2)
    found = half | half << width * (times // 2)
    return found | bits << width * (times - 1) if times % 2 else found
