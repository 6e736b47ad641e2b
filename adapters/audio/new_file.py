"""A file of a call, made anew: an earlier one of the same name stays as it is. Never what is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_FILES_PER_NAME: Final = 1000


def opened_new(path: Path) -> tuple[int, Path]:
    """A descriptor to write to, and the path it got: `call.wav`, else `call.2.wav` and so on. OSError: it cannot be.

    Asterisk may use an id again.
    """
    chosen = path
    for number in range(2, _FILES_PER_NAME):
        try:
            return os.open(chosen, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), chosen
        except FileExistsError:
            chosen = path.with_suffix(f".{number}{path.suffix}")
    raise FileExistsError(0, "too many files of this name", str(path))
