"""Which protocol a `provider` section is of, and whether the spec is one for it. Never what the section says.

The protocol is said, else known by the path of the URL, else that of the spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from adapters.settings.protocols import ProtocolName
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ProviderSection
from fsm.language.spec import Spec

_PATHS: Final[Mapping[str, ProtocolName]] = {
    "/live/sessions": "live",
    "/agent/converse": "deepgram",
    "BidiGenerateContent": "gemini",
}
"""A part of the path by which an address says what is spoken there; all else is the Realtime protocol."""


def protocol_of(section: ProviderSection, spec: Spec | None) -> ProtocolName:
    """Which protocol a provider speaks."""
    if section.protocol is not None:
        return section.protocol
    if section.url is not None:
        path = urlsplit(section.url).path
        return next((name for part, name in _PATHS.items() if part in path), "realtime")
    needed = spec.vocabulary.ledger.name if spec is not None else ""
    return next((name for name in _PATHS.values() if name == needed), "realtime")


def check_protocol(reader: SettingsReader, section: ProviderSection, spec: Spec) -> None:
    """A spec is of one protocol, by the ledger that its vocabulary names."""
    protocol, needed = protocol_of(section, spec), spec.vocabulary.ledger.name
    if needed and needed != protocol:
        key = "protocol" if section.protocol is not None else "url"
        message = f"the provider speaks {protocol}, and spec {spec.name} is one for {needed}"
        hint = (
            "spec: full_duplex is for live, provider_turns for deepgram, gemini_turns for gemini, the other bundled"
            " ones for realtime; a further provider may name its own"
        )
        reader.problems.add(section.written.place_of(key), "spec-fit", message, hint)
    if protocol == "realtime" and "delegation" in section.written.pairs:
        message = "'delegation' means nothing to the Realtime protocol: its model calls the tools itself"
        reader.problems.add(section.written.place_of("delegation"), "unknown-key", message)
