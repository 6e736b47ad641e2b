"""Thousands of journals in one pass: each is audited by one of as many processes as there are cores.

Only figures of each are kept, and what is said of all of them is bounded, however many they are.
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import attrs

from adapters.audit.documents import LogRefusedError
from adapters.audit.readers import started_of
from adapters.audit.run import Auditor, auditor
from adapters.audit.stream import open_stream
from fsm.audit.conversation import AuditOptions
from fsm.audit.record import CLOSED, visible
from fsm.audit.report.report import LogReport
from fsm.errors import RemoteError

_ENDINGS: Final = (".jsonl", ".json", ".log", ".txt", ".har", ".yaml", ".yml", ".gz", ".ndjson")
_WORST: Final = 20  # calls that are named
_AHEAD: Final = 4  # logs that wait for each process
_KEYS: Final = 200  # findings, specs, hours that are told apart
_UNREAD: Final = 10  # logs that could not be read, of which the names are kept
_STEP_MS: Final = 20.0  # of the histogram of waits
_LONGEST_MS: Final = 60_000.0
OTHERS: Final = "(others)"


@attrs.frozen
class CallFigures:
    """What is kept of a log: its findings by rule, the spec and the hour of it, how long its callers waited."""

    file: str
    spec: str = ""
    hour: str = ""
    findings: Mapping[str, int] = attrs.field(factory=dict)
    titles: Mapping[str, str] = attrs.field(factory=dict)
    waits_ms: Sequence[float] = ()
    records: int = 0
    calls: int = 0
    problem: str = ""  # why it could not be read

    @property
    def badness(self) -> tuple[int, int, float]:
        """Kinds of findings before their number before the longest wait."""
        return len(self.findings), sum(self.findings.values()), max(self.waits_ms, default=0.0)


@attrs.define
class AuditSummary:
    """What is said of all logs. Bounded: counts by key, a histogram of waits, the worst calls."""

    logs: int = 0
    calls: int = 0
    records: int = 0
    with_findings: int = 0
    unread: int = 0
    unread_names: list[str] = attrs.field(factory=list)
    by_finding: Counter[str] = attrs.field(factory=Counter)  # logs in which it was found
    times: Counter[str] = attrs.field(factory=Counter)  # how often
    titles: dict[str, str] = attrs.field(factory=dict)
    examples: dict[str, str] = attrs.field(factory=dict)
    by_spec: dict[str, Counter[str]] = attrs.field(factory=dict)
    by_hour: dict[str, Counter[str]] = attrs.field(factory=dict)
    waits: Counter[int] = attrs.field(factory=Counter)
    _worst: list[tuple[tuple[int, int, float], int, CallFigures]] = attrs.field(factory=list)

    def add(self, found: CallFigures) -> None:
        """One more log."""
        self.logs += 1
        if found.problem:
            self.unread += 1
            if len(self.unread_names) < _UNREAD:
                self.unread_names.append(f"{found.file}: {found.problem}")
            return
        self.calls += found.calls
        self.records += found.records
        self.with_findings += bool(found.findings)
        for rule, count in found.findings.items():
            self.by_finding[rule] += 1
            self.times[rule] += count
            self.titles.setdefault(rule, found.titles.get(rule, rule))
            self.examples.setdefault(rule, found.file)
        for table, key in ((self.by_spec, found.spec), (self.by_hour, found.hour)):
            counts = table.setdefault(key if key in table or len(table) < _KEYS else OTHERS, Counter())
            counts["logs"] += 1
            counts["with findings"] += bool(found.findings)
        self.waits.update(int(min(ms, _LONGEST_MS) / _STEP_MS) for ms in found.waits_ms)
        if found.findings:
            keep = heapq.heappush if len(self._worst) < _WORST else heapq.heappushpop
            keep(self._worst, (found.badness, self.logs, found))

    @property
    def worst(self) -> list[CallFigures]:
        """The worst calls first."""
        return [found for _, _, found in sorted(self._worst, key=lambda each: each[:2], reverse=True)]

    def wait_ms(self, share: float) -> float | None:
        """The wait that so large a share of all turns did not exceed, to 20 ms."""
        total, seen = sum(self.waits.values()), 0
        for step in sorted(self.waits):
            seen += self.waits[step]
            if seen >= share * total:
                return (step + 1) * _STEP_MS
        return None


class PoolBrokenError(RemoteError):
    """A process that audited logs was ended from outside."""


def logs_in(names: Sequence[str]) -> Iterator[str]:
    """The logs of folders, with those in folders below them, one at a time; a file is one whatever its name."""
    for name in names:
        path = Path(name)
        if not path.is_dir():
            yield name
            continue
        open_folders = [path]
        while open_folders:
            with os.scandir(open_folders.pop()) as entries:
                for entry in sorted(entries, key=lambda each: each.name):
                    if entry.is_dir(follow_symlinks=False):
                        open_folders.append(Path(entry.path))
                    elif entry.name.endswith(_ENDINGS) and entry.name != "summary.json" and entry.is_file():
                        yield entry.path


def summed(
    names: Sequence[str],
    spec: str | None,
    options: AuditOptions,
    processes: int | None = None,
    told: Callable[[int], None] | None = None,
) -> AuditSummary:
    """The summary of all logs. `told` hears how many are done. Raises SpecError, PoolBrokenError."""
    made, paths = AuditSummary(), logs_in(names)
    count = processes or os.cpu_count() or 1
    if count == 1:
        runner = auditor(spec, options)
        for path in paths:
            made.add(figures_of(runner, path))
        return made
    auditor(spec, options)  # a spec that is wrong is wrong here, not in each process
    started = (spec, options.dead_air_ms, options.overlap_ms)
    with ProcessPoolExecutor(count, get_context("spawn"), _start, started) as pool:
        waiting: set[Future[CallFigures]] = set()
        try:
            while True:
                fresh = islice(paths, count * _AHEAD - len(waiting))
                waiting |= {pool.submit(_figures, path) for path in fresh}
                if not waiting:
                    return made
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for each in done:
                    made.add(each.result())
                if told is not None:
                    told(made.logs)
        except BrokenProcessPool:
            raise PoolBrokenError(f"a process ended after {made.logs} logs: out of memory, or killed") from None


_RUNNER: list[Auditor] = []


def _start(spec: str | None, dead_air_ms: float, overlap_ms: float) -> None:
    """Once in each process: a spec takes longer to load than a hundred journals to read."""
    _RUNNER[:] = [auditor(spec, AuditOptions(dead_air_ms, overlap_ms))]


def _figures(name: str) -> CallFigures:
    return figures_of(_RUNNER[0], name)


def figures_of(runner: Auditor, name: str) -> CallFigures:
    """One log in figures; never an error."""
    shown = visible(name)
    try:
        stream = open_stream(name)
        hour = started_of(stream.head)[:13]
        stream.close()
        report = runner.audit(name)
    except (OSError, LogRefusedError) as error:
        return CallFigures(shown, problem=visible(str(getattr(error, "strerror", None) or error)))
    if not report.kinds.keys() - {CLOSED} and not report.findings:
        return CallFigures(shown, problem=f"no event of a Realtime conversation was found ({report.format})")
    return _kept(shown, hour.replace("T", " "), report)


def _kept(file: str, hour: str, report: LogReport) -> CallFigures:
    findings: Counter[str] = Counter()
    for group in report.findings:
        findings[group.rule.id] += group.count
    titles = {group.rule.id: group.rule.title for group in report.findings}
    waits = [row.latency_ms for each in report.timelines for row in each.rows if row.latency_ms is not None]
    figures = report.figures
    return CallFigures(file, report.spec, hour, dict(findings), titles, waits, figures.records, figures.calls)
