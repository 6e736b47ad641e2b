"""Audits log files: opens them, feeds what is in them, quotes the specs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import overload

import attrs

from adapters.audit.events import RecordMaker
from adapters.audit.readers import format_of, records, spec_of
from adapters.audit.stream import Progressed, Stream, open_stream
from adapters.specs import BUNDLED, REALTIME, load_spec
from fsm.audit.audit import Audit
from fsm.audit.conversation import AuditOptions
from fsm.audit.report.report import LogReport
from fsm.language.problem import Place, SpecError
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine


@attrs.frozen
class Auditor:
    """The machine to compare with, and the specs in which deciding lines are looked for, the chosen one first."""

    machine: TurnSpecMachine
    specs: Sequence[Spec]
    options: AuditOptions
    is_chosen: bool = True  # by somebody; else a journal of ours is compared with the bundled spec it was written under

    def audit(self, name: str, progressed: Progressed | None = None) -> LogReport:
        """One log, by path or `-`. Raises OSError (also EOFError's kin of a broken gzip, as OSError)."""
        stream = open_stream(name)
        try:
            written_under = "" if self.is_chosen else spec_of(stream.head)
            if written_under in BUNDLED and written_under != self.machine.spec.name:
                return _bundled(written_under, self.options.dead_air_ms, self.options.overlap_ms)._audit(
                    stream, progressed
                )
            return self._audit(stream, progressed)
        finally:
            stream.close()

    def _audit(self, stream: Stream, progressed: Progressed | None) -> LogReport:
        maker = RecordMaker(self.machine.spec.vocabulary, stream.name)
        audit = Audit(self.machine, self.specs, self.options, quote, _elsewhere)
        try:
            for record in records(stream, maker, progressed):
                audit.feed(record)
        except EOFError:
            maker.skipped += 1  # a gzip that was cut: what was there has been read
        return audit.finish(stream.name, format_of(stream.head), maker.skipped, maker.first_unread)


class _Specs(Sequence[Spec]):
    """The chosen spec, then the bundled ones, loaded when a line is looked for that the chosen one does not have."""

    def __init__(self, chosen: Spec, others: Sequence[str]) -> None:
        self._loaded = [chosen]
        self._others = list(others)

    def __len__(self) -> int:
        return len(self._loaded) + len(self._others)

    @overload
    def __getitem__(self, index: int) -> Spec: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Spec]: ...
    def __getitem__(self, index: int | slice) -> Spec | Sequence[Spec]:
        while self._others and not (isinstance(index, int) and 0 <= index < len(self._loaded)):
            try:
                self._loaded.append(load_spec(self._others.pop(0), typestate=False).spec)
            except SpecError:
                continue
        return self._loaded[index]


def auditor(spec: str | None, options: AuditOptions) -> Auditor:
    """Loads the chosen spec; the bundled ones beside it when they are needed. Raises SpecError."""
    name = spec or BUNDLED[0]
    chosen = load_spec(name).spec
    others = _Specs(chosen, [each for each in REALTIME if each != name])
    return Auditor(TurnSpecMachine(chosen), others, options, spec is not None)


@cache
def _bundled(name: str, dead_air_ms: float, overlap_ms: float) -> Auditor:
    return auditor(name, AuditOptions(dead_air_ms, overlap_ms))


@cache
def _elsewhere(name: str) -> TurnSpecMachine | None:
    """Of a bundled spec; of any other one the journal has no text."""
    return TurnSpecMachine(load_spec(name).spec) if name in BUNDLED else None


def quote(place: Place) -> str:
    """The line of a spec that decides, as it is written."""
    lines = _lines(place.file)
    if not 0 < place.line <= len(lines):
        return ""
    first = lines[place.line - 1]
    text = first.strip()
    for line in lines[place.line : place.line + 6] if text.endswith(":") else ():
        if len(line) - len(line.lstrip()) <= len(first) - len(first.lstrip()):
            break
        text += f" {line.strip()}" if text.endswith(":") else f"; {line.strip()}"
    return text if len(text) <= 200 else text[:199] + "…"


@cache
def _lines(file: str) -> tuple[str, ...]:
    try:
        return tuple(Path(file).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return ()
