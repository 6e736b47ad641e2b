"""The configuration file as classes: a section for each mapping, a typed field for each key, its default, its bounds.

The reader derives everything from here, and a test compares turnspec.example.yaml with it. Defaults of limits are those
of the parts that they limit. What several keys mean together is in config.py, provider.py, turns.py and tools.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal

import attrs

from adapters.call.settings import CallLimits, CallSettings
from adapters.lines.audiosocket.settings import AudioSocketSettings, Network
from adapters.providers.realtime.connection import ConnectionLimits
from adapters.providers.realtime.protocol import RestoredAnswers
from adapters.settings.folders import unusable
from adapters.settings.reader import Between, Section, SettingsReader
from adapters.tools import Tool, ToolError, checked, imported
from fsm.language.yaml_nodes import Node

Filled = Annotated[str, SettingsReader.filled]
Flavour = Literal["ga", "beta", "azure", "azure_preview"]
"""The dialects, and Azure's spellings of them."""
Format = Literal["pcmu", "pcma", "pcm16"]
NoiseReduction = Literal["near_field", "far_field", "none"]
TalkKey = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "A", "B", "C", "D"]
Secret = Annotated[str, SettingsReader.secret]


# --- what a value may be ----------------------------------------------------------------------------------------------


def _host_port(reader: SettingsReader, node: Node) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(reader.text(node))
    try:
        if match is not None and int(match["port"]) < 65536:
            return (str(IPv6Address(match["six"])) if match["six"] else match["host"]), int(match["port"])
    except ValueError:
        pass
    hint = "e.g. 127.0.0.1:9019, 0.0.0.0:9019 or [::1]:9019"
    raise reader.rejected(node, "address", "host:port is expected here", hint)


def _network(reader: SettingsReader, node: Node) -> Network:
    text = reader.filled(node)
    try:
        return ip_network(text)
    except ValueError:
        hint = "e.g. 192.0.2.7 or 10.0.0.0/8 (no bits set behind the mask)"
        raise reader.rejected(node, "address", "an address or a network is expected here", hint) from None


def _folder(reader: SettingsReader, node: Node) -> Path:
    """Tried, so that the first call does not find out."""
    path = reader.path(reader.filled(node))
    complaint = unusable(path)
    if complaint:
        raise reader.rejected(node, "no-folder", complaint)
    return path


def _voice(reader: SettingsReader, node: Node) -> str | VoiceSection:
    return reader.text(node, "a text or {id: ...}") if node.pairs is None else reader.read(node, VoiceSection)


def _tool_name(reader: SettingsReader, node: Node) -> str:
    name = reader.filled(node)
    if not _TOOL_NAME.fullmatch(name):
        raise reader.rejected(node, "tool-name", "a tool's name is 1 to 64 letters, digits, _ and -")
    return name


def _function(reader: SettingsReader, node: Node) -> Callable[..., object]:
    reference = reader.filled(node)
    try:
        return imported(reference)
    except ToolError as error:
        raise reader.rejected(node, "tool-import", str(error)) from None
    except SystemExit:
        raise reader.rejected(node, "tool-import", "its module exits when it is imported") from None


def _json_schema(reader: SettingsReader, node: Node) -> Mapping[str, object]:
    value = reader.value(node)
    if not isinstance(value, dict):
        raise reader.rejected(node, "type", f"a mapping (a JSON schema) is expected here, this is a {node.kind}")
    if value.get("type") != "object":
        raise reader.rejected(node, "tool-schema", "the schema of a tool's parameters must have 'type: object'")
    try:
        return checked(Tool("?", len, parameters=value)).parameters
    except ToolError as error:
        raise reader.rejected(node, "tool-schema", str(error)) from None


_ADDRESS: Final = re.compile(r"(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_PARAMETERS: Final[Mapping[str, object]] = {"type": "object", "properties": {}}
_CALL: Final = CallLimits()
_LINE: Final = AudioSocketSettings()
_PROVIDER: Final = ConnectionLimits()


# --- the sections -----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ListenSection(Section):
    """Where calls come in, and from whom."""

    audiosocket: Annotated[tuple[str, int], _host_port] = (_LINE.host, _LINE.port)
    allow: tuple[Annotated[Network, _network], ...] = ()


@attrs.frozen(kw_only=True)
class VoiceSection(Section):
    """A voice of one's own."""

    id: Filled


@attrs.frozen(kw_only=True)
class TranscriptionSection(Section):
    """Which model writes down what the caller says; further fields go to the provider as they are."""

    example = "e.g. transcription: {model: gpt-4o-mini-transcribe, language: en}"

    model: Filled
    language: Filled | None = None
    prompt: Filled | None = None
    more: Mapping[str, object] = attrs.field(factory=dict)

    def as_sent(self) -> dict[str, object]:
        known = {"model": self.model, "language": self.language, "prompt": self.prompt}
        return {key: value for key, value in known.items() if value is not None} | dict(self.more)


@attrs.frozen(kw_only=True)
class ProviderSection(Section):
    """Where the model is, with which key, and what its session is to be (provider.py, turns.py)."""

    url: str | None = None
    model: Filled | None = None
    api_key: Secret | None = attrs.field(default=None, repr=False)
    dialect: Flavour | None = None
    voice: Annotated[str | VoiceSection | None, _voice] = None
    instructions: str | None = None
    format: Format = "pcmu"
    turn_detection: Node | None = None
    transcription: TranscriptionSection | None = None
    restored_answers: RestoredAnswers = "messages"
    noise_reduction: NoiseReduction | None = None


@attrs.frozen(kw_only=True)
class AudioSection(Section):
    """How the caller is listened to."""

    half_duplex: bool = CallSettings().half_duplex
    min_speech_ms: Annotated[int, Between(40, 5_000)] = _CALL.min_speech_ms


@attrs.frozen(kw_only=True)
class ToolSection(Section):
    """A Python function the model may call."""

    name: Annotated[str, _tool_name]
    function: Annotated[Callable[..., object], _function]
    description: str = ""
    parameters: Annotated[Mapping[str, object], _json_schema] = _NO_PARAMETERS
    deadline_s: Annotated[float, Between(0.1, 120.0)] = 20.0
    """At most what the bundled specs give a round of tools (`tools_overdue`)."""


@attrs.frozen(kw_only=True)
class FolderSection(Section):
    """A folder that gets a file for each call."""

    dir: Annotated[Path, _folder] | None = None


@attrs.frozen(kw_only=True)
class LimitsSection(Section):
    """Every number has its bounds, so that a limit of a configuration is a limit."""

    calls: Annotated[int, Between(1, 100_000)] = _LINE.max_connections
    handshake_s: Annotated[float, Between(0.1, 60.0)] = _LINE.handshake_deadline_s
    hang_up_s: Annotated[float, Between(0.1, 60.0)] = _LINE.hang_up_deadline_s
    mailbox_events: Annotated[int, Between(16, 1_000_000)] = _CALL.mailbox_events
    caller_audio_kept_ms: Annotated[int, Between(0, 60_000)] = _CALL.caller_audio_kept_ms
    agent_audio_queued_ms: Annotated[int, Between(1_000, 3_600_000)] = _CALL.agent_audio_queued_ms
    silence_hold_ms: Annotated[int, Between(100, 60_000)] = _CALL.silence_hold_ms
    silence_threshold_dbfs: Annotated[float, Between(-90.0, 0.0)] = _CALL.silence_threshold_dbfs
    connect_s: Annotated[float, Between(0.1, 60.0)] = _PROVIDER.open_s
    ping_interval_s: Annotated[float, Between(1.0, 600.0)] = _PROVIDER.ping_interval_s
    ping_timeout_s: Annotated[float, Between(1.0, 600.0)] = _PROVIDER.ping_timeout_s
    tool_threads: Annotated[int, Between(1, 1_000)] = 32
    shutdown_s: Annotated[float, Between(0.0, 3_600.0)] = 10.0


@attrs.frozen(kw_only=True)
class LogSection(Section):
    """What is logged, and how."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"
    wire: bool = False


@attrs.frozen(kw_only=True)
class ConfigFile(Section):
    """The whole file; every key may be left out."""

    spec: Filled = "server_vad"
    listen: ListenSection = attrs.field(factory=ListenSection)
    provider: ProviderSection = attrs.field(factory=ProviderSection)
    audio: AudioSection = attrs.field(factory=AudioSection)
    greeting: str = ""
    talk_key: TalkKey = "*"
    turns: Node | None = None
    """By the spec's own settings (config.py)."""
    tools: tuple[ToolSection, ...] = ()
    journal: FolderSection = attrs.field(factory=FolderSection)
    recording: FolderSection = attrs.field(factory=FolderSection)
    limits: LimitsSection = attrs.field(factory=LimitsSection)
    log: LogSection = attrs.field(factory=LogSection)
