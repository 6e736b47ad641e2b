"""The provider protocols there are, by name: what each of them can encode. The name is that of the ledger.

So a vocabulary says which protocol it is of (`ledger:`), and whether a spec and a configuration fit is a comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TypeAlias

from adapters.providers.deepgram.protocol import ENCODERS as DEEPGRAM
from adapters.providers.deepgram.provider import AgentProvider
from adapters.providers.encoding import EffectEncoder
from adapters.providers.gemini.protocol import ENCODERS as GEMINI
from adapters.providers.gemini.provider import GeminiProvider
from adapters.providers.live.protocol import ENCODERS as LIVE
from adapters.providers.live.provider import LiveProvider
from adapters.providers.realtime.protocol import ENCODERS as REALTIME
from adapters.providers.realtime.provider import RealtimeProvider

ProtocolName: TypeAlias = Literal["realtime", "live", "deepgram", "gemini"]
ConfiguredProvider: TypeAlias = RealtimeProvider | LiveProvider | AgentProvider | GeminiProvider


KEYS: Final = ("OPENAI_API_KEY", "DEEPGRAM_API_KEY", "GEMINI_API_KEY")
"""The variables of the environment that stand for a key that is not configured: secrets, whoever asks for them."""


_ENCODERS: Final[Mapping[str, Mapping[str, EffectEncoder[Any]]]] = {
    "realtime": REALTIME,
    "live": LIVE,
    "deepgram": DEEPGRAM,
    "gemini": GEMINI,
}
ENCODED: Final[Mapping[str, Collection[str]]] = {name: frozenset(of) for name, of in _ENCODERS.items()}
"""The wire effects of each."""
EFFECT_ARGS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    name: {effect: each.args for effect, each in of.items()} for name, of in _ENCODERS.items()
}
"""And their arguments, as a vocabulary declares them."""
