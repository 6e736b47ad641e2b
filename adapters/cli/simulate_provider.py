"""`turnspec simulate provider`: the provider's side of a bridge. Shows the events, and reports what was rejected."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
import click

if TYPE_CHECKING:
    from adapters.simulator.providers.realtime import ProviderServer, SessionStats

POLL_S: Final = 0.1


@attrs.frozen(kw_only=True)
class ProviderOptions:
    """The options of the command, by their names."""

    host: str
    port: int
    scenario: Path | None
    dialect: Literal["ga", "beta"]
    seed: int
    api_key: tuple[str, ...]
    model: tuple[str, ...]
    sessions: int | None
    for_s: float | None
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
    metavar="FILE",
    help="What the model says and what goes wrong (YAML). Without one it answers sensibly.",
)
@click.option(
    "--dialect",
    type=click.Choice(["ga", "beta"]),
    default="ga",
    show_default=True,
    help="beta: the older wire, which some servers still speak.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="For the ids: a seed repeats them.")
@click.option("--api-key", multiple=True, metavar="KEY", help="A key that is accepted. [default: any]")
@click.option("--model", multiple=True, metavar="NAME", help="A model that exists. [default: any]")
@click.option("--sessions", type=click.IntRange(1), metavar="N", help="Stop after so many sessions have ended.")
@click.option(
    "--for", "for_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Stop after this long."
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

    Exit code: 0 nothing rejected and nothing careless, 1 otherwise, 2 wrong use.
    """
    from adapters.logs import LogSettings, configure
    from adapters.simulator.providers.realtime import (
        ProviderServer,
        ProviderSettings,
        ScenarioError,
        load_scenario,
    )

    options = ProviderOptions(**given)
    configure(LogSettings(format="console", level="warning"))  # the events are shown here already
    try:
        script = load_scenario(options.scenario) if options.scenario is not None else None
    except ScenarioError as error:
        raise click.UsageError(str(error)) from None
    settings = ProviderSettings(
        dialect=options.dialect, api_keys=options.api_key, models=options.model, seed=options.seed
    )
    server = ProviderServer(settings, script, options.host, options.port)
    try:
        asyncio.run(_serve(server, options))
    except OSError as error:
        click.echo(f"cannot listen on {options.host}:{options.port}: {error.strerror or error}", err=True)
        sys.exit(1)
    stats = server.stats
    if options.json:
        click.echo(json.dumps([_session_json(each) for each in stats], indent=2))
    else:
        for each in stats:
            click.echo(_session_text(each))
        if not stats:
            click.echo("nobody connected")
    sys.exit(1 if any(each.rejections or each.violations for each in stats) else 0)


async def _serve(server: ProviderServer, options: ProviderOptions) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
    async with server:
        began_s = loop.time()
        click.echo(f"listening on {server.url}?model=... ({server.settings.dialect}); Ctrl-C ends it", err=options.json)
        events = _EventPrinter(server, began_s, options.quiet, to_stderr=options.json)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_S)
            events.print_new()
            ended = sum(session.core.closing is not None for session in server.sessions)
            is_enough = options.sessions is not None and ended >= options.sessions
            if is_enough or (options.for_s is not None and loop.time() - began_s >= options.for_s):
                break
    events.print_new()


class _EventPrinter:
    """Prints what happened since it last looked; of the deltas of an item the first of each type."""

    def __init__(self, server: ProviderServer, began_s: float, quiet: bool, to_stderr: bool) -> None:
        self._server = server
        self._began_s = began_s
        self._quiet = quiet
        self._to_stderr = to_stderr
        self._seen: dict[int, tuple[int, int]] = {}
        self._printed: set[tuple[int, str, object]] = set()

    def print_new(self) -> None:
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
    return "\n".join(lines)
