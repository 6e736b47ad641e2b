"""Taking a move of a world: operations on its variables and on what is in flight. Pure: the meaning of a world's text.

What a move does to the queues comes out as a list of changes, apart from the variables, so that the explorer can keep
both by themselves. Never here: the controller, searching.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from fsm.world.world import Act, Clear, Message, Put, Rename, Send, Tell, Test, World

Queues = tuple[bytes, ...]
"""What is in flight: for each channel the codes of its messages, the oldest first."""


@attrs.frozen(cache_hash=True)
class QueueChange:
    """A change of one queue. `codes`: what is pushed, or of a rename (old, new or 0, then those it stops before)."""

    kind: Literal["push", "pop", "clear", "rename"]
    channel: int
    codes: bytes = b""

    def on(self, queue: bytes) -> bytes:
        if self.kind == "push":
            return queue + self.codes
        if self.kind == "pop":
            return queue[1:]
        if self.kind == "clear":
            return b""
        old, new, stops = self.codes[0], self.codes[1:2] if self.codes[1] else b"", self.codes[2:]
        end = next((i for i, code in enumerate(queue) if code in stops), len(queue))
        return queue[:end].replace(bytes((old,)), new) + queue[end:]


@attrs.frozen
class Outcome:
    """What came of operations: the variables, the changes of the queues in order, the event told, what was lost."""

    values: tuple[int, ...]
    changes: tuple[QueueChange, ...]
    event: str | None
    lost: str | None


class Hooks:
    """Operations added from outside (ghost variables), by what they follow: a move, an event, an effect, a send."""

    def __init__(self) -> None:
        self.after: dict[tuple[str, str], tuple[Act, ...]] = {}

    def of(self, kind: str, name: str) -> tuple[Act, ...]:
        return self.after.get((kind, name), ())


class Play:
    """One run over operations. `lose` is the number of the lossy send that gets lost, -1 for none."""

    def __init__(self, world: World, hooks: Hooks, values: Sequence[int], lossy: bool = False, lose: int = -1) -> None:
        self.world = world
        self.hooks = hooks
        self.values = list(values)
        self.changes: list[QueueChange] = []
        self.event: str | None = None
        self.lost: str | None = None
        self.sends = 0
        self.lossy, self.lose = lossy, lose

    def run(self, acts: Sequence[Act]) -> None:
        for act in acts:
            if isinstance(act, Put):
                self._put(act)
            elif isinstance(act, Send):
                for _ in range(self.values[act.times.index] if act.times is not None else 1):
                    self._send(act.message)
            elif isinstance(act, Test):
                self.run(act.then if act.condition.run(self.values) else act.otherwise)
            elif isinstance(act, Tell):
                self.event = act.event
            elif isinstance(act, Clear):
                self.changes.append(QueueChange("clear", act.channel))
            elif isinstance(act, Rename):
                self.changes.append(renamed(self.world, act))

    def receive(self, message: str) -> None:
        self.changes.append(QueueChange("pop", self.world.messages[message].channel))

    def outcome(self) -> Outcome:
        return Outcome(tuple(self.values), tuple(self.changes), self.event, self.lost)

    def _put(self, act: Put) -> None:
        value = int(act.expr.run(self.values))
        self.values[act.variable.index] = max(0, min(len(act.variable.domain) - 1, value))

    def _send(self, name: str) -> None:
        message = self.world.messages[name]
        if self.lossy and message.lossy:
            self.sends += 1
            if self.sends - 1 == self.lose:
                self.lost = name
                self.run(message.lost)
                return
        self.changes.append(pushed(message))
        self.run(self.hooks.of("sent", name))


def pushed(message: Message) -> QueueChange:
    """A message at the end of its queue."""
    return QueueChange("push", message.channel, bytes((message.code,)))


def renamed(world: World, act: Rename) -> QueueChange:
    """Another role for a message in flight."""
    messages = world.messages
    new = messages[act.new].code if act.new is not None else 0
    codes = (messages[act.old].code, new, *(messages[m].code for m in act.before))
    return QueueChange("rename", messages[act.old].channel, bytes(codes))


def names_in(world: World, queues: Queues) -> Mapping[str, tuple[str, ...]]:
    """The messages in flight, by channel."""
    by_code = {(m.channel, m.code): m.name for m in world.messages.values()}
    return {c.name: tuple(by_code[c.index, code] for code in queues[c.index]) for c in world.channels}
