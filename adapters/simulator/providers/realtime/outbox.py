"""The server's way out: ids, dialect, faults, and a queue in order of time. It knows no turns and no clock.

Source of the ids: docs/facts/realtime_api.md section 10: event_/sess_/conv_/item_/resp_ and 21 base62 characters, call_
and 16; event_ and 16 hex of `output_audio_buffer.*`; none of keys (section 1.2).
"""

from __future__ import annotations

import heapq
import random
import string
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import orjson

from adapters.simulator.providers.realtime import faults as f
from adapters.simulator.providers.realtime.dialect import Json, event_to_beta
from adapters.simulator.providers.realtime.faults import FaultPlan, Treatment

_REORDER_AT_MOST_S = 1.0


@attrs.frozen
class Closing:
    """The end of the connection. Code 1006 stands for a dropped TCP connection."""

    code: int
    reason: str


@attrs.frozen
class Outgoing:
    """One thing that leaves at `at_s`: an event, a raw frame (garbage), or the close."""

    at_s: float
    event: Json | None = None
    raw: str | bytes | None = None
    closing: Closing | None = None

    def frame(self) -> str | bytes:
        """The WebSocket message: str for a text frame, bytes for a binary one."""
        if self.event is not None:
            return orjson.dumps(self.event).decode()
        return self.raw if self.raw is not None else ""


_GARBAGE: dict[str, str | bytes] = {
    "invalid_json": '{"type": "response.done", "resp',
    "binary": b"\x00\xff\x10garbage",
    "unknown_event": '{"type": "response.telepathy.delta", "event_id": "event_unknown", "thought": "?"}',
    "not_an_object": '["response.done", 1, null]',
    "no_type": '{"event_id": "event_untyped", "response": {}}',
    "empty": "",
}


class Outbox:
    """The outbox of one connection."""

    def __init__(self, ids: Ids, plan: FaultPlan, *, beta: bool, downlink_s: float) -> None:
        self._ids, self._plan, self._beta, self._downlink_s = ids, plan, beta, downlink_s
        self.accent: Callable[[Json], Iterable[Json]] = lambda event: (event,)  # how the server tells an event
        self.passes: Callable[[Json, float], Iterable[Json]] = lambda event, _now_s: (event,)  # who plays audio himself
        self._heap: list[tuple[float, int, Outgoing]] = []
        self._count = 0
        self._passing: list[tuple[int, Outgoing]] = []
        self._held_until_s = 0.0
        self._silent_until_s = 0.0
        self.on_moment: Callable[[f.AtMoment, float], None] = lambda _fault, _now_s: None

    def emit(self, now_s: float, type: str, **fields: Any) -> None:  # noqa: A002 (the wire's own word)
        """Queue a GA event for now, in the connection's dialect and with the faults that strike it."""
        event: Json | None = {"type": type, **self._ids.of_event(type), **fields}
        if self._beta and event is not None:
            event = event_to_beta(event)
        for passed in self.passes(event, now_s) if event is not None else ():
            for told in self.accent(passed):
                self._emit(told, now_s)

    def _emit(self, event: Json, now_s: float) -> None:
        treatment = self._plan.on_server_event(event)
        if not treatment.lost:
            self._queue(now_s, treatment)
        for moment in treatment.moments:
            self.on_moment(moment, now_s)

    def _queue(self, now_s: float, treatment: Treatment) -> None:
        due_s = now_s + treatment.delay_s
        if treatment.hold:
            self._held_until_s = max(self._held_until_s, due_s)
        elif not treatment.delay_s:
            due_s = max(due_s, self._held_until_s)
        out = Outgoing(due_s, treatment.event)
        if treatment.past:
            self._passing.append((treatment.past, out))
            self._push(attrs.evolve(out, at_s=due_s + _REORDER_AT_MOST_S))
        else:
            self._push(out)
        for after_s in treatment.again_s:
            self._push(attrs.evolve(out, at_s=due_s + after_s))
        if not treatment.past:
            self._let_pass(due_s)

    def _let_pass(self, now_s: float) -> None:
        """One more event went by those that wait to be overtaken."""
        waiting, self._passing = self._passing, []
        for left, out in waiting:
            if left > 1:
                self._passing.append((left - 1, out))
            elif any(entry[2].event is out.event for entry in self._heap):
                self._heap = [entry for entry in self._heap if entry[2].event is not out.event]
                heapq.heapify(self._heap)
                self._push(attrs.evolve(out, at_s=now_s))

    def _push(self, out: Outgoing) -> None:
        self._count += 1
        at_s = max(out.at_s + self._downlink_s, self._silent_until_s)
        heapq.heappush(self._heap, (at_s, self._count, attrs.evolve(out, at_s=at_s)))

    def send_raw(self, now_s: float, fault: f.Inject) -> None:
        """Queue garbage."""
        raw = fault.text if fault.garbage == "custom" else _GARBAGE[fault.garbage]
        self._push(Outgoing(now_s, raw=raw))

    def flood(self, now_s: float, fault: f.Flood) -> None:
        """Queue one event many times."""
        raw = orjson.dumps(fault.event).decode()
        for number in range(fault.count):
            at_s = now_s + fault.for_s * number / fault.count
            self._push(Outgoing(at_s, raw=raw.replace("{n}", str(number))))

    def close(self, now_s: float, code: int, reason: str) -> None:
        """Queue the close, behind what is already due."""
        self._push(Outgoing(max(now_s, self._held_until_s), closing=Closing(code, reason)))

    def stall(self, now_s: float, for_s: float) -> None:
        """Send nothing for a while, then everything in order."""
        self._silent_until_s = max(self._silent_until_s, now_s + for_s)
        late = [(max(at_s, self._silent_until_s), count, out) for at_s, count, out in self._heap]
        self._heap = [(at_s, count, attrs.evolve(out, at_s=at_s)) for at_s, count, out in late]
        heapq.heapify(self._heap)

    def next_deadline(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def take(self, now_s: float) -> list[Outgoing]:
        """All that leaves until now, in order."""
        taken = []
        while self._heap and self._heap[0][0] <= now_s:
            taken.append(heapq.heappop(self._heap)[2])
        return taken

    def drop_all(self) -> None:
        self._heap.clear()
        self._passing.clear()


_BASE62 = string.digits + string.ascii_letters
_PADDED_TO = 16  # `obfuscation` fills a delta up to this many characters in every recorded trace


class Ids:
    """One connection's generator: the same seed and connection give the same ids in the same order."""

    def __init__(self, seed: int, connection: int) -> None:
        self._random = random.Random(f"{seed}/{connection}")

    def _make(self, prefix: str, length: int = 21) -> str:
        return prefix + "".join(self._random.choices(_BASE62, k=length))

    def event(self) -> str:
        return self._make("event_")

    def of_event(self, kind: str) -> Json:
        """What an event of this type is known by."""
        if kind == "input_audio_buffer.dtmf_event_received":
            return {}
        if kind.startswith("output_audio_buffer."):
            return {"event_id": f"event_{self._random.getrandbits(64):016x}"}
        return {"event_id": self.event()}

    def session(self) -> str:
        return self._make("sess_")

    def conversation(self) -> str:
        return self._make("conv_")

    def item(self) -> str:
        return self._make("item_")

    def response(self) -> str:
        return self._make("resp_")

    def call(self) -> str:
        return self._make("call_", 16)

    def rtc(self) -> str:
        """Of a call over WebRTC or SIP."""
        return self._make("rtc_u0_")

    def segment(self) -> str:
        return self._make("seg_")

    def obfuscation(self, delta: str) -> str:
        return self._make("", -len(delta) % _PADDED_TO)
