"""What the door says no with: a word for programs, the cause and the cure for people.

Of a request only names are quoted, shortened and without what cannot be printed.
"""

from __future__ import annotations

from typing import Final

import attrs
import orjson

from fsm.errors import RemoteError

_JSON: Final = "application/json"


@attrs.frozen
class DoorRefusal:
    """One answer that is not what was asked for."""

    status: int
    error: str
    cause: str
    cure: str
    more: tuple[tuple[str, str], ...] = ()
    """Headers."""
    details: object = None
    """Beside the three words, as `reasons`."""

    def headers(self) -> list[tuple[str, str]]:
        return [("content-type", _JSON), ("cache-control", "no-store"), *self.more]


class DoorRefusalError(RemoteError):
    """What a request asks for is not done: the refusal is the answer."""

    def __init__(
        self, status: int, error: str, cause: str, cure: str, *more: tuple[str, str], details: object = None
    ) -> None:
        super().__init__(cause)
        self.refusal = DoorRefusal(status, error, cause, cure, more, details)


def as_json(refusal: DoorRefusal) -> bytes:
    said: dict[str, object] = {"error": refusal.error, "cause": refusal.cause, "cure": refusal.cure}
    if refusal.details is not None:
        said["reasons"] = refusal.details
    return orjson.dumps(said)


BROKEN: Final = DoorRefusal(
    500, "broken", "the door has failed at this; no call was touched", "the log has a line door_failed: report it"
)  # fmt: skip
