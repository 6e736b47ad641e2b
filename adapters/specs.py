"""Spec files on disk: finds them, reads them, gives their text to the core. Never what is in them."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

import specs as bundled
from adapters.verdicts import KeptVerdict
from fsm.language.loader import Fetch, Loaded, load
from fsm.language.problem import Place, Problem, SpecError, meant, suggestion
from fsm.machine.ledgers import LEDGERS

REALTIME: Final = ("server_vad", "owned_turns", "guarded_turns", "push_to_talk")
"""Those over the Realtime protocol, whose logs are audited and whose calls the campaign plays."""
BUNDLED: Final = (*REALTIME, "full_duplex", "provider_turns", "gemini_turns")


def specs_folder() -> Path:
    """The folder of the bundled specs, in a checkout or an installation."""
    return Path(str(files(bundled)))


def spec_path(name: str | Path) -> Path:
    """A spec by its bundled name or by its path."""
    return specs_folder() / f"{name}.yaml" if str(name) in BUNDLED else Path(name)


def spec_hint(name: str) -> str:
    """What may be meant by the name of a spec that is not there."""
    return f"{suggestion(name, BUNDLED)} (or the path of a file)"


def display_path(path: Path) -> str:
    """A path as a person wants to read it: relative to here if it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class Texts:
    """Texts on disk, kept as they are read; or those of a snapshot, beside which nothing is read.

    So another process can be given exactly what was checked in this one.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = given
        self.read_so_far: dict[str, str] = {}
        """By absolute path."""

    @property
    def is_on_disk(self) -> bool:
        """Else it was checked where it was read."""
        return self._given is None

    def has(self, path: Path) -> bool:
        return path.is_file() if self._given is None else _key(path) in self._given

    def read(self, path: Path, at_most: int = -1) -> str:
        """The text, or its first so many characters. OSError, UnicodeDecodeError."""
        key = _key(path)
        if self._given is None:
            with path.open(encoding="utf-8") as file:
                text = file.read(at_most)
        elif key in self._given:
            text = self._given[key]
        else:
            raise FileNotFoundError(errno.ENOENT, "it was not there when the configuration was read", str(path))
        self.read_so_far[key] = text
        return text


def _key(path: Path) -> str:
    return str(path.resolve())


def fetcher(folder: Path, texts: Texts | None = None) -> Fetch:
    """References are relative to the spec's own folder; what is not there is looked for among the bundled ones.

    So a copy of a bundled spec works wherever it is put.
    """
    texts = texts or Texts()

    def fetch(reference: str) -> tuple[str, str]:
        path = _found(folder, reference, texts)
        try:
            return texts.read(path), display_path(path)
        except FileNotFoundError as error:
            hint = meant(reference, _beside(folder, reference)) if texts.is_on_disk else ""
            raise FileNotFoundError(error.errno, f"{error.strerror}{hint}", str(path)) from None

    return fetch


def _found(folder: Path, reference: str, texts: Texts) -> Path:
    candidates = [folder / reference, specs_folder() / reference]
    return next((p for p in candidates if texts.has(p)), candidates[0])


def _beside(folder: Path, reference: str) -> list[str]:
    """The references to what could be meant instead: files of the same folder, here or bundled."""
    inner = Path(reference).parent
    there = [path for root in (folder, specs_folder()) for path in (root / inner).glob("*.yaml")]
    return [(inner / path.name).as_posix() for path in there]


def load_file(path: Path, typestate: bool = True, on_disk: Texts | None = None) -> tuple[Loaded, tuple[str, ...]]:
    """A checked spec and its texts, its own first. Raises SpecError; OSError, UnicodeDecodeError if it cannot be read.

    A verdict of the type check on the very same texts is taken from the user's cache folder.
    """
    on_disk = on_disk or Texts()
    fetch = fetcher(path.parent, on_disk)
    texts = [(display_path(path), on_disk.read(path))]

    def fetched(reference: str) -> tuple[str, str]:
        text, file = fetch(reference)
        texts.append((file, text))
        return text, file

    file, text = texts[0]
    loaded = load(text, file, fetched, LEDGERS, typestate, KeptVerdict(texts))
    return loaded, tuple(text for _, text in texts)


def source_files(name: str | Path) -> tuple[Path, ...]:
    """Every file a spec is made of, by bundled name or path; of one that does not load, as far as it is read."""
    path, texts = spec_path(name), Texts()
    with contextlib.suppress(SpecError, OSError, UnicodeDecodeError):
        load_file(path, typestate=False, on_disk=texts)
    return tuple(dict.fromkeys((path.resolve(), *map(Path, texts.read_so_far))))


def load_spec(name: str | Path, typestate: bool = True) -> Loaded:
    """A checked spec by bundled name or path. Raises SpecError, also for a file that cannot be read."""
    path = spec_path(name)
    try:
        return load_file(path, typestate)[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        place, message = Place(display_path(path), 1, 1), f"the spec cannot be read: {reason}"
        raise SpecError([Problem(place, "no-file", message, spec_hint(str(name)))]) from None
