"""Call control by the manager, against a scripted one over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from adapters.control import ami_connection
from adapters.control.ami import AmiControl
from adapters.control.control import CallHandle, ControlError
from adapters.control.settings import AmiSettings, ControlSettings
from adapters.simulator.control.ami import AmiPeer, Fault, User
from adapters.simulator.control.pbx import Pbx, PbxChannel
from tests.adapters.control.places import (
    CALL,
    CALLER,
    SALES,
    SECRET,
    TARGETS,
    UUID,
    ami,
    ami_settings,
    in_app,
    in_bridge,
)

pytestmark = pytest.mark.virtual_time

Operation = Callable[[AmiControl], Awaitable[None]]
OPERATIONS: dict[str, Operation] = {
    "Redirect": lambda control: control.transfer(CALL, "sales"),
    "Hangup": lambda control: control.hang_up(CALL),
    "Setvar": lambda control: control.set_variable(CALL, "TURNSPEC_RESULT", "completed"),
}
every_operation = pytest.mark.parametrize("action", OPERATIONS)


async def failure(operation: Awaitable[None]) -> ControlError:
    with pytest.raises(ControlError) as caught:
        await operation
    return caught.value


# --- what it does -----------------------------------------------------------------------------------------------------


async def test_a_transfer_moves_the_channel_that_runs_audiosocket_with_that_uuid() -> None:
    async with ami(in_app()) as (peer, control):
        await control.transfer(CALL, "sales")
        assert peer.pbx.channels[CALLER].where == SALES
        assert [each.where for each in peer.pbx.channels.values() if each.name != CALLER] == [("default", "s", "1")] * 2


async def test_a_hang_up_ends_that_channel_alone() -> None:
    async with ami(in_app()) as (peer, control):
        await control.hang_up(CALL)
        assert CALLER not in peer.pbx.channels
        assert len(peer.pbx.channels) == 2


async def test_a_variable_is_set_on_the_channel_and_never_a_global_one() -> None:
    async with ami(in_app()) as (peer, control):
        await control.set_variable(CALL, "TURNSPEC_RESULT", "transfer:sales, a=b: ä")
        assert peer.pbx.channels[CALLER].variables == {"TURNSPEC_RESULT": "transfer:sales, a=b: ä"}
        assert peer.pbx.globals == {}


async def test_every_operation_is_possible_with_the_class_call_alone() -> None:
    async with ami(in_app(), write=frozenset({"call"})) as (peer, control):
        peer.pbx.channels[CALLER].variables["CALL_UUID"] = UUID  # else the call is not found once it is transferred
        for operation in ("Setvar", "Redirect", "Hangup"):
            await OPERATIONS[operation](control)
        assert {each["action"] for each in peer.actions} == {
            "Login", "Status", "Getvar", "Setvar", "Redirect", "Hangup",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("media", "call"),
    [
        (f"AudioSocket/127.0.0.1:9019-{UUID}", CALL),
        ("WebSocket/media/0x7f01", CallHandle("other", "WebSocket/media/0x7f01")),
        ("WebSocket/media/0x7f01", CallHandle("other", "1.2")),
    ],
)
async def test_behind_the_medias_leg_it_is_the_caller_in_its_bridge_that_is_moved(media: str, call: CallHandle) -> None:
    async with ami(in_bridge(media)) as (peer, control):
        await control.transfer(call, "sales")
        assert peer.pbx.channels[CALLER].where == SALES
        assert peer.pbx.channels[media].where != SALES


async def test_the_variable_of_the_dialplan_finds_the_caller_and_not_who_inherited_it() -> None:
    pbx = Pbx(dialplan={SALES})
    pbx.add(PbxChannel(f"AudioSocket/h-{UUID}", "2.2", variables={"CALL_UUID": UUID, "AUDIOSOCKET_UUID": UUID}))
    pbx.add(PbxChannel(CALLER, "2.1", application="Dial", variables={"CALL_UUID": UUID.upper()}))
    async with ami(pbx) as (_, control):
        await control.transfer(CALL, "sales")
        assert pbx.channels[CALLER].where == SALES


# --- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["+4930123456", "Sales", "", "transfers,sales,1", "x\r\nAction: Logoff"])
async def test_only_a_key_is_a_target(target: str) -> None:
    async with ami(in_app()) as (peer, control):
        error = await failure(control.transfer(CALL, target))
        assert "is not a key of transfers that says where to go (known: nowhere, sales)" in error.cause
        assert not error.gone
        assert peer.pbx.channels[CALLER].where != SALES


async def test_a_target_that_the_dialplan_does_not_have_leaves_the_call_as_it_is() -> None:
    async with ami(in_app()) as (peer, control):
        error = await failure(control.transfer(CALL, "nowhere"))
        assert "transfers,gone,1, and Asterisk's dialplan has no such place" in error.cause
        assert CALLER in peer.pbx.channels and not error.gone


async def test_a_channel_that_is_called_like_a_pattern_hangs_up_nobody() -> None:
    pbx = in_app()
    pbx.add(PbxChannel("/.*/", "3.1", application="Stasis"))
    async with ami(pbx) as (_, control):
        error = await failure(control.hang_up(CallHandle("other", "/.*/")))
        assert "cannot be the name of a channel" in error.cause
        assert len(pbx.channels) == 4


@pytest.mark.parametrize(
    ("name", "value"), [("SHELL(ls)", "x"), ("", "x"), ("A B", "x"), ("A", "x\r\nAction: Logoff"), ("A", "x" * 901)]
)
async def test_a_variable_is_a_plain_one_and_fits_a_line(name: str, value: str) -> None:
    async with ami(in_app()) as (peer, control):
        await failure(control.set_variable(CALL, name, value))
        assert all(each["action"] == "Login" for each in peer.actions)


async def test_several_channels_with_one_uuid_are_not_guessed_between() -> None:
    pbx = in_app()
    pbx.add(PbxChannel("PJSIP/trunk-00000007", "1.7", data=f"{UUID},127.0.0.1:9019"))
    async with ami(pbx) as (_, control):
        assert "several channels have the UUID" in (await failure(control.transfer(CALL, "sales"))).cause


async def test_a_medias_leg_alone_is_not_taken_for_the_caller() -> None:
    pbx = in_bridge()
    del pbx.channels[CALLER]
    async with ami(pbx) as (_, control):
        assert "in no bridge with a caller" in (await failure(control.hang_up(CALL))).cause
        assert len(pbx.channels) == 2


# --- what Asterisk refuses --------------------------------------------------------------------------------------------


@every_operation
async def test_a_caller_who_is_gone_is_said_to_be(action: str) -> None:
    pbx = in_app()
    del pbx.channels[CALLER]
    async with ami(pbx) as (_, control):
        if action == "Hangup":
            await OPERATIONS[action](control)  # nothing is left to do
            return
        assert (await failure(OPERATIONS[action](control))).gone


@pytest.mark.parametrize(
    ("action", "said"),
    [("Redirect", "Channel does not exist: x"), ("Redirect", "Redirect failed, channel not up."),
     ("Setvar", "No such channel"), ("Getvar", "No such channel")],
)  # fmt: skip
async def test_who_hangs_up_between_two_steps_is_gone(action: str, said: str) -> None:
    async with ami(in_app()) as (peer, control):
        peer.faults.append(Fault(action, error=said))
        operation = OPERATIONS["Setvar" if action == "Setvar" else "Redirect"]
        error = await failure(operation(control))
        assert error.gone and said in error.cause


async def test_a_hang_up_that_crosses_the_callers_is_a_success() -> None:
    async with ami(in_app()) as (peer, control):
        peer.faults.append(Fault("Hangup", error="No such channel"))
        await control.hang_up(CALL)


@every_operation
async def test_a_permission_that_is_missing_is_named_with_its_cure(action: str) -> None:
    async with ami(in_app(), write=frozenset({"reporting"})) as (_, control):
        error = await failure(OPERATIONS[action](control))
        assert "Permission denied (manager.conf: this user needs 'write = call')" in error.cause
        assert not error.gone


async def test_a_list_that_is_refused_is_known_at_once() -> None:
    async with ami(in_app(), write=frozenset({"originate"})) as (_, control):
        began = asyncio.get_running_loop().time()
        error = await failure(control.hang_up(CALL))
        assert "refused Status: Permission denied" in error.cause and not error.is_uncertain
        assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_list_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ami_connection, "_LIST_ITEMS", 2)
    async with ami(in_app()) as (_, control):
        assert "lists more than 2 channels" in (await failure(control.hang_up(CALL))).cause
        monkeypatch.undo()
        await control.hang_up(CALL)


async def test_a_rejected_login_is_the_cause_and_is_not_hammered_and_shows_no_secret() -> None:
    peer = AmiPeer(in_app(), {"turnspec": User("another")})
    await peer.start()
    control = AmiControl(ControlSettings(targets=TARGETS), ami_settings(peer))
    with capture_logs() as logs:
        control.start()
        error = await failure(control.transfer(CALL, "sales"))
        await asyncio.sleep(100.0)
        await control.close()
    await peer.close()
    assert "Authentication failed" in error.cause and not error.is_uncertain
    assert "manager.conf" in next(each for each in logs if each["event"] == "ami_login_rejected")["cure"]
    assert 2 <= len(peer.actions) <= 8
    assert SECRET not in f"{logs} {error} {control.connection._settings}"


# --- slow, broken, lost -----------------------------------------------------------------------------------------------


@every_operation
@pytest.mark.parametrize("slow", ["Status", "own"])
async def test_no_answer_ends_at_the_deadline(action: str, slow: str) -> None:
    async with ami(in_app()) as (peer, control):
        peer.faults.append(Fault(action if slow == "own" else "Status", mute=True))
        began = asyncio.get_running_loop().time()
        error = await failure(OPERATIONS[action](control))
        assert error.is_uncertain and "in 5 s" in error.cause
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.1)
        await control.set_variable(CALL, "A", "still usable")


async def test_an_answer_after_its_deadline_is_nobodys() -> None:
    async with ami(in_app()) as (peer, control):
        peer.faults.append(Fault("Redirect", late_s=6.0))
        await failure(control.transfer(CALL, "sales"))
        await asyncio.sleep(2.0)
        await control.hang_up(CALL)
        assert control.connection.counters.unasked == 1


@pytest.mark.parametrize(
    "garbage", [b"\xff\xfe\x00\r\n\r\n", b"no colon\r\n\r\n", b"A: " + b"x" * 20_000 + b"\r\n\r\n"]
)
async def test_garbage_between_answers_is_counted_and_skipped(garbage: bytes) -> None:
    async with ami(in_app()) as (peer, control):
        peer.faults.append(Fault("Status", before=garbage))
        await control.transfer(CALL, "sales")
        assert control.connection.counters.malformed == 1
        assert peer.logins == 1


async def test_events_that_nobody_asked_for_are_dropped() -> None:
    async with ami(in_app()) as (peer, control):
        peer.faults.append(Fault("Status", before=b"Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n" * 500))
        await control.transfer(CALL, "sales")
        assert control.connection.counters.unasked == 500


@every_operation
async def test_what_was_under_way_when_the_connection_broke_fails_as_uncertain_and_is_not_repeated(action: str) -> None:
    async with ami(in_app()) as (peer, control):
        peer.faults.append(Fault(action, drops=True))
        error = await failure(OPERATIONS[action](control))
        assert error.is_uncertain and "lost before it answered" in error.cause
        assert [each["action"] for each in peer.actions].count(action) == 1


async def test_an_operation_in_a_gap_waits_for_the_next_connection() -> None:
    async with ami(in_app()) as (peer, control):
        await control.set_variable(CALL, "A", "1")
        peer.drop()
        await asyncio.sleep(0.01)
        assert not control.connection.is_up
        await control.transfer(CALL, "sales")
        assert peer.logins == 2


async def test_a_manager_that_is_not_there_is_named_and_found_when_it_comes() -> None:
    peer = AmiPeer(in_app(), {"turnspec": User(SECRET)})
    await peer.start()
    settings = ami_settings(peer)
    await peer.close()
    control = AmiControl(ControlSettings(targets=TARGETS), settings)
    control.start()
    error = await failure(control.transfer(CALL, "sales"))
    assert f"{'refused' if 'refused' in error.cause else 'Connect call failed'}" in error.cause
    assert not error.is_uncertain
    await peer.start(settings.port)
    await asyncio.sleep(40.0)
    await control.transfer(CALL, "sales")
    await control.close()
    await peer.close()


async def test_a_server_that_is_not_a_manager_is_named() -> None:
    peer = AmiPeer(in_app(), {"turnspec": User(SECRET)}, banner="SSH-2.0-OpenSSH_9.9")
    await peer.start()
    control = AmiControl(ControlSettings(targets=TARGETS), ami_settings(peer))
    control.start()
    assert "is it another port?" in (await failure(control.hang_up(CALL))).cause
    assert peer.actions == []
    await control.close()
    await peer.close()


async def test_a_silent_peer_is_noticed_by_its_ping_and_left() -> None:
    async with ami(in_app()) as (peer, control):
        await control.set_variable(CALL, "A", "1")
        peer.faults.append(Fault("Ping", mute=True))
        await asyncio.sleep(45.0)
        assert peer.logins == 2
        assert control.connection.is_up


async def test_a_peer_that_answers_pings_is_kept() -> None:
    async with ami(in_app()) as (peer, control):
        await asyncio.sleep(600.0)
        assert peer.logins == 1
        assert [each["action"] for each in peer.actions].count("Ping") >= 10
        assert control.connection.counters.unasked == 0


async def test_more_actions_than_the_bound_are_refused_at_once() -> None:
    peer = AmiPeer(in_app(), {"turnspec": User(SECRET)})
    await peer.start()
    control = AmiControl(ControlSettings(targets=TARGETS), ami_settings(peer, max_pending=2))
    control.start()
    await control.set_variable(CALL, "A", "1")
    peer.faults.append(Fault("Status", mute=True))
    peer.faults.append(Fault("Status", mute=True))
    waiting = [asyncio.create_task(failure(control.hang_up(CALL))) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert "more than 2 actions" in (await failure(control.hang_up(CALL))).cause
    await asyncio.gather(*waiting)
    await control.close()
    await peer.close()


async def test_many_calls_at_once_get_each_its_own_answer() -> None:
    pbx = Pbx(dialplan={SALES})
    calls = [CallHandle(f"{number:08d}-0000-0000-0000-000000000000") for number in range(50)]
    for number, call in enumerate(calls):
        pbx.add(PbxChannel(f"PJSIP/x-{number}", f"9.{number}", data=f"{call.call_id},127.0.0.1:9019"))
    async with ami(pbx) as (_, control):
        await asyncio.gather(*(control.set_variable(call, "R", call.call_id) for call in calls))
        assert [each.variables["R"] for each in pbx.channels.values()] == [call.call_id for call in calls]


# --- its end ----------------------------------------------------------------------------------------------------------


async def test_after_close_nothing_is_left_and_who_waits_is_told() -> None:
    async with ami(in_app()) as (peer, control):
        await control.set_variable(CALL, "A", "1")
        peer.faults.append(Fault("Status", mute=True))
        waiting = asyncio.create_task(failure(control.hang_up(CALL)))
        await asyncio.sleep(0.01)
        await control.close()
        assert "closed" in (await waiting).cause
        assert "closed" in (await failure(control.hang_up(CALL))).cause
        await asyncio.sleep(0.01)
        assert peer._served == {}
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert "ami" not in names


async def test_who_waits_for_a_connection_is_told_of_the_close_at_once() -> None:
    control = AmiControl(ControlSettings(targets=TARGETS), AmiSettings(port=1, username="u", secret="s"))
    control.start()
    waiting = asyncio.create_task(failure(control.hang_up(CALL)))
    await asyncio.sleep(0.01)
    began = asyncio.get_running_loop().time()
    await control.close()
    assert "closed" in (await waiting).cause
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_close_before_the_start_and_twice_is_harmless() -> None:
    control = AmiControl(ControlSettings(), AmiSettings(username="u", secret="s"))
    await control.close()
    control.start()
    await control.close()
    with contextlib.suppress(ControlError):
        await control.hang_up(CALL)
    assert not control.connection.is_up
