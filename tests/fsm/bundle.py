"""The bundled specs for tests of the core: loaded once, or with a text changed. Never a test."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fsm.language.loader import Loaded, load
from fsm.language.problem import Problem, SpecError
from fsm.machine.ledgers import LEDGERS
from fsm.machine.machine import TurnSpecMachine

SPECS = Path(__file__).resolve().parents[2] / "specs"
REALTIME = ("server_vad", "owned_turns", "guarded_turns", "push_to_talk")
"""The lifecycles over the Realtime protocol."""
NAMES = (*REALTIME, "full_duplex", "provider_turns")
"""Those that extend no other; gemini_turns does (tests/fsm/verify/test_gemini_turns.py)."""
ANSWERS, ENDING, FLOOR, JUDGING, PLAYOUT, OPENING, TOOLS = (
    f"parts/conversation/{topic}.yaml"
    for topic in ("answers", "ending", "floor", "judging", "playout", "session", "tools")
)
CALL = "vocabularies/call.yaml"
SESSION = "vocabularies/realtime/session.yaml"

Change = tuple[str, str, str]
"""(file below specs/, old text, new text); the old text must be there exactly once."""


def text_of(reference: str) -> str:
    return (SPECS / reference).read_text(encoding="utf-8")


@cache
def loaded(name: str) -> Loaded:
    return load_changed(name)


@cache
def machine(name: str) -> TurnSpecMachine:
    return TurnSpecMachine(loaded(name).spec)


def load_changed(name: str, *changes: Change, typestate: bool = True) -> Loaded:
    """A bundled spec after textual changes; raises SpecError as the loader does."""

    def fetch(reference: str) -> tuple[str, str]:
        text = text_of(reference)
        for file, old, new in changes:
            if file == reference:
                assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
                text = text.replace(old, new)
        return text, f"specs/{reference}"

    text, file = fetch(f"{name}.yaml")
    return load(text, file, fetch, LEDGERS, typestate=typestate)


def problems_of(name: str, *changes: Change) -> tuple[Problem, ...]:
    """Every problem the loader finds in a changed spec; none if it loads."""
    try:
        load_changed(name, *changes)
    except SpecError as error:
        return error.problems
    return ()


def line_of(reference: str, fragment: str) -> tuple[int, int]:
    """Line and column (from 1) at which a fragment stands, exactly once, in a file below specs/."""
    return place_of(text_of(reference), fragment)


def place_of(text: str, fragment: str) -> tuple[int, int]:
    assert text.count(fragment) == 1, f"{fragment!r} is {text.count(fragment)} times there"
    before = text[: text.index(fragment)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
