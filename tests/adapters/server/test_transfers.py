"""Who puts a caller through: Asterisk's manager for a line of Asterisk's, Twilio for its own, else the dialplan."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock
from unittest.mock import call as mock_call

import pytest

from adapters.control.control import CallHandle, ControlError
from adapters.lines.line import CallData
from adapters.lines.twilio.connection import TwilioConnection
from adapters.server import transfers
from adapters.server.transfers import ServerTransfers
from adapters.settings.config import Settings, load_settings
from adapters.simulator.providers.realtime import ProviderServer
from fsm.language.problem import SpecError
from tests.adapters.server.test_server import LISTEN, call, serving, settings_for

TRANSFERS = "transfers: {sales: {to: 'sales,s,1', dial: '+4930123'}, desk: {}}\n"
AMI = "control: {ami: {username: turnspec, secret: s3cret}}\n"
TWILIO = "twilio: {public_url: 'https://a.example.com', account_sid: AC1, auth_token: '0123456789abcdef'}\n"


def settings(folder: Path, more: str) -> Settings:
    return settings_for(folder, "ws://127.0.0.1:1/", TRANSFERS + more)


def leg(kind: type[Any] | None = None, **variables: str) -> Any:
    return MagicMock(spec=kind, call_id="id-1", data=CallData(variables=variables))


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    made = AsyncMock(start=MagicMock())
    monkeypatch.setattr(transfers, "control_of", lambda _settings: made)
    return made


async def test_a_call_of_asterisk_is_put_through_by_its_manager(tmp_path: Path, control: AsyncMock) -> None:
    put = ServerTransfers(settings(tmp_path, AMI))
    put.start()
    control.start.assert_called_once_with()
    await put.put_through(leg(channel_id="1.2"), "sales")
    control.transfer.assert_awaited_once_with(CallHandle("id-1", "1.2"), "sales")
    await put.put_through(leg(), "desk")  # says nothing about where to go: the dialplan's
    assert control.transfer.await_count == 1
    await put.close()
    control.close.assert_awaited_once_with()


async def test_a_call_of_twilio_is_put_through_by_twilio(tmp_path: Path, control: AsyncMock) -> None:
    put = ServerTransfers(settings_with_twilio(tmp_path))
    put.start()
    rest = put._rest = AsyncMock()
    await put.put_through(leg(TwilioConnection), "sales")
    sid, target = rest.transfer.await_args.args
    assert (sid, target.address, target.noun) == ("id-1", "+4930123", "Number")
    await put.put_through(leg(TwilioConnection), "desk")
    assert rest.transfer.await_count == 1 and control.transfer.await_count == 0
    await put.close()


async def test_the_result_is_a_variable_of_the_channel_before_the_caller_leaves(
    tmp_path: Path, control: AsyncMock
) -> None:
    put = ServerTransfers(settings(tmp_path, AMI))
    put.start()
    order = MagicMock()
    order.attach_mock(control.set_variable, "set_variable")
    order.attach_mock(control.transfer, "transfer")
    await put.put_through(leg(channel_id="1.2"), "sales")
    handle = CallHandle("id-1", "1.2")
    assert order.mock_calls == [
        mock_call.set_variable(handle, "TURNSPEC_RESULT", "transfer:sales"), mock_call.transfer(handle, "sales")
    ]  # fmt: skip
    control.set_variable.side_effect = ControlError("no", gone=True)
    await put.tell_result(leg(), "completed")
    control.set_variable.side_effect = ControlError("no")
    with pytest.raises(ControlError):
        await put.tell_result(leg(), "completed")
    await put.put_through(leg(), "sales")
    assert control.transfer.await_count == 2, "what cannot be told is put through all the same"
    count = control.set_variable.await_count
    await put.tell_result(leg(TwilioConnection), "completed")
    assert control.set_variable.await_count == count
    await put.close()


async def test_without_a_manager_nobody_is_told(tmp_path: Path, control: AsyncMock) -> None:
    put = ServerTransfers(settings(tmp_path, "control: {ari: {username: a, password: b}}\n"))
    put.start()
    await put.tell_result(leg(), "completed")
    assert control.set_variable.await_count == 0


@pytest.mark.virtual_time
@pytest.mark.parametrize("answer", ["late", "never", "broken"])
async def test_the_line_is_told_after_the_channel_and_does_not_wait_for_ever(
    tmp_path: Path, control: AsyncMock, answer: str
) -> None:
    told: list[tuple[object, ...]] = []
    loop = asyncio.get_running_loop()

    async def set_variable(handle: CallHandle, name: str, value: str) -> None:
        told.append((loop.time(), handle.call_id, name, value, live.done()))
        if answer == "broken":
            raise ControlError("permission denied")
        await asyncio.sleep(0.5 if answer == "late" else 60)

    control.set_variable.side_effect = set_variable
    call_id = uuid.uuid4()
    async with ProviderServer() as provider, serving(settings_for(tmp_path, provider.url, AMI)) as server:
        live = asyncio.create_task(call(server, LISTEN, call_id))
        await asyncio.sleep(5)
        server.calls[str(call_id)].hang_up("enough")
        report = await live
        ((at_s, *rest),) = told
        assert rest == [str(call_id), "TURNSPEC_RESULT", "completed", False] and report.dialplan_continues
        assert isinstance(at_s, float)
        waited_s = {"late": 0.5, "never": 2.0, "broken": 0.0}[answer]
        assert loop.time() - at_s == pytest.approx(waited_s, abs=0.3)


def settings_with_twilio(folder: Path) -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(
        "listen: {audiosocket: '127.0.0.1:0', twilio: '127.0.0.1:0'}\nprovider: {url: 'ws://127.0.0.1:1/'}\n"
        + TRANSFERS
        + TWILIO
    )
    return load_settings(path, {"OPENAI_API_KEY": "sk-x"})


def test_whom_twilio_rings_is_checked_at_start(tmp_path: Path) -> None:
    assert any("nothing listens for Twilio" in str(each) for each in settings(tmp_path, "").warnings)
    with pytest.raises(SpecError, match="neither a number nor sip:ADDRESS"):
        settings_for(tmp_path, "ws://127.0.0.1:1/", "transfers: {a: {dial: 'call me'}}\n")
