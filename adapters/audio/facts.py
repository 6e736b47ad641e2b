"""How the audio room tells what happened: a name in the past tense and its data. Never who listens, or what follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

OnFact: TypeAlias = Callable[[str, dict[str, Any]], None]
"""Called in the task that noticed the fact (tick or receive loop); must neither block nor raise."""
