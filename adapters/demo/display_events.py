"""What a person sees and reads of a call, piece by piece, whoever controls it and wherever it is shown. Values only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import attrs

Kind: TypeAlias = Literal[
    "state",  # the controller's state is now `text`
    "caller", "agent",  # somebody said `text`
    "caller_partial", "agent_partial",  # so far
    "caller_voice", "agent_voice",  # `text` is "on" or "off": what can be heard on the line
    "key", "tool", "asked", "cut", "rejected", "note",
]  # fmt: skip


@attrs.frozen
class DisplayEvent:
    """`at_ms` since the call began; `turn` is the number of the caller's turn that this is, if it is one.

    `floor_caller`: in this state the caller speaks (a tag of the spec).
    """

    at_ms: int
    kind: Kind
    text: str
    turn: int | None = None
    floor_caller: bool = False


Show: TypeAlias = Callable[[DisplayEvent], None]
