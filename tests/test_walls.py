"""The walls between packages, as far as import-linter cannot say them (`make walls` says the rest)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN_CALLS = {"open", "print", "input", "breakpoint"}


def trees(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and bare name (or attribute) of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            yield node.lineno, name


def test_the_core_opens_no_file_and_prints_nothing() -> None:
    bare = [(file, n) for file, tree in trees("fsm") for n in ast.walk(tree) if isinstance(n, ast.Call)]
    names = [(f"{file}:{n.lineno}", n.func.id) for file, n in bare if isinstance(n.func, ast.Name)]
    assert [call for call in names if call[1] in FORBIDDEN_CALLS] == []


def test_only_the_executor_sends_control_and_takes_the_control_side() -> None:
    names = {"send_control", "take_control"}
    found = {file for file, tree in trees("adapters") for _, name in calls(tree) if name in names}
    assert found == {
        "adapters/call/executor.py",
        "adapters/doctor/provider.py",
    }  # the doctor has a session, and no call


def test_only_steps_move_the_machine() -> None:
    """Nobody but the one loop (and tools that step without a call) calls `step` on a machine."""
    found = {file for file, tree in trees("adapters") for _, name in calls(tree) if name == "step"}
    assert found <= {"adapters/call/call.py"}


@pytest.mark.parametrize("folder", ["fsm", "adapters", "tools"])
def test_every_module_says_what_lives_here(folder: str) -> None:
    silent = [file for file, tree in trees(folder) if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_schedules_come_from_the_loop_clock() -> None:
    """`time.monotonic` and friends would escape the tests' virtual time."""
    banned = {"time.monotonic", "time.perf_counter", "time.sleep"}
    packages = ("audio", "lines", "providers", "call", "simulator", "websocket")
    nodes = [(file, node) for name in packages for file, tree in trees(f"adapters/{name}") for node in ast.walk(tree)]
    uses = [(file, n.lineno) for file, n in nodes if isinstance(n, ast.Attribute) and ast.unparse(n) in banned]
    assert uses == []
