"""What the shop's own system is in tests: functions for the effect `notify_crm`, and what they were told."""

from __future__ import annotations

import asyncio

from adapters.active_call import ActiveCall

TOLD: list[tuple[str, object, str]] = []


async def notify(argument: str, number: object, call: ActiveCall) -> dict[str, object]:
    """Takes a while, and knows its call."""
    TOLD.append((argument, number, call.id))
    await asyncio.sleep(0.5)
    return {"ticket": f"T-{number}"}


def notify_plainly(argument: str, number: object) -> dict[str, object]:
    """In a thread."""
    TOLD.append((argument, number, ""))
    return {"ticket": "T"}


async def never(argument: str, number: object) -> None:
    """Not within its deadline."""
    TOLD.append((argument, number, ""))
    if argument == "order":
        await asyncio.sleep(3600)


async def breaks(argument: str, number: object) -> None:
    del argument
    raise LookupError(f"no such order: {number}")


async def says_too_little(argument: str, number: object) -> str:
    del argument, number
    return "T-1"


async def at_the_end(argument: str, number: object) -> None:
    """Told as the call ends."""
    await asyncio.sleep(2)
    TOLD.append((argument, number, "done"))


def takes_nothing() -> None: ...
