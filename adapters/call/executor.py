"""The executor: turns effects into what happens on the wire, the line, the playout and the tools. Decides nothing.

`submit` never waits: what takes time becomes a task of this call, and every such task is gone when `close` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

import attrs
import structlog

from adapters.application import ApplicationEffects
from adapters.audio.agent_audio import AgentPlayout
from adapters.audio.caller_audio import CallerAudioPath
from adapters.call.history import History
from adapters.call.provider_listener import ProviderListener
from adapters.call.result import MAX_KEYS, CallResult
from adapters.call.secret_keys import SecretKeys
from adapters.call.settings import CallSettings
from adapters.call.transfers import Transfers
from adapters.lines.line import CallLeg
from adapters.providers.control import ControlSide
from adapters.providers.provider import EncodingError, Provider, ProviderConnection, WireEvent
from adapters.tools import ToolRunner
from fsm.language.vocabulary import Vocabulary
from fsm.machine.machine import Effect

Args = Mapping[str, object]


@attrs.frozen
class CallComponents:
    """What of a call the effects act on."""

    provider: Provider
    leg: CallLeg
    caller_audio: CallerAudioPath
    agent_audio: AgentPlayout
    tools: ToolRunner
    history: History
    new_provider_listener: Callable[[], ProviderListener]
    transfers: Transfers
    application: ApplicationEffects
    result: CallResult
    wire_out: Callable[[WireEvent], None]
    unseen_response_ids: Callable[[], frozenset[str]]
    """Of responses of which the machine has not heard yet: what it decides now is not about them."""
    keys: SecretKeys
    goes_on_elsewhere: Callable[[str], bool] = lambda _protocol: False
    """Asked before a session over a protocol is opened: will another spec of the call open it?"""
    provider_plays: bool = False
    """What the caller hears is played by the provider, so that it must be told to cut it."""


def discard(_payload: bytes) -> None:
    """Where caller audio goes while there is no session."""


class Executor:
    """One for each call. Effects by name; one that nothing executes is a fault of the program and is logged."""

    def __init__(
        self, settings: CallSettings, components: CallComponents, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._settings = settings
        self._components = components
        self._log = log
        self._connection: ProviderConnection | None = None
        self._control: ControlSide | None = None
        self._listener: ProviderListener | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, effect: Effect) -> None:
        """Begins an effect; never waits and never raises."""
        local = self.LOCAL.get(effect.name)
        try:
            if local is not None:
                local(self, effect.args)
            elif self._components.application.takes(effect.name):
                args = self._components.keys.filled(effect.args)
                self._spawn(self._components.application.run(effect.name, args), f"effect-{effect.name}")
            else:
                self._send(effect)
        except Exception:
            self._log.exception("effect_failed", effect=effect.name)

    def follow(self, settings: CallSettings, vocabulary: Vocabulary) -> None:
        """The call goes on under another spec; what runs goes on."""
        self._settings = settings
        self._components.application.follow(vocabulary, settings.effects)

    async def close(self) -> None:
        """Ends everything begun here: the provider's socket, running tools, tasks."""
        self._leave_provider()
        await self._components.tools.close()  # what an application is told at the very end still has its time
        deadline = self._settings.limits.hang_up_s
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=deadline)
            for task in late:
                self._log.error("task_overdue", task=task.get_name(), deadline_s=deadline)
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._components.application.close()

    # --- the provider -------------------------------------------------------------------------------------------------

    def _connect_provider(self, _args: Args) -> None:
        self._leave_provider()
        if self._components.goes_on_elsewhere(self._components.provider.next_protocol()):
            return
        self._listener = self._components.new_provider_listener()
        self._connection = self._components.provider.connection(self._listener)
        self._control = self._connection.take_control()
        self._components.caller_audio.switch(self._components.provider.audio_in)
        self._components.agent_audio.switch(self._components.provider.audio_out)
        self._components.caller_audio.send_to(self._connection.send_audio)
        self._connection.open()

    def _close_provider(self, _args: Args) -> None:
        self._leave_provider()

    def _leave_provider(self) -> None:
        if self._listener is not None:
            self._listener.leave()
        if self._connection is not None:
            self._components.caller_audio.send_to(discard)
            self._components.caller_audio.session_left()
            self._spawn(self._connection.close(), "close_provider")
        self._connection = self._control = self._listener = None

    def _send(self, effect: Effect) -> None:
        """A control event of the provider. What cannot be written is reported by the connection's own end."""
        args = dict(effect.args)
        if "cause" in args:  # something is to be said: in which words is the configuration's
            cause = str(args.get("cause"))
            args["added"] = self._settings.greeting if cause == "greeting" else self._settings.say.get(cause)
        try:
            event = self._components.provider.encode(effect.name, args)
        except EncodingError as error:
            self._log.error("effect_not_encodable", effect=effect.name, error=str(error))
            return
        self._write(event)
        if effect.name in self.ALSO:
            self.ALSO[effect.name](self, args)

    def _turn_committed(self, _args: Args) -> None:
        self._components.caller_audio.turn_committed("")  # its item has no name yet

    def _turn_discarded(self, _args: Args) -> None:
        self._components.caller_audio.turn_discarded()

    def _tool_answered(self, args: Args) -> None:
        self._components.tools.cancel(str(args["call_id"]))
        self._components.history.answered(str(args["call_id"]), str(args["output"]))

    def _write(self, event: WireEvent) -> None:
        if self._control is None or not self._control.send_control(event):
            self._log.warning("control_not_sent", type=event.get("type"))
            return
        self._components.wire_out(event)

    def _restore_history(self, _args: Args) -> None:
        items = self._components.history.items(self._components.agent_audio.unheard())
        for event in self._components.provider.encode_history(items):
            self._write(event)

    # --- the caller ---------------------------------------------------------------------------------------------------

    def _flush_playout(self, args: Args) -> None:
        ids = args.get("response_ids")
        named = [i for i in ids if isinstance(i, str)] if isinstance(ids, list) else []
        leg, spare = self._components.leg, self._components.unseen_response_ids().difference(named)
        self._components.agent_audio.flush(named, spare, leg.lead_ms)
        leg.flush()
        if self._components.provider_plays and self._control is not None:
            self._write(self._components.provider.encode("flush_playout", args))

    def _pause_playout(self, _args: Args) -> None:
        self._components.agent_audio.pause()

    def _resume_playout(self, _args: Args) -> None:
        self._components.agent_audio.resume()

    def _hide_keys(self, _args: Args) -> None:
        self._components.keys.hide()
        self._components.caller_audio.hide()

    def _listen_for_beep(self, _args: Args) -> None:
        self._components.caller_audio.listen_for_beep()

    def _clear_keys(self, _args: Args) -> None:
        self._components.keys.clear()

    def _show_keys(self, _args: Args) -> None:
        self._components.keys.show()
        self._components.caller_audio.show()

    def _open_uplink(self, _args: Args) -> None:
        self._components.caller_audio.open_uplink()

    def _close_uplink(self, _args: Args) -> None:
        self._components.caller_audio.close_uplink()

    def _keep_turn(self, _args: Args) -> None:
        self._components.caller_audio.keep_turn()

    def _end_kept_turn(self, _args: Args) -> None:
        self._components.caller_audio.end_kept_turn()

    def _resend_turn(self, _args: Args) -> None:
        self._components.caller_audio.resend_turn()

    def _watch_silence(self, _args: Args) -> None:
        self._components.caller_audio.watch_silence()

    def _unwatch_silence(self, _args: Args) -> None:
        self._components.caller_audio.unwatch_silence()

    def _play_prompt(self, args: Args) -> None:
        self._components.agent_audio.play_prompt(str(args["name"]))

    def _reassure(self, _args: Args) -> None:
        self._components.agent_audio.reassure()

    def _fill_in(self, args: Args) -> None:
        self._components.agent_audio.reassure(str(args["name"]))

    def _hang_up(self, _args: Args) -> None:
        async def tell_and_hang_up() -> None:
            await self._components.transfers.tell()
            await self._components.leg.hang_up()

        self._spawn(tell_and_hang_up(), "hang_up")

    def _transfer(self, args: Args) -> None:
        key = str(args["key"])
        self._components.result.transfers(key)
        self._spawn(self._components.transfers.begin(key), "transfer")

    def _set_result(self, args: Args) -> None:
        if not self._components.result.set(str(args["key"]), str(args["value"])):
            self._log.warning("result_not_kept", key=args["key"], at_most=MAX_KEYS)

    # --- tools --------------------------------------------------------------------------------------------------------

    def _run_tool(self, args: Args) -> None:
        call_id, name, arguments = (str(args[key]) for key in ("call_id", "name", "arguments"))
        self._components.history.called(call_id, name, arguments)
        self._components.tools.run(call_id, name, arguments)

    def _forget_tools(self, args: Args) -> None:
        ids = args.get("call_ids")
        for call_id in ids if isinstance(ids, list) else []:
            self._components.tools.cancel(str(call_id))

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        async def run() -> None:
            try:
                await work
            except Exception:
                self._log.exception("effect_failed", effect=name)

        task = asyncio.get_running_loop().create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    LOCAL: ClassVar[Mapping[str, Callable[[Executor, Args], None]]] = {
        "connect_provider": _connect_provider,
        "close_provider": _close_provider,
        "restore_history": _restore_history,
        "open_uplink": _open_uplink,
        "close_uplink": _close_uplink,
        "keep_turn": _keep_turn,
        "end_kept_turn": _end_kept_turn,
        "resend_turn": _resend_turn,
        "watch_silence": _watch_silence,
        "unwatch_silence": _unwatch_silence,
        "flush_playout": _flush_playout,
        "pause_playout": _pause_playout,
        "resume_playout": _resume_playout,
        "play_prompt": _play_prompt,
        "reassure": _reassure,
        "fill_in": _fill_in,
        "listen_for_beep": _listen_for_beep,
        "hide_keys": _hide_keys,
        "clear_keys": _clear_keys,
        "show_keys": _show_keys,
        "run_tool": _run_tool,
        "forget_tools": _forget_tools,
        "hang_up": _hang_up,
        "transfer": _transfer,
        "set_result": _set_result,
    }
    """What a call does by itself, by effect; all others are encoded by the provider."""

    ALSO: ClassVar[Mapping[str, Callable[[Executor, Args], None]]] = {
        "commit_audio": _turn_committed,
        "clear_audio": _turn_discarded,
        "send_tool_output": _tool_answered,
    }
    """What a call remembers of what it has sent to the provider, by effect."""
