"""The controller one writes first: flags, and a check before each send. The demo shows it beside turnspec.

An honest one of its kind, after bridges in the field: it asks for a response on the greeting, after each committed turn
and after each tool's result, looks at a busy flag before, waits while it is up, logs what is rejected and goes on. Its
ears and its voice (codecs, playout, recorder) are turnspec's own; only who decides is different. Never an example.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import attrs
import orjson
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from adapters.audio.formats import Transcoder
from adapters.audio.playout import Playout
from adapters.audio.recorder import Recorder
from adapters.call.settings import CallSettings
from adapters.demo.narrator import NOISE, CallNarrator
from adapters.lines.line import CallLeg
from adapters.providers.json_wire import wire_text
from adapters.providers.provider import AudioDelta, WireEvent
from adapters.providers.realtime.protocol import append_event, decode
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import session_object

log = structlog.get_logger(__name__)

KEYS_S: Final = 1.5
POLL_S: Final = 0.05
_UNSENT_FRAMES: Final = 500


@attrs.define
class Flags:
    """What it believes of the call."""

    configured: bool = False
    busy: bool = False
    talking: bool = False
    over: bool = False


@attrs.define
class NaiveCounts:
    """The same figures as adapters.call.summary counts for turnspec."""

    turns: int = 0
    creates: Counter[str] = attrs.field(factory=Counter)
    rejections: Counter[str] = attrs.field(factory=Counter)
    answers: Counter[str] = attrs.field(factory=Counter)
    barge_ins: int = 0
    tools: int = 0


class NaiveBridge:
    """`await NaiveBridge(...).run()`: the summary as a JSON object. `hold_key`: the caller opens and closes turns."""

    def __init__(
        self,
        leg: CallLeg,
        provider: RealtimeProvider,
        settings: CallSettings,
        narrator: CallNarrator,
        recorder: Recorder,
        hold_key: str | None = None,
    ) -> None:
        self._leg = leg
        self._provider = provider
        self._settings = settings
        self._narrator = narrator
        self._recorder = recorder
        self._hold_key = hold_key
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._transcoder = Transcoder(provider.audio_in, provider.audio_out, leg.rate_hz)
        self._playout = Playout(self._on_playout, rate_hz=leg.rate_hz)
        self._flags = Flags()
        self._counts = NaiveCounts()
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue(_UNSENT_FRAMES)
        self._gone = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keys = ""
        self._keys_timer: asyncio.TimerHandle | None = None
        self._greets = False
        self._called: set[str] = set()
        self._heard: set[str] = set()
        self._greeting_id = ""
        self._ws: ClientConnection | None = None

    async def run(self) -> dict[str, object]:
        """One call; returns when the caller or the provider has left and nothing runs any more."""
        self._leg.listen(self)
        self._leg.play_from(self)
        endpoint = self._provider.endpoint
        try:
            async with connect(endpoint.url, additional_headers=dict(endpoint.headers), compression=None) as ws:
                self._ws = ws
                self._later(self._read(ws))
                self._later(self._write(ws))
                await self._gone.wait()
                await self._end()
        except (OSError, WebSocketException) as error:
            log.warning("naive_cannot_connect", error=type(error).__name__)
        await self._end()
        await self._leg.hang_up()
        self._recorder.close()
        return self._summary()

    def hang_up(self) -> None:
        self._gone.set()

    # --- the line -----------------------------------------------------------------------------------------------------

    def on_audio(self, pcm: bytes, rate_hz: int) -> None:
        self._recorder.hear(pcm, rate_hz)
        if self._flags.configured and (self._hold_key is None or self._flags.talking):
            self._send(append_event(self._transcoder.to_provider(pcm, rate_hz)))

    def on_key(self, digit: str) -> None:
        if digit == self._hold_key:
            self._hold()
            return
        self._keys += digit
        if self._keys_timer is not None:
            self._keys_timer.cancel()
        self._keys_timer = self._loop.call_later(KEYS_S, self._keys_done)

    def on_gone(self, reason: str) -> None:
        del reason
        self._gone.set()

    def _hold(self) -> None:
        self._flags.talking = not self._flags.talking
        if self._flags.talking:
            self._interrupt()
        else:
            self._send_event({"type": "input_audio_buffer.commit"})

    def _keys_done(self) -> None:
        digits, self._keys = self._keys, ""
        self._counts.turns += 1
        self._narrator.at(self._at_ms())
        self._narrator.keyed()
        content = [{"type": "input_text", "text": f"The caller pressed {digits} on the telephone keypad."}]
        item = {"type": "message", "role": "user", "content": content}
        self._send_event({"type": "conversation.item.create", "item": item})
        self._ask("keys")

    def tick(self) -> None:
        """Its playout counts time in frames."""

    def pull(self) -> bytes | None:
        frame = self._playout.pull()
        self._recorder.tick(frame)
        return frame

    def _on_playout(self, name: str, data: Mapping[str, Any]) -> None:
        if name == "playout.started":
            self._heard.add(str(data["response_id"]))
        elif name == "playout.flushed":
            self._narrator.at(self._at_ms())
            self._narrator.flushed(data["items"])
            for item in data["items"]:
                if item["heard_ms"]:
                    place = {"item_id": item["item_id"], "content_index": item["content_index"]}
                    self._send_event({"type": "conversation.item.truncate", **place, "audio_end_ms": item["heard_ms"]})

    # --- the provider -------------------------------------------------------------------------------------------------

    async def _read(self, ws: ClientConnection) -> None:
        try:
            async for message in ws:
                event = decode(message, binary=isinstance(message, bytes))
                if isinstance(event, AudioDelta):
                    pcm = self._transcoder.from_provider(event.payload)
                    self._playout.push(event.response_id, event.item_id, event.content_index, pcm)
                elif isinstance(event, dict):
                    self._narrator.wire("in", event, self._at_ms())
                    self._on_event(str(event["type"]), event)
        except ConnectionClosed:
            pass
        finally:
            self._gone.set()

    async def _write(self, ws: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await ws.send((await self._unsent.get()).decode())

    def _on_event(self, kind: str, event: WireEvent) -> None:
        response: Any = event.get("response") or {}
        if kind == "session.created":
            session = session_object(self._provider.session, self._provider.endpoint.server)
            self._send_event({"type": "session.update", "session": session})
        elif kind == "session.updated" and not self._flags.configured:
            self._flags.configured = True
            if self._settings.greeting:
                self._greets = True
                self._ask("greeting", self._settings.greeting)
        elif kind == "input_audio_buffer.speech_started":
            self._interrupt()
        elif kind == "input_audio_buffer.committed":
            self._counts.turns += 1
            self._ask("turn")
        elif kind == "response.created":
            self._flags.busy = True
            self._narrator.enters("busy")
            if self._greets:
                self._greets, self._greeting_id = False, str(response.get("id"))
        elif kind == "response.done":
            self._flags.busy = False
            self._narrator.enters("idle")
            self._playout.mark_response_ended(str(response.get("id")))
            self._count_answer(response)
        elif kind == "response.function_call_arguments.done":
            self._called.add(str(event.get("response_id")))
            self._later(self._run_tool(str(event.get("call_id")), str(event.get("name")), str(event.get("arguments"))))
        elif kind == "error":
            self._on_error(event.get("error"))

    def _on_error(self, error: object) -> None:
        code = str(error.get("code")) if isinstance(error, Mapping) else "error"
        log.warning("naive_rejected", code=code)
        if code not in NOISE:
            self._counts.rejections[code] += 1

    def _interrupt(self) -> None:
        if self._playout.is_playing:
            self._counts.barge_ins += 1
        if self._flags.busy:
            self._send_event({"type": "response.cancel"})
        self._transcoder.drop_provider_audio()
        self._playout.flush([])

    def _ask(self, cause: str, instructions: str | None = None) -> None:
        if self._flags.busy:
            self._later(self._ask_when_free(cause, instructions))
        else:
            self._create(cause, instructions)

    async def _ask_when_free(self, cause: str, instructions: str | None) -> None:
        while self._flags.busy:  # noqa: ASYNC110 - polling a flag is what is shown here
            await asyncio.sleep(POLL_S)
        self._create(cause, instructions)

    def _create(self, cause: str, instructions: str | None) -> None:
        self._counts.creates[cause] += 1
        self._narrator.because(cause)
        response = {"instructions": instructions} if instructions else {}
        self._send_event({"type": "response.create", "response": response})

    async def _run_tool(self, call_id: str, name: str, arguments: str) -> None:
        self._counts.tools += 1
        tool = self._settings.tools.get(name)
        try:
            result: Any = tool.function(**orjson.loads(arguments)) if tool else "no such tool"
            output = str(await result if isinstance(result, Coroutine) else result)
        except Exception as error:
            output = f"error: {error}"
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        self._send_event({"type": "conversation.item.create", "item": item})
        self._ask("tools")

    # --- inside -------------------------------------------------------------------------------------------------------

    def _count_answer(self, response: Mapping[str, Any]) -> None:
        identity, status = str(response.get("id")), str(response.get("status"))
        counted = identity != self._greeting_id and identity not in self._called
        if counted and (status in ("completed", "incomplete") or (status == "cancelled" and identity in self._heard)):
            self._counts.answers["cancelled" if status == "cancelled" else "completed"] += 1

    def _send_event(self, event: WireEvent) -> None:
        self._narrator.wire("out", event, self._at_ms())
        self._send(wire_text(event))

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._unsent.put_nowait(message)

    def _at_ms(self) -> int:
        return round((self._loop.time() - self._began_s) * 1000)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        self._leg.play_from(None)
        if self._keys_timer is not None:
            self._keys_timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _summary(self) -> dict[str, object]:
        counts, played = self._counts, self._playout.stats
        return {
            "turns": counts.turns,
            "answers": sum(counts.answers.values()),
            "creates": sum(counts.creates.values()),
            "rejections": sum(counts.rejections.values()),
            "barge_ins": counts.barge_ins,
            "underruns": played.underruns,
            "answers_by_outcome": dict(counts.answers),
            "creates_by_cause": dict(counts.creates),
            "rejections_by_cause": dict(counts.rejections),
            "tools": counts.tools,
            "agent_audio_generated_s": round(played.generated_ms / 1000, 1),
            "agent_audio_played_s": round(played.played_ms / 1000, 1),
            "duration_s": round(self._at_ms() / 1000, 1),
        }
