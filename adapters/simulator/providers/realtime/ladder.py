"""The ladder of events that one output item of a response climbs: added, deltas, done. No plan of what comes when.

Source: docs/facts/realtime_api.md sections 3.1, 3.6 and, for MCP calls, 11.
"""

from __future__ import annotations

import base64
from typing import Any

from adapters.simulator.providers.realtime.conversation import ConversationItem
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.live_response import LiveItem, LiveResponse, ResponseStep
from adapters.simulator.providers.realtime.mcp import McpServers
from adapters.simulator.providers.realtime.provider_scenario import FunctionCall, McpCall, OutputPart
from adapters.simulator.providers.realtime.session_context import SessionContext
from adapters.simulator.providers.realtime.wire_audio import duration_ms


class OutputLadder:
    """Emits the events of output items and keeps the items as they grow."""

    def __init__(self, context: SessionContext, mcp: McpServers) -> None:
        self._context, self._mcp = context, mcp

    def open(self, live: LiveResponse, index: int, now_s: float) -> None:
        """A new output item."""
        context = self._context
        item = self._new_item(live, live.rule.output[index])
        live.items[index] = LiveItem(item)
        context.outbox.emit(
            now_s, "response.output_item.added", response_id=live.id, output_index=index, item=item.wire()
        )
        if not live.out_of_band:
            previous = context.conversation.append(item)
            context.outbox.emit(now_s, "conversation.item.added", previous_item_id=previous, item=item.wire())
        if item.type == "message":
            part = {"type": "text", "text": ""} if live.text_only else {"type": "audio", "transcript": ""}
            context.outbox.emit(now_s, "response.content_part.added", **_place(live, index), part=part)

    def _new_item(self, live: LiveResponse, output: OutputPart) -> ConversationItem:
        item = ConversationItem(id=self._context.ids.item(), type="message", status="in_progress", by_model=True)
        match output:
            case FunctionCall():
                item.type, item.name, item.call_id = "function_call", output.call, self._context.ids.call()
            case McpCall():
                item.type = "mcp_call"
                item.fields = {"server_label": output.server, "name": output.mcp, "arguments": "",
                               "approval_request_id": None, "output": None, "error": None}  # fmt: skip
            case _:
                item.role, item.phase = "assistant", output.phase
                item.audio_ms = None if live.text_only else 0.0
                item.sound_format = live.wire_format
        return item

    def words(self, live: LiveResponse, step: ResponseStep, now_s: float) -> None:
        """Some of what is said, as text or as the transcript of speech."""
        live.items[step.index].words.append(step.text)
        kind = "response.output_text.delta" if live.text_only else "response.output_audio_transcript.delta"
        self._delta(live, step, kind, now_s)

    def arguments(self, live: LiveResponse, step: ResponseStep, now_s: float) -> None:
        """Some of a call's arguments."""
        going = live.items[step.index]
        going.arguments.append(step.text)
        if going.item.type == "mcp_call":
            self._delta(live, step, "response.mcp_call_arguments.delta", now_s)
        else:
            kind = "response.function_call_arguments.delta"
            self._delta(live, step, kind, now_s, call_id=going.item.call_id)

    def _delta(self, live: LiveResponse, step: ResponseStep, kind: str, now_s: float, **more: Any) -> None:
        place = _place(live, step.index)
        if "arguments" in kind:
            del place["content_index"]
        obfuscation = self._context.ids.obfuscation(step.text)
        self._context.outbox.emit(now_s, kind, **place, **more, delta=step.text, obfuscation=obfuscation)

    def audio(self, live: LiveResponse, step: ResponseStep, now_s: float) -> None:
        """Some of the speech."""
        context, going = self._context, live.items[step.index]
        going.audio_bytes += len(step.audio)
        going.item.sound += step.audio
        context.conversation.keep_sound(going.item)
        heard_ms = duration_ms(going.audio_bytes, live.wire_format)
        going.item.audio_ms = max(heard_ms - context.settings.skew_ms, 0)
        delta = base64.b64encode(step.audio).decode()
        context.outbox.emit(now_s, "response.output_audio.delta", **_place(live, step.index), delta=delta)

    def run(self, live: LiveResponse, index: int, now_s: float) -> None:
        """The arguments of an MCP call are whole: run it, or ask for the client's word."""
        call = live.rule.output[index]
        assert isinstance(call, McpCall)
        self._mcp_arguments(live, index, now_s)
        if self._mcp.needs_approval(call):
            self._mcp.ask(live, index, call, now_s)
        else:
            self._mcp.run(live, index, now_s)

    def _mcp_arguments(self, live: LiveResponse, index: int, now_s: float) -> None:
        going, place = live.items[index], _place(live, index)
        del place["content_index"]
        going.item.fields["arguments"] = said = "".join(going.arguments)
        self._context.outbox.emit(now_s, "response.mcp_call_arguments.done", **place, arguments=said)

    def close(self, live: LiveResponse, index: int, status: str, now_s: float) -> None:
        """The item is whole, or cut."""
        context, going = self._context, live.items[index]
        item, place, emit = going.item, _place(live, index), context.outbox.emit
        if item.type == "mcp_call":
            self._close_mcp(live, index, status, now_s)
            return
        going.closed, item.status = True, status
        if item.type == "function_call":
            item.arguments = "".join(going.arguments)
            del place["content_index"]
            done = {"call_id": item.call_id, "name": item.name, "arguments": item.arguments}
            emit(now_s, "response.function_call_arguments.done", **place, **done)
        else:
            self._close_part(live, place, "".join(going.words), item, now_s)
        if not live.out_of_band:
            previous = context.conversation.previous_when_done(item)
            emit(now_s, "conversation.item.done", previous_item_id=previous, item=item.wire())
        emit(now_s, "response.output_item.done", response_id=live.id, output_index=index, item=item.wire())

    def _close_mcp(self, live: LiveResponse, index: int, status: str, now_s: float) -> None:
        call, fields = live.rule.output[index], live.items[index].item.fields
        assert isinstance(call, McpCall)
        if status == "completed":
            self._mcp.end_as_scripted(live, index, call, now_s)
            if index == len(live.rule.output) - 1:
                self._context.news.tools.append(call.mcp)
            return
        if fields["approval_request_id"]:  # it goes on waiting for the client's word, whatever became of the response
            return
        if not fields["arguments"]:
            self._mcp_arguments(live, index, now_s)
        error = {"type": "tool_execution_error", "message": "The response ended before the call did."}
        self._mcp.end(live, index, None, error, now_s)

    def _close_part(self, live: LiveResponse, place: Json, said: str, item: ConversationItem, now_s: float) -> None:
        emit = self._context.outbox.emit
        if live.text_only:
            emit(now_s, "response.output_text.done", **place, text=said)
            part, item.content = {"type": "text", "text": said}, [{"type": "output_text", "text": said}]
        else:
            emit(now_s, "response.output_audio.done", **place)
            emit(now_s, "response.output_audio_transcript.done", **place, transcript=said)
            part, item.content = {"type": "audio", "transcript": said}, [{"type": "output_audio", "transcript": said}]
        emit(now_s, "response.content_part.done", **place, part=part)


def _place(live: LiveResponse, index: int) -> Json:
    return {
        "response_id": live.id,
        "item_id": live.items[index].item.id,
        "output_index": index,
        "content_index": 0,
    }
