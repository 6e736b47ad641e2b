"""The provider protocols there are, by name: what each of them can encode. The name is that of the ledger.

So a vocabulary says which protocol it is of (`ledger:`), and whether a spec and a configuration fit is a comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal, TypeAlias

from adapters.providers.live.protocol import ENCODERS as LIVE
from adapters.providers.live.provider import LiveProvider
from adapters.providers.realtime.protocol import ENCODERS as REALTIME
from adapters.providers.realtime.provider import RealtimeProvider

ProtocolName: TypeAlias = Literal["realtime", "live"]
ConfiguredProvider: TypeAlias = RealtimeProvider | LiveProvider

ENCODED: Final[Mapping[str, Collection[str]]] = {"realtime": frozenset(REALTIME), "live": frozenset(LIVE)}
"""The wire effects of each."""
EFFECT_ARGS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "realtime": {name: each.args for name, each in REALTIME.items()},
    "live": {name: each.args for name, each in LIVE.items()},
}
"""And their arguments, as a vocabulary declares them."""
