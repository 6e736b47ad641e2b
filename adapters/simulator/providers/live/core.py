"""The simulated GPT-Live session, sans-I/O: client messages in, server events out. Its clock is the caller's audio.

Each 100 ms of input is answered by 100 ms of output, silence too; the timeline advances in steps of 200 ms. What the
model does a while later is planned on that timeline, so that without audio nothing happens (docs/facts/gpt_live.md
sections 1, 3, 4 and 5). Not here: what is said (script.py), forms of events (checks.py), a socket.
"""

from __future__ import annotations

import base64
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import attrs
import orjson

from adapters.simulator.providers.live.checks import LiveWireError, audio_of, refused
from adapters.simulator.providers.live.delegated import DelegatedWork
from adapters.simulator.providers.live.script import LiveRule, LiveScenario
from adapters.simulator.providers.live.wire_audio import LiveFormat, silence, speech
from adapters.simulator.providers.schedule import Schedule
from adapters.simulator.providers.voice_activity import Frames, VoiceActivity

CHUNK_MS: Final = 100
STEP_MS: Final = 200
TURN_ENDS_MS: Final = 500
_USAGE_MS: Final = 15_000
Event = dict[str, Any]


@attrs.frozen
class LiveClosing:
    """The socket is closed: with this code."""

    code: int = 1000
    reason: str = ""


@attrs.define(eq=False)
class LiveStats:
    """What a session came to."""

    events: list[Event] = attrs.field(factory=list)
    """Of the client's, without its audio."""
    errors: list[LiveWireError] = attrs.field(factory=list)
    turns: int = 0
    utterances: list[str] = attrs.field(factory=list)
    cut: int = 0
    """How often the model stopped for a caller who talked over it."""
    input_ms: int = 0
    close_reason: str = ""


class LiveCore:
    """One session. `receive` with each message; what it returns is to be sent in order."""

    def __init__(self, scenario: LiveScenario, number: int = 1, epoch_s: int = 1_790_000_000) -> None:
        self.scenario, self.stats = scenario, LiveStats()
        self._number, self._epoch_s = number, epoch_s
        self._faults = {each.kind: each for each in scenario.faults if each.session in (0, number)}
        self._session: Event | None = None
        self._format = LiveFormat("audio/pcm", 24000)
        self._out: list[Event | LiveClosing] = []
        self._serial = itertools.count(1)
        self._plan = Schedule()
        self._input_ms = 0.0
        self._sent_ms = 0
        self._speaking: deque[bytes] = deque()
        self._words: deque[str] = deque()
        self._frames, self._vad = Frames(), VoiceActivity(4)
        self._spoke_ms = 0
        self._heard: list[str] = list(scenario.user_turns)
        self._work = DelegatedWork()
        self._asked: dict[str, LiveRule] = {}
        self._is_muted = False
        self._fixture_ms = 0
        self._is_over = False

    # --- in -----------------------------------------------------------------------------------------------------------

    def receive(self, message: str | bytes) -> list[Event | LiveClosing]:
        """One message of the client."""
        if self._is_over:
            return []
        try:
            event = orjson.loads(message)
        except orjson.JSONDecodeError:
            event = None
        wrong = refused(event)
        event_id = event.get("event_id") if isinstance(event, dict) else None
        if wrong is None and isinstance(event, dict):
            wrong = self._take(event)
        if wrong is not None:
            self._complain(wrong, event_id)
        out, self._out = self._out, []
        return out

    def _take(self, event: Event) -> LiveWireError | None:
        kind = event["type"]
        if kind != "session.input_audio.append":
            self.stats.events.append(event)
        if self._session is None and kind != "session.start":
            return LiveWireError("session_not_started", "The first event must be session.start.", "type")
        return self._HANDLERS[kind](self, event)

    def _start(self, event: Event) -> LiveWireError | None:
        if self._session is not None:
            return LiveWireError("session_already_started", "The session has been started.", "type")
        if "reject_key" in self._faults:
            return LiveWireError("invalid_api_key", "Incorrect API key provided.", None, "authentication_error")
        if "reject_start" in self._faults:
            return LiveWireError("invalid_value", "Invalid value for 'session.model'.", "session.model")
        if "no_start" in self._faults:
            return None
        session = event["session"]
        audio = session.get("audio") or {}
        given = audio.get("format") or {"type": "audio/pcm", "rate": 24000}
        self._format = LiveFormat(given["type"], given["rate"])
        self._session = {
            **session,
            "id": f"live_{self._number}",
            "expires_at": self._epoch_s + self.scenario.lasts_s,
            "status": "active",
            "audio": {"format": given, "output": audio.get("output") or {"voice": "marin"}},
            "delegation": session.get("delegation") or {"type": "client"},
            "input": session.get("input") or [],
        }
        self._send("session.started", session=self._session)
        self._plan.at(_USAGE_MS, self._tell_usage)
        for kind in ("close", "close_for_content", "expire"):
            if kind in self._faults:
                self._plan.at(self._faults[kind].at_ms, lambda _ms, kind=kind: self._end_by(kind))  # type: ignore[misc]
        return None

    def _update(self, event: Event) -> LiveWireError | None:
        assert self._session is not None
        session = event["session"] if isinstance(event["session"], dict) else {}
        for key in session:
            if key not in ("delegation", "triggers"):
                return LiveWireError(
                    "immutable_parameter", f"'session.{key}' cannot be changed after the start.", f"session.{key}"
                )
        kind = (session.get("delegation") or {}).get("type", self._session["delegation"]["type"])
        if kind != self._session["delegation"]["type"]:
            return LiveWireError(
                "immutable_parameter", "The kind of delegation cannot be changed.", "session.delegation.type"
            )
        self._send("session.updated", session=self._session)
        return None

    def _close(self, _event: Event) -> LiveWireError | None:
        self._end("close_requested", 1000)
        return None

    def _audio(self, event: Event) -> LiveWireError | None:
        payload = audio_of(event["audio"]) or b""
        if self._format.type == "audio/pcm" and len(payload) % 2:
            return LiveWireError("invalid_audio", "The number of bytes must be even.", "audio")
        self._input_ms += self._format.ms(len(payload))
        self.stats.input_ms = int(self._input_ms)
        if not self._is_muted and not self._fixture_ms and not self._is_mute_now():
            self._listen(payload)
        while self._sent_ms + CHUNK_MS <= self._input_ms and not self._is_over:
            self._advance()
        return None

    def _mute(self, event: Event) -> LiveWireError | None:
        self._is_muted = event["type"].endswith(".mute")
        self._send(f"{event['type']}d")
        return None

    def _append(self, event: Event) -> LiveWireError | None:
        assert self._session is not None
        channel, delegation = event["type"].split(".")[1], event["delegation_id"]
        if self._fixture_ms:
            return LiveWireError("fixture_active", "Rejected while an audio fixture is active.", "type")
        if delegation is not None and self._session["delegation"]["type"] != "client":
            return LiveWireError("invalid_delegation_id", "delegation_id requires client delegation.", "delegation_id")
        if delegation is not None and delegation not in self._asked:
            return LiveWireError("invalid_delegation_id", f"There is no delegation '{delegation}'.", "delegation_id")
        wait_ms = {"commentary": self.scenario.commentary_ms, "instructions": self.scenario.instructions_ms}.get(
            channel
        )
        content = event["content"]
        self._later(STEP_MS, lambda: self._send(f"session.{channel}.appended", **self._times()))
        if wait_ms is not None and "ignore_appends" not in self._faults:
            is_said = channel == "commentary"
            self._later(wait_ms, lambda: self._say(content) if is_said else self._act(self.scenario.rule(content)))
        return None

    def _fixture(self, event: Event) -> LiveWireError | None:
        payload = audio_of(event["audio"]) or b""
        played_ms = len(payload) / 48
        if played_ms > 30_000:
            return LiveWireError("invalid_audio", "A fixture is 30 s at most.", "audio")
        self._speaking.clear()
        self._fixture_ms = int(played_ms)
        self._send("session.output_audio.fixture.playing")
        self._later(self._fixture_ms, self._fixture_ends)
        return None

    def _fixture_ends(self) -> None:
        self._fixture_ms = 0
        self._send("session.output_audio.fixture.played")

    def _item(self, event: Event) -> LiveWireError | None:
        return self._needs_responses() or self._work.take(event["item"])

    def _create(self, _event: Event) -> LiveWireError | None:
        if "drop_continuation" in self._faults:
            return self._needs_responses()
        if "refuse_continuation" in self._faults:
            del self._faults["refuse_continuation"]
            return LiveWireError("response_in_progress", "A delegated response is still in progress.")
        wrong = self._needs_responses() or self._work.go_on()
        if wrong is None:
            self._nested({"type": "response.created", "response": {"id": f"resp_{next(self._serial)}"}})
            self._later(self.scenario.think_ms, self._continuation_completes)
        return wrong

    def _needs_responses(self) -> LiveWireError | None:
        assert self._session is not None
        if self._session["delegation"]["type"] == "responses":
            return None
        return LiveWireError("invalid_request", "This event requires Responses delegation.", "type")

    _HANDLERS: ClassVar[Mapping[str, Callable[[LiveCore, Event], LiveWireError | None]]] = {
        "session.start": _start,
        "session.update": _update,
        "session.close": _close,
        "session.input_audio.append": _audio,
        "session.input_audio.mute": _mute,
        "session.input_audio.unmute": _mute,
        "session.instructions.append": _append,
        "session.thinking.append": _append,
        "session.commentary.append": _append,
        "session.output_audio.fixture.play": _fixture,
        "response.item.create": _item,
        "response.create": _create,
    }

    # --- the caller, as the model hears it ----------------------------------------------------------------------------

    def _listen(self, payload: bytes) -> None:
        for _, level in self._frames.feed(self._format.samples(payload), self._format.rate_hz):
            heard = self._vad.feed_frame(level, 0.5, TURN_ENDS_MS)
            if heard == "started":
                self._spoke_ms = self._sent_ms
            elif heard == "stopped":
                self._turn_ends()
        patience_ms = self.scenario.yields_after_ms
        if patience_ms and self._vad.speaking and self._speaking and self._sent_ms - self._spoke_ms >= patience_ms:
            self._speaking.clear()
            self._words.clear()
            self.stats.cut += 1

    def _turn_ends(self) -> None:
        self.stats.turns += 1
        text = self._heard.pop(0) if self._heard else "Hello?"
        for word in text.split():
            self._send("session.input_transcript.delta", delta=f" {word}", **self._times())
        rule = self.scenario.rule(text)
        self._later(self.scenario.think_ms, lambda: self._act(rule))

    # --- what the model does ------------------------------------------------------------------------------------------

    def _act(self, rule: LiveRule) -> None:
        if rule.say:
            self._say(rule.say)
        if rule.asks_client:
            self._delegate(rule, "client")
        elif rule.calls or rule.then:
            self._delegate(rule, "responses")

    def _say(self, text: str) -> None:
        audio = speech(text, self._format)
        size = self._format.bytes_in(CHUNK_MS)
        if self._speaking:  # a breath between two sentences
            self._speaking.extend([silence(self._format, CHUNK_MS)] * 4)
        self._speaking.extend(audio[at : at + size] for at in range(0, len(audio), size))
        self._words.extend(text.split())
        self.stats.utterances.append(text)

    def _delegate(self, rule: LiveRule, target: str) -> None:
        name = f"item_{self._number}_{next(self._serial)}"
        delegation = {"id": name, "type": "delegation", "target": target}
        if target == "client":
            self._asked[name] = rule
            self._send("session.delegation.created", offset_ms=self._sent_ms, delegation=delegation)
            return
        response = f"resp_{next(self._serial)}"
        delegation["response_id"] = response
        self._work.begin(rule, name)
        self._send("session.delegation.created", offset_ms=self._sent_ms, delegation=delegation)
        self._nested({"type": "response.created", "response": {"id": response}})
        self._nested({"type": "response.output_item.done", "item": {"type": "reasoning", "status": "completed"}})
        for called, arguments in rule.calls:
            call = f"call_{self._number}_{next(self._serial)}"
            self._work.calls[call] = None
            item = {"type": "function_call", "status": "completed", "call_id": call, "name": called,
                    "arguments": orjson.dumps(arguments).decode()}  # fmt: skip
            self._nested({"type": "response.output_item.done", "item": item})
        if "never_complete" not in self._faults:
            self._later(STEP_MS, self._response_completes)

    def _response_completes(self) -> None:
        work = self._work
        if "fail_response" in self._faults:
            del self._faults["fail_response"]
            self._nested({"type": "response.failed", "response": {"error": {"code": "server_error"}}})
            work.fail()
            return
        work.is_running = False
        self._nested({"type": "response.completed", "response": {"output": [], "usage": {"total_tokens": 100}}})
        if not work.calls and work.rule is not None:
            self._say(work.rule.then or self.scenario.otherwise)

    def _continuation_completes(self) -> None:
        self._work.is_running = False
        self._nested({"type": "response.completed", "response": {"output": [], "usage": {"total_tokens": 200}}})
        if self._work.rule is not None:
            self._say(self._work.rule.then or self.scenario.otherwise)

    # --- the timeline -------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        self._plan.run_until(self._sent_ms)
        if self._is_over:
            return
        chunk = silence(self._format, CHUNK_MS)
        if self._speaking and not self._fixture_ms and not self._is_mute_now():
            chunk = self._speaking.popleft()
            if self._words:
                self._send("session.output_transcript.delta", delta=f" {self._words.popleft()}", **self._times())
        self._sent_ms += CHUNK_MS
        self._out.append({"type": "session.output_audio.delta", "delta": base64.b64encode(chunk).decode()})

    def _is_mute_now(self) -> bool:
        fault = self._faults.get("mute")
        return fault is not None and self._sent_ms >= fault.at_ms

    def _later(self, wait_ms: int, action: Callable[[], None]) -> None:
        self._plan.at(self._sent_ms + wait_ms, lambda _ms: action())

    def _times(self) -> Event:
        start_ms = self._sent_ms // STEP_MS * STEP_MS
        return {"start_ms": start_ms, "end_ms": start_ms + STEP_MS}

    def _tell_usage(self, at_ms: float) -> None:
        self._send(
            "session.usage.updated", usage={"seconds": at_ms / 1000}, context_window={"usage_ratio": at_ms / 7_200_000}
        )
        self._plan.at(at_ms + _USAGE_MS, self._tell_usage)

    # --- the end and the wire -----------------------------------------------------------------------------------------

    def _end_by(self, fault: str) -> None:
        reason = {"close_for_content": "content", "expire": "expired"}.get(fault)
        if reason is None:
            self._is_over = True
            self._out.append(LiveClosing(1011, "internal error"))
        else:
            self._end(reason, 1000)

    def _end(self, reason: str, code: int) -> None:
        self._send("session.closed", reason=reason, session=self._session, usage={"seconds": self._input_ms / 1000})
        self.stats.close_reason = reason
        self._is_over = True
        self._out.append(LiveClosing(code, reason))

    def _nested(self, event: Event) -> None:
        envelope: Event = {"event": event}
        if self._work.delegation_id is not None:
            envelope["delegation_id"] = self._work.delegation_id
        self._send("response.event", **envelope)

    def _complain(self, refusal: LiveWireError, event_id: object) -> None:
        self.stats.errors.append(refusal)
        error = {**attrs.asdict(refusal), "client_event_id": event_id if isinstance(event_id, str) else None}
        self._send("error", error={key: value for key, value in error.items() if value is not None})
        if refusal.code == "invalid_api_key":
            self._is_over = True
            self._out.append(LiveClosing(3000, "invalid_request_error.invalid_api_key"))

    def _send(self, kind: str, **fields: Any) -> None:
        self._out.append({"type": kind, "event_id": f"event_{self._number}_{next(self._serial)}", **fields})


def _immutable(path: str) -> LiveWireError:
    return LiveWireError("immutable_parameter", f"'{path}' cannot be changed after the start.", path)
