"""The caller's turns as steps of the simulated caller: spoken freely, or between presses of a talk key. No sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import cattrs
import yaml

from adapters.simulator.caller.script import (
    HangUp,
    Interrupt,
    Press,
    Say,
    Script,
    Step,
    WaitAgentSilent,
    WaitAgentSpeaking,
    WaitMs,
)
from adapters.simulator.speech.library import lines, wav_path

FILE: Final = Path(__file__).with_name("caller.yaml")


@attrs.frozen(kw_only=True)
class DemoTurn:
    """One turn of the caller: something said, or keys pressed."""

    say: str | None = None
    keys: str | None = None
    answers: int = 1
    cut_in_after_ms: float | None = None


@attrs.frozen(kw_only=True)
class CallerPatience:
    """How long the caller waits: for the first word of an answer, for a pause after it, for its end."""

    speaking_ms: float = 9_000.0
    pause_ms: float = 500.0
    silent_ms: float = 20_000.0
    more_ms: float = 1_500.0


def read_turns(path: Path = FILE) -> tuple[DemoTurn, ...]:
    """The turns of caller.yaml."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return cattrs.Converter(forbid_extra_keys=True).structure(document["turns"], tuple[DemoTurn, ...])


def spoken_texts(script: Script) -> tuple[str, ...]:
    """What each spoken step says: the words of a bundled line, the name of another recording."""
    texts = {wav_path(name): line.text for name, line in lines().items()}
    files = [step.file for step in script.steps if isinstance(step, Say | Interrupt)]
    return tuple(texts.get(file, file.stem) for file in files)


def demo_script(turns: tuple[DemoTurn, ...], patience: CallerPatience, talk_key: str | None = None) -> Script:
    """`talk_key`: pressed before and after whatever is said."""
    steps: list[Step] = [*_answer(1, patience)]
    cut_in_after_ms: float | None = None
    for turn in turns:
        steps += _turn(turn, cut_in_after_ms, patience, talk_key)
        cut_in_after_ms = turn.cut_in_after_ms
        if cut_in_after_ms is None:
            steps += _answer(turn.answers, patience)
    return Script((*steps, HangUp()))


def _turn(
    turn: DemoTurn, cut_in_after_ms: float | None, patience: CallerPatience, talk_key: str | None
) -> Iterator[Step]:
    if turn.keys is not None:
        for key in turn.keys:
            yield Press(key)
            yield WaitMs(150)
    if turn.say is None:
        return
    file = wav_path(turn.say)
    if talk_key is None and cut_in_after_ms is not None:
        yield Interrupt(file, cut_in_after_ms, patience.speaking_ms)
        return
    if cut_in_after_ms is not None:
        yield WaitAgentSpeaking(patience.speaking_ms)
        yield WaitMs(cut_in_after_ms)
    if talk_key is not None:
        yield Press(talk_key)
    yield Say(file)
    if talk_key is not None:
        yield WaitMs(100)
        yield Press(talk_key)


def _answer(times: int, patience: CallerPatience) -> Iterator[Step]:
    within_ms = patience.speaking_ms
    for _ in range(times):
        yield WaitAgentSpeaking(within_ms)
        yield WaitAgentSilent(patience.pause_ms, patience.silent_ms)
        within_ms = patience.more_ms
