"""The two tools of the demo: real Python callables with a delay, as a look-up has one. Never a network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from random import Random

from adapters.tools import Tool

_WEATHER = {"berlin": ("sunny", 21), "paris": ("rain", 17)}
_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_NUMBER = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}


def demo_tools(random: Random) -> Mapping[str, Tool]:
    """`weather(city)` is async and slower for every further city, `order_status(number)` a plain function."""
    delay_s = [0.8 * random.uniform(0.95, 1.05), 1.6 * random.uniform(0.95, 1.05)]
    asked = 0

    async def weather(city: str) -> dict[str, object]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(delay_s[(asked - 1) % len(delay_s)])
        sky, degrees = _WEATHER.get(city.strip().lower(), ("cloudy", 15))
        return {"city": city, "sky": sky, "celsius": degrees}

    def order_status(number: str) -> dict[str, object]:
        time.sleep(0.2)  # it runs in a thread of the pool
        return {"number": number, "status": "shipped", "arrives": "tomorrow"}

    tools = (
        Tool("weather", weather, "The weather in one city, now.", _CITY, deadline_s=5.0),
        Tool("order_status", order_status, "Where an order is, by its number.", _NUMBER, deadline_s=5.0),
    )
    return {tool.name: tool for tool in tools}
