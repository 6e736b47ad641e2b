"""The life of responses: one at a time in the default conversation, any number beside it. Creates, cancels, steps.

Source: docs/facts/realtime_api.md sections 3.1 to 3.7 and 4. What it says is the model's matter, when its timetable's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs

from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import WireError, active_response, nothing_to_cancel
from adapters.simulator.providers.realtime.faults import CrossCreate
from adapters.simulator.providers.realtime.ladder import OutputLadder
from adapters.simulator.providers.realtime.live_response import (
    TOKEN_MS,
    LiveResponse,
    ResponseStep,
    read_options,
    timetable,
    tokens,
)
from adapters.simulator.providers.realtime.mcp import McpServers
from adapters.simulator.providers.realtime.offered_tools import OfferedTools, honoured
from adapters.simulator.providers.realtime.provider_scenario import AnswerRule
from adapters.simulator.providers.realtime.scripted_model import Question
from adapters.simulator.providers.realtime.session_context import News, SessionContext
from adapters.simulator.providers.realtime.wire_audio import delta_bytes

Refuse = Callable[[WireError, float], None]
CancelReason = Literal["client_cancelled", "turn_detected"]


class SimulatedResponses:
    """All responses of one session."""

    def __init__(self, context: SessionContext, mcp: McpServers) -> None:
        self._context, self._mcp = context, mcp
        self._ladder = OutputLadder(context, mcp)
        self._default: LiveResponse | None = None
        self._beside: dict[str, LiveResponse] = {}
        self._owed_automatic = False
        self._crossed: list[tuple[bool, Refuse]] = []
        self._nth = 0
        self.spoke = False
        self.on_default_done: Callable[[float, float], None] = lambda _now_s, _audio_ms: None

    @property
    def active(self) -> LiveResponse | None:
        """The default conversation's response, also while it is requested and not yet created."""
        return self._default

    # --- beginnings -------------------------------------------------------------------------------------------------

    def create_for_client(self, given: Json | None, now_s: float) -> None:
        """A response.create. WireError: malformed, or a response is active."""
        options = read_options(given, beta=self._context.beta)
        out_of_band = options.get("conversation") == "none"
        if self._default and not out_of_band:
            raise active_response(self._default.id)
        self._check(options)
        live = self._make(options, out_of_band=out_of_band, automatic=False)
        ready_s = self._mcp.define(options.get("tools", ()), now_s)
        begin_s = max(now_s + self._context.latency.response_created_s, ready_s)
        self._context.schedule.at(begin_s, lambda at_s: self._open(live, at_s))

    def _check(self, options: Json) -> None:
        """WireError: the options name what is not there."""
        self._context.conversation.check_references(options.get("input", []))
        tools = options["tools"] if "tools" in options else self._context.session.config["tools"] or []
        self._mcp.check(options.get("tools", ()), "response.tools")
        if "tool_choice" in options:
            labels = {tool["server_label"] for tool in tools if tool["type"] == "mcp"}
            self._offer(tools, options).check_choice(labels)

    def _offer(self, tools: list[Json], options: Json) -> OfferedTools:
        set_for = self._context.session.config | options
        return OfferedTools(
            functions={tool["name"]: tool.get("parameters", {}) for tool in tools if tool["type"] == "function"},
            mcp=self._mcp.imported(tools),
            choice=set_for["tool_choice"],
            parallel=bool(set_for.get("parallel_tool_calls", True)),
        )

    def create_automatically(self, now_s: float) -> None:
        """The turn detection's own create: at once, after a cancel that is under way, or refused by what is active."""
        if self._default and self._default.ending:
            self._owed_automatic = True
        elif self._default:
            self._context.complain(now_s, active_response(self._default.id))
        else:
            self._begin_automatic(now_s)

    def _make(self, options: Json, *, out_of_band: bool, automatic: bool) -> LiveResponse:
        context = self._context
        live = LiveResponse(
            id=context.ids.response(),
            out_of_band=out_of_band,
            automatic=automatic,
            options=options,
            session=context.session.config,
            conversation_id=None if out_of_band else context.conversation.id,
        )
        if out_of_band:
            self._beside[live.id] = live
        else:
            self._default = live
        return live

    def _open(self, live: LiveResponse, now_s: float) -> None:
        context = self._context
        if live.opened:
            return
        live.opened = True
        live.rule = self._answer(live)
        context.stats.responses += 1
        context.outbox.emit(now_s, "response.created", response=live.wire("in_progress"))
        if context.beta:
            self._rate_limits(now_s)
        steps = timetable(
            live.rule, context.latency, live.wire_format, text_only=live.text_only, waits=self._mcp.needs_approval
        )
        for step in steps:
            context.schedule.at(now_s + step.at_s, lambda at_s, step=step: self._step(live, step, at_s))  # type: ignore[misc]

    def _answer(self, live: LiveResponse) -> AnswerRule:
        """The script's answer, as far as the offered tools allow it; with nothing left of it, some words."""
        context = self._context
        rule = context.model.answer(self._question(live))
        kept = honoured(
            rule.output,
            self._offer(live.tools, live.options),
            makes_unoffered=context.scenario.unoffered_calls == "make",
            note=context.stats.note,
        )
        if rule.output and not kept:
            kept = context.model.small_talk().output
        return attrs.evolve(rule, output=kept)

    def _question(self, live: LiveResponse) -> Question:
        news = self._context.news
        instructions = str(live.options.get("instructions", ""))
        turn = self._context.stats.user_turns
        if live.out_of_band:
            return Question(out_of_band=True, instructions=instructions, user_turn=turn, nth=0)
        self._nth += 1
        self._context.news = News()
        return Question(
            nth=self._nth,
            automatic=live.automatic,
            idle=news.idle,
            new_user=news.user,
            heard=news.heard,
            user_turn=turn,
            tools=tuple(news.tools),
            instructions=instructions,
        )

    # --- the timetable ----------------------------------------------------------------------------------------------

    def _step(self, live: LiveResponse, step: ResponseStep, now_s: float) -> None:
        if live.done:
            return
        if not live.affords(step):
            self._reach_limit(live, step, now_s)
            return
        live.spent += step.tokens
        match step.kind:
            case "open":
                self._ladder.open(live, step.index, now_s)
            case "words":
                self._ladder.words(live, step, now_s)
            case "audio":
                self.spoke = True
                self._ladder.audio(live, step, now_s)
            case "arguments":
                self._ladder.arguments(live, step, now_s)
            case "run":
                self._ladder.run(live, step.index, now_s)
            case "close":
                cut = live.rule.status == "incomplete" and step.index == len(live.rule.output) - 1
                self._ladder.close(live, step.index, "incomplete" if cut else "completed", now_s)
            case "finish":
                self._finish(live, live.rule.status, self._details(live), now_s)

    def _reach_limit(self, live: LiveResponse, step: ResponseStep, now_s: float) -> None:
        """The first step that max_output_tokens does not pay for: of sound as much as it does, then the end."""
        sound = step.audio[: delta_bytes(live.tokens_left() * TOKEN_MS, live.wire_format)]
        if sound:
            self.spoke = True
            self._ladder.audio(live, attrs.evolve(step, audio=sound), now_s)
        self._close_all(live, now_s)
        self._finish(live, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, now_s)

    def _close_all(self, live: LiveResponse, now_s: float) -> None:
        for index in sorted(live.items):
            if not live.items[index].closed:
                self._ladder.close(live, index, "incomplete", now_s)

    # --- ends -------------------------------------------------------------------------------------------------------

    def cancel_for_client(self, response_id: object, now_s: float) -> None:
        """A response.cancel. Without an id it binds to whatever is active now. WireError: nothing is."""
        live = self._default
        if response_id is not None and (live is None or live.id != response_id):
            live = self._beside.get(str(response_id))
        if live is None or not live.opened:
            raise nothing_to_cancel()
        self._cut_soon(live, "client_cancelled", now_s)

    def interrupt(self, now_s: float) -> None:
        """The caller began to speak: what is being generated ends. What is only requested is not yet there to end."""
        if self._default and self._default.opened:
            self._cut_soon(self._default, "turn_detected", now_s)

    def _cut_soon(self, live: LiveResponse, reason: CancelReason, now_s: float) -> None:
        if not live.ending:
            live.ending = True
            self._context.schedule.at(
                now_s + self._context.latency.interrupt_s, lambda at_s: self._cut(live, reason, at_s)
            )

    def _cut(self, live: LiveResponse, reason: CancelReason, now_s: float) -> None:
        if live.done:
            return
        self._close_all(live, now_s)
        self._finish(live, "cancelled", {"type": "cancelled", "reason": reason}, now_s)

    def _details(self, live: LiveResponse) -> Json | None:
        rule = live.rule
        if rule.status == "incomplete":
            return {"type": "incomplete", "reason": rule.reason}
        if rule.status == "failed":
            problem = {
                "type": "server_error",
                "code": None,
                "message": "The server had an error while processing your request. Sorry about that!",
            }
            return {"type": "failed", "error": problem | dict(rule.error)}
        return None

    def _finish(self, live: LiveResponse, status: Any, details: Json | None, now_s: float) -> None:
        context = self._context
        live.done = True
        usage = live.usage(self._input_text_tokens(), int(context.stats.audio_ms / 100))
        context.outbox.emit(now_s, "response.done", response=live.wire(status, details, usage))
        if not context.beta:
            context.schedule.at(now_s + context.latency.rate_limits_s, self._rate_limits)
        if live.out_of_band:
            del self._beside[live.id]
            return
        self._default = None
        for echo in live.held_echoes:
            echo(now_s)
        if self._owed_automatic:
            self._owed_automatic = False
            self.create_automatically(now_s)
        else:
            self.on_default_done(now_s, live.audio_ms())

    def _input_text_tokens(self) -> int:
        return sum(len(tokens(item.text + item.arguments + item.output)) for item in self._context.conversation.items)

    def _rate_limits(self, now_s: float) -> None:
        left = 15_000_000 - 500 * self._context.stats.responses
        limits = [{"name": "tokens", "limit": 15_000_000, "remaining": left, "reset_seconds": 0.002}]
        if self._context.beta:
            limits.insert(0, {"name": "requests", "limit": 20000, "remaining": 19999, "reset_seconds": 0.003})
        self._context.outbox.emit(now_s, "rate_limits.updated", rate_limits=limits)

    # --- crossings --------------------------------------------------------------------------------------------------

    def cross(self, fault: CrossCreate, refuse: Refuse, now_s: float) -> None:
        """Let a client's create lose against a response of our own: the next automatic one, or one made for it."""
        if fault.hold_s and not self._default:
            entry = (fault.error_first, refuse)
            self._crossed.append(entry)
            self._context.schedule.at(now_s + fault.hold_s, lambda at_s: self._cross_at_last(entry, at_s))
        elif self._default:
            refuse(active_response(self._default.id), now_s)
        else:
            self._crossed.append((fault.error_first, refuse))
            self._begin_automatic(now_s)

    def _cross_at_last(self, entry: tuple[bool, Refuse], now_s: float) -> None:
        if entry in self._crossed:
            if self._default:
                self._crossed.remove(entry)
                entry[1](active_response(self._default.id), now_s)
            else:
                self._begin_automatic(now_s)

    def _begin_automatic(self, now_s: float) -> None:
        live = self._make({}, out_of_band=False, automatic=True)
        crossed, self._crossed = self._crossed, []
        for error_first, refuse in crossed:
            if error_first:
                refuse(active_response(live.id), now_s)
        self._open(live, now_s)
        for error_first, refuse in crossed:
            if not error_first:
                refuse(active_response(live.id), now_s)
