"""What the tests of call control are made of: a telephone system with one call, and both ways to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from adapters.control.ami import AmiControl
from adapters.control.ari import AriControl
from adapters.control.control import CallHandle, DialplanTarget
from adapters.control.settings import AmiSettings, AriSettings, ControlSettings
from adapters.simulator.control.ami import AmiPeer, User
from adapters.simulator.control.ari import AriPeer
from adapters.simulator.control.pbx import Pbx, PbxChannel

UUID = "11223344-5566-7788-99aa-bbccddeeff00"
CALL = CallHandle(UUID)
CALLER = "PJSIP/trunk-00000001"
SALES = ("transfers", "sales", "1")
SECRET = "ami-s3cret-value"
TARGETS = {
    "sales": DialplanTarget("transfers", "sales"),
    "nowhere": DialplanTarget("transfers", "gone"),
}


def in_app() -> Pbx:
    """The caller's channel runs AudioSocket(); two strangers are about, one of them in another such call."""
    pbx = Pbx(dialplan={SALES})
    pbx.add(PbxChannel("PJSIP/trunk-00000000", "1.0", application="Dial", data="PJSIP/1"))
    pbx.add(PbxChannel("PJSIP/trunk-00000009", "1.9", data="99999999-5566-7788-99aa-bbccddeeff00,127.0.0.1:9019"))
    pbx.add(PbxChannel(CALLER, "1.1", data=f"{UUID},127.0.0.1:9019"))
    return pbx


def in_bridge(media: str = f"AudioSocket/127.0.0.1:9019-{UUID}") -> Pbx:
    """The media's leg and the caller are in a bridge, both in Stasis, as with ARI's externalMedia."""
    pbx = Pbx(dialplan={SALES})
    pbx.add(PbxChannel("PJSIP/trunk-00000000", "1.0", application="Dial", bridge="b0"))
    pbx.add(PbxChannel(media, "1.2", application="AppDial2", bridge="b1", stasis=True))
    pbx.add(PbxChannel(CALLER, "1.1", application="Stasis", data="agent", bridge="b1", stasis=True))
    return pbx


def ami_settings(peer: AmiPeer, secret: str = SECRET, **more: float) -> AmiSettings:
    return AmiSettings(port=peer.port, username="turnspec", secret=secret, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def ami(pbx: Pbx, *, write: frozenset[str] = frozenset({"call"})) -> AsyncIterator[tuple[AmiPeer, AmiControl]]:
    peer = AmiPeer(pbx, {"turnspec": User(SECRET, write)})
    await peer.start()
    control = AmiControl(ControlSettings(targets=TARGETS), ami_settings(peer))
    control.start()
    try:
        yield peer, control
    finally:
        await control.close()
        await peer.close()


@asynccontextmanager
async def ari(
    pbx: Pbx, *, password: str = "secret", targets: Mapping[str, DialplanTarget] = TARGETS
) -> AsyncIterator[tuple[AriPeer, AriControl]]:
    peer = AriPeer(pbx)
    await peer.start()
    settings = ControlSettings(targets=targets)
    control = AriControl(settings, AriSettings(url=peer.url, username="turnspec", password=password))
    try:
        yield peer, control
    finally:
        await control.close()
        await peer.close()
