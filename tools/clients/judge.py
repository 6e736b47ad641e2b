"""Whether a client held the call, by what the provider saw: greeting, turns, two tools, barge-in, nothing wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.simulator.providers.realtime import SessionStats

# Said by the provider for a client in the right: a race that nobody can avoid.
_HARMLESS = {"response_cancel_not_active"}
TURNS, CALLS = 3, 2


def complaints(stats: SessionStats) -> Iterator[str]:
    """What is missing or wrong; nothing: the call was held."""
    sent = [seen.event for seen in stats.sent]
    done = [event["response"] for event in sent if event.get("type") == "response.done"]
    if not done or done[0]["status"] != "completed":
        yield "the greeting was not asked for, or not whole"
    if stats.user_turns != TURNS:
        yield f"{stats.user_turns} turns of the caller, not {TURNS}"
    outputs = sum(_is_output(seen.event) for seen in stats.received)
    if outputs != CALLS:
        yield f"{outputs} outputs of {CALLS} calls"
    elif not any(seen.type == "response.done" and seen.event["response"]["status"] == "completed"
                 for seen in stats.sent if seen.at_s > _last_output_s(stats)):  # fmt: skip
        yield "no answer after the outputs"
    cut = any(response["status"] == "cancelled" for response in done)
    if not cut and "conversation.item.truncate" not in stats.received_types():
        yield "the barge-in cut nothing"
    if done and done[-1]["status"] != "completed":
        yield "the last answer is not whole"
    for code, count in stats.rejections.items():
        if code not in _HARMLESS:
            yield f"rejected {count} x {code}"
    yield from stats.notes


def _is_output(event: dict[str, Any]) -> bool:
    item = event.get("item")
    return isinstance(item, dict) and item.get("type") == "function_call_output"


def _last_output_s(stats: SessionStats) -> float:
    return max(seen.at_s for seen in stats.received if _is_output(seen.event))
