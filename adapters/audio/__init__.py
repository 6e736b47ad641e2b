"""Sound: formats, codecs, pacing, what the caller says and what the caller hears. Never the machine or a wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

OnFact: TypeAlias = Callable[[str, dict[str, Any]], None]
"""How this room reports what happened: a name in the past tense and its data.

Called in the task that noticed the fact (tick or receive loop); must neither block nor raise.
"""
