"""`turnspec simulate caller`: Asterisk's side of a bridge, with a caller. Reports how the conversation was."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import attrs
import click

from adapters.lines.audiosocket.protocol import KIND_OF_RATE_HZ

if TYPE_CHECKING:
    from adapters.simulator.caller.caller import CallerReport, CallerSettings, Script

RATES: Final = tuple(map(str, KIND_OF_RATE_HZ))


def _address(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} is not of the form HOST:PORT, e.g. 127.0.0.1:9019", ctx, param)
    return host.strip("[]"), int(port)


@attrs.frozen(kw_only=True)
class CallerOptions:
    """The argument and the options of the command, by their names."""

    address: tuple[str, int] | None
    script: Path | None
    speech: tuple[str, ...]
    list_speech: bool
    echo: str | None
    rate_hz: str
    ptime_ms: str
    dtx: bool
    driver: Literal["app", "dial"]
    uuid: UUID | None
    save: Path | None
    json: bool


@click.command(short_help="Asterisk's side: a caller who follows a script.")
@click.argument("address", metavar="HOST:PORT", callback=_address, required=False)
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE", help="What the caller does (YAML, see above)."
)
@click.option(
    "--speech",
    multiple=True,
    metavar="NAME|FILE",
    help="Something to say: a bundled line or a WAV file. Repeat it for each turn; a script replaces it. "
    "[default: caller_order_status, caller_weather]",
)
@click.option("--list-speech", is_flag=True, help="Show the bundled lines and what they say, and end.")
@click.option("--echo", metavar="GAIN_DB[,DELAY_MS]", help="The agent's voice comes back, e.g. -20 or -20,120.")
@click.option(
    "--rate",
    "rate_hz",
    metavar="HZ",
    type=click.Choice(RATES),
    default="8000",
    show_default=True,
    help=f"Of the caller's audio: {', '.join(RATES)}.",
)
@click.option(
    "--ptime",
    "ptime_ms",
    metavar="MS",
    type=click.Choice(["10", "20", "30", "40"]),
    default="20",
    show_default=True,
    help="Of the caller's frames: 10, 20, 30 or 40.",
)
@click.option("--dtx", is_flag=True, help="Send nothing while the caller is silent.")
@click.option(
    "--driver",
    type=click.Choice(["app", "dial"]),
    default="app",
    show_default=True,
    help="AudioSocket() or Dial(AudioSocket/...): each drops calls for reasons of its own.",
)
@click.option("--uuid", type=click.UUID, help="The id of the call. [default: a random one]")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.wav", help="Write what the caller heard."
)
@click.option("--json", is_flag=True, help="Print the report as JSON and nothing else.")
def caller(**given: Any) -> None:
    """Asterisk's end of an AudioSocket connection with a caller who follows a script; as strict as Asterisk is.

    It waits for the agent's greeting, says its lines one after the other, each after the answer to the one before, and
    reports how that was: reply times, silences, both talking at once, holes in the agent's voice, how frames came.

    \b
    A script:
      steps:
        - wait_agent_speaking
        - wait_agent_silent: {for_ms: 600}
        - say: caller_returns
        - interrupt: {file: caller_interrupt, after_ms: 700}
        - press: "5"
        - wait_ms: 500
        - until_hung_up: 20000      # or hang_up, or reset

    Exit code: 0 the agent was heard and every wait came true, 1 otherwise, 2 wrong use.
    """
    from adapters.logs import LogSettings, configure
    from adapters.simulator.caller.caller import run_caller

    options = CallerOptions(**given)
    configure(LogSettings(format="console", level="warning"))  # the events are shown here already
    if options.list_speech:
        _list_speech()
        return
    if options.address is None:
        raise click.UsageError("HOST:PORT is missing, e.g. turnspec simulate caller 127.0.0.1:9019")
    if options.save is not None:
        _check_folder(options.save)
    settings = _caller_settings(options)
    on_event = None if options.json else _show_event
    try:
        steps = _script(options.script, options.speech)
        report = asyncio.run(run_caller(*options.address, steps, settings, on_event, call_id=options.uuid))
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    except KeyboardInterrupt:
        click.echo("interrupted by Ctrl-C", err=True)
        sys.exit(1)
    if options.save is not None:
        _save(report, options.save)
    click.echo(json.dumps(_report_json(report), indent=2) if options.json else _report_text(report))
    sys.exit(1 if report.dropped or report.notes or not report.agent_speech else 0)


def _list_speech() -> None:
    from adapters.simulator.speech.library import lines

    for line in lines().values():
        click.echo(f"{line.name:<24} {line.text}")


def _caller_settings(options: CallerOptions) -> CallerSettings:
    from adapters.simulator.caller.script import CallerSettings, Echo

    gain, _, delay = (options.echo or "").partition(",")
    try:
        heard = Echo(gain_db=float(gain), delay_ms=float(delay or 120)) if options.echo else None
    except ValueError:
        raise click.UsageError(f"--echo: GAIN_DB or GAIN_DB,DELAY_MS is expected, not {options.echo!r}") from None
    rate_hz, ptime_ms = int(options.rate_hz), int(options.ptime_ms)
    try:
        return CallerSettings(rate_hz=rate_hz, ptime_ms=ptime_ms, dtx=options.dtx, driver=options.driver, echo=heard)
    except ValueError as error:
        raise click.UsageError(str(error.args[0] if error.args else error)) from None


def _script(file: Path | None, speech: tuple[str, ...]) -> Script:
    """From a file, or made of lines to say. ValueError, OSError: it cannot be."""
    import yaml

    from adapters.simulator.caller.script import load_script
    from adapters.simulator.speech.library import lines

    if file is not None:
        try:
            return load_script(yaml.safe_load(file.read_text(encoding="utf-8")), file.parent)
        except (yaml.YAMLError, ValueError) as error:
            raise ValueError(f"{file}: {error}") from None
    answer: list[object] = [{"wait_agent_speaking": 8000}, {"wait_agent_silent": {"for_ms": 600, "within_ms": 30_000}}]
    steps = [*answer]
    for line in speech or ("caller_order_status", "caller_weather"):
        if line not in lines() and not Path(line).is_file():
            raise ValueError(f"--speech: {line}: neither a file nor a bundled line (--list-speech shows them)")
        steps += [{"say": line}, *answer]
    return load_script({"steps": [*steps, "hang_up"]}, Path())


def _show_event(name: str, data: Mapping[str, object]) -> None:
    at_ms = data.get("at_ms")
    rest = " ".join(str(value) for key, value in data.items() if key not in ("at_ms", "began_ms") and value is not None)
    seconds = at_ms / 1000 if isinstance(at_ms, int | float) else 0.0
    click.echo(f"{seconds:8.2f}  {name.replace('_', ' ')} {rest}".rstrip())


def _check_folder(save: Path) -> None:
    """Before the call: after it what was heard would be lost."""
    from adapters.settings.folders import unusable

    complaint = "" if save.parent.is_dir() else "there is no such folder"
    if complaint := complaint or unusable(save.parent):
        raise click.UsageError(f"--save: {save.parent}: {complaint}")


def _save(report: CallerReport, path: Path) -> None:
    import wave

    try:
        with path.open("wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(report.heard_pcm(8000))
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None


def _report_json(report: CallerReport) -> dict[str, Any]:
    given = attrs.asdict(report, filter=lambda attribute, _: attribute.name != "heard")
    plain: dict[str, Any] = json.loads(json.dumps(given, default=str))
    return plain


_ENDINGS: Final = {
    "hangup": "the other side hung up",
    "fin": "the other side closed the connection",
    "rst": "the other side reset the connection",
    "dropped": "Asterisk would have dropped the call",
    "caller": "the caller hung up",
}


def _report_text(report: CallerReport) -> str:
    replies = ", ".join(f"{each / 1000:.2f}" for each in report.reply_ms) or "none"
    spoken_s = sum(each.duration_ms for each in report.agent_speech) / 1000
    pacing = report.pacing
    lines = [
        "",
        f"{_ENDINGS[report.ended]}{f': {report.dropped}' if report.dropped else ''}; after "
        f"{report.duration_ms / 1000:.1f} s; the dialplan {'continues' if report.dialplan_continues else 'ends'}",
        f"the agent spoke {len(report.agent_speech)} times, {spoken_s:.1f} s; reply times in s: {replies}",
        f"longest silence {report.longest_silence_ms / 1000:.1f} s, both at once {report.talk_over_ms / 1000:.1f} s, "
        f"{len(report.holes)} holes in the agent's voice",
        f"{pacing.messages} messages, {pacing.gap_mean_ms:.1f} ms apart, 99 % within {pacing.gap_p99_ms:.1f} ms, "
        f"lead at most {pacing.lead_max_ms:.0f} ms",
    ]
    lines += [f"waited in vain: {note.text} (step {note.step}, {note.at_ms / 1000:.1f} s)" for note in report.notes]
    return "\n".join(lines)
