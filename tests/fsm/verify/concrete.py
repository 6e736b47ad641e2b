"""The world of the verifier with ids in it: the same steps, told to the machine that runs in calls.

What the world calls `created_ours` becomes a response.created with a new id and the tag of the create it answers; the
machine's ledger has to find out by itself what that is. `Lockstep` compares: variant, outcome, configuration, effects.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from fsm.machine.ledgers.realtime.ids import Ledger
from fsm.machine.machine import Effect, Event, TurnSpecMachine
from fsm.machine.reaction import Reaction
from fsm.verify.tables import BITS, MASK, Action, MacroStep
from fsm.verify.verify import Verification
from fsm.world.binding import Label
from fsm.world.queues import QueueChange

Data = dict[str, object]
WIRE_EFFECTS = {
    "update": "update_session", "create": "create_response", "cancel": "cancel_response", "output": "send_tool_output",
    "output_again": "send_tool_output", "told": "tell_tool_output", "digits": "send_digits", "notice": "tell_failure",
    "commit": "commit_audio", "clear_audio": "clear_audio",
}  # fmt: skip
STATUS: dict[str, dict[str, object]] = {
    "done_completed": {"status": "completed", "outputs": 1},
    "done_incomplete": {"status": "incomplete"},
    "done_filtered": {"status": "incomplete", "reason": "content_filter"},
    "done_interrupted": {"status": "cancelled", "reason": "turn_detected"},
    "done_cancelled": {"status": "cancelled", "reason": "client_cancelled"},
    "done_failed": {"status": "failed"},
    "done_fatal": {"status": "failed", "code": "insufficient_quota"},
}
TALK_KEY = "#"
TAKES_ITEM = {"takes_output", "takes_output_again", "takes_told", "takes_digits", "takes_notice"}
OVER = {
    "completes",
    "is_silent",
    "is_filtered",
    "breaks_off",
    "fails",
    "fails_for_good",
    "is_interrupted",
    "is_cancelled",
}
ENDS = {
    "caller_hangs_up", "operator_ends", "closes", "closes_for_good", "cannot_open", "may_not_open", "refuses",
    "rejects_update", "fails_for_good",
}  # fmt: skip


class Lockstep:
    """One random walk. `walk(steps)` raises AssertionError where the world and the machine disagree."""

    def __init__(self, verification: Verification, rng: random.Random) -> None:
        self.v, self.rng = verification, rng
        self.tables = verification.tables
        self.machine = TurnSpecMachine(verification.spec)
        self.count = 0
        self.sounding = ""  # whose audio came last
        self.response = self.tag = self.item = ""
        self.hidden: list[Data] = []
        self.awaiting: list[Data] = []
        self.playing: list[Data] = []
        self.queues: list[list[Data]] = [[] for _ in verification.world.channels]
        self.trail: list[str] = []
        self.variants: set[str] = set()
        self.lost_effect: str | None = None
        self.taste: dict[Label, float] = {}
        started = self.machine.start(talk_key=TALK_KEY)[-1]
        self.snapshot = started.snapshot
        self.state = self.tables.start()

    def follow(self, state: int, label: int) -> None:
        """Goes the shortest way to a state the explorer found, and a last step under `label`."""
        way, order = self.v.explorer.way(state), self.v.explorer.order
        for (_, each), target in zip(way, [*(i for i, _ in way[1:]), state], strict=False):
            self._aim(each, order[target])
        self._aim(label, None)

    def _aim(self, label: int, target: int | None) -> None:
        c, w, k = self.state & MASK, self.state >> BITS & MASK, self.state >> 2 * BITS
        move = self.tables.labels[label].move
        actions = [a for g in self.v.explorer.groups(k, w, c) for a in g if self.tables.labels[a[0]].move == move]
        assert any(self._take(action, c, k, target) for action in actions), self._sad(f"no way by {move}")

    def walk(self, steps: int) -> None:
        for _ in range(steps):
            c, w, k = self.state & MASK, self.state >> BITS & MASK, self.state >> 2 * BITS
            if self.tables.final[k] or not self._step(c, w, k):
                return

    def _step(self, c: int, w: int, k: int) -> bool:
        explorer = self.v.explorer
        actions = [a for group in explorer.groups(k, w, c) for a in group]
        actions.sort(key=self._chance)
        for action in actions:
            held = action[4]
            if held >= 0 and (c != 0 if held == 0 else self.tables.held(held, c)):
                continue
            if self._take(action, c, k):
                return True
        return False

    def _chance(self, action: Action) -> float:
        """What ends a call comes seldom; of the rest, each walk likes and dislikes moves of its own, to get around."""
        why = self.tables.labels[action[0]]
        if why not in self.taste:
            seldom = why.move in ENDS or why.lost is not None or why.move.startswith(("timer.", "fails"))
            self.taste[why] = self.rng.choice((0.0003, 0.003, 0.03) if seldom else (0.05, 0.3, 1.0))
        return self.rng.expovariate(self.taste[why])

    def _take(self, action: Action, c: int, k: int, target: int | None = None) -> bool:
        """Takes an action, if no queue is full and it can lead to `target`."""
        label, w2, change, event, _ = action
        after = self.tables.changed(c, change)
        if after < 0:
            return False
        macro = (self.tables.macros.get(event << BITS | k) or self.tables.step(k, event)) if event >= 0 else None
        ways = self.tables.effects(macro.effects, w2) if macro is not None else [(w2, 0, None)]
        self.lost_effect = None
        control = macro.control if macro is not None else k
        ends = [(self.tables.changed(after, more), w3, more, lost) for w3, more, lost in ways]
        fitting = [e for e in ends if e[0] >= 0 and target in (None, self.tables.packed(control, e[1], e[0]))]
        if not fitting:
            return False
        end, w3, more, self.lost_effect = self.rng.choice(fitting)
        why = self.tables.labels[label]
        self.trail.append(str(why))
        popped, told = self._provider(why.move, why.lost, self.tables.changes_of(change))
        if macro is not None:
            self._machine(self.tables.events[event], macro, told or popped, self.tables.changes_of(more))
        elif popped is not None and "event" in popped:
            self._noise(popped)
        self.state = self.tables.packed(control, w3, end)
        return True

    # --- the provider, the caller and the rest, with ids -------------------------------------------------------------

    def _new(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}"

    def _provider(self, move: str, lost: str | None, changes: Sequence[QueueChange]) -> tuple[Data | None, Data | None]:
        """Keeps the ids of a move; returns what was received, and the data of what is told by itself."""
        popped: Data | None = None
        if changes and changes[0].kind == "pop":
            popped = self.queues[changes[0].channel].pop(0)
            changes = changes[1:]
        if lost is not None:
            self._lost(lost, popped or {})
        for change in changes:
            self._change(change, move, popped or {})
        if move in OVER:
            self.response = ""
        if move in TAKES_ITEM and popped is not None:
            self.awaiting.append(popped)
        if move in ("closes", "closes_for_good"):
            self.awaiting.clear()
            self.response = ""
        if move == "takes_cancel" and popped is not None:
            assert popped["response_id"] == self.response, self._sad("a cancel of another response is taken")
        if move == "tool_returns":
            return popped, {"call_id": self.rng.choice(self.snapshot.ledger.running), "output": "{}"}
        if move in ("caller_presses_key", "caller_presses_talk", "caller_ends_his_turn"):
            return popped, {"digit": "5" if move == "caller_presses_key" else TALK_KEY}
        if move in ("finds_nothing_said", "words_are_transcribed", "words_are_transcribed_too"):
            assert isinstance(self.snapshot.ledger, Ledger)
            if move != "finds_nothing_said":
                return popped, {"item_id": self.item, "transcript": "Hello."}
            return popped, {"item_id": self.snapshot.ledger.turns[-1][0], "transcript": " "}
        return popped, None

    def _lost(self, message: str, popped: Data) -> None:
        """A message that is not sent has its effect on ids all the same."""
        made = self._data(message, popped)
        if message == "call":
            self.hidden.append(made)

    def _change(self, change: QueueChange, move: str, popped: Data) -> None:
        queue = self.queues[change.channel]
        if change.kind == "push":
            queue.append(self._data(self.tables.names[change.channel, change.codes[0]], popped))
        elif change.kind == "clear":
            queue.clear()
        elif change.kind == "rename":
            self._rename(change, queue)
        assert move

    def _rename(self, change: QueueChange, queue: list[Data]) -> None:
        old, new, stops = change.codes[0], change.codes[1], change.codes[2:]
        codes = [self.tables.names[change.channel, code] for code in stops]
        name = self.tables.names[change.channel, old]
        end = next((i for i, data in enumerate(queue) if data["role"] in codes), len(queue))
        for data in list(queue[:end]):
            if data["role"] == name and new:
                data["role"] = self.tables.names[change.channel, new]
            elif data["role"] == name:
                queue[:] = [d for d in queue if d is not data]

    def _data(self, role: str, popped: Data) -> Data:  # noqa: C901  one line for each kind of message
        data: Data = {"role": role}
        if role in ("created_ours", "created_own"):
            self.response, tag = self._new("resp"), popped.get("event_id")
            return data | {"event": "response.created", "response_id": self.response, "tag": tag}
        if role == "item":
            return data | {"event": "response.created", "response_id": self.response}
        if role.startswith("audio"):
            return data | {"response_id": self.response, "item_id": self._new("item")}
        if role in ("begun", "begun_other"):
            self.sounding = str(popped["response_id"])
        if role.startswith("enough"):
            return data | {"event": "playout.heard", "response_id": self.sounding}
        if role.startswith("mute"):
            return data | {"event": "playout.silent", "response_id": popped["response_id"]}
        if role in ("begun", "begun_other", "dropped"):
            return data | {"event": f"playout.{'dropped' if role == 'dropped' else 'started'}"} | _ids(popped)
        if role == "call":
            return data | {"event": "tool.called", "call_id": self._new("call"), "name": "look", "arguments": "{}"}
        if role == "call_in_done":
            return data | {k: v for k, v in self.hidden.pop(0).items() if k != "role"}
        if role.startswith("done_"):
            return data | {"event": "response.done", "response_id": self.response, **STATUS[role]}
        if role.startswith("rejected"):
            text = f"Conversation already has an active response in progress: {self.response}. Wait"
            data |= {"event": "create_rejected", "message": text}
            return data if role == "rejected_foreign" else data | {"event_id": popped["event_id"]}
        if role == "create_failed":
            return data | {"event": "create_failed", "event_id": popped["event_id"]}
        if role == "echo":
            return data | {"event": "conversation.item.added"} | _ids(self.awaiting.pop(0))
        if role in ("item_rejected", "output_rejected", "output_rejected_again"):
            return data | {"event": "item_rejected"} | _ids(popped)
        if role in ("started", "stopped", "committed", "committed_new"):
            if role == "started":
                self.item = self._new("item")
            phase = {"started": "speech_started", "stopped": "speech_stopped"}.get(role, "committed")
            item = self._new("item") if self.v.binding.spec.name == "push_to_talk" else self.item
            return data | {"event": f"input_audio_buffer.{phase}", "item_id": item}
        return data | PLAIN.get(role, {})

    # --- the machine --------------------------------------------------------------------------------------------------

    def _machine(self, told: str, macro: MacroStep, data: Data | None, changes: Sequence[QueueChange]) -> None:
        """Steps the machine through an event and those that had waited, and takes its effects into the queues."""
        made: list[Effect] = []
        event = self._event(told, data or {})
        steps = self.machine.advance(self.snapshot, event)
        assert len(steps) == len(macro.reactions), self._sad("another number of events that had waited")
        for step, reaction in zip(steps, macro.reactions, strict=True):
            self._compare(reaction, step.variant, step.outcome, step.snapshot.control.values)
            wanted = {word.sends or word.name for word, _ in reaction.effects}
            assert {e.name for e in step.effects} <= wanted, self._sad(f"effects {step.effects}")
            self.snapshot = step.snapshot
            self.variants.add(step.variant)
            made += step.effects
            if {"forget_echoes", "close_provider"} & {word.name for word, _ in reaction.effects}:
                self.awaiting.clear()
        self._send(made, changes)

    def _compare(self, reaction: Reaction, variant: str, outcome: str, values: tuple[int, ...]) -> None:
        assert variant == reaction.event, self._sad(f"the machine sees {variant}, the world told {reaction.event}")
        assert outcome == reaction.outcome, self._sad(f"{variant}: {outcome} instead of {reaction.outcome}")
        assert values == reaction.after.values, self._sad(f"{variant}: {values} instead of {reaction.after.values}")

    def _event(self, told: str, data: Data) -> Event:
        if told.startswith("timer."):
            epoch = self.snapshot.armed.get(told.removeprefix("timer."))
            assert epoch is not None, self._sad(f"{told} is not armed")
            return Event(told, {"epoch": epoch})
        word = self.machine.spec.vocabulary.events[told]
        name = str(data.get("event", word.base))
        return Event(name, {k: v for k, v in data.items() if k not in ("role", "event")})

    def _noise(self, data: Data) -> None:
        """What the world says changes nothing: the machine has to see it so, too."""
        before = self.snapshot.control
        step = self.machine.step(
            self.snapshot, Event(str(data["event"]), {k: v for k, v in data.items() if k != "role"})
        )
        assert step.snapshot.control.values == before.values, self._sad(f"{data} is no noise: {step.variant}")
        assert not step.effects, self._sad(f"{data} has effects")
        self.snapshot = step.snapshot

    def _send(self, effects: list[Effect], changes: Sequence[QueueChange]) -> None:
        """Puts the ids of our effects on what the world sends for them."""
        waiting = list(effects)
        for change in changes:
            name = self.tables.names.get((change.channel, change.codes[0])) if change.kind == "push" else None
            if name in WIRE_EFFECTS:
                effect = next(e for e in waiting if e.name == WIRE_EFFECTS[name])
                waiting.remove(effect)
                self.queues[change.channel].append({"role": name, **effect.args})
            else:
                self._change(change, "effect", {})
        over = [e for e in waiting if e.name == "cancel_response"]
        sent = self.lost_effect == "cancel" or all(e.args["response_id"] != self.response for e in over)
        assert sent, self._sad("a cancel got lost")

    def _sad(self, what: str) -> str:
        return f"{what}\nafter {' '.join(self.trail)}\n{self.v.narrator.world.name}"


PLAIN: dict[str, Data] = {
    "closed": {"fatal": False}, "closed_fatal": {"fatal": True}, "unreachable": {"fatal": False},
    "unreachable_fatal": {"fatal": True}, "flushed": {"items": []},
}  # fmt: skip


def _ids(data: Data) -> Data:
    return {k: v for k, v in data.items() if k in ("response_id", "item_id", "call_id", "event_id")}
