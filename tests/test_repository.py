"""What a newcomer meets first: README, glossary, pyproject. They are short, true and complete."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {"turnspec", "fsm", "adapters", "specs", "tests", "tools", "bench", "examples"}
PRODUCT = ("fsm", "adapters", "specs")
MAINTENANCE = ("turnspec", "tools", "bench", "tests", "examples")
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "attr": "attrs",
    "pytest_asyncio": "pytest-asyncio",
    "prometheus_client": "prometheus-client",
    "deepgram": "deepgram-sdk",
}
TERM = re.compile(r"\*\*([\w ]+)\*\*")


def project() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return found


def named(requirements: object) -> set[str]:
    assert isinstance(requirements, list)
    return {re.split(r"[\s<>=!\[;]", text, maxsplit=1)[0].lower() for text in requirements}


def imported(folders: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(file, distribution) of every import of somebody else's."""
    for file in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in (name.partition(".")[0] for name in names):
                if name not in sys.stdlib_module_names and name not in OURS:
                    yield str(file.relative_to(ROOT)), DISTRIBUTIONS.get(name, name)


def declared() -> tuple[set[str], set[str]]:
    """What a user installs at the very least, and with every extra."""
    table = project()["project"]
    extras = table["optional-dependencies"]
    assert isinstance(extras, dict)
    least = named(table["dependencies"])
    return least, least.union(*(named(extra) for extra in extras.values()))


def test_the_product_imports_what_it_declares() -> None:
    least, everything = declared()
    # turnspec[draw], [twilio] and [ari], [http], [metrics], [kit], [fast], [editor], [cluster]
    optional = {
        "pygraphviz",
        "httpx2",
        "starlette",
        "uvicorn",
        "h11",
        "prometheus-client",
        "trustme",
        "uvloop",
        "redis",
        "pygls",
        "lsprotocol",
    }
    missing = [(file, name) for file, name in imported(PRODUCT) if name not in least | (optional & everything)]
    assert missing == []


def test_tools_and_tests_import_what_is_declared() -> None:
    _, everything = declared()
    elsewhere = "tools/clients/calls/"  # run in environments of their own
    found = [(file, name) for file, name in imported(MAINTENANCE) if not file.startswith(elsewhere)]
    assert [(file, name) for file, name in found if name not in everything] == []


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    requirements = [line for line in block.splitlines() if re.match(r'\s+"', line)]
    assert len(requirements) > 20
    assert [line for line in requirements if "#" not in line] == []


def test_the_readme_is_short_and_leaves_the_licence_to_the_owner() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 180
    assert "make demo" in text and "make test" in text
    assert re.search(r"licence.*left to\s+its owner", text, re.IGNORECASE)


def test_a_class_name_exists_once() -> None:
    """Whoever searches for a class finds it."""
    found: dict[str, list[str]] = {}
    for path in (path for folder in (*PRODUCT, "tools", "bench") for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert len(found) > 300
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


@cache
def sources() -> str:
    files = (path for folder in OURS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml"))
    return "\n".join(
        path.read_text(encoding="utf-8", errors="replace").lower() for path in files if path != Path(__file__)
    )


def terms() -> list[str]:
    return TERM.findall((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("term", terms())
def test_a_word_of_the_glossary_is_one_of_the_sources(term: str) -> None:
    assert re.search(rf"\b{term}|_{term}", sources()), f"'{term}' stands in no source"


def test_a_word_is_explained_once() -> None:
    assert len(terms()) == len(set(terms())) > 40


def test_what_make_test_fast_runs_is_there() -> None:
    lines = (ROOT / "tests" / "fast.txt").read_text(encoding="utf-8").split()
    assert [line for line in lines if not (ROOT / line.removeprefix("--deselect=")).exists()] == []
