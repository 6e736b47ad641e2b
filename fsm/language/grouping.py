"""What is wrong in many places for one reason is one problem: missing answers, by state, by event, by the row.

Never here: deciding what is wrong (fsm.language.search).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from fsm.language.problem import Place, Problem
from fsm.language.spec import Spec

FEW: Final = 3
_OF_A_STATE: Final = re.compile(r"'(?P<event>.+)' in state '(?P<state>.+)' has (no answer|two answers)")
_ANSWER_IT: Final = "add it under 'on:', or say why not: ignore, cannot_happen"
Unanswered = Mapping[str, frozenset[str]]
"""The events that a state says nothing of."""


def grouped(found: Iterable[Problem], unanswered: Unanswered, spec: Spec) -> tuple[Problem, ...]:
    """The same problems, fewer of them."""
    problems = _by_state(list(found), unanswered, spec)
    poor = {state for state, events in unanswered.items() if len(events) > FEW}
    problems = _by_event(problems, {state: unanswered[state] for state in unanswered.keys() - poor}, spec)
    return tuple(sorted(_by_row(problems)))


def _by_state(problems: list[Problem], unanswered: Unanswered, spec: Spec) -> list[Problem]:
    """A state that answers hardly anything is one problem, however many events there are."""
    for name, events in unanswered.items():
        if len(events) <= FEW:
            continue
        place = spec.states[name].place
        single = [each for each in problems if (each.place, each.code) == (place, "no-answer")]
        problems = [each for each in problems if each not in single]
        joined = _groups_of(name, spec)
        known = f" of {', '.join(spec.groups)}" if spec.groups else ""
        groups = f"it is in {', '.join(joined)}" if joined else f"it is in no group{known}"
        shown = f"{', '.join(sorted(events)[:FEW])} and {len(events) - FEW} more"
        hint = f"{shown}; {groups}. Join one with 'groups:', or answer them: on, ignore ..."
        message = f"{len(events)} events have no answer in state '{name}'"
        problems.append(Problem(place, "no-answer", message, hint, single[0].trail))
    return problems


def _by_event(problems: list[Problem], unanswered: Unanswered, spec: Spec) -> list[Problem]:
    """An event that several states say nothing of is one problem, at the event: it is new, as a rule."""
    for event in sorted(frozenset().union(*unanswered.values())):
        states = sorted(state for state, events in unanswered.items() if event in events)
        messages = {f"'{event}' has no answer in state '{state}'" for state in states}
        if len(states) == 1:
            continue
        first = next(each for each in problems if each.message in messages)
        problems = [each for each in problems if each.message not in messages]
        message = f"'{event}' has no answer in {len(states)} states: {', '.join(states)}"
        hint = f"{_ANSWER_IT}; {_where(states, spec)}"
        problems.append(Problem(_place_of(event, spec), "no-answer", message, hint, first.trail))
    return problems


def _where(states: list[str], spec: Spec) -> str:
    """The groups that have most of these states and no other, and the states that are left."""
    left, parts = set(states), []
    for group in sorted(spec.groups.values(), key=lambda group: -len(group.states)):
        inside = [state for state in group.states if state in left]
        if inside and set(group.states) <= set(states):
            left -= set(inside)
            parts.append(f"group {group.name} (of {', '.join(inside)})")
    if left:
        parts.append(", ".join(sorted(left)))
    return "in " + ", and in ".join(parts)


def _by_row(problems: list[Problem]) -> list[Problem]:
    """The rows of a group that are not total, or overlap, are so in many states alike."""
    kept: list[Problem] = []
    also: dict[tuple[Place, str, str], list[str]] = {}
    for each in sorted(problems):
        said = _OF_A_STATE.fullmatch(each.message)
        if said is None:
            kept.append(each)
            continue
        states = also.setdefault((each.place, each.code, said["event"]), [])
        if not states:
            kept.append(each)
        states.append(said["state"])
    return [_with_states(each, also) for each in kept]


def _with_states(problem: Problem, also: Mapping[tuple[Place, str, str], list[str]]) -> Problem:
    said = _OF_A_STATE.fullmatch(problem.message)
    rest = also[problem.place, problem.code, said["event"]][1:] if said is not None else []
    if not rest:
        return problem
    more = f" and {len(rest) - FEW} more" if len(rest) > FEW else ""
    word = ", nor in" if problem.code == "no-answer" else ", also in"
    return attrs.evolve(problem, message=f"{problem.message}{word} {', '.join(rest[:FEW])}{more}")


def _groups_of(state: str, spec: Spec) -> list[str]:
    return [group.name for group in spec.groups.values() if state in group.states]


def _place_of(event: str, spec: Spec) -> Place:
    """Where the word is; that of a deadline is the deadline's."""
    words = spec.vocabulary.events
    if event in words:
        return words[event].place
    return next(deadline.place for deadline in spec.deadlines.values() if deadline.event == event)
