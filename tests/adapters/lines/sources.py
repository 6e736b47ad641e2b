"""What a test says to a caller: an `AudioSource` that asks a function for each frame."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.define
class Frames:
    """Gives what `give` gives."""

    give: Callable[[], bytes | None]
    ticks: int = 0

    def tick(self) -> None:
        self.ticks += 1

    def pull(self) -> bytes | None:
        return self.give()
