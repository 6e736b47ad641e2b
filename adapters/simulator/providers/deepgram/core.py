"""The simulated Voice Agent session, sans-I/O: client messages and time in, server messages and audio out.

It owns the turns: it finds them in the audio, answers them, drops an answer that it hears the caller over, with its
calls. Calls are speculative: they are made before the user's text (docs/facts/deepgram_agent.md sections 5 to 7).
Not here: what is said (script.py), forms of messages (checks.py), a socket.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs
import orjson

from adapters.simulator.providers.deepgram.checks import AgentWireError, deferred_of, formats_of, refused
from adapters.simulator.providers.deepgram.script import AgentRule, AgentScenario
from adapters.simulator.providers.live.wire_audio import LiveFormat, speech
from adapters.simulator.providers.schedule import Schedule
from adapters.simulator.providers.voice_activity import Frames, VoiceActivity

CHUNK_MS: Final = 80
Message = dict[str, Any]


@attrs.frozen
class AgentClosing:
    """The socket is closed: with this code."""

    code: int = 1000
    reason: str = ""


@attrs.define(eq=False)
class AgentStats:
    """What a session came to."""

    messages: list[Message] = attrs.field(factory=list)
    """Of the client's, without its audio."""
    errors: list[AgentWireError] = attrs.field(factory=list)
    turns: int = 0
    utterances: list[str] = attrs.field(factory=list)
    cut: int = 0
    """Answers that were dropped."""
    outputs: dict[str, str] = attrs.field(factory=dict)


Out = Message | bytes | AgentClosing


class AgentCore:
    """One session. What each call returns is to be sent in order; `due` at the latest at `next_deadline()`."""

    def __init__(self, scenario: AgentScenario, number: int = 1) -> None:
        self.scenario, self.stats = scenario, AgentStats()
        self._number = number
        self._faults = {each.kind: each for each in scenario.faults if each.session in (0, number)}
        self._formats: tuple[LiveFormat, LiveFormat] | None = None
        self._out: list[Out] = []
        self._plan, self._now_s = Schedule(), 0.0
        self._frames, self._vad = Frames(), VoiceActivity(4)
        self._words = deque(scenario.user_turns)
        self._serial = itertools.count(1)
        self._answer = 0
        """Everything planned for another answer than this is pointless."""
        self._chunks: deque[bytes] = deque()
        self._queue: deque[str] = deque()
        self._calls: dict[str, str] = {}
        """Open ones, by id: their names."""
        self._then = ""
        self._deferred: frozenset[str] = frozenset()
        """Functions that are called when the turn is confirmed, not before."""
        self._heard_s = 0.0
        self._is_over = self._is_mute = False

    # --- in -----------------------------------------------------------------------------------------------------------

    def open(self, now_s: float) -> list[Out]:
        self._now_s = now_s
        if "no_welcome" not in self._faults:
            self._send("Welcome", request_id=f"request-{self._number}")
        return self._taken()

    def next_deadline(self) -> float | None:
        return None if self._is_over else self._plan.next_deadline()

    def due(self, now_s: float) -> list[Out]:
        if not self._is_over:
            self._plan.run_until(now_s)
            self._now_s = now_s
        return self._taken()

    def receive(self, message: str | bytes, now_s: float) -> list[Out]:
        if not self._is_over:
            self._plan.run_until(now_s)
            self._now_s = now_s
            self._take(message)
        return self._taken()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            if self._formats is None:
                self._fail(AgentWireError("BINARY_MESSAGE_BEFORE_SETTINGS", "Audio came before the settings."))
                return
            self._heard_s = self._now_s
            self._listen(message, self._formats[0])
            return
        try:
            event = orjson.loads(message)
        except orjson.JSONDecodeError:
            event = None
        wrong = refused(event)
        if wrong is not None:
            self._fail(wrong)
        elif self._formats is None and event["type"] != "Settings":
            self._fail(AgentWireError("NON_SETTINGS_MESSAGE_BEFORE_SETTINGS", "The first message must be Settings."))
        else:
            self.stats.messages.append(event)
            self._heard_s = self._now_s
            self._obey(event)

    def _obey(self, event: Message) -> None:
        kind = event["type"]
        if kind == "Settings":
            self._settings(event)
        elif kind == "UpdatePrompt":
            self._send("PromptUpdated")
        elif kind == "InjectAgentMessage":
            self._inject(event)
        elif kind == "InjectUserMessage":
            if "refuse_injections" in self._faults:
                self._send("InjectionRefused", message="refused by the scenario")
            else:
                self._send("ConversationText", role="user", content=event["content"])
                self._begin(self.scenario.rule(event["content"]), 0)
        elif kind == "FunctionCallResponse":
            self._output(event)

    def _settings(self, event: Message) -> None:
        if self._formats is not None:
            self._fail(AgentWireError("SETTINGS_ALREADY_APPLIED", "The settings have been applied."))
            return
        formats = formats_of(event)
        if "reject_settings" in self._faults:
            formats = AgentWireError("INVALID_SETTINGS", "agent.speak.provider.model is not known.")
        if isinstance(formats, AgentWireError):
            self._fail(formats)
        elif "no_applied" not in self._faults:
            self._formats, self._deferred = formats, deferred_of(event)
            self._send("SettingsApplied")
            self._watch_idle()
            for kind, fault in self._faults.items():
                self._later(fault.at_ms, lambda kind=kind: self._strike(kind))  # type: ignore[misc]

    def _strike(self, kind: str) -> None:
        if kind == "close":
            self._end(AgentClosing(1011, "internal error"))
        elif kind == "going_away":
            self._fail(AgentWireError("SERVER_GOING_AWAY", "The server is going away."))
        elif kind == "mute":
            self._is_mute = True
            self._drop()
        elif kind == "false_alarm":
            self._user_starts()
        elif kind == "expiring":
            self._send("Warning", code="MAXIMUM_SESSION_LENGTH_APPROACHING", description="Five minutes are left.")

    # --- the caller ---------------------------------------------------------------------------------------------------

    def _listen(self, payload: bytes, audio: LiveFormat) -> None:
        for _, level in self._frames.feed(audio.samples(payload), audio.rate_hz):
            heard = self._vad.feed_frame(level, 0.5, self.scenario.end_of_turn_ms)
            if self._is_mute:
                continue
            if heard == "started":
                self._user_starts()
            elif heard == "stopped":
                self._turn_ends()

    def _user_starts(self) -> None:
        """The answer is dropped, with its calls; of its audio a little still comes."""
        late = [self._chunks.popleft() for _ in range(self.scenario.late_ms // CHUNK_MS) if self._chunks]
        self._drop()
        self._send("UserStartedSpeaking")
        if self._calls:
            functions = [{"id": call_id, "name": name} for call_id, name in self._calls.items()]
            self._calls = {}
            self._send("FunctionCallCancelled", functions=functions)
        self._out.extend(late)

    def _drop(self) -> None:
        self.stats.cut += bool(self._chunks)
        self._answer += 1
        self._chunks.clear()
        self._queue.clear()

    def _turn_ends(self) -> None:
        self.stats.turns += 1
        text = self._words.popleft() if self._words else "Hello?"
        self._answer += 1
        answer, rule = self._answer, self.scenario.rule(text)
        early = tuple(each for each in rule.calls if each[0] not in self._deferred)
        late = tuple(each for each in rule.calls if each[0] in self._deferred)
        if early:
            self._call(attrs.evolve(rule, calls=early))

        def confirm() -> None:
            if answer == self._answer:
                self._send("ConversationText", role="user", content=text)
                self._send("EndOfTurn", trigger="flux")
                self._begin(attrs.evolve(rule, calls=late), self.scenario.think_ms, is_called=bool(early))

        self._later(self.scenario.confirm_ms, confirm)

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _begin(self, rule: AgentRule, wait_ms: int, is_called: bool = False) -> None:
        if self._is_mute:
            return
        if rule.calls:
            self._call(rule)
        self._then = rule.then
        answer = self._answer
        if rule.say:
            self._later(wait_ms, lambda: self._say(rule.say) if answer == self._answer else None)
        if is_called and not self._calls:
            self._go_on()

    def _call(self, rule: AgentRule) -> None:
        functions = []
        for name, arguments in rule.calls:
            call_id = f"call_{self._number}_{next(self._serial)}"
            self._calls[call_id] = name
            functions.append(
                {"id": call_id, "name": name, "arguments": orjson.dumps(arguments).decode(), "client_side": True}
            )
        self._then = ""  # until the turn is confirmed
        self._send("FunctionCallRequest", functions=functions)

    def _output(self, event: Message) -> None:
        """Of an id that is not open it is dropped in silence."""
        if self._calls.pop(event["id"], None) is None:
            return
        self.stats.outputs[event["id"]] = event["content"]
        if not self._calls:
            self._go_on()

    def _go_on(self) -> None:
        then, self._then = self._then, ""
        answer = self._answer
        if then and not self._is_mute:
            self._later(self.scenario.think_ms, lambda: self._say(then) if answer == self._answer else None)

    def _inject(self, event: Message) -> None:
        behavior = event.get("behavior", "default")
        busy = bool(self._chunks) or self._vad.speaking
        if "refuse_injections" in self._faults or (behavior == "default" and busy):
            self._send("InjectionRefused", message="The agent or the user is speaking.")
        elif not self._is_mute:
            if behavior == "interrupt":
                self._drop()
            self._say(event["message"])

    def _say(self, text: str) -> None:
        if self._chunks:
            self._queue.append(text)
            return
        assert self._formats is not None
        self.stats.utterances.append(text)
        self._send("ConversationText", role="assistant", content=text)
        audio = speech(text, self._formats[1])
        size = self._formats[1].bytes_in(CHUNK_MS)
        self._chunks.extend(audio[at : at + size] for at in range(0, len(audio), size))
        self._next_chunk(self._answer)

    def _next_chunk(self, answer: int) -> None:
        if answer != self._answer or not self._chunks:
            return
        self._out.append(self._chunks.popleft())
        if self._chunks:
            self._later(CHUNK_MS // self.scenario.burst, lambda: self._next_chunk(answer))
        elif self._queue:
            self._say(self._queue.popleft())
        elif "no_audio_done" not in self._faults:
            self._send("AgentAudioDone")

    # --- time, the end and the wire -----------------------------------------------------------------------------------

    def _later(self, wait_ms: float, action: Callable[[], None]) -> None:
        def run(at_s: float) -> None:
            self._now_s = at_s
            if not self._is_over:
                action()

        self._plan.at(self._now_s + wait_ms / 1000, run)

    def _watch_idle(self) -> None:
        left_s = self._heard_s + self.scenario.idle_ms / 1000 - self._now_s
        if left_s <= 0:
            self._fail(AgentWireError("CLIENT_MESSAGE_TIMEOUT", "No message came from the client."))
        else:
            self._later(left_s * 1000, self._watch_idle)

    def _fail(self, error: AgentWireError) -> None:
        self.stats.errors.append(error)
        self._send("Error", code=error.code, description=error.description)
        self._end(AgentClosing(1005))

    def _end(self, closing: AgentClosing) -> None:
        self._is_over = True
        self._out.append(closing)

    def _send(self, kind: str, **fields: Any) -> None:
        self._out.append({"type": kind, **fields})

    def _taken(self) -> list[Out]:
        out, self._out = self._out, []
        return out
