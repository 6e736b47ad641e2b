"""Vocabulary files as a Vocabulary: merges several files, checks every name. Never here: what a spec does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import attrs

from fsm.language.expression import Variable
from fsm.language.ledger import NO_LEDGER, LedgerProtocol, Ledgers
from fsm.language.node_reader import Reader
from fsm.language.problem import Place, Problems, suggestion
from fsm.language.request_data import SPELLINGS
from fsm.language.variants import Resolver
from fsm.language.vocabulary import (
    APPLICATION,
    FAILURE_FIELDS,
    PLAIN,
    EffectWord,
    ErrorForm,
    EventWord,
    Presumption,
    Vocabulary,
    WireForm,
    result_of,
)
from fsm.language.yaml_nodes import Node

SECTIONS = ("vocabulary", "about", "ledger", "slots", "events", "effects", "presumptions", "errors", "noise")
EVENT_KEYS = ("about", "from", "when", "moves", "wire", "identity", "variants", "noise", "otherwise", "instead", "data")
VARIANT_KEYS = (*EVENT_KEYS, "where", "of", "noted")
SLOT_KEYS = ("values", "initial", "waits", "audible", "about")
EFFECT_KEYS = ("about", "to", "when", "moves", "recipe", "args", "sends", "choices", "rejected", "optional")
SOURCES = ("wire", "socket", "caller", "playout", "tool", "request", "internal", APPLICATION)
_NEARLY, _NEARLY_LONG = 0.75, 0.95
DOERS = ("provider", "local", APPLICATION)


class VocabularyReader(Reader):
    """Reads the files in order; a later file adds slots, words, and moves of *its* slots to words of earlier files."""

    def __init__(self, problems: Problems, ledgers: Ledgers) -> None:
        super().__init__(problems)
        self.ledgers = ledgers
        self.ledger: LedgerProtocol[Any] | None = None
        self.names: list[str] = []
        self.slots: dict[str, Variable] = {}
        self.waits: dict[str, frozenset[int]] = {}
        self.audible: dict[str, frozenset[int]] = {}
        self.events: dict[str, EventWord] = {}
        self.effects: dict[str, EffectWord] = {}
        self.presumptions: dict[str, Presumption] = {}
        self.wire: dict[str, list[WireForm]] = {}
        self.errors: list[ErrorForm] = []
        self.noise: dict[str, str] = {}
        self.identities: dict[str, str] = {}
        self.references: list[tuple[str, Place]] = []
        self.words: list[tuple[str, Place]] = []
        self.given: list[tuple[str, Place]] = []

    def read(self, root: Node) -> None:
        sections = self.mapping(root, SECTIONS)
        if "vocabulary" in sections:
            self.names += (self.text(item) for item in self.listed(sections["vocabulary"]))
        if "ledger" in sections:
            self._named_ledger(sections["ledger"])
        for key, node in self.entries(sections.get("slots")):
            self._slot(key, node)
        for key, node in self.entries(sections.get("events")):
            self._event(key, node)
        for key, node in self.entries(sections.get("effects")):
            self._effect(key, node)
        for key, node in self.entries(sections.get("presumptions")):
            fields = self.mapping(node, ("when", "moves", "about"))
            when, moves = self._when(fields.get("when")), self._moves(fields.get("moves"))
            name = key.text or ""
            known = self.presumptions.get(name) or Presumption(name, place=key.place)
            moves = dict(self._merged(name, key.place, known.moves, moves))
            self.presumptions[name] = Presumption(name, {**known.when, **when}, moves, known.place)
        for item in sections.get("errors", ()):
            self._error(item)
        for key, node in self.entries(sections.get("noise")):
            for item in node:
                self.noise[self.text(item)] = key.text or ""

    def finish(self) -> Vocabulary:
        known = {*self.identities, *self.events, *(word.base for word in self.events.values())}
        for name, place in self.references:
            if name not in known:
                hint = suggestion(name, sorted(known))
                self.problems.add(place, "unknown-event", f"'{name}' is not an event of the vocabulary", hint)
        ledger = self.ledger or NO_LEDGER
        failures = self._failures()
        fields = {**ledger.fields, **failures}
        self._misspelt(fields)
        self.events = Resolver(self.events, self.identities, ledger, self.wire, fields, self.problems).resolved()
        for name, place in self.words:
            if name not in self.events:
                hint = suggestion(name, self.events)
                self.problems.add(place, "unknown-event", f"'{name}' is not an event of the vocabulary", hint)
        for index, (name, variable) in enumerate(self.slots.items()):
            self.slots[name] = Variable(
                name, variable.domain, variable.initial, index + 1, "slot", place=variable.place
            )
        return Vocabulary(
            tuple(self.names), tuple(self.slots.values()), self.waits, self.events, self.effects, self.presumptions,
            {k: tuple(f) for k, f in self.wire.items()}, tuple(self.errors), self.noise, self.identities,
            self.ledger or NO_LEDGER, self.audible,
        )  # fmt: skip

    def _failures(self) -> dict[str, tuple[str, ...]]:
        """The events of failed effects of an application, with what they carry."""
        names = [word.name for word in self.effects.values() if word.to == APPLICATION]
        bases = {word.base: word for word in self.events.values()}
        for name in (result_of(name, kind) for name in names for kind in ("done", "failed")):
            if name in bases and bases[name].source != APPLICATION:
                hint = "from: application"
                self.problems.add(bases[name].place, "source", f"'{name}' is what comes of an effect", hint)
        failures: dict[str, tuple[str, ...]] = {result_of(name, "failed"): FAILURE_FIELDS for name in names}
        for name in failures:
            if name in bases and bases[name].data:
                message = f"'{name}' carries what we say of it: {', '.join(FAILURE_FIELDS)}"
                self.problems.add(bases[name].place, "unknown-key", message, "leave 'data:' out")
        return failures

    def _misspelt(self, fields: Mapping[str, tuple[str, ...]]) -> None:
        """What an application is given, or says of its effects, under a name that is nearly another's."""
        wired = (field for forms in self.wire.values() for form in forms for field in form.fields)
        declared = (field for word in self.events.values() for field in word.data)
        carried = {*wired, *declared, *FAILURE_FIELDS, *(field for each in fields.values() for field in each)}
        for name, place in self.given:
            if name not in carried and (close := get_close_matches(name, sorted(carried), 1, _NEARLY)):
                self.problems.add(place, "never", f"no event carries '{name}'", f"did you mean '{close[0]}'?")
        names = [word.name for word in self.effects.values() if word.to == APPLICATION]
        results = [result_of(name, kind) for name in names for kind in ("done", "failed")]
        for word in self.events.values():
            stranger = word.source == APPLICATION and word.base not in results
            if stranger and (close := get_close_matches(word.base, results, 1, _NEARLY_LONG)):
                hint = f"did you mean '{close[0]}'?"
                self.problems.add(word.place, "never", f"'{word.base}' comes of no effect", hint)

    def _slot(self, key: Node, node: Node) -> None:
        name = key.text or ""
        fields = self.mapping(node, SLOT_KEYS)
        if "values" not in fields:
            self.problems.add(key.place, "missing", f"slot '{name}' has no 'values'")
            return
        domain = tuple(self.text(item) for item in fields["values"])
        initial = self.one_of(fields["initial"], domain) if "initial" in fields else domain[0]
        waits = [self.one_of(item, domain) for item in fields["waits"]] if "waits" in fields else []
        if name in self.slots:
            self.problems.add(key.place, "duplicate-slot", f"slot '{name}' is declared in another file already")
        self.slots[name] = Variable(name, domain, domain.index(initial), 0, "slot", place=key.place)
        self.waits[name] = frozenset(domain.index(w) for w in waits)
        heard = [self.one_of(item, domain) for item in self.listed(fields["audible"])] if "audible" in fields else []
        self.audible[name] = frozenset(domain.index(h) for h in heard)

    def _event(self, key: Node, node: Node) -> None:
        base = key.text or ""
        fields = self.mapping(node, EVENT_KEYS)
        earlier = next((word.source for word in self.events.values() if word.base == base), None)
        source = self.one_of(fields["from"], SOURCES) if "from" in fields else earlier
        if "identity" in fields:
            known = self._known(fields["identity"]).identities
            name = self.identities[base] = self.one_of(fields["identity"], tuple(known)) if known else ""
            if name == fields["identity"].text:
                self._check_variants(key, fields.get("variants"), known[name].variants)
        if "variants" in fields:
            for variant, body in self.entries(fields["variants"]):
                if body.get("data") is not None:
                    hint = f"write it under '{base}': all variants have the same"
                    self.problems.add(body.place, "unknown-key", "'data' means nothing here", hint)
                self._variant(f"{base}.{variant.text}", base, source, variant.place, body)
        else:
            self._variant(base, base, source, key.place, node)
        if "data" in fields:
            self._declare_data(base, fields["data"])
        for wire_type, body in self.entries(fields.get("wire")):
            self._wire(base, wire_type.text or "", body)

    def _check_variants(self, key: Node, node: Node | None, expected: Sequence[str]) -> None:
        given = {k.text for k, body in self.entries(node) if body.get("where") is None}
        if given != set(expected):
            want = ", ".join(expected)
            self.problems.add(key.place, "variants", f"the variants of '{key.text}' must be exactly: {want}")

    def _variant(self, name: str, base: str, source: str | None, place: Place, node: Node) -> None:
        fields = self.mapping(node, EVENT_KEYS) if name == base else self.mapping(node, VARIANT_KEYS)
        when, moves = self._when(fields.get("when")), self._moves(fields.get("moves"))
        known = self.events.get(name) or EventWord(name, place=place, base=base)
        if "instead" in fields:
            self.words.append((self.text(fields["instead"]), fields["instead"].place))
        where = self._where(fields)
        if where and known.where and where != known.where:
            hint = f"that is at {known.place}; take its file away, or choose another name"
            self.problems.add(place, "two-meanings", f"'{name}' is another event in an earlier file", hint)
        self.events[name] = EventWord(
            name, {**known.when, **when}, self._merged(name, place, known.moves, moves), known.place, base,
            source or known.source,
            self._reason(fields.get("noise"), known.noise),
            self._reason(fields.get("otherwise"), known.otherwise),
            self._reason(fields.get("instead"), known.instead),
            known.data, where or known.where,
            self.text(fields["of"]) if "of" in fields else known.of,
            "noted" not in fields or self._yes(fields["noted"]),
        )  # fmt: skip

    def _where(self, fields: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
        """What of an event makes it a variant; of one that says nothing of it, nothing."""
        found = {}
        for key, value in self.entries(fields.get("where")):
            found[key.text or ""] = tuple(self.text(item) for item in self.listed(value))
        for also in ("of", "noted"):
            if also in fields and not found:
                self.problems.add(fields[also].place, "unknown-key", f"'{also}' means nothing without 'where'")
        if "where" in fields and not all(found.values() or [()]):
            self.problems.add(fields["where"].place, "where", "it needs a field and its values: where: {digit: '0'}")
        return found

    def _declare_data(self, base: str, node: Node) -> None:
        """One declaration for all variants: what is sent is known before what it means."""
        found = {str(key.text): self.one_of(value, SPELLINGS) for key, value in self.entries(node)}
        words = [word for word in self.events.values() if word.base == base]
        if not all(word.is_said for word in words):
            message = f"'{base}' is a fact of ours: only what an application says has declared 'data'"
            self.problems.add(node.place, "not-a-request", message, "from: request, or from: application")
        for word in words:
            self.events[word.name] = attrs.evolve(word, data={**word.data, **found})

    def _merged(
        self, name: str, place: Place, old: Mapping[str, Mapping[int, int]], new: Mapping[str, Mapping[int, int]]
    ) -> Mapping[str, Mapping[int, int]]:
        for slot in set(old) & set(new):
            self.problems.add(place, "two-moves", f"'{name}' moves slot '{slot}' in two files")
        return {**old, **new}

    def _reason(self, node: Node | None, default: str | None) -> str | None:
        return self.text(node) if node is not None else default

    def _yes(self, node: Node) -> bool:
        return self.one_of(node, ("yes", "no", "true", "false")) in ("yes", "true")

    def _effect(self, key: Node, node: Node) -> None:
        name = key.text or ""
        fields = self.mapping(node, EFFECT_KEYS)
        known = self.effects.get(name) or EffectWord(name, place=key.place)
        when, moves = self._when(fields.get("when")), self._moves(fields.get("moves"))
        if "rejected" in fields:
            self.references.append((self.text(fields["rejected"]), fields["rejected"].place))
        choices = tuple(self.text(item) for item in fields["choices"]) if "choices" in fields else known.choices
        self.effects[name] = EffectWord(
            name, {**known.when, **when}, self._merged(name, key.place, known.moves, moves), known.place,
            self.one_of(fields["to"], DOERS) if "to" in fields else known.to,
            *self._recipe(key, fields, known),
            self._reason(fields.get("sends"), known.sends) or "", choices,
            self._reason(fields.get("rejected"), known.rejected),
            self._yes(fields["optional"]) if "optional" in fields else known.optional,
        )  # fmt: skip

    def _recipe(self, key: Node, fields: Mapping[str, Node], known: EffectWord) -> tuple[str, tuple[str, ...]]:
        """How its arguments are made, and their names: exactly those that the ledger's recipe makes."""
        if "recipe" not in fields and "args" not in fields:
            return known.recipe, known.args
        if (fields["to"].text if "to" in fields else known.to) == APPLICATION:
            return self._for_application(fields)
        recipe, made = PLAIN, tuple[str, ...]()
        if "recipe" in fields:
            known_recipes = self._known(fields["recipe"]).recipes
            recipes = {PLAIN: (), **{name: each.args for name, each in known_recipes.items()}}
            recipe = self.one_of(fields["recipe"], tuple(recipes))
            made = recipes[recipe]
            if recipe != fields["recipe"].text:
                return recipe, made
        given = tuple(self.text(item) for item in self.listed(fields["args"])) if "args" in fields else ()
        if given != made:
            place = fields["args"].place if "args" in fields else key.place
            want = f"exactly 'args: [{', '.join(made)}]'" if made else "no 'args'"
            self.problems.add(place, "arguments", f"'{key.text}' with recipe '{recipe}' has {want}")
        return recipe, made

    def _for_application(self, fields: Mapping[str, Node]) -> tuple[str, tuple[str, ...]]:
        """Its arguments are fields of the event; a ledger has nothing for it."""
        if "recipe" in fields:
            hint = "name the fields of the event that it is given: args: [number]"
            self.problems.add(fields["recipe"].place, "recipe", "an effect of the application's has no recipe", hint)
        args = tuple(self.text(item) for item in self.listed(fields["args"])) if "args" in fields else ()
        self.given += ((name, fields["args"].place) for name in args)
        for name in args:
            if not name.isidentifier() or name == "argument":
                message = f"'{name}' cannot be a parameter of a function here"
                self.problems.add(fields["args"].place, "name", message, "'argument' is the effect's own")
        return PLAIN, args

    def _named_ledger(self, node: Node) -> None:
        name = self.one_of(node, tuple(self.ledgers))
        if self.ledger is not None and self.ledger.name != name:
            message = f"an earlier file says 'ledger: {self.ledger.name}': a vocabulary has one ledger"
            self.problems.add(node.place, "two-ledgers", message)
        self.ledger = self.ledgers.get(name)

    def _known(self, node: Node) -> LedgerProtocol[Any]:
        """What the ledger implements, to look up `node` there."""
        if self.ledger is None and node.text != PLAIN:
            hint = f"say 'ledger: NAME' in the vocabulary's first file; NAME is one of: {', '.join(self.ledgers)}"
            self.problems.add(node.place, "no-ledger", f"'{node.text}' needs a ledger, and none is named before", hint)
        return self.ledger or NO_LEDGER

    def _when(self, node: Node | None) -> dict[str, frozenset[int]]:
        result = {}
        for key, value in self.entries(node):
            slot = self._known_slot(key)
            if slot is not None:
                names = [self.one_of(item, slot.domain) for item in value] or [self.one_of(value, slot.domain)]
                result[slot.name] = frozenset(slot.domain.index(n) for n in names)
        return result

    def _moves(self, node: Node | None) -> dict[str, Mapping[int, int]]:
        result: dict[str, Mapping[int, int]] = {}
        for key, value in self.entries(node):
            slot = self._known_slot(key)
            if slot is None:
                continue
            table: dict[int, int] = {}
            for source, target in self.entries(value):
                to = slot.domain.index(self.one_of(target, slot.domain))
                sources = slot.domain if source.text == "*" else (self.one_of(source, slot.domain),)
                for name in sources:
                    table.setdefault(slot.domain.index(name), to)
            result[slot.name] = table
        return result

    def _known_slot(self, key: Node) -> Variable | None:
        name = key.text or ""
        if name not in self.slots:
            self.problems.add(
                key.place, "unknown-slot", f"there is no slot '{name}'", f"slots: {', '.join(self.slots)}"
            )
        return self.slots.get(name)

    def _wire(self, base: str, wire_type: str, node: Node) -> None:
        self.references.append((base, node.place))
        fields, each, where = {}, None, {}
        for key, value in self.entries(node):
            if key.text == "each":
                each = self.text(value)
            elif key.text == "where":
                for name, allowed in self.entries(value):
                    where[name.text or ""] = tuple(self.text(item) for item in allowed)
            else:
                fields[key.text or ""] = self.text(value)
        self.wire.setdefault(wire_type, []).append(WireForm(base, fields, each, where))

    def _error(self, node: Node) -> None:
        fields = self.mapping(node, ("code", "message", "param", "event"))
        if "event" in fields:
            self.references.append((self.text(fields["event"]), fields["event"].place))
        else:
            self.problems.add(node.place, "missing", "an error needs 'event:'")
        self.errors.append(
            ErrorForm(
                self.text(fields["event"]) if "event" in fields else "",
                *(self.text(fields[k]) if k in fields else None for k in ("code", "message", "param")),
            )
        )
