"""What stands at a place of a spec's text: an event, a state, an operation, a value ... by the keys around it.

Never here: what a word means in a spec (.assist), where the keys are (.outline).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import attrs

from fsm.language.derivation import KEYS as DERIVED
from fsm.language.derivation import OPERATIONS
from fsm.language.outline import Context, context
from fsm.language.spec_reader import (
    CONTEXT_KEYS,
    DEADLINE_KEYS,
    GROUP_KEYS,
    REASON_KINDS,
    ROW_KEYS,
    SECTIONS,
    STATE_KEYS,
)

SpotKind = Literal[
    "nothing", "key", "entry", "file", "event", "overflow", "state", "target", "group", "tag", "slot", "value",
    "operation", "guard", "presumption", "deadline", "argument",
]  # fmt: skip
_WORD: Final = re.compile(r"[\w.*/-]+|[\w.*]+")
_ASSIGNED: Final = re.compile(r"(\w+)\s*(?:[+-]?=)(?!=)\s*(?:(?:max|min)\()?[\w, ]*$")
_CALLED: Final = re.compile(r"(\w+)\(\s*\w*$")
_COMPARED: Final = re.compile(r"(\w+)\s*(?:==|!=|<=|>=|<|>)\s*\w*$")
_MEMBER: Final = re.compile(r"(\w+)\s+(?:not\s+)?in\s*\([\w, ]*$")
_OPERATIONS, _BRANCH = ("do", "else", "entry", "exit"), ("if", "do", "else")
_OF_CALLS: Final[dict[str, SpotKind]] = {"presume": "presumption", "restart": "deadline"}
_KEYS_BELOW: Final[dict[str, Sequence[str]]] = {
    "states": STATE_KEYS, "groups": GROUP_KEYS, "context": CONTEXT_KEYS, "deadlines": DEADLINE_KEYS,
}  # fmt: skip


@attrs.frozen
class Spot:
    """What `word` is at a place. `of`: the variable, effect or section that it belongs to; `keys`: those that fit.

    `start` and `end` are the word's columns, from 0.
    """

    kind: SpotKind
    word: str = ""
    of: str = ""
    keys: tuple[str, ...] = ()
    start: int = 0
    end: int = 0


def spot_at(text: str, line: int, column: int, *, whole: bool = True) -> Spot:
    """What is at a place (from 0): the `whole` word there, or what is typed of it so far."""
    lines = text.splitlines()
    current = lines[line] if line < len(lines) else ""
    start, end = _word_at(current, min(column, len(current)))
    end = end if whole else min(column, len(current))
    found = context(text, line, end)
    if found.path and found.path[-1] == current[start:end] and whole:  # a key, as a whole
        found = attrs.evolve(found, path=found.path[:-1], is_key=True, before=current[start:end])
    return attrs.evolve(_spot(found), word=current[start:end], start=start, end=end)


def _word_at(line: str, column: int) -> tuple[int, int]:
    for found in re.finditer(r"[\w.*]+(?:[/-][\w.*]+)*", line):
        if found.start() <= column <= found.end():
            return found.start(), found.end()
    return column, column


def _spot(at: Context) -> Spot:
    path = tuple(name.strip("+") for name in at.path)
    if path[:1] in [(name,) for name in OPERATIONS]:
        path = path[1:]
        if not path and at.is_key:
            return Spot("key", keys=SECTIONS)
    if not path:
        return Spot("key", keys=(*SECTIONS, *DERIVED)) if at.is_key else Spot("nothing")
    for judge in (_of_operations, _of_names, _of_answers, _of_keys):
        found = judge(path, at)
        if found is not None:
            return found
    return Spot("nothing")


def _of_operations(path: tuple[str, ...], at: Context) -> Spot | None:
    last, top = path[-1], path[0]
    if last in _OPERATIONS or (top == "actions" and len(path) == 2):
        if at.in_braces and at.is_key:
            return Spot("key", keys=_BRANCH)
        call, assigned = _CALLED.search(at.before), _ASSIGNED.search(at.before)
        if assigned is not None:
            return Spot("value", of=assigned.group(1))
        if call is not None:
            return Spot(_OF_CALLS.get(call.group(1), "argument"), of=call.group(1))
        return Spot("operation")
    if last in ("if", "while") or (top == "conditions" and len(path) == 2):
        compared = _COMPARED.search(at.before) or _MEMBER.search(at.before)
        return Spot("value", of=compared.group(1)) if compared is not None else Spot("guard")
    return None


def _of_names(path: tuple[str, ...], at: Context) -> Spot | None:
    last, above = path[-1], path[-2] if len(path) > 1 else ""
    if last in ("include", "extends", "vocabulary") and len(path) == 1:
        return Spot("file")
    if path in (("initial",), ("happy_path",)) or (path[0] == "groups" and last == "states"):
        return Spot("state")
    if last == "slots" and at.is_key:
        return Spot("slot")
    if above == "slots":
        return Spot("value", of=last)
    if path[0] == "context" and len(path) == 3 and last in ("initial", "without_greeting"):
        return Spot("value", of=above)
    simple: dict[str, SpotKind] = {"overflow": "overflow", "tags": "tag", "groups": "group"}
    return Spot(simple[last]) if last in simple and len(path) == 3 else None


def _of_answers(path: tuple[str, ...], at: Context) -> Spot | None:
    last, above = path[-1], path[-2] if len(path) > 1 else ""
    if last == "to":
        return Spot("target")
    if path[0] not in ("states", "groups", "choices"):
        return None
    if last == "on" and at.is_key:
        return Spot("event")
    if (above in REASON_KINDS and len(path) == 4) or (last == "defer" and len(path) == 3):
        return Spot("event")
    if above == "on" or (path[0] == "choices" and len(path) == 2):
        return Spot("key", keys=ROW_KEYS) if at.is_key else Spot("target")
    return None


def _of_keys(path: tuple[str, ...], at: Context) -> Spot | None:
    if not at.is_key:
        return None
    if len(path) == 1:
        return Spot("entry", of=path[0])
    if len(path) == 2 and path[0] in _KEYS_BELOW:
        return Spot("key", keys=tuple(_KEYS_BELOW[path[0]]))
    return None
