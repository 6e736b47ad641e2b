"""The configuration file as classes: a section for each mapping, a typed field for each key, its default, its bounds.

The reader derives everything from here, and a test compares turnspec.example.yaml with it. Defaults of limits are those
of the parts that they limit. What several keys mean together is in config.py, provider.py, turns.py and tools.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import attrs

from adapters.audio.prompt import NAMES as OUR_PROMPTS
from adapters.call.settings import CallLimits, CallSettings
from adapters.control.settings import ControlSettings
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.providers.circuit import FAILURES
from adapters.providers.connection import ConnectionLimits
from adapters.providers.realtime.protocol import RestoredAnswers
from adapters.settings import kinds
from adapters.settings.listening import (
    ChanWebSocketSection,
    ClusterSection,
    HttpSection,
    ListenSection,
    SidebandSection,
    TwilioSection,
)
from adapters.settings.reader import Between, Section, SettingsReader
from adapters.tool_processes import MOST
from fsm.language.yaml_nodes import Node


def _voice(reader: SettingsReader, node: Node) -> str | VoiceSection:
    return reader.text(node, "a text or {id: ...}") if node.pairs is None else reader.read(node, VoiceSection)


def _agents(reader: SettingsReader, node: Node) -> Mapping[str, AgentSection]:
    found = reader.named(node, AgentSection, kinds.NAME, "agents")
    if DEFAULT_AGENT in found:
        raise reader.rejected(node, "name", f"'{DEFAULT_AGENT}' is the agent of the file itself")
    return found


def _transfers(reader: SettingsReader, node: Node) -> Mapping[str, TransferSection]:
    return reader.named(node, TransferSection, kinds.NAME, "transfers")


def _prompts(reader: SettingsReader, node: Node) -> PromptsSection:
    """Ours by their keys, all others by the names that a spec gives them."""
    if node.pairs is None:
        return reader.read(node, PromptsSection)
    ours = tuple(pair for pair in node.pairs if pair[0].text in OUR_PROMPTS)
    rest = tuple(pair for pair in node.pairs if pair not in ours)
    known = reader.read(attrs.evolve(node, pairs=ours), PromptsSection)
    recording: Any = Annotated[Path, kinds.recording]
    return attrs.evolve(known, more=reader.named(attrs.evolve(node, pairs=rest), recording, kinds.WORD, "recordings"))


def _effects(reader: SettingsReader, node: Node) -> Mapping[str, EffectSection]:
    """Each as `module:function`, or with a deadline of its own."""
    pairs = tuple(
        (key, value if value.pairs is not None else Node(value.place, pairs=((Node(value.place, "function"), value),)))
        for key, value in node.pairs or ()
    )
    whole = attrs.evolve(node, pairs=pairs) if node.pairs is not None else node
    return reader.named(whole, EffectSection, kinds.WORD, "effects")


def _providers(reader: SettingsReader, node: Node) -> tuple[ProviderSection, ...]:
    """One, or a list of them."""
    if node.items is None:
        return (reader.read(node, ProviderSection),)
    kind: Any = tuple[ProviderSection, ...]
    found: tuple[ProviderSection, ...] = reader.read(node, kind)
    if not found:
        raise reader.rejected(node, "empty", "a provider is expected here, this list is empty")
    return found


def _say(reader: SettingsReader, node: Node) -> Mapping[str, str]:
    instruction: Any = kinds.Filled
    return reader.named(node, instruction, kinds.WORD, "instructions")


DEFAULT_AGENT: Final = "default"
_CALL: Final = CallLimits()
_LINE: Final = AudioSocketSettings()
_PROVIDER: Final = ConnectionLimits()
_CONTROL: Final = ControlSettings()


# --- the sections -----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class VoiceSection(Section):
    """A voice of one's own."""

    id: kinds.Filled


@attrs.frozen(kw_only=True)
class TranscriptionSection(Section):
    """Which model writes down what the caller says; further fields go to the provider as they are."""

    example = "e.g. transcription: {model: gpt-4o-mini-transcribe, language: en}"

    model: kinds.Filled
    language: kinds.Filled | None = None
    prompt: kinds.Filled | None = None
    more: Mapping[str, object] = attrs.field(factory=dict)

    def as_sent(self) -> dict[str, object]:
        known = {"model": self.model, "language": self.language, "prompt": self.prompt}
        return {key: value for key, value in known.items() if value is not None} | dict(self.more)


@attrs.frozen(kw_only=True)
class McpSection(Section):
    """An MCP server whose tools the provider calls. Nobody here can approve a call, so it is told to ask nobody."""

    example = "e.g. mcp: [{server_label: shop, server_url: https://tools.example.com/mcp}]"

    server_label: kinds.Filled
    server_url: kinds.Filled | None = None
    connector_id: kinds.Filled | None = None
    server_description: kinds.Filled | None = None
    authorization: kinds.Secret | None = attrs.field(default=None, repr=False)
    headers: Annotated[Mapping[str, object], kinds.json_object] | None = attrs.field(default=None, repr=False)
    allowed_tools: tuple[kinds.Filled, ...] | None = None

    def as_sent(self) -> dict[str, object]:
        said = attrs.asdict(self, filter=lambda field, value: field.name != "written" and value is not None)
        return {"type": "mcp", **said, "require_approval": "never"}


@attrs.frozen(kw_only=True)
class DelegationSection(Section):
    """Who does the work that a model over GPT-Live delegates: our application, or a hosted model with our tools."""

    example = "e.g. delegation: {to: responses, model: NAME}"

    to: Literal["client", "responses"] = "responses"
    model: kinds.Filled | None = None
    instructions: kinds.Filled | None = None


@attrs.frozen(kw_only=True)
class ProviderSection(Section):
    """Where the model is, with which key, and what its session is to be (provider.py, turns.py)."""

    moved = {  # noqa: RUF012 (typed where it is declared)
        "dialect": "the form of the protocol goes with the server: write server: NAME (docs/servers.md), or nothing"
        " where the URL says it; server: beta is any other server with the beta names"
    }

    url: str | None = None
    protocol: Literal["realtime", "live", "deepgram", "gemini"] | None = None
    spec: kinds.Filled | None = None
    """Of a further provider that speaks another protocol than the first: what a call is under when it goes on there."""
    delegation: DelegationSection | None = None
    model: kinds.Filled | None = None
    api_key: kinds.Secret | None = attrs.field(default=None, repr=False)
    server: kinds.Filled | None = None
    """A row of the table of servers (servers.py); None: by the URL."""
    voice: Annotated[str | VoiceSection | None, _voice] = None
    instructions: str | None = None
    format: kinds.Format | None = None
    """None: pcmu, or what the server takes."""
    turn_detection: Node | None = None
    transcription: TranscriptionSection | None = None
    restored_answers: RestoredAnswers = "messages"
    noise_reduction: kinds.NoiseReduction | None = None
    speed: Annotated[float, Between(0.25, 1.5)] | None = None
    max_output_tokens: Annotated[int | Literal["inf"], kinds.tokens] | None = None
    reasoning: kinds.Effort | None = None
    parallel_tool_calls: bool | None = None
    truncation: Annotated[str | Mapping[str, object], kinds.truncation] | None = None
    prompt: Annotated[Mapping[str, object], kinds.json_object] | None = None
    include: tuple[kinds.Filled, ...] | None = None
    tracing: Annotated[str | Mapping[str, object], kinds.text_or_object] | None = None
    mcp: tuple[McpSection, ...] = ()
    extra: Annotated[Mapping[str, object], kinds.json_object] | None = None
    """Laid over the session as it is: what turnspec does not know."""


@attrs.frozen(kw_only=True)
class AudioSection(Section):
    """How the caller is listened to."""

    half_duplex: bool = CallSettings().half_duplex
    min_speech_ms: Annotated[int, Between(40, 5_000)] | None = _CALL.min_speech_ms


@attrs.frozen(kw_only=True)
class ToolSection(Section):
    """A Python function the model may call."""

    name: Annotated[str, kinds.tool_name]
    function: Annotated[Callable[..., object], kinds.function]
    description: str = ""
    parameters: Annotated[Mapping[str, object], kinds.json_schema] = kinds.NO_PARAMETERS
    deadline_s: Annotated[float, Between(0.1, 120.0)] = 20.0
    """At most what the bundled specs give a round of tools (`tools_overdue`)."""
    process: bool = False
    """It runs in a process of its own, which can be ended (adapters/tool_processes.py)."""
    environment: tuple[Annotated[str, kinds.variable_name], ...] = ()
    """What of our environment that process gets."""


@attrs.frozen(kw_only=True)
class EffectSection(Section):
    """A Python function for an effect that is for the application (effects.py)."""

    example = "e.g. effects: {notify_crm: crm:notify}"

    function: Annotated[Callable[..., object], kinds.function]
    deadline_s: Annotated[float, Between(0.1, 120.0)] = 10.0


@attrs.frozen(kw_only=True)
class PromptsSection(Section):
    """Recordings in place of ours, and of the spec's own, as WAV files: 16 bit, any rate, any number of channels."""

    apology: Annotated[Path, kinds.recording] | None = None
    one_moment: Annotated[Path, kinds.recording] | None = None
    opening: Annotated[Path, kinds.recording] | None = None
    """Heard first, while the provider is connected; the greeting comes after it."""
    more: Mapping[str, Path] = attrs.field(factory=dict)
    """Those of the spec's own names (words.py)."""


@attrs.frozen(kw_only=True)
class TransferSection(Section):
    """Somebody to whom a caller can be put through, by the key of the section."""

    about: str = ""
    """What the model is told of it."""
    dial: str = ""
    """Whom Twilio rings for its calls, and a sideband's provider refers to: a number, or sip:ADDRESS."""
    to: str = ""
    """Where a transfer of ours goes; without it the dialplan does it, by the key (adapters/call/result.py)."""


@attrs.frozen(kw_only=True)
class AmiSection(Section):
    """Asterisk's manager interface (manager.conf)."""

    host: kinds.Filled = "127.0.0.1"
    port: Annotated[int, Between(1, 65_535)] = 5038
    username: kinds.Filled
    secret: kinds.Secret = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AriSection(Section):
    """Asterisk's REST interface (ari.conf)."""

    url: kinds.Filled = "http://127.0.0.1:8088/ari"
    username: kinds.Filled
    password: kinds.Secret = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ControlSection(Section):
    """Who moves the caller's channel; nobody: the dialplan acts by the call's result (control.py)."""

    ami: AmiSection | None = None
    ari: AriSection | None = None
    result_variable: kinds.Filled = _CONTROL.result_variable
    uuid_variable: kinds.Filled = _CONTROL.uuid_variable
    deadline_s: Annotated[float, Between(0.5, 25.0)] = _CONTROL.deadline_s


@attrs.frozen(kw_only=True)
class AgentSection(Section):
    """One of several agents: what it does not say, the file says."""

    numbers: tuple[kinds.Filled, ...] = ()
    """Dialled numbers that are its own."""
    spec: kinds.Filled = "server_vad"
    instructions: str | None = None
    greeting: str = ""
    voice: Annotated[str | VoiceSection | None, _voice] = None
    talk_key: kinds.TalkKey = "*"
    turns: Node | None = None
    tools: tuple[ToolSection, ...] = ()
    call_tools: tuple[kinds.CallTool, ...] = ()
    prompts: Annotated[PromptsSection, _prompts] = attrs.field(factory=PromptsSection)
    say: Annotated[Mapping[str, str], _say] = attrs.field(factory=dict)
    journal: bool = True
    """Whether its calls are in the journal of the file, if there is one."""
    recording: bool = True


@attrs.frozen(kw_only=True)
class RecordingSection(Section):
    """A folder that gets a file for each call. Files of ours that are older than `keep_days` are deleted."""

    dir: Annotated[Path, kinds.folder] | None = None
    keep_days: Annotated[float, Between(0.01, 36_500.0)] | None = None


@attrs.frozen(kw_only=True)
class JournalSection(RecordingSection):
    """The same, and what is not to stand in it: values by the name of their field, parts of any text."""

    text_chars: Annotated[int, Between(1_000, 10_000_000)] = 16_000
    hide_keys: tuple[kinds.Filled, ...] = ()
    hide_patterns: tuple[Annotated[re.Pattern[str], kinds.pattern], ...] = ()


@attrs.frozen(kw_only=True)
class LimitsSection(Section):
    """Every number has its bounds, so that a limit of a configuration is a limit."""

    calls: Annotated[int, Between(1, 100_000)] = _LINE.max_connections
    unidentified: Annotated[int, Between(32, 100_000)] = _LINE.max_unidentified
    calls_per_peer: Annotated[int, Between(1, 100_000)] | None = _LINE.max_calls_per_peer
    handshake_s: Annotated[float, Between(0.1, 60.0)] = _LINE.handshake_deadline_s
    hang_up_s: Annotated[float, Between(0.1, 60.0)] = _LINE.hang_up_deadline_s
    mailbox_events: Annotated[int, Between(16, 1_000_000)] = _CALL.mailbox_events
    caller_audio_kept_ms: Annotated[int, Between(0, 60_000)] = _CALL.caller_audio_kept_ms
    agent_audio_queued_ms: Annotated[int, Between(1_000, 3_600_000)] = _CALL.agent_audio_queued_ms
    silence_hold_ms: Annotated[int, Between(100, 60_000)] = _CALL.silence_hold_ms
    silence_threshold_dbfs: Annotated[float, Between(-90.0, 0.0)] = _CALL.silence_threshold_dbfs
    connect_s: Annotated[float, Between(0.1, 60.0)] | None = None
    """None: what the spec says."""
    ping_interval_s: Annotated[float, Between(1.0, 600.0)] = _PROVIDER.ping_interval_s
    ping_timeout_s: Annotated[float, Between(1.0, 600.0)] = _PROVIDER.ping_timeout_s
    message_bytes: Annotated[int, Between(65_536, 67_108_864)] = _PROVIDER.message_bytes
    provider_events_s: Annotated[int, Between(100, 100_000)] = _PROVIDER.events_per_s
    provider_failures: Annotated[int, Between(1, 1_000)] = FAILURES
    loop_lag_ms: Annotated[float, Between(5.0, 60_000.0)] = 50.0
    new_calls_s: Annotated[float, Between(1.0, 10_000.0)] = 50.0
    tool_threads: Annotated[int, Between(1, 1_000)] = 32
    tool_processes: Annotated[int, Between(1, 256)] = MOST
    shutdown_s: Annotated[float, Between(0.0, 3_600.0)] = 10.0
    notice_s: Annotated[float, Between(0.0, 86_400.0)] = 0.0


@attrs.frozen(kw_only=True)
class ServeSection(Section):
    """The processes that serve, and on which loop (serve.py)."""

    workers: Annotated[int, kinds.workers] = 1
    loop: kinds.LoopName = "asyncio"


@attrs.frozen(kw_only=True)
class LogSection(Section):
    """What is logged, and how."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"
    wire: bool = False


@attrs.frozen(kw_only=True)
class ConfigFile(Section):
    """The whole file; every key may be left out."""

    spec: kinds.Filled = "server_vad"
    listen: ListenSection = attrs.field(factory=ListenSection)
    chan_websocket: ChanWebSocketSection = attrs.field(factory=ChanWebSocketSection)
    twilio: TwilioSection = attrs.field(factory=TwilioSection)
    sideband: SidebandSection = attrs.field(factory=SidebandSection)
    http: HttpSection = attrs.field(factory=HttpSection)
    cluster: ClusterSection = attrs.field(factory=ClusterSection)
    provider: Annotated[tuple[ProviderSection, ...], _providers] = attrs.field(factory=lambda: (ProviderSection(),))
    """In the order in which they are tried; nearly always one."""
    servers: Node | None = None
    """Rows for the table of servers, or a file of them (servers.py)."""
    audio: AudioSection = attrs.field(factory=AudioSection)
    greeting: str = ""
    talk_key: kinds.TalkKey = "*"
    turns: Node | None = None
    """By the spec's own settings (config.py)."""
    tools: tuple[ToolSection, ...] = ()
    call_tools: tuple[kinds.CallTool, ...] = ()
    """Tools of the call itself (adapters/call_tools.py)."""
    effects: Annotated[Mapping[str, EffectSection], _effects] = attrs.field(factory=dict)
    transfers: Annotated[Mapping[str, TransferSection], _transfers] = attrs.field(factory=dict)
    control: ControlSection = attrs.field(factory=ControlSection)
    prompts: Annotated[PromptsSection, _prompts] = attrs.field(factory=PromptsSection)
    say: Annotated[Mapping[str, str], _say] = attrs.field(factory=dict)
    """Instructions that the spec names and leaves to us, or others in place of its own (words.py)."""
    agents: Annotated[Mapping[str, AgentSection], _agents] = attrs.field(factory=dict)
    """Further ones, chosen by what the line says about a call (agents.py)."""
    journal: JournalSection = attrs.field(factory=JournalSection)
    recording: RecordingSection = attrs.field(factory=RecordingSection)
    limits: LimitsSection = attrs.field(factory=LimitsSection)
    serve: ServeSection = attrs.field(factory=ServeSection)
    log: LogSection = attrs.field(factory=LogSection)
