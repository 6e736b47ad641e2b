"""Configuration nodes as values of attrs classes: cattrs structures the marked YAML nodes by the types of the fields.

A section of the file is a subclass of Section; a new section is a new class. What a field may be is its type: `str`,
`bool`, `Literal[...]`, `tuple[X, ...]`, `X | None`, another Section, `Node` (as it is written), or `Annotated[T, how]`
with a `how` that reads a T from a node (`Between(1, 10)`, a function). What is wrong goes to `problems` with its
place and its key, and the field keeps its default, so that all of it is reported at once.

A scalar has the type it is written in, by YAML 1.2: `5` is not a text and `"5"` not a number; a `${NAME}` has the type
that is expected. A problem quotes what is written in the file and never what an environment variable holds.
"""

from __future__ import annotations

import contextlib
import re
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, Union, get_args, get_origin

import attrs
import cattrs

from fsm.errors import LocalError
from fsm.language.problem import NOWHERE, Place, Problems, suggestion
from fsm.language.yaml_nodes import Node

T = TypeVar("T")

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

Scalar = str | int | float | bool | None


def scalar(text: str) -> Scalar:
    """A plain scalar by the core schema of YAML 1.2: `yes` and `1:30` are texts, `0o17` and `1e3` are numbers."""
    if text in _NULL:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(text):
            return int(text, base)
    return float(text) if _REAL.fullmatch(text) else text


# --- sections: what a file is made of ---------------------------------------------------------------------------------


@attrs.frozen
class Written:
    """What of a section stands in the file, and where, so that a problem that is found later has its place."""

    place: Place = NOWHERE
    pairs: Mapping[str, tuple[Node, Node]] = attrs.field(factory=dict)
    """Key and value of each key that is known."""
    rejected: frozenset[str] = frozenset()
    """Keys whose values are reported as problems; their fields hold the defaults."""

    def place_of(self, key: str) -> Place:
        """Of a value; where it is not written, of the section."""
        return self.pairs[key][1].place if key in self.pairs else self.place


@attrs.frozen(kw_only=True)
class Section:
    """A mapping of the file. Fields without a default are required; with a field `more`, keys that are not known go
    there with a warning. `example` is a hint for whoever writes something else than a mapping."""

    example: ClassVar[str] = ""
    moved: ClassVar[Mapping[str, str]] = {}
    """Keys of older files, and what to write in their place."""
    written: Written = attrs.field(factory=Written, repr=False, eq=False)


class RejectedError(LocalError):
    """A node is not what is expected; the problem is reported already."""


How = Callable[["SettingsReader", Node], object]
"""How to read a value of an annotated type. Raises RejectedError."""


@attrs.frozen
class Between:
    """A number within bounds: a whole one where the bounds are written as such."""

    least: int | float
    most: int | float

    def __call__(self, reader: SettingsReader, node: Node) -> int | float:
        kind = int if isinstance(self.least, int) and isinstance(self.most, int) else float
        expected = f"a {'whole ' if kind is int else ''}number from {self.least:.10g} to {self.most:.10g}"
        value = reader.typed(node, expected)
        fits = isinstance(value, (int, kind)) and not isinstance(value, bool)
        if not fits or not self.least <= kind(value or 0) <= self.most:
            raise reader.rejected(node, "type", f"{_quoted(node)} is not {expected}")
        return kind(value or 0)


# --- the reader -------------------------------------------------------------------------------------------------------


class SettingsReader:
    """`environment` is where `${NAME}` looks, `used` what it found there; paths are relative to `folder`."""

    def __init__(self, problems: Problems, environment: Mapping[str, str], folder: Path) -> None:
        self.problems = problems
        self.environment = environment
        self.folder = folder
        self.used: dict[str, str] = {}
        self.secrets: set[str] = set()
        self._paths: dict[Place, str] = {}  # of values, by where they begin: no two begin at one place
        self._converter = converter = cattrs.Converter()
        converter.register_structure_hook(Node, lambda node, _: node)
        converter.register_structure_hook(str, lambda node, _: self.text(node))
        converter.register_structure_hook(bool, lambda node, _: self._flag(node))
        hooks: Sequence[tuple[Callable[[Any], bool], Callable[[Node, Any], object]]] = (
            (lambda kind: get_origin(kind) is Literal, lambda node, kind: self.choice(node, get_args(kind))),
            (lambda kind: get_origin(kind) is tuple, lambda node, kind: self._list(node, get_args(kind)[0])),
            (lambda kind: get_origin(kind) is Annotated, self._annotated),
            (_is_optional, self._optional),
            (_is_section, self._section),
        )
        for applies, hook in hooks:
            converter.register_structure_hook_func(applies, hook)

    def read(self, node: Node, kind: type[T]) -> T:
        """The node as a value of that type. Raises RejectedError."""
        return self._converter.structure(node, kind)

    def rejected(self, node: Node, code: str, message: str, hint: str = "") -> RejectedError:
        """Reports a problem of a node under the name of its key."""
        path = self._paths.get(node.place)
        self.problems.add(node.place, code, f"{path}: {message}" if path else message, hint)
        return RejectedError(message)

    def mistyped(self, node: Node, expected: str, hint: str = "") -> RejectedError:
        return self.rejected(node, "type", f"{expected} is expected here, this is {_a_kind(node)}", hint)

    # --- mappings and lists -------------------------------------------------------------------------------------------

    def _section(self, node: Node, kind: type[Section]) -> Section:
        """Each known key by the type of its field."""
        if node.pairs is None and node.text != "":
            raise self.mistyped(node, "a mapping", kind.example)
        attrs.resolve_types(kind)
        fields = [field for field in attrs.fields(kind) if field.name not in ("written", "more")]
        pairs = self._known_pairs(node, kind, [field.name for field in fields])
        unknown = len(node.pairs or ()) - len(pairs)
        values: dict[str, Any] = {}
        rejected = set()
        for field in fields:
            _, item = pairs.get(field.name, (None, None))
            try:
                if item is not None:
                    values[field.name] = self._converter.structure(item, field.type)
                elif field.default is attrs.NOTHING:
                    rejected.add(field.name)
                    if not unknown:  # which is reported, and may be this one misspelled
                        self.rejected(node, "missing", f"'{field.name}:' is missing here")
            except RejectedError:
                rejected.add(field.name)
            if field.name not in values and _is_section(field.type):
                values[field.name] = self._section(Node((item or node).place, text=""), field.type)
        if any(field.default is attrs.NOTHING and field.name in rejected for field in fields):
            raise RejectedError
        if "more" in attrs.fields_dict(kind):
            values["more"] = {
                str(key.text): self.value(item) for key, item in node.pairs or () if key.text not in pairs
            }
        return kind(written=Written(node.place, pairs, frozenset(rejected)), **values)

    def _known_pairs(self, node: Node, kind: type[Section], names: Sequence[str]) -> dict[str, tuple[Node, Node]]:
        self._name_children(node)
        for key, _ in node.pairs or ():
            name = str(key.text)
            if name in names:
                continue
            if "more" in attrs.fields_dict(kind):
                message = f"'{name}' is not a key known here; a provider that does not know it rejects the session"
                self.problems.warn(key.place, "unknown-name", message, suggestion(name, names))
            else:
                section = self._paths.get(node.place)
                what = f"'{section}'" if section else "a configuration"
                hint = kind.moved.get(name) or suggestion(name, names)
                self.problems.add(key.place, "unknown-key", f"'{name}' is not a key of {what}", hint)
        return {str(key.text): (key, item) for key, item in node.pairs or () if key.text in names}

    def _name_children(self, node: Node) -> None:
        outer = self._paths.get(node.place, "")
        for key, item in node.pairs or ():
            self._paths[item.place] = f"{outer}.{key.text}" if outer else str(key.text)
        for index, item in enumerate(node.items or ()):
            self._paths[item.place] = f"{outer}[{index}]"

    def _list(self, node: Node, kind: type[object]) -> tuple[object, ...]:
        """The items that are what they should be; none where nothing is written."""
        if node.items is None and node.text != "":
            raise self.mistyped(node, "a list")
        self._name_children(node)
        found = []
        for item in node.items or ():
            with contextlib.suppress(RejectedError):
                found.append(self.read(item, kind))
        return tuple(found)

    def named(self, node: Node, kind: type[T], is_name: re.Pattern[str], what: str) -> dict[str, T]:
        """A mapping of one's own names, each with a value of that type."""
        if node.pairs is None and node.text != "":
            raise self.mistyped(node, f"a mapping of {what}")
        self._name_children(node)
        found: dict[str, T] = {}
        for key, item in node.pairs or ():
            if not is_name.fullmatch(str(key.text)):
                self.problems.add(key.place, "name", f"'{key.text}' is not a name: 1 to 64 letters, digits, _ and -")
                continue
            with contextlib.suppress(RejectedError):
                found[str(key.text)] = self.read(item, kind)
        return found

    def check_names(self, section: Written, key: str, known: Collection[str], what: str) -> None:
        """Names below a key that nothing knows are mistakes; `what` they are not."""
        node = section.pairs[key][1] if key in section.pairs else None
        for name, _ in (node.pairs if node is not None else None) or ():
            if str(name.text) not in known:
                self.problems.add(
                    name.place, "unknown-name", f"'{name.text}' is not {what}", suggestion(str(name.text), known)
                )

    def _optional(self, node: Node, kind: object) -> object:
        """What is left empty is None, but for a text, which is empty."""
        inner = next(each for each in get_args(kind) if each is not types.NoneType)
        base = get_args(inner)[0] if get_origin(inner) is Annotated else inner
        if node.text is not None and (_is_section(base) or base in (bool, int, float)):
            is_plain = not node.quoted or "${" in node.text
            if is_plain and scalar(self._expanded(node, node.text)) is None:
                return None
        return self._converter.structure(node, inner)

    def _annotated(self, node: Node, kind: object) -> object:
        how: How = get_args(kind)[1]
        return how(self, node)

    def value(self, node: Node, lenient: bool = False) -> object:
        """A node of any form as JSON has it: dicts, lists, texts, numbers, true, false, null.

        What is written in quotes or as a block is a text; anything else is what YAML 1.2 says it is, once expanded.
        `lenient`: a `${NAME}` in quotes, too; inside { } it cannot be written otherwise. What is rejected is null.
        """
        self._name_children(node)
        if node.pairs is not None:
            return {str(key.text): self.value(item, lenient) for key, item in node.pairs}
        if node.items is not None:
            return [self.value(item, lenient) for item in node.items]
        raw = node.text or ""
        try:
            text = self._expanded(node, raw)
        except RejectedError:
            return None
        return text if node.quoted and not (lenient and "${" in raw) else scalar(text)

    # --- scalars ------------------------------------------------------------------------------------------------------

    def text(self, node: Node, expected: str = "a text") -> str:
        """The text with every `${NAME}` and `${NAME:-default}` replaced; `$${` is a literal `${`."""
        if node.text is None or not isinstance(_literal(node), str | None):
            raise self.mistyped(node, expected, "write it in quotes" if node.text is not None else "")
        return self._expanded(node, node.text)

    def filled(self, node: Node) -> str:
        """A text with something in it."""
        text = self.text(node)
        if not text.strip():
            raise self.rejected(node, "empty", "a text is expected here, this is empty")
        return text

    def secret(self, node: Node) -> str:
        """A text that no message may show."""
        text = self.text(node)
        self.secrets.add(text)
        return text

    def choice(self, node: Node, names: Iterable[str]) -> str:
        text = self.text(node)
        if text not in names:
            raise self.rejected(
                node, "unknown-name", f"{_quoted(node)} is not known here", suggestion(node.text or "", names)
            )
        return text

    def path(self, text: str) -> Path:
        """Relative to the file; a home that is not there stays as it is written, and is not found."""
        path = Path(text)
        with contextlib.suppress(RuntimeError):
            path = path.expanduser()
        return self.folder / path

    def typed(self, node: Node, expected: str) -> Scalar:
        """What a plain scalar stands for, once expanded."""
        if node.text is None:
            raise self.mistyped(node, expected)
        if node.quoted and "${" not in node.text:
            raise self.rejected(node, "type", f"'{node.text}' in quotes is a text; {expected} is expected here")
        return scalar(self._expanded(node, node.text))

    def _flag(self, node: Node) -> bool:
        value = self.typed(node, "true or false")
        if isinstance(value, bool):
            return value
        fix = _LOOKS_BOOLEAN.get(str(node.text).lower())
        hint = f"write {fix}" if fix else ""
        raise self.rejected(node, "type", f"{_quoted(node)} is neither true nor false", hint)

    def _expanded(self, node: Node, text: str) -> str:
        if "${" not in text:
            return text
        failures: list[RejectedError] = []

        def replace(match: re.Match[str]) -> str:
            try:
                return "$" if match[1] == "$" else self._looked_up(node, match[2] or "")
            except RejectedError as failure:
                failures.append(failure)
                return ""

        expanded = _REFERENCE.sub(replace, text)
        if failures:
            raise failures[0]
        return expanded

    def _looked_up(self, node: Node, inside: str) -> str:
        named = _NAME.fullmatch(inside)
        if named is None:
            hint = "write ${NAME} or ${NAME:-default}; $${ is a literal ${"
            raise self.rejected(node, "environment", "a ${...} here names no variable", hint)
        name, default = named[1], named[2]
        value = self.environment.get(name)
        if default is not None:
            value = value or default
        if value is None:
            hint = f"set it, or write ${{{name}:-default}}"
            raise self.rejected(node, "environment", f"the environment variable {name} is not set", hint)
        self.used[name] = value
        return value


def _is_optional(kind: object) -> bool:
    return get_origin(kind) in (Union, types.UnionType) and types.NoneType in get_args(kind)


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _literal(node: Node) -> Scalar:
    """What a scalar is before anything is expanded."""
    text = node.text or ""
    return text if node.quoted or "${" in text else scalar(text)


def _a_kind(node: Node) -> str:
    if node.text is None:
        return f"a {node.kind}"
    written = _literal(node)
    return "a boolean" if isinstance(written, bool) else "a number" if isinstance(written, int | float) else "a text"


def _quoted(node: Node) -> str:
    return f"'{node.text}'" if node.text else "this"
