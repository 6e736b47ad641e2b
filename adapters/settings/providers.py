"""The providers of an agent, in the order in which they are tried: each by its protocol, with its limits.

Never what a section of one protocol says (provider.py, live.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from adapters.providers.connection import ConnectionLimits
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.settings.deepgram import AgentProviderReader
from adapters.settings.further import NO_FURTHER, FurtherSpec
from adapters.settings.gemini import GeminiProviderReader
from adapters.settings.live import LiveProviderReader
from adapters.settings.protocol_fit import check_protocol, protocol_of
from adapters.settings.protocols import ConfiguredProvider, ProtocolName
from adapters.settings.provider import ProviderReader
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile, LimitsSection, ProviderSection
from adapters.settings.servers import Servers
from adapters.tools import Tool
from fsm.language.spec import Spec

_READERS: Final[Mapping[ProtocolName, type[LiveProviderReader | AgentProviderReader | GeminiProviderReader]]] = {
    "live": LiveProviderReader,
    "deepgram": AgentProviderReader,
    "gemini": GeminiProviderReader,
}
"""Of sections that know neither servers nor turn detection."""


def read_providers(
    reader: SettingsReader, config: ConfigFile, servers: Servers, spec: Spec | None, tools: Sequence[Tool],
    further: Mapping[str, FurtherSpec] = NO_FURTHER,
) -> tuple[ConfiguredProvider, ...] | None:  # fmt: skip
    """None where a problem was found that leaves one out. `spec` None: it could not be loaded. `further`: by name."""
    specs = [further[name].spec if (name := each.spec or "") in further else spec for each in config.provider]
    read = [
        _read(reader, config.limits, section, servers, under, tools, stands_alone=index == 0)
        for index, (section, under) in enumerate(zip(config.provider, specs, strict=True))
    ]
    found = [each for each in read if each is not None]
    if spec is None or len(found) < len(read):
        return None
    return tuple(attrs.evolve(each, limits=_limits(config, spec)) for each in _with_words_of_the_first(found))


def _read(
    reader: SettingsReader, limits: LimitsSection, section: ProviderSection, servers: Servers, spec: Spec | None,
    tools: Sequence[Tool], *, stands_alone: bool,
) -> ConfiguredProvider | None:  # fmt: skip
    if spec is not None:
        check_protocol(reader, section, spec)
    if (protocol := protocol_of(section, spec)) in _READERS:
        return _READERS[protocol](reader, section).read(spec, tools)
    read = ProviderReader(reader, section, servers, stands_alone=stands_alone).read(spec, tools)
    if read is None:
        return None
    endpoint, session = read
    _warn_of_short_hold(reader, limits, session)
    return RealtimeProvider(endpoint=endpoint, session=session, restored_answers=section.restored_answers)


def _with_words_of_the_first(providers: Sequence[ConfiguredProvider]) -> Iterator[ConfiguredProvider]:
    """Whoever takes over a call is told what the first one is, unless it is told something of its own."""
    words = providers[0].session.instructions
    for each in providers:
        yield each if each.session.instructions is not None else each.with_instructions(words)


def _limits(config: ConfigFile, spec: Spec) -> ConnectionLimits:
    limits = ConnectionLimits(
        ping_interval_s=config.limits.ping_interval_s,
        ping_timeout_s=config.limits.ping_timeout_s,
        message_bytes=config.limits.message_bytes,
        events_per_s=config.limits.provider_events_s,
    )
    of_spec_s = (each.after_ms / 1000 for each in spec.deadlines.values() if each.setting == "connect_s")
    if (open_s := next(of_spec_s, config.limits.connect_s)) is not None:
        limits = attrs.evolve(limits, open_s=open_s)
    return limits


def _warn_of_short_hold(reader: SettingsReader, limits: LimitsSection, session: SessionSettings) -> None:
    detection = session.turn_detection
    waits = detection.get("silence_duration_ms") if isinstance(detection, Mapping) else None
    hold_ms = limits.silence_hold_ms
    if isinstance(waits, int | float) and waits >= hold_ms:
        message = f"turns would be cut: the provider waits {waits} ms for the end of one, we {hold_ms} ms"
        place = limits.written.place_of("silence_hold_ms")
        reader.problems.warn(place, "short-hold", message, "limits.silence_hold_ms must be longer")
