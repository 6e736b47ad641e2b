"""A witness as a Mermaid sequence diagram: the run both share, then what each does. Never here: finding it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from fsm.diff.behaviour import PairStep, Witness
from fsm.verify.counterexample import Counterexample, RunAnswer
from fsm.verify.sequence_diagram import escaped, mermaid, note


def sequence(witness: Witness, old: str, new: str) -> str:
    """The diagram's text; `old` and `new` name the two specs. Shared steps show the answer of the old one."""
    steps = tuple(attrs.evolve(s.step, answers=s.old) for s in witness.steps[:-1])
    last = witness.steps[-1]
    text = mermaid(Counterexample((*steps, last.step)), f"scene {witness.scene}")
    return "\n".join([text.rstrip("\n"), *_ends(witness, last, old, new)]) + "\n"


def _ends(witness: Witness, last: PairStep, old: str, new: str) -> Iterator[str]:
    sides = (("alt", old, last.old, 0), ("else", new, last.new, 1))
    for word, name, answers, side in sides:
        yield f"    {word} {escaped(name)}"
        yield from _notes(answers)
        if witness.kind == "deadline":
            yield f"    note over us: waits {witness.waits_ms[side]} ms for {escaped(witness.deadline)}"
    yield "    end"


def _notes(answers: Sequence[RunAnswer]) -> Iterator[str]:
    if not answers:
        yield "    note over us: nothing"
    for a in answers:
        yield f"    note right of us: {note(a)}"
        for effect in a.effects:
            yield f"    us->>us: {escaped(effect)}"
        if not a.effects:
            yield "    note over us: does nothing"
