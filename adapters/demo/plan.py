"""What a demo is to play, settled before the call: spec, session, scenario, script, tools. Nothing here runs a call.

All that varies with the seed is drawn here, so that a seed gives the same call again.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeAlias

import attrs
import yaml

from adapters.call.settings import CallSettings
from adapters.demo.models import MODELS, DemoModel
from adapters.demo.script import CallerPatience, demo_script, read_turns, spoken_texts
from adapters.providers.endpoint import EndpointError
from adapters.providers.realtime.endpoint import OPENAI_URL, RealtimeEndpoint, openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.realtime_server import GA, RealtimeServer
from adapters.providers.realtime.session import UNSET, SessionSettings, Unset
from adapters.settings.compat import incompatibilities
from adapters.settings.protocols import ConfiguredProvider, ProtocolName
from adapters.settings.server_fit import format_of
from adapters.settings.words import unsaid, words_of
from adapters.simulator.caller.script import Script, load_script
from adapters.simulator.caller.voice import load_utterances
from adapters.simulator.providers.realtime.likes import faults_like
from adapters.simulator.providers.realtime.provider_scenario import (
    ProviderScenario,
    ScenarioError,
    UserTurn,
    load_scenario,
)
from adapters.simulator.providers.realtime.provider_settings import Latency, ProviderSettings
from adapters.specs import display_path, load_file, load_spec, spec_path
from adapters.tools import Tool
from fsm.errors import LocalError
from fsm.journal.journal import digest
from fsm.language.problem import Place, SpecError
from fsm.language.spec import Spec, TurnDetection

HERE: Final = Path(__file__).resolve().parent
FAULTS: Final = HERE / "scenarios"
TALK_KEY: Final = "*"
INSTRUCTIONS: Final = (
    "You are the telephone agent of a small shop that is open from nine to six. Answer in one short sentence. Ask for "
    "the order number to be keyed in. Before you call tools, say that it takes a second. Returns take thirty days."
)
SAID_GREETING: Final = "Hello! How can I help you?"
"""Where a greeting is said as it stands; over Realtime it is an instruction."""
GREETING: Final = "Please greet the caller in one short sentence and ask how you can help."


ReadSpec: TypeAlias = Callable[[str], tuple[Spec, str]]


SpokenTo: TypeAlias = RealtimeEndpoint | str
"""Where a provider is; of a model that does not speak Realtime, its URL."""


class PlanError(LocalError):
    """Wrong use of the command, in words for whoever used it."""


@attrs.frozen(kw_only=True)
class DemoOptions:
    """What was asked for on the command line."""

    spec: str = "server_vad"
    caller: Path | None = None
    """A script instead of the demo's own turns."""
    scenario: str | None = None
    provider: Literal["simulated", "openai"] = "simulated"
    audio_format: str = "pcmu"
    protocol: ProtocolName = "realtime"
    seed: int = 1
    line: str = "audiosocket"
    """One of adapters.demo.lines.LINES."""


@attrs.frozen(kw_only=True)
class DemoPlan:
    """All that a call needs but its sockets. `scenario` and `simulated` are of no use where the provider is real."""

    options: DemoOptions
    spec: Spec
    spec_digest: str
    session: SessionSettings
    scenario: ProviderScenario
    simulated: ProviderSettings
    endpoint: RealtimeEndpoint | None
    model: DemoModel | None
    """None: the provider speaks Realtime."""
    script: Script
    call_id: uuid.UUID
    server: RealtimeServer = GA
    """What the simulated provider is taken for."""

    @property
    def holds_turns(self) -> bool:
        """The caller opens and closes turns with a key."""
        return self.spec.turn_detection.manual

    def sides(self, endpoint: SpokenTo, folder: Path | None) -> tuple[ConfiguredProvider, CallSettings]:
        """The provider and the call, with tools of their own for each call: they count how often they were asked.

        `endpoint`: of a model that does not speak Realtime, its URL.
        """
        tools = demo_tools(Random(self.options.seed))
        offered = [tool.definition for tool in tools.values()]
        call = CallSettings(
            greeting=GREETING, talk_key=TALK_KEY, tools=tools, journal_dir=folder, recording_dir=folder,
            say=words_of(self.spec).say,
        )  # fmt: skip
        if isinstance(endpoint, str):
            model = MODELS[self.options.protocol]
            return model.provider(endpoint, self.session, offered), attrs.evolve(call, greeting=SAID_GREETING)
        return RealtimeProvider(endpoint=endpoint, session=attrs.evolve(self.session, tools=offered)), call

    def like(self, server: RealtimeServer, played: RealtimeServer | None = None) -> DemoPlan:
        """The same call with a simulated server of this row, in the formats that it takes. `played`: what the row says
        is not what the server does."""
        session = attrs.evolve(
            self.session,
            input_format=format_of(None, server.formats_in), output_format=format_of(None, server.formats_out),
        )  # fmt: skip
        simulated = attrs.evolve(self.simulated, server=played or server, dialect=server.names)
        scenario = attrs.evolve(self.scenario, faults=(*self.scenario.faults, *faults_like(server.name)))
        return attrs.evolve(self, session=session, simulated=simulated, scenario=scenario, server=server)


def make_plan(options: DemoOptions, environment: Mapping[str, str], read: ReadSpec | None = None) -> DemoPlan:
    """`read` stands in for `read_spec`. Raises SpecError: the spec has problems; PlanError: wrong use, and how."""
    spec, spec_digest = (read or read_spec)(options.spec)
    if spec.vocabulary.ledger.name != options.protocol:
        raise PlanError(_misfit(spec, options.protocol))
    model = MODELS.get(options.protocol)
    if model is not None and (options.scenario is not None or options.provider == "openai"):
        name = options.protocol
        raise PlanError(f"--protocol {name} plays the simulated model's own call: leave --scenario and --provider out")
    if options.line == "sideband" and (model is not None or options.provider == "openai"):
        where = "--line sideband has its caller at the simulated Realtime provider"
        raise PlanError(f"{where}: leave --protocol and --provider out")
    random = Random(options.seed)
    detection = spec.turn_detection
    real = options.provider == "openai"
    turns = read_turns()
    jitter_ms = random.uniform(-60, 60)
    turns = tuple(
        turn if turn.cut_in_after_ms is None else attrs.evolve(turn, cut_in_after_ms=turn.cut_in_after_ms + jitter_ms)
        for turn in turns
    )
    patience = CallerPatience(speaking_ms=20_000, pause_ms=1_000, more_ms=8_000) if real else CallerPatience()
    script = None if options.caller is None else _script(options.caller)
    return DemoPlan(
        options=options,
        spec=spec,
        spec_digest=spec_digest,
        session=_session(options, environment, detection),
        scenario=_scenario(options.scenario, random, () if script is None else spoken_texts(script)),
        simulated=ProviderSettings(seed=options.seed),
        endpoint=_openai(environment) if real else None,
        model=model,
        script=script or demo_script(turns, patience, TALK_KEY if detection.manual else None),
        call_id=uuid.UUID(int=random.getrandbits(128), version=4),
    )


def read_spec(name: str) -> tuple[Spec, str]:
    """A checked spec and the digest of its texts, as the server makes it."""
    path = spec_path(name)
    try:
        loaded, texts = load_file(path)
    except (OSError, UnicodeDecodeError):
        return load_spec(name).spec, ""  # reports what is wrong
    spec = loaded.spec
    complaints = list(incompatibilities(spec, has_greeting=True, place=Place(display_path(path), 1, 1)))
    complaints += unsaid(spec, words_of(spec))
    if complaints:
        raise SpecError(complaints)
    return spec, digest(texts)


def _script(path: Path) -> Script:
    try:
        script = load_script(yaml.safe_load(path.read_text(encoding="utf-8")), path.parent)
        load_utterances(script, 8_000)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PlanError(f"{path}: {error}") from None
    return script


def fault_names() -> list[str]:
    """The fault scenarios that come with the demo."""
    return sorted(path.stem for path in FAULTS.glob("*.yaml"))


def scenario_path(given: str | Path) -> Path:
    """A bundled fault scenario by its name, else a file. ScenarioError: it looks like a name and is none."""
    if str(given) in fault_names():
        return FAULTS / f"{given}.yaml"
    path = Path(given)
    if not path.suffix and not path.exists():
        raise ScenarioError(f"no scenario and no file is called '{given}'; bundled: {', '.join(fault_names())}")
    return path


def _scenario(given: str | None, random: Random, user_turns: tuple[str, ...]) -> ProviderScenario:
    """A scenario file with nothing but faults and latency strikes the demo's own conversation.

    `user_turns`: what an own caller says, in order; without any it is the demo's own caller.
    """
    try:
        base = load_scenario(HERE / "call.yaml")
        latency = (base.latency or Latency()).scaled(random.uniform(0.95, 1.05))
        base = attrs.evolve(base, latency=attrs.evolve(latency, pace=(base.latency or Latency()).pace))
        if user_turns:
            base = attrs.evolve(base, user_turns=tuple(UserTurn(text=text) for text in user_turns))
        if given is None:
            return base
        found = load_scenario(scenario_path(given))
    except ScenarioError as error:
        raise PlanError(str(error)) from None
    if found.responses or found.user_turns:
        return found
    return attrs.evolve(base, faults=found.faults, latency=found.latency or base.latency)


def _session(options: DemoOptions, environment: Mapping[str, str], detection: TurnDetection) -> SessionSettings:
    real = options.provider == "openai"
    return SessionSettings(
        model=_model(environment),
        voice=environment.get("OPENAI_VOICE") or None if real else None,
        instructions=environment.get("OPENAI_SYSTEM_PROMPT") or INSTRUCTIONS if real else INSTRUCTIONS,
        input_format=options.audio_format,
        output_format=options.audio_format,
        turn_detection=_detection(detection),
        transcription={"model": "gpt-4o-mini-transcribe"},
    )


def _detection(detection: TurnDetection) -> Mapping[str, object] | Unset | None:
    """What the spec needs of the provider's turn detection, and nothing more."""
    if detection.manual:
        return None
    if not detection.needs:
        return UNSET
    return {"type": "server_vad", **{key: _value(text) for key, text in detection.needs.items()}}


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text


def _misfit(spec: Spec, protocol: str) -> str:
    needed = spec.vocabulary.ledger.name
    cure = f"--protocol {needed}" if needed else "another spec"
    return f"spec {spec.name} is one for {needed or 'no provider'}, and not for {protocol}: say {cure}"


def _model(environment: Mapping[str, str]) -> str:
    return environment.get("OPENAI_MODEL") or "gpt-realtime"


def _openai(environment: Mapping[str, str]) -> RealtimeEndpoint:
    key = environment.get("OPENAI_API_KEY")
    if not key:
        raise PlanError("--provider openai needs OPENAI_API_KEY in the environment; without it, leave the option out")
    base = environment.get("OPENAI_REALTIME_BASE_URL") or OPENAI_URL
    try:
        return openai_endpoint(_model(environment), key, base_url=base)
    except EndpointError as error:
        raise PlanError(f"OPENAI_REALTIME_BASE_URL or OPENAI_API_KEY: {error}") from None


_WEATHER = {"berlin": ("sunny", 21), "paris": ("rain", 17)}
_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_NUMBER = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}


def demo_tools(random: Random) -> Mapping[str, Tool]:
    """`weather(city)` is async and slower for every further city, `order_status(number)` a plain function."""
    delay_s = [0.8 * random.uniform(0.95, 1.05), 1.6 * random.uniform(0.95, 1.05)]
    asked = 0

    async def weather(city: str) -> dict[str, object]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(delay_s[(asked - 1) % len(delay_s)])
        sky, degrees = _WEATHER.get(city.strip().lower(), ("cloudy", 15))
        return {"city": city, "sky": sky, "celsius": degrees}

    def order_status(number: str) -> dict[str, object]:
        time.sleep(0.2)  # it runs in a thread of the pool
        return {"number": number, "status": "shipped", "arrives": "tomorrow"}

    tools = (
        Tool("weather", weather, "The weather in one city, now.", _CITY, deadline_s=5.0),
        Tool("order_status", order_status, "Where an order is, by its number.", _NUMBER, deadline_s=5.0),
    )
    return {tool.name: tool for tool in tools}
