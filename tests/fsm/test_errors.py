"""Whose an error is can be told by its class: every exception of the product derives from the one base."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from fsm.errors import LocalError, RemoteError, TurnspecError

ROOT = Path(__file__).parents[2]
BOTH = {"CallEndedError"}
"""Raised on purpose, and neither side is wrong."""


def classes() -> dict[str, list[type]]:
    """Each class of fsm, adapters and tools whose name or base says that it is an error, as the modules define it."""
    found: dict[str, list[type]] = {}
    for path in sorted(file for room in ("fsm", "adapters", "tools") for file in (ROOT / room).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in (each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)):
            if any(ast.unparse(base).endswith(("Error", "Exception", "Warning")) for base in node.bases):
                module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
                found.setdefault(node.name, []).append(getattr(module, node.name))
    return found


def test_every_error_of_the_product_has_the_one_base_and_is_ours_or_theirs() -> None:
    known = {name: kinds for name, kinds in classes().items() if kinds != [TurnspecError]}
    assert len(known) > 20 and {"SpecError", "WireError", "GitError", "SpinError"} <= set(known)
    for name, kinds in known.items():
        for kind in kinds:
            assert issubclass(kind, TurnspecError), kind
            assert name in BOTH or issubclass(kind, LocalError) != issubclass(kind, RemoteError), kind


def test_what_callers_catch_as_a_builtin_error_still_is_one() -> None:
    known = classes()
    for name in ("EncodingError", "EndpointError", "SettingsError", "ToolError"):
        assert all(issubclass(kind, ValueError) for kind in known[name])
