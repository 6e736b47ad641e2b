"""A realistic call as the machine sees it: a greeting, plain turns, two barge-ins, a round of two tools. Never a clock.

The wire is written as the provider writes it (docs/facts/realtime_api.md section 3) and read by the vocabulary, so that
what is noise costs no step here either. Ids have the length and the alphabet of real ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs

from fsm.machine.machine import Effect, Event, Snapshot, TurnSpecMachine
from fsm.machine.wire import Wire, read_wire

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@attrs.define
class _Answer:
    """A response under way: its id, and the one message it speaks."""

    response_id: str
    item_id: str


class _Script:
    """Tells one call, and listens to the machine only for the ids of what it sends."""

    def __init__(self, machine: TurnSpecMachine, seed: int) -> None:
        self._machine = machine
        self._random = random.Random(seed)
        self._snapshot: Snapshot = machine.start()[-1].snapshot
        self._sent: list[Effect] = []
        self.events: list[Event] = []

    def new_id(self, prefix: str, length: int = 21) -> str:
        return prefix + "".join(self._random.choices(_ALPHABET, k=length))

    def fact(self, name: str, **data: object) -> None:
        self._step(Event(name, data))

    def wire(self, kind: str, **fields: object) -> None:
        event: Wire = {"type": kind, "event_id": self.new_id("event_"), **fields}
        for fact in read_wire(self._machine.spec.vocabulary, event):
            self._step(fact)

    def sent(self, effect: str) -> str:
        """The event id of the last effect of a name."""
        return next(str(e.args["event_id"]) for e in reversed(self._sent) if e.name == effect)

    def _step(self, event: Event) -> None:
        step, *waited = self._machine.advance(self._snapshot, event)
        if step.outcome in ("impossible", "refused", "deferred"):
            raise ValueError(f"{event.name} in {step.before}: {step.outcome}, {step.reason}")
        self.events.append(event)
        self._snapshot = step.snapshot
        self._sent += step.effects
        if waited:
            raise ValueError(f"{event.name} in {step.before}: '{waited[0].event.name}' had waited for it")

    # --- what a provider says -----------------------------------------------------------------------------------------

    def opened(self) -> None:
        self.fact("provider.opened")
        session = {
            "type": "realtime",
            "object": "realtime.session",
            "id": self.new_id("sess_"),
            "model": "gpt-realtime",
        }
        self.wire("session.created", session=session)
        self.wire("session.updated", session=session)

    def heard(self) -> None:
        """The caller's turn."""
        item = self.new_id("item_")
        self.wire("input_audio_buffer.speech_started", item_id=item, audio_start_ms=1460)
        self.fact("playout.flushed", items=[])
        self.turn_ends(item)

    def turn_ends(self, item: str) -> None:
        self.wire("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=3200)
        self.wire("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        shown = {"id": item, "type": "message", "status": "completed", "role": "user", "content": []}
        self.wire("conversation.item.added", previous_item_id=None, item=shown)
        self.wire("conversation.item.done", previous_item_id=None, item=shown)

    def response_begins(self, tag: str | None = None) -> _Answer:
        answer = _Answer(self.new_id("resp_"), self.new_id("item_"))
        metadata = None if tag is None else {"turnspec": tag}
        response: dict[str, object] = {
            "id": answer.response_id,
            "status": "in_progress",
            "output": [],
            "metadata": metadata,
        }
        self.wire("response.created", response=response)
        self.item_begins(answer.response_id, answer.item_id, "message")
        return answer

    def item_begins(self, response: str, item: str, kind: str) -> None:
        shown = {"id": item, "type": kind, "status": "in_progress"}
        self.wire("response.output_item.added", response_id=response, output_index=0, item=shown)
        self.wire("conversation.item.added", previous_item_id=None, item=shown)
        self.wire("response.content_part.added", response_id=response, item_id=item, content_index=0)

    def spoken(self, answer: _Answer) -> dict[str, object]:
        """The message is complete; its output item."""
        item: dict[str, object] = {"id": answer.item_id, "type": "message", "status": "completed", "role": "assistant"}
        self.wire("response.output_audio.done", response_id=answer.response_id, item_id=answer.item_id)
        self.wire("conversation.item.done", previous_item_id=None, item=item)
        self.wire("response.output_item.done", response_id=answer.response_id, output_index=0, item=item)
        return item

    def response_ends(self, answer: _Answer, output: Sequence[object], status: str = "completed") -> None:
        details = {"type": "cancelled", "reason": "turn_detected"} if status == "cancelled" else None
        response = {"id": answer.response_id, "status": status, "status_details": details, "output": list(output)}
        self.wire("response.done", response=response)
        self.wire("rate_limits.updated", rate_limits=[])

    # --- pieces of a conversation -------------------------------------------------------------------------------------

    def plays(self, answer: _Answer) -> None:
        self.fact("playout.started", response_id=answer.response_id, item_id=answer.item_id)

    def answered(self, tag: str | None = None, seconds: int = 6) -> None:
        """A response, generated faster than it is played, heard to its end."""
        answer = self.response_begins(tag)
        self.plays(answer)
        self.response_ends(answer, [self.spoken(answer)])
        for _ in range(seconds // 2):
            self.fact("playout.progressed")
        self.fact("playout.drained")

    def cut(self, answer: _Answer, heard_ms: int, received_ms: int) -> str:
        """The caller speaks; the playout is flushed. The item of the caller's turn."""
        item = self.new_id("item_")
        self.wire("input_audio_buffer.speech_started", item_id=item, audio_start_ms=9640)
        report = {
            "item_id": answer.item_id, "response_id": answer.response_id, "content_index": 0,
            "heard_ms": heard_ms, "received_ms": received_ms,
        }  # fmt: skip
        self.fact("playout.flushed", items=[report])
        return item

    def cut_while_generating(self) -> None:
        answer = self.response_begins()
        self.plays(answer)
        item = self.cut(answer, 1240, 4000)
        self.wire("conversation.item.truncated", item_id=answer.item_id, content_index=0, audio_end_ms=1240)
        self.response_ends(answer, [self.spoken(answer)], "cancelled")
        self.turn_ends(item)

    def cut_while_playing(self) -> None:
        answer = self.response_begins()
        self.plays(answer)
        self.response_ends(answer, [self.spoken(answer)])
        self.fact("playout.progressed")
        self.turn_ends(self.cut(answer, 2860, 7200))

    def two_tools(self) -> None:
        """A spoken word and two calls in one response; their results; one answer."""
        answer = self.response_begins()
        self.plays(answer)
        output: list[object] = [self.spoken(answer)]
        calls = [self.new_id("call_", 16) for _ in range(2)]
        for call in calls:
            item = self.new_id("item_")
            self.item_begins(answer.response_id, item, "function_call")
            made = {
                "id": item, "type": "function_call", "status": "completed", "name": "find_table", "call_id": call,
                "arguments": '{"date": "2026-11-21", "guests": 4}',
            }  # fmt: skip
            output.append(made)
            self.wire("response.function_call_arguments.done", response_id=answer.response_id, call_id=call)
            self.wire("response.output_item.done", response_id=answer.response_id, output_index=1, item=made)
        self.response_ends(answer, output)
        self.fact("playout.drained")
        for call in calls:
            self.fact("tool.returned", call_id=call, output='{"free": true, "at": "19:30"}')
            echo = {"id": self.new_id("item_"), "type": "function_call_output", "call_id": call}
            self.wire("conversation.item.added", previous_item_id=None, item=echo)
        self.answered(self.sent("create_response"))


def conversation(machine: TurnSpecMachine, seed: int = 2026) -> list[Event]:
    """The events of one call under `server_vad`, from the open socket to the caller's hang-up.

    ValueError: the spec answers one of them with "impossible", "refused" or "deferred"; the trace is to be legal.
    """
    script = _Script(machine, seed)
    script.opened()
    script.answered(script.sent("create_response"), seconds=4)  # the greeting
    for _ in range(2):
        script.heard()
        script.answered()
    script.heard()
    script.cut_while_generating()
    script.cut_while_playing()
    script.answered()
    script.heard()
    script.two_tools()
    script.heard()
    script.answered(seconds=10)
    script.fact("caller.hung_up", reason="caller_hung_up")
    return script.events
