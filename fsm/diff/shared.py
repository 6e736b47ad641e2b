"""What two specs have in common: the world in which both can be, and by what names each knows what happens in it.

One of them may know more words (a vocabulary was added, an event is told apart). Then the runs are compared in which
nothing happens that only one of them knows; what was left out is named. Never here: comparing (fsm.diff.behaviour).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from fsm.language.spec import Spec
from fsm.world.binding import emitted
from fsm.world.world import World


@attrs.frozen
class Shared:
    """`spec` has the words of both, told apart as finely as one of them does; `names`: what each side calls them."""

    spec: Spec
    world: World
    names: tuple[Mapping[str, str], Mapping[str, str]]
    left_out: tuple[str, ...]


def wider(old: Spec, new: Spec) -> Spec:
    """The one that knows more words."""
    return old if set(new.vocabulary.names) < set(old.vocabulary.names) else new


def incomparable(old: Spec, new: Spec, world: World) -> str:
    """Why the two cannot be in one world; empty where they can."""
    mine, its = (set(spec.vocabulary.names) for spec in (old, new))
    spoken = {feature.vocabulary for feature in world.features.values()}
    if (mine ^ its) & spoken or not (mine <= its or its <= mine):
        return f"they live in different worlds: only one of them has the vocabulary {', '.join(sorted(mine ^ its))}"
    if dict(old.turn_detection.needs) != dict(new.turn_detection.needs):
        return "they live in different worlds: they ask the provider for other turn detection"
    return ""


def shared(old: Spec, new: Spec, world: World) -> Shared:
    """Of two specs that are not incomparable."""
    wide = wider(old, new)
    narrow = new if wide is old else old
    called = {name: _called(name, wide, narrow) for name in wide.vocabulary.events}
    events = {name: word for name, word in wide.vocabulary.events.items() if called[name]}
    own = [word.name for word in wide.vocabulary.alphabet if not called[word.name]]
    own += [word.name for word in narrow.vocabulary.alphabet if word.name not in called.values()]
    vocabulary = attrs.evolve(wide.vocabulary, events=events)
    unknown = {name for name, its in called.items() if not its}
    unknown |= narrow.vocabulary.events.keys() - wide.vocabulary.events.keys() - wide.vocabulary.refined.keys()
    moves = tuple(move for move in world.moves if unknown.isdisjoint(act.event for act in emitted(move.acts)))
    names = {name: its for name, its in called.items() if its != name}
    sides = ({}, names) if wide is old else (names, {})
    return Shared(attrs.evolve(wide, vocabulary=vocabulary), attrs.evolve(world, moves=moves), sides, tuple(own))


def _called(name: str, wide: Spec, narrow: Spec) -> str:
    """What the one with fewer words calls it; empty where it has none for it."""
    known = narrow.vocabulary.events
    return next((each for each in (name, wide.vocabulary.events[name].of) if each in known), "")
