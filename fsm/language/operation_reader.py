"""Guards and operations of a text: what a row, a choice, an entry does. Never here: which row, in which state."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fsm.language.expression import ALWAYS, Expr, Scope, Variable
from fsm.language.node_reader import Reader
from fsm.language.problem import Problems, SpecError, suggestion
from fsm.language.spec import Assign, Branch, Deadline, Emit, Operation, OwnWord, Presume, Restart
from fsm.language.vocabulary import Vocabulary
from fsm.language.yaml_nodes import Node

_ASSIGNMENT = re.compile(r"^(\w+)\s*(\+=|-=|=)\s*(.+)$")
_WORD = re.compile(r"\w+")
_CALLS = ("presume", "restart")  # written as an effect with an argument
_CALL = re.compile(r"^(\w+)(?:\(\s*(\w+)\s*\))?$")


class OperationReader(Reader):
    """Knows the names that operations use: variables, actions, deadlines, words of the spec's own."""

    def __init__(self, vocabulary: Vocabulary, problems: Problems) -> None:
        super().__init__(problems)
        self.vocabulary = vocabulary
        self.actions: dict[str, Node] = {}
        self.open_actions: list[str] = []
        self.used_actions: set[str] = set()
        self.guard_words: set[str] = set()
        """All that guards name: values, variables, conditions."""
        self.deadlines: dict[str, Deadline] = {}
        self.variables: tuple[Variable, ...] = ()
        self.scope = Scope(())
        self.own: dict[str, dict[str, OwnWord]] = {"prompts": {}, "say": {}}

    def _guard(self, node: Node) -> Expr:
        self.guard_words.update(_WORD.findall(node.text or ""))
        try:
            return self.scope.truth(self.text(node), node.place)
        except SpecError as error:
            self.problems.adopt(error)
            return ALWAYS

    def _named_actions(self, node: Node | None) -> dict[str, Node]:
        """An action is written as an effect is: with the name of one it would stand for it, and nobody would notice."""
        found: dict[str, Node] = {}
        for key, body in self.entries(node):
            name = key.text or ""
            if name in self.vocabulary.effects or name in _CALLS:
                what = "an effect" if name in self.vocabulary.effects else "an operation of the language"
                self.problems.add(key.place, "two-meanings", f"'{name}' is already the name of {what}")
            found[name] = body
        return found

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
            self.used_actions.add(name)
            if name in self.open_actions:
                self.problems.add(node.place, "recursion", f"action '{name}' uses itself")
                return ()
            self.open_actions.append(name)
            result = self.operations(self.actions[name])
            self.open_actions.pop()
            return result
        word = self.vocabulary.effects.get(name)
        if word is None:
            hint = suggestion(name, (*self.vocabulary.effects, *self.actions))
            self.problems.add(node.place, "unknown-name", f"'{name}' is neither an effect nor an action", hint)
            return ()
        own = self.vocabulary.own_words(name)
        known = tuple(dict.fromkeys((*word.choices, *self.own.get(own, ()))))
        variable = None if argument in known else self.scope.variables.get(argument or "")
        literal = argument if argument in known else None
        emit = Emit(name, literal, variable, text, node.place)
        wrong = [each for each in emit.literals if each not in known]
        if literal is None and variable is None and (argument or word.choices):
            wrong = [argument or ""]
        if wrong:
            hint = f"one of: {', '.join(known)}" if known else "it takes no argument"
            hint += f"; or name it under '{own}:'" if own else ""
            of = f" (a value of '{argument}')" if variable is not None else ""
            self.problems.add(node.place, "argument", f"'{wrong[0]}'{of} is not an argument of '{name}'", hint)
        return (emit,)


_OPERATIONS = "operations: effect, effect(argument), action, name = value, name += 1, presume(name), restart(deadline)"
