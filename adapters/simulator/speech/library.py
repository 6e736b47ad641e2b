"""The speech files by name and by text. It reads the files beside it and resamples them; it never makes them.

All files are 8 kHz, mono, signed 16 bit; `lines.yaml` says which voice speaks which text.
"""

from __future__ import annotations

import functools
import wave
from pathlib import Path
from types import MappingProxyType

import attrs
import numpy as np
import numpy.typing as npt
import soxr
import yaml

HERE = Path(__file__).resolve().parent
Samples = npt.NDArray[np.int16]


@attrs.frozen
class RecordedLine:
    """One recorded line: `name` is the file without `.wav`, `voice` is agent, caller or prompt."""

    name: str
    voice: str
    text: str


@functools.cache
def lines() -> MappingProxyType[str, RecordedLine]:
    """Every line by name, in the order of lines.yaml."""
    document = yaml.safe_load((HERE / "lines.yaml").read_text(encoding="utf-8"))
    found = {name: RecordedLine(name, entry["voice"], entry["text"]) for name, entry in document["lines"].items()}
    return MappingProxyType(found)


@functools.cache
def _by_text() -> dict[str, RecordedLine]:
    return {line.text: line for line in lines().values() if line.voice == "agent"}


def line_for_text(text: str) -> RecordedLine | None:
    """The agent's line with exactly this text, if one was recorded."""
    return _by_text().get(text)


def wav_path(name: str) -> Path:
    """The WAV file of a line. KeyError for a name that lines.yaml does not have."""
    return HERE / f"{lines()[name].name}.wav"


@functools.lru_cache(maxsize=256)
def read_samples(path: Path, rate_hz: int) -> Samples:
    """A mono 16-bit WAV file as read-only int16 samples at `rate_hz`. OSError, ValueError: it is none."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise ValueError(f"{path}: not a mono 16-bit WAV file")
            recorded_hz = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: not a PCM WAV file: {error or 'it ends too soon'}") from None
    if recorded_hz != rate_hz:
        resampled = soxr.resample(samples.astype(np.float32), recorded_hz, rate_hz)
        samples = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
    samples.flags.writeable = False
    return samples
