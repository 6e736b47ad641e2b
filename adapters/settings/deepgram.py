"""The `provider` section of a configuration over Deepgram's Voice Agent. Never a connection.

For a key that is absent there is DEEPGRAM_API_KEY of the environment, then Deepgram's own address and `gpt-4o-mini`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from adapters.providers.deepgram.provider import AGENT_URL, AgentProvider, agent_endpoint
from adapters.providers.deepgram.session import DeepgramSettings, DeepgramSettingsError
from adapters.providers.endpoint import Endpoint, EndpointError
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ProviderSection, VoiceSection
from adapters.tools import Tool
from fsm.language.problem import Place
from fsm.language.spec import Spec

THINK_MODEL: Final = "gpt-4o-mini"
_COMMON: Final = frozenset({"protocol", "url", "model", "api_key", "voice", "instructions", "format", "extra"})
"""The keys that mean something over this protocol."""


class AgentProviderReader:
    """One use: `read()` gives the provider, or None where a problem was found that leaves none."""

    def __init__(self, reader: SettingsReader, section: ProviderSection) -> None:
        self._reader, self._section, self._written = reader, section, section.written
        self._failed = bool(section.written.rejected)

    def read(self, spec: Spec | None, tools: Sequence[Tool]) -> AgentProvider | None:
        del spec  # the session is the same under every spec that fits
        for key in self._written.pairs:
            if key not in _COMMON:
                message = f"'{key}' means nothing to Deepgram's Voice Agent, which owns its turns"
                self._report(self._written.place_of(key), "unknown-key", message, "leave it out, or see extra:")
        endpoint, session = self._endpoint(), self._session(tools)
        return AgentProvider(endpoint=endpoint, session=session) if endpoint and session and not self._failed else None

    def _endpoint(self) -> Endpoint | None:
        url = self._section.url or AGENT_URL
        given = self._section.api_key
        key = (self._reader.environment.get("DEEPGRAM_API_KEY", "") if given is None else given).strip()
        if not key and (urlsplit(url).hostname or "").endswith("deepgram.com"):
            place = self._written.place_of("api_key")
            self._report(place, "missing", "'api_key' is missing", "api_key: ${DEEPGRAM_API_KEY}")
        try:
            return agent_endpoint(key or None, url)
        except EndpointError as error:
            self._report(self._written.place_of(str(error).partition(":")[0]), "provider", str(error))
            return None

    def _session(self, tools: Sequence[Tool]) -> DeepgramSettings | None:
        section = self._section
        voice = section.voice.id if isinstance(section.voice, VoiceSection) else section.voice
        try:
            return DeepgramSettings(
                model=section.model or THINK_MODEL,
                instructions=section.instructions,
                voice=voice,
                format=section.format or "pcmu",
                tools=[tool.definition for tool in tools],
                deferred=frozenset(tool.name for tool in tools if tool.call_parameter),
                extra=section.extra or {},
            )
        except DeepgramSettingsError as error:
            self._report(self._written.place_of(str(error).partition(":")[0]), "provider", str(error))
            return None

    def _report(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._failed = True
        self._reader.problems.add(place, code, message, hint)
