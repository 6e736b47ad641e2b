"""Variants that a vocabulary tells apart by what an event carries: `variants: {zero: {where: {digit: "0"}}}`.

A ledger tells variants apart by ids (`identity:`); where a field says it, no Python is needed. A variant with `where`
refines one of the ledger's, or splits an event that has none; it is first what that is, and what is said of that holds
for it, too, unless something is said of it. A variant that can never be is a problem, in whatever file it stands.

Never here: ids (fsm.machine.ledgers), what a spec does about a variant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from fsm.language.ledger import Data, LedgerProtocol
from fsm.language.problem import Problems, suggestion
from fsm.language.request_data import OPTIONAL
from fsm.language.vocabulary import EventWord, WireForm

Events = Mapping[str, EventWord]


def told(variants: Sequence[EventWord], data: Data) -> EventWord | None:
    """The first of the variants that an event with this data is; None: none of them."""
    for word in variants:
        if all(spelled(data.get(field)) in values for field, values in word.where.items()):
            return word
    return None


def spelled(value: object) -> str:
    """A value as a vocabulary writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, str | int) else ""


def sample(word: EventWord) -> Data:
    """What an event carries that is this variant, as far as that decides."""
    return {field: _typed(word.data.get(field, ""), values[0]) for field, values in word.where.items()}


def _typed(declared: str, value: str) -> object:
    kind = declared.removeprefix(OPTIONAL)
    if kind == "number":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    return value == "true" if kind == "flag" else value


@attrs.frozen
class Resolver:
    """One use: `Resolver(...).resolved()` gives the words of all files with what they have from one another."""

    events: Events
    identities: Mapping[str, str]
    ledger: LedgerProtocol[Any]
    wire: Mapping[str, Sequence[WireForm]]
    fields: Mapping[str, tuple[str, ...]]
    """What facts carry that are neither of the wire nor declared, as far as that is known."""
    problems: Problems

    def resolved(self) -> dict[str, EventWord]:
        groups: dict[str, list[EventWord]] = {}
        for word in self.events.values():
            groups.setdefault(word.base, []).append(word)
        found: dict[str, EventWord] = {}
        for word in self.events.values():
            group = groups[word.base]
            if not any(each.where for each in group):
                self._strangers(word.base, group)
                found[word.name] = word
            elif word is group[0]:  # the whole group where its first word stands
                made = self._refined if word.base in self.identities else self._split
                found.update((each.name, each) for each in made(word.base, group))
        return found

    def _strangers(self, base: str, group: Sequence[EventWord]) -> None:
        """Variants that nothing ever tells from others."""
        name = self.identities.get(base)
        known = self.ledger.identities[name].variants if name is not None and name in self.ledger.identities else ()
        for word in group:
            if word.name == base or word.where or (tag := _tag(word)) in known:
                continue
            if not known and name is not None:
                continue  # its identity is unknown, which is reported
            why = f"'{name}' tells apart {', '.join(known)}" if known else f"nothing tells it from others of '{base}'"
            hint = suggestion(tag, known) if known else ""
            self._never(word, why, f"{hint}; or say 'where: {{FIELD: VALUE}}'".removeprefix("; "))

    def _split(self, base: str, group: Sequence[EventWord]) -> Iterator[EventWord]:
        """An event without an identity: its variants are all there is of it."""
        plain = self.events.get(base)
        variants = [word for word in group if word is not plain]
        rest = [word.name for word in variants if not word.where]
        if len(rest) != 1:
            message = f"'{base}' needs one variant without 'where', for what no other is"
            hint = f"there are {', '.join(rest)}" if rest else "e.g. 'other: {}'"
            self.problems.add(variants[0].place, "variants", message, hint)
        self._check(base, variants)
        for word in variants:
            yield self._inherited(word, plain, base) if plain is not None else attrs.evolve(word, of=base)

    def _refined(self, base: str, group: Sequence[EventWord]) -> Iterator[EventWord]:
        """An event of a ledger: each of our variants is one of its."""
        identity = self.ledger.identities.get(self.identities[base])
        if identity is None:
            return  # which is reported
        self._strangers(base, group)
        tags = {_tag(word): word for word in group if not word.where}
        heard = [tag for tag in identity.variants if tag in tags and tags[tag].noise is None]
        self._check(base, [word for word in group if word.where])
        for word in group:
            if not word.where:
                yield word
                continue
            of = word.of or (heard[-1] if heard else "")
            if _tag(word) in identity.variants:
                message = f"'{word.name}' is a variant of the ledger's already"
                self.problems.add(word.place, "two-meanings", message, "choose another name")
            elif of not in tags:
                message = f"'{base}' has no variant '{of}'"
                self.problems.add(word.place, "unknown-name", message, suggestion(of, heard))
            elif tags[of].noise is not None:
                self._never(word, f"'{base}.{of}' reaches no state: {tags[of].noise}", "")
            else:
                yield self._inherited(word, tags[of], f"{base}.{of}")

    def _inherited(self, word: EventWord, parent: EventWord, of: str) -> EventWord:
        for slot in set(parent.moves) & set(word.moves):
            self.problems.add(word.place, "two-moves", f"'{parent.name}' moves slot '{slot}' already")
        return attrs.evolve(
            word, of=of, source=parent.source, data=parent.data,
            when={**parent.when, **word.when}, moves={**parent.moves, **word.moves},
            noise=word.noise if word.noise is not None else parent.noise,
            otherwise=word.otherwise if word.otherwise is not None else parent.otherwise,
            instead=word.instead if word.instead is not None else parent.instead,
        )  # fmt: skip

    # --- what can never be --------------------------------------------------------------------------------------------

    def _check(self, base: str, variants: Sequence[EventWord]) -> None:
        types = next((word.data for word in self.events.values() if word.base == base and word.data), {})
        fields = tuple(types) or self._reported(base)
        for index, word in enumerate(variants):
            for field, values in word.where.items():
                if fields and field not in fields:
                    self._never(word, f"'{base}' carries no '{field}'", suggestion(field, fields))
                kind = types.get(field, "").removeprefix(OPTIONAL)
                closed = self.ledger.values.get((base, field), values)
                for value in values:
                    if not _can_be(kind, value):
                        self._never(word, f"'{field}' is a {kind}, never '{value}'", "")
                    elif value not in closed:
                        self._never(word, f"'{field}' is one of {', '.join(closed)}, never '{value}'", "")
            first = next((each for each in variants[:index] if word.where and _covers(each, word)), None)
            if first is not None:
                self._never(word, f"each such event is '{first.name}' already", f"that is at {first.place}")

    def _reported(self, base: str) -> tuple[str, ...]:
        """The fields of a fact, where they are known."""
        if base in self.fields:
            return self.fields[base]
        forms = (form for forms in self.wire.values() for form in forms if form.event == base)
        return tuple(dict.fromkeys(field for form in forms for field in form.fields))

    def _never(self, word: EventWord, why: str, hint: str) -> None:
        self.problems.add(word.place, "never", f"'{word.name}' can never be: {why}", hint)


def _tag(word: EventWord) -> str:
    return word.name.removeprefix(f"{word.base}.")


def _covers(first: EventWord, word: EventWord) -> bool:
    """Is all that `word` could be `first`?"""
    return bool(first.where) and all(
        field in word.where and set(word.where[field]) <= set(values) for field, values in first.where.items()
    )


def _can_be(kind: str, value: str) -> bool:
    if kind == "flag":
        return value in ("true", "false")
    if kind == "number":
        try:
            return math.isfinite(float(value))
        except ValueError:
            return False
    return True
