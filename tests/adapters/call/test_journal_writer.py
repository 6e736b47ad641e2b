"""Journals on disk: whole lines in order, header first, end last; what is lost is told; nothing is written over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.call.call import Call, CallServices
from adapters.call.journal_writer import HAND_OVER_S, CallJournal, JournalWriter, header_of
from adapters.call.mailbox import Envelope
from adapters.call.settings import CallSettings
from adapters.call.summary import Summary
from adapters.files import FileWriterThread
from adapters.lines.line import CallData
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from fsm.journal.journal import EndLine, Header, Journal, LostLine, StepLine, WireLine, read
from fsm.journal.scrub import KnownSecrets
from fsm.machine.machine import Event
from tests.adapters.call.rig import machine

pytestmark = pytest.mark.virtual_time

KEY = "sk-proj-JOURNAL0123456"
ID = "00000000-0000-4000-8000-000000000001"


def settings(**more: object) -> CallSettings:
    return CallSettings(**more)  # type: ignore[arg-type]


def header() -> Header:
    now = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    return header_of(machine().spec, "d1", settings(), ID, now, "night", CallData("+4930", "100", {"lang": "de"}))


def writer(folder: Path, max_waiting_bytes: int = 8_000_000) -> JournalWriter:
    return JournalWriter(folder, max_waiting_bytes=max_waiting_bytes)


def journal_of(path: Path) -> Journal:
    with path.open(encoding="utf-8") as lines:
        return read(lines, path.name)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def walk(journal: CallJournal, steps: int = 3) -> None:
    """The first steps of a call, as `Call` tells them."""
    step = machine().start()[-1]
    journal.stepped(step, Envelope(step.event, "start"), 0)
    for index in range(1, steps):
        event = Event("uplink.committable")
        step = machine().step(step.snapshot, event)
        journal.stepped(step, Envelope(event, "audio"), 20 * index)


async def test_header_first_end_last_and_the_file_closed(tmp_path: Path) -> None:
    journals = writer(tmp_path / "new" / "folder")
    journal = journals.open(header())
    walk(journal)
    journal.wire("in", {"type": "response.output_audio.delta", "delta": "AAAA", "x": KEY}, 50)
    journal.wire("out", {"type": "session.update", "session": {"n": 10**30, "s": "\ud800"}}, 60)
    summary = Summary(machine().spec)
    summary.duration_ms = 70
    journal.ended(summary)
    journal.close()
    assert journals.close() and journal.closed.is_set()
    path = tmp_path / "new" / "folder" / f"{ID}.jsonl"
    found = journal_of(path)
    assert found.warnings == ()
    first = found.header
    assert (first.spec, first.digest, first.call_id, first.talk_key) == ("server_vad", "d1", ID, "")
    assert first.context == {"owed": "none"} and first.started_at == "2026-01-02T03:04:05.678+00:00"
    said = (first.agent, first.caller_id, first.dialled, first.variables)
    assert said == ("night", "+4930", "100", {"lang": "de"})
    kinds = [type(line) for line in found.lines]
    assert kinds == [StepLine, StepLine, StepLine, WireLine, WireLine, EndLine]
    assert [step.serial for step in found.steps] == [0, 1, 2]
    assert [step.cause for step in found.steps] == ["start", "audio", "audio"]
    assert found.end is not None and found.end.summary["journal_dropped"] == 0
    assert KEY not in path.read_text() and "AAAA" not in path.read_text()


async def test_lines_reach_the_disk_while_the_call_lasts(tmp_path: Path) -> None:
    journals = writer(tmp_path)
    journal = journals.open(header())
    walk(journal)
    await asyncio.sleep(HAND_OVER_S * 1.5)
    journals.close()  # waits for the thread
    found = journal_of(tmp_path / f"{ID}.jsonl")
    assert len(found.steps) == 3 and [each.code for each in found.warnings] == ["no-end"]
    journal.close()
    journals.close()
    assert journal.closed.is_set()


def test_a_process_that_dies_leaves_whole_lines(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, threading
from pathlib import Path
from tests.adapters.call.test_journal_writer import ID, header, walk, writer

async def main():
    journals, written = writer(Path({str(tmp_path)!r})), threading.Event()
    journal = journals.open(header())
    walk(journal, 2000)
    journal._hand_over()
    journals._thread.submit(written.set)
    assert written.wait(30)
    walk(journal, 10)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).resolve().parents[3])
    assert done.returncode == -9
    text = (tmp_path / f"{ID}.jsonl").read_bytes()
    assert text.endswith(b"\n")
    assert len(journal_of(tmp_path / f"{ID}.jsonl").steps) == 2000


async def test_a_disk_that_cannot_keep_up_costs_lines_and_the_journal_says_so(tmp_path: Path) -> None:
    journals = writer(tmp_path, max_waiting_bytes=20_000)
    held, settled = threading.Event(), threading.Event()

    def hold() -> None:
        held.wait(10)

    journals._thread.submit(hold)
    journal = journals.open(header())
    walk(journal, 50)  # fits
    await asyncio.sleep(1)
    walk(journal, 500)  # does not
    await asyncio.sleep(1)
    held.set()
    journals._thread.submit(settled.set)
    assert settled.wait(10)
    walk(journal, 2)
    summary = Summary(machine().spec)
    journal.ended(summary)
    journals.close()
    found = journal_of(tmp_path / f"{ID}.jsonl")
    lost = [line for line in found.lines if isinstance(line, LostLine)]
    assert [line.count for line in lost] == [500] == [summary.journal_dropped]
    assert len(found.steps) == 52 and found.warnings == ()
    assert found.end is not None and found.end.summary["journal_dropped"] == 500


async def test_the_end_is_told_even_where_nothing_else_fits(tmp_path: Path) -> None:
    journals = writer(tmp_path, max_waiting_bytes=0)
    journal = journals.open(header())
    walk(journal, 5)
    journal.ended(Summary(machine().spec))
    journals.close()
    lines = (tmp_path / f"{ID}.jsonl").read_text().splitlines()
    assert '"count":6' in lines[0] and '"kind":"end"' in lines[1]


async def test_an_id_that_comes_again_gets_a_file_of_its_own(tmp_path: Path) -> None:
    journals = writer(tmp_path)
    for _ in range(3):
        journal = journals.open(header())
        walk(journal)
        journal.ended(Summary(machine().spec))
    journals.close()
    found = sorted(path.name for path in files(tmp_path))
    assert found == [f"{ID}.2.jsonl", f"{ID}.3.jsonl", f"{ID}.jsonl"]


async def test_a_folder_that_is_gone_or_a_disk_that_is_full_ends_no_call(tmp_path: Path) -> None:
    journals = writer(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    journal = journals.open(header())
    full = JournalWriter(Path("/dev"))
    on_full = CallJournal(
        full._thread,
        tmp_path / "x.jsonl",
        header_of(machine().spec, "", settings(), ID, datetime.now(UTC)),
        KnownSecrets(),
    )
    on_full._file._opened = lambda path: (os.open("/dev/full", os.O_WRONLY), path)
    for each in (journal, on_full):
        walk(each, 5)
        each.ended(Summary(machine().spec))
        each.stepped(machine().start()[-1], Envelope(Event("call.started")), 0)  # after the end: counted, nothing more
    assert journals.close() and full.close()
    assert journal.dropped == 8 and on_full.dropped == 8


async def test_a_call_that_is_cancelled_has_its_end_line(tmp_path: Path) -> None:
    class Leg:
        call_id = ID
        data = CallData()
        rate_hz = 8000
        keeps_lead = False
        lead_ms = 0
        frames_unsent = 0

        def flush(self) -> None: ...

        def refuse(self, reason: str, why: str = "") -> None: ...

        def play_from(self, source: object) -> None: ...

        def listen(self, listener: object) -> None: ...

        async def hang_up(self) -> None: ...

    journals = writer(tmp_path)
    journal = journals.open(header())
    endpoint = openai_endpoint("m", KEY, base_url="ws://127.0.0.1:1/")
    provider = RealtimeProvider(endpoint=endpoint, session=SessionSettings(model="m"))
    with ThreadPoolExecutor(1) as threads:
        shared = CallServices(machine(), provider, settings(), {}, threads, FileWriterThread())
        task = asyncio.create_task(Call(ID, Leg(), shared, [journal]).run())
        await asyncio.sleep(0)
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    journals.close()
    found = journal_of(tmp_path / f"{ID}.jsonl")
    assert found.end is not None and found.warnings == () and len(found.steps) >= 2


async def test_nobody_else_reads_a_journal(tmp_path: Path) -> None:
    made = writer(tmp_path / "journals")
    made.open(header()).close()
    assert made.close()
    assert (tmp_path / "journals").stat().st_mode & 0o777 == 0o700
    assert [each.stat().st_mode & 0o777 for each in files(tmp_path / "journals")] == [0o600]
