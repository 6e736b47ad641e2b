"""The only hands: turns effects into what happens on the wire, the line, the playout and the tools. Decides nothing.

`submit` never waits: what takes time becomes a task of this call, and every such task is gone when `close` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import attrs
import structlog

from adapters.audio.formats import Transcoder
from adapters.audio.playout import Playout
from adapters.audio.silence import SilenceWatch
from adapters.audio.uplink import Uplink
from adapters.call.history import History
from adapters.call.prompt import PromptPlayer
from adapters.call.provider_listener import ProviderListener
from adapters.call.settings import CallSettings
from adapters.call.turn_audio import UncommittedAudio
from adapters.providers.realtime.connection import RealtimeConnection
from adapters.providers.realtime.control import ControlSide
from adapters.providers.realtime.protocol import ENCODERS, EncodingError, WireEvent, encode, encode_history
from adapters.providers.realtime.session import SettingsError
from adapters.tools import ToolRunner
from fsm.machine.machine import Effect

Args = Mapping[str, object]

LOCAL_EFFECTS: Final = frozenset(
    {"connect_provider", "close_provider", "restore_history", "open_uplink", "close_uplink", "watch_silence",
     "unwatch_silence", "flush_playout", "play_prompt", "run_tool", "forget_tools", "hang_up"}
)  # fmt: skip
EFFECTS: Final = LOCAL_EFFECTS | ENCODERS.keys()
"""What there are hands for; what a spec's vocabulary may send."""


class Line(Protocol):
    """What the executor needs of a telephone line."""

    async def hang_up(self) -> None: ...


@attrs.frozen
class CallComponents:
    """The parts of a call that effects act on."""

    line: Line
    playout: Playout
    prompts: PromptPlayer
    transcoder: Transcoder
    uplink: Uplink
    turn_audio: UncommittedAudio
    silence: SilenceWatch
    tools: ToolRunner
    history: History
    new_provider_listener: Callable[[], ProviderListener]
    wire_out: Callable[[WireEvent], None]
    unseen_response_ids: Callable[[], frozenset[str]]
    """Responses of which the machine has not been told yet: what it decides now is not about them."""


def discard(_payload: bytes) -> None:
    """Where caller audio goes while there is no session."""


class Executor:
    """One for each call. Effects by name; an effect without hands is a fault of the program and is logged as such."""

    def __init__(
        self, settings: CallSettings, parts: CallComponents, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._log = log
        self._connection: RealtimeConnection | None = None
        self._control: ControlSide | None = None
        self._side: ProviderListener | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._local: Mapping[str, Callable[[Args], None]] = {
            "connect_provider": self._connect_provider,
            "close_provider": lambda _: self._leave_provider(),
            "restore_history": self._restore_history,
            "open_uplink": lambda _: parts.uplink.open(),
            "close_uplink": lambda _: self._close_uplink(),
            "watch_silence": lambda _: parts.silence.watch(),
            "unwatch_silence": lambda _: parts.silence.unwatch(),
            "flush_playout": self._flush_playout,
            "play_prompt": lambda args: parts.prompts.play(str(args["name"])),
            "run_tool": self._run_tool,
            "forget_tools": self._forget_tools,
            "hang_up": lambda _: self._spawn(parts.line.hang_up(), "hang_up"),
        }
        assert self._local.keys() == LOCAL_EFFECTS

    def submit(self, effect: Effect) -> None:
        """Begins an effect; never waits and never raises."""
        local = self._local.get(effect.name)
        try:
            if local is not None:
                local(effect.args)
            else:
                self._send(effect)
        except Exception:
            self._log.exception("effect_failed", effect=effect.name)

    async def close(self) -> None:
        """Ends everything begun here: the provider's socket, running tools, tasks."""
        self._leave_provider()
        await self._parts.tools.close()
        deadline = self._settings.limits.hang_up_s
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=deadline)
            for task in late:
                self._log.error("task_overdue", task=task.get_name(), deadline_s=deadline)
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # --- the provider -------------------------------------------------------------------------------------------------

    def _connect_provider(self, _args: Args) -> None:
        self._leave_provider()
        self._side = self._parts.new_provider_listener()
        self._connection = RealtimeConnection(self._settings.endpoint, self._side, self._settings.provider_limits)
        self._control = self._connection.take_control()
        self._parts.uplink.send_to(self._connection.send_audio)
        self._connection.open()

    def _leave_provider(self) -> None:
        if self._side is not None:
            self._side.is_left = True
        if self._connection is not None:
            self._parts.uplink.send_to(discard)
            self._spawn(self._connection.close(), "close_provider")
        self._connection = self._control = self._side = None

    def _send(self, effect: Effect) -> None:
        """A control event of the provider. What cannot be written is told by the connection's own end."""
        args = dict(effect.args)
        if effect.name == "create_response" and args.get("cause") == "greeting":
            args["instructions"] = self._greeting()
        try:
            event = encode(effect.name, args, self._settings.session, self._settings.endpoint.dialect)
        except (EncodingError, SettingsError) as error:
            self._log.error("effect_not_encodable", effect=effect.name, error=str(error))
            return
        self._write(event)
        if effect.name == "send_tool_output":
            self._parts.tools.cancel(str(args["call_id"]))
            self._parts.history.answered(str(args["call_id"]), str(args["output"]))

    def _greeting(self) -> str:
        """A response's instructions replace the session's, so both are said."""
        parts = (self._settings.session.instructions, self._settings.greeting)
        return "\n\n".join(part for part in parts if part)

    def _write(self, event: WireEvent) -> None:
        if self._control is None or not self._control.send_control(event):
            self._log.warning("control_not_sent", type=event.get("type"))
            return
        self._parts.wire_out(event)

    def _restore_history(self, _args: Args) -> None:
        dialect = self._settings.endpoint.dialect
        for event in encode_history(self._parts.history.items(), dialect, "ts_history"):
            self._write(event)

    # --- the caller ---------------------------------------------------------------------------------------------------

    def _close_uplink(self) -> None:
        """What a turn of the caller had said by now is said to the next session, before what comes next."""
        self._parts.uplink.close()
        for payload in self._parts.turn_audio.take():
            self._parts.uplink.hear(payload)

    def _flush_playout(self, args: Args) -> None:
        ids = args.get("response_ids")
        self._parts.transcoder.drop_provider_audio()
        self._parts.prompts.cut()
        named = [i for i in ids if isinstance(i, str)] if isinstance(ids, list) else []
        self._parts.playout.flush(named, self._parts.unseen_response_ids().difference(named))

    # --- tools --------------------------------------------------------------------------------------------------------

    def _run_tool(self, args: Args) -> None:
        call_id, name, arguments = (str(args[key]) for key in ("call_id", "name", "arguments"))
        self._parts.history.called(call_id, name, arguments)
        self._parts.tools.run(call_id, name, arguments)

    def _forget_tools(self, args: Args) -> None:
        ids = args.get("call_ids")
        for call_id in ids if isinstance(ids, list) else []:
            self._parts.tools.cancel(str(call_id))

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        async def run() -> None:
            try:
                await work
            except Exception:
                self._log.exception("effect_failed", effect=name)

        task = asyncio.get_running_loop().create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
