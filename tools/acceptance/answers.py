"""What the answers in a log were worth: heard, cut by the caller, silent (docs/answers.md). Never: whether it is a run.

Only our own journals say so: they have what the playout found of each response. Of any other log nothing is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

Worth = Literal["heard", "cut", "silent"]
WORTHS: Final[tuple[Worth, ...]] = ("heard", "cut", "silent")


class AnswersOfLog:
    """Fed with what was told of the playout, in order. The first that is told of a response counts."""

    def __init__(self) -> None:
        self._worth: dict[str, Worth] = {}

    def tell(self, event: object, data: object) -> None:
        """An event of the playout, with its data as the journal has them; any other tells nothing."""
        given = data if isinstance(data, Mapping) else {}
        match event:
            case "playout.heard":
                self._found(given.get("response_id"), "heard")
            case "playout.silent":
                self._found(given.get("response_id"), "silent")
            case "playout.flushed" | "playout.dropped":
                items = given.get("items")
                for item in items if isinstance(items, list) else ():
                    self._found(item.get("response_id") if isinstance(item, Mapping) else None, "cut")

    def _found(self, response_id: object, worth: Worth) -> None:
        if isinstance(response_id, str) and response_id:
            self._worth.setdefault(response_id, worth)

    @property
    def counts(self) -> Mapping[Worth, int]:
        """How many of each; empty where the log tells nothing of what was heard."""
        found = Counter(self._worth.values())
        return {worth: found[worth] for worth in WORTHS} if found else {}
