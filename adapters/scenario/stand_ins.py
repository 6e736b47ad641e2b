"""What stands in for an application in a scenario over the wire: its tools, and the functions bound to its effects.

What could never be taken (an event that nobody may say, a field that is missing) is said before the call: in the call
it would be refused, and the scenario would look as if nothing had been asked. Never here: whether the spec agrees.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from adapters.active_call import ActiveCall
from adapters.application import effects_for_application
from adapters.tools import Tool
from fsm.errors import LocalError
from fsm.language.problem import suggestion
from fsm.language.request_data import complaint
from fsm.language.spec import Spec
from fsm.language.vocabulary import result_of

DEADLINE_MS: Final = 20_000
_TOOL_KEYS: Final = frozenset({"output", "after_ms", "deadline_ms", "requests", "then"})
_TOOL_SHAPE: Final = "{output: text, after_ms: n, deadline_ms: n, requests: event, then: event}"
_EFFECT_KEYS: Final = frozenset({"returns", "raises", "after_ms", "deadline_ms"})
_EFFECT_SHAPE: Final = "{returns: value, raises: text, after_ms: n, deadline_ms: n}"
Said = tuple[str, Mapping[str, object]]
"""An event that an application says, with its data."""


class StandInError(LocalError):
    """What a function of a scenario raises because it says so."""


def tool_of(name: str, value: object, spec: Spec) -> Tool:
    """A tool as a scenario has it. Raises ValueError for what is none, and for what the spec has no word for."""
    if not isinstance(value, Mapping) or not set(value) <= _TOOL_KEYS:
        raise ValueError(f"tools.{name}: a tool is {_TOOL_SHAPE}")
    where = f"tools.{name}"
    first, last = (_said(value.get(key), spec, f"{where}.{key}") for key in ("requests", "then"))
    after_s, deadline_s = _seconds(value, where, "after_ms"), _seconds(value, where, "deadline_ms", DEADLINE_MS)

    async def answer(call: ActiveCall, **_arguments: object) -> object:
        if first is not None:
            await call.asked(*first)
        await asyncio.sleep(after_s)
        if last is not None:
            await call.asked(*last)
        return value.get("output", "done")

    return Tool(name, answer, parameters={"type": "object"}, deadline_s=deadline_s)


def effect_of(name: str, value: object, spec: Spec) -> Tool:
    """The function that an effect for the application is bound to. Raises ValueError as `tool_of` does."""
    words = effects_for_application(spec.vocabulary)
    if name not in words:
        hint = suggestion(name, words)
        raise ValueError(f"effects.{name}: {spec.name} has no such effect for the application" + (hint and f"; {hint}"))
    if not isinstance(value, Mapping) or not set(value) <= _EFFECT_KEYS:
        raise ValueError(f"effects.{name}: what stands in for it is {_EFFECT_SHAPE}")
    returns = value.get("returns")
    if isinstance(returns, Mapping) and (
        wrong := complaint(spec.vocabulary.data_of(result_of(name, "done")), dict(returns))
    ):
        raise ValueError(f"effects.{name}.returns: {wrong}")
    where = f"effects.{name}"
    after_s, deadline_s = _seconds(value, where, "after_ms"), _seconds(value, where, "deadline_ms", DEADLINE_MS)

    async def run(**_arguments: object) -> object:
        await asyncio.sleep(after_s)
        if "raises" in value:
            raise StandInError(str(value["raises"]))
        return returns

    return Tool(name, run, deadline_s=deadline_s)


def _said(value: object, spec: Spec, where: str) -> Said | None:
    """`EVENT`, or `{EVENT: {FIELD: VALUE}}`."""
    if value is None:
        return None
    name, data = next(iter(value.items())) if isinstance(value, Mapping) and len(value) == 1 else (value, {})
    if not isinstance(name, str) or not isinstance(data, Mapping):
        raise ValueError(f"{where}: an event is expected, or {{event: {{field: value}}}}")
    if name not in spec.vocabulary.sayable:
        raise ValueError(f"{where}: {spec.name} has no '{name}'; {suggestion(name, spec.vocabulary.sayable)}")
    if wrong := complaint(spec.vocabulary.data_of(name), data):
        raise ValueError(f"{where}: {wrong}")
    return name, dict(data)


def _seconds(value: Mapping[str, object], where: str, key: str, default: int = 0) -> float:
    ms = value.get(key, default)
    if isinstance(ms, bool) or not isinstance(ms, int | float):
        raise ValueError(f"{where}.{key}: a number of milliseconds is expected, not {ms!r}")
    return ms / 1000
