"""`turnspec simulate provider`: the provider's side of a bridge. Shows the events, and reports what was rejected."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import sys
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
import click
from click.core import ParameterSource

from adapters.cli.simulate_calls import KINDS, SECRET, CallsPrinter, check_ring, ring
from adapters.cli.simulate_result import check_folder, failing_faults, write_result

if TYPE_CHECKING:
    from adapters.kit.faults import CallFault
    from adapters.providers.realtime.realtime_server import RealtimeServer
    from adapters.simulator.providers.realtime import ProviderScenario, ProviderServer, SessionStats

POLL_S: Final = 0.1


@attrs.frozen(kw_only=True)
class ProviderOptions:
    """The options of the command, by their names."""

    host: str
    port: int
    scenario: Path | None
    protocol: Literal["realtime", "live"]
    dialect: Literal["ga", "beta"]
    like: str | None
    but: tuple[str, ...]
    seed: int
    api_key: tuple[str, ...]
    model: tuple[str, ...]
    ring: str | None
    ring_as: str | None
    sessions: int | None
    for_s: float | None
    wire_log: Path | None
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    fail_on: str | None
    junit: Path | None
    quiet: bool
    json: bool


@click.command(short_help="The provider's side: a Realtime server that answers with audible speech.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, metavar="PORT", help="0: any free one."
)
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    metavar="FILE|NAME",
    help="What the model says and what goes wrong (YAML), or a name that `turnspec demo --scenario` knows. Without one "
    "it answers sensibly.",
)
@click.option(
    "--protocol",
    type=click.Choice(["realtime", "live"]),
    default="realtime",
    show_default=True,
    help="live: GPT-Live, with --host, --port, --scenario FILE, --sessions, --for and --json alone.",
)
@click.option(
    "--dialect",
    type=click.Choice(["ga", "beta"]),
    default="ga",
    show_default=True,
    help="beta: the older wire, which some servers still speak.",
)
@click.option(
    "--like",
    metavar="SERVER",
    help="Another vendor's server, or one of your own network: a row of docs/servers.md.",
)
@click.option(
    "--but",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="With --like: the server as it could be otherwise, e.g. --but metadata=refused.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="For the ids: a seed repeats them.")
@click.option("--api-key", multiple=True, metavar="KEY", help="A key that is accepted. [default: any]")
@click.option("--model", multiple=True, metavar="NAME", help="A model that exists. [default: any]")
@click.option("--ring", metavar="URL", help=f"A telephone call comes in: this webhook is told, signed with {SECRET}.")
@click.option("--ring-as", type=click.Choice(KINDS), help="With --ring: a delivery to refuse, or another name for it.")
@click.option("--sessions", type=click.IntRange(1), metavar="N", help="Stop after so many sessions have ended.")
@click.option(
    "--for", "for_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Stop after this long."
)
@click.option(
    "--wire-log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.jsonl",
    help="Write every event, for `turnspec audit FILE.jsonl`. Of audio its length.",
)
@click.option("--tls", is_flag=True, help="wss://, with a certificate made for the occasion (extra 'kit').")
@click.option(
    "--tls-ca",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.pem",
    help="With --tls: write there what clients must trust (NODE_EXTRA_CA_CERTS, SSL_CERT_FILE). "
    "[default: a file that is named when it listens]",
)
@click.option(
    "--tls-cert", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.pem", help="wss://, with this one."
)
@click.option("--tls-key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.pem", help="Its key.")
@click.option(
    "--fail-on",
    metavar="FAULT,...",
    help="What makes the exit code 1: names of faults (see below), all, or none. [default: those marked with *]",
)
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.xml", help="Write the result for a CI."
)
@click.option("--quiet", is_flag=True, help="No line for each event.")
@click.option("--json", is_flag=True, help="Print the report as JSON; everything else goes to stderr.")
def provider(**given: Any) -> None:
    """A Realtime provider: VAD on the audio it gets, answers with audible speech, tools, the real error codes.

    It shows every event (< from the client, > to it) and reports at the end (Ctrl-C) how many response.create there
    were, what it rejected and what a careful client would not have done.

    \b
    A scenario in short (every key is optional):
      user_turns: ["What does it cost?"]            # transcripts of what the caller says
      responses:
        - when: {heard: cost}
          output: [{say: "Ten euros."}, {call: note, arguments: {sum: 10}}]
      faults:
        - {fault: lose, type: response.done, nth: 2}
        - {fault: close, at_s: 12, code: 1011}
      expect: {summary: {sessions: 1, creates: 1, rejections: 0}}

    \b
    Faults: *nobody-came *refused *rejected *careless *not-as-expected,
    and what `turnspec audit` finds in the wire (create-while-active, turn-unanswered, ...; docs/audit.md section 2).

    At the same port: POST /v1/realtime/calls (an SDP offer, answered without media) and /v1/realtime/calls/ID/accept,
    reject, refer and hangup; ?call_id=ID attaches one more client to a session (docs/sideband.md).

    Browsers and Node say their key as a subprotocol (`openai-insecure-api-key.KEY` beside `realtime`): that works here.

    Exit code: 0 no fault that counts, 1 there is one, 2 wrong use.
    """
    from adapters.kit.faults import PROVIDER_FAULTS
    from adapters.kit.provider_judge import audit_kinds
    from adapters.logs import LogSettings, configure

    options = ProviderOptions(**given)
    configure(LogSettings(format="console", level="warning"))  # the events are shown here already
    if options.protocol == "live":
        _simulate_live(options)
        return
    check_ring(options.ring, options.ring_as)
    failing = failing_faults(options.fail_on, (*PROVIDER_FAULTS, *audit_kinds()))
    for path, option in ((options.wire_log, "--wire-log"), (options.junit, "--junit"), (options.tls_ca, "--tls-ca")):
        if path is not None:
            check_folder(path, option)
    server, script = _server(options)
    began_s = time.monotonic()
    _listen(_serve(server, options), options)
    faults = _faults(server, script, failing)
    _print(server.stats, faults, failing, options)
    if options.junit is not None:
        checks = (*PROVIDER_FAULTS, *sorted(failing - set(PROVIDER_FAULTS)))
        took_s = time.monotonic() - began_s
        write_result(options.junit, "turnspec simulate provider", checks, faults, failing, took_s)
    sys.exit(int(any(each.kind in failing for each in faults)))


def _server(options: ProviderOptions) -> tuple[ProviderServer, ProviderScenario]:
    from adapters.demo.plan import scenario_path
    from adapters.simulator.providers.realtime import (
        ProviderScenario,
        ProviderServer,
        ProviderSettings,
        ScenarioError,
        load_scenario,
    )
    from adapters.simulator.providers.realtime.likes import faults_like

    try:
        wanted = options.scenario
        script = load_scenario(scenario_path(wanted)) if wanted is not None else ProviderScenario()
    except ScenarioError as error:
        raise click.UsageError(str(error)) from None
    row = _row(options)
    if row is not None:
        script = attrs.evolve(script, faults=(*script.faults, *faults_like(row.name)))
    settings = ProviderSettings(
        dialect=options.dialect if row is None else row.names,
        server=row,
        api_keys=options.api_key,
        models=options.model,
        seed=options.seed,
    )
    return ProviderServer(settings, script, options.host, options.port, _tls(options)), script


def _listen(serving: Coroutine[Any, Any, None], options: ProviderOptions) -> None:
    try:
        asyncio.run(serving)
    except OSError as error:
        if error.filename is not None:
            raise click.UsageError(f"{error.filename}: {error.strerror}") from None
        click.echo(f"cannot listen on {options.host}:{options.port}: {error.strerror or error}", err=True)
        sys.exit(1)


def _simulate_live(options: ProviderOptions) -> None:
    """GPT-Live. Exit code 1: it has refused something."""
    from adapters.cli.simulate_live import live_report, live_scenario, serve_live
    from adapters.simulator.providers.live import LiveServer

    ours = {"host", "port", "scenario", "protocol", "sessions", "for_s", "json", "quiet"}
    context = click.get_current_context()
    for name in attrs.fields_dict(ProviderOptions).keys() - ours:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} does not go with --protocol live")
    server = LiveServer(live_scenario(options.scenario), options.host, options.port)
    _listen(serve_live(server, options.sessions, options.for_s, to_stderr=options.json), options)
    click.echo(live_report(server.stats, as_json=options.json))
    sys.exit(int(any(each.errors for each in server.stats)))


def _row(options: ProviderOptions) -> RealtimeServer | None:
    from adapters.simulator.providers.realtime.likes import LikeError, row_like

    if options.like is None:
        if options.but:
            raise click.UsageError("--but goes with --like")
        return None
    try:
        return row_like(options.like, options.but)
    except LikeError as error:
        raise click.UsageError(str(error)) from None


def _faults(server: ProviderServer, script: ProviderScenario, failing: Collection[str]) -> list[CallFault]:
    """The wire is audited where somebody asks for what an audit finds."""
    from adapters.kit.faults import PROVIDER_FAULTS
    from adapters.kit.provider_judge import audited, provider_faults

    faults = provider_faults(server.stats, script)
    is_audited = bool(set(failing) - set(PROVIDER_FAULTS)) and bool(server.stats)
    return [*faults, *(audited(server.stats) if is_audited else ())]


def _print(
    stats: Sequence[SessionStats], faults: Sequence[CallFault], failing: Collection[str], options: ProviderOptions
) -> None:
    from adapters.kit.faults import told

    if options.json:
        click.echo(json.dumps([_session_json(each) for each in stats], indent=2))
    else:
        for each in stats:
            click.echo(_session_text(each))
    seen_already = ("rejected", "careless")  # of each session
    shown = [each for each in faults if options.json or each.kind not in seen_already]
    for line in told(shown, failing):
        click.echo(line, err=options.json)


def _tls(options: ProviderOptions) -> ssl.SSLContext | None:
    from adapters.kit.certificates import CertificateError, made_on_demand, of_files

    if (options.tls_cert is None) != (options.tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    if options.tls_ca is not None and not options.tls:
        raise click.UsageError("--tls-ca goes with --tls")
    try:
        if options.tls_cert is not None and options.tls_key is not None:
            return of_files(options.tls_cert, options.tls_key)
        if not options.tls:
            return None
        made = made_on_demand(options.host, options.tls_ca)
    except (CertificateError, OSError) as error:
        raise click.UsageError(str(error)) from None
    if options.tls_ca is None:
        click.get_current_context().call_on_close(lambda: made.ca.unlink(missing_ok=True))
    click.echo(f"clients must trust {made.ca}: NODE_EXTRA_CA_CERTS, SSL_CERT_FILE", err=options.json)
    return made.serving


async def _serve(server: ProviderServer, options: ProviderOptions) -> None:
    from adapters.kit.wire_file import WireFile

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        wire = stack.enter_context(WireFile(options.wire_log, loop.time())) if options.wire_log is not None else None
        began_s = loop.time()
        click.echo(
            f"listening on {server.url}?model=... ({options.like or server.settings.dialect}); Ctrl-C ends it",
            err=options.json,
        )
        events = _EventPrinter(server, began_s, options.quiet, to_stderr=options.json)
        if options.ring is not None:
            click.echo(await ring(server, options.ring, options.ring_as), err=options.json)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_S)
            events.print_new()
            if wire is not None:
                wire.write_new(server.stats)
            ended = sum(session.core.closing is not None for session in server.sessions)
            is_enough = options.sessions is not None and ended >= options.sessions
            if is_enough or (options.for_s is not None and loop.time() - began_s >= options.for_s):
                break
        await server.close()
        if wire is not None:
            wire.write_new(server.stats)
    events.print_new()


class _EventPrinter:
    """Prints what happened since it last looked; of the deltas of an item the first of each type."""

    def __init__(self, server: ProviderServer, began_s: float, quiet: bool, to_stderr: bool) -> None:
        self._server = server
        self._calls = CallsPrinter(server, began_s)
        self._began_s = began_s
        self._quiet = quiet
        self._to_stderr = to_stderr
        self._seen: dict[int, tuple[int, int]] = {}
        self._printed: set[tuple[int, str, object]] = set()

    def print_new(self) -> None:
        for line in self._calls.new_lines():
            if not self._quiet:
                click.echo(line, err=self._to_stderr)
        for stats in self._server.stats:
            received, sent = self._seen.get(stats.connection, (0, 0))
            fresh = [(each.at_s, "<", each) for each in stats.received[received:]]
            fresh += [(each.at_s, ">", each) for each in stats.sent[sent:]]
            self._seen[stats.connection] = (len(stats.received), len(stats.sent))
            for at_s, way, each in sorted(fresh, key=lambda one: one[0]):
                delta = (stats.connection, each.type, each.event.get("item_id"))
                is_more = each.type.endswith(".delta") and delta in self._printed
                self._printed.add(delta)
                if not is_more and not self._quiet:
                    what = f"{at_s - self._began_s:8.3f}  {stats.connection} {way} {each.type}"
                    click.echo(f"{what} {_brief(each.event)}".rstrip(), err=self._to_stderr)


def _brief(event: Mapping[str, Any]) -> str:
    """What is worth reading of an event, in a few words."""
    inner = {name: event.get(name) for name in ("error", "response", "item")}
    found = [event.get("transcript"), event.get("delta")]
    found += [value.get(key) for value in inner.values() if isinstance(value, Mapping)
              for key in ("code", "message", "status", "type", "name", "output")]  # fmt: skip
    return " ".join(str(each) for each in found if isinstance(each, str | int))[:90]


def _session_json(stats: SessionStats) -> dict[str, Any]:
    return {
        "session": stats.connection,
        "creates": stats.creates,
        "responses": stats.responses,
        "user_turns": stats.user_turns,
        "caller_audio_s": round(stats.audio_ms / 1000, 1),
        "rejections": dict(stats.rejections),
        "own_errors": dict(stats.own_errors),
        "violations": list(stats.violations),
        "notes": list(stats.notes),
        "close_code": stats.close_code,
        "close_reason": stats.close_reason,
    }


def _session_text(stats: SessionStats) -> str:
    lines = [
        f"\nsession {stats.connection}: {stats.user_turns} turns, {stats.responses} responses, {stats.creates} "
        f"response.create, {stats.audio_ms / 1000:.1f} s of the caller, closed with {stats.close_code}"
    ]
    lines += [f"  rejected {count} x {code}" for code, count in stats.rejections.items()]
    lines += [f"  careless: {what}" for what in stats.violations]
    lines += [f"  note: {what}" for what in stats.notes]
    return "\n".join(lines)
