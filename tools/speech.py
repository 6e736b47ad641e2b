"""Makes the WAV files of adapters/simulator/speech from its lines.yaml with espeak-ng: `python -m tools.speech`.

Run by a maintainer after a change of the lines; the files are committed.
"""

from __future__ import annotations

import io
import subprocess
import wave
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
import yaml

from adapters.simulator.speech.library import HERE

PEAK = 0.6 * 32767  # headroom: companding and mixing must not clip
SILENCE = 200  # samples below this at either end are silence, cut but for a margin
MARGIN_S = 0.03


def speak(text: str, voice: dict[str, Any]) -> tuple[npt.NDArray[np.float32], int]:
    command = ["espeak-ng", "-v", voice["voice"], "-s", str(voice["words_per_minute"]), "-p", str(voice["pitch"])]
    spoken = subprocess.run([*command, "--stdout", text], check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(spoken), "rb") as file:  # a stream: its header has no length, so read what is there
        rate_hz = file.getframerate()
    return np.frombuffer(spoken[44:], dtype="<i2").astype(np.float32), rate_hz


def finish(samples: npt.NDArray[np.float32], spoken_hz: int, rate_hz: int) -> npt.NDArray[np.int16]:
    resampled = soxr.resample(samples, spoken_hz, rate_hz)
    loud = np.flatnonzero(np.abs(resampled) > SILENCE)
    margin = int(MARGIN_S * rate_hz)
    cut = resampled[max(loud[0] - margin, 0) : loud[-1] + margin]
    levelled: npt.NDArray[np.int16] = np.rint(cut * (PEAK / np.abs(cut).max())).astype(np.int16)
    return levelled


def main() -> None:
    document = yaml.safe_load((HERE / "lines.yaml").read_text(encoding="utf-8"))
    total_bytes = 0
    for name, line in document["lines"].items():
        samples = finish(*speak(line["text"], document["voices"][line["voice"]]), document["rate_hz"])
        with wave.open(str(HERE / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(document["rate_hz"])
            file.writeframes(samples.astype("<i2").tobytes())
        total_bytes += samples.nbytes
        print(f"{name}.wav {len(samples) / document['rate_hz']:.2f} s")
    print(f"{total_bytes} bytes")


if __name__ == "__main__":
    main()
