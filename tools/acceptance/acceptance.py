"""`accept`: could the world have produced a log, with a free client? Or the first event that no run of it has there.

Where the assumptions say no, the fewest are looked for that have to go. Never here: files, what is printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Literal

import attrs

from fsm.language.spec import Deadline
from fsm.language.vocabulary import Vocabulary
from fsm.world.binding import Binding, WorldSettings
from fsm.world.reader import TOP
from tools.acceptance.answers import Worth
from tools.acceptance.projection import ANY, Dialect, Projection, marks_of
from tools.acceptance.projector import Meaning, Observation, Projector, Terms, first_terms
from tools.acceptance.search import MOST_STATES, AcceptanceSearch, Moves, TooManyRunsError, frame_of

Outcome = Literal["accepted", "refused", "unknown", "gave up"]


@attrs.frozen
class FreeClient:
    """Whoever may say anything at any time: its words, no rule."""

    name: str
    vocabulary: Vocabulary
    deadlines: Mapping[str, Deadline] = attrs.field(factory=dict)


@attrs.frozen
class AcceptOptions:
    """What the caller of a check assumes: assumptions, fixed as given, and how many events may be lost."""

    assume: Mapping[str, str] = attrs.field(factory=dict)
    losses: int = 0
    relax: bool = True
    most_states: int = MOST_STATES


@attrs.frozen
class Stop:
    """Where a log ends to be a run: the event, the roles it may have, and those that could have come instead."""

    line: int
    type: str
    roles: tuple[str, ...]
    instead: tuple[str, ...]
    why: str = ""


@attrs.frozen
class Acceptance:
    """What came of a log. `events` stand for something, `passed` says of the others why they do not, by reason.

    `assumed`: what is not as the world has it by default, by the log, its dialect or whoever asked; `relaxed`: what had
    to be, so that the log is a run.
    """

    file: str
    dialect: str
    outcome: Outcome
    events: int
    most_states: int
    passed: Mapping[str, int]
    assumed: Mapping[str, str]
    relaxed: Mapping[str, str]
    stop: Stop | None = None
    answers: Mapping[Worth, int] = attrs.field(factory=dict)
    """What the responses were worth to the caller (heard, cut, silent), where the log says so."""
    advice: tuple[str, ...] = ()
    """Of a log that was refused: the options, each of which would have it accepted."""


def accept(
    file: str,
    log: Sequence[Observation],
    projection: Projection,
    options: AcceptOptions = AcceptOptions(),
    dialect: str | None = None,
) -> Acceptance:
    """One log, whole; without a dialect the first that it has the marks of. KeyError for one that is not there."""
    marks = {mark for o in log for mark in marks_of(o.wire)}
    chosen = projection.dialects[dialect] if dialect else projection.recognised(marks)
    trial = _Trial(file, log, projection, chosen, options, marks)
    first = trial.run({})
    if first.outcome != "refused" or not options.relax:
        return first
    all_gone = {k: v for k, v in projection.relaxes.items() if k not in options.assume and trial.settled.get(k) != v}
    best = trial.run(all_gone)
    if best.outcome != "accepted":
        return first if best.stop == first.stop or _line(best) == _line(first) else best
    for name in all_gone:
        fewer = trial.run({k: v for k, v in best.relaxed.items() if k != name})
        best = fewer if fewer.outcome == "accepted" else best
    return best


def _line(found: Acceptance) -> int:
    return found.stop.line if found.stop else 0


class _Trial:
    """A log, to be tried under one set of assumptions after another."""

    def __init__(
        self,
        file: str,
        log: Sequence[Observation],
        projection: Projection,
        dialect: Dialect,
        options: AcceptOptions,
        marks: Collection[str],
    ) -> None:
        self.file, self.log, self.projection, self.dialect, self.options = file, log, projection, dialect, options
        world, recorded = projection.world, projection.recorded(marks)
        lossy = {world.loss[1]: "yes"} if options.losses and world.loss is not None else {}
        self.defaults = {a.name: a.default for a in world.assumptions.values()}
        self.settled = {**self.defaults, **recorded, **dialect.assume, **lossy, **options.assume}
        self.frame = frame_of(world, projection.resets, projection.cleared, tuple(self._unseen()), options.most_states)
        self.tops = {v.index: len(v.domain) - 1 for v in map(world.variable, projection.counters)}

    def _unseen(self) -> Iterator[str]:
        """The roles that leave no trace in this log: a journal of ours does record its sockets, say."""
        told = {o.type for o in self.log if o.side != "client"}
        seen = {role for name, role in self.projection.roles_by_type if name in told}
        yield from (role for role in self.projection.unseen if role not in seen)

    def run(self, relaxed: Mapping[str, str]) -> Acceptance:
        """The log from its beginning."""
        return _Run(self, {**self.settled, **relaxed}, relaxed).run()


class _Run:
    """A log under one set of assumptions."""

    def __init__(self, trial: _Trial, assume: Mapping[str, str], relaxed: Mapping[str, str]) -> None:
        self.trial, self.assume, self.relaxed = trial, assume, relaxed
        self.world = trial.projection.world
        self.meanings = _known(Projector(trial.projection, trial.dialect, assume).meanings(trial.log))
        self.arrivals = [(m, roles) for m in self.meanings if m.observation.side != "client" for roles in m.roles]
        self.ahead = [frozenset(self._codes(roles)) for _, roles in self.arrivals]
        self._moves: dict[Terms, Moves] = {}
        self.most = 0
        self.was_full = False

    def _codes(self, roles: Iterable[str]) -> list[int]:
        return [self.world.messages[name].code for name in roles]

    def run(self) -> Acceptance:
        """The verdict. Where the whole log is not a run, its shortest beginning that is not one counts."""
        try:
            search = self._pass(self.ahead)
            if search.states:
                last = self.meanings[-1] if self.meanings else None
                return self._found("unknown", last, last.unknown) if last and last.unknown else self._found("accepted")
            at = search.at - 1
            while self._pass(self.ahead[: at + 1]).states:
                at += 1
            instead = self._instead(at)
        except TooManyRunsError:
            most = self.trial.frame.most
            return self._found("gave up", None, f"more than {most} states would have to be held at once")
        meaning, roles = self.arrivals[at]
        full = "a counter of the world was full, so it may be possible after all" if self.was_full else ""
        return self._found("gave up" if full else "refused", meaning, full, roles, tuple(sorted(instead)))

    def _instead(self, at: int) -> frozenset[str]:
        """What could have come in the place of an arrival."""
        incoming = self.trial.frame.incoming
        anything = frozenset(m.code for m in self.world.messages.values() if m.channel == incoming)
        return self._pass([*self.ahead[:at], anything], at).next_roles()

    def _pass(self, ahead: Sequence[frozenset[int]], last: int | None = None) -> AcceptanceSearch:
        """The runs of the log as far as `ahead` looks, up to where arrival `last` would come. There may be none."""
        last = len(ahead) if last is None else last
        begin = self._moves_in(first_terms(self.trial.projection))
        search = AcceptanceSearch(self.trial.frame, begin, self._beginnings(begin), ahead)
        for meaning in self.meanings:
            search.go_on(self._moves_in(meaning.terms))
            if meaning.do:
                search.done(meaning.do)
            for roles in meaning.roles:
                if meaning.observation.side == "client":
                    search.sent(self._codes(roles))
                elif search.at == last or not search.received():
                    return search
            self.was_full = self.was_full or search.has_full(self.trial.tops)
            self.most = max(self.most, search.most)
        return search

    def _moves_in(self, terms: Terms) -> Moves:
        """The moves there are in a kind of session. What was wished beats what the session's settings say."""
        found = self._moves.get(terms)
        if found is None:
            said = {k: v for k, v in terms.assume if k not in self.trial.options.assume}
            bounds = dict.fromkeys(self.world.bounds, TOP)
            if self.world.loss is not None:
                bounds[self.world.budgets[self.world.loss[0]]] = self.trial.options.losses
            client = FreeClient(terms.kind.name, terms.kind.vocabulary)
            binding = Binding(client, self.world, WorldSettings({**self.assume, **said}, bounds, {}))
            found = self._moves[terms] = Moves(binding, self.trial.frame)
        return found

    def _beginnings(self, moves: Moves) -> Iterator[bytes]:
        """Where a log may begin: where the world does, but for what the dialect says."""
        ways: list[Iterable[int]] = []
        for variable, first in zip(self.world.variables, moves.binding.initial(), strict=True):
            value = self.trial.dialect.begins.get(variable.name)
            named = [variable.domain.index(value)] if value in variable.domain else [first]
            ways.append(range(len(variable.domain)) if value == ANY else named)
        return map(bytes, product(*ways))

    def _found(
        self,
        outcome: Outcome,
        at: Meaning | None = None,
        why: str = "",
        roles: tuple[str, ...] = (),
        instead: tuple[str, ...] = (),
    ) -> Acceptance:
        trial, before = self.trial, self.meanings if at is None else self.meanings[: self.meanings.index(at)]
        where = at.observation if at is not None else Observation(0, "local", {})
        stop = Stop(where.line, where.type, roles, instead, why) if outcome != "accepted" else None
        assumed = {k: v for k, v in trial.settled.items() if v != trial.defaults[k]}
        reasons = Counter(m.reason for m in before if m.reason)
        return Acceptance(
            trial.file, trial.dialect.name, outcome, len(before) - reasons.total(), self.most, dict(reasons), assumed,
            dict(self.relaxed), stop,
        )  # fmt: skip


def _known(meanings: Iterable[Meaning]) -> list[Meaning]:
    """Up to the first that nobody knows, with it."""
    found = []
    for meaning in meanings:
        found.append(meaning)
        if meaning.unknown:
            break
    return found
