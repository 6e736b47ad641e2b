"""All runs of a world at once that have shown what a log has shown so far: a set of states, moved on event by event.

What no log shows (moves of the provider, of the caller, what is in flight) is free and closed over. Bounded: with more
states than `most` it is TooManyRunsError, which is not an answer. Never here: what an event stands for (.projector).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from fsm.errors import LocalError
from fsm.world.binding import Binding, MoveWay, Option
from fsm.world.code import Values
from fsm.world.queues import Queues
from fsm.world.world import World

MOST_STATES = 100_000
State = tuple[Values, Queues]
"""The variables of a world and what is in flight."""


class TooManyRunsError(LocalError):
    """More states than may be held at once."""


@attrs.frozen
class Frame:
    """What is the same for all of a log: what is not remembered, what arrives without a trace, which channels matter.

    `limits`: by channel, for what nobody asked for and for answers; what a log shows was sent is sent without a limit.
    """

    resets: tuple[tuple[int, int], ...]
    cleared: tuple[int, ...]
    outgoing: int
    incoming: int
    unseen: frozenset[bytes]
    limits: tuple[tuple[int, int], ...]
    most: int = MOST_STATES


class Moves:
    """What a binding lets happen in a state, worked out once for each world. States come out as a frame keeps them."""

    def __init__(self, binding: Binding, frame: Frame) -> None:
        self.binding, self.frame = binding, frame
        self.names = {(m.channel, bytes((m.code,))): m.name for m in binding.world.messages.values()}
        self._codes = {m.name: (m.channel, m.code) for m in binding.world.messages.values()}
        self._free: dict[Values, list[Option]] = {}
        self._received: dict[tuple[Values, str], list[Option]] = {}
        self._done: dict[tuple[Values, str], list[Option]] = {}

    def unseen(self, state: State) -> Iterator[State]:
        """Every step that leaves no trace: moves of others, what the provider takes, what arrives unseen."""
        values, queues = state
        found = self._free.get(values)
        if found is None:
            found = self._free[values] = self.binding.options(values)
        yield from self._taken(found, queues)
        frame = self.frame
        yield from self.arriving(state, frame.outgoing, queues[frame.outgoing][:1])
        if queues[frame.incoming][:1] in frame.unseen:
            yield from self.arriving(state, frame.incoming, queues[frame.incoming][:1])

    def arriving(self, state: State, channel: int, code: bytes) -> Iterator[State]:
        """Every step that the message at the head of a queue, of this code, makes possible."""
        if not code:
            return
        values, queues = state
        key = (values, self.names[channel, code])
        found = self._received.get(key)
        if found is None:
            found = self._received[key] = self.binding.received(*key)
        yield from self._taken(found, queues)

    def doing(self, state: State, effect: str) -> Iterator[State]:
        """What the world makes of an effect."""
        values, queues = state
        key = (values, effect)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self.binding.effects(values, ((effect, None),))
        yield from self._taken(found, queues)

    def _taken(self, options: Iterable[Option], queues: Queues) -> Iterator[State]:
        for way, values in options:
            after = self._after(way, queues)
            if after is not None:
                yield self.kept(values), after

    def kept(self, values: Values) -> Values:
        """The variables without what no log shows."""
        after = bytearray(values)
        for index, value in self.frame.resets:
            after[index] = value
        return bytes(after)

    def _after(self, way: MoveWay, queues: Queues) -> Queues | None:
        """The queues after a step; None where it is held back, or one of them is full."""
        if self._is_held(way, queues):
            return None
        after = list(queues)
        for change in way.changes:
            queue = after[change.channel] = change.on(after[change.channel])
            if change.kind == "push" and len(queue) > self.frame.limits[change.channel][way.answers]:
                return None
        for channel in self.frame.cleared:
            after[channel] = b""
        return tuple(after)

    def _is_held(self, way: MoveWay, queues: Queues) -> bool:
        if way.held_by is None:
            return any(queues)
        return any(code in queues[channel] for channel, code in map(self._codes.__getitem__, way.held_by))


class AcceptanceSearch:
    """The states a log may have led to. `most` is how many were held at once.

    `ahead` is what the log says reaches the client from here on, one of these codes each, as far as is looked at: a run
    with anything else in flight to the client is none of the log's, and what comes after it all need not be sent yet.
    """

    def __init__(self, frame: Frame, moves: Moves, begins: Iterable[Values], ahead: Sequence[Collection[int]]) -> None:
        self.frame, self.moves, self.ahead = frame, moves, ahead
        self.at = 0  # so many have reached the client
        nothing = (b"",) * len(frame.limits)
        self.states: set[State] = {(moves.kept(values), nothing) for values in begins}
        self.most = 0
        self._fitting: dict[bytes, bool] = {}
        self._close()

    def go_on(self, moves: Moves) -> None:
        """From here on other moves are there."""
        if moves is not self.moves:
            self.moves = moves
            self._close()

    def sent(self, codes: Sequence[int]) -> None:
        """The client sends one of these."""
        at = self.frame.outgoing
        self.states = {
            (values, tuple(q + bytes((code,)) if i == at else q for i, q in enumerate(queues)))
            for values, queues in self.states
            for code in codes
        }
        self._close()

    def received(self) -> bool:
        """What is next reaches the client; False, and nothing is left, where no run has it there."""
        at, codes = self.frame.incoming, self.ahead[self.at]
        found: set[State] = set()
        for state in self.states:
            head = state[1][at][:1]
            if head and head[0] in codes:
                found.update(self.moves.arriving(state, at, head))
        self.states = found
        self.at += 1
        self._fitting.clear()
        self._close()
        return bool(found)

    def done(self, effect: str) -> None:
        """The client's own side does something that the world has a word for."""
        self.states = {after for state in self.states for after in self.moves.doing(state, effect)}
        self._close()

    def next_roles(self) -> frozenset[str]:
        """What could reach the client next."""
        at, unseen = self.frame.incoming, self.frame.unseen
        heads = {queues[at][:1] for _, queues in self.states} - {b""} - unseen
        return frozenset(self.moves.names[at, head] for head in heads)

    def has_full(self, tops: Mapping[int, int]) -> bool:
        """Has a counter reached its top anywhere? Then it may have missed what came after."""
        return any(values[index] >= top for values, _ in self.states for index, top in tops.items())

    def _close(self) -> None:
        waiting = list(self.states)
        while waiting:
            for after in self.moves.unseen(waiting.pop()):
                if after not in self.states and self._fits(after[1][self.frame.incoming]):
                    self.states.add(after)
                    waiting.append(after)
            if len(self.states) > self.frame.most:
                raise TooManyRunsError
        self.most = max(self.most, len(self.states))

    def _fits(self, queue: bytes) -> bool:
        """Is what is in flight to the client what the log has next?"""
        found = self._fitting.get(queue)
        if found is None:
            seen = [code for code in queue if bytes((code,)) not in self.frame.unseen]
            ahead = self.ahead[self.at : self.at + len(seen)]
            found = len(ahead) == len(seen) and all(code in codes for code, codes in zip(seen, ahead, strict=True))
            self._fitting[queue] = found
        return found


def frame_of(
    world: World, resets: Sequence[str], cleared: tuple[int, ...], unseen: Collection[str], most: int
) -> Frame:
    """Budgets are put back after every step (a log is as long as it is), but for the losses: they are counted."""
    losses = world.loss[0] if world.loss is not None else ""
    endless = [world.variable(name) for name in world.budgets if name != losses]
    names = {c.name: c.index for c in world.channels}
    outgoing, incoming = names["to_provider"], names["from_provider"]
    limits = [(c.capacity, c.capacity + max(c.reserve, c.capacity)) for c in world.channels]
    limits[outgoing] = (1, 1)  # what a client sends unseen may as well be sent when the provider looks at it
    forgotten = [(world.variable(name).index, world.variable(name).initial) for name in resets]
    codes = frozenset(bytes((world.messages[name].code,)) for name in unseen)
    budgets = [(variable.index, len(variable.domain) - 1) for variable in endless]
    return Frame((*forgotten, *budgets), cleared, outgoing, incoming, codes, tuple(limits), most)
