"""Journals of simulated calls are runs of the world: by their wire, with a free client; step by step, with the spec.

The calls are the demo's, in virtual time, with the demo's faults and some more, for all three specs.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from fsm.journal.journal import Journal, read
from tests.adapters.demo.played_demo import play
from tests.fsm.verify.house import spec as spec_of
from tests.fsm.verify.house import world
from tests.tools.acceptance.stepwise import compared
from tools.acceptance.acceptance import Acceptance, AcceptOptions, accept
from tools.acceptance.projection import Projection
from tools.acceptance.read import bundled_projections, read_log

SPECS = ("server_vad", "owned_turns", "push_to_talk")
FAILS = {"things_fail": "yes"}
# What happens: (a scenario of the demo or faults of the simulator, what has to go, how many events are lost)
CALLS: dict[str, tuple[str, dict[str, str], int]] = {
    "nothing": ("", {}, 0),
    "crossing": ("crossing", {}, 0),
    "closed_in_mid_call": ("closed_in_mid_call", FAILS, 0),
    "lost_response_done": ("lost_response_done", {}, 1),
    "lost_session_updated": ("{fault: lose, type: session.updated}", {}, 1),
    "create_overlooked": ("{fault: ignore_client, type: response.create, nth: 2}", {}, 1),
    "failed": ("{fault: mutate, type: response.done, nth: 2, set: {response.status: failed}}", FAILS, 0),
    "update_refused": ("{fault: refuse_update}", FAILS, 0),
    "no_upgrade": ("{fault: http_status, connection: 1, status: 503}", FAILS, 0),
    "stalled": ("{fault: stall_sending, after: response.created, nth: 2, for_s: 2}", {}, 0),
}
RELAXED_TOO = {("owned_turns", "lost_session_updated"): {"answer_comes_with_commit": "no"}}
"""Until the session is known to be configured, the provider answers turns and so do we."""
IN_ITS_STEPS = {("stalled", "server_vad"): {"timers_outlast_round_trips": "no"}}
"""The caller's silence is noticed while what the provider said of it is held back: no wire shows that."""
NO_LOSS_SHOWN = {("create_overlooked", "server_vad")}
"""Asked to wait a moment, the caller speaks; the provider's own answer may have been there when the create came."""

pytestmark = pytest.mark.parametrize("spec", SPECS)


@pytest.fixture(autouse=True, scope="module")
def quiet_logs() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@functools.cache
def projections() -> tuple[Projection, ...]:
    return bundled_projections()


def played(folder: Path, spec: str, scenario: str) -> Path:
    """The journal of a call."""
    if scenario.startswith("{"):
        file = folder / "mine.yaml"
        file.write_text(f"faults: [{scenario}]\n")
        scenario = str(file)
    play(folder / "out", spec=spec, scenario=scenario or None)
    return folder / "out" / "journal.jsonl"


def accepted(path: Path, wish: AcceptOptions | None = None) -> Acceptance:
    log = read_log(str(path), projections())
    return accept(path.name, log.observations, log.projection, wish or AcceptOptions())


def journal_of(path: Path) -> Journal:
    with path.open(encoding="utf-8") as lines:
        return read(lines, path.name)


@pytest.mark.parametrize("name", CALLS)
def test_a_journal_is_a_run_of_the_world(spec: str, name: str, tmp_path: Path) -> None:
    scenario, relaxed, losses = CALLS[name]
    path = played(tmp_path, spec, scenario)
    found = accepted(path, AcceptOptions(losses=losses))
    assert (found.outcome, found.stop, found.dialect) == ("accepted", None, "journal")
    assert found.relaxed == relaxed | RELAXED_TOO.get((spec, name), {})
    assert found.events >= 2
    worth = read_log(str(path), projections()).answers
    assert ("heard" in worth) == any(step.variant == "playout.heard.current" for step in journal_of(path).steps)
    if losses:
        assert accepted(path).outcome == ("accepted" if (name, spec) in NO_LOSS_SHOWN else "refused")
    steps = compared(journal_of(path), spec_of(spec), world(), relaxed | IN_ITS_STEPS.get((name, spec), {}), losses)
    assert steps.stop is None
    assert steps.steps >= 3


def test_what_the_provider_tells_twice(spec: str, tmp_path: Path) -> None:
    path = played(tmp_path, spec, "twice_response_done")
    found = accepted(path)
    assert found.outcome == "refused" and found.stop is not None
    assert found.stop.type == "response.done"
    assert accepted(path, AcceptOptions(assume={"events_may_come_twice": "yes"})).outcome == "accepted"
    assert compared(journal_of(path), spec_of(spec), world()).stop is None  # for our ledger it is stale


def test_what_no_provider_should_send(spec: str, tmp_path: Path) -> None:
    found = accepted(played(tmp_path, spec, "garbage"))
    assert (found.outcome, found.stop and found.stop.type) == ("unknown", "response.telepathy.delta")


def test_a_response_that_nobody_asked_for(spec: str, tmp_path: Path) -> None:
    """The simulator makes up a response to reject ours: no provider does that, unless another client asks."""
    path = played(tmp_path, spec, "{fault: cross_create, nth: 1}")
    found = accepted(path)
    assert found.outcome == "refused" and found.stop is not None
    assert found.stop.type == "error" and "rejected" in found.stop.roles
    assert accepted(path, AcceptOptions(assume={"client_is_recorded": "no"})).outcome == "accepted"


def test_an_order_that_no_wire_makes(spec: str, tmp_path: Path) -> None:
    found = accepted(played(tmp_path, spec, "{fault: delay, type: response.created, nth: 2, by_s: 1}"))
    assert found.outcome == "refused" and found.stop is not None
    assert found.stop.type == "response.output_item.added"
