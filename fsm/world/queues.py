"""What is in flight: queues of message codes, and the few ways in which a move changes one of them.

Kept apart from the world's variables, so that the explorer numbers and remembers both by themselves.
Never here: which message a code stands for (fsm.world.world), how much room there is (fsm.verify.tables).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Literal

import attrs

from fsm.world.world import Message, Rename, World

Queues = tuple[bytes, ...]
"""For each channel the codes of its messages, the oldest first."""
_TAIL = itemgetter(slice(1, None))


@attrs.frozen(cache_hash=True)
class QueueChange:
    """A change of one queue. `codes`: what is pushed, or of a rename (old, new or 0, then those it stops before).

    `on` is what it does to the queue.
    """

    kind: Literal["push", "pop", "clear", "rename"]
    channel: int
    codes: bytes = b""
    on: Callable[[bytes], bytes] = attrs.field(init=False, eq=False, repr=False)

    @on.default
    def _on(self) -> Callable[[bytes], bytes]:
        codes = self.codes
        match self.kind:
            case "push":
                return lambda queue: queue + codes
            case "pop":
                return _TAIL
            case "clear":
                return lambda _queue: b""
            case "rename":
                return self._rename

    def _rename(self, queue: bytes) -> bytes:
        codes = self.codes
        if codes[0] not in queue:
            return queue
        old, new, stops = codes[:1], codes[1:2] if codes[1] else b"", codes[2:]
        end = next((i for i, code in enumerate(queue) if code in stops), len(queue))
        return queue[:end].replace(old, new) + queue[end:]


def pushed(message: Message) -> QueueChange:
    """A message at the end of its queue."""
    return QueueChange("push", message.channel, bytes((message.code,)))


def renamed(world: World, act: Rename) -> QueueChange:
    """Another role for a message in flight."""
    messages = world.messages
    new = messages[act.new].code if act.new is not None else 0
    codes = (messages[act.old].code, new, *(messages[m].code for m in act.before))
    return QueueChange("rename", messages[act.old].channel, bytes(codes))
