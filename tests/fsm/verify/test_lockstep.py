"""Roles mean what the ledger makes of ids: random walks of the world, with ids, through the machine that runs in calls."""

from __future__ import annotations

import random

import pytest

from fsm.verify import Limits, Verification
from tests.fsm.verify import house
from tests.fsm.verify.concrete import Lockstep

WILD = {
    "events_may_be_lost": "yes", "things_fail": "yes", "timers_outlast_round_trips": "no", "provider_is_prompt": "no",
    "generation_never_stalls": "no", "playout_never_stalls": "no", "answer_comes_with_commit": "no",
    "speech_outlasts_round_trip": "no", "generation_outlasts_round_trip": "no", "items_are_shown_in_order": "no",
}  # fmt: skip
CALM = {"things_fail": "yes"}
BOUNDS = {"turns": 4, "calls": 4, "losses": 1, "faults": 2, "keys": 3, "says": 2, "leaves": 1}


@pytest.mark.parametrize("name", house.BUNDLED)
@pytest.mark.parametrize("assume", [CALM, WILD], ids=["calm", "wild"])
def test_the_machine_sees_what_the_world_tells(name: str, assume: dict[str, str]) -> None:
    limits = Limits(assume=assume, bounds=BOUNDS)
    verification = Verification(house.spec(name), house.world(), house.properties(), limits)
    seen: set[str] = set()
    for seed in range(250):
        walk = Lockstep(verification, random.Random(seed))
        walk.walk(200)
        seen.update(walk.trail)
    assert len(seen) > 50  # the walks do get around
