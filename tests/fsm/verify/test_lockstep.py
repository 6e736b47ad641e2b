"""Roles mean what the ledger makes of ids: walks of the world, with ids, through the machine that runs in calls."""

from __future__ import annotations

import random

import pytest

from fsm.verify.verify import SearchLimits, Verification
from tests.fsm.verify import house
from tests.fsm.verify.concrete import Lockstep

WILD = {
    "events_may_be_lost": "yes", "things_fail": "yes", "timers_outlast_round_trips": "no", "provider_is_prompt": "no",
    "generation_never_stalls": "no", "playout_never_stalls": "no", "answer_comes_with_commit": "no",
    "speech_outlasts_round_trip": "no", "generation_outlasts_round_trip": "no", "items_are_shown_in_order": "no",
}  # fmt: skip
LOSSY = {"events_may_be_lost": "yes", "things_fail": "yes"}
HASTY = {"timers_outlast_round_trips": "no", "provider_is_prompt": "no", "generation_never_stalls": "no"}
BLANK = {"things_fail": "yes", "turns_may_be_blank": "yes"}
MANY = {"turns": 4, "calls": 4, "losses": 2, "faults": 2, "keys": 2, "says": 2, "murmurs": 2, "leaves": 1}
FEW = {"turns": 1, "calls": 1, "losses": 1, "faults": 1, "keys": 0, "says": 0, "murmurs": 1, "leaves": 0}


def verification(name: str, assume: dict[str, str], bounds: dict[str, int]) -> Verification:
    limits = SearchLimits(assume=assume, bounds=bounds, max_states=20_000)
    return Verification(house.spec(name), house.world(), house.properties(), limits)


@pytest.mark.parametrize("name", house.BUNDLED)
@pytest.mark.parametrize("assume", [LOSSY, HASTY, WILD, BLANK], ids=["lossy", "hasty", "wild", "blank"])
def test_the_machine_sees_what_the_world_tells_on_random_walks(name: str, assume: dict[str, str]) -> None:
    checked = verification(name, assume, MANY)
    moves: set[str] = set()
    for seed in range(150):
        walk = Lockstep(checked, random.Random(seed))
        walk.walk(300)
        moves.update(walk.trail)
    assert len(moves) > 60  # they do get around


@pytest.mark.parametrize("name", house.BUNDLED)
@pytest.mark.parametrize("assume", [LOSSY, HASTY, WILD, BLANK], ids=["lossy", "hasty", "wild", "blank"])
def test_the_machine_goes_the_ways_the_explorer_found(name: str, assume: dict[str, str]) -> None:
    checked = verification(name, assume, FEW)
    verdict = checked.run(lambda: 0.0)
    seen: set[str] = set()
    for use in verdict.cells.values():
        walk = Lockstep(checked, random.Random(0))
        walk.follow(use.state_number, use.label)
        seen |= walk.variants
    assert {event for _, event in verdict.cells} <= seen
