"""What came of scenarios, as text for a person: failures with expected beside actual, the table of what is not reached.

Never here: running, files, colours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from fsm.scenario.coverage import Coverage, Kind, Missing
from fsm.scenario.expectation import Mismatch
from fsm.scenario.runner import Failure, Result

KINDS: Mapping[Kind, str] = {"row": "rows of cells", "choice": "rows of choices", "branch": "ways of branches"}
_WHY = {
    "open": "not covered: no scenario reaches it",
    "claimed": "claimed unreachable, by a scenario file",
    "spec": "the spec says it cannot happen, and nothing reached it",
    "typestate": "ruled out by the type check",
}


def failure_text(result: Result) -> str:
    """A failed scenario: where, what was expected and what was so, who decided, the steps up to there."""
    failure = result.failure
    assert failure is not None
    lines = [
        f"{failure.place}: failed: {result.name}",
        f"    at '{failure.step}' of the scenario at {result.scenario.place}",
    ]
    width = max((len(m.what) for m in failure.mismatches), default=0)
    for mismatch in failure.mismatches:
        lines.append(f"      {mismatch.what:<{width}}  expected  {mismatch.expected}")
        lines.append(f"      {'':<{width}}  actual    {mismatch.actual}")
        lines += [f"      {'':<{width}}  at        {mismatch.place}"] if mismatch.place is not None else []
    lines += [f"    decided at {row}" for row in failure.rows]
    if failure.story:
        lines += ["    the steps up to there:", *(f"      {line}" for line in failure.story)]
    return "\n".join(lines)


def coverage_text(coverage: Coverage, everything: bool = False) -> str:
    """How much of a spec is reached, and what is not. `everything`: also what the type check rules out, one by one."""
    cells = coverage.cells()
    counts = [f"{name} {_share(coverage.count(kind))}" for kind, name in KINDS.items()]
    lines = [f"{coverage.spec}: cells {_share(cells)}, {', '.join(counts)}"]
    for why in ("open", "claimed", "spec", "typestate"):
        missing = sorted(
            (m for m in coverage.missing if m.why == why), key=lambda m: (m.reason, m.target.place, str(m))
        )
        if not missing:
            continue
        lines.append(f"  {_WHY[why]}: {len(missing)}")
        if why in ("open", "claimed") or everything:
            lines += _listed(missing)
    lines += [f"  {t.place}: '{t}' was ruled out, and '{name}' reaches it" for t, name in coverage.contradicted]
    lines += [f"  {claim.place}: a claim is false: '{claim.pattern}': {why}" for claim, why in coverage.false]
    return "\n".join(lines)


def _share(count: tuple[int, int]) -> str:
    hit, whole = count
    return f"{hit}/{whole}" + (f" ({100 * hit / whole:.1f}%)" if whole and hit < whole else "")


def _listed(missing: Iterable[Missing]) -> Iterator[str]:
    for reason, group in itertools.groupby(missing, key=lambda m: m.reason):
        if reason:
            yield f"    because {reason}:"
        for each in group:
            yield f"      {each.target.name:<72} {each.target.place}"


def failure_json(failure: Failure) -> dict[str, object]:
    """A failure for programs."""
    return {
        "file": failure.place.file,
        "line": failure.place.line,
        "column": failure.place.column,
        "step": failure.step,
        "mismatches": [_mismatch_json(mismatch) for mismatch in failure.mismatches],
        "decided_at": list(failure.rows),
        "story": list(failure.story),
    }


def _mismatch_json(mismatch: Mismatch) -> dict[str, str]:
    found = {"what": mismatch.what, "expected": mismatch.expected, "actual": mismatch.actual}
    return found | ({"place": str(mismatch.place)} if mismatch.place is not None else {})


def coverage_json(coverage: Coverage) -> dict[str, object]:
    """A coverage for programs."""
    counts = {kind: coverage.count(kind) for kind in KINDS} | {"cell": coverage.cells()}
    return {
        "spec": coverage.spec,
        **{f"{kind}s": {"reached": hit, "reachable": whole} for kind, (hit, whole) in counts.items()},
        "missing": [
            {"target": m.target.name, "kind": m.target.kind, "why": m.why, "reason": m.reason,
             "place": str(m.target.place)}
            for m in coverage.missing
        ],
        "contradicted": [{"target": t.name, "scenario": name} for t, name in coverage.contradicted],
        "false_claims": [{"place": str(c.place), "pattern": c.pattern, "why": why} for c, why in coverage.false],
    }  # fmt: skip
