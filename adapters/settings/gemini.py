"""The `provider` section of a configuration over Gemini Live. Never a connection.

For a key that is absent there is GEMINI_API_KEY of the environment, then Google's own address and `gemini-3.8-live`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import attrs

from adapters.providers.endpoint import Endpoint, EndpointError
from adapters.providers.gemini.provider import GeminiProvider, gemini_endpoint
from adapters.providers.gemini.session import GeminiSettings, GeminiSettingsError
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ProviderSection, VoiceSection
from adapters.tools import Tool
from fsm.language.problem import Place
from fsm.language.spec import Spec

GEMINI_URL: Final = (
    "wss://generativelanguage.googleapis.com/ws/"
    "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
)
GEMINI_MODEL: Final = "gemini-3.8-live"
GEMINI_PATH: Final = "BidiGenerateContent"
_COMMON: Final = frozenset({"protocol", "url", "model", "api_key", "voice", "instructions", "extra"})
"""The keys that mean something over this protocol."""
_HINT: Final = "leave it out; 'extra' has fields of the setup, in Google's words"


class GeminiProviderReader:
    """One use: `read()` gives the provider, or None where a problem was found that leaves none."""

    def __init__(self, reader: SettingsReader, section: ProviderSection) -> None:
        self._reader, self._section, self._written = reader, section, section.written
        self._failed = bool(section.written.rejected)

    def read(self, spec: Spec | None, tools: Sequence[Tool]) -> GeminiProvider | None:
        for key in self._written.pairs:
            if key not in _COMMON:
                self._report(self._written.place_of(key), "unknown-key", f"'{key}' means nothing to Gemini Live", _HINT)
        endpoint, session = self._endpoint(), self._session(tools)
        if session is not None and spec is not None:
            session = self._fitted(session, spec)
        return GeminiProvider(endpoint=endpoint, session=session) if endpoint and session and not self._failed else None

    def _endpoint(self) -> Endpoint | None:
        url = self._section.url or GEMINI_URL
        key = self._reader.environment.get("GEMINI_API_KEY") if self._section.api_key is None else self._section.api_key
        key = (key or "").strip()
        if not key and (urlsplit(url).hostname or "").endswith("googleapis.com"):
            place = self._written.place_of("api_key")
            self._report(place, "missing", "'api_key' is missing", "api_key: ${GEMINI_API_KEY}")
        try:
            return gemini_endpoint(url, key or None)
        except EndpointError as error:
            self._report(self._written.place_of(str(error).partition(":")[0]), "provider", str(error))
            return None

    def _session(self, tools: Sequence[Tool]) -> GeminiSettings | None:
        section = self._section
        extra: dict[str, object] = dict(section.extra or {})
        try:
            return GeminiSettings(
                model=section.model or GEMINI_MODEL,
                instructions=section.instructions,
                voice=section.voice.id if isinstance(section.voice, VoiceSection) else section.voice,
                detection=_detection(extra),
                tools=[tool.definition for tool in tools],
                extra=extra,
            )
        except GeminiSettingsError as error:
            self._report(self._written.place_of(str(error).partition(":")[0]), "provider", str(error))
            return None

    def _fitted(self, session: GeminiSettings, spec: Spec) -> GeminiSettings:
        """Where the caller holds the turns the provider detects none; elsewhere it must."""
        is_held, wrong = spec.turn_detection.manual, ""
        if not is_held and not session.finds_turns:
            wrong = f"is disabled, but {spec.name} needs it"
        elif is_held and session.detection and session.finds_turns:
            wrong = f"is set, but {spec.name} turns the provider's turn detection off"
        if wrong:
            place, message = self._written.place_of("extra"), f"automaticActivityDetection {wrong}"
            self._report(place, "turn-detection", message, f"the spec is {spec.file}")
        return attrs.evolve(session, detection={"disabled": True}) if is_held else session

    def _report(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._failed = True
        self._reader.problems.add(place, code, message, hint)


def _detection(extra: dict[str, object]) -> Mapping[str, object]:
    """How the provider detects the caller's turns, taken out of what goes into the setup as it is."""
    found = extra.pop("automaticActivityDetection", {})
    if not isinstance(found, Mapping):
        raise GeminiSettingsError("extra: automaticActivityDetection is not a mapping")
    return found
