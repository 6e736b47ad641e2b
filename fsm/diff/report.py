"""A diff as a person reads it in a terminal, and as JSON. Never here: Markdown (fsm.diff.markdown), searching."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import attrs

from fsm.diff.behaviour import Behaviour, PairStep, Witness
from fsm.diff.structure import Aspect, SpecChange, short_id
from fsm.diff.traffic import NO_JOURNAL, Aside, Traffic
from fsm.language.loader import Loaded
from fsm.language.problem import Place
from fsm.verify.counterexample import RunAnswer

MOST_CALLS = 3  # of a group, in the text; JSON has them all
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@attrs.frozen
class Diff:
    """All that is known of a change; `behaviour` and `traffic` are None where nobody asked."""

    old: Loaded
    new: Loaded
    changes: tuple[SpecChange, ...]
    behaviour: Behaviour | None = None
    traffic: Traffic | None = None

    @property
    def is_same(self) -> bool:
        """Is nothing different: text, actions within the bounds, recorded calls?"""
        acts = self.behaviour is None or self.behaviour.is_same or not (self.behaviour.witness or self.behaviour.timing)
        return not self.changes and acts and not (self.traffic and self.traffic.different)

    @property
    def unvisited(self) -> tuple[SpecChange, ...]:
        """Changed transitions that no run took, so that nothing is said about them."""
        found = self.behaviour
        if found is None or found.reason or found.witness is not None:
            return ()
        rows = [c for c in self.changes if c.part in ("transition", "choice") and not c.is_wording]
        return tuple(c for c in rows if c.name not in found.taken and c.status != "removed")


@attrs.frozen
class Lone:
    """A spec that only one side has."""

    name: str
    status: Literal["added", "removed"]

    @property
    def says(self) -> str:
        return "new: there is nothing to compare it with" if self.status == "added" else "removed"


def lone_text(found: Lone) -> str:
    """It, for a terminal."""
    return f"{SIGNS[found.status]} {found.name}: {found.says}\n"


def lone_json(found: Lone) -> dict[str, object]:
    """It, for programs."""
    return {"spec": found.name, "same": False, "status": found.status}


# --- sentences --------------------------------------------------------------------------------------------------------


def structure_verdict(changes: Sequence[SpecChange]) -> str:
    """How much changed, in a line."""
    if not changes:
        return "nothing is written differently"
    counts = {s: sum(c.status == s for c in changes) for s in SIGNS}
    text = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    return text + (" (words for people only)" if all(c.is_wording for c in changes) else "")


def behaviour_verdict(found: Behaviour) -> str:
    """What the lock-step run says, in a line; a cut search is never called equivalent."""
    if found.reason:
        return f"not compared: {found.reason}"
    if found.witness is not None:
        what = "reach different states" if found.witness.kind == "states" else "act differently"
        return f"they {what} after {_count(len(found.witness.steps), 'step')} (scene '{found.witness.scene}')"
    states = sum(s.states for s in found.searched)
    if not found.is_complete:
        return f"UNDECIDED: no difference in the {states:,} states searched, but not all were"
    within = f"within {found.size} bounds ({states:,} states in {_count(len(found.searched), 'scene')})"
    if found.timing is not None:
        old_ms, new_ms = found.timing.waits_ms
        return f"the same acts in the same order {within}, but '{found.timing.deadline}' {old_ms} ms became {new_ms} ms"
    beside = f", but for what only one of them knows ({_count(len(found.left_out), 'event')})" if found.left_out else ""
    return f"equivalent {within}{beside}"


def not_compared(found: Behaviour) -> Iterator[str]:
    """What no run had, since only one side has a word for it."""
    if found.left_out:
        yield f"not compared, as only one of them knows it: {', '.join(found.left_out)}"


def traffic_verdict(found: Traffic) -> str:
    """What recorded calls say, in a line."""
    if not found.compared:
        return f"no recorded call could be compared ({_count(len(found.aside), 'file')} set aside)"
    text = f"{found.different} of {_count(found.compared, 'recorded call')} would have gone differently"
    others = sum(a.what != NO_JOURNAL for a in found.aside)
    return text + (f" ({_count(others, 'other')} set aside)" if others else "")


def waits(found: Traffic) -> Iterator[str]:
    """Recorded calls in which a deadline of another length did not matter."""
    for name, calls in found.waited.items():
        yield f"in {_count(calls, 'call')} '{name}' started and was over before either length had passed"


def asides(found: Traffic, most: int = 5) -> Iterator[str]:
    """What was set aside, counted by what it is."""
    kinds: dict[str, list[Aside]] = {}
    for aside in found.aside:
        kinds.setdefault(aside.what, []).append(aside)
    for what, members in kinds.items():
        if what == NO_JOURNAL or what.startswith("a call of"):
            yield f"{len(members)} × {what}"
            continue
        more = f"; and {len(members) - most} more" if len(members) > most else ""
        yield f"{len(members)} × {what}: " + "; ".join(f"{a.file}: {a.reason}" for a in members[:most]) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def bounds(found: Behaviour) -> Iterator[str]:
    """How far the search of each scene went; what was taken for granted in all of them, and in each beyond that."""
    assumed = [[n if v == "yes" else f"{n}={v}" for n, v in s.assumed.items() if v != "no"] for s in found.searched]
    common = [name for name in (assumed[0] if assumed else ()) if all(name in names for names in assumed)]
    for s, names in zip(found.searched, assumed, strict=True):
        limits = ", ".join(f"{n} {name}" for name, n in s.bounds.items() if n) or "no bounds"
        cut = ", ".join(f"{name} was full {n:,} times" for name, n in s.cut.items())
        state = f"{s.states:,} states" if s.done or found.witness else f"{s.states:,} states, NOT ALL"
        own = ", ".join(name for name in names if name not in common)
        yield f"{s.scene}: {state}; {limits}" + (f"; {cut}" if cut else "") + (f"; assumed: {own}" if own else "")
    if common:
        yield f"assumed everywhere: {', '.join(common)}"


# --- the text ---------------------------------------------------------------------------------------------------------


def text(diff: Diff) -> str:
    """Everything, for a terminal."""
    lines = [f"{diff.old.spec.file}  →  {diff.new.spec.file}", "", f"Structure: {structure_verdict(diff.changes)}"]
    lines += [line for change in diff.changes for line in change_lines(change)]
    if diff.behaviour is not None:
        lines += ["", f"Behaviour: {behaviour_verdict(diff.behaviour)}", *_behaviour_lines(diff, diff.behaviour)]
    if diff.traffic is not None:
        lines += ["", f"Traffic: {traffic_verdict(diff.traffic)}", *_traffic_lines(diff.traffic)]
    return "\n".join(lines) + "\n"


def change_lines(change: SpecChange) -> Iterator[str]:
    """A change, with what is different about it."""
    places = " → ".join(str(p) for p in (where(change.old), where(change.new)) if p)
    yield f"  {SIGNS[change.status]} {change.part} {change.name}  ({places})"
    for aspect in change.aspects:
        if change.status == "changed" or aspect.what not in ("why", "about", "in"):
            yield f"      {aspect.what}: {delta(aspect)}"


def where(place: Place) -> str:
    """`file:line`, empty where there is no place."""
    return place.lines if place.line else ""


def delta(aspect: Aspect) -> str:
    """What is different: of lists only the members that came and went."""
    if not aspect.old or not aspect.new:
        return aspect.new or aspect.old if not (aspect.old and aspect.new == "") else f"{aspect.old}  →  nothing"
    old, new = members(aspect.old), members(aspect.new)
    if len(old) == len(new) == 1:
        return f"{aspect.old}  →  {aspect.new}"
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found += [f"− {x}" for x in old[a:b]] + [f"+ {x}" for x in new[c:d]]
    return "  ".join(found)


def members(listed: str) -> list[str]:
    """The members of a list written with commas; commas within brackets do not count."""
    found, depth = [""], 0
    for sign in listed:
        depth += (sign in "([⟨") - (sign in ")]⟩")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return [item.strip() for item in found]


def _behaviour_lines(diff: Diff, found: Behaviour) -> Iterator[str]:
    for witness in (found.witness, found.timing if found.witness is None else None):
        if witness is not None:
            yield from (f"  {line}" for step in witness.steps for line in step_lines(step))
            yield f"  {wait_line(witness)}" if witness.kind == "deadline" else "  --- here they differ"
    yield from (f"  {line}" for line in not_compared(found))
    if not found.reason and found.witness is None:
        yield from (f"  {line}" for line in bounds(found))
        yield from (f"  no run took the changed {c.part} {short_id(c.name)} ({where(c.new)})" for c in diff.unvisited)


def wait_line(witness: Witness) -> str:
    """What is different about a deadline."""
    old_ms, new_ms = witness.waits_ms
    return f"--- here '{witness.deadline}' starts: it waits {old_ms} ms in the old spec, {new_ms} ms in the new"


def step_lines(step: PairStep) -> Iterator[str]:
    """A step, and what both did: one line where it is the same."""
    what = [f"{step.step.number:3}. {step.step.move}"]
    if step.step.received:
        what.append(f"<- {step.step.received[1]}")
    what += [f"-> {message}" for _, message in step.step.sent]
    if step.step.lost:
        what.append(f"LOST {step.step.lost}")
    yield "  ".join(what)
    for side, said in sided(step):
        yield f"     {side:<4} {said}"


def sided(step: PairStep) -> Iterator[tuple[str, str]]:
    """(`both`, `old` or `new`, what it did) for the answers of a step."""
    if [_bare(a) for a in step.old] == [_bare(a) for a in step.new]:
        for a, b in zip(step.old, step.new, strict=True):
            places = dict.fromkeys((where(a.place), where(b.place)))
            yield "both", f"{said(a)}  ({', '.join(places)})"
        return
    for side, answers in (("old", step.old), ("new", step.new)):
        for a in answers:
            yield side, f"{said(a)}  ({where(a.place)})"
        if not answers:
            yield side, "nothing: it does not wait for this"


def said(answer: RunAnswer) -> str:
    """An answer without its place."""
    moved = f"{answer.before} → {answer.after}" if answer.before != answer.after else answer.before
    return f"{answer.event}: {answer.outcome} in {moved}; does {', '.join(answer.effects) or 'nothing'}"


def _bare(answer: RunAnswer) -> tuple[object, ...]:
    return (answer.event, answer.outcome, answer.before, answer.after, answer.effects)


def _traffic_lines(found: Traffic) -> Iterator[str]:
    for group in found.groups:
        yield f"  {_count(len(group.calls), 'call')} at {group.event}:"
        yield f"     old {', '.join(group.old) or 'no row'}  ({group.old_place or '-'})"
        yield f"     new {', '.join(group.new) or 'no row'}  ({group.new_place or '-'})"
        for call in group.calls[:MOST_CALLS]:
            first = call.divergence
            yield f"     {call.file}: step {first.serial} of {call.steps} at {first.t_ms / 1000:.3f} s"
            yield from (f"         {d.what}: {d.expected}  →  {d.got}" for d in first.differences)
        if len(group.calls) > MOST_CALLS:
            yield f"     and {_count(len(group.calls) - MOST_CALLS, 'call')} more"
    yield from (f"  {line}" for line in waits(found))
    yield from (f"  set aside: {line}" for line in asides(found))


# --- JSON -------------------------------------------------------------------------------------------------------------


def as_json(diff: Diff) -> dict[str, object]:
    """Everything, for programs."""
    found = diff.behaviour
    return {
        "old": diff.old.spec.file, "new": diff.new.spec.file, "spec": diff.new.spec.name, "same": diff.is_same,
        "structure": [{**attrs.asdict(c), "old": where(c.old), "new": where(c.new)} for c in diff.changes],
        "behaviour": None if found is None else _behaviour_json(diff, found),
        "traffic": None if diff.traffic is None else _traffic_json(diff.traffic),
    }  # fmt: skip


def _behaviour_json(diff: Diff, found: Behaviour) -> dict[str, object]:
    return {
        "verdict": behaviour_verdict(found), "same": found.is_same, "complete": found.is_complete,
        "reason": found.reason, "size": found.size, "searched": [attrs.asdict(s) for s in found.searched],
        "witness": _witness_json(found.witness), "timing": _witness_json(found.timing),
        "unvisited": [c.name for c in diff.unvisited], "not_compared": list(found.left_out),
    }  # fmt: skip


def _witness_json(witness: Witness | None) -> dict[str, object] | None:
    if witness is None:
        return None
    steps = [
        {"number": s.step.number, "move": s.step.move, "received": s.step.received, "sent": s.step.sent,
         "lost": s.step.lost, "old": _answers_json(s.old), "new": _answers_json(s.new)}
        for s in witness.steps
    ]  # fmt: skip
    return {
        "scene": witness.scene, "kind": witness.kind, "deadline": witness.deadline, "waits_ms": witness.waits_ms,
        "steps": steps,
    }  # fmt: skip


def _answers_json(answers: Iterable[RunAnswer]) -> list[dict[str, object]]:
    return [{**attrs.asdict(a, recurse=False), "place": where(a.place)} for a in answers]


def _traffic_json(found: Traffic) -> dict[str, object]:
    groups = [
        {"event": g.event, "old": g.old, "new": g.new, "old_place": g.old_place, "new_place": g.new_place,
         "calls": [{"file": c.file, "call_id": c.call_id, "steps": c.steps, "first": attrs.asdict(c.divergence)}
                   for c in g.calls]}
        for g in found.groups
    ]  # fmt: skip
    aside = [attrs.asdict(a) for a in found.aside]
    return {"compared": found.compared, "different": found.different, "groups": groups, "aside": aside}
