"""The configuration of `turnspec serve`: one YAML file as typed values, or every problem with its place. Never acts.

The file is structured as sections.py says; here is what its keys mean together, for the server and its calls.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from adapters.audio.prompt import NAMES as PROMPT_NAMES
from adapters.call.settings import CallLimits, CallSettings
from adapters.control.settings import ControlSettings
from adapters.lines.audiosocket.settings import RATES_HZ, AudioSocketSettings
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.lines.sideband.settings import SidebandSettings
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.twiml import DialTarget
from adapters.logs import LogSettings, Redactor
from adapters.providers.circuit import FAILURES
from adapters.settings.agents import agent_files, warn_of_places
from adapters.settings.chan_websocket import read_chan_websocket
from adapters.settings.cluster import ClusterSettings, read_cluster
from adapters.settings.compat import incompatibilities
from adapters.settings.control import control_settings
from adapters.settings.effects import check_effect_names, read_effects
from adapters.settings.folders import reason_of
from adapters.settings.further import FurtherSpec, domain_of, read_further, turns_of
from adapters.settings.http import HttpSettings, read_http
from adapters.settings.listening import ListenSection
from adapters.settings.protocols import KEYS, ConfiguredProvider
from adapters.settings.provider import is_loopback
from adapters.settings.providers import read_providers
from adapters.settings.reader import RejectedError, SettingsReader
from adapters.settings.sections import (
    ConfigFile,
    JournalSection,
    LimitsSection,
    ProviderSection,
)
from adapters.settings.serve import ServeSettings, read_serve
from adapters.settings.servers import Servers, bundled_servers, read_servers
from adapters.settings.sideband import check_attachable, read_sideband
from adapters.settings.tools import read_call_tools, read_tools
from adapters.settings.twilio import read_dials, read_twilio
from adapters.settings.words import Words, unsaid, warn_of_names, words_of
from adapters.specs import BUNDLED, Texts, display_path, load_file, spec_hint, spec_path
from adapters.tool_processes import MOST
from adapters.tools import Tool
from fsm.journal.journal import digest
from fsm.journal.scrub import Scrubber, scrub
from fsm.language.loader import Loaded
from fsm.language.problem import Place, Problem, Problems, SpecError, suggestion
from fsm.language.spec import Spec
from fsm.language.yaml_nodes import Node, read

Load: TypeAlias = Callable[[Path], tuple[Loaded, tuple[str, ...]]]

_MAX_CHARS: Final = 1_000_000
_SECRET_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_HANG_UP_MARGIN_S: Final = 3.0
_EVENT_VALUES: Final = 5_000
"""Of one event, in a journal; a session with fifty tools has a thousand."""
_LIMITS_OF_DEADLINES: Final = ("connect_s",)
"""The keys of `limits:` that a deadline of a spec may be set by."""


@attrs.frozen(kw_only=True)
class AgentSettings:
    """What a call of one agent needs."""

    name: str
    numbers: tuple[str, ...]
    """Dialled numbers that are its own."""
    spec: Spec
    spec_digest: str
    """As fsm.journal.journal.digest makes it: which text of the spec a journal belongs to."""
    provider: ConfiguredProvider
    call: CallSettings
    prompts: Mapping[str, Path]
    """Recordings in place of ours, by name."""
    fallbacks: tuple[ConfiguredProvider, ...] = ()
    """Providers that are tried after it, in this order."""
    further: tuple[FurtherSpec, ...] = ()
    """Under which calls go on with a provider of another protocol."""

    @property
    def providers(self) -> tuple[ConfiguredProvider, ...]:
        return (self.provider, *self.fallbacks)


@attrs.frozen(kw_only=True)
class Settings:
    """All that a server needs. Printing it shows no secret; `secrets` are for logs.Redactor alone."""

    file: str
    agents: tuple[AgentSettings, ...]
    """The default one first: the file without its `agents:`."""
    audiosocket: AudioSocketSettings
    chan_websocket: ChanWebSocketSettings | None = None
    """None: nothing listens for Asterisk's WebSockets."""
    twilio: TwilioSettings | None = None
    """None: nothing listens for Twilio."""
    sideband: SidebandSettings = attrs.field(factory=SidebandSettings)
    http: HttpSettings | None = None
    """None: there is no door."""
    cluster: ClusterSettings | None = None
    """None: what is known of calls is known to this process alone."""
    dials: Mapping[str, DialTarget] = attrs.field(factory=dict)
    """Whom Twilio rings, and a provider refers to, by the key of a transfer."""
    control: ControlSettings = attrs.field(factory=ControlSettings)
    log: LogSettings
    shutdown_s: float
    """How long live calls may take to end politely when the server is asked to stop."""
    notice_s: float = 0.0
    """How long before that a balancer is told, at most, and calls go on."""
    tool_threads: int
    tool_processes: int = MOST
    scrubber: Scrubber = scrub
    """What a journal hides."""
    journal_keep_days: float | None = None
    recording_keep_days: float | None = None
    serve: ServeSettings = attrs.field(factory=ServeSettings)
    provider_failures: int = FAILURES
    """Within 30 s, before new calls pass a provider over."""
    loop_lag_s: float | None = None
    """How late the loop may be before further calls are turned away; None: however late."""
    new_calls_s: float = 50.0
    """How many calls a second may begin."""
    texts: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)
    """The file and its specs as they were read, by absolute path: for `load_settings` in another process."""
    listen_place: Place
    """Where the address to listen on was written, for an error about it."""
    calls_place: Place
    """Where it was written how many calls there may be."""
    warnings: tuple[Problem, ...] = ()
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def spec(self) -> Spec:
        """Of the default agent."""
        return self.agents[0].spec

    @property
    def spec_digest(self) -> str:
        """Of the default agent."""
        return self.agents[0].spec_digest

    @property
    def provider(self) -> ConfiguredProvider:
        """The first of the default agent."""
        return self.agents[0].provider

    @property
    def provider_urls(self) -> tuple[str, ...]:
        """Of the default agent, in the order in which they are tried."""
        return tuple(each.endpoint.url for each in self.agents[0].providers)

    @property
    def call(self) -> CallSettings:
        """Of the default agent."""
        return self.agents[0].call


def load_settings(
    path: Path, environment: Mapping[str, str] | None = None, given: Mapping[str, str] | None = None
) -> Settings:
    """Reads and checks a configuration file, its spec and its tools. Raises SpecError with every problem, no secret.

    `given`: the `texts` of settings that were read before, in place of the files.
    """
    texts = Texts(given)
    reader = SettingsReader(Problems(), os.environ if environment is None else environment, path.resolve().parent)
    text = _text(path, texts)
    settings = None
    try:
        root = read(text, display_path(path), reader.problems)
        if root.pairs is None:
            reader.problems.add(root.place, "type", f"a configuration is a mapping, this is a {root.kind}")
        else:
            if str(reader.folder) not in sys.path:
                sys.path.append(str(reader.folder))  # of tools; last: a file beside the configuration hides no module
            settings = _settings(reader, reader.read(root, ConfigFile), texts)
    except SpecError as error:
        reader.problems.adopt(SpecError(_explained(each, text) for each in error.problems))
    secrets = _secrets(reader)
    once = dict.fromkeys(reader.problems)  # what several agents share is wrong once
    found = tuple(_without_secrets(problem, Redactor(secrets)) for problem in once)
    if settings is None or reader.problems.errors:
        raise SpecError(found)
    return attrs.evolve(settings, warnings=found, secrets=secrets, texts=texts.read_so_far)


def _settings(reader: SettingsReader, config: ConfigFile, texts: Texts) -> Settings | None:
    """None where a problem was found that leaves none."""
    read = functools.partial(load_file, typestate=texts.is_on_disk, on_disk=texts)
    load = functools.cache(read)  # agents may share a spec
    servers = _servers(reader, config)
    agents = [_agent(reader, load, servers, *each) for each in agent_files(reader, config)]
    specs = {each.name: each.spec for each in agents if each is not None}
    warn_of_names(reader, config, specs)
    check_effect_names(reader, config, specs.values())
    channels, twilio = read_chan_websocket(reader, config), read_twilio(reader, config)
    _warn_of_open_port(reader, config.listen)
    control = control_settings(reader, config)
    dials = read_dials(reader, config)
    http, cluster, serve = read_http(reader, config), read_cluster(reader, config), read_serve(reader, config)
    sideband = read_sideband(reader, config)
    known = tuple(each for each in agents if each is not None)
    if len(known) < len(agents):
        return None
    check_attachable(reader, config, (each for agent in known for each in agent.providers))
    limits = config.limits
    return Settings(
        file=config.written.place.file,
        agents=known,
        audiosocket=_audiosocket(config.listen, limits),
        chan_websocket=channels,
        twilio=twilio,
        sideband=sideband,
        http=http,
        serve=serve,
        provider_failures=limits.provider_failures,
        loop_lag_s=limits.loop_lag_ms / 1000,
        new_calls_s=limits.new_calls_s,
        cluster=cluster,
        dials=dials,
        control=control,
        log=LogSettings(format=config.log.format, level=config.log.level, wire=config.log.wire),
        shutdown_s=limits.shutdown_s,
        notice_s=limits.notice_s,
        tool_threads=limits.tool_threads,
        tool_processes=limits.tool_processes,
        scrubber=_scrubber(config.journal),
        journal_keep_days=config.journal.keep_days,
        recording_keep_days=config.recording.keep_days,
        listen_place=config.listen.written.place_of("audiosocket"),
        calls_place=limits.written.place_of("calls"),
    )


def _audiosocket(listen: ListenSection, limits: LimitsSection) -> AudioSocketSettings:
    host, port = listen.audiosocket
    return AudioSocketSettings(
        host=host,
        port=port,
        allowed_peers=listen.allow,
        rates_hz=listen.rates or RATES_HZ,
        refuse=listen.refuse,
        max_connections=limits.calls,
        max_unidentified=limits.unidentified,
        max_calls_per_peer=limits.calls_per_peer,
        handshake_deadline_s=limits.handshake_s,
        hang_up_deadline_s=limits.hang_up_s,
    )


def _scrubber(journal: JournalSection) -> Scrubber:
    return Scrubber(
        keys=frozenset(key.lower() for key in journal.hide_keys),
        patterns=journal.hide_patterns,
        longest=journal.text_chars,
        most=_EVENT_VALUES,
    )


def _servers(reader: SettingsReader, config: ConfigFile) -> Servers:
    try:
        return read_servers(reader, config.servers)
    except RejectedError:
        return bundled_servers()


def _agent(
    reader: SettingsReader, load: Load, servers: Servers, name: str, numbers: tuple[str, ...], config: ConfigFile
) -> AgentSettings | None:
    """None where a problem was found that leaves none."""
    spec, spec_digest = _spec(reader, load, config)
    tools = read_tools(reader, config.tools) | read_call_tools(reader, config)
    spec = _with_limits(reader, config.limits, spec) if spec is not None else None
    further = read_further(reader, config, spec, functools.partial(_spec, reader, load, config))
    further = {
        key: attrs.evolve(each, spec=_with_limits(reader, config.limits, each.spec)) for key, each in further.items()
    }
    known = [each for each in (spec, *(each.spec for each in further.values())) if each is not None]
    turns = _turns(reader, config.turns, known) if spec is not None else {}
    providers = read_providers(reader, config, servers, spec, list(tools.values()), further)
    warn_of_places(reader, config)
    if spec is None or providers is None:
        return None
    words = _words(reader, config, spec)
    whole = _call(config, tools, {})
    under = [_under(reader, config, whole, turns, each) for each in further.values()]
    prompts = {key: path for each in under for key, path in each.prompts.items()}
    return AgentSettings(
        name=name, numbers=numbers, spec=spec, spec_digest=spec_digest, provider=providers[0], fallbacks=providers[1:],
        call=attrs.evolve(
            whole, turns=turns_of(spec, turns), say=words.say, effects=read_effects(reader, config, spec)
        ),
        prompts={**prompts, **words.prompts}, further=tuple(under),
    )  # fmt: skip


def _words(reader: SettingsReader, config: ConfigFile, spec: Spec) -> Words:
    ours = {name: path for name in PROMPT_NAMES if (path := getattr(config.prompts, name)) is not None}
    words = words_of(spec, ours | dict(config.prompts.more), config.say)
    reader.problems.extend(unsaid(spec, words))
    return words


def _under(
    reader: SettingsReader, config: ConfigFile, whole: CallSettings, turns: Mapping[str, str], further: FurtherSpec
) -> FurtherSpec:
    """What the same call is configured with under a further spec."""
    spec = further.spec
    words, effects = _words(reader, config, spec), read_effects(reader, config, spec)
    call = attrs.evolve(whole, turns=turns_of(spec, turns), say=words.say, effects=effects)
    return attrs.evolve(further, call=call, prompts=words.prompts)


def _call(config: ConfigFile, tools: Mapping[str, Tool], turns: Mapping[str, str]) -> CallSettings:
    limits = config.limits
    return CallSettings(
        greeting=config.greeting.strip() or None,
        talk_key=config.talk_key,
        turns=turns,
        half_duplex=config.audio.half_duplex,
        tools=tools,
        journal_dir=config.journal.dir,
        recording_dir=config.recording.dir,
        limits=CallLimits(
            mailbox_events=limits.mailbox_events,
            caller_audio_kept_ms=limits.caller_audio_kept_ms,
            agent_audio_queued_ms=limits.agent_audio_queued_ms,
            silence_hold_ms=limits.silence_hold_ms,
            silence_threshold_dbfs=limits.silence_threshold_dbfs,
            min_speech_ms=config.audio.min_speech_ms,
            hang_up_s=limits.hang_up_s + _HANG_UP_MARGIN_S,  # what waits for the line waits longer than the line itself
        ),
    )


def _turns(reader: SettingsReader, node: Node | None, specs: Sequence[Spec]) -> dict[str, str]:
    """What the specs leave to the operator: each setting with a value that each spec with such a setting gives it."""
    chosen: dict[str, str] = {}
    if node is not None and node.pairs is None:
        reader.mistyped(node, "a mapping of settings of the spec")
    for key, value in (node.pairs if node is not None else None) or ():
        name, text = str(key.text), value.text or ""
        having = [spec for spec in specs if name in spec.settings]
        if not having:
            message = f"'{name}' is not a setting of {' or '.join(spec.name for spec in specs)}"
            settings = [each for spec in specs for each in spec.settings]
            reader.problems.add(key.place, "unknown-name", message, suggestion(name, settings))
        elif other := next((each for each in having if text not in domain_of(each, name)), None):
            known = domain_of(other, name)
            message = f"'{text}' is not a value of {name}: {', '.join(known)}"
            reader.problems.add(value.place, "value", message, suggestion(text, known))
        else:
            chosen[name] = text
    return chosen


def _with_limits(reader: SettingsReader, limits: LimitsSection, spec: Spec) -> Spec:
    """The spec with the operator's limits as its deadlines (`setting:` of a deadline): what both name is one number."""
    for each in spec.deadlines.values():
        if each.setting is not None and each.setting not in _LIMITS_OF_DEADLINES:
            message = f"deadline '{each.name}' is set by limits.{each.setting}, which is not a limit of deadlines"
            hint = suggestion(each.setting, _LIMITS_OF_DEADLINES)
            reader.problems.add(each.place, "unknown-name", message, hint)
            return spec
    chosen = {name: getattr(limits, name) for name in _LIMITS_OF_DEADLINES}
    return spec.with_limits({name: limit_s for name, limit_s in chosen.items() if limit_s is not None})


def _spec(
    reader: SettingsReader, load: Load, config: ConfigFile, section: ConfigFile | ProviderSection | None = None
) -> tuple[Spec | None, str]:
    """The spec, if it is sound and can run calls here, and the digest of its texts. `section`: who else names one."""
    naming = section or config
    name = naming.spec or config.spec
    if "spec" in naming.written.rejected:
        return None, ""
    place = naming.written.place_of("spec")
    path = spec_path(name) if name in BUNDLED else reader.path(name)
    try:
        loaded, texts = load(path)
    except (OSError, ValueError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else reason_of(error)
        reader.problems.add(place, "no-file", f"the spec cannot be read: {reason}", spec_hint(name))
        return None, ""
    except SpecError as error:
        reader.problems.adopt(error)
        return None, ""
    spec = loaded.spec
    reader.problems.extend(incompatibilities(spec, bool(config.greeting.strip()), place))
    return spec, digest(texts)


# --- what works and is seldom meant -----------------------------------------------------------------------------------


def _warn_of_open_port(reader: SettingsReader, listen: ListenSection) -> None:
    if not listen.written.pairs or listen.allow or is_loopback(listen.audiosocket[0]):
        return
    place = listen.written.place_of("audiosocket")
    message = "AudioSocket has no authentication: whoever reaches this port can call"
    reader.problems.warn(place, "open-port", message, "name your Asterisk: listen.allow: [ADDRESS]")


# --- the text, and no secret of it in a problem -----------------------------------------------------------------------


def _text(path: Path, texts: Texts) -> str:
    try:
        text = texts.read(path, _MAX_CHARS + 1)  # not more: it may be a device
        if len(text) > _MAX_CHARS:
            raise OSError(0, f"it is longer than {_MAX_CHARS} characters")
        return text
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        message = f"the configuration cannot be read: {reason}"
        raise SpecError([Problem(Place(display_path(path), 1, 1), "no-file", message)]) from None


def _explained(problem: Problem, text: str) -> Problem:
    """For whoever wrote `{api_key: ${KEY}}`: a plain text in { } may hold no { itself."""
    line = "".join(text.splitlines()[problem.place.line - 1 : problem.place.line])
    if problem.code != "yaml" or "${" not in line:
        return problem
    return attrs.evolve(
        problem,
        place=attrs.evolve(problem.place, column=line.index("${") + 2),
        message="this is not YAML: '{' in a value begins a mapping",
        hint="""inside { } and [ ] write "${NAME}" in quotes""",
    )


def _secrets(reader: SettingsReader) -> tuple[str, ...]:
    """The keys, and every variable that was asked for and is called like one."""
    named = {value for name, value in reader.used.items() if any(word in name.upper() for word in _SECRET_NAMES)}
    named |= {*(reader.environment.get(name, "") for name in KEYS), *reader.secrets}
    return tuple(sorted((text.strip() for text in named if text.strip()), key=len, reverse=True))


def _without_secrets(problem: Problem, redactor: Redactor) -> Problem:
    message, hint = redactor.text(problem.message), redactor.text(problem.hint)
    return attrs.evolve(problem, message=message, hint=hint, trail=tuple(map(redactor.text, problem.trail)))
