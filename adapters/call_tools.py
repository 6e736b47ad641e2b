"""The tools of the call itself, for configurations that want them: the agent ends the call or puts the caller through.

Neither acts: each is a request to the spec, which waits until what is being said has been heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.active_call import ActiveCall, Answer
from adapters.tools import Tool

NAMES: Final = ("end_call", "transfer_call")


async def end_call(call: ActiveCall) -> dict[str, object]:
    """Asks for the end of the call."""
    return _told(await call.requested("application.hang_up_requested"), "the line is closed once this has been heard")


async def transfer_call(call: ActiveCall, target: str) -> dict[str, object]:
    """Asks to put the caller through; `target` is a key of the configuration's transfers, as its schema says."""
    answer = await call.requested("application.transfer_requested", key=target)
    return _told(answer, "the caller is put through once this has been heard")


def _told(answer: Answer, accepted: str) -> dict[str, object]:
    return {"ok": accepted} if answer.accepted else {"error": answer.reason}


def end_call_tool() -> Tool:
    """For every call."""
    return Tool("end_call", end_call, "Ends the call. Say goodbye first, in the same turn; nothing is said after it.")


def transfer_call_tool(targets: Mapping[str, str]) -> Tool:
    """`targets`: each key, and for whom it stands."""
    described = "; ".join(f"{key}: {about}" if about else key for key, about in targets.items())
    return Tool(
        "transfer_call",
        transfer_call,
        "Puts the caller through to somebody else. Say so first, in the same turn. If it fails you are told, and the "
        "call continues.",
        {
            "type": "object",
            "properties": {"target": {"type": "string", "enum": list(targets), "description": described}},
            "required": ["target"],
            "additionalProperties": False,
        },
    )
