"""How turnspec is installed: `fsm`, `adapters` and `specs` below `turnspec`, each of which is others' name, too.

A build step of setuptools (pyproject.toml, tool.setuptools.cmdclass). In a checkout the folders stay where they are.
Imports are rewritten in the copies that go into the wheel, so that what is installed is plain Python without a hook.
"""

from __future__ import annotations

import ast
from pathlib import Path

from setuptools.command.build_py import build_py

BELOW = ("fsm", "adapters", "specs")
TOP = "turnspec"


def below(text: str, name: str) -> str:
    """The module with its imports of ours below `turnspec`. ValueError names an import that cannot be."""
    lines = text.splitlines(keepends=True)
    places = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and not node.level and _is_ours(node.module):
            column = lines[node.lineno - 1].encode()[node.col_offset :].index(b"from") + node.col_offset + len("from ")
            places.append((node.lineno, column))
        elif isinstance(node, ast.Import) and any(_is_ours(alias.name) and not alias.asname for alias in node.names):
            raise ValueError(f"{name}:{node.lineno}: write `from ... import ...`: this binds a name that is not ours")
        elif isinstance(node, ast.Import):
            places += [(alias.lineno, alias.col_offset) for alias in node.names if _is_ours(alias.name)]
    for line, column in sorted(places, reverse=True):
        raw = lines[line - 1].encode()
        lines[line - 1] = (raw[:column] + f"{TOP}.".encode() + raw[column:]).decode()
    return "".join(lines)


def _is_ours(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] in BELOW


class BuildBelow(build_py):
    """Modules, and files beside them, of packages that go below; the others as they are."""

    def get_module_outfile(self, build_dir: str, package: object, module: str) -> str:
        parts = list(package) if isinstance(package, list | tuple) else str(package).split(".")
        return str(super().get_module_outfile(build_dir, _placed(parts), module))  # type: ignore[no-untyped-call]

    def build_module(self, module: str, module_file: str, package: str) -> object:
        done: object = super().build_module(module, module_file, package)  # type: ignore[no-untyped-call]
        outfile = Path(self.get_module_outfile(self.build_lib, package, module))
        written = outfile.read_text(encoding="utf-8")
        moved = below(written, module_file)
        if moved != written:
            outfile.unlink()  # it may be a link to the source
            outfile.write_text(moved, encoding="utf-8")
        return done

    def build_package_data(self) -> None:
        """As setuptools does it, with other targets."""
        for package, folder, _, files in self.data_files:
            target = Path(self.build_lib, *_placed(package.split(".")))
            for file in files:
                path = target / file
                self.mkpath(str(path.parent))
                self.copy_file(str(Path(folder, file)), str(path))


def _placed(parts: list[str]) -> list[str]:
    return [TOP, *parts] if parts and parts[0] in BELOW else parts
