"""Whether a folder of a configuration can be written to: tried, so that the first call does not find out. Nothing of
the trial is left, so that a check leaves the disk as it was. Never what is written there."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path


def unusable(folder: Path) -> str:
    """Why no file can be made in this folder; "" if one can. It need not be there yet, if it can be made."""
    made: list[Path] = []
    try:
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return "this is a file, a folder is expected"
    except (OSError, ValueError) as error:
        return f"the folder cannot be made: {reason_of(error)}"
    else:
        return _unwritable(folder)
    finally:
        for each in made:
            with contextlib.suppress(OSError, ValueError):
                each.rmdir()


def _unwritable(folder: Path) -> str:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".turnspec-") as trial:
            trial.write(b"x" * 4096)
            trial.flush()
    except OSError as error:
        return f"nothing can be written to this folder: {reason_of(error)}"
    return ""


def reason_of(error: Exception) -> str:
    """The system's own words, without the path."""
    return getattr(error, "strerror", None) or str(error)
