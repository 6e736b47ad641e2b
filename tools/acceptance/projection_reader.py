"""A projection's text, with its world's, as a Projection: every name is checked, and that nothing is left out.

Never here: what an event of a log stands for (.projector).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from fsm.language.loader import Fetch, load_vocabulary
from fsm.language.merging import merged
from fsm.language.node_reader import Reader
from fsm.language.problem import Problems, SpecError
from fsm.language.vocabulary import Vocabulary
from fsm.language.yaml_nodes import Node, read
from fsm.machine.ledgers import LEDGERS
from fsm.world.reader import WorldReader
from fsm.world.world import Act, Rename, Test, World
from tools.acceptance.identities import WORDS
from tools.acceptance.projection import ANY, Dialect, Marks, Projection, Recording, Rule, SessionKind

SECTIONS = (
    "projection", "world", "begins", "unseen", "counters", "roles_unseen", "adds", "every", "client", "server",
    "errors", "local", "sessions", "relaxes", "recordings", "dialects", "marks",
)  # fmt: skip
RULE_KEYS = ("where", "who", "needs", "each", "roles", "then", "do", "reason")
DIALECT_KEYS = ("about", "has", "lacks", "begins", "assume", "conversation_ids")
CHANNELS: Final = {"client": "to_provider"}  # the others' roles are those of from_provider
NOTHING: Final = Node(read("nothing", "-").place, text="")


def load_projection(text: str, file: str, fetch: Fetch) -> Projection:
    """The projection in a text; `fetch` gives its world and its vocabularies. Raises SpecError with every problem."""
    problems = Problems()
    root = read(text, file)
    reader = Reader(problems)
    sections = reader.mapping(root, SECTIONS)
    for name in SECTIONS:
        if name not in sections and name != "marks":
            problems.add(root.place, "missing", f"a projection needs '{name}:'")
    problems.raise_if_any()
    try:
        world_text, world_file = fetch(reader.text(sections["world"]))
        world_node = merged(read(world_text, world_file), sections["adds"], problems)
    except OSError as error:
        problems.add(sections["world"].place, "no-file", f"the world cannot be read: {error.strerror or error}")
        raise SpecError(problems) from None
    words = WorldReader(problems)
    world = words.read(world_node)
    problems.raise_if_any()
    projection = ProjectionReader(problems, world, words, fetch).read(sections, file)
    problems.raise_if_any()
    return projection


class ProjectionReader(Reader):
    """One use: `ProjectionReader(problems, world, words, fetch).read(sections, file)`."""

    def __init__(self, problems: Problems, world: World, words: WorldReader, fetch: Fetch) -> None:
        super().__init__(problems)
        self.world, self.words, self.fetch = world, words, fetch
        channels = {c.name: c.index for c in world.channels}
        self.roles = {
            name: tuple(m.name for m in world.messages.values() if m.channel == channels[name])
            for name in ("to_provider", "from_provider")
        }

    def read(self, sections: Mapping[str, Node], file: str) -> Projection:
        unseen, sessions = self.mapping(sections["unseen"], ("variables", "channels")), sections["sessions"]
        parts = self.mapping(sessions, ("turn_detection", "kinds", "assume"))
        channels = tuple(c.name for c in self.world.channels)
        begins = self._begins(sections["begins"])
        projection = Projection(
            self.text(sections["projection"]), file, self.world, self._rules("every", sections["every"]),
            {name: self._section(name, sections[name]) for name in ("client", "server", "errors", "local")},
            self._unseen(sections["roles_unseen"]),
            tuple(self.one_of(n, self._variables()) for n in self.listed(unseen.get("variables", NOTHING))),
            tuple(channels.index(self.one_of(n, channels)) for n in self.listed(unseen.get("channels", NOTHING))),
            tuple(self.one_of(n, self._variables()) for n in self.listed(sections["counters"])),
            self._texts(parts.get("turn_detection", NOTHING)),
            tuple(self._kind(k, n) for k, n in self.entries(parts.get("kinds"))),
            tuple(self._setting(n) for n in self.listed(parts.get("assume", NOTHING))),
            self._assume(sections["relaxes"]), tuple(self._recording(n) for n in self.listed(sections["recordings"])),
            {k.text or "": self._dialect(k, n, begins) for k, n in self.entries(sections["dialects"])},
            self._marks(self.mapping(sections["marks"], ("has", "lacks"))) if "marks" in sections else Marks(),
        )  # fmt: skip
        self._check(projection, sections)
        return projection

    def _unseen(self, node: Node) -> dict[str, str]:
        known = self.roles["from_provider"]
        return {self.one_of(key, known): self.text(value) for key, value in self.entries(node)}

    # --- rules --------------------------------------------------------------------------------------------------------

    def _section(self, section: str, node: Node) -> dict[str, tuple[Rule, ...]]:
        """`a, b: rules`: what is said of each of them; one rule may stand without a list."""
        found: dict[str, tuple[Rule, ...]] = {}
        for key, value in self.entries(node):
            for name in (part.strip() for part in (key.text or "").split(",")):
                if name in found:
                    self.problems.add(key.place, "duplicate-key", f"'{name}' is written twice")
                found[name] = self._rules(section, value)
        return found

    def _rules(self, section: str, node: Node) -> tuple[Rule, ...]:
        return tuple(self._rule(section, item) for item in self.listed(node))

    def _rule(self, section: str, node: Node) -> Rule:
        fields = self.mapping(node, RULE_KEYS)
        known = self.roles[CHANNELS.get(section, "from_provider")]
        steps = [self.listed(fields[key]) for key in ("roles", "then") if key in fields]
        rule = Rule(
            self._where(fields.get("where")),
            frozenset(self.one_of(n, tuple(WORDS)) for n in self._list(fields, "who")),
            tuple(self.words.need(n) for n in self._list(fields, "needs")),
            tuple(tuple(self.one_of(n, known) for n in step) for step in steps),
            self.text(fields["reason"]) if "reason" in fields else "",
            self.text(fields["each"]) if "each" in fields else "",
            self.one_of(fields["do"], tuple(self.world.effects)) if "do" in fields else "",
        )
        if sum(map(bool, (rule.roles, rule.reason, rule.do))) != 1:
            self.problems.add(node.place, "rule", "a rule has 'roles:', or 'do:', or a 'reason:' why it says nothing")
        return rule

    def _list(self, fields: Mapping[str, Node], key: str) -> Sequence[Node]:
        return self.listed(fields[key]) if key in fields else ()

    def _where(self, node: Node | None) -> dict[str, tuple[str, ...]]:
        return {k.text or "": tuple(map(self.text, self._values(v))) for k, v in self.entries(node)}

    def _values(self, node: Node) -> Sequence[Node]:
        return node.items if node.items is not None else (node,)

    def _texts(self, node: Node) -> tuple[str, ...]:
        return tuple(map(self.text, self.listed(node)))

    # --- sessions and dialects ----------------------------------------------------------------------------------------

    def _kind(self, key: Node, node: Node) -> SessionKind:
        fields = self.mapping(node, ("where", "vocabulary"))
        vocabulary: Vocabulary | None = None
        if "vocabulary" in fields:
            vocabulary = load_vocabulary(fields["vocabulary"], self.problems, self.fetch, LEDGERS)
        if vocabulary is None:
            self.problems.add(key.place, "missing", f"the kind '{key.text}' needs 'vocabulary:'")
            self.problems.raise_if_any()
        assert vocabulary is not None
        return SessionKind(key.text or "", self._where(fields.get("where")), vocabulary)

    def _setting(self, node: Node) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, str]]:
        fields = self.mapping(node, ("where", "assume"))
        return self._where(fields.get("where")), self._assume(fields.get("assume"))

    def _dialect(self, key: Node, node: Node, begins: Mapping[str, str]) -> Dialect:
        fields = self.mapping(node, DIALECT_KEYS)
        ids = self.one_of(fields["conversation_ids"], ("no", "yes")) if "conversation_ids" in fields else "yes"
        return Dialect(
            key.text or "", self.text(fields["about"]) if "about" in fields else "", self._marks(fields),
            {**begins, **self._begins(fields.get("begins"))},
            self._assume(fields.get("assume")), ids == "yes",
        )  # fmt: skip

    def _recording(self, node: Node) -> Recording:
        fields = self.mapping(node, ("about", "has", "lacks", "assume"))
        about = self.text(fields["about"]) if "about" in fields else ""
        return Recording(about, self._marks(fields), self._assume(fields.get("assume")))

    def _marks(self, fields: Mapping[str, Node]) -> Marks:
        has = (text.split("|") for text in self._texts(fields.get("has", NOTHING)))
        return Marks(tuple(tuple(map(str.strip, names)) for names in has), self._texts(fields.get("lacks", NOTHING)))

    def _variables(self) -> tuple[str, ...]:
        return tuple(v.name for v in self.world.variables)

    def _begins(self, node: Node | None) -> dict[str, str]:
        found = {}
        for key, value in self.entries(node):
            variable = self.world.variable(self.one_of(key, self._variables()))
            found[variable.name] = self.one_of(value, (*variable.domain, ANY))
        return found

    def _assume(self, node: Node | None) -> dict[str, str]:
        known = self.world.assumptions
        found = {}
        for key, value in self.entries(node):
            name = self.one_of(key, tuple(known))
            found[name] = self.one_of(value, known[name].values)
        return found

    # --- totality -----------------------------------------------------------------------------------------------------

    def _check(self, projection: Projection, sections: Mapping[str, Node]) -> None:
        """Nothing of either side is left out: every event of the vocabularies, every role that reaches the client."""
        for kind in projection.kinds:
            self._missing(sections["server"], kind.vocabulary.wire, projection.rules["server"])
            self._missing(sections["errors"], _error_events(kind.vocabulary), projection.rules["errors"])
        steps = [s for section, rules in projection.rules.items() if section != "client" for s in _steps_of(rules)]
        self._missing(sections["roles_unseen"], self.roles["from_provider"], {*sum(steps, ()), *projection.unseen})
        self._check_renames(steps, sections["server"])
        unmarked = [name for name, dialect in projection.dialects.items() if dialect.marks == Marks()]
        if unmarked != list(projection.dialects)[-1:]:
            self.problems.add(sections["dialects"].place, "dialect", "the last dialect is the one that needs no marks")

    def _check_renames(self, steps: Sequence[tuple[str, ...]], node: Node) -> None:
        """What is in flight is what a log says it is, whatever it becomes on the way: the search relies on that."""
        for rename in (r for move in self.world.moves for r in _renames(move.acts)):
            apart = any((rename.old in step) != (rename.new in step) for step in steps)
            if apart and rename.old in self.roles["from_provider"]:
                message = f"'{rename.old}' may become '{rename.new}' on the way: they have to stand side by side"
                self.problems.add(node.place, "rename", message)

    def _missing(self, node: Node, wanted: Iterable[str], there: Iterable[str]) -> None:
        for name in sorted(set(wanted) - set(there)):
            self.problems.add(node.place, "missing", f"'{name}' is left out: roles or a reason are wanted")


def _steps_of(rules: Mapping[str, tuple[Rule, ...]]) -> Iterator[tuple[str, ...]]:
    return (step for each in rules.values() for rule in each for step in rule.roles)


def _renames(acts: Iterable[Act]) -> Iterator[Rename]:
    for act in acts:
        if isinstance(act, Rename):
            yield act
        elif isinstance(act, Test):
            yield from _renames((*act.then, *act.otherwise))


def _error_events(vocabulary: Vocabulary) -> set[str]:
    """What an error can be, by how it is known: by its own form, or by the effect it carries the id of."""
    rejected = {word.rejected for word in vocabulary.effects.values()} - {None}
    return {form.event for form in vocabulary.errors} | {str(name) for name in rejected} | {"error.unrelated"}
