"""`turnspec audit`: what went wrong in calls, from their logs alone, also in calls turnspec did not take."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from adapters.audit import summary_text, terminal
from adapters.audit.documents import LogRefusedError
from adapters.audit.forms import nothing_read
from adapters.audit.page import page as html_page
from adapters.audit.prices import Prices, PricesError
from adapters.audit.prices import load as load_prices
from adapters.audit.readers import JOURNAL
from adapters.audit.run import Auditor, auditor
from adapters.audit.stream import STDIN
from adapters.audit.summary import PoolBrokenError, summed
from fsm.audit.conversation import AuditOptions
from fsm.audit.record import CLOSED, visible
from fsm.audit.report import as_json, markdown
from fsm.audit.report.report import LogReport
from fsm.language.problem import SpecError

_RECORDING_BYTES = 48 * 1024 * 1024  # an hour of two channels at 8 kHz is 115 MB; a page of that size does not open
_BAR_BYTES = 4 * 1024 * 1024  # smaller logs are read before a bar could be seen


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--spec",
    metavar="SPEC",
    help="Compare with this spec: a bundled name or a file. Without it: the "
    "bundled spec that a turnspec journal was written under; for other logs server_vad.",
)
@click.option(
    "--dead-air",
    type=click.FloatRange(0.5, 600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long somebody may wait in silence.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, to paste into an incident report.")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a self-contained page with timelines, too.",
)
@click.option(
    "--recording",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE.wav",
    help="With --html: put this recording of the first LOG's call into the page, to be heard from where one clicks. "
    "Without it: the WAV beside a LOG, if it has its name, or is called recording.wav.",
)
@click.option(
    "--prices",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="With --html: what tokens cost (as adapters/audit/prices.yaml).",
)
@click.option(
    "--summary",
    is_flag=True,
    help="LOGs are folders of journals, thousands of them: say what was found by finding, spec and hour, and name the "
    "worst calls. On all cores, in one pass. With --json for programs.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    logs: tuple[str, ...],
    spec: str | None,
    dead_air: float,
    as_markdown: bool,
    as_json_: bool,
    html_file: Path | None,
    recording: Path | None,
    prices: Path | None,
    summary: bool,
    quiet: bool,
) -> None:
    """Find what went wrong in the calls of LOGs: files, gzip, or - for standard input.

    Reads logs of any Realtime client: turnspec journals, JSON in any wrapping, spans of OpenTelemetry, cassettes in
    YAML, a browser's HAR, and text with events as JSON or as Python, Node, Go, Ruby, Swift or Objective-C print them;
    whole, cut off or without their middle; names of events, and words of well-known bridges. Calls that a log names
    (call_id, session_id, ...) are separated. What cannot be read is counted, and the first of it is shown.

    A finding needs harm in the log: a rejection, a missing or a second answer, a silence, talk-over. What is merely
    unwise is a note. Findings stand in the order of causes. For each: the evidence, the line of the spec that forbids
    it, and what turnspec's machine does when it is fed the same events of the provider.

    \b
      turnspec audit call.log                   what went wrong in a call
      turnspec audit call.log --html call.html  a page: turns, timeline, transcript; the recording beside the log
      turnspec audit --summary journals/        thousands of calls: by finding, spec and hour, the worst first

    Exit code: 0 notes at most, 1 findings, 2 wrong use (also: one of several logs cannot be read, and the others can).
    """
    if as_markdown and as_json_:
        raise click.UsageError("--markdown and --json exclude each other")
    if summary:
        if as_markdown or html_file is not None:
            raise click.UsageError("--summary goes with --json and with nothing else")
        _summary(logs, spec, AuditOptions(dead_air_ms=dead_air * 1000), as_json_)
    try:
        runner = auditor(spec, AuditOptions(dead_air_ms=dead_air * 1000))
    except SpecError as error:
        raise click.UsageError(f"--spec {spec}:\n{error}") from None
    reports, unread = _all(runner, logs, quiet)
    if html_file is not None:
        _write(html_file, html_page(reports, _recorded(recording, logs[0]), _priced(prices)))
    if as_json_:
        click.echo(json.dumps(as_json.document(reports), indent=2))
    elif as_markdown:
        click.echo(markdown.page(reports), nl=False)
    else:
        terminal.show(Console(soft_wrap=False), reports)
    for problem in unread:
        click.echo(f"Error: {problem.message}", err=True)
    sys.exit(2 if unread else 0 if all(report.is_clean for report in reports) else 1)


def _summary(logs: tuple[str, ...], spec: str | None, options: AuditOptions, as_json_: bool) -> NoReturn:
    """Many logs in figures; the exit code is that of the logs that could be read, 2 if none could."""
    try:
        made = summed(logs, spec, options)
    except SpecError as error:
        raise click.UsageError(f"--spec {spec}:\n{error}") from None
    except (OSError, PoolBrokenError) as error:
        raise click.UsageError(f"--summary: {error}") from None
    if not made.logs:
        raise click.UsageError(f"--summary: no log in {', '.join(map(visible, logs))}")
    if as_json_:
        click.echo(json.dumps(summary_text.plain(made), indent=2))
    else:
        summary_text.show(Console(soft_wrap=False), made)
    sys.exit(2 if made.unread == made.logs else 1 if made.with_findings else 0)


def _all(runner: Auditor, logs: tuple[str, ...], quiet: bool) -> tuple[list[LogReport], list[click.UsageError]]:
    """The reports of all logs that can be read, and what is wrong with the others; one at least can be."""
    reports: list[LogReport] = []
    unread: list[click.UsageError] = []
    for log in logs:
        try:
            reports.append(_audited(runner, log, quiet))
        except click.UsageError as error:
            unread.append(error)
    if not reports:
        raise unread[0]
    return reports, unread


def _recorded(chosen: Path | None, log: str) -> bytes | None:
    """The recording for the page: the chosen one, or the one beside a log."""
    beside = [Path(log).with_suffix(".wav"), Path(log).with_name("recording.wav")] if log != STDIN else []
    path = chosen or next((each for each in beside if each.is_file()), None)
    if path is None:
        return None
    try:
        if path.stat().st_size > _RECORDING_BYTES:
            if chosen is None:
                return None
            raise click.UsageError(f"--recording {path}: more than {_RECORDING_BYTES >> 20} MiB do not go into a page")
        found = path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if found[:4] == b"RIFF":
        return found
    if chosen is None:
        return None
    raise click.UsageError(f"--recording {path}: is not a WAV file")


def _priced(path: Path | None) -> Prices | None:
    try:
        return None if path is None else load_prices(path)
    except (OSError, PricesError) as error:
        raise click.UsageError(f"--prices {error}") from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror or error}") from None


def _audited(runner: Auditor, log: str, quiet: bool) -> LogReport:
    """One log, with a bar on standard error where there is somebody to see it."""
    try:
        size = None if log == STDIN else Path(log).stat().st_size
        report = _with_bar(runner, log, size) if _is_worth_a_bar(size, quiet) else runner.audit(log)
    except (OSError, LogRefusedError) as error:
        why = getattr(error, "strerror", None) or error
        raise click.UsageError(f"{visible(log)} cannot be read: {why}") from None
    if not report.kinds.keys() - {CLOSED} and report.format != JOURNAL:
        raise click.UsageError(nothing_read(visible(log), report.format, report.first_unread))
    return report


def _is_worth_a_bar(size: int | None, quiet: bool) -> bool:
    return not quiet and sys.stderr.isatty() and (size is None or size >= _BAR_BYTES)


def _with_bar(runner: Auditor, log: str, size: int | None) -> LogReport:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(Path(log).name, total=size)
        return runner.audit(log, lambda read_bytes: progress.update(task, completed=read_bytes))
