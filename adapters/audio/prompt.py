"""Recorded prompts of our own (an apology), played behind the agent's audio. Never an item of the provider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.audio import OnFact

FOLDER: Final = Path(__file__).resolve().parent / "prompts"
OPENING: Final = "opening"
NAMES: Final = ("apology", "one_moment", OPENING)
REASSURANCES: Final = ("one_moment", "apology", "one_moment")
"""What a caller hears who waits, one after the other; the last one again."""


def load_prompts(rate_hz: int, files: Mapping[str, Path] | None = None) -> Mapping[str, bytes]:
    """Every prompt as 16-bit PCM at the leg's rate; `files` replaces some. ValueError, OSError: as load_wav raises.

    There is no opening unless there is a file for it.
    """
    from adapters.audio.wav import load_wav  # numpy: not for who only asks for names

    chosen = {name: FOLDER / f"{name}.wav" for name in NAMES if name != OPENING} | dict(files or {})
    return {name: load_wav(path, rate_hz) for name, path in chosen.items()}


class PromptPlayer:
    """One prompt at a time. Reports `prompt.finished` {name} exactly once for each, also when it is cut."""

    def __init__(self, prompts: Mapping[str, bytes], frame_bytes: int, on_fact: OnFact) -> None:
        self._prompts = prompts
        self._frame_bytes = frame_bytes
        self._on_fact = on_fact
        self._name: str | None = None
        self._pcm = b""
        self._offset = 0
        self._reports = True
        self.reassured = 0
        """So many times the caller has been asked to wait since the agent spoke last."""

    def play(self, name: str) -> None:
        """Starts a prompt; an unknown one is finished at once."""
        self._start(name, reports=True)

    def reassure(self, name: str | None = None) -> None:
        """A word to a caller who waits: behind everything, cut by the agent's voice, and nothing waits for its end."""
        if self._name is None:
            self._start(name or REASSURANCES[min(self.reassured, len(REASSURANCES) - 1)], reports=False)
            self.reassured += 1

    @property
    def is_playing(self) -> bool:
        return self._name is not None

    def end_reassurance(self) -> None:
        """The wait is over."""
        self.reassured = 0
        if not self._reports:
            self.cut()

    def _start(self, name: str, reports: bool) -> None:
        self.cut()
        self._reports = reports
        self._name, self._pcm, self._offset = name, self._prompts.get(name, b""), 0
        if not self._pcm:
            self.cut()

    def cut(self) -> None:
        if self._name is not None:
            name, self._name, self._pcm = self._name, None, b""
            if self._reports:
                self._on_fact("prompt.finished", {"name": name})

    def pull(self) -> bytes | None:
        """One frame, the last one padded; None where there is nothing to play."""
        if self._name is None:
            return None
        frame = self._pcm[self._offset : self._offset + self._frame_bytes]
        self._offset += len(frame)
        if self._offset >= len(self._pcm):
            self.cut()
        return frame.ljust(self._frame_bytes, b"\0")
