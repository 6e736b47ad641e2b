"""Recordings: both channels in line, silence where nothing came, and a header that is right whatever happens."""

from __future__ import annotations

import os
import threading
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import structlog

from adapters.audio.recorder import Recorder
from adapters.files import FileWriterThread
from tests.adapters.audio.sound import snr_db, to_pcm, to_wave, tone


def pcm(duration_ms: int, level: int) -> bytes:
    return to_pcm(np.full(8 * duration_ms, level))


def read(path: Path) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Left and right."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        assert file.getnframes() == samples.shape[0]
    assert path.stat().st_size == 44 + 4 * samples.shape[0]
    return samples[:, 0], samples[:, 1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "call.wav"


def held(writer: FileWriterThread) -> threading.Event:
    """Keep the writer's thread busy until the event is set."""
    go = threading.Event()

    def wait() -> None:
        go.wait(10)

    writer.submit(wait)
    return go


def finish(writer: FileWriterThread, *recorders: Recorder) -> None:
    done = [recorder.close() for recorder in recorders]
    assert writer.close()
    assert all(event.is_set() for event in done)


def test_caller_left_agent_right(path: Path) -> None:
    writer = FileWriterThread()
    recorder = Recorder(writer, path)
    for number in range(250):
        recorder.hear(pcm(20, number + 1))
        recorder.tick(pcm(20, -number - 1))
    finish(writer, recorder)
    left, right = read(path)
    assert left.size == 250 * 160
    assert (left == np.repeat(np.arange(1, 251), 160)).all()
    assert (right == -left).all()
    assert recorder.dropped_ms == 0


def test_what_does_not_come_is_silence_and_the_rest_stays_in_line(path: Path) -> None:
    writer = FileWriterThread()
    recorder = Recorder(writer, path)
    for number in range(200):
        if not 50 <= number < 120:  # hold
            recorder.hear(pcm(20, 7))
        recorder.tick(pcm(20, 9) if number >= 150 else None)
    finish(writer, recorder)
    left, right = read(path)
    assert left.size == right.size == 200 * 160
    assert (left[: 50 * 160] == 7).all() and not left[50 * 160 : 120 * 160].any() and (left[120 * 160 :] == 7).all()
    assert not right[: 150 * 160].any() and (right[150 * 160 :] == 9).all()


def test_jitter_puts_no_silence_into_a_word(path: Path) -> None:
    """Frames bunch up: five late, then five at once. They follow one another in the file all the same."""
    writer = FileWriterThread()
    recorder = Recorder(writer, path)
    speech = tone(440, 8000, 4000)
    frames = [speech[at : at + 320] for at in range(0, len(speech), 320)]
    for number in range(200):
        recorder.tick(None)
        if number % 5 == 4:
            for frame in frames[number - 4 : number + 1]:
                recorder.hear(frame)
    finish(writer, recorder)
    left, _ = read(path)
    assert left.tobytes() == speech


def test_other_frame_lengths_and_rates(path: Path) -> None:
    writer = FileWriterThread()
    recorder = Recorder(writer, path)
    speech = tone(440, 16000, 2000)
    for number in range(50):
        recorder.hear(speech[number * 1280 : (number + 1) * 1280], 16000)  # 40 ms
        recorder.tick(None)
        recorder.tick(None)
    finish(writer, recorder)
    left, _ = read(path)
    late = 2 * 8  # about 2 ms in the filter
    assert snr_db(to_wave(tone(440, 8000, 2000))[:-late], left[late:].astype(np.float64)) > 15


def test_a_flood_of_caller_audio_is_bounded(path: Path) -> None:
    writer = FileWriterThread()
    recorder = Recorder(writer, path)
    recorder.tick(None)
    for _ in range(500):
        recorder.hear(pcm(20, 5))
    assert 8900 <= recorder.dropped_ms <= 9000
    finish(writer, recorder)
    left, right = read(path)
    assert left.size == right.size <= 53 * 160


def test_many_calls_share_one_thread(tmp_path: Path) -> None:
    writer = FileWriterThread()
    before = threading.active_count()
    recorders = [Recorder(writer, tmp_path / f"{number}.wav") for number in range(20)]
    assert threading.active_count() == before + 1
    for _ in range(100):
        for number, recorder in enumerate(recorders):
            recorder.tick(pcm(20, number))
    finish(writer, *recorders)
    assert threading.active_count() == before
    for number in range(20):
        _, right = read(tmp_path / f"{number}.wav")
        assert right.size == 16_000 and (right == number).all()


def test_a_process_that_dies_leaves_a_file_that_plays(path: Path) -> None:
    writer = FileWriterThread()
    recorder = Recorder(writer, path)
    for number in range(260):
        recorder.tick(pcm(20, number))
    written = threading.Event()
    writer.submit(written.set)
    assert written.wait(5)
    left, right = read(path)  # nothing was closed
    assert left.size == right.size == 5 * 8000
    assert (right == np.repeat(np.arange(250), 160)).all()
    finish(writer, recorder)
    assert read(path)[1].size == 260 * 160


def test_what_the_disk_is_too_slow_for_becomes_silence_in_its_place(path: Path) -> None:
    writer = FileWriterThread(max_waiting_bytes=100_000)  # three seconds of one call
    recorder = Recorder(writer, path)
    go = held(writer)
    with structlog.testing.capture_logs() as logs:
        for number in range(500):
            recorder.tick(pcm(20, number + 1))
    assert [entry["event"] for entry in logs] == ["recording_falls_behind"]
    assert recorder.dropped_ms > 0
    go.set()
    written = threading.Event()
    writer.submit(written.set)
    assert written.wait(5)
    for number in range(500, 600):
        recorder.tick(pcm(20, number + 1))
    finish(writer, recorder)
    _, right = read(path)
    assert right.size == 600 * 160
    wanted = np.repeat(np.arange(1, 601), 160)
    kept = right != 0
    assert (right[kept] == wanted[kept]).all()
    assert kept[: 3 * 8000].all() and kept[-8000:].all() and not kept.all()


def test_a_file_that_cannot_be_opened_is_logged_and_the_call_goes_on(tmp_path: Path) -> None:
    writer = FileWriterThread()
    with structlog.testing.capture_logs() as logs:
        recorder = Recorder(writer, tmp_path / "no such folder" / "call.wav")
        for _ in range(100):
            recorder.tick(None)
        finish(writer, recorder)
    assert [entry["event"] for entry in logs] == ["recording_not_written"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_logged_once(path: Path) -> None:
    writer = FileWriterThread()
    with structlog.testing.capture_logs() as logs:
        go = held(writer)
        recorder = Recorder(writer, path)
        recorder._file._opened = lambda path: (os.open("/dev/full", os.O_WRONLY), path)
        go.set()
        for _ in range(300):
            recorder.tick(None)
        finish(writer, recorder)
    assert [entry["event"] for entry in logs] == ["recording_not_written"]


def test_a_recording_of_an_id_that_comes_again_is_a_file_of_its_own(path: Path) -> None:
    writer = FileWriterThread()
    for level in (1, 2, 3):
        recorder = Recorder(writer, path)
        recorder.tick(pcm(20, level))
        recorder.close()
    assert writer.close()
    for name, level in (("call.wav", 1), ("call.2.wav", 2), ("call.3.wav", 3)):
        assert (read(path.with_name(name))[1] == level).all()


def test_closing_twice_and_going_on_after_it(path: Path) -> None:
    writer = FileWriterThread()
    recorder = Recorder(writer, path)
    recorder.tick(pcm(20, 1))
    assert recorder.close() is recorder.close()
    recorder.tick(pcm(20, 2))
    recorder.hear(pcm(20, 2))
    assert writer.close() and writer.close()
    left, right = read(path)
    assert not left.any() and (right == 1).all() and right.size == 160
    again = Recorder(writer, path.with_name("again.wav"))  # a closed writer starts anew
    finish(writer, again)
    assert read(path.with_name("again.wav"))[0].size == 0
