"""What the nodes of a cluster share about one call: fields of one Redis hash, and changes of it. Never a connection.

What is read was written by somebody else, maybe by another version: what it is not is left out, and never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from adapters.server.inside import Announcement

SAID: Final = "said"
"""What was announced, until the call has a result."""
NODE: Final = "node"
"""Who has it."""
RESULT: Final = "result"
"""How it ended."""


@attrs.frozen
class SharedResult:
    """How a call ended."""

    word: str
    values: Mapping[str, str]


@attrs.frozen
class RecordChange:
    """Fields that are set and fields that are dropped; the others stay."""

    sets: Mapping[str, bytes] = attrs.field(factory=dict)
    drops: frozenset[str] = frozenset()

    def then(self, later: RecordChange) -> RecordChange:
        """Both as one."""
        sets = {name: raw for name, raw in self.sets.items() if name not in later.drops} | dict(later.sets)
        return RecordChange(sets, (self.drops | later.drops) - sets.keys())


def announced(said: Announcement) -> RecordChange:
    return RecordChange({SAID: said_json(said)})


def live(node: str, said: Announcement | None) -> RecordChange:
    """`said` is set anew: what is shared may have been lost."""
    return RecordChange({NODE: node.encode()} | _said(said), frozenset({RESULT}))


def ended(word: str, values: Mapping[str, str]) -> RecordChange:
    return RecordChange({RESULT: _result_json(word, values)}, frozenset({SAID, NODE}))


def refused(word: str) -> RecordChange:
    """What was announced stays: the next node takes the call."""
    return RecordChange({RESULT: _result_json(word, {})})


def released(said: Announcement | None) -> RecordChange:
    """It is over without a result: what was announced stays for the next try."""
    return RecordChange(_said(said), frozenset({NODE}))


def said_json(said: Announcement) -> bytes:
    return orjson.dumps(
        {"agent": said.agent, "caller_id": said.caller_id, "dialled": said.dialled, "variables": dict(said.variables)}
    )


def said_of(call_id: str, raw: bytes | None) -> Announcement | None:
    found = _object(raw)
    if found is None:
        return None
    return Announcement(
        id=call_id,
        agent=_text(found.get("agent")),
        caller_id=_text(found.get("caller_id")),
        dialled=_text(found.get("dialled")),
        variables=_texts(found.get("variables")),
    )


def result_of(raw: bytes | None) -> SharedResult | None:
    found = _object(raw) or {}
    word = _text(found.get("word"))
    return SharedResult(word, _texts(found.get("values"))) if word else None


def _said(said: Announcement | None) -> dict[str, bytes]:
    return {} if said is None else {SAID: said_json(said)}


def _result_json(word: str, values: Mapping[str, str]) -> bytes:
    return orjson.dumps({"word": word, "values": dict(values)})


def _object(raw: bytes | None) -> dict[str, object] | None:
    try:
        found = orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> dict[str, str]:
    return {name: text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
