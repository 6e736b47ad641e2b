"""Verdicts as a person reads them: a table of property by scene, numbered runs, what was taken for granted. Text only.

Never here: judging (fsm.verify.verify), printing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fsm.language.problem import Place
from fsm.verify.counterexample import Counterexample
from fsm.verify.property import Waiver
from fsm.verify.verdict import SceneVerdict, matrix
from fsm.world.world import Assumption

MARKS = {"holds": "holds", "violated": "FAILS", "waived": "waived", "unjudged": "?", "not applicable": "-", "-": "-"}


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows under each other; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    )
    return "\n".join((indent + line).rstrip() for line in lines)


def outcome(verdicts: Sequence[SceneVerdict], wanted: int) -> str:
    """One word for the scenes of a spec of which `wanted` were to be searched: no PASS while one is missing."""
    if not verdicts:
        return "not searched"
    found = {v.outcome for v in verdicts} | ({"PARTIAL"} if len(verdicts) < wanted else set())
    return next((word for word in ("FAIL", "PARTIAL") if word in found), "PASS")


def table(verdicts: Sequence[SceneVerdict]) -> str:
    """Property by scene, then what each search was: cells, states, speed, memory."""
    head, *rows = matrix(verdicts)
    found = [("property", *(v.scene for v in verdicts))]
    found += [(name, *(MARKS[cell] for cell in cells)) for name, cells in _together(rows)]
    found.append(("cells that cannot happen", *(f"{len(v.problems)} do" if v.problems else "holds" for v in verdicts)))
    blank = ("",) * len(head)
    found += [blank, ("states", *(_count(v) for v in verdicts))]
    found.append(("steps between them", *(f"{v.transitions:,}" for v in verdicts)))
    found.append(("longest shortest run", *(str(v.depth) for v in verdicts)))
    found.append(("moves cut by a full queue", *(f"{sum(v.cut.values()):,}" for v in verdicts)))
    found.append(("seconds", *(f"{v.seconds:.2f}" for v in verdicts)))
    found.append(("states a second", *(f"{v.states_per_second:,}" for v in verdicts)))
    found.append(("bytes a state", *(f"{v.bytes_per_state:,}" for v in verdicts)))
    return columns(found)


def _together(rows: Iterable[Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    """`name[a]`, `name[b]` with the same verdict in every scene are one row: `name[2 states]`."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, *cells in rows:
        found.setdefault((name.partition("[")[0], *cells), []).append(name)
    return [
        (names[0] if len(names) == 1 else f"{key[0]} ({len(names)} states)", key[1:]) for key, names in found.items()
    ]


def _count(verdict: SceneVerdict) -> str:
    return f"{verdict.states:,}{' so far' if verdict.partial else ''}"


def failures(verdicts: Iterable[SceneVerdict]) -> list[tuple[str, Counterexample]]:
    """Each violated property once, with the shortest of its runs and the scenes it fails in."""
    runs: dict[str, tuple[str, str, Place, Counterexample]] = {}
    scenes: dict[str, list[str]] = {}
    for verdict in verdicts:
        for finding in verdict.violated:
            assert finding.run is not None
            scenes.setdefault(finding.name, []).append(verdict.scene)
            known = runs.get(finding.name)
            if known is None or len(finding.run.steps) < len(known[3].steps):
                runs[finding.name] = (verdict.scene, finding.about, finding.place, finding.run)
    found = []
    for name, (scene, about, place, run) in runs.items():
        others = [s for s in scenes[name] if s != scene]
        also = f"; also in {', '.join(others)}" if others else ""
        found.append((f"{name} fails in scene '{scene}'{also}\n   {about}  ({place})", run))
    return found


def waivers(waived: Mapping[str, Waiver], verdicts: Sequence[SceneVerdict]) -> str:
    """What a spec does not keep to, with its reason and the scenes in which it is so; or that it is never so."""
    lines = []
    for name, waiver in waived.items():
        findings = [(v.scene, f.name) for v in verdicts for f in v.waived if name in (f.name, f.name.partition("[")[0])]
        scenes = dict.fromkeys(scene for scene, _ in findings)
        said = f"in {', '.join(scenes)}" if scenes else "it holds wherever it was looked at: this waiver is not needed"
        lines.append(f"  {name}: {waiver.reason}  ({waiver.place})\n      {said}")
    return "\n".join(lines)


def impossible(verdicts: Iterable[SceneVerdict]) -> dict[str, str]:
    """Each reached cell that 'cannot happen' once, with the way to it."""
    found: dict[str, str] = {}
    for verdict in verdicts:
        for problem in verdict.problems:
            found.setdefault(f"{problem.place} {problem.message}", str(problem))
    return found


def assumptions(known: Iterable[Assumption], verdicts: Sequence[SceneVerdict]) -> str:
    """What the verdicts took for granted, each once, with where, what it says and its evidence."""
    lines = []
    for each in known:
        values: dict[str, list[str]] = {}
        for v in (v for v in verdicts if each.name in v.assumed):
            values.setdefault(v.assumed[each.name], []).append(v.scene)
        for value, scenes in values.items():
            if value == "no":
                continue
            said = each.name if value == "yes" else f"{each.name}: {value}"
            where = f"  [{', '.join(dict.fromkeys(scenes))}]" if len(values) > 1 else ""
            lines.append(f"  {said}{where}\n      {each.about}\n      evidence: {each.evidence}")
    return "\n".join(lines)


def bounded(verdicts: Sequence[SceneVerdict]) -> str:
    """How far each scene went: how often things may happen, and how often a full queue cut a move."""
    lines: dict[str, None] = {}
    for v in verdicts:
        limits = ", ".join(f"{n} {name}" for name, n in v.bounds.items() if n)
        full = [f"{k} of {v.capacities[k]} was full {n:,} times" for k, n in v.cut.items() if n]
        full = full or [f"no queue was ever full (room for {max(v.capacities.values())})"]
        lines[f"  {v.spec} / {v.scene}: {'; '.join([limits, *full])}"] = None
    return "\n".join(lines)


def by_assumption(base: Sequence[SceneVerdict], flipped: Mapping[str, Sequence[SceneVerdict]]) -> str:
    """What becomes of the verdict when an assumption is switched, one at a time."""
    rows = [("as assumed", *(_said(v) for v in base))]
    rows += [(name, *(_said(v) for v in verdicts)) for name, verdicts in flipped.items()]
    return columns([("with", *(v.spec for v in base)), *rows])


def _said(verdict: SceneVerdict) -> str:
    names = list(dict.fromkeys(f.name.partition("[")[0] for f in verdict.violated))
    if verdict.problems:
        names.append("impossible cell")
    if names:
        return ", ".join(names)
    return f"holds, {verdict.states:,} states" if not verdict.partial else f"open after {verdict.states:,} states"
