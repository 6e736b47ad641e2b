"""A measurement, not a test: how fast and in how much memory a big log is audited.

`python -m tests.adapters.audit.big_log [MB]` writes a log of so many megabytes (default 1000) to a temporary file:
calls one after the other, good ones and bad ones. Prints the rate, the peak memory and how much of it is the audit's.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import tracemalloc
from pathlib import Path
from time import perf_counter

from adapters.audit.run import auditor
from fsm.audit.conversation import AuditOptions
from tests.fsm.audit import failures
from tests.fsm.audit.logbook import Row


def write(path: Path, megabytes: float) -> None:
    """Healthy calls and bad ones in turn, each later than the one before; the caller's audio in between."""
    rows: list[Row] = [*failures.healthy(), *failures.storm(), *failures.talk_over(), *failures.never_answered()]
    sound = {"type": "input_audio_buffer.append", "audio": "/" * 1068}
    shift, written, serial = 0.0, 0, 0
    with path.open("w", encoding="utf-8") as out:
        while written < megabytes * 1_000_000:
            last = 0.0
            for row in rows:
                last = max(last, row["at"])
                serial += 1
                moved = {**row, "at": shift + last}
                text = json.dumps(moved).replace("resp_", f"resp_{serial // 800}_") + "\n"
                voice = json.dumps({"dir": "client", "at": shift + last, "event": sound}) + "\n"
                out.write(text + voice * 4)
                written += len(text) + len(voice) * 4
            shift += last + 1.0


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.jsonl"
        write(path, megabytes)
        runner = auditor("server_vad", AuditOptions())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = perf_counter()
        report = runner.audit(str(path))
        took = perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = path.stat().st_size / 1e6
        print(
            f"{size:.0f} MB, {report.figures.records} events, {report.figures.sessions} sessions in {took:.1f} s: "
            f"{size / took:.0f} MB/s, {report.figures.records / took:.0f} events/s; "
            f"peak RSS {peak / 1024:.0f} MB, {(peak - before) / 1024:.1f} MB more than before"
        )
        print(f"{len(report.findings)} findings, {len(report.notes)} notes")
        if megabytes <= 50:
            tracemalloc.start()
            runner.audit(str(path))
            print(f"tracemalloc peak {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
