"""Work that the simulated model has delegated to a response: its calls, their outputs, whether it may go on. No time.

The rules of docs/facts/gpt_live.md section 5: a response completes with its calls unanswered; it goes on by one
response.create when all of them have their output, not before; the calls of a failed one are nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from adapters.simulator.providers.live.checks import LiveWireError
from adapters.simulator.providers.live.script import LiveRule


@attrs.define(eq=False)
class DelegatedWork:
    """Of one session, in which one thing is done at a time."""

    rule: LiveRule | None = None
    delegation_id: str | None = None
    is_running: bool = False
    calls: dict[str, str | None] = attrs.field(factory=dict)
    """By call id: the output, once it is there."""

    def begin(self, rule: LiveRule, delegation_id: str) -> None:
        self.rule, self.delegation_id, self.is_running = rule, delegation_id, True
        self.calls = {}

    def fail(self) -> None:
        self.is_running, self.rule = False, None
        self.calls = {}

    def take(self, item: Mapping[str, Any]) -> LiveWireError | None:
        """An item of the client's; None: it was taken."""
        if item.get("type") != "function_call_output":
            return None
        call = item.get("call_id")
        if call not in self.calls:
            return LiveWireError("invalid_call_id", f"No open function call has the id '{call}'.", "item.call_id")
        if self.calls[call] is not None:
            return LiveWireError(
                "invalid_call_id", f"The function call '{call}' has an output already.", "item.call_id"
            )
        self.calls[call] = str(item.get("output", ""))
        return None

    def go_on(self) -> LiveWireError | None:
        """A response.create; None: the response goes on."""
        if self.is_running:
            return LiveWireError("response_in_progress", "A delegated response is still in progress.")
        missing = [call for call, output in self.calls.items() if output is None]
        if missing:
            return LiveWireError("missing_function_call_output", f"Calls without an output: {', '.join(missing)}.")
        if not self.calls:
            return LiveWireError("nothing_to_continue", "There is nothing to continue.")
        self.is_running, self.calls, self.delegation_id = True, {}, None
        return None
