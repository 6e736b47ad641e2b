"""Every effect of every bundled vocabulary has one executor, and every executor an effect."""

from __future__ import annotations

from functools import cache

import pytest

from adapters.call.executor import Executor
from adapters.settings.compat import unexecutable
from adapters.settings.protocols import EFFECT_ARGS
from adapters.specs import BUNDLED, load_spec
from fsm.language.spec import Spec
from fsm.language.vocabulary import APPLICATION, PLAIN, EffectWord
from fsm.machine.ledgers import LEDGERS
from tests.fsm.bundle import load_changed, loaded
from tools.cookbook.goes_with import bases, cookbook_parts, including

LEDGER_ALONE = {
    "confirm_turn", "forget_delegations", "forget_echoes", "keep_output", "keep_overdue", "keep_refusal", "note_wish",
    "settle_turn", "take_turn", "target",
}  # fmt: skip
"""Recipes that change the ledger and make no effect."""


@cache
def bundled() -> tuple[Spec, ...]:
    """The bundled specs, one with each part of the cookbook, and the one whose caller holds turns over Gemini Live."""
    parts = (including(bases(part)[0], part, typestate=False).spec for part in cookbook_parts())
    held = load_spec("specs/cookbook/gemini_push_to_talk.yaml").spec
    return (*(loaded(name).spec for name in BUNDLED), *parts, held)


def effects(protocol: str) -> list[EffectWord]:
    specs = [spec for spec in bundled() if spec.vocabulary.ledger.name == protocol]
    return [word for spec in specs for word in spec.vocabulary.effects.values() if word.to != APPLICATION]


def test_every_ledger_is_of_a_protocol_that_can_be_spoken() -> None:
    assert EFFECT_ARGS.keys() == LEDGERS.keys()


def test_an_effect_is_either_encoded_or_a_local_action() -> None:
    done = set()
    for protocol, encoders in EFFECT_ARGS.items():
        assert not encoders.keys() & Executor.LOCAL.keys()
        words = {word.sends or word.name for word in effects(protocol) if word.recipe not in LEDGER_ALONE}
        assert words <= encoders.keys() | Executor.LOCAL.keys()
        assert encoders.keys() <= words
        done |= words
    assert done >= Executor.LOCAL.keys()


@pytest.mark.parametrize("protocol", EFFECT_ARGS)
def test_what_an_encoder_is_given_is_what_the_vocabulary_declares(protocol: str) -> None:
    encoders = EFFECT_ARGS[protocol]
    for word in effects(protocol):
        name = word.sends or word.name
        if name in encoders:
            assert (name, encoders[name], word.to) == (name, word.args, "provider")


def test_a_vocabulary_names_every_identity_and_recipe_of_its_ledger() -> None:
    """A recipe that all ledgers have may be named by the vocabulary of one alone."""
    named = {word.recipe for spec in bundled() for word in spec.vocabulary.effects.values()}
    for ledger in LEDGERS.values():
        specs = [spec for spec in bundled() if spec.vocabulary.ledger is ledger]
        assert {each for spec in specs for each in spec.vocabulary.identities.values()} == ledger.identities.keys()
        words = [word for spec in specs for word in spec.vocabulary.effects.values()]
        assert {word.recipe for word in words} - {PLAIN} <= ledger.recipes.keys() <= named
        assert all(word.args == ledger.recipes[word.recipe].args for word in words if word.recipe != PLAIN)


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        ("call.yaml", "  close_uplink: {}\n", "  close_uplink: {}\n  ring_a_bell: {}\n", "no local action does it"),
        ("realtime/session.yaml", "sends: truncate_item,", "sends: truncate_itm,", "has no encoder for it"),
    ],
)
def test_an_effect_that_nothing_executes_is_reported_where_it_is_defined(
    file: str, old: str, new: str, why: str
) -> None:
    spec = load_changed("server_vad", (f"vocabularies/{file}", old, new)).spec
    (problem,) = unexecutable(spec)
    assert problem.place.file == f"specs/vocabularies/{file}" and problem.place.column == 3
    assert why in problem.message and "add it to ENCODERS" in str(problem)
