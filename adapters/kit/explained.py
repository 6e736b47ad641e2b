"""Faults as the text of a failed assertion: their names first, then the whole story."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.kit.faults import CallFault


def explained(whose: str, faults: Sequence[CallFault], story: Sequence[str]) -> str:
    count = f"{len(faults)} fault{'s' * (len(faults) != 1)}"
    lines = [f"{whose} of the call has {count}:", *(f"  {each}" for each in faults)]
    return "\n".join([*lines, f"{whose}:", *(f"  {each}" for each in story)] if story else lines)
