"""The sessions of a simulated provider in numbers, as `expect.summary` names them (provider_words)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from adapters.simulator.providers.realtime.session_context import Seen, SessionStats


def provider_numbers(stats: Sequence[SessionStats]) -> Mapping[str, object]:
    """Every word of provider_words.WORDS."""
    rejections: Counter[str] = sum((each.rejections for each in stats), Counter())
    return {
        "sessions": len(stats),
        "turns": sum(each.user_turns for each in stats),
        "responses": sum(each.responses for each in stats),
        "creates": sum(each.creates for each in stats),
        "rejections": rejections.total(),
        "rejections_by_code": dict(rejections),
        "careless": sum(len(each.violations) for each in stats),
        "tools": sum(_is_tool_output(seen) for each in stats for seen in each.received),
        "caller_audio_s": round(sum(each.audio_ms for each in stats) / 1000, 1),
    }


def provider_times(stats: Sequence[SessionStats], name: str) -> tuple[float, ...]:
    """When events of that type were received or sent, in ms since the first of all."""
    seen = [one for each in stats for one in (*each.received, *each.sent)]
    first_s = min((one.at_s for one in seen), default=0.0)
    return tuple(sorted((one.at_s - first_s) * 1000 for one in seen if one.type == name))


def _is_tool_output(seen: Seen) -> bool:
    item = seen.event.get("item")
    return (
        seen.type == "conversation.item.create"
        and isinstance(item, Mapping)
        and item.get("type") == "function_call_output"
    )
