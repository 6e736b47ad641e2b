"""A log's events one after the other, as what they mean for a run of the world. Never here: runs, formats, files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import attrs

from fsm.machine.wire import read_wire
from tools.acceptance.identities import Identities
from tools.acceptance.projection import Dialect, Projection, Rule, SessionKind, Wire, fits, text_at

Side = Literal["client", "server", "local"]


@attrs.frozen
class Observation:
    """One event of a log. `local` is what happened on neither side of the wire: a socket that opened or ended."""

    line: int
    side: Side
    wire: Wire

    @property
    def type(self) -> str:
        return text_at(self.wire, "type")


@attrs.frozen
class Terms:
    """What holds from an event on by what the session's settings say: the kind of session, assumptions besides."""

    kind: SessionKind
    assume: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Meaning:
    """What an event stands for. `roles`: one of each, one after the other; none of all: it says nothing, for `reason`.

    `unknown` says why nobody can know what it stands for.
    """

    observation: Observation
    terms: Terms
    roles: tuple[tuple[str, ...], ...] = ()
    do: str = ""
    reason: str = ""
    unknown: str = ""


def first_terms(projection: Projection) -> Terms:
    """What holds before a session has said anything."""
    return _terms(projection, {})


def _terms(projection: Projection, settings: Wire) -> Terms:
    kind = next(kind for kind in projection.kinds if fits(kind.where, settings))
    said = [assume for where, assume in projection.settings if fits(where, settings)]
    return Terms(kind, tuple(pair for assume in said for pair in assume.items()))


class Projector:
    """One log, read once. `assume`: the assumptions that rules may ask for."""

    def __init__(self, projection: Projection, dialect: Dialect, assume: Mapping[str, str]) -> None:
        self._projection, self._assume = projection, assume
        self._identities = Identities(dialect.conversation_ids, assume.get("client_is_recorded") != "no")
        self._terms = first_terms(projection)

    def meanings(self, log: Iterable[Observation]) -> Iterator[Meaning]:
        for observation in log:
            if observation.side == "server":
                self._settle(observation.wire)
            yield self._meaning(observation)
            if observation.side != "local":
                self._identities.note(observation.wire)

    def _settle(self, wire: Wire) -> None:
        """The session's settings, where an event shows them."""
        for path in self._projection.turn_detection:
            if text_at(wire, path):
                value: object = wire
                for part in path.split("."):
                    value = value[part] if isinstance(value, Mapping) else None
                self._terms = _terms(self._projection, {"turn_detection": value})
                return

    def _meaning(self, observation: Observation) -> Meaning:
        projection, wire, name, section = self._projection, observation.wire, observation.type, str(observation.side)
        if section == "server" and name == "error":
            section, name = "errors", read_wire(self._terms.kind.vocabulary, wire)[0].name
        rules = projection.rules[section].get(name)
        if rules is None:
            noise = [kind.vocabulary.noise.get(name) for kind in projection.kinds if section == "server"]
            reason = next(filter(None, noise), "")
            unknown = "" if reason else f"neither the vocabularies nor {projection.file} know it"
            return Meaning(observation, self._terms, reason=reason, unknown=unknown)
        return self._by_rules((*projection.every, *rules), observation)

    def _by_rules(self, rules: tuple[Rule, ...], observation: Observation) -> Meaning:
        who = self._identities.of(observation.wire)
        found: list[tuple[str, ...]] = []
        for rule in rules:
            if not all(self._holds(need.name, need.value) != need.negated for need in rule.needs):
                continue
            if rule.each:
                found += self._of_each(rule, observation.wire)
            elif (not rule.who or rule.who & who) and fits(rule.where, observation.wire):
                roles = (*found, *rule.roles) if rule.roles else ()
                return Meaning(observation, self._terms, roles, rule.do, rule.reason)
        return Meaning(observation, self._terms, unknown=f"no rule for it in {self._projection.file} fits")

    def _of_each(self, rule: Rule, wire: Wire) -> Iterator[tuple[str, ...]]:
        """The roles of every element of a list that the rule fits."""
        for element in _elements(wire, rule.each):
            if (not rule.who or rule.who & self._identities.of_item(element)) and fits(rule.where, element):
                yield from rule.roles

    def _holds(self, name: str, value: str) -> bool:
        return self._assume.get(name) == value


def _elements(wire: Wire, path: str) -> Iterator[Wire]:
    found: object = wire
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    for element in found if isinstance(found, list | tuple) else ():
        if isinstance(element, Mapping):
            yield element
