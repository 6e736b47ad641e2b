"""`turnspec simulate caller`: Asterisk's side of a bridge, with a caller. Reports how the conversation was."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import attrs
import click

from adapters.cli.simulate_result import check_folder, failing_faults, write_result
from adapters.lines.audiosocket.protocol import KIND_OF_RATE_HZ
from adapters.lines.chan_websocket.protocol import FORMATS

if TYPE_CHECKING:
    from adapters.kit.faults import CallFault
    from adapters.simulator.caller.caller import CallerReport, CallerSettings, Dial, Script

_SLIN_OF_HZ: Final = {"8000": "slin", "16000": "slin16", "24000": "slin24"}
RATES: Final = tuple(map(str, KIND_OF_RATE_HZ))


def _address(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | str | None:
    """A WebSocket's address stays a text."""
    if value is None or value.startswith(("ws://", "wss://")):
        return value
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} is not of the form HOST:PORT, e.g. 127.0.0.1:9019", ctx, param)
    return host.strip("[]"), int(port)


@attrs.frozen(kw_only=True)
class CallerOptions:
    """The argument and the options of the command, by their names."""

    address: tuple[str, int] | str | None
    script: Path | None
    speech: tuple[str, ...]
    list_speech: bool
    echo: str | None
    rate_hz: str
    ptime_ms: str
    jitter_ms: float
    dtx: bool
    driver: Literal["app", "dial"]
    codec: str | None
    control: Literal["json", "plain"]
    var: tuple[str, ...]
    twilio: str | None
    ask_at: str | None
    uuid: UUID | None
    save: Path | None
    fail_on: str | None
    junit: Path | None
    json: bool


@click.command(short_help="Asterisk's side: a caller who follows a script.")
@click.argument("address", metavar="HOST:PORT|ws://...", callback=_address, required=False)
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
@click.option(
    "--jitter",
    "jitter_ms",
    metavar="MS",
    type=click.FloatRange(0, 1000),
    default=0.0,
    help="The caller's frames come up to so much late, each by another amount.",
)
@click.option("--dtx", is_flag=True, help="Send nothing while the caller is silent.")
@click.option(
    "--driver",
    type=click.Choice(["app", "dial"]),
    default="app",
    show_default=True,
    help="AudioSocket() or Dial(AudioSocket/...): each drops calls for reasons of its own.",
)
@click.option(
    "--twilio",
    metavar="URL",
    help="Call as Twilio does: ask this webhook (as Twilio sees it, e.g. https://agent.example.com/twiml), open the "
    "stream it says, at HOST:PORT if that is given. Signed with TWILIO_AUTH_TOKEN, for TWILIO_ACCOUNT_SID.",
)
@click.option("--ask-at", metavar="URL", help="With --twilio: where the webhook really is, e.g. http://127.0.0.1:8080.")
@click.option(
    "--codec",
    type=click.Choice(tuple(FORMATS)),
    help="Of chan_websocket's c(..). [default: slin at --rate]",
)
@click.option(
    "--control",
    type=click.Choice(["json", "plain"]),
    default="json",
    show_default=True,
    help="Of chan_websocket's f(..): the form of commands and events.",
)
@click.option("--var", multiple=True, metavar="NAME=VALUE", help="Of chan_websocket's v(..), e.g. token=... Repeat it.")
@click.option("--uuid", type=click.UUID, help="The id of the call. [default: a random one]")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.wav", help="Write what the caller heard."
)
@click.option(
    "--fail-on",
    metavar="FAULT,...",
    help="What makes the exit code 1: names of faults (see below), all, or none. [default: those marked with *]",
)
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.xml", help="Write the result for a CI."
)
@click.option("--json", is_flag=True, help="Print the report as JSON and nothing else.")
def caller(**given: Any) -> None:
    """Asterisk's end of a call with a caller who follows a script; as strict as Asterisk is. Or Twilio's (--twilio).

    HOST:PORT is called over AudioSocket, ws://HOST:PORT/PATH over chan_websocket.

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
        - hold: {ms: 4000, music: moh.wav}   # without music nothing is sent
        - until_hung_up: 20000      # or hang_up, or reset
      expect:
        summary: {answers: 2, longest_silence_ms: "< 3000", yield_ms: "< 800"}
        deadlines: [{of: spoke, comes: heard_agent, within_ms: 2000}]

    \b
    Faults (docs/kit.md has the words of `expect`, too):
      *not-connected *dropped *call-died *agent-silent *waited-in-vain *not-as-expected
      turn-unanswered barge-in-ignored dead-air

    Exit code: 0 no fault that counts, 1 there is one, 2 wrong use.
    """
    from adapters.kit.caller_judge import caller_faults
    from adapters.kit.faults import CALLER_FAULTS
    from adapters.logs import LogSettings, configure
    from adapters.simulator.caller.caller import run_call

    options = CallerOptions(**given)
    configure(LogSettings(format="console", level="warning"))  # the events are shown here already
    if options.list_speech:
        _list_speech()
        return
    dial = _dial(options)
    failing = failing_faults(options.fail_on, CALLER_FAULTS)
    for path, option in ((options.save, "--save"), (options.junit, "--junit")):
        if path is not None:
            check_folder(path, option)
    settings = _caller_settings(options)
    on_event = None if options.json else _show_event
    try:
        script = _script(options.script, options.speech)
        report = asyncio.run(run_call(dial, script, settings, on_event, call_id=options.uuid))
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    except KeyboardInterrupt:
        click.echo("interrupted by Ctrl-C", err=True)
        sys.exit(1)
    if options.save is not None:
        _save(report, options.save)
    faults = caller_faults(report, script)
    shown = (
        _report_json(report, script, faults, failing) if options.json else _report_text(report, script, faults, failing)
    )
    click.echo(shown)
    if options.junit is not None:
        write_result(
            options.junit, "turnspec simulate caller", CALLER_FAULTS, faults, failing, report.duration_ms / 1000
        )
    sys.exit(int(any(each.kind in failing for each in faults)))


def _dial(options: CallerOptions) -> Dial:
    """How the caller comes."""
    from adapters.simulator.lines.audiosocket import dial_audiosocket

    if options.twilio is not None:
        return _dial_twilio(options, options.twilio)
    if options.ask_at is not None:
        raise click.UsageError("--ask-at goes with --twilio")
    if options.address is None:
        raise click.UsageError("HOST:PORT is missing, e.g. turnspec simulate caller 127.0.0.1:9019")
    if isinstance(options.address, str):
        return _dial_channel(options, options.address)
    if options.codec is not None or options.var:
        raise click.UsageError("--codec and --var go with ws://HOST:PORT/PATH")
    return partial(dial_audiosocket, *options.address)


def _dial_channel(options: CallerOptions, url: str) -> Dial:
    from adapters.simulator.lines.chan_websocket import AsteriskChannel, dial_server

    pairs = [text.partition("=") for text in options.var]
    if bad := [name for name, equals, _ in pairs if not (name and equals)]:
        raise click.UsageError(f"--var: NAME=VALUE is expected, not {bad[0]!r}")
    codec = options.codec or _SLIN_OF_HZ.get(options.rate_hz, "slin")
    if str(FORMATS[codec].rate_hz) != options.rate_hz:
        raise click.UsageError(f"--rate {options.rate_hz}: chan_websocket's {codec} has {FORMATS[codec].rate_hz}")
    said = {name: value for name, _, value in pairs}
    channel = AsteriskChannel(format=codec, is_json=options.control == "json", uri_parameters=said)
    return partial(dial_server, url, channel)


def _dial_twilio(options: CallerOptions, webhook: str) -> Dial:
    from adapters.simulator.lines.twilio import TwilioNumber, dial_twilio, over_http

    if not webhook.startswith(("http://", "https://")):
        raise click.UsageError(f"--twilio: {webhook!r} is no URL, e.g. https://agent.example.com/twiml")
    secret, account = (os.environ.get(name, "") for name in ("TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID"))
    if not secret or not account:
        raise click.UsageError("--twilio signs as Twilio does: set TWILIO_AUTH_TOKEN and TWILIO_ACCOUNT_SID")
    if isinstance(options.address, str):
        raise click.UsageError("--twilio: the stream's address is HOST:PORT")
    number = TwilioNumber(auth_token=secret, account_sid=account, webhook_url=webhook, stream_address=options.address)
    if importlib.util.find_spec("httpx2") is None:
        raise click.ClickException("--twilio asks the webhook by httpx2: pip install 'turnspec[twilio]'")
    return partial(dial_twilio, number, over_http(options.ask_at) if options.ask_at is not None else None)


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
        return CallerSettings(
            rate_hz=rate_hz, ptime_ms=ptime_ms, jitter_ms=options.jitter_ms, dtx=options.dtx, driver=options.driver,
            echo=heard,
        )  # fmt: skip
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


def _report_json(report: CallerReport, script: Script, faults: Sequence[CallFault], failing: Collection[str]) -> str:
    from adapters.simulator.caller.numbers import caller_numbers

    given = attrs.asdict(report, filter=lambda attribute, _: attribute.name != "heard")
    told = [{**attrs.asdict(each), "fails": each.kind in failing} for each in faults]
    whole = {**given, "steps": len(script.steps), "summary": caller_numbers(report), "faults": told}
    return json.dumps(whole, default=str, indent=2)


_ENDINGS: Final = {
    "hangup": "the other side hung up",
    "fin": "the other side closed the connection",
    "rst": "the other side reset the connection",
    "dropped": "the call would have been dropped",
    "caller": "the caller hung up",
}


def _dialplan_text(report: CallerReport) -> str:
    if report.dialplan_continues:
        return "continues"
    return "ends, but for a TryExec (FAILED)" if report.ended in ("rst", "dropped") else "ends"


def _report_text(report: CallerReport, script: Script, faults: Sequence[CallFault], failing: Collection[str]) -> str:
    from adapters.kit.caller_judge import steps_text
    from adapters.kit.faults import told
    from adapters.simulator.caller.recognition import heard_lines

    replies = ", ".join(f"{each / 1000:.2f}" for each in report.reply_ms) or "none"
    spoken_s = sum(each.duration_ms for each in report.agent_speech) / 1000
    pacing = report.pacing
    lines = [
        "",
        f"{_ENDINGS[report.ended]}{f': {report.dropped}' if report.dropped else ''}; after "
        f"{report.duration_ms / 1000:.1f} s; {steps_text(report, script)}; the dialplan {_dialplan_text(report)}",
        f"the agent spoke {len(report.agent_speech)} times, {spoken_s:.1f} s; reply times in s: {replies}",
        f"longest silence {report.longest_silence_ms / 1000:.1f} s, both at once {report.talk_over_ms / 1000:.1f} s, "
        f"{len(report.holes)} holes in the agent's voice",
        f"{pacing.messages} messages, {pacing.gap_mean_ms:.1f} ms apart, 99 % within {pacing.gap_p99_ms:.1f} ms, "
        f"lead at most {pacing.lead_max_ms:.0f} ms",
    ]
    if heard := heard_lines(report):
        lines.append("bundled lines heard: " + ", ".join(f"{each.name} ({each.percent} %)" for each in heard))
    return "\n".join([*lines, *told(faults, failing)])
