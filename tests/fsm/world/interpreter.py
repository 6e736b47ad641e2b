"""The operations of a world one by one, as the language reads: plain, slow, and compared with the generated code."""

from __future__ import annotations

from collections.abc import Sequence

from fsm.world.code import Hooks
from fsm.world.queues import QueueChange, pushed, renamed
from fsm.world.world import Act, Clear, EmitEvent, Put, Rename, Send, Test, World


class Interpreter:
    """One run over operations. `lose` is the number of the lossy send that gets lost, -1 for none."""

    def __init__(self, world: World, hooks: Hooks, values: Sequence[int], lossy: bool = False, lose: int = -1) -> None:
        self.world, self.hooks = world, hooks
        self.values = list(values)
        self.changes: list[QueueChange] = []
        self.event: str | None = None
        self.lost: str | None = None
        self.sends = 0
        self.lossy, self.lose = lossy, lose

    def take(self, acts: Sequence[Act]) -> None:
        """A whole move: its operations, then what follows the event that it emits."""
        self.run(acts)
        if self.event is not None:
            self.run(self.hooks.get(("event", self.event), ()))

    def run(self, acts: Sequence[Act]) -> None:
        for act in acts:
            match act:
                case Put():
                    value = int(act.expr.run(self.values))
                    self.values[act.variable.index] = max(0, min(len(act.variable.domain) - 1, value))
                case Send():
                    for _ in range(self.values[act.times.index] if act.times is not None else 1):
                        self._send(act.message)
                case Test():
                    self.run(act.then if act.condition.run(self.values) else act.otherwise)
                case EmitEvent():
                    self.event = act.event
                case Clear():
                    self.changes.append(QueueChange("clear", act.channel))
                case Rename():
                    self.changes.append(renamed(self.world, act))

    def _send(self, name: str) -> None:
        message = self.world.messages[name]
        if self.lossy and message.lossy:
            self.sends += 1
            if self.sends - 1 == self.lose:
                self.lost = name
                self.run(message.lost)
                return
        self.changes.append(pushed(message))
        self.run(self.hooks.get(("sent", name), ()))
