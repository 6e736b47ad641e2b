"""A spec's text as a Spec: names, kinds, expressions. Never here: slots over time (fsm.language.typestate)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

import attrs

from fsm.language.expression import ALWAYS, Expr, Scope, Variable
from fsm.language.problem import Problems, SpecError, suggestion
from fsm.language.reading import Reader
from fsm.language.source import Node
from fsm.language.spec import (
    STATE_TAGS,
    STATED_WAITS,
    Assign,
    Branch,
    Cell,
    Choice,
    Deadline,
    Emit,
    Group,
    Kind,
    Operation,
    Presume,
    Refusal,
    Restart,
    Row,
    Spec,
    State,
    TurnDetection,
)  # fmt: skip
from fsm.language.vocabulary import Vocabulary

SECTIONS = (
    "spec", "about", "version", "include", "vocabulary", "initial", "turn_detection", "context", "conditions",
    "deadlines", "actions", "choices", "groups", "states", "happy_path",
)  # fmt: skip
ROW_KEYS = ("id", "if", "to", "do", "ignore", "refuse", "cannot_happen", "defer", "about")
REASON_KINDS: tuple[Kind, ...] = ("ignore", "refuse", "cannot_happen")
ANSWERS = ("on", "ignore", "refuse", "cannot_happen", "defer")
STATE_KEYS = ("about", "tags", "slots", "entry", "exit", "after", "final", *ANSWERS)
CONTEXT_KEYS = ("values", "range", "initial", "without_greeting", "setting", "overflow", "about")
GROUP_KEYS = ("about", "states", *ANSWERS)
_ASSIGNMENT = re.compile(r"^(\w+)\s*(\+=|-=|=)\s*(.+)$")
_CALL = re.compile(r"^(\w+)(?:\(\s*(\w+)\s*\))?$")


class SpecReader(Reader):
    """One use: `SpecReader(vocabulary, problems).read(root)`."""

    def __init__(self, vocabulary: Vocabulary, problems: Problems) -> None:
        super().__init__(problems)
        self.vocabulary = vocabulary
        self.actions: dict[str, Node] = {}
        self.open_actions: list[str] = []
        self.deadlines: dict[str, Deadline] = {}
        self.without_greeting: dict[str, str] = {}
        self.settings: dict[str, str] = {}
        self.state_names: tuple[str, ...] = ()
        self.targets: tuple[str, ...] = ()
        self.events: frozenset[str] = frozenset()
        self.cells: dict[tuple[str, str], Cell] = {}
        self.variables: tuple[Variable, ...] = ()
        self.scope = Scope(())

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
        self._names(sections, [k for k, _ in states], [k for k, _ in choices])
        self.actions = {k.text or "": v for k, v in self.entries(sections.get("actions"))}
        self._deadlines(sections.get("deadlines"), states)
        self.events = frozenset(e.name for e in self.vocabulary.alphabet) | {d.event for d in self.deadlines.values()}
        for key, node in states:
            self._answers(key.text or "", (key.text or "",), None, self.mapping(node, STATE_KEYS))
        read_groups = {k.text or "": self._group(k, n) for k, n in groups}
        read_choices = {k.text or "": self._choice(k, n) for k, n in choices}
        return Spec(
            self.text(sections["spec"]), self._optional(sections.get("about")), root.place.file,
            self.number(sections["version"], 1) if "version" in sections else 1, self.vocabulary, self.variables,
            {k.text or "": self._state(k, n) for k, n in states}, read_choices, read_groups, self.deadlines, self.cells,
            self.one_of(sections["initial"], self.state_names), self._turn_detection(sections.get("turn_detection")),
            tuple(self.one_of(n, self.state_names) for n in sections.get("happy_path", ())),
            self.without_greeting, self.settings,
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
        return Variable(name, domain, domain.index(initial), index, "context", overflow, numeric, key.place)

    def _setting(self, node: Node, variable: str) -> None:
        setting = self.text(node)
        if setting in self.settings:
            message = f"setting '{setting}' is already that of '{self.settings[setting]}'"
            self.problems.add(node.place, "two-meanings", message)
        self.settings[setting] = variable

    def _deadlines(self, node: Node | None, states: Sequence[tuple[Node, Node]]) -> None:
        for key, body in self.entries(node):
            fields = self.mapping(body, ("after_ms", "while", "at_least", "restart", "about"))
            if "after_ms" not in fields or "while" not in fields:
                self.problems.add(key.place, "missing", f"deadline '{key.text}' needs 'after_ms' and 'while'")
                continue
            restarts = "restart" not in fields or self.one_of(fields["restart"], ("on_change", "never")) == "on_change"
            at_least = self.one_of(fields["at_least"], STATED_WAITS) if "at_least" in fields else None
            after_ms, condition = self.number(fields["after_ms"], 1), self._guard(fields["while"])
            self._add_deadline(key, after_ms, condition, restarts, at_least)
        for state, body in states:
            after = next((v for k, v in body.pairs or () if k.text == "after"), None)
            for key, value in self.entries(after):
                condition = self._guard(Node(key.place, f"state == {state.text}"))
                self._add_deadline(key, self.number(value, 1), condition)

    def _add_deadline(
        self, key: Node, after_ms: int, condition: Expr, restarts: bool = True, at_least: str | None = None
    ) -> None:
        name = key.text or ""
        if name in self.deadlines:
            first = self.deadlines[name].place
            self.problems.add(key.place, "two-meanings", f"deadline '{name}' is written twice", f"first at {first}")
        self.deadlines[name] = Deadline(name, after_ms, condition, restarts, at_least, key.place)

    # --- operations ---------------------------------------------------------------------------------------------------

    def _guard(self, node: Node) -> Expr:
        try:
            return self.scope.truth(self.text(node), node.place)
        except SpecError as error:
            self.problems.adopt(error)
            return ALWAYS

    def operations(self, node: Node | None) -> tuple[Operation, ...]:
        """A `do:` list; actions are written out in place."""
        return tuple(op for item in (self.listed(node) if node is not None else ()) for op in self._operation(item))

    def _operation(self, node: Node) -> Iterable[Operation]:
        if node.pairs is not None:
            fields = self.mapping(node, ("if", "do", "else"))
            condition = self._guard(fields["if"]) if "if" in fields else ALWAYS
            then, otherwise = self.operations(fields.get("do")), self.operations(fields.get("else"))
            return (Branch(condition, then, otherwise, f"if {condition.text}", node.place),)
        text = self.text(node).strip()
        assignment = _ASSIGNMENT.match(text)
        if assignment:
            return self._assignment(node, text, *assignment.groups())
        call = _CALL.match(text)
        if call is None:
            self.problems.add(node.place, "operation", f"'{text}' is not an operation", _OPERATIONS)
            return ()
        return self._call(node, text, call.group(1), call.group(2))

    def _assignment(self, node: Node, text: str, name: str, sign: str, right: str) -> Iterable[Operation]:
        variable = self.scope.variables.get(name)
        if variable is None or variable.kind != "context":
            why = "only the vocabulary moves a slot" if variable is not None else ""
            known = [v.name for v in self.variables if v.kind == "context"]
            message = f"'{name}' cannot be assigned" if variable else f"there is no context variable '{name}'"
            self.problems.add(node.place, "assignment", message, why or suggestion(name, known))
            return ()
        source = right if sign == "=" else f"{name} {sign[0]} {right}"
        if sign == "+=" and variable.numeric and variable.overflow is None:
            hint = f"add 'overflow: EVENT' to {name}, and answer that event"
            self.problems.add(node.place, "overflow", f"'{name}' can grow beyond {variable.domain[-1]}", hint)
        try:
            expr = self.scope.value(source, node.place, variable)
        except SpecError as error:
            self.problems.adopt(error)
            return ()
        return (Assign(variable, expr, text, node.place),)

    def _call(self, node: Node, text: str, name: str, argument: str | None) -> Iterable[Operation]:
        if name == "presume":
            known = tuple(self.vocabulary.presumptions)
            return (Presume(self.one_of(Node(node.place, argument or ""), known), text, node.place),)
        if name == "restart":
            return (Restart(self.one_of(Node(node.place, argument or ""), tuple(self.deadlines)), text, node.place),)
        if name in self.actions and argument is None:
            if name in self.open_actions:
                self.problems.add(node.place, "recursion", f"action '{name}' uses itself")
                return ()
            self.open_actions.append(name)
            result = self.operations(self.actions[name])
            self.open_actions.pop()
            return result
        word = self.vocabulary.effects.get(name)
        if word is None:
            known_names = (*self.vocabulary.effects, *self.actions)
            hint = suggestion(name, known_names)
            self.problems.add(node.place, "unknown-name", f"'{name}' is neither an effect nor an action", hint)
            return ()
        variable = self.scope.variables.get(argument or "")
        if argument not in word.choices and (variable is None or argument is None) and (argument or word.choices):
            hint = f"one of: {', '.join(word.choices)}" if word.choices else "it takes no argument"
            self.problems.add(node.place, "argument", f"'{argument or ''}' is not an argument of '{name}'", hint)
        literal = argument if argument in word.choices else None
        return (Emit(name, literal, None if literal else variable, text, node.place),)

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
            for event, exact in self._events(key):
                self._put(states, event, Cell(self._rows(scope, event, node), group, exact, key.place))
        for kind in REASON_KINDS:
            for reason, items in self.entries(fields.get(kind)):
                for item in self.listed(items):
                    for event, exact in self._events(item):
                        row = Row(f"{scope}/{event}", kind, None, (), None, reason.text or "", item.place, always=True)
                        self._put(states, event, Cell((row,), group, exact, item.place))
        for item in self.listed(fields["defer"]) if "defer" in fields else ():
            for event, exact in self._events(item):
                row = Row(f"{scope}/{event}", "defer", None, (), None, "", item.place, always=True)
                self._put(states, event, Cell((row,), group, exact, item.place))

    def _events(self, key: Node) -> tuple[tuple[str, bool], ...]:
        """The events a key names, each with whether by its whole name: one, several with commas, patterns with `*`."""
        found: list[tuple[str, bool]] = []
        for part in (key.text or "").split(","):
            name = part.strip()
            exact = "*" not in name
            matches = [name] if name in self.events else [] if exact else fnmatch.filter(sorted(self.events), name)
            if not matches:
                hint = suggestion(name, self.events)
                self.problems.add(key.place, "unknown-event", f"there is no event '{name}'", hint)
            found += [(match, exact) for match in matches]
        return tuple(found)

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

    def _group(self, key: Node, node: Node) -> Group:
        fields = self.mapping(node, GROUP_KEYS)
        listed = self.listed(fields["states"]) if "states" in fields else ()
        states = tuple(self.one_of(item, self.state_names) for item in listed)
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
        return TurnDetection(manual, needs, tuple(refuses))

    def _optional(self, node: Node | None) -> str:
        return self.text(node) if node is not None else ""


_OPERATIONS = "operations: effect, effect(argument), action, name = value, name += 1, presume(name), restart(deadline)"
