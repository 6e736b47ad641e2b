"""Spec files on disk: finds them, reads them, gives their text to the core. Never what is in them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from adapters.verdicts import KeptVerdict
from fsm.language.loader import Fetch, Loaded, load
from fsm.language.problem import Place, Problem, SpecError, suggestion
from fsm.machine.ledgers import LEDGERS

BUNDLED: Final = ("server_vad", "owned_turns", "push_to_talk")


def specs_folder() -> Path:
    """The folder of the bundled specs, in a checkout or an installation."""
    return Path(str(files("specs")))


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


def fetcher(folder: Path) -> Fetch:
    """References are relative to the spec's own folder; what is not there is looked for among the bundled ones.

    So a copy of a bundled spec works wherever it is put.
    """

    def fetch(reference: str) -> tuple[str, str]:
        candidates = [folder / reference, specs_folder() / reference]
        path = next((p for p in candidates if p.is_file()), candidates[0])
        return path.read_text(encoding="utf-8"), display_path(path)

    return fetch


def load_file(path: Path, typestate: bool = True) -> tuple[Loaded, tuple[str, ...]]:
    """A checked spec and its texts, its own first. Raises SpecError; OSError, UnicodeDecodeError if it cannot be read.

    A verdict of the type check on the very same texts is taken from the user's cache folder.
    """
    fetch = fetcher(path.parent)
    texts = [(display_path(path), path.read_text(encoding="utf-8"))]

    def fetched(reference: str) -> tuple[str, str]:
        text, file = fetch(reference)
        texts.append((file, text))
        return text, file

    file, text = texts[0]
    loaded = load(text, file, fetched, LEDGERS, typestate, KeptVerdict(texts))
    return loaded, tuple(text for _, text in texts)


def load_spec(name: str | Path, typestate: bool = True) -> Loaded:
    """A checked spec by bundled name or path. Raises SpecError, also for a file that cannot be read."""
    path = spec_path(name)
    try:
        return load_file(path, typestate)[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        place, message = Place(display_path(path), 1, 1), f"the spec cannot be read: {reason}"
        raise SpecError([Problem(place, "no-file", message, spec_hint(str(name)))]) from None
