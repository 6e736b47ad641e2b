"""The `provider` section: where the model is, with which key, and what its session is to be. Never a connection.

Which key stands for what is absent: OPENAI_API_KEY, OPENAI_MODEL, OPENAI_VOICE, OPENAI_SYSTEM_PROMPT and
OPENAI_REALTIME_BASE_URL of the environment, then OpenAI's own address and `gpt-realtime`.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

import attrs

from adapters.call.settings import WIRE_FORMATS
from adapters.providers.realtime.endpoint import (
    AZURE_PREVIEW_VERSION,
    OPENAI_URL,
    Endpoint,
    EndpointError,
    azure_endpoint,
    azure_preview_endpoint,
    openai_endpoint,
)
from adapters.providers.realtime.session import SessionSettings, SettingsError, session_object
from adapters.settings.reader import SettingsReader
from adapters.settings.turns import read_turn_detection
from adapters.tools import Tool
from fsm.language.problem import Place, suggestion
from fsm.language.source import Node
from fsm.language.spec import Spec

Flavour = Literal["ga", "beta", "azure", "azure_preview"]
FLAVOURS: Final[Sequence[Flavour]] = ("ga", "beta", "azure", "azure_preview")
PROVIDER_KEYS: Final = (
    "url", "model", "api_key", "dialect", "voice", "instructions", "format", "turn_detection", "transcription"
)  # fmt: skip
DEFAULT_MODEL: Final = "gpt-realtime"
ENVIRONMENT: Final = {
    "url": "OPENAI_REALTIME_BASE_URL",
    "model": "OPENAI_MODEL",
    "api_key": "OPENAI_API_KEY",
    "voice": "OPENAI_VOICE",
    "instructions": "OPENAI_SYSTEM_PROMPT",
}
_TRANSCRIPTION: Final = ("model", "language", "prompt")
_AZURE_HOSTS: Final = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_AZURE_PATHS: Final = {"azure": "/openai/v1/realtime", "azure_preview": "/openai/realtime"}


def flavour_of(parts: SplitResult) -> Flavour:
    """By the form of the URL: Azure's host, then its path or an api-version (docs/facts/realtime_api.md section 2)."""
    host = (parts.hostname or "").lower()
    if not host.endswith(_AZURE_HOSTS) or not (parts.path in ("", "/") or parts.path.startswith("/openai/")):
        return "ga"
    is_preview = parts.path.rstrip("/") == "/openai/realtime" or "api-version" in parse_qs(parts.query)
    return "azure_preview" if is_preview else "azure"


@attrs.frozen
class _Word:
    """A text of the configuration, or of the environment where the configuration says nothing."""

    text: str
    place: Place
    source: str = ""


class ProviderReader:
    """One use: `read()` gives both values, or None where a problem was found that leaves none."""

    def __init__(self, reader: SettingsReader, root: Node, spec: Spec | None) -> None:
        self._reader = reader
        self._spec = spec
        node = root.get("provider")
        self._place = node.place if node is not None else root.place
        self._fields = reader.mapping(node, PROVIDER_KEYS) if node is not None and node.text != "" else {}
        self._keys = {key.text: key for key, _ in (node.pairs if node is not None else None) or ()}
        self._failed = False
        self.secret = ""

    def read(self, tools: Sequence[Tool]) -> tuple[Endpoint, SessionSettings] | None:
        url = self._word("url") or _Word(OPENAI_URL, self._place)
        parts = self._parts(url)
        flavour = self._flavour(parts)
        model, key = self._model(parts, flavour), self._key(parts, flavour)
        session = self._session(model, tools)
        endpoint = None
        if parts is not None and flavour is not None and not self._failed:
            self._check_clear_text(url, parts, key)
            endpoint = self._endpoint(parts, flavour, model, key)
        if endpoint is None or self._failed:
            return None
        try:
            session_object(session, endpoint.dialect)
        except SettingsError as error:
            self._tell(self._place, "session", str(error))
            return None
        return endpoint, session

    # --- address and key ----------------------------------------------------------------------------------------------

    def _parts(self, url: _Word) -> SplitResult | None:
        """The URL's parts. What Endpoint itself would say of a bad one is said in its words."""
        if self._failed:
            return None
        try:
            openai_endpoint(None, None, base_url=url.text)
        except EndpointError as error:
            scheme = url.text.partition(":")[0].lower()
            fix = {"https": "write wss:// for https://", "http": "write ws:// for http://"}.get(scheme, "")
            self._tell(url.place, "url", url.source + str(error), fix)
            return None
        return urlsplit(url.text)

    def _flavour(self, parts: SplitResult | None) -> Flavour | None:
        if "dialect" not in self._fields:
            return flavour_of(parts) if parts is not None else None
        chosen = self._reader.choice(self._fields["dialect"], FLAVOURS)
        self._failed |= chosen is None
        if chosen == "azure" and parts is not None and "api-version" in parse_qs(parts.query):
            place = self._fields["url"].place if "url" in self._fields else self._place
            hint = "leave it out, or say dialect: azure_preview"
            self._tell(place, "url", "url: Azure's GA answers 401 to a URL with an api-version", hint)
        return next((name for name in FLAVOURS if name == chosen), None)

    def _model(self, parts: SplitResult | None, flavour: Flavour | None) -> str:
        if "model" in self._fields:
            text = self._reader.filled(self._fields["model"])
            self._failed |= text is None
            return text or DEFAULT_MODEL
        query = parse_qs(parts.query) if parts is not None else {}
        named = query.get("model") or query.get("deployment")
        if named:
            return named[0]
        word = self._word("model")
        if word is None and flavour in ("azure", "azure_preview"):
            self._tell(self._place, "missing", "'model:' is missing here: with Azure it is the name of the deployment")
        return word.text if word is not None else DEFAULT_MODEL

    def _endpoint(self, parts: SplitResult, flavour: Flavour, model: str, key: str | None) -> Endpoint | None:
        try:
            return _made(parts, flavour, model, key)
        except EndpointError as error:
            guilty = str(error).partition(":")[0]
            word = self._fields.get({"headers": "api_key", "deployment": "model"}.get(guilty, guilty))
            self._tell(word.place if word is not None else self._place, "provider", str(error))
            return None

    def _key(self, parts: SplitResult | None, flavour: Flavour | None) -> str | None:
        """The key, if any: a server on one's own network may need none, and `api_key:` left empty says so."""
        node = self._fields.get("api_key")
        word = self._word("api_key")
        text = word.text.strip() if word is not None else ""
        self.secret = text
        was_given = node is not None and word is None  # and told to be no text
        if not text and not was_given and parts is not None and _needs_key(parts, flavour):
            place = node.place if node is not None else self._place
            why = "is empty" if node is not None else "is missing, and OPENAI_API_KEY is not set"
            self._tell(place, "missing", f"'api_key' {why}", "api_key: ${OPENAI_API_KEY}")
        return text or None

    def _check_clear_text(self, url: _Word, parts: SplitResult, key: str | None) -> None:
        if key is not None and parts.scheme == "ws" and not _is_loopback(parts.hostname or ""):
            self._reader.problems.warn(url.place, "clear-text", "the key goes over the network unencrypted: use wss://")

    # --- session ------------------------------------------------------------------------------------------------------

    def _session(self, model: str, tools: Sequence[Tool]) -> SessionSettings:
        reader, fields = self._reader, self._fields
        turn_detection = read_turn_detection(
            reader, self._keys.get("turn_detection"), fields.get("turn_detection"), self._spec
        )
        wire_format = reader.choice(fields["format"], tuple(WIRE_FORMATS)) if "format" in fields else "pcmu"
        instructions = self._word("instructions")
        return SessionSettings(
            model=model,
            voice=self._voice(),
            instructions=instructions.text if instructions is not None and instructions.text.strip() else None,
            input_format=wire_format or "pcmu",
            output_format=wire_format or "pcmu",
            turn_detection=turn_detection,
            transcription=self._transcription(),
            tools=[tool.definition for tool in tools] or None,
        )

    def _voice(self) -> str | dict[str, object] | None:
        node = self._fields.get("voice")
        if node is None or node.pairs is None:
            word = self._word("voice", "a text or {id: ...}")
            return word.text.strip() or None if word is not None else None
        fields = self._reader.mapping(node, ("id",))
        if "id" not in fields and len(fields) == len(node.pairs):
            self._tell(node.place, "missing", "provider.voice: 'id:' is missing here")
        identity = self._reader.filled(fields["id"]) if "id" in fields else None
        return {"id": identity} if identity is not None else None

    def _transcription(self) -> dict[str, object] | None:
        """Which model writes down what the caller says. Further fields go to the provider as they are."""
        node = self._fields.get("transcription")
        if node is None or node.text == "":
            return None
        if node.pairs is None:
            message = f"provider.transcription: a mapping is expected here, this is a {node.kind}"
            self._tell(node.place, "type", message, "e.g. transcription: {model: gpt-4o-mini-transcribe, language: en}")
            return None
        texts = self._reader.mapping(node, tuple(str(key.text) for key, _ in node.pairs))
        if "model" not in texts:
            self._tell(node.place, "missing", "provider.transcription: 'model:' is missing here")
        found: dict[str, object] = {}
        for key, _ in node.pairs:
            name = str(key.text)
            if name in _TRANSCRIPTION:
                found[name] = self._reader.filled(texts[name])
            else:
                message = f"'{name}' is new to us; a provider that does not know it rejects the session"
                self._reader.problems.warn(key.place, "unknown-name", message, suggestion(name, _TRANSCRIPTION))
                found[name] = self._reader.value(texts[name])
        return found

    # --- both ---------------------------------------------------------------------------------------------------------

    def _word(self, key: str, expected: str = "a text") -> _Word | None:
        node = self._fields.get(key)
        if node is not None:
            text = self._reader.expanded(node, expected)
            self._failed |= text is None
            return _Word(text, node.place) if text is not None else None
        name = ENVIRONMENT[key]
        text = self._reader.environment.get(name, "")
        return _Word(text, self._place, f"{name}: ") if text.strip() else None

    def _tell(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._failed = True
        self._reader.problems.add(place, code, message, hint)


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


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
