"""Diffs as Markdown for a pull-request comment: verdicts first, then the run, recorded calls, the picture, every part.

A run is drawn as a Mermaid sequence diagram: what both share, then what each does. Kept below what code hosts take in a
comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from fsm.diff.behaviour import PairStep, Witness
from fsm.diff.overlay import LEGEND, overlay
from fsm.diff.report import (
    SIGNS,
    Diff,
    Lone,
    asides,
    behaviour_verdict,
    bounds,
    delta,
    not_compared,
    sided,
    structure_verdict,
    traffic_verdict,
    wait_line,
    waits,
    where,
)
from fsm.diff.structure import SpecChange, short_id
from fsm.diff.traffic import Traffic
from fsm.draw.text import code, prose, table
from fsm.verify.counterexample import Counterexample, RunAnswer
from fsm.verify.sequence_diagram import escaped, mermaid, note

MARK = "<!-- turnspec diff -->"  # by which a workflow finds its own comment
MOST_ROWS = 60
MOST_SIGNS = 60_000  # a comment may have 65,536
MOST_TEXT = 400


def markdown(diffs: Sequence[Diff], lone: Sequence[Lone] = ()) -> str:
    """The comment: specs that differ in full, the others in one line each."""
    different = [d for d in diffs if not d.is_same]
    lines = [MARK, "## turnspec diff", ""]
    lines += [f"- **{d.new.spec.name}**: {'; '.join(_verdicts(d))}" for d in diffs]
    lines += [f"- **{found.name}**: {found.says}" for found in lone]
    text = "\n".join(lines) + "\n\n"
    for number, diff in enumerate(different):
        ways = ((True, True), (False, True), (False, False))
        for candidate in ("\n".join(_section(diff, *way)) + "\n" for way in ways):
            if len(text) + len(candidate) <= MOST_SIGNS:
                text += candidate
                break
        else:
            rest = ", ".join(d.new.spec.name for d in different[number:])
            return text + f"\nToo long for a comment: {rest}. Run `turnspec diff` for the rest.\n"
    return text


def _verdicts(diff: Diff) -> Iterator[str]:
    yield structure_verdict(diff.changes)
    if diff.behaviour is not None:
        yield behaviour_verdict(diff.behaviour)
    if diff.traffic is not None:
        yield traffic_verdict(diff.traffic)


def _section(diff: Diff, drawn: bool, listed: bool) -> Iterator[str]:
    yield f"### {diff.new.spec.name}"
    yield ""
    yield f"{code(diff.old.spec.file)} → {code(diff.new.spec.file)}"
    yield ""
    if diff.behaviour is not None:
        yield from _behaviour(diff, drawn)
    if diff.traffic is not None:
        yield from _traffic(diff.traffic)
    if diff.changes and listed:
        yield from _structure(diff, drawn)
    elif diff.changes:
        yield f"#### What is written: {structure_verdict(diff.changes)}, too much for a comment: run `turnspec diff`.\n"


def _behaviour(diff: Diff, drawn: bool) -> Iterator[str]:
    found = diff.behaviour
    assert found is not None
    yield f"#### What it does: {prose(behaviour_verdict(found))}"
    yield ""
    witness = found.witness or found.timing
    if witness is not None:
        if drawn:
            old, new = f"old: {diff.old.spec.file}", f"new: {diff.new.spec.file}"
            yield f"```mermaid\n{sequence(witness, old, new)}```"
            yield ""
        yield "<details><summary>The run, step by step</summary>"
        yield ""
        for step in witness.steps:
            received = f" ← {code(step.step.received[1])}" if step.step.received else ""
            sent = "".join(f" → {code(message)}" for _, message in step.step.sent)
            lost = f", {code(step.step.lost)} is lost" if step.step.lost else ""
            yield f"{step.step.number}. {code(step.step.move)}{received}{sent}{lost}"
            yield from (f"   - {side}: {prose(said)}" for side, said in sided(step))
        if witness.kind == "deadline":
            yield f"\n{prose(wait_line(witness).removeprefix('--- '))}"
        yield "\n</details>\n"
    if found.reason or found.witness:
        return
    yield "<details><summary>Bounds and assumptions of the search</summary>\n"
    yield from (f"- {prose(line)}" for line in (*not_compared(found), *bounds(found)))
    yield "\n</details>\n"
    if diff.unvisited:
        names = ", ".join(f"{code(short_id(c.name))} ({where(c.new)})" for c in diff.unvisited[:20])
        yield f"No run within the bounds took these changed transitions, so nothing is said about them: {names}\n"


def _traffic(found: Traffic) -> Iterator[str]:
    yield f"#### Recorded calls: {prose(traffic_verdict(found))}"
    yield ""
    rows = []
    for g in found.groups:
        first = g.calls[0].divergence
        differs = "<br>".join(f"{d.what}: {_cut(d.expected)} → {_cut(d.got)}" for d in first.differences)
        example = f"{g.calls[0].file} step {first.serial} at {first.t_ms / 1000:.3f} s"
        old, new = (_row(*pair) for pair in ((g.old, g.old_place), (g.new, g.new_place)))
        rows.append((str(len(g.calls)), code(g.event), old, new, differs, prose(example)))
    yield from table(("calls", "at", "row of old", "row of new", "first difference", "e.g."), rows[:MOST_ROWS])
    yield from (f"- {prose(line)}" for line in waits(found))
    if found.aside:
        yield f"\n<details><summary>{len(found.aside)} files set aside</summary>\n"
        yield from (f"- {prose(line)}" for line in asides(found))
        yield "\n</details>\n"


def _row(rows: Sequence[str], place: str) -> str:
    return "<br>".join([*(code(short_id(r)) for r in rows), place]) or "no row"


def _cut(text: str) -> str:
    return code(text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…")


def _structure(diff: Diff, drawn: bool) -> Iterator[str]:
    yield f"#### What is written: {structure_verdict(diff.changes)}"
    yield ""
    if drawn and any(not c.is_wording for c in diff.changes):
        yield f"```mermaid\n{overlay(diff.old, diff.new, diff.changes)}```"
        yield f"\n{LEGEND[0].upper()}{LEGEND[1:]}.\n"
    many = len(diff.changes) > 12
    if many:
        yield f"<details><summary>All {len(diff.changes)} changes</summary>\n"
    rows = [_change(change) for change in diff.changes[:MOST_ROWS]]
    yield from table(("", "what", "difference", "lines"), rows)
    if len(diff.changes) > MOST_ROWS:
        yield f"and {len(diff.changes) - MOST_ROWS} more: run `turnspec diff`.\n"
    if many:
        yield "</details>\n"


def _change(change: SpecChange) -> tuple[str, str, str, str]:
    said = [a for a in change.aspects if change.status == "changed" or a.what not in ("why", "about", "in")]
    lines = "<br>".join(dict.fromkeys(p for p in (where(change.old), where(change.new)) if p))
    differs = "<br>".join(f"{a.what}: {_cut(delta(a))}" for a in said)
    return SIGNS[change.status], f"{change.part} {code(short_id(change.name))}", differs, lines


__all__ = ["MARK", "markdown"]


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
