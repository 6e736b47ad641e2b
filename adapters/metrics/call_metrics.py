"""One call as metrics: an observer of its steps, and of its summary at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from adapters.call.lifecycle import Lifecycle
from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.metrics.metrics import Metrics
from adapters.providers.provider import WireEvent
from fsm.language.spec import Spec
from fsm.machine.machine import Step
from fsm.machine.takeover import Takeover

_TURN_ENDS: Final = frozenset(
    {"input_audio_buffer.speech_stopped.new", "input_audio_buffer.committed.new", "caller.silent"}
)
_FAILED_OUTPUT: Final = '{"error"'


class CallMetrics:
    """Of one call. The agent is heard from `playout.started` on; a turn ends where its end is first known."""

    def __init__(self, metrics: Metrics, spec: Spec, agent: str) -> None:
        self._metrics = metrics
        self._follow(spec)
        self._state, self._entered_ms = "", 0
        self._asked_ms: int | None = None  # when the turn ended that nobody has answered yet
        self._cut_ms: int | None = None  # when the caller took the floor over what he heard
        self._is_greeted = False
        self._tools: dict[str, tuple[str, int]] = {}
        metrics.calls.labels(spec.name, agent).inc()

    def _follow(self, spec: Spec) -> None:
        self._spec = spec.name
        self._requests = spec.vocabulary.requests
        self._caller_speaks = spec.tagged("floor_caller")

    def took_over(self, lifecycle: Lifecycle, _taken: Takeover, _provider: str, at_ms: int) -> None:
        self._leave_state(at_ms)
        self._state = ""
        self._follow(lifecycle.spec)

    def stepped(self, step: Step, _envelope: Envelope, at_ms: int) -> None:
        name = step.event.name
        state = step.snapshot.state
        if state != self._state:
            self._leave_state(at_ms)
            self._state = state
        if name in self._requests:
            self._metrics.requests.labels(self._spec, name, step.outcome).inc()
        if step.outcome == "impossible":
            self._metrics.impossible.labels(self._spec, step.variant).inc()
        self._time_answer(step, at_ms)
        self._time_tools(step, at_ms)

    def wire(self, direction: Literal["in", "out"], event: WireEvent, _at_ms: int) -> None:
        if direction == "in" and event.get("type") == "error":
            error = event.get("error")
            code = error.get("code") or error.get("type") if isinstance(error, Mapping) else None
            label = self._metrics.code(code) if isinstance(code, str) else "no_code"
            self._metrics.provider_errors.labels(label).inc()

    def ended(self, summary: Summary) -> None:
        metrics, spec = self._metrics, self._spec
        self._leave_state(summary.duration_ms)
        metrics.ended.labels(spec, metrics.reason(summary.end_reason.partition(":")[0] or "unknown")).inc()
        metrics.call_time.labels(spec).observe(summary.duration_ms / 1000)
        metrics.longest_silence.labels(spec).observe(summary.longest_silence_ms / 1000)
        metrics.longest_wait.labels(spec).observe(summary.longest_wait_ms / 1000)
        metrics.turns.labels(spec).inc(summary.turns)
        metrics.barge_ins.labels(spec).inc(summary.barge_ins)
        metrics.reconnects.labels(spec).inc(max(summary.connects - 1, 0))
        metrics.dropped.labels(spec).inc(summary.mailbox_dropped)
        metrics.journal_dropped.labels(spec).inc(summary.journal_dropped)
        metrics.underruns.labels(spec).inc(summary.played.underruns if summary.played else 0)
        for outcome, count in summary.answers.items():
            metrics.answers.labels(spec, outcome).inc(count)
        for cause, count in summary.creates.items():
            metrics.creates.labels(spec, cause).inc(count)
        for kind, count in summary.rejections.items():
            metrics.rejections.labels(spec, kind).inc(count)

    def _leave_state(self, at_ms: int) -> None:
        if self._state:
            seconds = max(at_ms - self._entered_ms, 0) / 1000
            self._metrics.state_time.labels(self._spec, self._state).observe(seconds)
        self._entered_ms = at_ms

    def _time_answer(self, step: Step, at_ms: int) -> None:
        spoke, speaks = step.before in self._caller_speaks, step.snapshot.state in self._caller_speaks
        if speaks and not spoke:
            self._asked_ms = None
            flushes = any(effect.name == "flush_playout" for effect in step.effects)
            self._cut_ms = at_ms if flushes else None
        elif step.variant in _TURN_ENDS or (spoke and not speaks):
            self._asked_ms = at_ms if self._asked_ms is None else self._asked_ms
        if step.variant.startswith("playout.started."):
            self._note_sound(at_ms)
        elif step.variant == "playout.flushed" and self._cut_ms is not None:
            self._metrics.barge_in.labels(self._spec).observe((at_ms - self._cut_ms) / 1000)
            self._cut_ms = None

    def _note_sound(self, at_ms: int) -> None:
        if not self._is_greeted:
            self._is_greeted = True
            self._metrics.greeting_latency.labels(self._spec).observe(at_ms / 1000)
        if self._asked_ms is not None:
            self._metrics.response_latency.labels(self._spec).observe((at_ms - self._asked_ms) / 1000)
            self._asked_ms = None

    def _time_tools(self, step: Step, at_ms: int) -> None:
        for effect in step.effects:
            if effect.name == "run_tool":
                self._tools[str(effect.args["call_id"])] = (str(effect.args["name"]), at_ms)
        if step.event.name == "tool.returned":
            name, began_ms = self._tools.pop(str(step.event.data.get("call_id")), ("", at_ms))
            if name:
                self._metrics.tool_time.labels(self._metrics.tool(name)).observe((at_ms - began_ms) / 1000)
                if str(step.event.data.get("output")).startswith(_FAILED_OUTPUT):
                    self._metrics.tool_failures.labels(self._metrics.tool(name)).inc()
