"""What `turnspec` promises to programs: these names, typed and explained, and nothing else."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import turnspec
from turnspec import _exports

ROOT = Path(__file__).resolve().parents[1]
PROMISED = {
    "ActiveCall", "Answer", "BridgeProcess", "BridgeStartError", "CALLER_FAULTS", "CallFault", "KitUseError",
    "LocalError", "PROVIDER_FAULTS", "PhoneCall", "PhoneSimulator", "RealtimeSimulator", "RemoteError", "ScenarioError",
    "Tool", "TurnspecError", "free_port",
}  # fmt: skip


def imported_for_types() -> set[str]:
    tree = ast.parse(Path(str(turnspec.__file__)).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    return {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_the_promise_is_these_names() -> None:
    """A name that goes away breaks somebody: that is a new major version and a line in CHANGELOG.md."""
    assert set(turnspec.__all__) == PROMISED
    assert dir(turnspec) == sorted(PROMISED)


def test_what_a_type_checker_sees_is_what_is_there() -> None:
    tree = ast.parse(Path(str(_exports.__file__)).read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    there = {alias.name for node in found for alias in node.names}
    assert imported_for_types() == PROMISED == there
    assert all(getattr(turnspec, name) is getattr(_exports, name) for name in PROMISED)


@pytest.mark.parametrize("name", sorted(name for name in PROMISED if name != name.upper()))
def test_each_is_explained(name: str) -> None:
    assert inspect.getdoc(getattr(turnspec, name))


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_each_is_in_the_documentation(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs/kit.md").read_text(encoding="utf-8")


def test_a_name_that_is_not_promised_is_said() -> None:
    with pytest.raises(AttributeError, match="turnspec has no 'Machine'; there are CALLER_FAULTS"):
        _ = turnspec.Machine
