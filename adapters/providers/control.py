"""The control side of one connection, which the effect executor alone may hold (docs/architecture.md section 4).

Whoever holds the connection can send caller audio and close; whoever holds this can act on the conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs


@attrs.frozen
class ControlSide:
    """Handed out once, by `ProviderConnection.take_control()`."""

    _send: Callable[[Mapping[str, object]], bool] = attrs.field(repr=False)

    def send_control(self, event: Mapping[str, object]) -> bool:
        """Writes one wire event, in order with the audio. False: there is no connection to take it (any more)."""
        return self._send(event)
