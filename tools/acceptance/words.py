"""An acceptance as text, and as plain values for JSON. Never here: finding one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fsm.audit.record import visible
from tools.acceptance.acceptance import Acceptance
from tools.acceptance.projection import Projection


def sentence(found: Acceptance, projection: Projection) -> str:
    """What came of a log: one line, or several where it is not a run of the world."""
    lines = [_head(found)]
    if found.stop is not None and found.stop.roles:
        lines.append(f"  it would be {_or(found.stop.roles)} of {projection.world.name}")
        lines.append(
            f"  what could have come: {'; '.join(_events(found.stop.instead, projection)) or 'nothing at all'}"
        )
    if found.answers:
        lines.append(f"  responses: {', '.join(f'{count} {worth}' for worth, count in found.answers.items())}")
    lines += [f"  assumed: {_assumption(n, v, projection)}" for n, v in found.assumed.items()]
    lines += [f"  only with: {_assumption(n, v, projection)}" for n, v in found.relaxed.items()]
    lines += [f"  would be accepted with: {option}" for option in found.advice]
    return "\n".join(map(visible, lines))


def _head(found: Acceptance) -> str:
    counts = f"{found.dialect}; {found.events} events, {sum(found.passed.values())} say nothing"
    if found.stop is None:
        return f"{found.file}: accepted ({counts}; at most {found.most_states} states at once)"
    where = f"{found.file}:{found.stop.line}" if found.stop.line else found.file
    what = f"{found.stop.type} " if found.stop.type else ""
    said = {"refused": "is impossible here", "unknown": "is unknown", "gave up": "gave up"}[found.outcome]
    why = f": {found.stop.why}" if found.stop.why else ""
    return f"{where}: {what}{said} (as {counts} before it){why}"


def _assumption(name: str, value: str, projection: Projection) -> str:
    return f"{name}={value} ({projection.world.assumptions[name].about})"


def _events(roles: Iterable[str], projection: Projection) -> list[str]:
    """The wire events that roles stand for, each with the roles."""
    found: dict[str, list[str]] = {}
    for role in roles:
        found.setdefault(_wire_name(role, projection), []).append(role)
    return [f"{name} ({', '.join(each)})" for name, each in sorted(found.items())]


def _wire_name(role: str, projection: Projection) -> str:
    for section in ("server", "errors", "local"):
        for name, rules in projection.rules[section].items():
            if any(role in step for rule in rules for step in rule.roles):
                return "error" if section == "errors" else name
    return role


def _or(roles: Iterable[str]) -> str:
    *most, last = roles
    return f"{', '.join(most)} or {last}" if most else last


def dialects(projection: Projection) -> str:
    """Every dialect, what it is, and how it is known."""
    width = max(map(len, projection.dialects))
    lines = []
    for d in projection.dialects.values():
        marks = [" or ".join(names) for names in d.marks.has] + [f"no {name}" for name in d.marks.lacks]
        lines.append(
            f"{d.name:{width}}  {d.about}" + (f"\n{'':{width}}  known by: {', '.join(marks)}" if marks else "")
        )
    return "\n".join(lines)


def plain(found: Acceptance) -> Mapping[str, object]:
    """For programs."""
    stop = found.stop
    return {
        "file": found.file, "outcome": found.outcome, "dialect": found.dialect, "events": found.events,
        "most_states": found.most_states, "say_nothing": dict(found.passed), "assumed": dict(found.assumed),
        "relaxed": dict(found.relaxed), "answers": dict(found.answers),
        "accepted_with": list(found.advice),
        "impossible": None if stop is None else {
            "line": stop.line, "type": stop.type, "roles": list(stop.roles), "instead": list(stop.instead),
            "why": stop.why,
        },
    }  # fmt: skip
