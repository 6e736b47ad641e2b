"""`turnspec demo`: one real call between the shipped simulators, shown as it happens."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

if TYPE_CHECKING:
    from adapters.demo.demo_call import DemoOutcome
    from adapters.demo.plan import DemoPlan

ABOUT_S: Final = {"turnspec": "about 33 s", "naive": "about 40 s", "openai": "a minute or so"}
LINES: Final = ("audiosocket", "chan_websocket", "twilio", "sideband")
"""Those of adapters.demo.lines, which the help does not import."""
LOOP_FACTORY: Final = None
Provider = Literal["simulated", "openai"]
SPECS: Final = {
    "realtime": "server_vad", "live": "full_duplex", "deepgram": "provider_turns", "gemini": "gemini_turns"
}  # fmt: skip
"""The protocols, and the spec that is played over each."""


@click.command(
    epilog="A healthy call has one answer per turn, no rejected response.create, no underrun, and at most one create "
    "per greeting and per round of tools. "
    "Exit code: 0 healthy, 1 not (and what), or the spec has problems, 2 wrong use."
)
@click.option(
    "--spec",
    default=None,
    metavar="NAME|FILE",
    help="The lifecycle: server_vad, owned_turns, guarded_turns, push_to_talk, full_duplex, or a file of yours. "
    "[default: server_vad, or the bundled one for the protocol]",
)
@click.option(
    "--protocol",
    type=click.Choice(list(SPECS)),
    default="realtime",
    show_default=True,
    help="What is spoken with the model: OpenAI's Realtime; or one of those whose model decides who speaks, GPT-Live, "
    "Deepgram's Voice Agent, Gemini Live.",
)
@click.option(
    "--caller",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What the caller does instead of his six turns: a script, as `simulate caller` takes it.",
)
@click.option(
    "--provider-scenario",
    "--scenario",
    "scenario",
    metavar="NAME|FILE",
    help="What the provider answers, and its faults, in the format of its scenarios; faults alone "
    "strike the demo's own conversation. Bundled: crossing, "
    "lost_response_done, lost_speech_stopped, late_session_updated, twice_response_done, garbage, "
    "closed_in_mid_call.",
)
@click.option(
    "--naive",
    is_flag=True,
    help="Show what a controller made of flags does with the same call. turnspec takes it at the same time, "
    "without being shown, and both are compared at the end.",
)
@click.option(
    "--provider",
    type=click.Choice(["simulated", "openai"]),
    default="simulated",
    show_default=True,
    help="openai: the real one, with OPENAI_API_KEY (and OPENAI_MODEL, OPENAI_VOICE, "
    "OPENAI_SYSTEM_PROMPT, OPENAI_REALTIME_BASE_URL, if they are set).",
)
@click.option(
    "--format",
    "audio_format",
    type=click.Choice(["pcmu", "pcma", "pcm16"]),
    default="pcmu",
    show_default=True,
    help="Audio between turnspec and the provider: G.711 at 8 kHz, or 24 kHz PCM.",
)
@click.option(
    "--line",
    type=click.Choice(LINES),
    default="audiosocket",
    show_default=True,
    help="How the caller comes: Asterisk's AudioSocket or chan_websocket, Twilio's Media Streams with its webhook, or "
    "at the provider (WebRTC, SIP), whose session is attached to.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Ids, latencies, tool delays, the moment of the barge-in; a seed repeats turns, states and counts.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where journal, recording and summary go. [default: demo-<time>]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON and nothing else.")
def command(
    spec: str | None,
    protocol: Literal["realtime", "live", "deepgram", "gemini"],
    caller: Path | None,
    scenario: str | None,
    naive: bool,
    provider: Provider,
    audio_format: str,
    line: str,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Play a real call over loopback sockets, in real time: about half a minute.

    A simulated caller calls, as Asterisk would or as Twilio would; turnspec takes the call and talks to a simulated
    Realtime provider. Six turns, digits from the keypad, two tools at once, and a caller who talks into an answer.
    """
    from adapters.settings.folders import unusable
    from fsm.language.problem import SpecError

    if naive and protocol != "realtime":
        raise click.UsageError("--naive speaks Realtime: leave --protocol out")
    if naive and line != "audiosocket":
        raise click.UsageError("--naive takes its call over AudioSocket: leave --line out")
    try:
        plan = _plan(
            spec=spec or SPECS[protocol],
            protocol=protocol,
            caller=caller,
            scenario=scenario,
            provider=provider,
            audio_format=audio_format,
            line=line,
            seed=seed,
        )
    except SpecError as error:
        for problem in error.problems:
            click.echo(str(problem), err=as_json)
        sys.exit(1)
    folder = out or Path(time.strftime("demo-%Y%m%d-%H%M%S"))
    complaint = unusable(folder)
    if complaint:
        raise click.UsageError(f"{folder}: {complaint}")
    folder.mkdir(parents=True, exist_ok=True)
    with _logs_into(folder / "log.jsonl"):
        sys.exit(_json_run(plan, folder, naive) if as_json else _shown_run(plan, folder, naive))


def _plan(**options: Any) -> DemoPlan:
    from adapters.demo.plan import DemoOptions, PlanError, make_plan

    try:
        return make_plan(DemoOptions(**options), os.environ)
    except PlanError as error:
        raise click.UsageError(str(error)) from None


def _json_run(plan: DemoPlan, folder: Path, naive: bool) -> int:
    from adapters.demo.demo_call import nobody, run_demo

    try:
        with asyncio.Runner(loop_factory=LOOP_FACTORY) as runner:
            outcome = runner.run(run_demo(plan, folder, nobody, naive=naive))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 1
    except (OSError, TimeoutError) as error:
        click.echo(json.dumps({"error": f"{type(error).__name__}: {error}"}, indent=2))
        return 1
    click.echo(json.dumps(outcome.summary, indent=2))
    return 1 if outcome.problems else 0


def _shown_run(plan: DemoPlan, folder: Path, naive: bool) -> int:
    from rich.console import Console

    from adapters.demo.demo_call import run_demo
    from adapters.demo.screen import make_screen
    from adapters.demo.summary_text import show_beginning, show_ending

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 shows question marks, and no traceback
    console = Console(highlight=False)
    about = ABOUT_S["openai" if plan.endpoint is not None else "naive" if naive else "turnspec"]
    if plan.options.caller is not None:
        about = "as long as its caller stays"
    show_beginning(console, plan, folder, naive, about)
    outcome: DemoOutcome | None = None
    try:
        with (
            asyncio.Runner(loop_factory=LOOP_FACTORY) as runner,
            make_screen(console, runner.get_loop().time) as screen,
        ):
            outcome = runner.run(run_demo(plan, folder, screen.show, naive=naive))
    except (asyncio.CancelledError, KeyboardInterrupt):
        console.print("\nThe call was cut.", style="bold red")
    except (OSError, TimeoutError) as error:
        console.print(f"\nThe call could not be played: {type(error).__name__}: {error}", style="bold red")
    show_ending(console, plan, folder, outcome, _program())
    return 0 if outcome is not None and not outcome.problems else 1


def _program() -> str:
    """How this command is called here: what is to be tried next must work as it is written."""
    called = Path(sys.argv[0])
    if called.name != "turnspec" or shutil.which("turnspec") == str(called):
        return "turnspec"
    return os.path.join(os.path.dirname(os.path.relpath(called)) or ".", "turnspec")  # noqa: PTH118, PTH120 - "./" counts


@contextmanager
def _logs_into(path: Path) -> Iterator[None]:
    """Everything that is logged goes to a file beside the journal; what was set up before comes back afterwards."""
    import logging

    import structlog

    from adapters.logs import LogSettings, configure

    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with path.open("w", encoding="utf-8") as file:
        configure(LogSettings(), (os.environ.get("OPENAI_API_KEY", ""),), file)
        try:
            yield
        finally:
            structlog.configure(**before)
            root.handlers[:] = handlers
            root.setLevel(level)
