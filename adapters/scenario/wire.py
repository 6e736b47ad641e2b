"""A scenario over the wire: simulated caller, AudioSocket, a whole call, simulated provider, in virtual time.

Half a minute of a call takes a second or two, and every run gives the same times. Never here: what a scenario file says
(fsm.scenario.reader), the machine alone (fsm.scenario.runner), what the simulators do.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import yaml

from adapters.audio.prompt import load_prompts
from adapters.audio.tick import Ticker
from adapters.call.call import Call, CallServices
from adapters.call.mailbox import Envelope
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.files import FileWriterThread
from adapters.lines.audiosocket.connection import Connection
from adapters.lines.audiosocket.server import AudioSocketServer
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.providers.provider import WireEvent
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import UNSET, SessionSettings, Unset
from adapters.scenario.interruptions import interruption_numbers
from adapters.scenario.stand_ins import effect_of, tool_of
from adapters.settings.words import Words, unsaid, words_of
from adapters.simulator.caller.caller import run_caller
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import CallerSettings, Script, load_script, load_telephone
from adapters.simulator.providers.realtime import ProviderScenario, ProviderServer, ScenarioError, parse_scenario
from adapters.tools import Tool
from adapters.virtual_time import VirtualTimeLoop
from fsm.language.problem import Problem, Problems, SpecError
from fsm.language.spec import Spec
from fsm.machine.machine import Step, TurnSpecMachine
from fsm.scenario.expectation import Mismatch, deadline_mismatches, number_mismatches
from fsm.scenario.runner import Failure, Result, shown_effect
from fsm.scenario.scenario import Scenario, WirePlay

MODEL = "gpt-realtime"
LINE_HZ = 8_000
MAX_CALL_S = 600.0  # of virtual time: a scenario that does not end has failed
_NO_LETTER = re.compile(r"[^a-z0-9]+")


@attrs.frozen
class PreparedCall:
    """What the two simulators and the call are set up with."""

    script: Script
    telephone: CallerSettings
    provider: ProviderScenario
    session: SessionSettings
    call: CallSettings
    prompts: Mapping[str, bytes]


@attrs.define
class _Watcher:
    """Keeps the steps of the call and their times."""

    steps: list[tuple[int, Step]] = attrs.field(factory=list)

    def stepped(self, step: Step, envelope: Envelope, at_ms: int) -> None:
        del envelope
        self.steps.append((at_ms, step))

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None: ...

    def ended(self, summary: Summary) -> None: ...


@attrs.frozen
class _Played:
    steps: Sequence[tuple[int, Step]]
    summary: Mapping[str, object]
    states: Sequence[str]
    caller: CallerReport


def prepared_call(scenario: Scenario, spec: Spec, folder: Path) -> PreparedCall:
    """The parts of a play, from the plain values of the scenario. Raises SpecError for what the simulators refuse."""
    play = scenario.play
    assert play is not None
    try:
        caller = dict(play.caller)
        telephone = load_telephone(caller.pop("telephone", {}), keep_audio=False)
        script = load_script(caller, folder)
        provider = parse_scenario(yaml.safe_dump(_plain(play.provider)), folder / scenario.place.file)
        if script.expect or provider.expect:
            raise ValueError("'expect' stands beside 'caller' and 'provider' here, and not in them")
        tools = {name: tool_of(name, value, spec) for name, value in play.tools.items()}
        effects = {name: effect_of(name, value, spec) for name, value in play.effects.items()}
        session = dict(play.session)
        words = _words(spec, session, folder)
        call = _call_settings(session, tools, scenario.talk_key or "*")
        call = attrs.evolve(call, say=words.say, effects=effects)
        turns = session.pop("turn_detection", None)
        chosen = SessionSettings(
            model=MODEL, tools=[tool.definition for tool in tools.values()] or None,
            turn_detection=_turn_detection(spec, turns), **session,  # type: ignore[arg-type]
        )  # fmt: skip
        problems = Problems()
        problems.extend(unsaid(spec, words))
        problems.raise_if_any()
        prompts = load_prompts(LINE_HZ, words.prompts)
    except (ValueError, TypeError, OSError, ScenarioError) as error:
        raise SpecError([Problem(scenario.place, "simulator", f"'{scenario.name}': {error}")]) from None
    return PreparedCall(script, telephone, provider, chosen, call, prompts)


def _words(spec: Spec, session: dict[str, object], folder: Path) -> Words:
    """Takes from what a scenario says of the session what a configuration would say of the spec's own words."""
    given = {}
    for kind in ("prompts", "say"):
        value = session.pop(kind, {})
        if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
            raise ValueError(f"session.{kind}: names, each with a text, are expected")
        unknown = [name for name in value if name not in getattr(spec, kind)]
        if unknown:
            raise ValueError(f"session.{kind}: {spec.name} names no '{unknown[0]}'")
        given[kind] = {str(name): str(text) for name, text in value.items()}
    return words_of(spec, {name: folder / text for name, text in given["prompts"].items()}, given["say"])


def _call_settings(session: dict[str, object], tools: Mapping[str, Tool], talk_key: str) -> CallSettings:
    """Takes from what a scenario says of the session what is the call's own."""
    greeting, half_duplex = session.pop("greeting", "Greet the caller."), session.pop("half_duplex", False)
    if not isinstance(half_duplex, bool):
        raise ValueError(f"session.half_duplex: true or false is expected, not {half_duplex!r}")
    return CallSettings(
        greeting=None if greeting is None else str(greeting), tools=tools, talk_key=talk_key, half_duplex=half_duplex
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _turn_detection(spec: Spec, given: object) -> Mapping[str, object] | Unset | None:
    """What the spec cannot do without, as a server's configuration would say it."""
    if spec.turn_detection.manual:
        return None
    needs = {key: yaml.safe_load(text) for key, text in spec.turn_detection.needs.items()}
    values = dict(given) if isinstance(given, Mapping) else {}
    return {"type": "server_vad", **values, **needs} if needs or values else UNSET


def play_scenario(machine: TurnSpecMachine, scenario: Scenario, folder: Path, listen: Path | None = None) -> Result:
    """Plays a scenario `over: wire` on a loop of its own, in virtual time. Raises SpecError as `prepared_call` does.

    `listen`: the folder that gets its recording, SPEC-NAME.wav.
    """
    assert scenario.play is not None
    prepared = prepared_call(scenario, machine.spec, folder)
    if listen is not None:
        prepared = attrs.evolve(prepared, call=attrs.evolve(prepared.call, recording_dir=listen))
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        try:
            played = runner.run(asyncio.wait_for(_call(machine, prepared), MAX_CALL_S))
        except TimeoutError:
            mismatch = Mismatch("the call", f"an end within {MAX_CALL_S:.0f} s", "still running")
            return Result(scenario, machine.spec.name, (), Failure(scenario.place, "over: wire", (mismatch,)))
    if listen is not None:
        (listen / f"{played.caller.call_id}.wav").replace(listen / recording_name(machine.spec.name, scenario.name))
    mismatches = _mismatches(scenario.play, played)
    steps = tuple(step for _, step in played.steps)
    failure = None
    if mismatches:
        place = mismatches[0].place or scenario.place
        failure = Failure(place, "over: wire", tuple(mismatches), (), tuple(_story(played)))
    return Result(scenario, machine.spec.name, steps, failure)


def recording_name(spec: str, scenario: str) -> str:
    """Of the file that `listen` is given."""
    return f"{spec}-{_NO_LETTER.sub('-', scenario.lower()).strip('-')[:80]}.wav"


async def _call(machine: TurnSpecMachine, prepared: PreparedCall) -> _Played:
    """One call from the first packet to the last."""
    watcher = _Watcher()
    summaries: list[Summary] = []
    with ThreadPoolExecutor(2) as threads:
        async with ProviderServer(scenario=prepared.provider) as realtime:
            endpoint = openai_endpoint(MODEL, "sk-test", base_url=realtime.url, dialect=realtime.settings.dialect)
            provider = RealtimeProvider(endpoint=endpoint, session=prepared.session)
            recordings, ticker = FileWriterThread(), Ticker()
            shared = CallServices(machine, provider, prepared.call, prepared.prompts, threads, recordings)

            async def on_call(connection: Connection) -> None:
                summaries.append(await Call(str(connection.uuid), connection, shared, [watcher]).run())

            report = await _with_server(on_call, ticker, prepared)
            ticker.close()
            recordings.close()
    summary = summaries[0]
    numbers = {**summary.as_json(), **interruption_numbers(watcher.steps, report)}
    return _Played(watcher.steps, numbers, tuple(summary.states), report)


async def _with_server(
    on_call: Callable[[Connection], Awaitable[None]], ticker: Ticker, prepared: PreparedCall
) -> CallerReport:  # fmt: skip
    server = AudioSocketServer(AudioSocketSettings(port=0), ticker, on_call)
    await server.start()
    try:
        return await run_caller("127.0.0.1", server.port, prepared.script, prepared.telephone)
    finally:
        await server.close()


# --- looking at it ----------------------------------------------------------------------------------------------------


def _mismatches(play: WirePlay, played: _Played) -> list[Mismatch]:
    found = [
        Mismatch("caller's script", "every wait to end in time", f"step {n.step} at {n.at_ms:.0f} ms: {n.text}")
        for n in played.caller.notes
    ]
    at = play.places.get
    if play.states and not _states_fit(play, played.states):
        what = "states" if play.exact_states else "states in order"
        found.append(Mismatch(what, " ".join(play.states), " ".join(played.states), at("states")))
    for name, wanted in play.summary.items():
        found += number_mismatches(name, wanted, played.summary, at(name))
    for deadline in play.deadlines:
        found += deadline_mismatches(deadline, partial(_times, played))
    return found


def _states_fit(play: WirePlay, states: Sequence[str]) -> bool:
    if play.exact_states:
        return play.states == tuple(states)
    rest = iter(states)
    return all(any(wanted == state for state in rest) for wanted in play.states)


def _times(played: _Played, name: str) -> list[int]:
    """When an event variant (or its base name) was stepped, or an effect came out."""
    return [
        at_ms
        for at_ms, step in played.steps
        if name in (step.variant, step.event.name) or any(effect.name == name for effect in step.effects)
    ]


def _story(played: _Played) -> list[str]:
    return [
        f"{at:>7} ms  {s.variant:<44} {s.outcome:<9} -> {s.snapshot.state}  {' '.join(map(shown_effect, s.effects))}"
        for at, s in played.steps
    ]


__all__: list[Any] = ["PreparedCall", "play_scenario", "prepared_call"]
