"""`python -m bench.ear`: what half duplex and the local ear cost a caller's frame, as ratios to the path without them.

The path as a call has it (transcoding, uplink, filler, silence watch), without a socket. A promise of neither: a call's
frame costs some 40 µs in all (docs/facts/performance.md).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np

from adapters.audio.caller_audio import CallerAudioPath, UnansweredAudio
from adapters.audio.formats import PCMU, Transcoder
from adapters.audio.half_duplex import HalfDuplex
from adapters.audio.silence import SilenceWatch
from adapters.audio.speech import VoiceActivityDetector
from adapters.audio.uplink import Uplink
from adapters.simulator.speech.library import read_samples, wav_path

FRAMES = 600  # short enough to be left alone now and then on a busy machine
REPEATS = 80
Frames = Sequence[bytes | None]


def _nothing(*_args: object) -> None: ...


def _path(**options: Any) -> CallerAudioPath:
    uncommitted, silence = UnansweredAudio(PCMU, 8000), SilenceWatch(_nothing)
    path = CallerAudioPath(Transcoder(PCMU), Uplink(PCMU, _nothing, _nothing), silence, uncommitted, **options)
    path.open_uplink()
    return path


def _with(what: str) -> CallerAudioPath:
    if what == "local ear":
        return _path(speech=VoiceActivityDetector(_nothing))
    return _path(half_duplex=HalfDuplex(PCMU)) if what == "half duplex" else _path()


def frame_us(what: str, caller: Frames, agent: Frames) -> float:
    """The least of some repetitions: what else runs here can only add to it."""
    best = float("inf")
    for _ in range(REPEATS):
        path = _with(what)
        began_s = time.perf_counter()
        for heard, played in zip(caller, agent, strict=True):
            assert heard is not None
            path.hear(heard, 8000)
            path.tick(played)
        best = min(best, time.perf_counter() - began_s)
    return best / FRAMES * 1e6


def _frames(samples: np.ndarray[Any, np.dtype[np.int16]]) -> Frames:
    return [frame.tobytes() for frame in np.resize(samples, (FRAMES, 160))]


def situations() -> Mapping[str, tuple[Frames, Frames]]:
    """Caller's and agent's frames."""
    noise = _frames(np.random.default_rng(1).normal(0, 60, 160 * FRAMES).astype(np.int16))
    caller, agent = (_frames(read_samples(wav_path(n), 8000)) for n in ("caller_order_status", "agent_long_story"))
    silence: Frames = [None] * FRAMES
    return {
        "nobody speaks": (noise, silence),
        "the caller speaks": (caller, silence),
        "the agent speaks": (noise, agent),
        "both speak": (caller, agent),
    }


@click.command(help=__doc__)
def main() -> None:
    for name, (caller, agent) in situations().items():
        plain = frame_us("", caller, agent)
        costs = {what: frame_us(what, caller, agent) for what in ("local ear", "half duplex")}
        ratios = "  ".join(f"{what} +{cost - plain:4.2f} µs, x{cost / plain:.2f}" for what, cost in costs.items())
        click.echo(f"{name:<18} {plain:4.2f} µs  {ratios}")


if __name__ == "__main__":
    main()
