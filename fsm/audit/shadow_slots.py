"""What the slots of our machine allow just now, asked by the protocol's words: no slot and no value has a name here."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from fsm.language.spec import Spec
from fsm.language.vocabulary import Word
from fsm.machine.machine import Snapshot


@attrs.frozen
class SlotView:
    """The slots of a snapshot. A word is an effect, or an event: its name stands for each of its variants."""

    spec: Spec
    snapshot: Snapshot

    def admits(self, *names: str) -> bool:
        """Is one of the words legal now?"""
        return any(word.admits(self.spec.slot_index, self._values) for name in names for word in self._words(name))

    def moves(self, name: str) -> bool:
        """Would the word change a slot?"""
        before = list(self._values)
        for word in self._words(name):
            after = list(before)
            word.move(self.spec.slot_index, after)
            if after != before:
                return True
        return False

    def awaits(self, name: str) -> bool:
        """Is the word legal now, and does a slot that it is legal for wait for it?"""
        index, waits = self.spec.slot_index, self.spec.vocabulary.waits
        return any(
            self._values[index[slot]] in waits.get(slot, ())
            for word in self._words(name)
            if word.admits(index, self._values)
            for slot in word.when
        )

    @property
    def _values(self) -> tuple[int, ...]:
        return self.snapshot.control.values

    def _words(self, name: str) -> Iterator[Word]:
        vocabulary = self.spec.vocabulary
        word = vocabulary.effects.get(name) or vocabulary.events.get(name)
        if word is not None:
            yield word
        else:
            yield from (each for each in vocabulary.events.values() if each.base == name)
