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

from adapters.providers.endpoint import EndpointError
from adapters.providers.realtime.endpoint import OPENAI_URL, RealtimeEndpoint, endpoint_of, openai_endpoint
from adapters.providers.realtime.realtime_server import RealtimeServer
from adapters.providers.realtime.session import (
    UNSET,
    SessionSettings,
    SettingsError,
    Unset,
    known_in,
    session_object,
)
from adapters.settings.kinds import NoiseReduction
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ProviderSection, VoiceSection
from adapters.settings.server_fit import check_fit, format_of
from adapters.settings.servers import Servers, server_at
from adapters.settings.turns import read_turn_detection
from adapters.tools import Tool
from fsm.language.problem import Place, suggestion
from fsm.language.spec import Spec

DEFAULT_MODEL: Final = "gpt-realtime"


class ProviderReader:
    """One use: `read()` gives both, or None where a problem was found that leaves none."""

    def __init__(
        self, reader: SettingsReader, section: ProviderSection, servers: Servers, *, stands_alone: bool = True
    ) -> None:
        """`stands_alone`: the environment stands for what it does not say; else it is one more, with its own key."""
        self._reader = reader
        self._servers = servers
        self._stands_alone = stands_alone
        self._section = section
        self._written = section.written
        self._failed = bool(section.written.rejected)
        self._keys = {each.name for each in attrs.fields(ProviderSection)}

    def read(self, spec: Spec | None, tools: Sequence[Tool]) -> tuple[RealtimeEndpoint, SessionSettings] | None:
        parts = self._parts()
        server = self._server(parts)
        model = self._model(parts, server)
        key = self._key(server)
        session = self._session(model, spec, tools, server)
        if server is not None:
            self._check_session(session, server)
        endpoint = self._endpoint(parts, server, model, key)
        return (endpoint, session) if endpoint is not None else None

    # --- address and key ----------------------------------------------------------------------------------------------

    def _parts(self) -> SplitResult | None:
        """The URL's parts. What an Endpoint itself would say of a bad one is said in its words."""
        if "url" in self._written.rejected:
            return None
        url, source = self._section.url, ""
        if url is None and (url := self._environment("OPENAI_REALTIME_BASE_URL")) is not None:
            source = "OPENAI_REALTIME_BASE_URL: "
        if url is None and not self._stands_alone:
            self._report(
                self._written.place, "missing", "'url:' is missing here: only the first provider has a default"
            )
            return None
        url = OPENAI_URL if url is None else url
        try:
            openai_endpoint(None, None, base_url=url)
        except EndpointError as error:
            scheme = url.partition(":")[0].lower()
            fix = {"https": "write wss:// for https://", "http": "write ws:// for http://"}.get(scheme, "")
            self._report(self._written.place_of("url"), "url", source + str(error), fix)
            return None
        return urlsplit(url)

    def _server(self, parts: SplitResult | None) -> RealtimeServer | None:
        """The row that is named, else the one whose URL this is. None: it cannot carry a call, or is not known."""
        name = self._section.server
        if name is None and (parts is None or "server" in self._written.rejected):
            return None
        row = self._servers.get(name) if name is not None else server_at(self._servers, parts or SplitResult(*[""] * 5))
        if row is None:
            known = [each for each, one in self._servers.items() if not one.refused]
            hint = suggestion(str(name), known) or f"known are {', '.join(known)}, and rows of your own (servers:)"
            self._report(self._written.place_of("server"), "unknown-name", f"'{name}' is not a server known here", hint)
        elif row.refused:
            place = self._written.place_of("url" if name is None else "server")
            self._report(place, "server", f"no call can be held with {row.about or row.name}: {row.refused}")
            return None
        else:
            self._check_query(parts, row)
        return row

    def _check_query(self, parts: SplitResult | None, row: RealtimeServer) -> None:
        for key in parse_qs(parts.query) if parts is not None else ():
            if key in row.no_query:
                message = f"url: {row.about or row.name} answers 401 to a URL with '{key}'"
                self._report(self._written.place_of("url"), "url", message, "leave it out, or name another server")

    def _model(self, parts: SplitResult | None, server: RealtimeServer | None) -> str:
        if "model" in self._written.pairs:
            return self._section.model or DEFAULT_MODEL
        query = parse_qs(parts.query) if parts is not None else {}
        named = query.get("model") or query.get("deployment")
        if named:
            return named[0]
        model = self._environment("OPENAI_MODEL")
        if model is None and server is not None and server.model:
            message = f"'model:' is missing here: with {server.about} it is {server.model}"
            self._report(self._written.place, "missing", message)
        return model or DEFAULT_MODEL

    def _key(self, server: RealtimeServer | None) -> str | None:
        """The key, if any: a server on one's own network may need none, and `api_key:` left empty says so."""
        if "api_key" in self._written.rejected:
            return None
        text = self._section.api_key
        key = (self._environment("OPENAI_API_KEY") or "" if text is None else text).strip()
        if not key and server is not None and server.needs_key:
            missing = "is missing, and OPENAI_API_KEY is not set" if self._stands_alone else "is missing"
            why = missing if text is None else "is empty"
            place = self._written.place_of("api_key")
            self._report(place, "missing", f"'api_key' {why}", "api_key: ${OPENAI_API_KEY}")
        return key or None

    def _endpoint(
        self, parts: SplitResult | None, server: RealtimeServer | None, model: str, key: str | None
    ) -> RealtimeEndpoint | None:
        if self._failed or parts is None or server is None:
            return None
        if key is not None and parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
            message = "the key goes over the network unencrypted: use wss://"
            self._reader.problems.warn(self._written.place_of("url"), "clear-text", message)
        try:
            return endpoint_of(server, urlunsplit(parts), model, key)
        except EndpointError as error:
            guilty = str(error).partition(":")[0]
            guilty = {"headers": "api_key", "deployment": "model"}.get(guilty, guilty)
            self._report(self._written.place_of(guilty), "provider", str(error))
            return None

    # --- session ------------------------------------------------------------------------------------------------------

    def _session(
        self, model: str, spec: Spec | None, tools: Sequence[Tool], server: RealtimeServer | None
    ) -> SessionSettings:
        section = self._section
        voice = self._environment("OPENAI_VOICE") if section.voice is None else section.voice
        instructions = section.instructions
        if instructions is None:
            instructions = self._environment("OPENAI_SYSTEM_PROMPT")
        transcription = section.transcription
        kinds = server.detections if server is not None else ()
        pair = self._written.pairs.get("turn_detection")
        return SessionSettings(
            model=model,
            voice={"id": voice.id} if isinstance(voice, VoiceSection) else (voice or "").strip() or None,
            instructions=instructions if instructions and instructions.strip() else None,
            input_format=format_of(section.format, server.formats_in if server is not None else ()),
            output_format=format_of(section.format, server.formats_out if server is not None else ()),
            turn_detection=read_turn_detection(self._reader, pair, spec, kinds),
            transcription=transcription.as_sent() if transcription is not None else None,
            noise_reduction=_noise_reduction(section.noise_reduction),
            tools=[*(tool.definition for tool in tools), *(each.as_sent() for each in section.mcp)] or None,
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

    def _check_session(self, session: SessionSettings, server: RealtimeServer) -> None:
        for key, message, hint in check_fit(self._reader, self._section, session, server):
            self._report(self._written.place_of(key), "provider", message, hint)
        try:
            session_object(session, server)
        except SettingsError as error:
            guilty = str(error).partition(":")[0]
            guilty = "format" if guilty.endswith("_format") else guilty
            self._report(self._written.place_of(guilty), "provider", str(error))
        for field in known_in(session.extra, server):
            hint = "turnspec says that itself" if field not in self._keys else f"provider.{field} is its key"
            self._report(self._written.place_of("extra"), "two-meanings", f"extra: '{field}' is known", hint)

    # --- both ---------------------------------------------------------------------------------------------------------

    def _environment(self, name: str) -> str | None:
        text = self._reader.environment.get(name, "") if self._stands_alone else ""
        return text if text.strip() else None

    def _report(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self._failed = True
        self._reader.problems.add(place, code, message, hint)


def _noise_reduction(kind: NoiseReduction | None) -> Mapping[str, object] | Unset | None:
    """Not sent where nothing is configured; `none` is sent, as null: off, whatever the server's default."""
    if kind is None:
        return UNSET
    return None if kind == "none" else {"type": kind}


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
