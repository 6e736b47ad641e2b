"""A text that extends another: `extends:` with `remove:`, `override:` and `add:`, in this order. No meaning.

Each is a tree like the base's. What is removed or overridden must be there, what is added must not; a key that ends
(begins) with `+` adds to the end (the beginning) of a list of the base. Whatever is written keeps its place; what
stands for something of the base remembers the base's place, too (`Place.over`).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from fsm.language.problem import Place, Problems, closest, suggestion
from fsm.language.yaml_nodes import Node

OPERATIONS = ("remove", "override", "add")
KEYS = ("extends", "include", *OPERATIONS)
NAMING = ("spec", "vocabulary", "about", "version")
"""What a derived text says of itself, in place of the base's."""
_WHOLE = "on"
"""An answer to an event is one thing: it is overridden as a whole."""
_AS_A_WHOLE = (
    "an answer is replaced as a whole, under 'override:'; what else is to be done, an action that it names does"
)
_REPLACED = "under 'override:' it is replaced, '{}+:' adds to a list"
Pair = tuple[Node, Node]
Path = tuple[str, ...]


@attrs.frozen
class Change:
    """One thing that a derived text does to its base. `base`: where the base says it, unless it is new."""

    kind: str
    path: Path
    place: Place
    base: Place | None

    def __str__(self) -> str:
        was = f" ({self.base})" if self.base is not None else ""
        return f"{self.place}: {self.kind} {' '.join(self.path)}{was}"


@attrs.define
class Deriver:
    """One use: `Deriver(problems).derived(base, own)`; `changes` says what was done."""

    problems: Problems
    changes: list[Change] = attrs.field(factory=list)
    _removed: dict[Path, Place] = attrs.field(factory=dict)

    def derived(self, base: Node, own: Node) -> Node:
        result = Node(own.place, pairs=tuple(pair for pair in base.pairs or () if pair[0].text not in KEYS))
        for key, value in own.pairs or ():
            name = key.text or ""
            if name in NAMING:
                result = _with(result, self._named(result, key, value))
            elif name not in KEYS:
                hint = f"what extends another text says it under {', '.join(OPERATIONS)}"
                self.problems.add(key.place, "unknown-key", f"'{name}' means nothing here", hint)
        return self.changed(result, own)

    def changed(self, base: Node, own: Node) -> Node:
        """What the three operations of `own` make of the base."""
        for name in OPERATIONS:
            tree = own.get(name)
            if tree is not None and tree.text != "":
                base = getattr(self, f"_{name}")(base, tree, ())
        return base

    def _named(self, base: Node, key: Node, value: Node) -> Pair:
        """A vocabulary stays what its base is, and has a name of its own, too: worlds ask for names."""
        if key.text == "vocabulary" and base.get("spec") is None and (was := base.get("vocabulary")) is not None:
            return key, Node(value.place, items=(*(was.items or (was,)), value))
        return key, value

    # --- the three operations -----------------------------------------------------------------------------------------

    def _remove(self, base: Node, tree: Node, path: Path) -> Node:
        if tree.pairs is not None:
            for key, value in tree.pairs:
                found = self._found(base, key, path, "removed")
                if found is not None:
                    inner = self._remove(found[1], value, (*path, key.text or ""))
                    base = _with(base, (found[0], inner))
            return base
        for item in tree.items if tree.items is not None else (tree,):
            base = self._without(base, item, path)
        return base

    def _without(self, base: Node, item: Node, path: Path) -> Node:
        if base.pairs is not None:
            found = self._found(base, item, path, "removed")
            if found is not None:
                self._note("removes", (*path, item.text or ""), item.place, found[0].place)
                self._removed[*path, item.text or ""] = item.place
            return attrs.evolve(base, pairs=tuple(pair for pair in base.pairs if pair is not found))
        items = base.items if base.items is not None else (base,)
        left = tuple(each for each in items if each.text is None or each.text != item.text)
        if len(left) == len(items):
            known = [each.text or "" for each in items if each.text is not None]
            self._missing(item, path, "removed", suggestion(item.text or "", known))
            return base
        gone = next(each for each in items if each.text == item.text)
        self._note("removes", (*path, item.text or ""), item.place, gone.place)
        return Node(base.place, items=left)

    def _override(self, base: Node, tree: Node, path: Path) -> Node:
        if tree.pairs is None or base.pairs is None:
            self._note("overrides", path, tree.place, base.place)
            return _over(tree, base.place)
        for key, value in tree.pairs:
            found = self._found(base, key, path, "overridden")
            if found is None:
                continue
            inner = (*path, key.text or "")
            if path and path[-1] == _WHOLE:
                self._note("overrides", inner, key.place, found[0].place)
                self._without_plus(value)
                new: Pair = (_placed(key, found[0].place), _over(value, found[1].place))
            else:
                new = (_placed(key, found[0].place), self._override(found[1], value, inner))
            base = _with(base, new)
        return base

    def _add(self, base: Node, tree: Node, path: Path) -> Node:
        if base.pairs is None or tree.pairs is None:
            answer = len(path) > 1 and path[-2] == _WHOLE
            hint = f"the base says it at {base.place}; {_AS_A_WHOLE if answer else _REPLACED.format(_last(path))}"
            self.problems.add(tree.place, "duplicate-key", f"'{_last(path)}' is there already", hint)
            return base
        for key, value in tree.pairs:
            name = (key.text or "").strip("+")
            inner, extends = (*path, name), name != key.text
            found = next((pair for pair in base.pairs or () if pair[0].text == name), None)
            if found is None:
                if extends or _adds_to_something(value):
                    self._missing(attrs.evolve(key, text=name), path, "added to", _likely(name, base, extends))
                    continue
                self._note("adds", inner, key.place, None)
                base = attrs.evolve(base, pairs=(*(base.pairs or ()), (key, value)))
            elif extends and found[1].pairs is None:
                self._note("adds to", inner, key.place, found[0].place)
                base = _with(base, (found[0], _joined(found[1], value, (key.text or "").startswith("+"))))
            elif path and path[-1] == _WHOLE:
                self._add(Node(found[0].place, text=""), key, inner)
            else:
                base = _with(base, (found[0], self._add(found[1], value, inner)))
        return base

    def _without_plus(self, answer: Node) -> None:
        for key, _ in answer.pairs or ():
            if (key.text or "").strip("+") != key.text:
                hint = "an answer is replaced as a whole: say all of it here, or add to an action that it names"
                self.problems.add(key.place, "unknown-key", f"'{key.text}' means nothing here", hint)

    # --- small pieces -------------------------------------------------------------------------------------------------

    def _found(self, base: Node, key: Node, path: Path, what: str) -> Pair | None:
        name = key.text or ""
        found = next((pair for pair in base.pairs or () if pair[0].text == name), None)
        if found is None:
            shared = next((each for each in _names(base) if name in [part.strip() for part in each.split(",")]), None)
            hint = f"it stands in the key '{shared}': name that in full" if shared else suggestion(name, _names(base))
            self._missing(key, path, what, hint)
        return found

    def _missing(self, key: Node, path: Path, what: str, hint: str) -> None:
        where = f" in '{' '.join(path)}'" if path else ""
        gone = self._removed.get((*path, key.text or ""))
        if gone is not None:
            hint = f"it is removed at {gone}"
        message = f"'{key.text}' cannot be {what}: the base has no such thing{where}"
        self.problems.add(key.place, "not-in-base", message, hint)

    def _note(self, kind: str, path: Path, place: Place, base: Place | None) -> None:
        self.changes.append(Change(kind, path, place, base))


def _adds_to_something(node: Node) -> bool:
    """Whoever adds to a list counts on what has it."""
    pairs = node.pairs or ()
    return any((key.text or "").strip("+") != key.text or _adds_to_something(value) for key, value in pairs)


def _likely(name: str, base: Node, extends: bool) -> str:
    """What is meant where nothing of this name is there to add to."""
    close = closest(name, _names(base))
    if close or not extends:
        return suggestion(name, _names(base))
    return f"what is new is '{name}:', without '+'"


def _names(node: Node) -> list[str]:
    return [key.text or "" for key, _ in node.pairs or ()]


def _last(path: Sequence[str]) -> str:
    return path[-1] if path else ""


def _with(node: Node, pair: Pair) -> Node:
    """The mapping with this pair in the place of the one of its name, or at its end."""
    pairs = node.pairs or ()
    if all(key.text != pair[0].text for key, _ in pairs):
        return attrs.evolve(node, pairs=(*pairs, pair))
    return attrs.evolve(node, pairs=tuple(pair if key.text == pair[0].text else (key, value) for key, value in pairs))


def _placed(node: Node, base: Place) -> Node:
    return attrs.evolve(node, place=attrs.evolve(node.place, over=base.over or str(base)))


def _over(node: Node, base: Place) -> Node:
    """What stands for something of the base, with the items of a list and the branches of what is done."""
    node = _placed(node, base)
    if node.items is not None:
        return attrs.evolve(node, items=tuple(_over(item, base) for item in node.items))
    if node.pairs is not None:
        return attrs.evolve(node, pairs=tuple((_placed(key, base), _over(value, base)) for key, value in node.pairs))
    return node


def _joined(base: Node, more: Node, first: bool) -> Node:
    """A list with further items; what is one value is a list of it, what is empty has none."""
    old, new = (each.items if each.items is not None else (each,) if each.text != "" else () for each in (base, more))
    new = (more,) if more.pairs is not None else new
    return Node(base.place, items=(*new, *old) if first else (*old, *new))
