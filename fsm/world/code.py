"""What the operations of a world do, as flat Python: the one place in the product that says it.

A sequence of operations becomes one function. It changes the variables in place and returns the number of the path it
took; all else (what it did to the queues, the event it emits, what was lost) depends on the path alone, and is worked
out while the text is written. So taking a move costs one call, and a path is one object that can be numbered. The text
is made of what expressions generate and of numbers, nothing else.

The meaning is written twice more, on purpose: in tools.promela, a second opinion that shares nothing with this one
(SPIN must find as many states and the same verdicts), and in tests/fsm/world/interpreter.py, as plain as the language
reads, compared with this for every move on the worlds of a search. tests/fsm/verify/concrete.py has ids in place of
roles, to hold the ledger of the machine to what the world emits. Never here: which moves there are (fsm.world.binding).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

import attrs

from fsm.language.expression import Expr
from fsm.world.queues import QueueChange, pushed, renamed
from fsm.world.world import Act, Clear, EmitEvent, Put, Rename, Send, Test, World

Values = bytes
"""The world's variables, a byte each: the position of the value in the domain."""
Guards = Callable[[Values], list[int]]
Hooks = Mapping[tuple[str, str], tuple[Act, ...]]
"""Operations added from outside (ghost variables), by what they follow: (move | event | effect | sent, name)."""
_BUILTINS = {"__builtins__": {"max": max, "min": min}}


@attrs.frozen(eq=False)
class Path:
    """What is fixed about a way through operations: `lost` names the message lost, `sends` counts lossy sends."""

    changes: tuple[QueueChange, ...]
    event: str | None
    lost: str | None
    sends: int

    def changing(self, change: QueueChange) -> Path:
        """The same with one more change of a queue."""
        return Path((*self.changes, change), self.event, self.lost, self.sends)


def guards(conditions: Sequence[Expr]) -> Guards:
    """One function for many guards: the numbers of those that hold."""
    tests = [f"    if {c.python}: found.append({i})" for i, c in enumerate(conditions)]
    made: Guards = _function(["def made(v):", "    found = []", *tests, "    return found"])
    return made


def _function(lines: Sequence[str]) -> Callable[..., Any]:
    namespace: dict[str, Callable[..., Any]] = {}
    exec(_compiled("\n".join(lines)), _BUILTINS, namespace)  # noqa: S102
    return namespace["made"]


@functools.lru_cache(4096)
def _compiled(text: str) -> CodeType:
    """Scenes of a spec have most of their functions in common."""
    return compile(text, "<world>", "exec")


def _only_puts(act: Act) -> bool:
    """Does it touch variables only, no queue, and emit nothing?"""
    if isinstance(act, Test):
        return all(_only_puts(each) for each in (*act.then, *act.otherwise))
    return isinstance(act, Put)


class Code:
    """A function for a sequence of operations. `lose` is the number of the lossy send that gets lost, -1 for none.

    `run(values)` changes the values and returns the number of its path, which is None if it has no such send.
    """

    def __init__(
        self,
        world: World,
        hooks: Hooks,
        acts: Sequence[Act],
        received: Sequence[QueueChange] = (),
        lossy: bool = False,
        lose: int = -1,
    ) -> None:
        self.world, self.hooks, self.lossy, self.lose = world, hooks, lossy, lose
        self.paths: list[Path | None] = []
        self._lines = ["def made(v):"]
        self._emit(tuple(acts), Path(tuple(received), None, None, 0), 1)
        self.run: Callable[[bytearray], int] = _function(self._lines)

    def _emit(self, acts: tuple[Act, ...], path: Path, depth: int) -> None:
        """Writes the operations and what follows them, a branch at a time."""
        indent = "    " * depth
        while acts:
            act, acts = acts[0], acts[1:]
            if isinstance(act, Test) and _only_puts(act):
                self._branch(act, indent)
            elif isinstance(act, Test):
                self._lines.append(f"{indent}if {act.condition.python}:")
                self._emit((*act.then, *acts), path, depth + 1)
                acts = (*act.otherwise, *acts)
            elif isinstance(act, Put):
                self._put(act, indent)
            elif isinstance(act, Send):
                if act.times is not None:
                    for count in range(len(act.times.domain)):
                        self._lines.append(f"{indent}if v[{act.times.index}] == {count}:")
                        self._emit((*[Send(act.message, None)] * count, *acts), path, depth + 1)
                    return
                path, acts = self._send(act, path, acts)
            elif isinstance(act, EmitEvent):
                path = Path(path.changes, act.event, path.lost, path.sends)
                first = self.hooks.get(("event", act.of), ()) if act.of else ()
                follows = (*first, *self.hooks.get(("event", act.event), ()))
                acts = (*acts, *self.hooks.get(("instead", act.event), follows))
            elif isinstance(act, Clear):
                path = path.changing(QueueChange("clear", act.channel))
            elif isinstance(act, Rename):
                path = path.changing(renamed(self.world, act))
        self._lines.append(f"{indent}return {len(self.paths)}")
        self.paths.append(path if self.lose < 0 or path.lost is not None else None)

    def _branch(self, act: Test, indent: str) -> None:
        """A branch that leaves the path as it is: what follows is written once behind it, not once in each arm."""
        for head, arm in ((f"if {act.condition.python}:", act.then), ("else:", act.otherwise)):
            self._lines.append(indent + head)
            for each in arm:
                if isinstance(each, Test):
                    self._branch(each, indent + "    ")
                elif isinstance(each, Put):
                    self._put(each, indent + "    ")
            if not arm:
                self._lines.append(f"{indent}    pass")

    def _put(self, act: Put, indent: str) -> None:
        index, top, python = act.variable.index, len(act.variable.domain) - 1, act.expr.python
        if not python.isdigit():
            python = f"max(0, min({top}, {python}))"
        self._lines.append(f"{indent}v[{index}] = {python}")

    def _send(self, act: Send, path: Path, acts: tuple[Act, ...]) -> tuple[Path, tuple[Act, ...]]:
        message = self.world.messages[act.message]
        sends = path.sends + (self.lossy and message.lossy)
        if sends > path.sends and path.sends == self.lose:
            return Path(path.changes, path.event, message.name, sends), (*message.lost, *acts)
        path = Path((*path.changes, pushed(message)), path.event, path.lost, sends)
        return path, (*self.hooks.get(("sent", act.message), ()), *acts)


class Codes:
    """The functions of a world, made when they are first run: scenes of it have nearly all of them in common."""

    def __init__(self, world: World, hooks: Hooks | None = None) -> None:
        self.world = world
        self.hooks: Hooks = hooks or {}
        self._made: dict[tuple[object, bool, int], Code] = {}

    def of(self, key: object, acts: Sequence[Act], received: Sequence[QueueChange], lossy: bool, lose: int) -> Code:
        """The function of these operations; `key` names them."""
        made = self._made.get((key, lossy, lose))
        if made is None:
            made = self._made[key, lossy, lose] = Code(self.world, self.hooks, acts, received, lossy, lose)
        return made
