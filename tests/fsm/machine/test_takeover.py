"""What moves along when a call goes on under another spec, and what the other one makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fsm.machine.machine import Event, Snapshot, TurnSpecMachine
from fsm.machine.takeover import Takeover, take_over
from tests.fsm.bundle import machine

CONNECTED: dict[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "server_vad": (("provider.opened", {}), ("session.created", {}), ("session.updated", {})),
    "full_duplex": (("provider.opened", {}), ("session.started", {})),
}
PLAYS = ("playout.started", {"response_id": "r"})
LOST = ("provider.closed", {"code": 1011, "fatal": False})


def after(mach: TurnSpecMachine, *story: tuple[str, Mapping[str, Any]]) -> Snapshot:
    """A call that has lost its session and is about to open another."""
    snapshot = mach.start()[-1].snapshot
    for name, data in (*CONNECTED[mach.spec.name], *story, LOST):
        snapshot = mach.advance(snapshot, Event(name, data))[-1].snapshot
    epoch = snapshot.armed["reconnect_due"]
    return mach.advance(snapshot, Event("timer.reconnect_due", {"epoch": epoch}))[-1].snapshot


def taken(old: str, new: str, *story: tuple[str, Mapping[str, Any]]) -> tuple[Takeover, Snapshot]:
    before, behind = machine(old), machine(new)
    found = take_over(before.spec, after(before, *story), behind.spec, {})
    return found, behind.take_over(found.values, found.ids)[-1].snapshot


@pytest.mark.parametrize(("old", "new"), [("server_vad", "full_duplex"), ("full_duplex", "server_vad")])
def test_the_new_spec_begins_where_the_old_one_was(old: str, new: str) -> None:
    found, snapshot = taken(old, new)
    assert snapshot.state == machine(new).spec.initial
    values = dict(zip([each.name for each in machine(new).spec.variables], snapshot.control.values, strict=True))
    assert values["reconnects"] == 1 and found.waiting == ()
    assert "session" not in found.values and "response" not in found.values and "voice" not in found.values


def test_what_is_owed_is_owed_there() -> None:
    assert taken("server_vad", "full_duplex")[0].values["owed"] == "greeting"
    assert taken("full_duplex", "server_vad")[0].values["owed"] == "greeting"
    spoke = taken("full_duplex", "server_vad", ("caller.spoke", {}))[0]
    assert spoke.values["owed"] == "turn"


def test_a_debt_that_the_other_spec_does_not_tell_apart_is_the_most_there_is() -> None:
    before = machine("server_vad").spec
    control = after(machine("server_vad"))
    owed = before.variable("owed")
    values = list(control.control.values)
    values[owed.index] = owed.value("tools")
    changed = Snapshot(
        type(control.control)(tuple(values), (), control.state, False), control.ledger, control.armed, {}, 1
    )
    assert take_over(before, changed, machine("full_duplex").spec, {}).values["owed"] == "turn"


def test_what_still_plays_still_plays() -> None:
    found, snapshot = taken("server_vad", "full_duplex", PLAYS)
    assert found.values["playout"] == "playing"
    steps = machine("full_duplex").advance(snapshot, Event("playout.drained"))
    assert steps[-1].outcome != "impossible"
    assert [timer.name for step in machine("full_duplex").take_over(found.values, {}) for timer in step.start]


@pytest.mark.parametrize(("old", "new"), [("server_vad", "full_duplex"), ("full_duplex", "server_vad")])
def test_a_wish_is_still_a_wish(old: str, new: str) -> None:
    wish = ("application.say_requested", {"text": "Your taxi is here."})
    found, snapshot = taken(old, new, wish)
    ledger = machine(new).spec.vocabulary.ledger
    if found.ids:
        assert ledger.carried(snapshot.ledger) == found.ids == {"wish": "Your taxi is here."}
    else:
        assert found.waiting == (Event(*wish),)


def test_a_request_that_waits_goes_along() -> None:
    old = machine("full_duplex")
    snapshot = old.advance(after(old), Event("application.say_requested", {"text": "One moment."}))[-1].snapshot
    found = take_over(old.spec, snapshot, machine("server_vad").spec, {})
    assert found.waiting == (Event("application.say_requested", {"text": "One moment."}),)


def test_what_any_call_begins_with_gives_way_to_what_this_one_has() -> None:
    old = machine("server_vad")
    found = take_over(old.spec, after(old), machine("full_duplex").spec, {"owed": "none", "talk_over": "go_on"})
    assert found.values["owed"] == "greeting" and found.values["talk_over"] == "go_on"


def test_to_whom_the_caller_is_put_through_is_the_calls_own() -> None:
    named = ("application.transfer_requested", {"key": "sales"})
    old = machine("full_duplex")
    snapshot = old.advance(after(old), Event(*named))[-1].snapshot
    found = take_over(old.spec, snapshot, machine("server_vad").spec, {})
    assert found.ids == {"target": "sales"} and [each.name for each in found.waiting] == [
        "application.transfer_requested.named"
    ]
