"""The channels of a simulated Asterisk, and what moves them: shared by its manager and its REST interface."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.define
class PbxChannel:
    """A channel. `where` is its place in the dialplan, `stasis` whether an ARI application holds it."""

    name: str
    unique_id: str
    application: str = "AudioSocket"
    data: str = ""
    bridge: str = ""
    stasis: bool = False
    where: tuple[str, str, str] = ("default", "s", "1")
    variables: dict[str, str] = attrs.field(factory=dict)


def _nobody(channel: PbxChannel) -> None:
    del channel


@attrs.define
class Pbx:
    """`on_moved` and `on_hung_up` are where a test ends the media of a channel, as Asterisk does."""

    channels: dict[str, PbxChannel] = attrs.field(factory=dict)
    """By name."""
    dialplan: set[tuple[str, str, str]] = attrs.field(factory=set)
    globals: dict[str, str] = attrs.field(factory=dict)
    version: str = "22.4.0"
    modules: frozenset[str] = frozenset({"app_audiosocket", "chan_audiosocket", "res_audiosocket"})
    on_moved: Callable[[PbxChannel], None] = _nobody
    on_hung_up: Callable[[PbxChannel], None] = _nobody

    def add(self, channel: PbxChannel) -> PbxChannel:
        self.channels[channel.name] = channel
        return channel

    def found(self, name: str) -> PbxChannel | None:
        """By name, else by unique id."""
        by_id = (each for each in self.channels.values() if each.unique_id == name)
        return self.channels.get(name) or next(by_id, None)

    def move(self, channel: PbxChannel, where: tuple[str, str, str]) -> None:
        """A place that is not in the dialplan hangs up, as the extension `i` or nothing does."""
        channel.where, channel.bridge, channel.stasis, channel.application = where, "", False, ""
        self.on_moved(channel)
        if where not in self.dialplan:
            self.hang_up(channel)

    def hang_up(self, channel: PbxChannel) -> None:
        if self.channels.pop(channel.name, None) is not None:
            self.on_hung_up(channel)

    def value(self, channel: PbxChannel, variable: str) -> str:
        """Of a variable, or of the one function that is known."""
        name, _, rest = variable.partition("(")
        if name != "DIALPLAN_EXISTS":
            return channel.variables.get(variable, "")
        context, exten, priority = rest.rstrip(")").split(",")
        return str(int((context, exten, priority) in self.dialplan))
