"""A projection as typed values: which role of the world a wire event stands for, and what a log leaves out.

Never here: reading text (.projection_reader), ids (.identities), applying a rule to a log (.projector).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from fsm.language.vocabulary import Vocabulary
from fsm.world.world import Need, World

Wire = Mapping[str, object]
ANY = "any"  # a dialect may begin with any value of a variable


def text_at(value: object, path: str) -> str:
    """What stands at a dotted path, as a text: "" where it leads nowhere, "null", "true"; "..." for what is big."""
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ""
        value = value[part]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, str | int | float) else "..."


def fits(where: Mapping[str, tuple[str, ...]], wire: Wire) -> bool:
    """Does every path hold one of the texts it may?"""
    return all(text_at(wire, path) in texts for path, texts in where.items())


@attrs.frozen
class Rule:
    """What an event stands for where the rule fits: one of `roles` after the other, or nothing, for a reason.

    `each`: the rule is put to every element of a list, beside the rules that follow. `do` is an effect of the world.
    """

    where: Mapping[str, tuple[str, ...]]
    who: frozenset[str]
    needs: tuple[Need, ...]
    roles: tuple[tuple[str, ...], ...]
    reason: str
    each: str = ""
    do: str = ""


@attrs.frozen(eq=False)
class SessionKind:
    """A kind of session: the words that are spoken in it, where its settings are so."""

    name: str
    where: Mapping[str, tuple[str, ...]]
    vocabulary: Vocabulary


@attrs.frozen
class Marks:
    """What a kind of log is known by. `has`: of each entry one mark must be in it; `lacks`: none of these may."""

    has: tuple[tuple[str, ...], ...] = ()
    lacks: tuple[str, ...] = ()

    def are_in(self, log: Collection[str]) -> bool:
        """Has a log with these marks (see `marks_of`) what it takes?"""
        return all(_any(names, log) for names in self.has) and not _any(self.lacks, log)


def marks_of(wire: Wire) -> Iterator[str]:
    """What a log can be known by: the types of its events, the id that its session shows."""
    yield text_at(wire, "type")
    session = text_at(wire, "session.id")
    if session:
        yield f"session.id={session}"


def _any(names: Iterable[str], log: Collection[str]) -> bool:
    """Is one of the names there? `*` at the end of a name is a family."""
    return any(mark == n or (n.endswith("*") and mark.startswith(n[:-1])) for n in names for mark in log)


@attrs.frozen
class Recording:
    """How much of the client's side is in a log, as assumptions."""

    about: str
    marks: Marks
    assume: Mapping[str, str]


@attrs.frozen
class Dialect:
    """What a provider speaks, or from where a log was kept. `begins`: values of the world's variables, perhaps ANY."""

    name: str
    about: str
    marks: Marks
    begins: Mapping[str, str]
    assume: Mapping[str, str]
    conversation_ids: bool


@attrs.frozen
class Projection:
    """Everything a log's events mean. `world` is the world with what a client of anybody's may do besides.

    `rules` by section (client, server, errors, local) and name; `every` comes before them. `resets` and `cleared` are
    what nothing is remembered of; `counters` end at a bound of the model; `unseen` are the roles that reach the client
    without a trace in a log. `marks` are of its protocol, where another is the one that needs none.
    """

    name: str
    file: str
    world: World
    every: tuple[Rule, ...]
    rules: Mapping[str, Mapping[str, tuple[Rule, ...]]]
    unseen: Mapping[str, str]
    resets: tuple[str, ...]
    cleared: tuple[int, ...]
    counters: tuple[str, ...]
    turn_detection: tuple[str, ...]
    kinds: tuple[SessionKind, ...]
    settings: tuple[tuple[Mapping[str, tuple[str, ...]], Mapping[str, str]], ...]
    relaxes: Mapping[str, str]
    recordings: tuple[Recording, ...]
    dialects: Mapping[str, Dialect]
    marks: Marks = Marks()

    def recognised(self, log: Collection[str]) -> Dialect:
        """The first dialect that a log has the marks of; the last one needs none."""
        return next(d for d in self.dialects.values() if d.marks.are_in(log))

    @property
    def roles_by_type(self) -> Iterator[tuple[str, str]]:
        """Every type of an event beside the client's, with a role that it may stand for."""
        for name, rules in (*self.rules["server"].items(), *self.rules["local"].items()):
            yield from ((name, role) for rule in rules for step in rule.roles for role in step)

    def recorded(self, log: Collection[str]) -> Mapping[str, str]:
        """What has to be assumed for what a log with these marks leaves out."""
        return next((r.assume for r in self.recordings if r.marks.are_in(log)), {})


def chosen(projections: Sequence[Projection], log: Collection[str]) -> Projection:
    """The first whose protocol a log with these marks (see `marks_of`) is of, else the one that needs none."""
    marked = [each for each in projections if each.marks != Marks()]
    others = [each for each in projections if each.marks == Marks()]
    return next(each for each in (*marked, *others) if each.marks.are_in(log))
