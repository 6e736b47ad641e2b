"""A text of properties as typed values, over the words of a world. Never here: searching, judging."""

from __future__ import annotations

from fsm.language.expression import Scope
from fsm.language.problem import Place, Problems
from fsm.language.yaml_nodes import Node, read
from fsm.verify.property import Claim, Properties
from fsm.world.binding import emitted
from fsm.world.reader import ActReader, WorldReader
from fsm.world.world import Act, World

SECTIONS = ("about", "ghosts", "after", "actions", "properties")
CLAIM_KEYS = ("about", "never", "always", "leads_to", "each", "over", "specs", "needs")
TRIGGERS = ("move", "event", "effect", "sent")


def load_properties(text: str, file: str, world: World) -> Properties:
    """The properties in a text; raises SpecError with every problem. Expressions are checked with the spec, later."""
    problems = Problems()
    properties = PropertyReader(problems, world).read(read(text, file))
    problems.raise_if_any()
    return properties


class PropertyReader(ActReader):
    """One use: `PropertyReader(problems, world).read(root)`."""

    def __init__(self, problems: Problems, world: World) -> None:
        super().__init__(problems)
        self.world = world
        self.channels, self.messages = world.channels, dict(world.messages)
        self.assignable = ("ghost",)
        self._events = tuple(dict.fromkeys(tell.event for move in world.moves for tell in emitted(move.acts)))
        self._needs = WorldReader(problems)
        self._needs.features, self._needs.assumptions = dict(world.features), dict(world.assumptions)

    def read(self, root: Node) -> Properties:
        sections = self.mapping(root, SECTIONS)
        count = len(self.world.variables)
        ghosts = tuple(
            self.variable(key, node, count + i, "ghost")
            for i, (key, node) in enumerate(self.entries(sections.get("ghosts")))
        )
        known = {v.name for v in self.world.variables}
        for ghost in ghosts:
            if ghost.name in known:
                self.problems.add(ghost.place, "two-meanings", f"'{ghost.name}' is already a variable of the world")
        self.scope = Scope([*self.world.variables, *ghosts])
        self.actions = {k.text or "": n for k, n in self.entries(sections.get("actions"))}
        hooks: dict[tuple[str, str], tuple[Act, ...]] = {}
        for key, node in self.entries(sections.get("after")):
            self._hook(key, self.acts(node), hooks)
        claims = tuple(self._claim(k, n) for k, n in self.entries(sections.get("properties")))
        return Properties(root.place.file, ghosts, hooks, claims)

    def _hook(self, key: Node, acts: tuple[Act, ...], hooks: dict[tuple[str, str], tuple[Act, ...]]) -> None:
        """`move a, b`, `event e`, `effect f`, `effect f(literal)`, `sent m`: what the operations follow.

        An event is what the world emits, before the machine sees something else `instead`.
        """
        kind, _, names = (key.text or "").partition(" ")
        moves = tuple(m.name for m in self.world.moves)
        words = {
            "move": moves,
            "effect": tuple(self.world.effects),
            "sent": tuple(self.messages),
            "event": self._events,
        }
        kind = self.one_of(Node(key.place, kind), TRIGGERS)
        for name in (part.strip() for part in names.split(",")):
            if kind != "event" or not name.startswith("timer."):  # deadlines are the spec's
                self.one_of(Node(key.place, name.partition("(")[0]), words[kind])
            hooks[kind, name] = (*hooks.get((kind, name), ()), *acts)

    def _claim(self, key: Node, node: Node) -> Claim:
        fields = self.mapping(node, CLAIM_KEYS)
        kinds = [k for k in ("never", "always", "leads_to") if k in fields]
        if len(kinds) != 1:
            self.problems.add(key.place, "property", f"'{key.text}' needs one of never, always, leads_to")
        kind = kinds[0] if kinds else "never"
        texts: tuple[tuple[str, Place], ...] = ()
        if kind == "leads_to" and kinds:
            parts = self.mapping(fields[kind], ("from", "to"))
            if set(parts) != {"from", "to"}:
                self.problems.add(fields[kind].place, "missing", "'leads_to' needs 'from' and 'to'")
            texts = tuple((self.text(parts[k]), parts[k].place) for k in ("from", "to") if k in parts)
        elif kinds:
            texts = tuple((self.text(item), item.place) for item in self.listed(fields[kind]))
        return Claim(
            key.text or "", kind, self.text(fields["about"]) if "about" in fields else "", texts,
            tuple(self.text(n) for n in (self.listed(fields["specs"]) if "specs" in fields else ())),
            tuple(self._needs.need(n) for n in (self.listed(fields["needs"]) if "needs" in fields else ())),
            tuple(self.text(n) for n in (self.listed(fields["each"]) if "each" in fields else ())),
            tuple(self.text(n) for n in (self.listed(fields["over"]) if "over" in fields else ())), key.place,
        )  # fmt: skip
