"""`turnspec serve`: takes calls as a configuration file says, or says what it would do. Never how a call goes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import structlog

from adapters import logs
from adapters.cli.reloading import config_reader, with_workers
from adapters.control.settings import ControlSettings
from adapters.doctor.finding import DoctorFinding
from adapters.doctor.provider import session_findings
from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import UNSET, SessionSettings, session_object
from adapters.server import descriptors
from adapters.server.loops import new_loop
from adapters.server.reload import ConfigReader
from adapters.server.server import TurnspecServer
from adapters.server.signals import end_loop
from adapters.server.workers.supervisor import Supervisor, WorkerStartError
from adapters.settings.cluster import ClusterSettings
from adapters.settings.config import AgentSettings, Settings, load_settings
from adapters.settings.http import HttpSettings
from adapters.settings.kinds import CORES, MOST_WORKERS, usable_cores
from adapters.settings.protocols import ConfiguredProvider
from adapters.specs import display_path
from fsm.language.problem import Place, Problem, SpecError

_THREAD_S: Final = 0.2
_THREADS: Final = ("tool", "asyncio")
"""Of tools, and of what tools put into the loop's own (`asyncio.to_thread`)."""


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Read and check everything, print what would run, and take no calls.")
@click.option("--probe", is_flag=True, help="With --check: open a session with each provider, and say what came back.")
@click.option("--workers", metavar="N|cores", help="Processes that share the calls, whatever serve.workers says.")
@click.option("--json", "as_json", is_flag=True, help="With --check: print it as JSON, for programs.")
def command(config: Path, check: bool, probe: bool, workers: str | None, as_json: bool) -> None:
    """Take calls from Asterisk over AudioSocket, as the YAML file CONFIG says.

    Start from turnspec.example.yaml, which explains every key; with OPENAI_API_KEY set it works as it is. In Asterisk's
    dialplan, a call comes here with

    \b
        exten => 100,1,Answer()
         same => n,Set(CALL_UUID=${UUID()})
         same => n,TryExec(AudioSocket(${CALL_UUID},127.0.0.1:9019))

    and then goes on by how it ended: deploy/asterisk/extensions.conf has the rest of it, for other ways in, too. A call
    that is not taken gets a reset, so that TryExec fails; without Answer() there is none.

    ${NAME} and ${NAME:-default} in CONFIG are taken from the environment. The spec, the tools and every value are
    checked before the first call; every problem is reported at once, as FILE:LINE:COL: error[CODE]: what is wrong.

    SIGTERM, Ctrl-C or a closed terminal ends it politely: new calls are turned away, a live one ends as soon as nobody
    speaks, is heard or waits for an answer, and at the latest after limits.shutdown_s seconds; a second signal does not
    wait, a third one asks nobody.

    Exit code: 0 good, 1 problems found, 2 wrong use.
    """
    if as_json and not check:
        raise click.UsageError("--json goes with --check")
    if probe and not check:
        raise click.UsageError("--probe goes with --check")
    wanted = _workers(workers) if workers is not None else None
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a tool's module prints when it is imported
            settings = with_workers(load_settings(config), wanted)
    except SpecError as error:
        _report(error.problems, as_json)
        sys.exit(1)
    if settings.serve.workers > 1 and settings.sideband.webhook is not None:
        raise click.UsageError("--workers: with sideband.webhook one process has the calls")
    if check:
        probed = asyncio.run(_probed(settings)) if probe else []
        _print_check(settings, as_json, probed)
        sys.exit(int(any(each.status == "bad" for _, each in probed)))
    for problem in settings.warnings:
        click.echo(str(problem), err=True)
    sys.exit(_serve(settings, config, config_reader(config, wanted)))


def _workers(said: str) -> int:
    if said == CORES:
        return usable_cores()
    if not said.isdecimal() or not 1 <= int(said) <= MOST_WORKERS:
        raise click.BadParameter(f"a number from 1 to {MOST_WORKERS} or '{CORES}' is expected", param_hint="--workers")
    return int(said)


def _serve(settings: Settings, config: Path, reader: ConfigReader) -> int:
    logs.configure(settings.log, settings.secrets)
    calls = settings.audiosocket.max_connections
    files = (settings.call.journal_dir, settings.call.recording_dir)
    wanted = descriptors.needed(calls, len(files) - files.count(None)) + settings.audiosocket.max_unidentified
    if complaint := descriptors.make_room(wanted):
        hint = "fewer calls, or a higher limit (systemd: LimitNOFILE=, a shell: ulimit -n)"
        problem = Problem(settings.calls_place, "descriptors", f"{calls} calls are too many: {complaint}", hint)
        _report([problem], as_json=False)
        return _ended(1)
    loop = new_loop(settings.serve.loop)
    code = 1
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_run(settings, config, reader))
        code = 0
    except WorkerStartError as error:
        for line in error.problems:
            click.echo(line, err=True)
    except OSError as error:
        _report([_start_problem(settings, error)], as_json=False)
    except Exception:  # a bare traceback would pass by the redaction of the logs
        structlog.get_logger(__name__).exception("server_failed")
    return _ended(code, end_loop(loop))


async def _run(settings: Settings, config: Path, reader: ConfigReader) -> None:
    """In this process, or in several. OSError, WorkerStartError: it cannot start."""
    if settings.serve.workers == 1:
        await TurnspecServer(settings, config=reader).run()
    else:
        await Supervisor(settings, config, reader).run()


def _start_problem(settings: Settings, error: OSError) -> Problem:
    if error.filename:  # a folder that has gone since it was checked
        return Problem(Place(settings.file, 1, 1), "no-folder", f"{error.filename}: {error.strerror}")
    addresses = [(settings.audiosocket.host, settings.audiosocket.port)]
    if settings.chan_websocket is not None:
        addresses.append((settings.chan_websocket.host, settings.chan_websocket.port))
    if settings.twilio is not None:
        addresses.append((settings.twilio.host, settings.twilio.port))
    if settings.http is not None:
        addresses.append((settings.http.host, settings.http.port))
    where = " and ".join(f"{host}:{port}" for host, port in addresses)
    message = f"cannot serve on {where}: {error.strerror or error}"
    return Problem(settings.listen_place, "listen", message)


def _ended(code: int, is_loop_over: bool = True) -> int:
    """A plain tool that never returns keeps its thread, and Python would never stop waiting for it; the same goes for
    an async one that keeps its task."""
    tools = [each for each in threading.enumerate() if each.name.startswith(_THREADS)]
    for thread in tools:
        thread.join(_THREAD_S)
    if not is_loop_over or any(each.is_alive() for each in tools):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _report(problems: tuple[Problem, ...] | list[Problem], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ok": False, "problems": [each.as_json() for each in problems]}, indent=2))
        return
    for problem in problems:
        click.echo(str(problem), err=True)


Probed = list[tuple[str, DoctorFinding]]
"""Of each provider, what came of a session with it."""


async def _probed(settings: Settings) -> Probed:
    redact = logs.Redactor(settings.secrets).text
    found: Probed = []
    providers = [provider for agent in settings.agents for provider in agent.providers]
    with structlog.testing.capture_logs():  # what a connection logs is in the finding
        for provider in {each.endpoint.url: each for each in reversed(providers)}.values():
            async for each in session_findings(provider):
                found.append((provider.label, DoctorFinding(each.what, each.status, redact(each.detail), each.cure)))
    return found


def _print_check(settings: Settings, as_json: bool, probed: Probed) -> None:
    facts = _facts(settings)
    if as_json:
        told = [{"provider": label, **each.as_json()} for label, each in probed]
        problems = [each.as_json() for each in settings.warnings]
        is_well = all(each.status != "bad" for _, each in probed)
        said = {"ok": is_well, **facts, "problems": problems} | ({"probe": told} if told else {})
        click.echo(json.dumps(said, indent=2))
        return
    for problem in settings.warnings:
        click.echo(str(problem))
    click.echo(f"{settings.file}: good; `turnspec serve {settings.file}` would run:")
    for key, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"  {key:<16} {text}")
    for label, each in probed:
        cure = f" (cure: {each.cure})" if each.cure else ""
        click.echo(f"  probe: {label}: {each.what}: {each.status}: {each.detail}{cure}")


def _channels_fact(channels: ChanWebSocketSettings | None) -> str:
    if channels is None:
        return "not listening"
    scheme = "ws" if channels.tls is None else "wss"
    guarded = "with a token" if channels.token is not None else "without a token"
    dials = "" if channels.asterisk_url is None else ", and dials Asterisk"
    return f"{scheme}://{channels.host}:{channels.port}{channels.path}, {guarded}{dials}"


def _door_fact(http: HttpSettings | None) -> str:
    if http is None:
        return "no door"
    scheme = "http" if http.tls is None else "https"
    return f"{scheme}://{http.host}:{http.port}, {'with' if http.token is not None else 'without'} a token"


def _sideband_fact(settings: Settings) -> str:
    webhook = settings.sideband.webhook
    if settings.http is None or settings.serve.workers > 1:
        return "no calls"
    if webhook is None:
        return "calls that are posted to the door"
    return f"calls that are posted to the door, or announced at {webhook.path}"


def _cluster_fact(cluster: ClusterSettings | None) -> str:
    return "alone" if cluster is None else f"node {cluster.node}, shares by {cluster.shown}"


def _facts(settings: Settings) -> dict[str, object]:
    """What would run, by headline. No secret: of a key only whether there is one, of texts their length."""
    call, audiosocket, spec, twilio = settings.call, settings.audiosocket, settings.spec, settings.twilio
    endpoint = settings.provider.endpoint
    has_key = any(name.lower() in ("authorization", "api-key") for name in endpoint.headers)
    return {
        "spec": f"{spec.name} ({spec.file}, {len(spec.states)} states)",
        "listen": f"{audiosocket.host}:{audiosocket.port}",
        "chan_websocket": _channels_fact(settings.chan_websocket),
        "twilio": f"{twilio.host}:{twilio.port}, {twilio.stream_url}" if twilio is not None else "not listening",
        "sideband": _sideband_fact(settings),
        "http": _door_fact(settings.http),
        "cluster": _cluster_fact(settings.cluster),
        "allow": [str(network) for network in audiosocket.allowed_peers] or "everybody who reaches the port",
        "rates": f"{', '.join(map(str, audiosocket.rates_hz))} Hz",
        "refuse": "by a reset" if audiosocket.refuse == "reset" else "politely, which TryExec takes for a served call",
        "provider": endpoint.shown,
        "fallbacks": [each.label for each in settings.agents[0].fallbacks] or "none",
        "key": "set" if has_key else "none",
        **_session_facts(settings.provider),
        "half_duplex": "yes: nobody can interrupt the agent" if call.half_duplex else "no",
        "turns": {name: _setting(settings, name) for name in spec.settings} or "nothing to set",
        "greeting": _length(call.greeting),
        "tools": [f"{tool.name} ({tool.deadline_s:g} s)" for tool in call.tools.values()] or "none",
        "effects": [f"{effect.name} ({effect.deadline_s:g} s)" for effect in call.effects.values()] or "none",
        "words": [*spec.prompts, *spec.say] or "none of the spec's own",
        "control": _control(settings.control),
        "agents": [_agent(each) for each in settings.agents[1:]] or "one",
        "journal": display_path(call.journal_dir) if call.journal_dir else "none",
        "recording": display_path(call.recording_dir) if call.recording_dir else "none",
        "calls at most": audiosocket.max_connections,
        "workers": _processes(settings),
        "log": f"{settings.log.format}, {settings.log.level}{', every wire event' if settings.log.wire else ''}",
    }


def _formats(session: SessionSettings) -> str:
    there, back = session.input_format, session.output_format
    return there if there == back else f"{there} to it, {back} from it"


def _session_facts(provider: ConfiguredProvider) -> dict[str, object]:
    """What a session is to be, by protocol."""
    said = {
        "model": provider.session.model,
        "voice": provider.session.voice or "the provider's default",
        "instructions": _length(provider.session.instructions),
    }
    if not isinstance(provider, RealtimeProvider):
        return {"protocol": provider.server_name, **said, **provider.facts()}
    settings, server = provider.session, provider.endpoint.server
    session = session_object(settings, server)
    return {
        "server": f"{server.name} ({server.about or 'as the protocol has it'})",
        **said,
        "format": _formats(settings),
        "turn_detection": _find(session, "turn_detection", "not sent: the provider's default"),
        "noise_reduction": _noise_reduction(settings),
        "transcription": settings.transcription or "off",
    }


def _control(control: ControlSettings) -> str:
    if control.ami is not None:
        return f"AMI at {control.ami.host}:{control.ami.port}, as {control.ami.username}"
    if control.ari is not None:
        return f"ARI at {control.ari.url}, as {control.ari.username}"
    return "none: the dialplan acts by the result"


def _agent(agent: AgentSettings) -> str:
    numbers = f", {', '.join(agent.numbers)}" if agent.numbers else ""
    return f"{agent.name} ({agent.spec.name}{numbers})"


def _noise_reduction(session: SessionSettings) -> object:
    return "not sent: the provider's default" if session.noise_reduction is UNSET else session.noise_reduction or "off"


def _setting(settings: Settings, name: str) -> str:
    """The value of a setting of the spec: the operator's, else the spec's own."""
    variable = settings.spec.variable(settings.spec.settings[name])
    return settings.call.turns.get(name, variable.domain[variable.initial])


def _processes(settings: Settings) -> str:
    count = settings.serve.workers
    where = "none: this process has the calls" if count == 1 else f"{count} processes that share the calls"
    return f"{where}, on {settings.serve.loop}"


def _length(text: str | None) -> str:
    return f"{len(text)} characters" if text else "none"


def _find(tree: Mapping[str, object], key: str, otherwise: object) -> object:
    """The value of a key wherever it is: the dialects put it in different places."""
    if key in tree:
        return tree[key]
    for value in tree.values():
        found = _find(value, key, otherwise) if isinstance(value, Mapping) else otherwise
        if found is not otherwise:
            return found
    return otherwise
