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
from adapters.providers.realtime.session import UNSET, SessionSettings, session_object
from adapters.server.server import TurnspecServer
from adapters.settings.config import Settings, load_settings
from adapters.specs import display_path
from fsm.language.problem import Place, Problem, SpecError

_THREAD_S: Final = 0.2


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Read and check everything, print what would run, and take no calls.")
@click.option("--json", "as_json", is_flag=True, help="With --check: print it as JSON, for programs.")
def command(config: Path, check: bool, as_json: bool) -> None:
    """Take calls from Asterisk over AudioSocket, as the YAML file CONFIG says.

    Start from turnspec.example.yaml, which explains every key; with OPENAI_API_KEY set it works as it is. In Asterisk's
    dialplan, a call comes here with

    \b
        exten => 100,1,Answer()
         same => n,Set(ID=${UUID()})
         same => n,TryExec(AudioSocket(${ID},127.0.0.1:9019))
         same => n,Hangup()

    ${NAME} and ${NAME:-default} in CONFIG are taken from the environment. The spec, the tools and every value are
    checked before the first call; every problem is reported at once, as FILE:LINE:COL: error[CODE]: what is wrong.

    SIGTERM or Ctrl-C ends it politely: new calls are turned away, a live one ends as soon as nobody speaks, is heard or
    waits for an answer, and at the latest after limits.shutdown_s seconds; a second signal ends it at once.

    Exit code: 0 good, 1 problems found, 2 wrong use.
    """
    if as_json and not check:
        raise click.UsageError("--json goes with --check")
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a tool's module prints when it is imported
            settings = load_settings(config)
    except SpecError as error:
        _report(error.problems, as_json)
        sys.exit(1)
    if check:
        _print_check(settings, as_json)
        return
    for problem in settings.warnings:
        click.echo(str(problem), err=True)
    sys.exit(_serve(settings))


def _serve(settings: Settings) -> int:
    logs.configure(settings.log, settings.secrets)
    try:
        asyncio.run(_run(settings))
    except OSError as error:
        _report([_start_problem(settings, error)], as_json=False)
        return _ended(1)
    except Exception:  # a bare traceback would pass by the redaction of the logs
        structlog.get_logger(__name__).exception("server_failed")
        return _ended(1)
    return _ended(0)


def _start_problem(settings: Settings, error: OSError) -> Problem:
    if error.filename:  # a folder that has gone since it was checked
        return Problem(Place(settings.file, 1, 1), "no-folder", f"{error.filename}: {error.strerror}")
    socket = settings.audiosocket
    message = f"cannot serve on {socket.host}:{socket.port}: {error.strerror or error}"
    return Problem(settings.listen_place, "listen", message)


async def _run(settings: Settings) -> None:
    await TurnspecServer(settings).run()


def _ended(code: int) -> int:
    """A plain tool that never returns keeps its thread, and Python would never stop waiting for it."""
    tools = [each for each in threading.enumerate() if each.name.startswith("tool")]
    for thread in tools:
        thread.join(_THREAD_S)
    if any(each.is_alive() for each in tools):
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


def _print_check(settings: Settings, as_json: bool) -> None:
    facts = _facts(settings)
    if as_json:
        click.echo(
            json.dumps({"ok": True, **facts, "problems": [each.as_json() for each in settings.warnings]}, indent=2)
        )
        return
    for problem in settings.warnings:
        click.echo(str(problem))
    click.echo(f"{settings.file}: good; `turnspec serve {settings.file}` would run:")
    for key, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"  {key:<16} {text}")


def _facts(settings: Settings) -> dict[str, object]:
    """What would run, by headline. No secret: of a key only whether there is one, of texts their length."""
    call, audiosocket, spec = settings.call, settings.audiosocket, settings.spec
    endpoint = settings.provider.endpoint
    session = session_object(settings.provider.session, endpoint.dialect)
    has_key = any(name.lower() in ("authorization", "api-key") for name in endpoint.headers)
    return {
        "spec": f"{spec.name} ({spec.file}, {len(spec.states)} states)",
        "listen": f"{audiosocket.host}:{audiosocket.port}",
        "allow": [str(network) for network in audiosocket.allowed_peers] or "everybody who reaches the port",
        "provider": endpoint.shown,
        "dialect": endpoint.dialect,
        "key": "set" if has_key else "none",
        "model": settings.provider.session.model,
        "voice": settings.provider.session.voice or "the provider's default",
        "format": settings.provider.session.input_format,
        "instructions": _length(settings.provider.session.instructions),
        "turn_detection": _find(session, "turn_detection", "not sent: the provider's default"),
        "noise_reduction": _noise_reduction(settings.provider.session),
        "half_duplex": "yes: nobody can interrupt the agent" if call.half_duplex else "no",
        "turns": {name: _setting(settings, name) for name in spec.settings} or "nothing to set",
        "transcription": settings.provider.session.transcription or "off",
        "greeting": _length(call.greeting),
        "tools": [f"{tool.name} ({tool.deadline_s:g} s)" for tool in call.tools.values()] or "none",
        "journal": display_path(call.journal_dir) if call.journal_dir else "none",
        "recording": display_path(call.recording_dir) if call.recording_dir else "none",
        "calls at most": audiosocket.max_connections,
        "log": f"{settings.log.format}, {settings.log.level}{', every wire event' if settings.log.wire else ''}",
    }


def _noise_reduction(session: SessionSettings) -> object:
    return "not sent: the provider's default" if session.noise_reduction is UNSET else session.noise_reduction or "off"


def _setting(settings: Settings, name: str) -> str:
    """The value of a setting of the spec: the operator's, else the spec's own."""
    variable = settings.spec.variable(settings.spec.settings[name])
    return settings.call.turns.get(name, variable.domain[variable.initial])


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
