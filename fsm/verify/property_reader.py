"""A text of properties as typed values, over the words of a world. Never here: searching, judging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm.language.expression import Scope
from fsm.language.problem import Place, Problems, suggestion
from fsm.language.spec import Spec
from fsm.language.yaml_nodes import Node, read
from fsm.verify.property import Claim, Intent, Properties
from fsm.world.binding import emitted
from fsm.world.reader import ActReader, WorldReader
from fsm.world.world import Act, World

SECTIONS = ("about", "ghosts", "moments", "after", "actions", "intents", "properties")
INTENT_KEYS = ("about", "after", "do", "instead")
CLAIM_KEYS = ("about", "never", "always", "leads_to", "each", "over", "specs", "needs")
TRIGGERS = ("move", "event", "effect", "sent")
MOMENT = "moment"


def load_properties(text: str, file: str, world: World) -> Properties:
    """The properties in a text; raises SpecError with every problem. Expressions are checked with the spec, later."""
    problems = Problems()
    properties = PropertyReader(problems, world).read(read(text, file))
    problems.raise_if_any()
    return properties


class PropertyReader(ActReader):
    """One use: `PropertyReader(problems, world, spec).read(root)`. `spec`: whose words may be used, too."""

    def __init__(self, problems: Problems, world: World, spec: Spec | None = None) -> None:
        super().__init__(problems)
        self.world, self.spec = world, spec
        self.moments: dict[str, tuple[tuple[str, str], ...]] = {}
        self.channels, self.messages = world.channels, dict(world.messages)
        self.assignable = ("ghost",)
        self._words = self._known()
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
        self.actions = {**self.actions, **{k.text or "": n for k, n in self.entries(sections.get("actions"))}}
        for key, node in self.entries(sections.get("moments")):
            found = (trigger for item in self.listed(node) for trigger in self.triggers(item))
            self.moments = {**self.moments, key.text or "": tuple(found)}
        hooks: dict[tuple[str, str], tuple[Act, ...]] = {}
        for key, node in self.entries(sections.get("after")):
            acts = self.acts(node)
            for trigger in self.triggers(key):
                hooks[trigger] = (*hooks.get(trigger, ()), *acts)
        claims = tuple(self._claim(k, n) for k, n in self.entries(sections.get("properties")))
        intents = {k.text or "": self._intent(k, n) for k, n in self.entries(sections.get("intents"))}
        return Properties(root.place.file, ghosts, hooks, claims, intents)

    def _known(self) -> Mapping[str, tuple[str, ...]]:
        """What can be followed, by its kind: words of the world, and those of the spec that it says or answers."""
        events = dict.fromkeys(tell.event for move in self.world.moves for tell in emitted(move.acts))
        effects = dict.fromkeys(self.world.effects)
        if self.spec is not None:
            words = self.spec.vocabulary.alphabet
            events |= dict.fromkeys(w.name for w in words if w.is_said or w.of in events)
            effects |= dict.fromkeys(self.spec.vocabulary.effects)
        moves, sent = tuple(m.name for m in self.world.moves), tuple(self.messages)
        return {"move": moves, "effect": tuple(effects), "sent": sent, "event": tuple(events)}

    def triggers(self, key: Node) -> Iterator[tuple[str, str]]:
        """`move a, b`, `event e`, `effect f`, `effect f(literal)`, `sent m`: what operations may follow.

        An event is what the world emits, before the machine sees something else `instead`. `moment m` is what the
        properties of the world call so: each of these, in the words of its own wire.
        """
        kind, _, names = (key.text or "").partition(" ")
        kind = self.one_of(Node(key.place, kind), (*TRIGGERS, MOMENT))
        for name in (part.strip() for part in names.split(",")):
            if kind == MOMENT:
                yield from self.moments.get(self.one_of(Node(key.place, name), tuple(self.moments)), ())
                continue
            word, _, literal = name.rstrip(")").partition("(")
            if kind == "event" and name.startswith("timer."):
                self._deadline(key, name)
            elif self.one_of(Node(key.place, word), self._words[kind]) == word and literal:
                self._argument(key, word, literal)
            yield kind, name

    def _deadline(self, key: Node, name: str) -> None:
        """Deadlines are a spec's; what is said of all specs may name those of any."""
        known = [each.event for each in self.spec.deadlines.values()] if self.spec is not None else [name]
        if name not in known:
            self.problems.add(key.place, "unknown-name", f"there is no deadline '{name}'", suggestion(name, known))

    def _argument(self, key: Node, effect: str, literal: str) -> None:
        """What a spec says of its own argument must be one."""
        if self.spec is None or effect not in self.spec.vocabulary.effects:
            return
        own = {"prompts": self.spec.prompts, "say": self.spec.say}.get(self.spec.vocabulary.own_words(effect), {})
        known = [*self.spec.vocabulary.effects[effect].choices, *own]
        if literal not in known:
            hint = suggestion(literal, known)
            self.problems.add(key.place, "argument", f"'{literal}' is not an argument of '{effect}'", hint)

    def _intent(self, key: Node, node: Node) -> Intent:
        fields = self.mapping(node, INTENT_KEYS)
        for name in ("about", "after"):
            if name not in fields:
                self.problems.add(key.place, "missing", f"intent '{key.text}' needs '{name}:'")
        about, after = (self.text(fields[name]) if name in fields else "" for name in ("about", "after"))
        instead = "instead" in fields and self.one_of(fields["instead"], ("no", "yes")) == "yes"
        return Intent(key.text or "", about, after, self.acts(fields.get("do")), instead, key.place)

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
