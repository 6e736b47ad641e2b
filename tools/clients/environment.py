"""An environment of a client's own: made once by venv and pip, kept in build/clients, never part of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from fsm.errors import LocalError

KEPT: Final = Path(__file__).resolve().parents[2] / "build" / "clients"
_LONGEST_S: Final = 900.0


class NoEnvironmentError(LocalError):
    """The packages cannot be had here. Says why, in pip's own last words."""


def python_of(requirements: Path, kept: Path = KEPT) -> Path:
    """The interpreter with these packages; made if it is not there. NoEnvironmentError: why it cannot be."""
    folder = kept / requirements.stem
    python, made = folder / "bin" / "python", folder / "made-of.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)])
    made.write_text(wanted, encoding="utf-8")
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        raise NoEnvironmentError(f"{command[0]} took longer than {_LONGEST_S:g} s") from None
    except OSError as error:
        raise NoEnvironmentError(f"{command[0]}: {error.strerror or error}") from None
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it said nothing"]
        raise NoEnvironmentError(said[-1])
