"""The simulated Gemini Live connection, sans-I/O: client messages in, server messages out; the time is an argument.

Not here: what is said (script.py), forms of messages (checks.py), a turn's audio (turns.py), a socket, a clock.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import attrs
import numpy as np
import orjson

from adapters.providers.gemini.session import family_of
from adapters.simulator.providers.gemini.checks import INVALID, POLICY, GeminiClosing, audio_of, refused
from adapters.simulator.providers.gemini.script import FaultKind, GeminiRule, GeminiScenario
from adapters.simulator.providers.gemini.turns import CHUNK_MS, ModelTurn, chunks
from adapters.simulator.providers.schedule import Schedule
from adapters.simulator.providers.voice_activity import Frames, VoiceActivity

SILENCE_MS: Final = 500
CROSSING_S: Final = 0.2
"""How long audio may still be under way to us when a call is open: nobody can help that (an assumption)."""
Message = dict[str, Any]
Out = Message | GeminiClosing


@attrs.define(eq=False)
class GeminiMemory:
    """What outlives a connection: the handles that were given, what the caller is still to say."""

    heard: list[str]
    handles: set[str] = attrs.field(factory=set)


@attrs.define(eq=False)
class GeminiStats:
    """What a connection came to."""

    messages: list[Message] = attrs.field(factory=list)
    """Of the client's, without its audio."""
    turns: int = 0
    utterances: list[str] = attrs.field(factory=list)
    cut: int = 0
    input_ms: float = 0.0
    ignored: list[str] = attrs.field(factory=list)
    """Ids of calls that were answered and not open."""
    closing: GeminiClosing | None = None


class GeminiCore:
    """One connection. `receive` each message, `advance` when `next_deadline` has come; both return what is sent."""

    def __init__(
        self, scenario: GeminiScenario, number: int = 1, memory: GeminiMemory | None = None, now_s: float = 0.0
    ) -> None:
        self.scenario, self.stats = scenario, GeminiStats()
        self.memory = memory or GeminiMemory(list(scenario.user_turns))
        self._number, self._now_s, self._began_s = number, now_s, now_s
        self._faults = {each.kind: each for each in scenario.faults if each.connection in (0, number)}
        self._used: dict[str, int] = {}
        self._setup: Message | None = None
        self._is_ready = False
        self._out: list[Out] = []
        self._plan = Schedule()
        self._serial = itertools.count(1)
        self._frames, self._vad = Frames(), VoiceActivity(4)
        self._has_activity = False
        self._turn: ModelTurn | None = None

    def next_deadline(self) -> float | None:
        return None if self.stats.closing else self._plan.next_deadline()

    def advance(self, now_s: float) -> list[Out]:
        """All that is due."""
        if self.stats.closing is None:
            self._plan.run_until(now_s)
        return self._leave(now_s)

    def receive(self, message: str | bytes, now_s: float) -> list[Out]:
        """One message of the client."""
        if self.stats.closing is not None:
            return []
        self._plan.run_until(now_s)
        self._now_s = now_s
        try:
            given = orjson.loads(message)
        except orjson.JSONDecodeError:
            given = None
        wrong = refused(given)
        if wrong is None:
            wrong = self._take(*next(iter(given.items())))
        if wrong is not None:
            self._close(wrong)
        return self._leave(now_s)

    def _leave(self, now_s: float) -> list[Out]:
        self._now_s = now_s
        out, self._out = self._out, []
        return out

    def _take(self, key: str, body: Message) -> GeminiClosing | None:
        if "audio" not in body:
            self.stats.messages.append({key: body})
        if self._setup is None and key != "setup":
            return GeminiClosing(INVALID, "the first message must be a setup")
        if self._setup is not None and key == "setup":
            return GeminiClosing(INVALID, "setup can only be sent as the first message")
        if key != "setup" and not self._is_ready:
            return GeminiClosing(INVALID, "nothing may be sent before setupComplete")
        return self._HANDLERS[key](self, body)

    # --- the session --------------------------------------------------------------------------------------------------

    def _begin(self, setup: Message) -> GeminiClosing | None:
        self._setup = setup
        handle = (setup.get("sessionResumption") or {}).get("handle")
        if self._has_fault("reject_setup"):
            return GeminiClosing(INVALID, "Request contains an invalid argument.")
        if handle is not None and (self._has_fault("refuse_handle") or handle not in self.memory.handles):
            return GeminiClosing(INVALID, "Invalid session resumption handle.")
        if self._has_fault("no_setup"):
            return None
        self._is_ready = True
        self._send(setupComplete={"sessionId": f"session_{self._number}"})
        self._tell_handle(is_resumable=True)
        self._plan_end()
        return None

    def _plan_end(self) -> None:
        goes, closes = self._faults.get("go_away"), self._faults.get("close")
        end_s = self.scenario.lasts_ms / 1000
        if goes is not None:
            end_s = (goes.at_ms + self.scenario.warns_ms) / 1000
        left = f"{self.scenario.warns_ms / 1000:g}s"
        self._plan.at(
            self._began_s + end_s - self.scenario.warns_ms / 1000, lambda _: self._send(goAway={"timeLeft": left})
        )
        self._plan.at(self._began_s + end_s, lambda _: self._close(GeminiClosing(1011, "Deadline expired")))
        if closes is not None:
            closing = GeminiClosing(closes.code, "Internal error encountered.")
            self._plan.at(self._began_s + closes.at_ms / 1000, lambda _: self._close(closing))

    def _tell_handle(self, *, is_resumable: bool) -> None:
        """A handle can be used when nothing is being generated."""
        if self._setup is None or "sessionResumption" not in self._setup:
            return
        if not is_resumable:
            self._send(sessionResumptionUpdate={"resumable": False})
            return
        handle = f"handle_{self._number}_{next(self._serial)}"
        self.memory.handles.add(handle)
        self._send(sessionResumptionUpdate={"newHandle": handle, "resumable": True})

    def _close(self, closing: GeminiClosing) -> None:
        if self.stats.closing is None:
            self.stats.closing = closing
            self._out.append(closing)
            self._plan.clear()

    # --- the caller, as the model hears it ----------------------------------------------------------------------------

    def _input(self, given: Message) -> GeminiClosing | None:
        key = next(iter(given))
        is_ours = self._detection().get("disabled") is True
        if key in ("activityStart", "activityEnd") and not is_ours:
            return GeminiClosing(INVALID, "Explicit activity control is not supported when automatic detection is on.")
        if key == "audioStreamEnd" and is_ours:
            return GeminiClosing(INVALID, "audioStreamEnd needs automatic activity detection.")
        match key:
            case "audio":
                return self._listen(given["audio"])
            case "text":
                self._interrupt()
                self._think(self.scenario.rule(str(given["text"])))
            case "activityStart":
                self._activity_begins()
            case "activityEnd" if self._has_activity:
                self._activity_ends()
            case "audioStreamEnd" if self._vad.speaking:
                self._vad.reset()
                self._activity_ends()
            case _:
                pass
        return None

    def _detection(self) -> Message:
        assert self._setup is not None
        return (self._setup.get("realtimeInputConfig") or {}).get("automaticActivityDetection") or {}

    def _listen(self, blob: Message) -> GeminiClosing | None:
        payload, rate_hz = audio_of(blob) or (b"", 16_000)
        self.stats.input_ms += len(payload) / rate_hz * 500
        if self._is_blocked() and self.scenario.strict_audio:  # reported, not documented
            return GeminiClosing(POLICY, "Operation is not implemented, or supported, or enabled.")
        detection = self._detection()
        if detection.get("disabled") is True:
            return None
        silence_ms = int(detection.get("silenceDurationMs", SILENCE_MS))
        for _, level in self._frames.feed(np.frombuffer(payload, dtype="<i2").astype(np.int16), rate_hz):
            heard = self._vad.feed_frame(level, 0.5, silence_ms)
            if heard == "started":
                self._activity_begins()
            elif heard == "stopped":
                self._activity_ends()
        return None

    def _activity_begins(self) -> None:
        assert self._setup is not None
        self._has_activity = True
        self._tell_activity("ACTIVITY_START")
        if (self._setup.get("realtimeInputConfig") or {}).get("activityHandling") != "NO_INTERRUPTION":
            self._interrupt()

    def _activity_ends(self) -> None:
        """The words of a turn come in two pieces, the second one somewhere in the answer."""
        self._has_activity = False
        self.stats.turns += 1
        self._tell_activity("ACTIVITY_END")
        text = self.memory.heard.pop(0) if self.memory.heard else "Hello?"
        words = text.split(" ")
        first, rest = " ".join(words[: len(words) // 2 + 1]), " ".join(words[len(words) // 2 + 1 :])
        self._send(serverContent={"inputTranscription": {"text": f" {first}"}})
        if rest:
            told = {"inputTranscription": {"text": f" {rest}", "finished": True}}
            self._later(self.scenario.think_ms / 2000, lambda: self._send(serverContent=told))
        self._think(self.scenario.rule(text))

    def _tell_activity(self, kind: str) -> None:
        assert self._setup is not None
        if self._setup.get("explicitVadSignal") is True:
            offset = f"{self.stats.input_ms / 1000:.3f}s"
            self._send(voiceActivity={"voiceActivityType": kind, "audioOffset": offset})

    def _content(self, given: Message) -> GeminiClosing | None:
        """What is put into the history cuts what is being said; only older models answer it."""
        assert self._setup is not None
        self._interrupt()
        turns = given.get("turns") or []
        is_history = "historyConfig" in self._setup or not family_of(self._setup["model"]).generates_from_content
        if given.get("turnComplete") and turns and not is_history:
            self._think(self.scenario.rule(str(turns[-1]["parts"][0].get("text", ""))))
        return None

    # --- a turn of the model's ----------------------------------------------------------------------------------------

    def _think(self, rule: GeminiRule) -> None:
        turn = self._turn = ModelTurn(rule)
        self._tell_handle(is_resumable=False)
        self._of_turn(turn, self.scenario.think_ms / 1000, lambda: self._act(turn))

    def _act(self, turn: ModelTurn) -> None:
        if self._has_fault("empty_turn"):
            self._complete(turn)
        elif self._has_fault("failed_turn"):
            self._complete(turn, turnCompleteReason="MALFORMED_FUNCTION_CALL")
        elif turn.rule.say:
            self._say(turn, turn.rule.say, lambda: self._call(turn) if turn.rule.calls else self._generated(turn))
        else:
            self._call(turn)

    def _say(self, turn: ModelTurn, text: str, then: Callable[[], None]) -> None:
        self.stats.utterances.append(text)
        pieces = chunks(text)
        step_s = CHUNK_MS / 1000 / self.scenario.burst
        if self._has_fault("cut_short"):
            pieces, then = pieces[: len(pieces) // 2], lambda: self._complete(turn)
        turn.sounded_at_s = max(self._now_s, turn.played_at_s)
        turn.said_ms = len(pieces) * CHUNK_MS
        for index, content in enumerate(pieces):
            self._of_turn(turn, index * step_s, lambda content=content: self._send(serverContent=content))  # type: ignore[misc]
        self._of_turn(turn, len(pieces) * step_s, then)

    def _generated(self, turn: ModelTurn) -> None:
        """All is sent; it is complete when it has been heard, as the model thinks."""
        turn.is_generated = True
        self._send(serverContent={"generationComplete": True})
        if not self._has_fault("no_turn_complete"):
            self._of_turn(turn, turn.played_at_s - self._now_s, lambda: self._complete(turn))

    def _complete(self, turn: ModelTurn, **more: Any) -> None:
        turn.is_over = True
        self._turn = None if self._turn is turn else self._turn
        self._send(serverContent={"turnComplete": True, **more}, usageMetadata={"totalTokenCount": 100})
        self._tell_handle(is_resumable=True)

    def _interrupt(self) -> None:
        turn = self._turn
        if turn is None:
            return
        turn.is_over, self._turn = True, None
        self.stats.cut += turn.sounded_at_s is not None
        self._send(serverContent={"interrupted": True})
        if self._has_fault("interrupt_twice"):
            self._send(serverContent={"interrupted": True})
        if self._has_fault("late_audio"):
            self._send(serverContent=chunks(self.scenario.otherwise)[0])
        if turn.calls:
            self._send(toolCallCancellation={"ids": list(turn.calls)})
            turn.calls.clear()
        self._send(serverContent={"turnComplete": True})
        self._tell_handle(is_resumable=True)

    # --- tools --------------------------------------------------------------------------------------------------------

    def _blocks(self) -> bool:
        assert self._setup is not None
        declared = [each for tool in self._setup.get("tools") or [] for each in tool["functionDeclarations"]]
        is_free = any(each.get("behavior") == "NON_BLOCKING" for each in declared)
        return family_of(self._setup["model"]).blocks_at_tools and not is_free

    def _is_blocked(self) -> bool:
        turn = self._turn
        is_open = turn is not None and bool(turn.calls) and self._now_s - turn.called_at_s > CROSSING_S
        return is_open and self._blocks()

    def _call(self, turn: ModelTurn) -> None:
        calls = []
        turn.called_at_s = self._now_s
        is_nameless = self._has_fault("nameless_call")
        for name, arguments in turn.rule.calls:
            call_id = f"call_{self._number}_{next(self._serial)}"
            turn.calls[call_id] = name
            calls.append({"name": name, "args": dict(arguments)} | ({} if is_nameless else {"id": call_id}))
        if not calls:
            self._complete(turn)
            return
        for _ in range(2 if self._has_fault("twice_called") else 1):
            self._send(toolCall={"functionCalls": calls})
        if self._has_fault("phantom_turn"):
            self._send(serverContent=chunks(self.scenario.otherwise)[0])
        if self._has_fault("cancel_calls"):
            self._of_turn(turn, 0.2, self._interrupt)

    def _response(self, given: Message) -> GeminiClosing | None:
        turn = self._turn
        for each in given["functionResponses"]:
            found = each.get("id")
            if found is None and turn is not None:
                found = next((call for call, name in turn.calls.items() if name == each["name"]), None)
            if turn is None or found not in turn.calls:
                self.stats.ignored.append(str(found))
                continue
            del turn.calls[found]
            if not turn.calls and not self._has_fault("silent_after_tool"):
                self._of_turn(turn, self.scenario.think_ms / 1000, lambda turn=turn: self._say_result(turn))  # type: ignore[misc]
        return None

    def _say_result(self, turn: ModelTurn) -> None:
        self._say(turn, turn.rule.then or self.scenario.otherwise, lambda: self._generated(turn))

    _HANDLERS: ClassVar[Mapping[str, Callable[[GeminiCore, Message], GeminiClosing | None]]] = {
        "setup": _begin,
        "realtimeInput": _input,
        "clientContent": _content,
        "toolResponse": _response,
        "contextUpdate": lambda _self, _body: None,
    }

    # --- the wire and the time ----------------------------------------------------------------------------------------

    def _has_fault(self, kind: FaultKind) -> bool:
        """Whether it happens now; it is used up by that."""
        fault = self._faults.get(kind)
        if fault is None or (self._now_s - self._began_s) * 1000 < fault.at_ms:
            return False
        self._used[kind] = self._used.get(kind, 0) + 1
        return fault.times == 0 or self._used[kind] <= fault.times

    def _of_turn(self, turn: ModelTurn, wait_s: float, action: Callable[[], None]) -> None:
        """Later, unless the turn is over by then."""
        self._later(wait_s, lambda: None if turn.is_over else action())

    def _later(self, wait_s: float, action: Callable[[], None]) -> None:
        def due(at_s: float) -> None:
            self._now_s = at_s
            action()

        self._plan.at(self._now_s + wait_s, due)

    def _send(self, **message: Any) -> None:
        if self.stats.closing is None:
            self._out.append(message)
