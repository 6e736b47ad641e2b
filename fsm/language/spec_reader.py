"""A spec's text as a Spec: names, kinds, expressions. Never here: slots over time (fsm.language.typestate)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Literal

import attrs

from fsm.language.expression import Scope, Variable
from fsm.language.operation_reader import OperationReader
from fsm.language.problem import Place, Problems, suggestion
from fsm.language.spec import (
    STATE_TAGS,
    STATED_WAITS,
    Cell,
    Choice,
    Deadline,
    Group,
    Kind,
    OwnWord,
    Refusal,
    Row,
    Spec,
    State,
    TurnDetection,
)
from fsm.language.vocabulary import Vocabulary
from fsm.language.yaml_nodes import Node

SECTIONS = (
    "spec", "about", "version", "include", "vocabulary", "initial", "turn_detection", "figures", "context",
    "conditions", "deadlines", "actions", "choices", "groups", "states", "happy_path", "prompts", "say", "offers",
    "verify",
)  # fmt: skip
ROW_KEYS = ("id", "if", "to", "do", "ignore", "refuse", "cannot_happen", "defer", "about")
REASON_KINDS: tuple[Kind, ...] = ("ignore", "refuse", "cannot_happen")
ANSWERS = ("on", "ignore", "refuse", "cannot_happen", "defer")
STATE_KEYS = ("about", "groups", "tags", "slots", "entry", "exit", "after", "final", *ANSWERS)
CONTEXT_KEYS = ("values", "range", "initial", "without_greeting", "setting", "call_data", "overflow", "latch", "about")
PROMPT_KEYS = ("text", "wav")
DEADLINE_KEYS = ("after_ms", "while", "at_least", "restart", "setting", "about")
VERIFY_KEYS = ("worlds", "world", "properties", "ghosts", "actions", "after", "intents", "waive")
GROUP_KEYS = ("about", "states", *ANSWERS)
Naming = Literal["exact", "kin", "pattern"]
"""How an event was named: in full, by what it is first, by a pattern."""
_WORD = re.compile(r"\w+")


class SpecReader(OperationReader):
    """One use: `SpecReader(vocabulary, problems).read(root)`."""

    def __init__(self, vocabulary: Vocabulary, problems: Problems) -> None:
        super().__init__(vocabulary, problems)
        self.without_greeting: dict[str, str] = {}
        self.settings: dict[str, str] = {}
        self.call_data: set[str] = set()
        self.latches: set[str] = set()
        self.state_names: tuple[str, ...] = ()
        self.targets: tuple[str, ...] = ()
        self.events: frozenset[str] = frozenset()
        self.cells: dict[tuple[str, str], Cell] = {}
        self.figures: dict[str, int] = {}
        self.joined: dict[str, list[tuple[str, Place]]] = {}

    def read(self, root: Node) -> Spec | None:
        """The spec, or None where the problems found leave nothing to go on with."""
        sections = self.mapping(root, SECTIONS)
        for name in ("spec", "initial", "states"):
            if name not in sections:
                self.problems.add(root.place, "missing", f"a spec needs '{name}:'")
        if not all(name in sections for name in ("spec", "initial", "states")):
            return None
        states, groups = self.entries(sections["states"]), self.entries(sections.get("groups"))
        choices = self.entries(sections.get("choices"))
        self.figures = {k.text or "": self._number(n) for k, n in self.entries(sections.get("figures"))}
        self._names(sections, [k for k, _ in states], [k for k, _ in choices])
        self.own = {kind: self._own_words(sections.get(kind)) for kind in self.own}
        for name, word in self.own["say"].items():
            if word.said:
                self.problems.add(word.place, "type", f"'{name}' is an instruction: a text, and no recording")
        self.actions = self._named_actions(sections.get("actions"))
        self._deadlines(sections.get("deadlines"), states)
        self.events = frozenset(e.name for e in self.vocabulary.alphabet) | {d.event for d in self.deadlines.values()}
        for key, node in states:
            self._answers(key.text or "", (key.text or "",), None, self.mapping(node, STATE_KEYS))
        self._join(states, [k.text or "" for k, _ in groups])
        read_groups = {k.text or "": self._group(k, n) for k, n in groups}
        read_choices = {k.text or "": self._choice(k, n) for k, n in choices}
        read_states = {k.text or "": self._state(k, n) for k, n in states}
        self._unused(sections)
        return Spec(
            self.text(sections["spec"]), self._optional(sections.get("about")), root.place.file,
            self.number(sections["version"], 1) if "version" in sections else 1, self.vocabulary, self.variables,
            read_states, read_choices, read_groups, self.deadlines, self.cells,
            self.one_of(sections["initial"], self.state_names), self._turn_detection(sections.get("turn_detection")),
            tuple(self.one_of(n, self.state_names) for n in sections.get("happy_path", ())),
            self.without_greeting, self.settings, frozenset(self.call_data), frozenset(self.latches),
            self.own["prompts"], self.own["say"], sections.get("verify"), self.figures,
        )  # fmt: skip

    # --- names and variables ------------------------------------------------------------------------------------------

    def _names(self, sections: dict[str, Node], states: Sequence[Node], choices: Sequence[Node]) -> None:
        self.state_names = tuple(k.text or "" for k in states)
        for key in choices:
            if key.text in self.state_names:
                self.problems.add(key.place, "two-meanings", f"'{key.text}' is a state and a choice")
        self.targets = (*self.state_names, *(k.text or "" for k in choices))
        initial = self.one_of(sections["initial"], self.state_names)
        variables = [Variable("state", self.state_names, self.state_names.index(initial), 0, "state")]
        variables += self.vocabulary.slots
        for key, node in self.entries(sections.get("context")):
            if key.text in {v.name for v in variables}:
                self.problems.add(key.place, "two-meanings", f"'{key.text}' is already the name of a slot")
            else:
                variables.append(self._context(key, node, len(variables)))
        self.variables = tuple(variables)
        self.scope = Scope(variables)
        self.scope.figures = self.figures
        for key, _ in self.entries(sections.get("figures")):
            if key.text in self.scope.variables:
                self.problems.add(key.place, "two-meanings", f"'{key.text}' is already the name of a variable")
        for key, node in self.entries(sections.get("conditions")):
            if key.text in self.scope.variables:
                self.problems.add(key.place, "two-meanings", f"'{key.text}' is already the name of a variable")
            self.scope.name(key.text or "", self._guard(node))

    def _context(self, key: Node, node: Node, index: int) -> Variable:
        fields = self.mapping(node, CONTEXT_KEYS)
        name, overflow = key.text or "", None
        if "range" in fields:
            text = self.text(fields["range"])
            low, dots, high = text.partition("..")
            high = str(self.figures.get(high, high))
            if not dots or low != "0" or not high.isdigit():
                self.problems.add(fields["range"].place, "range", f"'{text}' is not a range", "e.g. range: 0..4")
                high = "1"
            domain = tuple(str(n) for n in range(int(high) + 1))
            known = tuple(e.name for e in self.vocabulary.alphabet if e.source == "internal")
            if "overflow" in fields:
                overflow = self.one_of(fields["overflow"], known)
        elif "values" in fields:
            domain = tuple(self.text(item) for item in fields["values"])
        else:
            self.problems.add(key.place, "missing", f"'{name}' needs 'values: [...]' or 'range: 0..n'")
            domain = ("no", "yes")
        initial = self.one_of(fields["initial"], domain) if "initial" in fields else domain[0]
        numeric = "range" in fields
        if "without_greeting" in fields:
            self.without_greeting[name] = self.one_of(fields["without_greeting"], domain)
        if "setting" in fields:
            self._setting(fields["setting"], name)
        if "call_data" in fields:
            self._setting(fields["call_data"], name)
            self.call_data.add(self.text(fields["call_data"]))
        if "latch" in fields and self.one_of(fields["latch"], ("no", "yes")) == "yes":
            self.latches.add(name)
        return Variable(name, domain, domain.index(initial), index, "context", overflow, numeric, key.place)

    def _own_words(self, node: Node | None) -> dict[str, OwnWord]:
        """Recordings or instructions by name. A name is written as an argument, so it is one word."""
        found: dict[str, OwnWord] = {}
        for key, value in self.entries(node):
            name = key.text or ""
            if not _WORD.fullmatch(name):
                self.problems.add(key.place, "name", f"'{name}' is not a name: letters, digits and _")
            elif name in self.scope.variables:
                self.problems.add(key.place, "two-meanings", f"'{name}' is already the name of a variable")
            found[name] = self._own_word(name, value)
        return found

    def _own_word(self, name: str, node: Node) -> OwnWord:
        """A file, an instruction; or the words of a recording and the file that is made of them."""
        if node.pairs is None:
            return OwnWord(self.text(node).strip(), node.place)
        fields = self.mapping(node, PROMPT_KEYS)
        if "text" not in fields:
            self.problems.add(node.place, "missing", f"'{name}' needs 'text:', what is said")
        said = self._optional(fields.get("text")).strip()
        file = self._optional(fields.get("wav")).strip() or f"{name}.wav"
        return OwnWord(file, fields.get("wav", node).place, said)

    def _setting(self, node: Node, variable: str) -> None:
        setting = self.text(node)
        if setting in self.settings:
            message = f"setting '{setting}' is already that of '{self.settings[setting]}'"
            self.problems.add(node.place, "two-meanings", message)
        self.settings[setting] = variable

    def _deadlines(self, node: Node | None, states: Sequence[tuple[Node, Node]]) -> None:
        for key, body in self.entries(node):
            fields = self.mapping(body, DEADLINE_KEYS)
            if "after_ms" not in fields or "while" not in fields:
                self.problems.add(key.place, "missing", f"deadline '{key.text}' needs 'after_ms' and 'while'")
                continue
            restarts = "restart" not in fields or self.one_of(fields["restart"], ("on_change", "never")) == "on_change"
            at_least = self.one_of(fields["at_least"], STATED_WAITS) if "at_least" in fields else None
            setting = self.text(fields["setting"]) if "setting" in fields else None
            after_ms, condition = self._figure(fields["after_ms"]), self._guard(fields["while"])
            self._add_deadline(Deadline(key.text or "", after_ms, condition, restarts, at_least, setting, key.place))
        for state, body in states:
            after = next((v for k, v in body.pairs or () if k.text == "after"), None)
            for key, value in self.entries(after):
                condition = self._guard(Node(key.place, f"state == {state.text}"))
                self._add_deadline(Deadline(key.text or "", self._figure(value), condition, place=key.place))

    def _number(self, node: Node) -> int:
        """What is no number is complained of once, and not again where it is used."""
        number = self.number(node)
        return number if (node.text or "").isdigit() else 1

    def _figure(self, node: Node) -> int:
        """A number of milliseconds, or the name of one."""
        figure = self.figures.get(node.text or "")
        return self.number(node, 1) if figure is None else self.number(attrs.evolve(node, text=str(figure)), 1)

    def _add_deadline(self, deadline: Deadline) -> None:
        name = deadline.name
        if name in self.deadlines:
            first = self.deadlines[name].place
            message = f"deadline '{name}' is written twice"
            self.problems.add(deadline.place, "two-meanings", message, f"first at {first}")
        self.deadlines[name] = deadline

    def _unused(self, sections: dict[str, Node]) -> None:
        """Names that nothing says: an action, a condition; but for those that are offered to parts."""
        named = {"action": self.used_actions, "condition": self.guard_words}
        known = [key.text or "" for what in named for key, _ in self.entries(sections.get(f"{what}s"))]
        offered = self._offers(sections.get("offers"), known)
        for what, used in named.items():
            for key, _ in self.entries(sections.get(f"{what}s")):
                if key.text not in used and key.text not in offered:
                    self.problems.warn(
                        key.place, "unused", f"{what} '{key.text}' is never used", "delete it, or use it"
                    )

    def _offers(self, node: Node | None, known: Sequence[str]) -> list[str]:
        for key, about in self.entries(node):
            if not self.text(about).strip():
                self.problems.add(key.place, "missing", f"what is '{key.text}' for?", f"{key.text}: what it does")
        return [self.one_of(key, known) for key, _ in self.entries(node)]

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _rows(self, scope: str, event: str, node: Node, choice: bool = False) -> tuple[Row, ...]:
        rows = tuple(self._row(scope, event, item, choice) for item in self.listed(node))
        if not rows:
            self.problems.add(
                node.place, "row", "nothing is said here", "a state to go to, or a row: {to: .., do: [..]}"
            )
        lonely = len(rows) == 1 and rows[0].guard is None
        return (attrs.evolve(rows[0], always=True),) if lonely else rows

    def _row(self, scope: str, event: str, node: Node, choice: bool) -> Row:
        if node.text is not None:
            if node.text == "defer" and not choice:
                return Row(f"{scope}/{event}", "defer", None, (), None, "", node.place)
            node = Node(node.place, pairs=((Node(node.place, "to"), node),))  # `event: state` is short for {to: state}
        fields = self.mapping(node, ROW_KEYS)
        guard_node = fields.get("if")
        is_else = guard_node is None or guard_node.text == "else"
        guard = None if is_else else self._guard(guard_node) if guard_node else None
        label = f"{scope}/{event}" + (f"[{guard.text}]" if guard else "[else]" if guard_node else "")
        name = self.text(fields["id"]) if "id" in fields else label
        target = self.one_of(fields["to"], self.targets) if "to" in fields else None
        for kind in REASON_KINDS:
            if kind in fields:
                return Row(name, kind, guard, (), None, self.text(fields[kind]), node.place)
        if "defer" in fields:
            return Row(name, "defer", guard, (), None, self.text(fields["defer"]), node.place)
        if target is None and "do" not in fields:
            self.problems.add(node.place, "row", "a row needs 'to', 'do', or one of ignore, refuse, defer ...")
        if choice and target is None:
            self.problems.add(node.place, "row", "a row of a choice needs 'to'")
        kind = "go" if target is not None else "stay"
        return Row(name, kind, guard, self.operations(fields.get("do")), target, "", node.place)

    def _answers(self, scope: str, states: Sequence[str], group: str | None, fields: dict[str, Node]) -> None:
        for key, node in self.entries(fields.get("on")):
            for event, how in self._events(key):
                self._put(states, event, _cell(self._rows(scope, event, node), group, how, key.place))
        for kind in REASON_KINDS:
            for reason, items in self.entries(fields.get(kind)):
                for item in self.listed(items):
                    for event, how in self._events(item):
                        row = Row(f"{scope}/{event}", kind, None, (), None, reason.text or "", item.place, always=True)
                        self._put(states, event, _cell((row,), group, how, item.place))
        for item in self.listed(fields["defer"]) if "defer" in fields else ():
            for event, how in self._events(item):
                row = Row(f"{scope}/{event}", "defer", None, (), None, "", item.place, always=True)
                self._put(states, event, _cell((row,), group, how, item.place))

    def _events(self, key: Node) -> tuple[tuple[str, Naming], ...]:
        """The events a key names, each with how: one, several with commas, patterns with `*`.

        What is said of an event is said of the variants that it is split or refined into, too.
        """
        found: list[tuple[str, Naming]] = []
        for part in (key.text or "").split(","):
            named = self._named(part.strip())
            if not named:
                hint = suggestion(part.strip(), self.events)
                self.problems.add(key.place, "unknown-event", f"there is no event '{part.strip()}'", hint)
            found += named
        return tuple(found)

    def _named(self, name: str) -> list[tuple[str, Naming]]:
        if "*" in name:
            return [(match, "pattern") for match in fnmatch.filter(sorted(self.events), name)]
        found: list[tuple[str, Naming]] = [(name, "exact")] if name in self.events else []
        kin = self.vocabulary.refined.get(name, ())
        return found + [(word.name, "kin") for word in kin if word.noise is None]

    def _put(self, states: Sequence[str], event: str, cell: Cell) -> None:
        """A state's answer beats its group's, a whole name beats a pattern; two of one rank are a problem."""
        for row in cell.rows:
            self._check_kind(event, row)
        for state in states:
            known = self.cells.get((state, event))
            if known is not None and known.rank == cell.rank:
                hint = f"the other answer is at {known.place}"
                self.problems.add(cell.place, "two-answers", f"'{event}' in '{state}' is answered twice", hint)
            elif known is None or known.rank < cell.rank:
                self.cells[state, event] = cell

    def _check_kind(self, event: str, row: Row) -> None:
        word = self.vocabulary.events.get(event)
        if row.kind == "refuse" and (word is None or not word.is_request):
            hint = "facts have happened: ignore them with a reason, or answer them"
            self.problems.add(row.place, "refuse-fact", f"'{event}' is a fact; only requests can be refused", hint)
        if row.kind == "defer" and (word is None or word.moves):
            self.problems.add(row.place, "defer-fact", f"'{event}' moves slots; it has happened and cannot wait")
        if row.kind in REASON_KINDS and not row.reason:
            self.problems.add(row.place, "reason", f"'{row.kind}' needs a reason")

    # --- the parts ----------------------------------------------------------------------------------------------------

    def _join(self, states: Sequence[tuple[Node, Node]], groups: Sequence[str]) -> None:
        """The groups that states say they join."""
        for key, node in states:
            said = node.get("groups")
            for item in self.listed(said) if said is not None else ():
                group = self.one_of(item, groups)
                if group == item.text:
                    self.joined.setdefault(group, []).append((key.text or "", item.place))

    def _group(self, key: Node, node: Node) -> Group:
        fields = self.mapping(node, GROUP_KEYS)
        listed = self.listed(fields["states"]) if "states" in fields else ()
        states = tuple(self.one_of(item, self.state_names) for item in listed)
        for state, place in self.joined.get(key.text or "", ()):
            if state in states:
                self.problems.add(place, "two-meanings", f"'{state}' is in group '{key.text}' already")
            else:
                states = (*states, state)
        self._answers(key.text or "", states, key.text, fields)
        return Group(key.text or "", states, key.place)

    def _choice(self, key: Node, node: Node) -> Choice:
        return Choice(key.text or "", self._rows(key.text or "", "", node, choice=True), key.place)

    def _state(self, key: Node, node: Node) -> State:
        fields = self.mapping(node, STATE_KEYS)
        bound = {}
        slots = {s.name: s for s in self.vocabulary.slots}
        for slot, allowed in self.entries(fields.get("slots")):
            name = self.one_of(slot, tuple(slots))
            if name not in slots:
                continue
            values = [self.one_of(item, slots[name].domain) for item in self.listed(allowed)]
            bound[name] = frozenset(slots[name].domain.index(v) for v in values)
        final = "final" in fields and self.one_of(fields["final"], ("no", "yes", "true", "false")) in ("yes", "true")
        entry, leave = self.operations(fields.get("entry")), self.operations(fields.get("exit"))
        tags = frozenset(
            self.one_of(item, tuple(STATE_TAGS)) for item in (self.listed(fields["tags"]) if "tags" in fields else ())
        )
        about = self._optional(fields.get("about"))
        return State(key.text or "", about, entry, leave, bound, final, tags, key.place)

    def _turn_detection(self, node: Node | None) -> TurnDetection:
        if node is None:
            return TurnDetection()
        fields = self.mapping(node, ("manual", "needs", "refuses"))
        needs = {k.text or "": self.text(v) for k, v in self.entries(fields.get("needs"))}
        manual = "manual" in fields and self.one_of(fields["manual"], ("yes", "no")) == "yes"
        refuses = []
        for item in fields.get("refuses", ()):
            part = self.mapping(item, ("key", "value", "reason"))
            value = self.text(part["value"]) if "value" in part else None
            key, reason = self._optional(part.get("key")), self._optional(part.get("reason"))
            refuses.append(Refusal(key, value, reason, item.place))
        return TurnDetection(manual, needs, tuple(refuses), node.place)

    def _optional(self, node: Node | None) -> str:
        return self.text(node) if node is not None else ""


def _cell(rows: tuple[Row, ...], group: str | None, how: Naming, place: Place) -> Cell:
    return Cell(rows, group, how == "exact", place, how == "kin")
