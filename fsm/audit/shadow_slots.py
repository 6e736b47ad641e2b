"""What the slots of our machine allow just now, asked by the protocol's words: no slot and no value has a name here."""

from __future__ import annotations

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
        index, values = self.spec.slot_index, self.snapshot.control.values
        return any(word.admits(index, values) for name in names for word in self._words(name))

    def moves(self, name: str) -> bool:
        """Would the word change a slot?"""
        before = list(self.snapshot.control.values)
        for word in self._words(name):
            after = list(before)
            word.move(self.spec.slot_index, after)
            if after != before:
                return True
        return False

    def awaits(self, name: str) -> bool:
        """Is the word legal now, and does a slot that it is legal for wait for it?"""
        index, waits = self.spec.slot_index, self.spec.vocabulary.waits
        values = self.snapshot.control.values
        legal = (word for word in self._words(name) if word.admits(index, values))
        return any(values[index[slot]] in waits.get(slot, ()) for word in legal for slot in word.when)

    def _words(self, name: str) -> tuple[Word, ...]:
        vocabulary = self.spec.vocabulary
        word = vocabulary.effects.get(name) or vocabulary.events.get(name)
        return (word,) if word else tuple(each for each in vocabulary.events.values() if each.base == name)
