"""`turnspec audit`: what went wrong in calls, from their logs alone, also in calls turnspec did not take."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from adapters.audit import terminal
from adapters.audit.page import page as html_page
from adapters.audit.run import Auditor, auditor
from adapters.audit.stream import STDIN
from fsm.audit.conversation import AuditOptions
from fsm.audit.record import CLOSED, visible
from fsm.audit.report import as_json, markdown
from fsm.audit.report.report import LogReport
from fsm.language.problem import SpecError

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
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    logs: tuple[str, ...],
    spec: str | None,
    dead_air: float,
    as_markdown: bool,
    as_json_: bool,
    html_file: Path | None,
    quiet: bool,
) -> None:
    """Find what went wrong in the calls of LOGs: files, gzip, or - for standard input.

    Reads wire logs of any Realtime client: turnspec journals, JSON lines with or without direction and time, JSON
    arrays, what collectors wrap around a line, a browser's HAR, and text in which events are embedded as JSON or as
    Python, pydantic and Node print them; whole, or cut off. Calls that a log names (call_id, session_id, ...) are
    separated. A finding needs harm in the log: a rejection, a missing or a second answer, a silence, talk-over. What is
    merely unwise is a note. For each finding: the evidence, the line of
    the spec that forbids it, and what turnspec's machine does when it is fed the same provider events.

    Exit code: 0 notes at most, 1 findings, 2 wrong use (also: one of several logs cannot be read, and the others can).
    """
    if as_markdown and as_json_:
        raise click.UsageError("--markdown and --json exclude each other")
    try:
        runner = auditor(spec, AuditOptions(dead_air_ms=dead_air * 1000))
    except SpecError as error:
        raise click.UsageError(f"--spec {spec}:\n{error}") from None
    reports, unread = _all(runner, logs, quiet)
    if html_file is not None:
        _write(html_file, html_page(reports))
    if as_json_:
        click.echo(json.dumps(as_json.document(reports), indent=2))
    elif as_markdown:
        click.echo(markdown.page(reports), nl=False)
    else:
        terminal.show(Console(soft_wrap=False), reports)
    for problem in unread:
        click.echo(f"Error: {problem.message}", err=True)
    sys.exit(2 if unread else 0 if all(report.is_clean for report in reports) else 1)


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
    except OSError as error:
        raise click.UsageError(f"{visible(log)} cannot be read: {error.strerror or error}") from None
    if not report.kinds.keys() - {CLOSED}:
        raise click.UsageError(f"{visible(log)}: no event of a Realtime conversation was found ({report.format})")
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
