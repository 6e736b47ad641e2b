"""The executor where something is wrong: no such effect, nobody to take it, work that fails or does not end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import attrs
import pytest
import structlog

from adapters.call.executor import CallComponents, Executor
from adapters.call.settings import CallLimits, CallSettings
from adapters.providers.control import ControlSide
from adapters.providers.provider import WireEvent
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.tools import ToolRunner
from fsm.machine.machine import Effect

pytestmark = pytest.mark.virtual_time


@attrs.define
class Connection:
    """A connection that takes what it is given, or does not."""

    takes: bool = True
    written: list[WireEvent] = attrs.field(factory=list)
    opened: int = 0
    closed: int = 0

    def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    def send_audio(self, payload: bytes) -> bool:
        return bool(payload)

    def take_control(self) -> ControlSide:
        return ControlSide(self._write)

    def _write(self, event: Mapping[str, object]) -> bool:
        if self.takes:
            self.written.append(dict(event))
        return self.takes


def provider_of(connection: Connection) -> MagicMock:
    """The Realtime codec, and a connection of our own."""
    endpoint = openai_endpoint("m", None, base_url="ws://127.0.0.1:1/")
    realtime = RealtimeProvider(endpoint=endpoint, session=SessionSettings(model="m", instructions="Be kind."))
    provider = MagicMock(spec=RealtimeProvider, encode=realtime.encode, encode_history=realtime.encode_history)
    provider.connection.return_value = connection
    return provider


def executor_of(connection: Connection | None = None, **components: Any) -> tuple[Executor, CallComponents]:
    made: dict[str, Any] = {field.name: MagicMock() for field in attrs.fields(CallComponents)}
    made["provider"] = provider_of(connection or Connection())
    made["tools"] = MagicMock(spec=ToolRunner)
    made["goes_on_elsewhere"] = lambda _protocol: False
    made["transfers"] = MagicMock(tell=AsyncMock())
    made["application"] = MagicMock(takes=lambda _effect: False, close=AsyncMock())
    made |= components
    settings = CallSettings(greeting="Greet.", limits=CallLimits(hang_up_s=2.0))
    together = CallComponents(**made)
    return Executor(settings, together, structlog.get_logger()), together


Logs = list[Any]


@pytest.fixture
def logs() -> Any:
    with structlog.testing.capture_logs() as found:
        yield found


def events(logs: Logs) -> list[str]:
    return [each["event"] for each in logs]


async def test_a_flush_spares_what_nobody_has_heard_of() -> None:
    executor, components = executor_of(unseen_response_ids=lambda: frozenset({"r1", "r2"}))
    executor.submit(Effect("flush_playout", {"response_ids": ["r1", 5]}))
    leg = components.leg
    components.agent_audio.flush.assert_called_once_with(["r1"], frozenset({"r2"}), leg.lead_ms)  # type: ignore[attr-defined]
    leg.flush.assert_called_once_with()  # type: ignore[attr-defined]


async def test_an_effect_that_nobody_knows_is_an_error_in_the_log_and_not_in_the_call(logs: Logs) -> None:
    connection = Connection()
    executor, _ = executor_of(connection)
    executor.submit(Effect("connect_provider", {}))
    executor.submit(Effect("sing", {"event_id": "e1"}))
    executor.submit(Effect("cancel_response", {"event_id": "e2"}))  # of which response?
    assert connection.written == []
    assert [each["effect"] for each in logs if each["event"] == "effect_not_encodable"] == ["sing", "cancel_response"]
    assert "cancel_response.response_id: expected text" in logs[-1]["error"]


async def test_an_effect_that_fails_is_logged_and_the_next_one_is_carried_out(logs: Logs) -> None:
    executor, components = executor_of()
    executor.submit(Effect("run_tool", {"call_id": "c1"}))  # which one?
    executor.submit(Effect("watch_silence", {}))
    assert [(each["event"], each["effect"]) for each in logs] == [("effect_failed", "run_tool")]
    components.caller_audio.watch_silence.assert_called_once_with()  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["not connected", "the connection takes nothing", "left"])
async def test_a_control_event_that_nobody_takes_is_logged_and_reaches_no_observer(how: str, logs: Logs) -> None:
    connection = Connection(takes=how == "left")
    executor, components = executor_of(connection)
    if how != "not connected":
        executor.submit(Effect("connect_provider", {}))
    if how == "left":
        executor.submit(Effect("close_provider", {}))
    executor.submit(Effect("commit_audio", {"event_id": "e1"}))
    assert [(each["event"], each["type"]) for each in logs] == [("control_not_sent", "input_audio_buffer.commit")]
    components.wire_out.assert_not_called()  # type: ignore[attr-defined]
    assert connection.written == []
    await executor.close()


async def test_what_is_written_reaches_observers_in_order() -> None:
    connection, seen = Connection(), list[WireEvent]()
    executor, _ = executor_of(connection, wire_out=seen.append)
    executor.submit(Effect("connect_provider", {}))
    executor.submit(Effect("create_response", {"event_id": "e1", "cause": "greeting"}))
    executor.submit(Effect("commit_audio", {"event_id": "e2"}))
    assert seen == connection.written and [each["event_id"] for each in seen] == ["e1", "e2"]
    assert seen[0]["response"] == {"metadata": {"turnspec": "e1"}, "instructions": "Be kind.\n\nGreet."}
    await executor.close()
    assert (connection.opened, connection.closed) == (1, 1)


async def test_a_new_connection_leaves_the_one_before() -> None:
    executor, _ = executor_of(new_provider_listener=MagicMock)
    executor.submit(Effect("connect_provider", {}))
    first = executor._listener
    executor.submit(Effect("connect_provider", {}))
    assert first is not None and first.is_left and executor._listener is not first
    await executor.close()


def line_that(work: Callable[[], Any]) -> MagicMock:
    leg = MagicMock()
    leg.hang_up = work
    return leg


async def test_a_hang_up_that_does_not_end_is_given_up_at_its_deadline(logs: Logs) -> None:
    cancelled: list[bool] = []

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    executor, _ = executor_of(leg=line_that(never))
    executor.submit(Effect("hang_up", {}))
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.1)
    began_s = loop.time()
    await executor.close()
    assert loop.time() - began_s == pytest.approx(2.0, abs=0.01)
    assert cancelled == [True]
    assert [(each["event"], each["task"]) for each in logs] == [("task_overdue", "hang_up")]


async def test_a_hang_up_that_fails_is_logged_and_ends_nothing_else(logs: Logs) -> None:
    async def fails() -> None:
        raise OSError("gone")

    executor, _ = executor_of(leg=line_that(fails))
    executor.submit(Effect("hang_up", {}))
    await executor.close()
    assert [(each["event"], each["effect"]) for each in logs] == [("effect_failed", "hang_up")]


async def test_a_pause_and_its_end_reach_the_agents_audio() -> None:
    executor, components = executor_of()
    executor.submit(Effect("pause_playout", {}))
    components.agent_audio.pause.assert_called_once_with()  # type: ignore[attr-defined]
    components.agent_audio.resume.assert_not_called()  # type: ignore[attr-defined]
    executor.submit(Effect("resume_playout", {}))
    components.agent_audio.resume.assert_called_once_with()  # type: ignore[attr-defined]


async def test_a_session_that_another_spec_opens_is_not_opened_here() -> None:
    connection = Connection()
    executor, components = executor_of(connection, goes_on_elsewhere=lambda _protocol: True)
    executor.submit(Effect("connect_provider", {}))
    assert executor._connection is None and executor._listener is None
    executor.submit(Effect("create_response", {"event_id": "e1", "cause": "greeting"}))
    assert connection.written == []
    executor.follow(CallSettings(greeting="Hello."), MagicMock())
    assert components.application.follow.called  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("effect", "calls"),
    [
        ("hide_keys", ("keys.hide", "caller_audio.hide")),
        ("show_keys", ("keys.show", "caller_audio.show")),
        ("clear_keys", ("keys.clear",)),
        ("listen_for_beep", ("caller_audio.listen_for_beep",)),
        ("open_uplink", ("caller_audio.open_uplink",)),
        ("close_uplink", ("caller_audio.close_uplink",)),
        ("keep_turn", ("caller_audio.keep_turn",)),
        ("end_kept_turn", ("caller_audio.end_kept_turn",)),
        ("resend_turn", ("caller_audio.resend_turn",)),
    ],
)
async def test_an_effect_here_is_one_call_of_the_part_that_does_it(effect: str, calls: tuple[str, ...]) -> None:
    executor, components = executor_of()
    executor.submit(Effect(effect, {}))
    for path in calls:
        part, _, method = path.partition(".")
        getattr(getattr(components, part), method).assert_called_once_with()


async def test_a_result_over_what_is_kept_is_logged(logs: Logs) -> None:
    executor, _ = executor_of(result=MagicMock(set=lambda _key, _value: False))
    executor.submit(Effect("set_result", {"key": "order", "value": "A7"}))
    assert events(logs) == ["result_not_kept"]
