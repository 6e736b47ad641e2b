"""Old files of calls go; what is young, or no file of a call, stays."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from adapters.files import FileWriterThread
from adapters.server.retention import Retention, delete_older

DAY_S = 86_400.0


def aged(path: Path, days: float) -> Path:
    path.write_text("x")
    then_s = time.time() - days * DAY_S
    os.utime(path, (then_s, then_s))
    return path


def test_only_old_files_of_calls_are_deleted(tmp_path: Path) -> None:
    old, young, other = aged(tmp_path / "a.jsonl", 31), aged(tmp_path / "b.jsonl", 29), aged(tmp_path / "a.txt", 99)
    (tmp_path / "link.jsonl").symlink_to(other)
    (tmp_path / "folder.jsonl").mkdir()
    assert delete_older(tmp_path, ".jsonl", 30, time.time()) == 1
    assert not old.exists() and young.exists() and other.exists() and (tmp_path / "link.jsonl").exists()


def test_a_folder_that_is_gone_harms_nothing(tmp_path: Path) -> None:
    assert delete_older(tmp_path / "gone", ".jsonl", 30, time.time()) == 0


@pytest.mark.virtual_time
async def test_it_is_done_at_the_start_and_every_hour_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Path] = []
    monkeypatch.setattr("adapters.server.retention.EVERY_S", 10.0)
    monkeypatch.setattr("adapters.server.retention._delete", lambda folder, *_: done.append(folder))
    thread = FileWriterThread("of_test")
    monkeypatch.setattr(thread, "submit", lambda task: task())
    retention = Retention(thread, Path("journals"), ".jsonl", 30)
    retention.start()
    await asyncio.sleep(25)
    assert len(done) == 3
    retention.close()
    await asyncio.sleep(20)
    assert len(done) == 3
