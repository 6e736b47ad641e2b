"""Call control by ARI: real HTTP against a local server."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from adapters.control.ari import AriControl
from adapters.control.control import CallHandle, ControlError, DialplanTarget
from adapters.control.factory import control_of
from adapters.control.settings import AriSettings, ControlSettings
from adapters.simulator.control.ari import HttpFault
from tests.adapters.control.places import CALL, CALLER, SALES, UUID, ari, in_app, in_bridge

Operation = Callable[[AriControl], Awaitable[None]]
OPERATIONS: dict[str, Operation] = {
    "continue": lambda control: control.transfer(CALL, "sales"),
    "variable": lambda control: control.set_variable(CALL, "TURNSPEC_RESULT", "completed"),
    "hang up": lambda control: control.hang_up(CALL),
}
every_operation = pytest.mark.parametrize("name", OPERATIONS)


async def failure(operation: Awaitable[None]) -> ControlError:
    with pytest.raises(ControlError) as caught:
        await operation
    return caught.value


async def test_a_transfer_continues_the_caller_who_is_bridged_with_the_medias_leg() -> None:
    async with ari(in_bridge()) as (peer, control):
        await control.transfer(CALL, "sales")
        assert peer.pbx.channels[CALLER].where == SALES
        assert peer.requests[-1] == "POST /ari/channels/1.1/continue?context=transfers&extension=sales&priority=1"


async def test_a_label_is_not_sent_as_a_number() -> None:
    pbx = in_bridge()
    pbx.dialplan.add(("transfers", "sales", "begin"))
    async with ari(pbx, targets={"sales": DialplanTarget("transfers", "sales", "begin")}) as (peer, control):
        await control.transfer(CALL, "sales")
        assert "label=begin" in peer.requests[-1]
        assert pbx.channels[CALLER].where == ("transfers", "sales", "begin")


async def test_a_hang_up_ends_the_caller_and_not_the_medias_leg() -> None:
    """Without the media's leg alone the caller would sit in a silent bridge."""
    async with ari(in_bridge()) as (peer, control):
        await control.hang_up(CALL)
        assert CALLER not in peer.pbx.channels
        assert len(peer.pbx.channels) == 2


async def test_a_variable_with_any_text_arrives() -> None:
    async with ari(in_bridge()) as (peer, control):
        await control.set_variable(CALL, "TURNSPEC_RESULT", "transfer:sales & a=b? ä")
        assert peer.pbx.channels[CALLER].variables == {"TURNSPEC_RESULT": "transfer:sales & a=b? ä"}


async def test_a_channel_whose_id_is_the_uuid_is_the_callers() -> None:
    pbx = in_bridge()
    pbx.channels[CALLER].unique_id = UUID
    async with ari(pbx) as (peer, control):
        await control.transfer(CallHandle(UUID.upper()), "sales")
        assert peer.pbx.channels[CALLER].where == SALES


@pytest.mark.parametrize("name", ["continue", "variable"])
async def test_outside_of_stasis_the_409_is_named_with_its_cure(name: str) -> None:
    async with ari(in_app()) as (peer, control):
        error = await failure(OPERATIONS[name](control))
        assert "409" in error.cause and "Channel not in Stasis application" in error.cause
        assert "control.ami" in error.cause
        assert not error.gone and peer.pbx.channels[CALLER].where != SALES


async def test_a_hang_up_works_outside_of_stasis() -> None:
    async with ari(in_app()) as (peer, control):
        await control.hang_up(CALL)
        assert CALLER not in peer.pbx.channels


async def test_a_target_that_the_dialplan_does_not_have_leaves_the_call_as_it_is() -> None:
    async with ari(in_bridge()) as (peer, control):
        assert "has no such place" in (await failure(control.transfer(CALL, "nowhere"))).cause
        assert peer.pbx.channels[CALLER].stasis


async def test_only_a_key_is_a_target() -> None:
    async with ari(in_bridge()) as (peer, control):
        assert "is not a key of transfers" in (await failure(control.transfer(CALL, "+4930123456"))).cause
        assert peer.requests == []


@every_operation
async def test_a_caller_who_is_gone_is_said_to_be(name: str) -> None:
    pbx = in_bridge()
    pbx.channels.clear()
    async with ari(pbx) as (_, control):
        if name == "hang up":
            await OPERATIONS[name](control)
        else:
            assert (await failure(OPERATIONS[name](control))).gone


@every_operation
async def test_who_is_gone_between_two_steps_is_a_404(name: str) -> None:
    async with ari(in_bridge()) as (peer, control):
        peer.faults.extend([HttpFault(), HttpFault(), HttpFault(status=404)])
        if name == "hang up":
            await OPERATIONS[name](control)
        else:
            error = await failure(OPERATIONS[name](control))
            assert error.gone and "404" in error.cause


@every_operation
async def test_a_password_that_is_wrong_is_named_with_its_cure_and_not_shown(name: str) -> None:
    async with ari(in_bridge(), password="wr0ng-password") as (_, control):
        error = await failure(OPERATIONS[name](control))
        assert "401" in error.cause and "ari.conf" in error.cause
        assert "wr0ng-password" not in f"{error} {control._ari}"


async def test_a_user_who_may_only_read_is_named_with_its_cure() -> None:
    async with ari(in_bridge()) as (peer, control):
        peer.read_only = True
        assert "must not be read_only" in (await failure(control.hang_up(CALL))).cause


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[", b""])
async def test_an_answer_that_is_not_http_is_an_error_and_no_end(raw: bytes) -> None:
    async with ari(in_bridge()) as (peer, control):
        peer.faults.append(HttpFault(raw=raw, drops=True))
        error = await failure(control.transfer(CALL, "sales"))
        assert "cannot be reached" in error.cause and not error.is_uncertain
        await control.transfer(CALL, "sales")


@pytest.mark.parametrize("body", [b"[", b"{}", b"[1, null, {}]", b'[{"id": 3, "dialplan": 4, "channelvars": 5}]'])
async def test_a_list_that_is_none_has_no_caller(body: bytes) -> None:
    async with ari(in_bridge()) as (peer, control):
        head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        peer.faults.append(HttpFault(raw=head + body))
        assert (await failure(control.transfer(CALL, "sales"))).gone


async def test_an_answer_over_the_bound_is_not_read_to_its_end() -> None:
    async with ari(in_bridge()) as (peer, control):
        control._ari = attrs.evolve(control._ari, max_answer_bytes=100)
        assert "more than 100 bytes" in (await failure(control.hang_up(CALL))).cause
        assert len(peer.requests) == 1


async def test_a_connection_that_breaks_while_it_acts_is_uncertain() -> None:
    async with ari(in_bridge()) as (peer, control):
        peer.faults.extend([HttpFault(), HttpFault(), HttpFault(drops=True)])
        assert (await failure(control.hang_up(CALL))).is_uncertain


@pytest.mark.virtual_time
@every_operation
async def test_no_answer_ends_at_the_deadline(name: str) -> None:
    async with ari(in_bridge()) as (peer, control):
        peer.faults.append(HttpFault(late_s=60.0))
        began = asyncio.get_running_loop().time()
        error = await failure(OPERATIONS[name](control))
        assert "in 5 s" in error.cause or "cannot be reached" in error.cause
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.2)


@pytest.mark.virtual_time
async def test_the_deadline_is_of_all_steps_together() -> None:
    async with ari(in_bridge()) as (peer, control):
        peer.faults.extend([HttpFault(late_s=2.0)] * 4)
        began = asyncio.get_running_loop().time()
        assert "in 5 s" in (await failure(control.transfer(CALL, "sales"))).cause
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.2)
        assert len(peer.requests) == 3


async def test_nobody_there_is_named() -> None:
    async with ari(in_bridge()) as (peer, control):
        await peer.close()
        error = await failure(control.set_variable(CALL, "A", "1"))
        assert "cannot be reached" in error.cause and not error.is_uncertain


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "httpx2":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ControlError, match=r"turnspec\[ari\]"):
        control_of(ControlSettings(ari=AriSettings(username="u", password="p")))


def test_without_a_way_there_is_no_control() -> None:
    assert control_of(ControlSettings()) is None
