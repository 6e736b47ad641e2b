"""What a spec is verified in: a world, what must hold, and what the spec says of both under `verify:`. Pure.

A spec's own world is laid beside the one there is, section by section; a text that names itself (`world:`) is another
world altogether, and then nothing is asked of the spec but what it names. Own properties come after all others: they
may read and move the ghosts of those, and use their actions.
Never here: opening files (the caller's function fetches), searching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import attrs

from fsm.language.merging import VERIFY, merged
from fsm.language.node_reader import Reader
from fsm.language.problem import Place, Problems, SpecError, suggestion
from fsm.language.spec import Spec
from fsm.language.spec_reader import VERIFY_KEYS
from fsm.language.yaml_nodes import Node, read
from fsm.verify.property import INSTEAD, Claim, Intent, Joint, Properties, Waiver, states_of
from fsm.verify.property_reader import PropertyReader
from fsm.verify.verify import Workbench
from fsm.world.reader import WorldReader
from fsm.world.world import Act, World

_INLINE = ("ghosts", "actions", "after")
MANUAL = "manual"
FetchFrom = Callable[[str, str], tuple[str, str]]
"""`fetch(reference, file)` gives the text behind a name that is written in a file, and its own file; raises OSError."""


@attrs.frozen
class Environment:
    """What a spec is verified in."""

    world: World
    properties: Properties

    def workbench(self, spec: Spec) -> Workbench:
        """For the searches of a spec."""
        return Workbench(spec, self.world, self.properties)


@attrs.frozen
class Bundled:
    """The world and the properties that there are for every spec, as read."""

    world: Node
    properties: Sequence[Node]

    @cached_property
    def environment(self) -> Environment:
        """Of a spec that says nothing of its own. Raises SpecError."""
        problems = Problems()
        world = WorldReader(problems).read(self.world)
        problems.raise_if_any()
        properties = _properties(world, [(text, None) for text in self.properties], problems)
        problems.raise_if_any()
        return Environment(world, properties)


def environment_of(bundled: Bundled, spec: Spec, fetch: FetchFrom) -> Environment:
    """The world and the properties of a spec. Raises SpecError with every problem."""
    problems = Problems()
    found = bundled.environment
    if spec.verify is not None:
        found = _with_own(bundled, OwnVerification(spec, spec.verify, problems, fetch), problems)
    _agreeing(spec, found.world, problems)
    problems.raise_if_any()
    return found


def _with_own(bundled: Bundled, own: OwnVerification, problems: Problems) -> Environment:
    whole, *more = own.worlds(bundled.world)
    root = whole
    for text in more:
        root = merged(root, _without_about(text), problems, (VERIFY, "world"), "the world says it at")
    world = WorldReader(problems).read(root)
    problems.raise_if_any()
    shared = bundled.properties if whole is bundled.world else ()
    texts = [*((each, None) for each in shared), *((each, own.spec) for each in own.properties())]
    properties = own.meant(_properties(world, texts, problems), world)
    problems.raise_if_any()
    known = {claim.name for claim in bundled.environment.properties.claims} if shared else set()
    _bind(own.spec, world, properties, [c for c in properties.claims if c.name not in known], problems)
    return Environment(world, properties)


def _properties(world: World, texts: Sequence[tuple[Node, Spec | None]], problems: Problems) -> Properties:
    """Of several texts, each with the spec whose own it is; it may read the ghosts of those before it."""
    found = Properties(world.place.file, (), {}, ())
    actions: dict[str, Node] = {}
    moments: dict[str, tuple[tuple[str, str], ...]] = {}
    for text, teller in texts:
        seen = attrs.evolve(world, variables=(*world.variables, *found.ghosts))
        reader = PropertyReader(problems, seen, teller)
        reader.actions = actions if teller is not None else {}
        reader.moments = moments
        found = _joined(found, reader.read(text), problems)
        actions |= reader.actions
        moments = reader.moments
    return found


def _bind(spec: Spec, world: World, properties: Properties, own: Iterable[Claim], problems: Problems) -> None:
    """Each expression must fit the spec; else it would be noticed only where a scene asks for it."""
    try:
        joint = Joint(spec.variables, (*world.variables, *properties.ghosts))
    except SpecError as error:
        problems.adopt(error)
        return
    for claim in own:
        if joint.lacks(claim) or (claim.specs and spec.name not in claim.specs) or not _concerns(claim, spec, world):
            continue
        try:
            joint.bound(attrs.evolve(claim, each=states_of(claim, spec)))
        except SpecError as error:
            problems.adopt(error)


def _concerns(claim: Claim, spec: Spec, world: World) -> bool:
    """Has the spec the features that it speaks of?"""
    needed = ((world.features.get(need.name), need.negated) for need in claim.needs)
    return all(each is None or (each.vocabulary in spec.vocabulary.names) != negated for each, negated in needed)


def _agreeing(spec: Spec, world: World, problems: Problems) -> None:
    """A provider that is told to do something does it in the world, too: the spec has the vocabulary of that."""
    asked = {**spec.turn_detection.needs, MANUAL: "yes" if spec.turn_detection.manual else "no"}
    spoken = {f.name for f in world.features.values() if f.vocabulary in spec.vocabulary.names}
    for setting in world.settings:
        value = asked.get(setting.key, setting.default)
        is_on, is_asked = value in ("yes", "true"), setting.of is None or setting.of in spoken
        if is_asked and is_on != (setting.feature in spoken):
            feature = world.features[setting.feature]
            place = spec.turn_detection.place if spec.turn_detection.place.line else Place(spec.file, 1, 1)
            known = "has" if setting.feature in spoken else "lacks"
            message = f"'{setting.key}' is {value} here, but the spec {known} the vocabulary '{feature.vocabulary}'"
            hint = f"with that vocabulary, {feature.about}"
            problems.add(place, "turn-detection", message, hint)


def _without_about(text: Node) -> Node:
    return attrs.evolve(text, pairs=tuple(pair for pair in text.pairs or () if pair[0].text != "about"))


def _joined(first: Properties, more: Properties, problems: Problems) -> Properties:
    hooks = {key: (*first.hooks.get(key, ()), *more.hooks.get(key, ())) for key in {**first.hooks, **more.hooks}}
    known = {claim.name: claim.place for claim in first.claims}
    for claim in more.claims:
        if claim.name in known:
            hint = f"the other one is at {known[claim.name]}"
            problems.add(claim.place, "two-meanings", f"there is a property '{claim.name}' already", hint)
    ghosts, claims = (*first.ghosts, *more.ghosts), (*first.claims, *more.claims)
    return Properties(first.file, ghosts, hooks, claims, dict(_intents(first, more)))


def _intents(first: Properties, more: Properties) -> Iterator[tuple[str, Intent]]:
    """An intent may matter to the properties of several files; each says what follows it there."""
    for name in {**first.intents, **more.intents}:
        one, other = first.intents.get(name), more.intents.get(name)
        both = attrs.evolve(one, acts=(*one.acts, *other.acts)) if one is not None and other is not None else None
        found = both or one or other
        assert found is not None
        yield name, found


class OwnVerification(Reader):
    """What a spec says under `verify:`, by what it is for."""

    def __init__(self, spec: Spec, node: Node, problems: Problems, fetch: FetchFrom) -> None:
        super().__init__(problems)
        self.spec, self._node, self._fetch = spec, node, fetch
        self._said = self.mapping(node, VERIFY_KEYS)

    def worlds(self, bundled: Node) -> Sequence[Node]:
        """The world that is the spec's, then what is laid beside it."""
        named = [text for item in self._listed("worlds") for text in self._fetched(item)]
        named += [self._said["world"]] if "world" in self._said else []
        whole = [text for text in named if text.get("world") is not None]
        for text in whole[1:]:
            place = whole[0].place
            self.problems.add(text.place, "two-meanings", "a spec has one world", f"there is another one at {place}")
        return (whole[0] if whole else bundled, *(text for text in named if text not in whole))

    def properties(self) -> Iterator[Node]:
        """Files of properties, then what stands in the spec and its parts, as a text of its own."""
        pairs = [(key, value) for key, value in self.entries(self._node) if key.text in _INLINE]
        claims: Node | None = None
        for item in self._listed("properties"):
            if item.pairs is None:
                yield from self._fetched(item)
            elif claims is None:
                claims = item
            else:
                claims = merged(claims, item, self.problems, (), "the other one is at")
        if claims is not None:
            pairs.append((attrs.evolve(claims, text="properties", pairs=None), claims))
        if pairs:
            yield Node(self._node.place, pairs=tuple(pairs))

    def meant(self, properties: Properties, world: World) -> Properties:
        """The properties with what the spec means by its own words, and what it waives."""
        hooks = dict(properties.hooks)
        for key, node in self.entries(self._said.get("intents")):
            name = self.one_of(key, tuple(properties.intents))
            for item in self.listed(node) if name == key.text else ():
                self._mean(item, properties.intents[name], world, hooks)
        return attrs.evolve(properties, hooks=hooks, waived=dict(self._waivers(properties)))

    # --- small pieces -------------------------------------------------------------------------------------------------

    def _listed(self, key: str) -> Sequence[Node]:
        return self.listed(self._said[key]) if key in self._said else ()

    def _fetched(self, reference: Node) -> Iterator[Node]:
        try:
            yield read(*self._fetch(self.text(reference), reference.place.file))
        except OSError as error:
            message = f"'{reference.text}' cannot be read: {error.strerror or error}"
            self.problems.add(reference.place, "no-file", message)
        except SpecError as error:
            self.problems.adopt(error)

    def _mean(self, item: Node, intent: Intent, world: World, hooks: dict[tuple[str, str], tuple[Act, ...]]) -> None:
        reader = PropertyReader(self.problems, world, self.spec)
        for kind, name in reader.triggers(attrs.evolve(item, text=intent.after.replace("each", self.text(item)))):
            key = (INSTEAD if intent.instead else kind, name)
            hooks[key] = (*hooks.get(key, ()), *intent.acts)

    def _waivers(self, properties: Properties) -> Iterator[tuple[str, Waiver]]:
        claims = [claim.name for claim in properties.claims]
        known = {*claims, *(f"{c.name}[{state}]" for c in properties.claims for state in states_of(c, self.spec))}
        for key, node in self.entries(self._said.get("waive")):
            name, reason = key.text or "", "; ".join(self.text(each).strip() for each in self.listed(node))
            if name not in known:
                hint = suggestion(name, known if "[" in name else claims)
                self.problems.add(key.place, "unknown-name", f"there is no property '{name}'", hint)
            if not reason:
                self.problems.add(node.place, "reason", f"why is '{name}' waived?", f"{name}: the reason")
            yield name, Waiver(name, reason, key.place)
