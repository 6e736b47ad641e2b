"""A world's text as a World: every name is checked here, with its place. Never here: taking a move (fsm.world.code)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from fsm.language.expression import ALWAYS, Expr, Scope, Variable
from fsm.language.node_reader import Reader
from fsm.language.problem import Problems, SpecError, suggestion
from fsm.language.yaml_nodes import Node, read
from fsm.world.world import (
    CLASSES,
    Act,
    Assumption,
    Channel,
    Clear,
    DeadlinePatience,
    EmitEvent,
    Feature,
    Message,
    Move,
    Need,
    ProviderSetting,
    Put,
    Rename,
    Scene,
    Send,
    Test,
    World,
    WorldBound,
    WorldTimers,
)

TOP = 9  # a budget's largest value
SECTIONS = (
    "world", "about", "features", "assumptions", "bounds", "variables", "channels", "messages", "actions", "effects",
    "moves", "timers", "loss", "scenes", "turn_detection",
)  # fmt: skip
MOVE_KEYS = ("class", "fair", "when", "receive", "do", "needs", "hold_back", "gives_way", "about")
_PUT = re.compile(r"^(\w+)\s*(\+=|-=|=)\s*(.+)$")
_CALL = re.compile(r"^(\w+)\(\s*(.*?)\s*\)$")
_RENAME = re.compile(r"^(\w+)\s*->\s*(\w+)(?:\s+before\s+([\w\s,]+))?$")
_REMOVE = re.compile(r"^(\w+)()(?:\s+before\s+([\w\s,]+))?$")
_OPERATIONS = (
    "operations: name = value, send(message), send(message * count), emit(event), clear(channel), remove(old), "
    "rename(old -> new before other), an action, {if: .., do: [..], else: [..]}"
)


def load_world(text: str, file: str) -> World:
    """The world in a text. Raises SpecError with every problem. A world refers to no other file."""
    problems = Problems()
    root = read(text, file)
    world = WorldReader(problems).read(root)
    problems.raise_if_any()
    return world


class ActReader(Reader):
    """Reads operations over a scope; worlds and the ghosts of properties share it."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.scope = Scope(())
        self.messages: dict[str, Message] = {}
        self.channels: tuple[Channel, ...] = ()
        self.actions: dict[str, Node] = {}
        self.open_actions: list[str] = []
        self.assignable: tuple[str, ...] = ("world",)

    def truth(self, node: Node | None) -> Expr:
        if node is None:
            return ALWAYS
        try:
            return self.scope.truth(self.text(node), node.place)
        except SpecError as error:
            self.problems.adopt(error)
            return ALWAYS

    def acts(self, node: Node | None) -> tuple[Act, ...]:
        return tuple(a for item in (self.listed(node) if node is not None else ()) for a in self._act(item))

    def _act(self, node: Node) -> Iterable[Act]:
        if node.pairs is not None:
            fields = self.mapping(node, ("if", "do", "else"))
            then, otherwise = self.acts(fields.get("do")), self.acts(fields.get("else"))
            return (Test(self.truth(fields.get("if")), then, otherwise, node.place),)
        text = self.text(node).strip()
        call, put = _CALL.match(text), _PUT.match(text)
        if call is not None:
            return self._call(node, call.group(1), call.group(2))
        if put is not None:
            return self._put(node, text, *put.groups())
        if text not in self.actions or text in self.open_actions:
            self.problems.add(node.place, "operation", f"'{text}' is not an operation", _OPERATIONS)
            return ()
        self.open_actions.append(text)
        result = self.acts(self.actions[text])
        self.open_actions.pop()
        return result

    def _put(self, node: Node, text: str, name: str, sign: str, right: str) -> Iterable[Act]:
        variable = self.scope.variables.get(name)
        if variable is None or variable.kind not in self.assignable:
            known = [v.name for v in self.scope.variables.values() if v.kind in self.assignable]
            self.problems.add(node.place, "assignment", f"'{name}' cannot be assigned here", suggestion(name, known))
            return ()
        source = right if sign == "=" else f"{name} {sign[0]} {right}"
        try:
            return (Put(variable, self.scope.value(source, node.place, variable), text, node.place),)
        except SpecError as error:
            self.problems.adopt(error)
            return ()

    def _call(self, node: Node, name: str, inside: str) -> Iterable[Act]:
        if name == "emit":
            return (EmitEvent(inside, node.place),)
        if name == "clear":
            names = tuple(c.name for c in self.channels)
            return (Clear(names.index(self.one_of(Node(node.place, inside), names)), node.place),)
        if name == "send":
            message, _, times = (part.strip() for part in inside.partition("*"))
            count = self.scope.variables.get(times) if times else None
            if times and (count is None or not count.numeric):
                self.problems.add(node.place, "argument", f"'{times}' is not a variable with numbers")
            return (Send(self.message(node, message), count, node.place),)
        renamed = _RENAME.match(inside) if name == "rename" else _REMOVE.match(inside) if name == "remove" else None
        if renamed is None:
            self.problems.add(node.place, "operation", f"'{name}({inside})' is not an operation", _OPERATIONS)
            return ()
        before = tuple(self.message(node, m.strip()) for m in (renamed.group(3) or "").split(",") if m.strip())
        new = self.message(node, renamed.group(2)) if name == "rename" else None
        return (Rename(self.message(node, renamed.group(1)), new, before, node.place),)

    def message(self, node: Node, name: str) -> str:
        return self.one_of(Node(node.place, name), tuple(self.messages))

    def variable(self, key: Node, node: Node, index: int, kind: str) -> Variable:
        """A declaration: `{values: [..]}` or `{range: 0..n}` or `{bound: name}`, with `initial`."""
        fields = self.mapping(node, ("values", "range", "bound", "initial", "about"))
        domain: tuple[str, ...] = ("no", "yes")
        if "range" in fields or "bound" in fields:
            high = self.text(fields["range"]).removeprefix("0..") if "range" in fields else str(TOP)
            domain = tuple(str(n) for n in range((int(high) if high.isdigit() else 1) + 1))
        elif "values" in fields:
            domain = tuple(self.text(item) for item in fields["values"])
        initial = self.one_of(fields["initial"], domain) if "initial" in fields else domain[0]
        numeric = "range" in fields or "bound" in fields
        return Variable(key.text or "", domain, domain.index(initial), index, kind, None, numeric, key.place)


class WorldReader(ActReader):
    """One use: `WorldReader(problems).read(root)`."""

    def read(self, root: Node) -> World:
        sections = self.mapping(root, SECTIONS)
        bounds = {k.text or "": self._bound(k, n) for k, n in self.entries(sections.get("bounds"))}
        features = {k.text or "": self._feature(k, n) for k, n in self.entries(sections.get("features"))}
        assumptions = {k.text or "": self._assumption(k, n) for k, n in self.entries(sections.get("assumptions"))}
        self.assumptions, self.features = assumptions, features
        variables, budgets = self._variables(sections.get("variables"), tuple(bounds))
        self.channels = tuple(self._channel(i, k, n) for i, (k, n) in enumerate(self.entries(sections.get("channels"))))
        self.actions = {k.text or "": n for k, n in self.entries(sections.get("actions"))}
        self._messages(sections.get("messages"))
        self.move_names = tuple(k.text or "" for k, _ in self.entries(sections.get("moves")))
        moves = tuple(self._move(k, n) for k, n in self.entries(sections.get("moves")))
        effects = {k.text or "": self.acts(n) for k, n in self.entries(sections.get("effects"))}
        timers = self._timers(sections.get("timers"), tuple(m.name for m in moves))
        return World(
            self._optional(sections.get("world")), self._optional(sections.get("about")), root.place.file, variables,
            budgets, self.channels, self.messages, moves, effects, features, assumptions, bounds,
            {k.text or "": self._scene(k, n, bounds) for k, n in self.entries(sections.get("scenes"))},
            timers, self._loss(sections.get("loss"), tuple(budgets)),
            tuple(self._setting(k, n) for k, n in self.entries(sections.get("turn_detection"))), root.place,
        )  # fmt: skip

    def _bound(self, key: Node, node: Node) -> WorldBound:
        fields = self.mapping(node, ("quick", "full", "about"))
        quick = self.number(fields["quick"]) if "quick" in fields else 0
        full = self.number(fields["full"]) if "full" in fields else quick
        return WorldBound(key.text or "", quick, full, self._optional(fields.get("about")), key.place)

    def _feature(self, key: Node, node: Node) -> Feature:
        fields = self.mapping(node, ("vocabulary", "about"))
        return Feature(key.text or "", self._optional(fields.get("vocabulary")), self._optional(fields.get("about")))

    def _setting(self, key: Node, node: Node) -> ProviderSetting:
        fields = self.mapping(node, ("feature", "of", "default", "about"))
        named = {name: self.one_of(fields[name], tuple(self.features)) for name in ("feature", "of") if name in fields}
        if "feature" not in named:
            self.problems.add(key.place, "missing", f"'{key.text}' needs 'feature:'")
        default = self.one_of(fields["default"], ("no", "yes")) if "default" in fields else "no"
        return ProviderSetting(key.text or "", named.get("feature", ""), named.get("of"), default, key.place)

    def _assumption(self, key: Node, node: Node) -> Assumption:
        fields = self.mapping(node, ("values", "default", "about", "evidence"))
        values = tuple(self.text(v) for v in fields["values"]) if "values" in fields else ("no", "yes")
        default = self.one_of(fields["default"], values) if "default" in fields else values[0]
        for name in ("about", "evidence"):
            if name not in fields:
                self.problems.add(key.place, "missing", f"assumption '{key.text}' needs '{name}:'")
        about, evidence = self._optional(fields.get("about")), self._optional(fields.get("evidence"))
        return Assumption(key.text or "", values, default, about, evidence, key.place)

    def _variables(self, node: Node | None, bounds: Sequence[str]) -> tuple[tuple[Variable, ...], dict[str, str]]:
        variables, budgets = [], {}
        for index, (key, body) in enumerate(self.entries(node)):
            variables.append(self.variable(key, body, index, "world"))
            limit = body.get("bound")
            if limit is not None:
                budgets[key.text or ""] = self.one_of(limit, bounds)
        self.scope = Scope(variables)
        return tuple(variables), budgets

    def _channel(self, index: int, key: Node, node: Node) -> Channel:
        fields = self.mapping(node, ("capacity", "reserve", "mailbox", "about"))
        capacity = self.number(fields["capacity"], 1) if "capacity" in fields else 3
        reserve = self.number(fields["reserve"]) if "reserve" in fields else capacity
        mailbox = "mailbox" in fields and self.one_of(fields["mailbox"], ("no", "yes")) == "yes"
        return Channel(
            key.text or "", index, capacity, reserve, mailbox, self._optional(fields.get("about")), key.place
        )

    def _messages(self, node: Node | None) -> None:
        """`messages: {channel: {name: {lossy: yes, lost: [..]}}}`; names first, so that `lost` may use them."""
        names = tuple(c.name for c in self.channels)
        bodies = []
        for key, body in self.entries(node):
            channel = names.index(self.one_of(key, names))
            for code, (name, detail) in enumerate(self.entries(body), 1):
                self.messages[name.text or ""] = Message(name.text or "", channel, code, False, (), name.place)
                bodies.append((name, detail))
        for name, detail in bodies:
            fields = self.mapping(detail, ("lossy", "lost", "about")) if detail.text != "" else {}
            known = self.messages[name.text or ""]
            lossy = "lossy" in fields and self.one_of(fields["lossy"], ("no", "yes")) == "yes"
            self.messages[known.name] = Message(
                known.name, known.channel, known.code, lossy, self.acts(fields.get("lost")), known.place
            )

    def _move(self, key: Node, node: Node) -> Move:
        fields = self.mapping(node, MOVE_KEYS)
        receive = self.message(fields["receive"], self.text(fields["receive"])) if "receive" in fields else None
        fair = self.one_of(fields["fair"], ("no", "yes", *self.assumptions)) if "fair" in fields else None
        kind = self.one_of(fields["class"], CLASSES) if "class" in fields else "provider"
        needs = tuple(self.need(item) for item in (self.listed(fields["needs"]) if "needs" in fields else ()))
        when, acts = self.truth(fields.get("when")), self.acts(fields.get("do"))
        is_fair = receive is not None if fair is None else fair if fair in self.assumptions else fair == "yes"
        return Move(
            key.text or "", kind, is_fair, when, receive, acts, needs, self._hold_back(fields.get("hold_back")),
            self._ways(fields.get("gives_way")), self._optional(fields.get("about")), key.place,
        )  # fmt: skip

    def _ways(self, node: Node | None) -> Mapping[str, tuple[str, ...]]:
        return {
            self.one_of(key, tuple(self.assumptions)): tuple(
                self.one_of(m, self.move_names) for m in self.listed(value)
            )
            for key, value in self.entries(node)
        }

    def need(self, node: Node) -> Need:
        words = self.text(node).replace("=", " = ").split()
        negated = words[:1] == ["not"]
        name, _, value = " ".join(words[1:] if negated else words).partition(" = ")
        name = self.one_of(Node(node.place, name), (*self.features, *self.assumptions))
        values = self.assumptions[name].values if name in self.assumptions else ("no", "yes")
        return Need(name, self.one_of(Node(node.place, value or "yes"), values), negated)

    def _hold_back(self, node: Node | None) -> Mapping[str, tuple[str, ...] | None]:
        found: dict[str, tuple[str, ...] | None] = {}
        for key, value in self.entries(node):
            name = self.one_of(key, tuple(self.assumptions))
            everything = value.text == "all"
            found[name] = None if everything else tuple(self.message(v, self.text(v)) for v in self.listed(value))
        return found

    def _timers(self, node: Node | None, moves: Sequence[str]) -> WorldTimers:
        fields = self.mapping(node, ("hold_back", "patience")) if node is not None else {}
        patience = []
        for item in fields.get("patience", ()):
            part = self.mapping(item, ("assume", "deadlines", "moves"))
            if "assume" not in part or "moves" not in part:
                self.problems.add(item.place, "missing", "patience needs 'assume' and 'moves'")
                continue
            named = tuple(self.text(n) for n in (self.listed(part["deadlines"]) if "deadlines" in part else ()))
            waits_for = tuple(self.one_of(n, moves) for n in self.listed(part["moves"]))
            patience.append(DeadlinePatience(self.one_of(part["assume"], tuple(self.assumptions)), named, waits_for))
        return WorldTimers(self._hold_back(fields.get("hold_back")), tuple(patience))

    def _loss(self, node: Node | None, budgets: Sequence[str]) -> tuple[str, str] | None:
        if node is None:
            return None
        fields = self.mapping(node, ("budget", "needs"))
        if "budget" not in fields or "needs" not in fields:
            self.problems.add(node.place, "missing", "'loss' needs 'budget' and 'needs'")
            return None
        return self.one_of(fields["budget"], budgets), self.one_of(fields["needs"], tuple(self.assumptions))

    def _scene(self, key: Node, node: Node, bounds: Mapping[str, WorldBound]) -> Scene:
        fields = self.mapping(node, ("about", "assume", "bounds", "sizes", "capacities", "needs", "settings"))
        assume = {}
        for name, value in self.entries(fields.get("assume")):
            assumption = self.one_of(name, tuple(self.assumptions))
            assume[assumption] = self.one_of(value, self.assumptions[assumption].values)
        limits: dict[str, Mapping[str, int]] = {}
        for name, value in self.entries(fields.get("bounds")):
            pair = [self.number(v) for v in self.listed(value)]
            if self.one_of(name, tuple(bounds)) and pair:
                limits[name.text or ""] = {"quick": pair[0], "full": pair[-1]}
        words: tuple[Literal["quick"], Literal["full"]] = ("quick", "full")
        sizes = tuple(words[self.one_of(v, words) == "full"] for v in fields.get("sizes", ()))
        channels = tuple(c.name for c in self.channels)
        capacities = {self.one_of(k, channels): self.number(v, 1) for k, v in self.entries(fields.get("capacities"))}
        about = self._optional(fields.get("about"))
        needs = tuple(self.need(item) for item in (self.listed(fields["needs"]) if "needs" in fields else ()))
        chosen = {k.text or "": self.text(v) for k, v in self.entries(fields.get("settings"))}
        return Scene(
            key.text or "", about, assume, limits, sizes or ("quick", "full"), capacities, needs, chosen, key.place
        )

    def _optional(self, node: Node | None) -> str:
        return self.text(node) if node is not None else ""
