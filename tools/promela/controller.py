"""The controller in Promela, from the typed spec: what the machine does, written a second time in another language.

Never here: the world (tools.promela.world), anything the explorer worked out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fsm.language.expression import Expr
from fsm.language.spec import MAX_CHOICES, Assign, Branch, Emit, Operation, Presume, Row, Spec
from fsm.language.vocabulary import EventWord, Word
from fsm.machine.reaction import MAX_REACTIONS
from tools.promela.text import Lines, cases, clamped, comment, expression, first, identifier, loop, steps, when

MAX_TIMES = 4  # times one step raises an event; asserted, too
MAX_EFFECTS = 60  # effects of one event; the model asserts that they are enough


class SpecText:
    """The parts of a model that are the controller's.

    `hooked`: literals of effects that somebody listens to. `chosen`: what an operator has set of the spec's settings.
    """

    def __init__(self, spec: Spec, hooked: Mapping[str, Sequence[str]], chosen: Mapping[str, str]) -> None:
        self.spec, self.hooked = spec, hooked
        self.start = spec.values_at_start({spec.settings[setting]: value for setting, value in chosen.items()})
        self.names = [identifier("v_", v.name) for v in spec.variables]
        self.state = self.names[0]
        self.events = {name: i for i, name in enumerate((*spec.vocabulary.events, *_timers(spec)), 1)}
        self.effects = {name: i for i, name in enumerate(spec.vocabulary.effects, 1)}
        self.goals = {name: i for i, name in enumerate((*spec.states, *spec.choices), 1)}
        self.literals = {name: i for i, name in enumerate(sorted({x for xs in hooked.values() for x in xs}), 1)}
        self.room = max(1, len(self._can_wait()))

    def _can_wait(self) -> frozenset[str]:
        deferred = {e for (_, e), cell in self.spec.cells.items() for row in cell.rows if row.kind == "defer"}
        return frozenset(deferred | {v.overflow for v in self.spec.variables if v.overflow is not None})

    def name(self, index: int) -> str:
        return self.names[index]

    def expr(self, expr: Expr) -> str:
        return expression(expr, self.name)

    def event(self, name: str) -> str:
        return identifier("E_", name)

    def goal(self, name: str) -> str:
        return identifier("G_", name)

    def is_final(self) -> str:
        finals = [self._at(name) for name, state in self.spec.states.items() if state.final]
        return f"({' || '.join(finals)})" if finals else "false"

    def _at(self, state: str) -> str:
        return f"{self.state} == {self.spec.variables[0].value(state)}"

    # --- declarations -------------------------------------------------------------------------------------------------

    def constants(self) -> Lines:
        named = [(self.event(n), i) for n, i in self.events.items()]
        named += [(identifier("F_", n), i) for n, i in self.effects.items()]
        named += [(self.goal(n), i) for n, i in self.goals.items()]
        named += [(identifier("L_", n), i) for n, i in self.literals.items()]
        named += [("WAITS", 1), ("FORGOTTEN", 2), ("DONE", 3)]
        return [f"#define {name} {i}" for name, i in named]

    def variables(self) -> list[tuple[str, int, int, str]]:
        """(name, cells or 0, initial value, what it is)."""
        found = [
            (name, 0, start, f"{v.kind}: {', '.join(v.domain)}")
            for name, start, v in zip(self.names, self.start, self.spec.variables, strict=True)
        ]
        return [*found, ("wait", self.room, 0, "events that wait, the oldest first"), ("waits", 0, 0, "how many")]

    def scratch(self) -> list[tuple[str, int]]:
        """Variables that mean nothing between two steps: (name, cells or 0)."""
        plain = ("word", "goal", "hops", "after", "recalling", "calls", "seek", "raises", "fxs", "a", "b", "c", "seen")
        old = [identifier("o_", s.name) for s in self.spec.slots]
        return [
            *((n, 0) for n in (*plain, *old)),
            ("raised", self.room * MAX_TIMES),
            ("fx", MAX_EFFECTS),
            ("fl", MAX_EFFECTS),
        ]

    # --- one reaction -------------------------------------------------------------------------------------------------

    def begin(self) -> Lines:
        """The first step of a call."""
        entry = self._operations(self.spec.states[self.spec.initial].entry)
        return ["raises = 0; fxs = 0;", *entry, *self._take_raised()]

    def _forget_word(self) -> Lines:
        """The word does not wait any longer."""
        keep = when("wait[a] != word", ["wait[b] = wait[a];", "b++;"])
        return ["a = 0; b = 0;", *loop("a < waits", [*keep, "a++;"]), *self._cleared("b"), "waits = b;"]

    @staticmethod
    def _cleared(start: str) -> Lines:
        return [f"a = {start};", *loop("a < waits", ["wait[a] = 0;", "a++;"])]

    def _append(self, what: str) -> Lines:
        """At the end of what waits, unless it is there."""
        look = loop("a < waits", [*when(f"wait[a] == {what}", ["seen = 1;"]), "a++;"])
        add = [f"assert(waits < {self.room});", f"wait[waits] = {what};", "waits++;"]
        return ["a = 0; seen = 0;", *look, *when("seen == 0", add)]

    def _take_raised(self) -> Lines:
        return ["c = 0;", *loop("c < raises", [*self._append("raised[c]"), "c++;"]), "raises = 0;"]

    def _react(self) -> Lines:
        words = self.spec.vocabulary.events
        options = []
        for name in self.events:
            word = words.get(name)
            body = self._possible(name, word) if word is None or word.noise is None else [comment(f"noise: {name}")]
            if word is not None and word.noise is None and word.when:
                body = when(self._admits(word), body, [comment(word.otherwise or "a violation of the protocol")])
            options.append((f"word == {self.event(name)}", body))
        options = [option for option in options if option[1]]
        after = cases(
            [
                ("after == WAITS", when("recalling == 0", self._append("word"))),
                ("after == FORGOTTEN", self._forget_word()),
                ("after == DONE", [*self._follow(), *self._forget_word(), *self._take_raised()]),
            ]
        )
        begin = ["word = ev; after = 0; raises = 0; goal = 0;", *self._instead()]
        return steps(options, begin, [*after, *self._next()])

    def _instead(self) -> Lines:
        """What an event is where it cannot be what it is called."""
        words = [w for w in self.spec.vocabulary.events.values() if w.instead is not None and w.when]
        if not words:
            return []
        parts = [
            f":: word == {self.event(w.name)} && !{self._admits(w)} -> word = {self.event(str(w.instead))};"
            for w in words
        ]
        return ["do", *parts, ":: else -> break", "od;"]

    def _admits(self, word: Word) -> str:
        tests = [
            "(" + " || ".join(f"{self._slot(slot)} == {value}" for value in sorted(allowed)) + ")"
            for slot, allowed in word.when.items()
        ]
        return "(" + (" && ".join(tests) or "true") + ")"

    def _slot(self, slot: str) -> str:
        return self.names[self.spec.slot_index[slot]]

    def _moved(self, word: Word) -> Lines:
        lines: Lines = []
        for slot, table in word.moves.items():
            name = self._slot(slot)
            lines += cases([(f"{name} == {old}", [f"{name} = {new};"]) for old, new in table.items() if old != new])
        return lines

    def _possible(self, name: str, word: EventWord | None) -> Lines:
        """Moves the slots, finds the cell of the state; states with the same rows share them."""
        moved = list(word.moves) if word is not None else []
        keep = [f"{identifier('o_', s)} = {self._slot(s)};" for s in moved]
        undo = [f"{self._slot(s)} = {identifier('o_', s)};" for s in moved]
        shared: dict[tuple[Row, ...], list[str]] = {}
        for (state, event), cell in self.spec.cells.items():
            if event == name:
                shared.setdefault(cell.rows, []).append(state)
        options = [(" || ".join(map(self._at, states)), self._rows(rows, undo)) for rows, states in shared.items()]
        return [*keep, *(self._moved(word) if word is not None else []), *cases(options, undo)]

    def _rows(self, rows: Sequence[Row], undo: Lines) -> Lines:
        guarded = [(self.expr(row.guard), self._row(row, undo)) for row in rows if row.guard is not None]
        fallback = [self._row(row, undo) for row in rows if row.guard is None]
        return first(guarded, fallback[-1] if fallback else undo)

    def _row(self, row: Row, undo: Lines) -> Lines:
        where = comment(f"{row.kind} {row.place}")
        if row.kind == "defer":
            return [where, *undo, "after = WAITS;"]
        if row.kind in ("refuse", "cannot_happen"):
            return [where, *undo, "after = FORGOTTEN;"]
        if row.kind == "ignore":
            return [where, "after = DONE;"]
        return [where, *self._taken(row), "after = DONE;"]

    def _taken(self, row: Row) -> Lines:
        goal = [f"goal = {self.goal(row.target)};"] if row.target is not None else []
        return [*self._operations(row.operations), *goal]

    def _follow(self) -> Lines:
        """Choices until a state is found; then exit, change, entry, if it is another one."""
        last = len(self.spec.states)
        options = []
        for name, choice in self.spec.choices.items():
            guarded = [(self.expr(r.guard), self._chosen(r)) for r in choice.rows if r.guard is not None]
            fallback = [self._chosen(r) for r in choice.rows if r.guard is None]
            options.append((f"goal == {self.goal(name)}", first(guarded, fallback[-1] if fallback else ["goal = 0;"])))
        hop = when(f"hops > {MAX_CHOICES}", ["goal = 0;"], ["hops++;", *cases(options)])
        states = self.spec.states
        leave = cases([(self._at(n), self._operations(s.exit)) for n, s in states.items() if s.exit])
        enter = cases([(self._at(n), self._operations(s.entry)) for n, s in states.items() if s.entry])
        change = [*leave, f"{self.state} = goal - 1;", *enter]
        moves = when(f"goal != 0 && {self.state} != goal - 1", change)
        return ["hops = 1;", *loop(f"goal > {last}", hop), *moves, "goal = 0;"]

    def _chosen(self, row: Row) -> Lines:
        taken = self._taken(row)
        return [comment(str(row.place)), *taken, *(["goal = 0;"] if row.target is None else [])]

    def answer(self) -> Lines:
        """Reacts to `ev`; then to events that waited, until none is left. Nothing happens where `calls` is 255."""
        return loop("calls < 255", self._react())

    def _next(self) -> Lines:
        """The oldest event that waits and is not deferred again comes next, until there are too many."""
        again = f"seek < waits && calls < {MAX_REACTIONS} && !{self.is_final()}"
        return [
            *when("recalling && after == WAITS", ["seek++;"], ["calls++;", "seek = 0;"]),
            *when(again, ["ev = wait[seek];", "recalling = 1;"], ["calls = 255;"]),
        ]

    # --- operations ---------------------------------------------------------------------------------------------------

    def _operations(self, operations: Iterable[Operation]) -> Lines:
        lines: Lines = []
        for op in operations:
            if isinstance(op, Emit):
                lines += self._emit(op)
            elif isinstance(op, Assign):
                lines += self._assign(op)
            elif isinstance(op, Branch):
                lines += when(self.expr(op.condition), self._operations(op.then), self._operations(op.otherwise))
            elif isinstance(op, Presume):
                lines += self._moved(self.spec.vocabulary.presumptions[op.name])
        return lines

    def _emit(self, op: Emit) -> Lines:
        """Notes the effect for the world, which answers when the controller has done."""
        hooked = self.hooked.get(op.effect, ())
        literal = identifier("L_", op.literal) if op.literal is not None and op.literal in hooked else "0"
        if op.variable is not None:
            literal = "0"
            for i, value in enumerate(op.variable.domain):
                if value in hooked:
                    literal = f"({self.name(op.variable.index)} == {i} -> {identifier('L_', value)} : {literal})"
        note = [f"fx[fxs] = {identifier('F_', op.effect)};", f"fl[fxs] = {literal};", "fxs++;"]
        return [f"assert(fxs < {MAX_EFFECTS});", *note, *self._moved(self.spec.vocabulary.effects[op.effect])]

    def _assign(self, op: Assign) -> Lines:
        variable, value = op.variable, self.expr(op.expr)
        target, top = self.name(variable.index), len(variable.domain) - 1
        if variable.overflow is None:
            return clamped(target, top, value)
        note = [f"raised[raises] = {self.event(variable.overflow)};", "raises++;"]
        note.insert(0, f"assert(raises < {self.room * MAX_TIMES});")
        return [f"t = {value};", *when(f"t > {top}", note), *clamped(target, top, value)]


def _timers(spec: Spec) -> tuple[str, ...]:
    return tuple(d.event for d in spec.deadlines.values())
