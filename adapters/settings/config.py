"""The configuration of `turnspec serve`: one YAML file as typed values, or every problem with its place. Never acts.

The file is structured as sections.py says; here is what its keys mean together, for the server and its calls.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from adapters.call.settings import CallLimits, CallSettings
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.logs import LogSettings, Redactor
from adapters.providers.realtime.connection import ConnectionLimits
from adapters.providers.realtime.endpoint import Endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.settings.compat import incompatibilities
from adapters.settings.folders import reason_of
from adapters.settings.provider import ProviderReader, is_loopback
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile, LimitsSection, ListenSection, ToolSection
from adapters.specs import BUNDLED, display_path, load_file, spec_hint, spec_path
from adapters.tools import Tool
from fsm.journal.journal import digest
from fsm.language.problem import Place, Problem, Problems, SpecError, suggestion
from fsm.language.spec import Spec
from fsm.language.yaml_nodes import Node, read

_MAX_CHARS: Final = 1_000_000
_BEGINS_ODDLY: Final = re.compile(r"[:\-,\[{]\s*[*&%@`]")
_SECRET_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_HANG_UP_MARGIN_S: Final = 3.0


@attrs.frozen(kw_only=True)
class Settings:
    """All that a server needs. Printing it shows no secret; `secrets` are for logs.Redactor alone."""

    file: str
    spec: Spec
    spec_digest: str
    """As fsm.journal.journal.digest makes it: which text of the spec a journal belongs to."""
    provider: RealtimeProvider
    call: CallSettings
    audiosocket: AudioSocketSettings
    log: LogSettings
    shutdown_s: float
    """How long live calls may take to end politely when the server is asked to stop."""
    tool_threads: int
    listen_place: Place
    """Where the address to listen on was written, for an error about it."""
    warnings: tuple[Problem, ...] = ()
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks a configuration file, its spec and its tools. Raises SpecError with every problem, no secret."""
    reader = SettingsReader(Problems(), os.environ if environment is None else environment, path.resolve().parent)
    text = _text(path)
    settings = None
    try:
        root = read(text, display_path(path), reader.problems)
        if root.pairs is None:
            reader.problems.add(root.place, "type", f"a configuration is a mapping, this is a {root.kind}")
        else:
            if str(reader.folder) not in sys.path:
                sys.path.append(str(reader.folder))  # of tools; last: a file beside the configuration hides no module
            settings = _settings(reader, reader.read(root, ConfigFile))
    except SpecError as error:
        reader.problems.adopt(SpecError(_explained(each, text) for each in error.problems))
    secrets = _secrets(reader)
    found = tuple(_without_secrets(problem, Redactor(secrets)) for problem in reader.problems)
    if settings is None or reader.problems.errors:
        raise SpecError(found)
    return attrs.evolve(settings, warnings=found, secrets=secrets)


def _settings(reader: SettingsReader, config: ConfigFile) -> Settings | None:
    """None where a problem was found that leaves none."""
    spec, spec_digest = _spec(reader, config)
    tools = _tools(reader, config.tools)
    provider = ProviderReader(reader, config.provider).read(spec, list(tools.values()))
    turns = _turns(reader, config.turns, spec) if spec is not None else {}
    _warn_of_open_port(reader, config.listen)
    if spec is None or provider is None:
        return None
    _warn_of_short_hold(reader, config.limits, provider[1])
    limits, (host, port) = config.limits, config.listen.audiosocket
    return Settings(
        file=config.written.place.file,
        spec=spec,
        spec_digest=spec_digest,
        provider=_provider(config, *provider),
        call=_call(config, tools, turns),
        audiosocket=AudioSocketSettings(
            host=host,
            port=port,
            allowed_peers=config.listen.allow,
            max_connections=limits.calls,
            handshake_deadline_s=limits.handshake_s,
            hang_up_deadline_s=limits.hang_up_s,
        ),
        log=LogSettings(format=config.log.format, level=config.log.level, wire=config.log.wire),
        shutdown_s=limits.shutdown_s,
        tool_threads=limits.tool_threads,
        listen_place=config.listen.written.place_of("audiosocket"),
    )


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


def _turns(reader: SettingsReader, node: Node | None, spec: Spec) -> dict[str, str]:
    """What the spec leaves to the operator: each setting with one of the values that the spec gives it."""
    chosen: dict[str, str] = {}
    if node is not None and node.pairs is None:
        reader.mistyped(node, "a mapping of settings of the spec")
    for key, value in (node.pairs if node is not None else None) or ():
        name, text = str(key.text), value.text or ""
        if name not in spec.settings:
            message = f"'{name}' is not a setting of {spec.name}"
            reader.problems.add(key.place, "unknown-name", message, suggestion(name, spec.settings))
        elif text not in (known := spec.variable(spec.settings[name]).domain):
            message = f"'{text}' is not a value of {name}: {', '.join(known)}"
            reader.problems.add(value.place, "value", message, suggestion(text, known))
        else:
            chosen[name] = text
    return chosen


def _provider(config: ConfigFile, endpoint: Endpoint, session: SessionSettings) -> RealtimeProvider:
    limits = ConnectionLimits(
        open_s=config.limits.connect_s,
        ping_interval_s=config.limits.ping_interval_s,
        ping_timeout_s=config.limits.ping_timeout_s,
    )
    restored = config.provider.restored_answers
    return RealtimeProvider(endpoint=endpoint, session=session, limits=limits, restored_answers=restored)


def _spec(reader: SettingsReader, config: ConfigFile) -> tuple[Spec | None, str]:
    """The spec, if it is sound and can run calls here, and the digest of its texts."""
    if "spec" in config.written.rejected:
        return None, ""
    place = config.written.place_of("spec")
    path = spec_path(config.spec) if config.spec in BUNDLED else reader.path(config.spec)
    try:
        loaded, texts = load_file(path)
    except (OSError, ValueError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else reason_of(error)
        reader.problems.add(place, "no-file", f"the spec cannot be read: {reason}", spec_hint(config.spec))
        return None, ""
    except SpecError as error:
        reader.problems.adopt(error)
        return None, ""
    spec = loaded.spec
    reader.problems.extend(incompatibilities(spec, bool(config.greeting.strip()), place))
    return spec, digest(texts)


def _tools(reader: SettingsReader, sections: Sequence[ToolSection]) -> dict[str, Tool]:
    """Every tool by its name; each function takes what its schema promises."""
    tools: dict[str, Tool] = {}
    for each in sections:
        complaint = "" if "parameters" in each.written.rejected else _mismatch(each.function, each.parameters)
        if complaint:
            reader.problems.add(each.written.place_of("function"), "tool-signature", complaint)
        if each.name in tools:
            reader.problems.add(each.written.place_of("name"), "duplicate-name", f"there are two tools '{each.name}'")
        tools[each.name] = Tool(each.name, each.function, each.description, each.parameters, each.deadline_s)
    return tools


def _mismatch(function: Callable[..., object], parameters: Mapping[str, object]) -> str:
    """Why the function cannot take what the schema promises; "" if it can, or if nobody can say."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return ""
    required, offered = parameters.get("required"), parameters.get("properties")
    least = dict.fromkeys(each for each in required if isinstance(each, str)) if isinstance(required, list) else {}
    most = least | dict.fromkeys(offered if isinstance(offered, dict) else ())
    for given, what in ((least, "requires"), (most, "offers")):
        try:
            signature.bind(**given)
        except TypeError as error:
            return f"the function does not take what the schema {what}: {error}"
    return ""


# --- what works and is seldom meant -----------------------------------------------------------------------------------


def _warn_of_open_port(reader: SettingsReader, listen: ListenSection) -> None:
    if not listen.written.pairs or listen.allow or is_loopback(listen.audiosocket[0]):
        return
    place = listen.written.place_of("audiosocket")
    message = "AudioSocket has no authentication: whoever reaches this port can call"
    reader.problems.warn(place, "open-port", message, "name your Asterisk: listen.allow: [ADDRESS]")


def _warn_of_short_hold(reader: SettingsReader, limits: LimitsSection, session: SessionSettings) -> None:
    detection = session.turn_detection
    waits = detection.get("silence_duration_ms") if isinstance(detection, Mapping) else None
    hold_ms = limits.silence_hold_ms
    if isinstance(waits, int | float) and waits >= hold_ms:
        message = f"turns would be cut: the provider waits {waits} ms for the end of one, we {hold_ms} ms"
        place = limits.written.place_of("silence_hold_ms")
        reader.problems.warn(place, "short-hold", message, "limits.silence_hold_ms must be longer")


# --- the text, and no secret of it in a problem -----------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_CHARS + 1)  # not more: it may be a device
        if len(text) > _MAX_CHARS:
            raise OSError(0, f"it is longer than {_MAX_CHARS} characters")
        return text
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        message = f"the configuration cannot be read: {reason}"
        raise SpecError([Problem(Place(display_path(path), 1, 1), "no-file", message)]) from None


def _explained(problem: Problem, text: str) -> Problem:
    """YAML's own words say little to whoever wrote `{api_key: ${KEY}}`: a plain text in { } may hold no { itself."""
    line = "".join(text.splitlines()[problem.place.line - 1 : problem.place.line])
    if problem.code != "yaml":
        return problem
    if "${" in line:
        return attrs.evolve(problem, hint="""inside { } and [ ] write "${NAME}" in quotes""")
    if _BEGINS_ODDLY.search(line):
        return attrs.evolve(problem, hint="quote what begins with *, &, %, @ or `")
    return problem


def _secrets(reader: SettingsReader) -> tuple[str, ...]:
    """The keys, and every variable that was asked for and is called like one."""
    named = {value for name, value in reader.used.items() if any(word in name.upper() for word in _SECRET_NAMES)}
    named |= {reader.environment.get("OPENAI_API_KEY", ""), *reader.secrets}
    return tuple(sorted((text.strip() for text in named if text.strip()), key=len, reverse=True))


def _without_secrets(problem: Problem, redactor: Redactor) -> Problem:
    message, hint = redactor.text(problem.message), redactor.text(problem.hint)
    return attrs.evolve(problem, message=message, hint=hint, trail=tuple(map(redactor.text, problem.trail)))
