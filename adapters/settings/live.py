"""The `provider` section of a configuration over GPT-Live. Never a connection.

For a key that is absent there are OPENAI_API_KEY, OPENAI_VOICE and OPENAI_SYSTEM_PROMPT of the environment, then
OpenAI's own address and `gpt-live-1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from adapters.providers.endpoint import Endpoint, EndpointError, bearer_endpoint
from adapters.providers.live.provider import LiveProvider
from adapters.providers.live.session import LiveSettings, LiveSettingsError
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ProviderSection, VoiceSection
from adapters.tools import Tool
from fsm.language.problem import Place
from fsm.language.spec import Spec

LIVE_URL: Final = "wss://api.openai.com/v1/live/sessions"
LIVE_MODEL: Final = "gpt-live-1"
_COMMON: Final = frozenset(
    {"protocol", "spec", "url", "model", "api_key", "voice", "instructions", "format", "delegation", "extra"}
)
"""The keys that mean something over this protocol."""


class LiveProviderReader:
    """One use: `read()` gives the provider, or None where a problem was found that leaves none."""

    def __init__(self, reader: SettingsReader, section: ProviderSection) -> None:
        self._reader, self._section, self._written = reader, section, section.written
        self._failed = bool(section.written.rejected)

    def read(self, spec: Spec | None, tools: Sequence[Tool]) -> LiveProvider | None:
        del spec  # the session is the same under every spec that fits
        for key in self._written.pairs:
            if key not in _COMMON:
                message = f"'{key}' means nothing to GPT-Live, whose model decides by itself"
                self._report(self._written.place_of(key), "unknown-key", message, "leave it out")
        endpoint, session = self._endpoint(), self._session(tools)
        return LiveProvider(endpoint=endpoint, session=session) if endpoint and session and not self._failed else None

    def _endpoint(self) -> Endpoint | None:
        url = self._section.url or LIVE_URL
        key = self._environment("OPENAI_API_KEY") if self._section.api_key is None else self._section.api_key
        key = (key or "").strip()
        if not key and (urlsplit(url).hostname or "").endswith(("openai.com", "azure.com")):
            place = self._written.place_of("api_key")
            self._report(place, "missing", "'api_key' is missing", "api_key: ${OPENAI_API_KEY}")
        try:
            endpoint = bearer_endpoint(url, key or None)
        except EndpointError as error:
            self._report(self._written.place_of(str(error).partition(":")[0]), "provider", str(error))
            return None
        if urlsplit(url).query:
            self._report(self._written.place_of("url"), "url", "url: GPT-Live takes no query")
        return endpoint

    def _session(self, tools: Sequence[Tool]) -> LiveSettings | None:
        section, delegation = self._section, self._section.delegation
        voice = section.voice.id if isinstance(section.voice, VoiceSection) else section.voice
        try:
            return LiveSettings(
                model=section.model or LIVE_MODEL,
                instructions=section.instructions or self._environment("OPENAI_SYSTEM_PROMPT"),
                voice=voice or self._environment("OPENAI_VOICE"),
                format=section.format or "pcmu",
                delegates=delegation.to if delegation is not None else "responses" if tools else "client",
                delegate_model=delegation.model if delegation is not None else None,
                delegate_instructions=delegation.instructions if delegation is not None else None,
                tools=[tool.definition for tool in tools],
                extra=section.extra or {},
            )
        except LiveSettingsError as error:
            self._report(self._written.place_of(str(error).partition(":")[0]), "provider", str(error))
            return None

    def _environment(self, name: str) -> str | None:
        text = self._reader.environment.get(name, "")
        return text if text.strip() else None

    def _report(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._failed = True
        self._reader.problems.add(place, code, message, hint)
