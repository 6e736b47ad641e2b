"""Which channel is the caller's: found by a call's UUID among all channels. Never how they are asked for.

The UUID is known by a channel variable that the dialplan has set, by the data of the application AudioSocket, or by the
end of an AudioSocket channel's name (docs/facts/telephony.md section 3). The last one is the media's leg: the caller's
is its only neighbour in the bridge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from adapters.control.control import CallHandle, ControlError

_MEDIA: Final = ("AudioSocket/", "WebSocket/")


@attrs.frozen
class ListedChannel:
    """A channel as Asterisk lists it."""

    name: str
    unique_id: str
    application: str = ""
    data: str = ""
    uuids: frozenset[str] = frozenset()
    """Values of the variables that may hold the UUID."""
    bridge: str = ""

    @property
    def is_media(self) -> bool:
        """The leg that carries our own audio, and not the caller."""
        return self.name.startswith(_MEDIA)

    def belongs_to(self, call: CallHandle) -> bool:
        if call.channel and call.channel in (self.name, self.unique_id):
            return True
        wanted = call.call_id.lower()
        in_app = self.application.lower() == "audiosocket" and self.data.lower().partition(",")[0].strip() == wanted
        known = wanted == self.unique_id.lower() or wanted in (each.lower() for each in self.uuids)
        return in_app or known or (self.is_media and self.name.lower().endswith(wanted))


def callers(channels: Iterable[ListedChannel], call: CallHandle) -> ListedChannel:
    """The caller's channel. ControlError: there is none (any more), or nobody can say which of several."""
    everyone = tuple(channels)
    own = [each for each in everyone if each.belongs_to(call)]
    plain = [each for each in own if not each.is_media]
    if plain:
        return _only(plain, call)
    if not own:
        raise ControlError(f"no channel has the UUID {call.call_id}: the caller has hung up", gone=True)
    bridges = {each.bridge for each in own if each.bridge}
    beside = [each for each in everyone if each.bridge in bridges and not each.is_media]
    if not beside:
        raise ControlError(f"{own[0].name} is in no bridge with a caller: only the media's leg is left")
    return _only(beside, call)


def _only(found: Sequence[ListedChannel], call: CallHandle) -> ListedChannel:
    """The dialplan's `Set(__CALL_UUID=...)` is inherited: who runs AudioSocket() itself comes first."""
    running = [each for each in found if each.application.lower() == "audiosocket"]
    chosen = running if len(running) == 1 else list(found)
    if len(chosen) > 1:
        names = ", ".join(each.name for each in chosen[:4])
        raise ControlError(f"several channels have the UUID {call.call_id}: {names}")
    return chosen[0]
