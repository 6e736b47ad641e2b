"""Our machine beside their client: fed with the same provider events, at the times of the log. Pure.

What a log does not hold is stood in for and marked `assumed`: the provider's answer to what turnspec would have asked
and their client did not, the socket, the playout (by the length of the audio; our own journals report it). What their
client asked for and the provider rejected is not fed: turnspec did not ask for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

import attrs

from fsm.audit import realtime_errors
from fsm.audit.conversation import LoggedConversation, mapping
from fsm.audit.exchange import Content, ResponseState, Shown
from fsm.audit.observations import CreateRejected, ErrorReported, Observation, UpdateRejected
from fsm.audit.record import CLOSED, LOCAL_FACTS, PLAYOUT, STARTED, Record, audio_bytes
from fsm.audit.shadow_playout import ShadowPlayout
from fsm.audit.shadow_slots import SlotView
from fsm.language.problem import NOWHERE, Place
from fsm.machine.machine import Effect, Event, Snapshot, Step, TurnSpecMachine
from fsm.machine.wire import at_path, read_wire

_PATIENCE_MS = 2000.0  # for an answer the log may still bring; shorter than any deadline of a bundled spec
_PROMPT_MS = 3000.0
_FOLLOWUPS = 8  # of the playout, to one event
_OPENING_STEPS = 8  # at most, until the socket is open
_LEFT = frozenset({0, 1000, 1005})  # closes after which nobody comes back
_OPENING = ("connect_provider", "provider.opened", "session.created")  # what is legal before there is a session
_AUDIO = frozenset({"response.output_audio.delta", "response.audio.delta"})
_SHOWN = {
    "create_response": "cause", "cancel_response": "response_id", "run_tool": "name", "send_tool_output": "call_id",
    "truncate_item": "audio_end_ms", "play_prompt": "name",
}  # fmt: skip


@attrs.frozen
class ShadowStep:
    """One step of our machine: what it met and what it did. `line` is the log's."""

    at_ms: float
    line: int
    event: str
    outcome: str
    before: str
    after: str
    effects: tuple[str, ...]
    place: Place
    assumed: bool
    reason: str


@attrs.define
class _Waits:
    """What turnspec has asked for and the log has not answered: since when, None if nothing."""

    update: float | None = None
    create: float | None = None


class Shadow:
    """Steps the machine along a log. `feed` gives the steps that came of one record."""

    def __init__(self, machine: TurnSpecMachine) -> None:
        self._machine = machine
        self._vocabulary = machine.spec.vocabulary
        self._assumptions = 0
        self.calls = 0  # begun: a log may hold one after the other
        self._talk_key, self._context = "", dict[str, str]()
        self._line = 0
        self._now_ms = 0.0
        self._begin()

    def _begin(self) -> None:
        steps = self._machine.start(self._talk_key, **self._context)
        self._snapshot: Snapshot = steps[-1].snapshot
        self._due: dict[str, tuple[float, int]] = {}
        self._waits = _Waits()
        self._playout = ShadowPlayout()
        self._prompt_until: float | None = None
        self._is_over = False
        self.calls += 1
        for step in steps:
            self._take(step)

    @property
    def state(self) -> str:
        return self._snapshot.state

    # --- records ------------------------------------------------------------------------------------------------------

    def feed(self, record: Record, conversation: LoggedConversation, observed: list[Observation]) -> list[ShadowStep]:
        """What our machine does with one record. `conversation` and `observed` are what the record means."""
        self._line, timed = record.line, conversation.timed
        if record.type == STARTED:
            return self._started(record)
        if record.type in _AUDIO:
            return [*self._pass_time(conversation.now_ms, timed), *self._hear(record, conversation)]
        if record.type.endswith(".delta"):
            return []
        steps = list(self._pass_time(conversation.now_ms, timed))
        is_over = self._is_over or self._snapshot.is_final
        if record.type == "session.created" and (is_over or not self._slots.admits(*_OPENING)):
            self._begin()  # another call
        if self._snapshot.is_final:
            return steps
        if record.type == CLOSED:
            return [*steps, *self._closed(record)]
        if record.type in LOCAL_FACTS or record.type in PLAYOUT:
            return [*steps, *self._fact(record)]
        if record.direction == "server":
            steps += self._server(record, conversation, observed)
        elif record.type in _RESULTS:
            steps += self._returned(record)
        return steps

    def _started(self, record: Record) -> list[ShadowStep]:
        """Our machine is started as it was: with the same key to conversation, owing a greeting or not."""
        known = {v.name: v.domain for v in self._machine.spec.context}
        given = mapping(record.event.get("context"))
        self._context = {name: str(value) for name, value in given.items() if str(value) in known.get(name, ())}
        self._talk_key = record.text("talk_key")
        self.calls -= 1
        self._begin()
        return []

    def _fact(self, record: Record) -> Iterator[ShadowStep]:
        """What a journal of ours knows and no wire does."""
        fact = Event(record.type, {key: value for key, value in record.event.items() if key != "type"})
        ours = [fact]
        if record.type in PLAYOUT:
            ours = self._playout.hear(fact, self._slots, self._now_ms)
        for event in ours:
            yield from self._step(event)

    def _server(
        self, record: Record, conversation: LoggedConversation, observed: list[Observation]
    ) -> Iterator[ShadowStep]:
        yield from self._ready(record.type)
        if record.type == "error" and any(isinstance(each, CreateRejected) for each in observed):
            yield from self._rejected(record)
            return
        if record.type == "error" and self._waits.update is None and _is_about_a_request(observed):
            return  # about a request of their client that turnspec did not make
        wire, crossing = self._as_ours(record, conversation)
        for event in read_wire(self._vocabulary, wire):
            yield from self._step(event)
        if crossing and self._snapshot.ledger.create is not None:
            yield from self._busy(record.text("response.id"))
        if record.type == "response.done":
            until_ms = conversation.agent_audio.heard_until_ms
            is_silent = _had_no_sound(record.text("response.id"), conversation)
            for event in self._playout.ended(record.text("response.id"), until_ms, is_silent):
                yield from self._step(event, assumed=True)

    def _as_ours(self, record: Record, conversation: LoggedConversation) -> tuple[Mapping[str, object], bool]:
        """A response their client asked for is ours, if we have asked too; else it is the provider's own."""
        if record.type != "response.created":
            return record.event, False
        body = dict(mapping(record.event.get("response")))
        response = conversation.responses.by_id.get(record.text("response.id"))
        ours = self._snapshot.ledger.create
        asked = response is not None and response.create is not None
        if asked and ours is not None:
            self._waits.create = None
            body["metadata"] = {"turnspec": ours}
            return {**record.event, "response": body}, False
        body["metadata"] = None
        return {**record.event, "response": body}, ours is not None

    def _rejected(self, record: Record) -> Iterator[ShadowStep]:
        ours = self._snapshot.ledger.create
        if ours is None:
            return
        body = dict(mapping(record.event.get("error")))
        body["event_id"] = ours
        self._waits.create = None
        for event in read_wire(self._vocabulary, {**record.event, "error": body}):
            yield from self._step(event)

    def _busy(self, response_id: str) -> Iterator[ShadowStep]:
        """Our create crossed a response of the provider's own: it would have been rejected."""
        self._waits.create = None
        message = f"Conversation already has an active response in progress: {response_id}."
        data = {"event_id": self._snapshot.ledger.create, "message": message}
        yield from self._step(Event("create_rejected", data), assumed=True)

    def _ready(self, wire_type: str) -> Iterator[ShadowStep]:
        """The socket is open when the provider speaks; a log that begins later has lost its session.created."""
        for _ in range(_OPENING_STEPS):
            if self._slots.admits("provider.opened"):
                yield from self._step(Event("provider.opened"), assumed=True)
            elif self._slots.admits("connect_provider") and self._due:
                yield from self._fire(min(self._due, key=lambda name: self._due[name][0]))
            elif self._slots.admits("session.created") and wire_type not in ("session.created", "error"):
                yield from self._step(Event("session.created"), assumed=True)
            else:
                break
        conversation = not wire_type.startswith(("session.", "transcription_session.", "conversation.")) and (
            wire_type != "error"
        )
        if self._waits.update is not None and conversation:
            yield from self._confirm()

    @property
    def _slots(self) -> SlotView:
        return SlotView(self._machine.spec, self._snapshot)

    def _confirm(self) -> Iterator[ShadowStep]:
        self._waits.update = None
        if self._slots.awaits("session.updated"):
            yield from self._step(Event("session.updated"), assumed=True)

    def _returned(self, record: Record) -> Iterator[ShadowStep]:
        for call in _RESULTS[record.type](record):
            if call in self._snapshot.ledger.running:
                yield from self._step(Event("tool.returned", {"call_id": call, "output": "(as in the log)"}))

    def _closed(self, record: Record) -> Iterator[ShadowStep]:
        code, reason = int(record.number("code") or 0), record.text("reason")
        fatal = code in (3000, 4000, 4004) or reason.rpartition(".")[2] in realtime_errors.REFUSALS
        self._is_over = code in _LEFT
        yield from self._ready("error")
        yield from self._step(Event("provider.closed", {"code": code, "reason": reason, "fatal": fatal}))

    # --- sound --------------------------------------------------------------------------------------------------------

    def _hear(self, record: Record, conversation: LoggedConversation) -> Iterator[ShadowStep]:
        ms = audio_bytes(record.event.get("delta")) / conversation.agent_audio.bytes_ms
        response = conversation.response_of(record)
        name = response.id if response is not None else record.text("response_id")
        for event in self._playout.push(name, record.text("item_id"), ms, self._now_ms):
            yield from self._step(event, assumed=True)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _pass_time(self, now_ms: float, timed: bool) -> Iterator[ShadowStep]:
        """Everything that comes due up to now, in its order. Without times no deadline ever passes."""
        for _ in range(64 if timed else 0):
            name, at_ms = self._next_due()
            if at_ms > now_ms:
                break
            self._now_ms = max(self._now_ms, at_ms)
            yield from self._happen(name)
        if not timed:
            for event in self._playout.drain_untimed():
                yield from self._step(event, assumed=True)
        self._now_ms = max(self._now_ms, now_ms)

    def _next_due(self) -> tuple[str, float]:
        found = [(at, f"timer.{name}") for name, (at, _) in self._due.items()]
        found.append((self._playout.next_ms(), "playout"))
        if self._prompt_until is not None:
            found.append((self._prompt_until, "prompt"))
        if self._waits.update is not None:
            found.append((self._waits.update + _PATIENCE_MS, "update"))
        if self._waits.create is not None:
            found.append((self._waits.create + _PATIENCE_MS, "create"))
        at_ms, name = min(found, key=lambda each: each[0])  # of those due together the one that was armed first
        return name, at_ms

    def _happen(self, name: str) -> Iterator[ShadowStep]:
        if name == "playout":
            for event in self._playout.due(self._now_ms):
                yield from self._step(event, assumed=True)
        elif name == "prompt":
            self._prompt_until = None
            yield from self._step(Event("prompt.finished", {"name": "apology"}), assumed=True)
        elif name == "update":
            yield from self._confirm()
        elif name == "create":
            yield from self._answer()
        else:
            yield from self._fire(name.removeprefix("timer."))

    def _fire(self, name: str) -> Iterator[ShadowStep]:
        _, epoch = self._due.pop(name)
        yield from self._step(Event(f"timer.{name}", {"epoch": epoch}))

    def _answer(self) -> Iterator[ShadowStep]:
        """The answer a provider would have given to a create that their client never sent."""
        self._waits.create = None
        ours = self._snapshot.ledger.create
        if ours is None:
            return
        self._assumptions += 1
        name = f"resp_assumed_{self._assumptions}"
        yield from self._step(Event("response.created", {"response_id": name, "tag": ours}), assumed=True)
        done = {"response_id": name, "status": "completed", "outputs": 1}
        yield from self._step(Event("response.done", done), assumed=True)
        for event in self._playout.ended(name, self._now_ms):
            yield from self._step(event, assumed=True)  # and with a sound

    # --- steps --------------------------------------------------------------------------------------------------------

    def _step(self, event: Event, assumed: bool = False) -> Iterator[ShadowStep]:
        """An event, and what the playout answers to its effects."""
        coming = deque([event])
        for _ in range(_FOLLOWUPS):
            for step in self._machine.advance(self._snapshot, coming.popleft()):
                coming += self._take(step)
                place = step.place or NOWHERE
                yield ShadowStep(
                    self._now_ms, self._line, step.variant, step.outcome, step.before, step.snapshot.state,
                    tuple(_shown(e) for e in step.effects), place, assumed, step.reason,
                )  # fmt: skip
            if not coming or self._snapshot.is_final:
                return

    def _take(self, step: Step) -> list[Event]:
        self._snapshot = step.snapshot
        for name in step.stop:
            self._due.pop(name, None)
        for timer in step.start:
            self._due.pop(timer.name, None)
            self._due[timer.name] = (self._now_ms + timer.after_ms, timer.epoch)
        followups: list[Event] = []
        for effect in step.effects:
            followups += self._apply_effect(effect)
        return followups

    def _apply_effect(self, effect: Effect) -> list[Event]:
        """What becomes of an effect, as far as the world around the machine has to answer it."""
        if effect.name == "update_session":
            self._waits.update = self._now_ms
        elif effect.name == "create_response":
            self._waits.create = self._now_ms
        elif effect.name == "close_provider":
            self._waits = _Waits()
        elif effect.name == "play_prompt":
            self._prompt_until = self._now_ms + _PROMPT_MS
        elif effect.name == "flush_playout":
            return self._playout.flush(effect.args.get("response_ids"), self._now_ms)
        return []


def _of_item(record: Record) -> list[object]:
    return [record.text("item.call_id")] if record.text("item.type") == "function_call_output" else []


def _of_results(record: Record) -> list[object]:
    found = at_path(record.event, "toolResponse.functionResponses")
    return [mapping(each).get("id") for each in found] if isinstance(found, list | tuple) else []


_RESULTS: Mapping[str, Callable[[Record], list[object]]] = {
    "conversation.item.create": _of_item,
    "response.item.create": _of_item,
    "FunctionCallResponse": lambda record: [record.text("id")],
    "toolResponse": _of_results,
}
"""What gives the results of tools, in each protocol, and of which calls."""


def _is_about_a_request(observed: list[Observation]) -> bool:
    return any(
        (isinstance(each, ErrorReported) and each.request is not None)
        or (isinstance(each, UpdateRejected) and each.update is not None)
        for each in observed
    )


def _shown(effect: Effect) -> str:
    key = _SHOWN.get(effect.name)
    value = effect.args.get(key) if key else None
    return f"{effect.name}({value})" if value not in (None, "") else effect.name


def _had_no_sound(name: str, conversation: LoggedConversation) -> bool:
    """Does the log show that a response had nothing to be heard: text alone, or nothing at all?"""
    response = conversation.responses.by_id.get(name)
    if response is None or not conversation.session.mode.speaks:
        return False
    in_text = Content.TEXT in response.content and Content.SOUND not in response.content
    shows_audio = Shown.TIMES in conversation.agent_audio.shown or response.state is not ResponseState.COMPLETED
    return (in_text and conversation.session.mode.described) or (response.is_empty and shows_audio)
