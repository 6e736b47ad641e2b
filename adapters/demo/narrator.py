"""A call as display events, from its steps, its wire events and its simulated caller. Never acts, never prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

import orjson

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.demo.display_events import DisplayEvent, Kind, Show
from adapters.providers.provider import WireEvent
from fsm.machine.machine import Step

NOISE = frozenset({"response_cancel_not_active", "input_audio_buffer_commit_empty"})
"""Codes of errors that answer no create and that nobody waits for."""


class CallNarrator:
    """An Observer of a call (adapters.call.call). The caller's events come through `caller`.

    `floor_caller` are the states in which the caller speaks.
    """

    def __init__(self, show: Show, talk_key: str = "", floor_caller: Set[str] = frozenset()) -> None:
        self._show = show
        self._talk_key = talk_key
        self._floor_caller = floor_caller
        self._at_ms = 0
        self._turns: dict[str, int] = {}
        self._turn_count = 0
        self._said: dict[str, str] = {}
        self._shown: set[str] = set()
        self._calls: dict[str, str] = {}
        self._rounds: set[str] = set()
        self._keys = ""
        self._cause = ""
        self.states: list[str] = []
        self.on_lost_session: Callable[[], None] = lambda: None

    @property
    def tool_rounds(self) -> int:
        """How many responses called tools."""
        return len(self._rounds)

    # --- steps --------------------------------------------------------------------------------------------------------

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del envelope
        self._at_ms = at_ms
        name, data = step.event.name, step.event.data
        if any(effect.name == "send_digits" for effect in step.effects):
            self.keyed()
        self.enters(step.snapshot.state)
        if name == "playout.flushed":
            self.flushed(data.get("items"))
        elif name in ("provider.closed", "provider.unreachable"):
            said = f"{data.get('code') or ''} {data.get('reason') or ''}".strip()
            self._say("note", f"{name.replace('.', ' ')}{f' ({said})' if said else ''}")
            self.on_lost_session()
        elif name == "caller.hung_up":
            self._say("note", "the caller hangs up")
        elif name == "operator.hang_up_requested":
            self._say("note", f"hanging up ({data.get('reason')})")
        if step.outcome == "impossible":
            self._say("note", f"protocol violation: {step.variant} in {step.before}")
        for effect in step.effects:
            if effect.name == "create_response":
                self.because(str(effect.args.get("cause")))
            elif effect.name == "play_prompt":
                self._say("note", f"the caller hears a recorded {effect.args.get('name')}")

    def ended(self, summary: Summary) -> None:
        del summary

    def at(self, at_ms: int) -> None:
        """The time of what comes next."""
        self._at_ms = at_ms

    def enters(self, state: str) -> None:
        """The controller's state, as often as one likes."""
        if not self.states or self.states[-1] != state:
            self.states.append(state)
            self._show(DisplayEvent(self._at_ms, "state", state, floor_caller=state in self._floor_caller))

    def because(self, cause: str) -> None:
        """What the next `response.create` on the wire is for."""
        self._cause = cause

    def keyed(self) -> None:
        """The digits so far are one turn."""
        if self._keys:
            self._turn_count += 1
            self._say("key", " ".join(self._keys), self._turn_count)
            self._keys = ""

    def flushed(self, items: object) -> None:
        """The playout was emptied; `items` as in the fact playout.flushed."""
        cut = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        heard_s = sum(float(item["heard_ms"]) for item in cut) / 1000
        left_s = sum(float(item["received_ms"]) for item in cut) / 1000 - heard_s
        if not heard_s:
            return
        cut_after = f"the agent is cut after {heard_s:.1f} s, {left_s:.1f} s of its audio are dropped"
        words = [self._heard_of(item) for item in cut]
        self._say("cut", f'"{" ".join(filter(None, words))}..." {cut_after}' if any(words) else cut_after)

    def _heard_of(self, item: Mapping[str, Any]) -> str:
        """The words that were heard of an item whose transcript has not been shown yet; it will not be shown again."""
        identity, received_ms = str(item["item_id"]), float(item["received_ms"])
        if identity not in self._said or identity in self._shown:
            return ""
        self._shown.add(identity)
        words = self._said[identity].split()
        return " ".join(words[: round(len(words) * float(item["heard_ms"]) / max(received_ms, 1))])

    # --- the wire -----------------------------------------------------------------------------------------------------

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None:
        self._at_ms = at_ms
        kind = str(event.get("type"))
        if direction == "out":
            self._wire_out(kind, event)
        elif kind.endswith(("audio_transcript.delta", "output_text.delta")):
            self._partial("agent_partial", event)
        elif kind.endswith(("audio_transcript.done", "output_text.done")):
            self._agent_said(event)
        elif kind == "input_audio_buffer.committed":
            self._turn_of(event.get("item_id"))
        elif kind.startswith("conversation.item.input_audio_transcription."):
            self._caller_said(kind.rpartition(".")[2], event)
        elif kind == "response.output_item.done":
            self._called(event)
        elif kind == "error":
            self._failed(event.get("error"))

    def _wire_out(self, kind: str, event: WireEvent) -> None:
        item = event.get("item")
        if kind == "response.create":
            self._say("asked", f"response.create ({self._cause})" if self._cause else kind)
        elif kind == "conversation.item.create" and isinstance(item, Mapping):
            name = self._calls.get(str(item.get("call_id")))
            if name and item.get("type") == "function_call_output":
                self._say("tool", f"{name} = {_short(str(item.get('output')))}")

    def _partial(self, kind: Kind, event: WireEvent) -> None:
        delta, identity = event.get("delta"), str(event.get("item_id"))
        if isinstance(delta, str):
            said = self._said[identity] = self._said.get(identity, "") + delta
            self._say(kind, said.strip())

    def _agent_said(self, event: WireEvent) -> None:
        identity = str(event.get("item_id"))
        if identity not in self._shown:
            self._shown.add(identity)
            self._say("agent", str(event.get("transcript") or event.get("text") or "").strip())

    def _turn_of(self, item_id: object) -> int:
        if str(item_id) not in self._turns:
            self._turn_count += 1
            self._turns[str(item_id)] = self._turn_count
        return self._turns[str(item_id)]

    def _caller_said(self, what: str, event: WireEvent) -> None:
        if what == "delta":
            self._partial("caller_partial", event)
        elif what == "completed" and str(event.get("transcript") or "").strip():
            self._say("caller", str(event["transcript"]).strip(), self._turn_of(event.get("item_id")))
        elif what == "failed":
            self._say("caller", "(could not be transcribed)", self._turn_of(event.get("item_id")))

    def _called(self, event: WireEvent) -> None:
        item = event.get("item")
        if (
            not isinstance(item, Mapping)
            or item.get("type") != "function_call"
            or str(item.get("call_id")) in self._calls
        ):
            return
        self._rounds.add(str(event.get("response_id")))
        name = f"{item.get('name')}({_arguments(item.get('arguments'))})"
        self._calls[str(item.get("call_id"))] = name
        self._say("tool", f"{name} ...")

    def _failed(self, error: object) -> None:
        given: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
        code = given.get("code")
        if code not in NOISE:
            self._say("rejected", str(code or _short(str(given.get("message")), 100)))

    # --- the caller ---------------------------------------------------------------------------------------------------

    def caller(self, name: str, data: Mapping[str, object]) -> None:
        """An event of the simulated caller (adapters.simulator.caller.caller.run_caller)."""
        at_ms = data.get("at_ms")
        self._at_ms = round(at_ms) if isinstance(at_ms, int | float) else self._at_ms
        if name in ("began_speaking", "spoke"):
            self._say("caller_voice", "on" if name == "began_speaking" else "off")
        elif name in ("heard_agent", "agent_silent"):
            self._say("agent_voice", "on" if name == "heard_agent" else "off")
        elif name == "pressed" and data.get("digit") == self._talk_key:
            self._say("key", f"{self._talk_key} (the talk key)")
        elif name == "pressed":
            self._keys += str(data.get("digit"))
        elif name == "waited_in_vain":
            self._say("note", f"the caller waited in vain: {data.get('text')}")
        elif name == "ended" and data.get("dropped"):
            self._say("note", f"Asterisk drops the call: {data.get('dropped')}")

    def _say(self, kind: Kind, text: str, turn: int | None = None) -> None:
        if text:
            self._show(DisplayEvent(self._at_ms, kind, text, turn))


def _short(text: str, most: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 3] + "..."


def _arguments(text: object) -> str:
    try:
        given = orjson.loads(str(text))
    except orjson.JSONDecodeError:
        return _short(str(text), 30)
    if not isinstance(given, dict):
        return _short(str(given), 30)
    return _short(", ".join(f"{name}={value}" for name, value in given.items()), 40)
