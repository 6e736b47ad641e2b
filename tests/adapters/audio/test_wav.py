"""WAV files as prompts: any rate, one or two channels, and errors that name the file."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from adapters.audio.wav import load_wav
from tests.adapters.audio.sound import snr_db, speech_like, to_pcm, to_wave, tone


def save(path: Path, frames: bytes, rate_hz: int, channels: int = 1, sample_bytes: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(sample_bytes)
        file.setframerate(rate_hz)
        file.writeframes(frames)
    return path


def test_the_same_rate_is_the_same_bytes(tmp_path: Path) -> None:
    speech = speech_like(8000, 500)
    assert load_wav(save(tmp_path / "a.wav", speech, 8000), 8000) == speech


@pytest.mark.parametrize("rate_hz", [11025, 16000, 22050, 44100, 48000])
def test_any_rate(tmp_path: Path, rate_hz: int) -> None:
    got = to_wave(load_wav(save(tmp_path / "a.wav", tone(700, rate_hz), rate_hz), 8000))
    assert abs(got.size - 8000) <= 1
    assert snr_db(to_wave(tone(700, 8000))[400:-400], got[400:7600]) > 60


def test_two_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.column_stack((np.full(800, 1000), np.full(800, 3000)))
    assert load_wav(save(tmp_path / "a.wav", to_pcm(stereo), 8000, channels=2), 8000) == to_pcm(np.full(800, 2000))


def test_loud_is_saturated(tmp_path: Path) -> None:
    square = to_pcm(np.repeat([32767, -32768] * 50, 100))
    wave_ = to_wave(load_wav(save(tmp_path / "a.wav", square, 16000), 8000))
    assert wave_.max() == 32767 and wave_.min() == -32768


def test_an_empty_file_is_no_audio(tmp_path: Path) -> None:
    assert load_wav(save(tmp_path / "a.wav", b"", 8000), 24000) == b""


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"eight\.wav: 8 bits"):
        load_wav(save(tmp_path / "eight.wav", bytes(10), 8000, sample_bytes=1), 8000)
    for content in (b"", b"RIFF", b"not a wave file at all, but long enough to be one......"):
        (tmp_path / "none.wav").write_bytes(content)
        with pytest.raises(ValueError, match=r"none\.wav: not a PCM WAV"):
            load_wav(tmp_path / "none.wav", 8000)
    with pytest.raises(FileNotFoundError):
        load_wav(tmp_path / "missing.wav", 8000)
