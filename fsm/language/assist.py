"""What an editor shows of a spec: what fits at a place, what a word means, where it is defined. Text, no protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import attrs

from fsm.language.cursor import Spot
from fsm.language.expression import Variable
from fsm.language.problem import Place
from fsm.language.sources import Sources, shown
from fsm.language.spec import STATE_TAGS, Kind, Spec
from fsm.language.vocabulary import Word

MANY = 12
"""So many states are named one by one."""
_ANSWERED: Mapping[Kind, str] = {
    "go": "goes on in", "stay": "is answered in", "defer": "waits in", "ignore": "is ignored in",
    "refuse": "is refused in", "cannot_happen": "cannot happen in",
}  # fmt: skip


@attrs.frozen
class Proposal:
    """What may be written at a place: the word, what it is, and what it means."""

    label: str
    what: str
    about: str = ""


@attrs.frozen
class Assistant:
    """Answers about one spec, as far as it could be read."""

    spec: Spec
    sources: Sources

    # --- what fits ----------------------------------------------------------------------------------------------------

    def proposals(self, spot: Spot) -> list[Proposal]:
        """Everything that may stand at the spot; an editor filters by what is typed."""
        if spot.kind == "key":
            return [Proposal(key, "key") for key in spot.keys]
        if spot.kind in ("value", "argument"):
            return [Proposal(value, f"{spot.kind} of {spot.of}") for value in self._domain(spot)]
        if spot.kind == "overflow":
            return self._events(lambda name: self._source(name) == "internal")
        if spot.kind == "tag":
            return [Proposal(name, "tag", about) for name, about in STATE_TAGS.items()]
        if spot.kind == "entry":
            return [Proposal(name, spot.of) for name in self.sources.names(spot.of)]
        return list(dict.fromkeys(self._named(spot)))

    def _named(self, spot: Spot) -> Iterator[Proposal]:
        spec, kind = self.spec, spot.kind
        if kind == "event":
            yield from self._events(lambda _name: True)
        if kind in ("state", "target"):
            yield from (Proposal(state.name, "state", state.about) for state in spec.states.values())
        if kind == "target":
            yield from (Proposal(name, "choice") for name in spec.choices)
        if kind == "group":
            yield from (Proposal(group.name, "group", self.about(group.place)) for group in spec.groups.values())
        if kind in ("slot", "guard"):
            yield from (Proposal(slot.name, "slot", self.about(slot.place)) for slot in spec.slots)
        if kind in ("operation", "guard"):
            yield from (Proposal(each.name, "context", self.about(each.place)) for each in spec.context)
        if kind == "guard":
            yield from (
                Proposal(name, "condition", shown(n)) for name, (_, n) in self.sources.names("conditions").items()
            )
        if kind == "operation":
            for word in spec.vocabulary.effects.values():
                label = f"{word.name}(" if self._choices(word.name) else word.name
                yield Proposal(label, "effect", self.about(word.place))
            yield from (
                Proposal(name, "action", shown(node)) for name, (_, node) in self.sources.names("actions").items()
            )
            yield from (Proposal(f"{name}(", "operation") for name in ("presume", "restart"))
        if kind == "presumption":
            words = spec.vocabulary.presumptions.values()
            yield from (Proposal(word.name, "presumption", self.about(word.place)) for word in words)
        if kind == "deadline":
            yield from (Proposal(each.name, "deadline", f"{each.after_ms} ms") for each in spec.deadlines.values())

    def _events(self, wanted: Callable[[str], bool]) -> list[Proposal]:
        names = [name for name in self.spec.events if wanted(name)]
        return [Proposal(name, f"event ({self._source(name)})", self._about_event(name)) for name in names]

    def _source(self, event: str) -> str:
        word = self.spec.vocabulary.events.get(event)
        return word.source if word is not None else "deadline"

    def _domain(self, spot: Spot) -> list[str]:
        if spot.kind == "argument":
            return [*self._choices(spot.of), *(each.name for each in self.spec.context)]
        variable = self._variable(spot.of)
        return list(variable.domain) if variable is not None else []

    def _choices(self, effect: str) -> list[str]:
        word = self.spec.vocabulary.effects.get(effect)
        own = getattr(self.spec, self.spec.vocabulary.own_words(effect) or "", {}) if word is not None else {}
        return [*dict.fromkeys((*(word.choices if word is not None else ()), *own))]

    def _variable(self, name: str) -> Variable | None:
        return next((each for each in self.spec.variables if each.name == name), None)

    # --- what it means ------------------------------------------------------------------------------------------------

    def about(self, place: Place) -> str:
        return self.sources.about(place)

    def meaning(self, spot: Spot) -> str:
        """Markdown about the word at the spot; "" where there is nothing to say."""
        return "\n\n".join(part for part in self._meaning(spot.word, spot) if part)

    def _meaning(self, word: str, spot: Spot) -> Iterator[str]:
        spec = self.spec
        if word in spec.events:
            yield from self._of_event(word)
        elif spot.kind == "tag" and word in STATE_TAGS:
            yield f"**{word}** (tag)\n\n{STATE_TAGS[word]}"
        elif word in spec.states and spot.kind not in ("value", "argument"):
            yield from self._of_state(word)
        elif word in spec.choices:
            targets = dict.fromkeys(row.target for row in spec.choices[word].rows if row.target)
            yield f"**{word}** (choice of {len(spec.choices[word].rows)} rows)"
            yield f"leads to {', '.join(targets)}"
        elif word in spec.vocabulary.effects:
            effect = spec.vocabulary.effects[word]
            yield f"**{word}** (effect, to {effect.to})"
            yield from self._of_word(effect)
            if choices := self._choices(word):
                yield f"arguments: {', '.join(choices)}"
        elif word in spec.vocabulary.presumptions:
            yield f"**{word}** (presumption)"
            yield from self._of_word(spec.vocabulary.presumptions[word])
        elif word in spec.deadlines:
            yield from self._of_event(f"timer.{word}")
        else:
            yield from self._of_name(word, spot)

    def _of_event(self, name: str) -> Iterator[str]:
        word, deadline = self.spec.vocabulary.events.get(name), self.spec.deadlines.get(name.removeprefix("timer."))
        yield f"**{name}** (event: {self._source(name)})"
        if word is not None:
            yield self._about_event(name)
            yield from self._of_word(word, about=False)
        elif deadline is not None:
            yield f"after {deadline.after_ms} ms, while `{deadline.condition.text}`"
        yield self._answers(name)

    def _about_event(self, name: str) -> str:
        word = self.spec.vocabulary.events.get(name)
        if word is None:
            return ""
        base = self.spec.vocabulary.events.get(word.base)
        return self.about(word.place) or (self.about(base.place) if base is not None else "")

    def _of_word(self, word: Word, about: bool = True) -> Iterator[str]:
        """What it needs and moves."""
        slots = {slot.name: slot.domain for slot in self.spec.slots}
        if about:
            yield self.about(word.place)
        needs = [f"{name}: {' or '.join(slots[name][i] for i in sorted(v))}" for name, v in word.when.items()]
        yield f"needs {'; '.join(needs)}" if needs else ""
        moves = []
        for name, table in word.moves.items():
            steps = [f"{slots[name][old]} → {slots[name][new]}" for old, new in table.items() if old != new]
            moves.append(f"{name}: {', '.join(steps)}")
        yield f"moves {'; '.join(moves)}" if moves else ""

    def _answers(self, event: str) -> str:
        """Which states answer it, and how."""
        by_kind: dict[str, list[str]] = {}
        for state in self.spec.states:
            cell = self.spec.cells.get((state, event))
            for kind in dict.fromkeys(row.kind for row in cell.rows) if cell is not None else ():
                by_kind.setdefault(_ANSWERED[kind], []).append(state)
        lines = [
            f"- {how} {', '.join(states[:MANY])}{f' and {len(states) - MANY} more' if len(states) > MANY else ''}"
            for how, states in by_kind.items()
        ]
        return "\n".join(lines) or "no state answers it"

    def _of_state(self, name: str) -> Iterator[str]:
        state = self.spec.states[name]
        groups = [group.name for group in self.spec.groups.values() if name in group.states]
        yield f"**{name}** (state{'; final' if state.final else ''}{''.join(f'; {tag}' for tag in sorted(state.tags))})"
        yield state.about
        slots = {slot.name: slot.domain for slot in self.spec.slots}
        bound = [
            f"{slot}: {' or '.join(slots[slot][i] for i in sorted(values))}" for slot, values in state.bound.items()
        ]
        yield f"found with {'; '.join(bound)}" if bound else ""
        yield f"in {', '.join(groups)}" if groups else ""
        rows = [row for (at, _), cell in self.spec.cells.items() if at == name for row in cell.rows]
        targets = dict.fromkeys(row.target for row in rows if row.target)
        yield f"leads to {', '.join(targets)}" if targets else ""

    def _of_name(self, word: str, spot: Spot) -> Iterator[str]:
        """A variable, one of its values, or what the spec itself has named."""
        variable = self._variable(word) or self._variable(spot.of)
        if variable is not None and (word == variable.name or word in variable.domain):
            first = variable.domain[variable.initial]
            yield f"**{variable.name}** ({variable.kind}: {', '.join(variable.domain)}; at first {first})"
            yield self.about(variable.place)
            yield self._movers(variable) if variable.kind == "slot" else ""
            return
        for section in ("conditions", "actions", "groups"):
            if word in (names := self.sources.names(section)):
                text = self.about(names[word][0]) if section == "groups" else f"`{shown(names[word][1])}`"
                yield f"**{word}** ({section.removesuffix('s')})"
                yield text

    def _movers(self, slot: Variable) -> str:
        words = (*self.spec.vocabulary.events.values(), *self.spec.vocabulary.effects.values())
        movers = [word.name for word in words if slot.name in word.moves]
        return f"moved by {', '.join(movers[:MANY])}{' ...' if len(movers) > MANY else ''}" if movers else ""

    # --- where it is defined ------------------------------------------------------------------------------------------

    def definition(self, spot: Spot) -> Place | None:
        """Where the word at the spot is defined, in whatever text."""
        spec, word = self.spec, spot.word
        by_name: list[Mapping[str, object]] = [
            spec.vocabulary.events, spec.deadlines, spec.choices, spec.vocabulary.effects, spec.vocabulary.presumptions,
        ]  # fmt: skip
        if spot.kind not in ("value", "argument"):
            by_name.insert(0, spec.states)
        for names in by_name:
            found = names.get(word) or names.get(word.removeprefix("timer."))
            if found is not None:
                place = getattr(found, "place", None)
                return place if isinstance(place, Place) else None
        for section in ("conditions", "actions", "groups", "prompts", "say"):
            if word in (known := self.sources.names(section)):
                return known[word][0]
        variable = self._variable(word) or self._variable(spot.of)
        return variable.place if variable is not None else None
