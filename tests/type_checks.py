"""The type check's verdicts, kept by content for the length of a test run: most tests load the same few specs again.

The key is every text that was read for a spec, and only a spec without findings is kept: one of which a letter differs
is checked anew, so a test of the type check tests the type check.
"""

from __future__ import annotations

from typing import Any

from fsm.language import loader
from fsm.language.problem import Problems
from fsm.language.source import Node, read
from fsm.language.spec import Spec
from fsm.language.typestate import Flow, Typestate

_read: list[str] = []
_sound: dict[tuple[str, ...], Flow] = {}


def _reading(text: str, file: str, found: Problems | None = None) -> Node:
    _read.append(text)
    return read(text, file, found)


class _KeptTypestate:
    """Stands in for `Typestate` in the loader."""

    def __init__(self, spec: Spec, problems: Problems) -> None:
        self._spec, self._problems = spec, problems

    def check(self) -> Flow:
        key = tuple(_read)
        _read.clear()
        if key in _sound:
            return _sound[key]
        before = list(self._problems)
        flow = Typestate(self._spec, self._problems).check()
        if list(self._problems) == before:
            _sound[key] = flow
        return flow


def keep_type_checks() -> None:
    """From now on, in this process."""
    module: Any = loader
    module.read, module.Typestate = _reading, _KeptTypestate
