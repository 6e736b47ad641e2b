"""Configuration nodes as values: `${NAME}` expanded, scalars by the rules of YAML 1.2. Never what a key means.

What is wrong goes to `problems` with its place and its key, and a harmless value comes back, so that all of it is told
at once. A scalar has the type it is written in: `5` is no text and `"5"` no number; a `${NAME}` has the type that is
expected. A problem quotes what is written in the file and never what an environment variable holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fsm.language.problem import Problems, suggestion
from fsm.language.reading import Reader
from fsm.language.source import Node

_REFERENCE: Final = re.compile(r"\$(\$(?=\{)|\{([^{}]*)\}|\{)")
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)

# The core schema of YAML 1.2.2, section 10.3.2.
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGERS: Final = (
    (re.compile(r"[-+]?[0-9]{1,18}"), 10),
    (re.compile(r"0o[0-7]{1,21}"), 8),
    (re.compile(r"0x[0-9a-fA-F]{1,15}"), 16),
)
_REAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_LOOKS_BOOLEAN: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar by the core schema of YAML 1.2: `yes` and `1:30` are texts, `0o17` and `1e3` are numbers."""
    if text in _NULL:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(text):
            return int(text, base)
    return float(text) if _REAL.fullmatch(text) else text


class SettingsReader(Reader):
    """`environment` is where `${NAME}` looks; `used` collects what it found there."""

    def __init__(self, problems: Problems, environment: Mapping[str, str]) -> None:
        super().__init__(problems)
        self.environment = environment
        self.used: dict[str, str] = {}
        self._paths: dict[int, str] = {}  # of nodes, by identity: the tree outlives its reader

    # --- which key it is ----------------------------------------------------------------------------------------------

    def mapping(self, node: Node, keys: Sequence[str]) -> dict[str, Node]:
        """A mapping that may hold only `keys`."""
        if node.pairs is None and node.text != "":
            self._mistyped(node, "a mapping")
            return {}
        found = super().mapping(node, keys)
        outer = self._paths.get(id(node))
        for name, item in found.items():
            self._paths[id(item)] = f"{outer}.{name}" if outer else name
        return found

    def listed(self, node: Node) -> tuple[Node, ...]:
        """The items of a list; none where nothing is written."""
        if node.items is None:
            if node.text != "":
                self._mistyped(node, "a list")
            return ()
        for index, item in enumerate(node.items):
            self._paths[id(item)] = f"{self._paths.get(id(node), '')}[{index}]"
        return node.items

    def tell(self, node: Node, code: str, message: str, hint: str = "") -> None:
        """A problem of a node, under the name of its key."""
        path = self._paths.get(id(node))
        self.problems.add(node.place, code, f"{path}: {message}" if path else message, hint)

    def _mistyped(self, node: Node, expected: str, hint: str = "") -> None:
        self.tell(node, "type", f"{expected} is expected here, this is {_a_kind(node)}", hint)

    # --- texts --------------------------------------------------------------------------------------------------------

    def expanded(self, node: Node, expected: str = "a text") -> str | None:
        """The text of a node with every `${NAME}` and `${NAME:-default}` replaced; `$${` is a literal `${`.

        None where it cannot be, or where it is no text: a problem already.
        """
        if node.text is None or not isinstance(_written(node), str | None):
            self._mistyped(node, expected, "write it in quotes" if node.text is not None else "")
            return None
        return self._expanded(node, node.text)

    def _expanded(self, node: Node, text: str) -> str | None:
        failed = False

        def replace(match: re.Match[str]) -> str:
            nonlocal failed
            if match[1] == "$":
                return "$"
            value = self._looked_up(node, match[2])
            failed |= value is None
            return value or ""

        result = _REFERENCE.sub(replace, text) if "${" in text else text
        return None if failed else result

    def _looked_up(self, node: Node, inside: str | None) -> str | None:
        named = _NAME.fullmatch(inside) if inside is not None else None
        if named is None:
            hint = "write ${NAME} or ${NAME:-default}; $${ is a literal ${"
            self.tell(node, "environment", "a ${...} here names no variable", hint)
            return None
        name, default = named[1], named[2]
        value = self.environment.get(name)
        if default is not None:
            value = value or default
        if value is None:
            hint = f"set it, or write ${{{name}:-default}}"
            self.tell(node, "environment", f"the environment variable {name} is not set", hint)
            return None
        self.used[name] = value
        return value

    def text(self, node: Node) -> str:
        """The text of a node, expanded; "" where it is none."""
        return self.expanded(node) or ""

    def filled(self, node: Node) -> str | None:
        """A text with something in it."""
        text = self.expanded(node)
        if text is not None and not text.strip():
            self.tell(node, "empty", "a text is expected here, this is empty")
            return None
        return text

    def choice(self, node: Node, allowed: Sequence[str]) -> str | None:
        """One of `allowed`."""
        text = self.expanded(node)
        if text is None or text in allowed:
            return text
        self._misfit(node, "unknown-name", "is not known here", suggestion(node.text or "", allowed))
        return None

    # --- numbers, true and false --------------------------------------------------------------------------------------

    def flag(self, node: Node) -> bool | None:
        """`true` or `false`."""
        value = self._typed(node, "true or false")
        if value is _UNTYPED or isinstance(value, bool):
            return value if isinstance(value, bool) else None
        fix = _LOOKS_BOOLEAN.get(str(node.text).lower())
        self._misfit(node, "type", "is neither true nor false", f"write {fix}" if fix else "")
        return None

    def whole(self, node: Node, least: int, most: int) -> int | None:
        """A whole number from `least` to `most`."""
        value = self._typed(node, f"a whole number from {least} to {most}")
        if value is _UNTYPED:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self._misfit(node, "type", f"is no whole number from {least} to {most}")
        return None

    def real(self, node: Node, least: float, most: float) -> float | None:
        """A number from `least` to `most`."""
        value = self._typed(node, f"a number from {least:g} to {most:g}")
        if value is _UNTYPED:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            return float(value)
        self._misfit(node, "type", f"is no number from {least:g} to {most:g}")
        return None

    def _typed(self, node: Node, expected: str) -> object:
        """What a scalar stands for; _UNTYPED where a problem has been told."""
        if node.text is None:
            self._mistyped(node, expected)
            return _UNTYPED
        if node.quoted and "${" not in node.text:
            self.tell(node, "type", f"'{node.text}' in quotes is a text; {expected} is expected here")
            return _UNTYPED
        text = self._expanded(node, node.text)
        return _UNTYPED if text is None else scalar(text)

    def _misfit(self, node: Node, code: str, complaint: str, hint: str = "") -> None:
        self.tell(node, code, f"'{node.text}' {complaint}" if node.text else f"this {complaint}", hint)

    # --- anything -----------------------------------------------------------------------------------------------------

    def value(self, node: Node, lenient: bool = False) -> object:
        """A node of any form as JSON has it: dicts, lists, texts, numbers, true, false, null.

        What is written in quotes or as a block is a text; anything else is what YAML 1.2 says it is, once expanded.
        `lenient`: a `${NAME}` in quotes, too; inside { } it cannot be written otherwise.
        """
        if node.pairs is not None:
            return {str(key.text): self.value(item, lenient) for key, item in node.pairs}
        if node.items is not None:
            return [self.value(item, lenient) for item in node.items]
        raw = node.text or ""
        text = self._expanded(node, raw)
        if text is None:
            return None
        return text if node.quoted and not (lenient and "${" in raw) else scalar(text)

    def section(self, node: Node | None, keys: Mapping[str, Callable[[Node], None]], needs: Sequence[str] = ()) -> None:
        """A mapping whose every key has its reader."""
        found = self.mapping(node, tuple(keys)) if node is not None and node.text != "" else {}
        for key, read in keys.items():
            if key in found:
                read(found[key])
            elif key in needs and node is not None:
                self.tell(node, "missing", f"'{key}:' is missing here")


_UNTYPED: Final = object()


def _written(node: Node) -> str | int | float | bool | None:
    """What a scalar is before anything is expanded."""
    text = node.text or ""
    return text if node.quoted or "${" in text else scalar(text)


def _a_kind(node: Node) -> str:
    if node.text is None:
        return f"a {node.kind}"
    written = _written(node)
    return "a boolean" if isinstance(written, bool) else "a number" if isinstance(written, int | float) else "a text"
