"""The events that the call and its summary know by name are those of the vocabularies and of the bundled specs."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from adapters.call import call, summary
from adapters.server import readiness
from tests.adapters.call import rig
from tests.fsm.bundle import NAMES, REALTIME

NAMED = {
    "complaints": call._COMPLAINTS,
    "overlooked": {call._OVERLOOKED},
    "turn ends": summary._TURN_ENDS,
    "responses end": summary._ENDED,
    "silent": summary._SILENT,
    "trouble": summary._TROUBLE,
    "rejections": summary._REJECTIONS,
    "others": {
        "playout.heard.current", "input_audio_buffer.speech_started.new", "caller.interrupted",
        "caller.pressed_key.talk", "reconnects.overflowed", "response.created.ours",
    },
}  # fmt: skip
NAMED["the provider's health"] = set(readiness.FAILED)
NAMED["a session that began"] = set(readiness.SESSION)
EVERY_SPEC = {"silent", "trouble", "the provider's health"}  # whatever finds the turns


def variants(name: str) -> set[str]:
    """Everything that can be a step of a spec, by its full name."""
    spec = rig.machine(name).spec
    return {event.name for event in spec.vocabulary.alphabet} | {d.event for d in spec.deadlines.values()}


def unknown(named: Iterable[str], known: set[str]) -> set[str]:
    """Those that no known name is, or begins with."""
    return {
        name for name in named if not any(each == name or each.startswith(f"{name.rstrip('.')}.") for each in known)
    }


@pytest.mark.parametrize("where", NAMED)
def test_what_is_counted_or_logged_by_name_can_happen(where: str) -> None:
    found = [variants(name) for name in NAMES]
    assert not unknown(NAMED[where], set.union(*found))
    if where in EVERY_SPEC:
        for name, known in zip(NAMES, found, strict=True):
            if where == "silent" and name not in REALTIME:
                continue  # whose answers have an end, and may have no sound
            assert not unknown(NAMED[where], known), name


def test_a_name_that_nothing_has_is_found() -> None:
    assert unknown(["timer.sound_late", "provider."], {"timer.sound_overdue", "provider.opened"}) == {
        "timer.sound_late"
    }
