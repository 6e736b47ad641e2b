"""The bundled specs with other names: every state, context variable, choice, slot and slot value. Never a test."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TypeVar

import attrs

from fsm.language.expression import Variable
from fsm.language.loader import load
from fsm.language.spec import Spec
from fsm.language.vocabulary import Word
from fsm.machine.ledgers import LEDGERS
from fsm.machine.machine import TurnSpecMachine
from tests.fsm import bundle

_SLOT_VALUES = re.compile(r"\b(?:session|response)(?:: (?:\[[^\]]*\]|\w+)| (?:not )?in \([^)]*\)| [!=]= \w+)")
W = TypeVar("W", bound=Word)
T = TypeVar("T")


def names(spec: Spec) -> tuple[str, ...]:
    """What a spec names itself, and no vocabulary."""
    return (*spec.states, *(variable.name for variable in spec.context), *spec.choices)


def renamed(text: str, old: tuple[str, ...]) -> str:
    """The text of a spec or a scenario with `<name>_x` for each name; what slots are called and can be stays."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"<{len(kept) - 1}>"

    text = _SLOT_VALUES.sub(keep, text)
    for name in old:
        text = re.sub(rf"(?<![\w.]){name}(?![\w.])", f"{name}_x", text)
    return re.sub(r"<(\d+)>", lambda match: kept[int(match[1])], text)


@functools.cache
def machine(name: str = "server_vad", *, slots: bool = True) -> TurnSpecMachine:
    """A bundled spec with other names; its lines are where they were. Without `slots`, slots keep theirs."""
    old = names(bundle.loaded(name).spec)

    def fetch(reference: str) -> tuple[str, str]:
        text = bundle.text_of(reference)
        return text if reference.startswith("vocabularies/") else renamed(text, old), f"specs/{reference}"

    spec = load(*fetch(f"{name}.yaml"), fetch, LEDGERS).spec
    assert not set(names(spec)) & set(old)
    return TurnSpecMachine(_slots_renamed(spec) if slots else spec)


def _slots_renamed(spec: Spec) -> Spec:
    """Slots and their values are called by names that stand in more than one sense: renamed once they are loaded."""
    vocabulary = spec.vocabulary
    slots = tuple(_slot(each) for each in vocabulary.slots)
    return attrs.evolve(
        spec,
        variables=(spec.variables[0], *(_slot(each) for each in spec.slots), *spec.context),
        states={name: attrs.evolve(state, bound=_keys(state.bound)) for name, state in spec.states.items()},
        vocabulary=attrs.evolve(
            vocabulary, slots=slots, waits=_keys(vocabulary.waits), audible=_keys(vocabulary.audible),
            events=_words(vocabulary.events), effects=_words(vocabulary.effects),
            presumptions=_words(vocabulary.presumptions),
        ),
    )  # fmt: skip


def _slot(slot: Variable) -> Variable:
    return attrs.evolve(slot, name=f"{slot.name}_x", domain=tuple(f"{value}_x" for value in slot.domain))


def _words(words: Mapping[str, W]) -> dict[str, W]:
    return {name: attrs.evolve(word, when=_keys(word.when), moves=_keys(word.moves)) for name, word in words.items()}


def _keys(table: Mapping[str, T]) -> dict[str, T]:
    return {f"{slot}_x": value for slot, value in table.items()}
