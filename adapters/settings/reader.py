"""Configuration nodes as values: `${NAME}` expanded, scalars by the rules of YAML 1.2. Never what a key means.

What is wrong goes to `problems` with its place, and a harmless value comes back, so that all of it is told at once.
A problem quotes what is written in the file and never what an environment variable holds.
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

    def expanded(self, node: Node) -> str | None:
        """The text of a node with every `${NAME}` and `${NAME:-default}` replaced; `$${` is a literal `${`.

        None where it cannot be, which is then a problem already.
        """
        text = node.text
        if text is None:
            self.problems.add(node.place, "type", f"a text is expected here, this is a {node.kind}")
            return None
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
            self.problems.add(node.place, "environment", "a ${...} here names no variable", hint)
            return None
        name, default = named[1], named[2]
        value = self.environment.get(name)
        if default is not None:
            value = value or default
        if value is None:
            hint = f"set it, or write ${{{name}:-default}}"
            self.problems.add(node.place, "environment", f"the environment variable {name} is not set", hint)
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
            self.problems.add(node.place, "empty", "a text is expected here, this is empty")
            return None
        return text

    def choice(self, node: Node, allowed: Sequence[str]) -> str | None:
        """One of `allowed`."""
        text = self.expanded(node)
        if text is None or text in allowed:
            return text
        self._misfit(node, "unknown-name", "is not known here", suggestion(node.text or "", allowed))
        return None

    def flag(self, node: Node) -> bool | None:
        text = self.expanded(node)
        if text is None or text in _BOOLS:
            return None if text is None else _BOOLS[text]
        fix = _LOOKS_BOOLEAN.get(text.lower())
        self._misfit(node, "type", "is neither true nor false", f"write {fix}" if fix else "")
        return None

    def whole(self, node: Node, least: int, most: int) -> int | None:
        """A whole number from `least` to `most`."""
        value = self._number(node)
        if value is None:
            return None
        if isinstance(value, int) and least <= value <= most:
            return value
        self._misfit(node, "type", f"is no whole number from {least} to {most}")
        return None

    def real(self, node: Node, least: float, most: float) -> float | None:
        """A number from `least` to `most`."""
        value = self._number(node)
        if value is None:
            return None
        if isinstance(value, int | float) and least <= value <= most:
            return float(value)
        self._misfit(node, "type", f"is no number from {least:g} to {most:g}")
        return None

    def _number(self, node: Node) -> int | float | str | None:
        """A number, "" for what is none; None where a problem has been told."""
        text = self.expanded(node)
        if text is None:
            return None
        value = scalar(text)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else ""

    def _misfit(self, node: Node, code: str, complaint: str, hint: str = "") -> None:
        self.problems.add(node.place, code, f"'{node.text}' {complaint}" if node.text else f"this {complaint}", hint)

    def value(self, node: Node) -> object:
        """A node of any form as JSON has it: dicts, lists, texts, numbers, true, false, null.

        What is written in quotes or as a block is a text; anything else is what YAML 1.2 says it is, once expanded.
        """
        if node.pairs is not None:
            return {str(key.text): self.value(item) for key, item in node.pairs}
        if node.items is not None:
            return [self.value(item) for item in node.items]
        text = self.expanded(node)
        if text is None:
            return None
        return text if node.quoted else scalar(text)

    def section(self, node: Node | None, keys: Mapping[str, Callable[[Node], None]], needs: Sequence[str] = ()) -> None:
        """A mapping whose every key has its reader."""
        found = self.mapping(node, tuple(keys)) if node is not None and node.text != "" else {}
        for key, read in keys.items():
            if key in found:
                read(found[key])
            elif key in needs and node is not None:
                self.problems.add(node.place, "missing", f"'{key}:' is missing here")
