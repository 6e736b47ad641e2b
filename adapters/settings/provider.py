"""The `provider` section: where the model is, with which key, and what its session is to be. Never a connection.

What stands for a key that is absent: OPENAI_API_KEY, OPENAI_MODEL, OPENAI_VOICE, OPENAI_SYSTEM_PROMPT and
OPENAI_REALTIME_BASE_URL of the environment, then OpenAI's own address and `gpt-realtime`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

import attrs

from adapters.providers.realtime.endpoint import (
    AZURE_PREVIEW_VERSION,
    OPENAI_URL,
    Endpoint,
    EndpointError,
    azure_endpoint,
    azure_preview_endpoint,
    openai_endpoint,
)
from adapters.providers.realtime.session import (
    UNSET,
    Dialect,
    SessionSettings,
    SettingsError,
    Unset,
    known_in,
    session_object,
)
from adapters.settings.kinds import Flavour, NoiseReduction
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ProviderSection, VoiceSection
from adapters.settings.turns import read_turn_detection
from adapters.tools import Tool
from fsm.language.problem import Place
from fsm.language.spec import Spec

DEFAULT_MODEL: Final = "gpt-realtime"
_AZURE_HOSTS: Final = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_AZURE_PATHS: Final = {"azure": "/openai/v1/realtime", "azure_preview": "/openai/realtime"}


class ProviderReader:
    """One use: `read()` gives both, or None where a problem was found that leaves none."""

    def __init__(self, reader: SettingsReader, section: ProviderSection) -> None:
        self._reader = reader
        self._section = section
        self._written = section.written
        self._failed = bool(section.written.rejected)
        self._keys = {each.name for each in attrs.fields(ProviderSection)}

    def read(self, spec: Spec | None, tools: Sequence[Tool]) -> tuple[Endpoint, SessionSettings] | None:
        parts = self._parts()
        flavour = self._flavour(parts)
        model = self._model(parts, flavour)
        key = self._key(parts, flavour)
        session = self._session(model, spec, tools)
        if flavour is not None:
            self._check_dialect(session, "beta" if flavour in ("beta", "azure_preview") else "ga")
        endpoint = self._endpoint(parts, flavour, model, key)
        return (endpoint, session) if endpoint is not None else None

    # --- address and key ----------------------------------------------------------------------------------------------

    def _parts(self) -> SplitResult | None:
        """The URL's parts. What Endpoint itself would say of a bad one is said in its words."""
        if "url" in self._written.rejected:
            return None
        url, source = self._section.url, ""
        if url is None and (url := self._environment("OPENAI_REALTIME_BASE_URL")) is not None:
            source = "OPENAI_REALTIME_BASE_URL: "
        url = OPENAI_URL if url is None else url
        try:
            openai_endpoint(None, None, base_url=url)
        except EndpointError as error:
            scheme = url.partition(":")[0].lower()
            fix = {"https": "write wss:// for https://", "http": "write ws:// for http://"}.get(scheme, "")
            self._report(self._written.place_of("url"), "url", source + str(error), fix)
            return None
        return urlsplit(url)

    def _flavour(self, parts: SplitResult | None) -> Flavour | None:
        chosen = self._section.dialect
        if chosen is None:
            return flavour_of(parts) if parts is not None else None
        if chosen == "azure" and parts is not None and "api-version" in parse_qs(parts.query):
            hint = "leave it out, or say dialect: azure_preview"
            place = self._written.place_of("url")
            self._report(place, "url", "url: Azure's GA answers 401 to a URL with an api-version", hint)
        return chosen

    def _model(self, parts: SplitResult | None, flavour: Flavour | None) -> str:
        if "model" in self._written.pairs:
            return self._section.model or DEFAULT_MODEL
        query = parse_qs(parts.query) if parts is not None else {}
        named = query.get("model") or query.get("deployment")
        if named:
            return named[0]
        model = self._environment("OPENAI_MODEL")
        if model is None and flavour in ("azure", "azure_preview"):
            message = "'model:' is missing here: with Azure it is the name of the deployment"
            self._report(self._written.place, "missing", message)
        return model or DEFAULT_MODEL

    def _key(self, parts: SplitResult | None, flavour: Flavour | None) -> str | None:
        """The key, if any: a server on one's own network may need none, and `api_key:` left empty says so."""
        if "api_key" in self._written.rejected:
            return None
        text = self._section.api_key
        key = (self._environment("OPENAI_API_KEY") or "" if text is None else text).strip()
        if not key and parts is not None and _needs_key(parts, flavour):
            why = "is missing, and OPENAI_API_KEY is not set" if text is None else "is empty"
            place = self._written.place_of("api_key")
            self._report(place, "missing", f"'api_key' {why}", "api_key: ${OPENAI_API_KEY}")
        return key or None

    def _endpoint(
        self, parts: SplitResult | None, flavour: Flavour | None, model: str, key: str | None
    ) -> Endpoint | None:
        if self._failed or parts is None or flavour is None:
            return None
        if key is not None and parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
            message = "the key goes over the network unencrypted: use wss://"
            self._reader.problems.warn(self._written.place_of("url"), "clear-text", message)
        try:
            return _made(parts, flavour, model, key)
        except EndpointError as error:
            guilty = str(error).partition(":")[0]
            guilty = {"headers": "api_key", "deployment": "model"}.get(guilty, guilty)
            self._report(self._written.place_of(guilty), "provider", str(error))
            return None

    # --- session ------------------------------------------------------------------------------------------------------

    def _session(self, model: str, spec: Spec | None, tools: Sequence[Tool]) -> SessionSettings:
        section = self._section
        voice = self._environment("OPENAI_VOICE") if section.voice is None else section.voice
        instructions = section.instructions
        if instructions is None:
            instructions = self._environment("OPENAI_SYSTEM_PROMPT")
        transcription = section.transcription
        return SessionSettings(
            model=model,
            voice={"id": voice.id} if isinstance(voice, VoiceSection) else (voice or "").strip() or None,
            instructions=instructions if instructions and instructions.strip() else None,
            input_format=section.format,
            output_format=section.format,
            turn_detection=read_turn_detection(self._reader, self._written.pairs.get("turn_detection"), spec),
            transcription=transcription.as_sent() if transcription is not None else None,
            noise_reduction=_noise_reduction(section.noise_reduction),
            tools=[tool.definition for tool in tools] or None,
            speed=section.speed,
            max_output_tokens=section.max_output_tokens,
            reasoning={"effort": section.reasoning} if section.reasoning is not None else None,
            parallel_tool_calls=section.parallel_tool_calls,
            truncation=section.truncation,
            prompt=section.prompt,
            include=section.include,
            tracing=section.tracing,
            extra=section.extra or {},
        )

    def _check_dialect(self, session: SessionSettings, dialect: Dialect) -> None:
        try:
            session_object(session, dialect)
        except SettingsError as error:
            self._report(self._written.place_of(str(error).partition(":")[0]), "provider", str(error))
        for field in known_in(session.extra, dialect):
            hint = "turnspec says that itself" if field not in self._keys else f"provider.{field} is its key"
            self._report(self._written.place_of("extra"), "two-meanings", f"extra: '{field}' is known", hint)

    # --- both ---------------------------------------------------------------------------------------------------------

    def _environment(self, name: str) -> str | None:
        text = self._reader.environment.get(name, "")
        return text if text.strip() else None

    def _report(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._failed = True
        self._reader.problems.add(place, code, message, hint)


def _noise_reduction(kind: NoiseReduction | None) -> Mapping[str, object] | Unset | None:
    """Not sent where nothing is configured; `none` is sent, as null: off, whatever the server's default."""
    if kind is None:
        return UNSET
    return None if kind == "none" else {"type": kind}


def flavour_of(parts: SplitResult) -> Flavour:
    """By the form of the URL: Azure's host, then its path or an api-version (docs/facts/realtime_api.md section 2)."""
    host = (parts.hostname or "").lower()
    if not host.endswith(_AZURE_HOSTS) or not (parts.path in ("", "/") or parts.path.startswith("/openai/")):
        return "ga"
    is_preview = parts.path.rstrip("/") == "/openai/realtime" or "api-version" in parse_qs(parts.query)
    return "azure_preview" if is_preview else "azure"


def _made(parts: SplitResult, flavour: Flavour, model: str, key: str | None) -> Endpoint:
    if flavour in ("ga", "beta"):
        return openai_endpoint(model, key, base_url=urlunsplit(parts), dialect="beta" if flavour == "beta" else "ga")
    bare = parts.path in ("", "/")
    base_url = urlunsplit(parts._replace(path=_AZURE_PATHS[flavour] if bare else parts.path))
    if flavour == "azure":
        return azure_endpoint("", model, key or "", base_url=base_url)
    version = parse_qs(parts.query).get("api-version", [AZURE_PREVIEW_VERSION])[0]
    return azure_preview_endpoint("", model, key or "", api_version=version, base_url=base_url)


def _needs_key(parts: SplitResult, flavour: Flavour | None) -> bool:
    return flavour in ("azure", "azure_preview") or (parts.hostname or "").endswith("openai.com")


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
