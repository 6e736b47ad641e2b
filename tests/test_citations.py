"""Every file and section that a tracked text cites is in the clone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXTS = {".py", ".yaml", ".yml", ".md", ".toml", ".importlinter", ".sh", ".j2", ""}
MARGIN = re.compile(r"\s*\n[ \t]*(?:#|//|\*)?[ \t]*")
FILE = re.compile(r"(?<![\w./-])((?:docs|tests/sequences)/[\w./-]+\.(?:md|yaml|json|py))\b")
NUMBER = r"\d+(?:\.\d+)*"
SECTIONS = re.compile(rf"(?<!\d )\bsections? ({NUMBER}(?:(?:, | and | to |, and ){NUMBER})*)")
RFC = re.compile(r"RFC \d+ section")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
HEADING = re.compile(rf"^#+ ({NUMBER})\b", re.MULTILINE)
GONE = re.compile(r"DESIGN\.md|\bnotes/|\bCONTRACT\b|\.\./shared|(?<![\w/(\[])facts/\w+\.md")
"""Places that a clone does not have."""
MAY_NAME = {"tests/test_citations.py"}
WRITTEN = re.compile(r"[<*{]|\bmine\b|\b(?:X|NAME|PAGE)\b")
"""Names that stand for a file of the reader's own."""


def tracked() -> list[Path]:
    """All that git tracks or would; without git, all there is."""
    asked = ("git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard")
    try:
        listed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts]
    paths = [ROOT / name for name in listed if name not in MAY_NAME]
    return [path for path in paths if path.suffix in TEXTS and path.is_file() and ".git" not in path.parts]


def text_of(path: Path) -> str:
    """Some tracked files are broken on purpose."""
    return path.read_text(encoding="utf-8", errors="replace")


def prose(text: str) -> str:
    """The text as one line: a citation may be broken anywhere, and behind a comment sign."""
    return re.sub(r"\s+", " ", MARGIN.sub(" ", text))


def headings(file: Path) -> set[str]:
    return set(HEADING.findall(file.read_text(encoding="utf-8")))


def spread(numbers: str) -> Iterator[str]:
    """`3.1 to 3.3 and 4`: 3.1, 3.2, 3.3, 4."""
    for part in re.split(r", and |, | and ", numbers):
        first, _, last = part.partition(" to ")
        if last and "." in last:
            chapter = first.rpartition(".")[0]
            low, high = (int(number.rpartition(".")[2]) for number in (first, last))
            yield from (f"{chapter}.{number}" for number in range(low, high + 1))
        elif last:
            yield from map(str, range(int(first), int(last) + 1))
        else:
            yield first


def missing_sections(text: str) -> Iterator[str]:
    """Sections are those of the document cited last; of an RFC they are somebody else's."""
    line = RFC.sub("RFC", prose(text))
    cited = [(found.start(), found[1]) for found in re.finditer(r"(docs/[\w./-]+\.md)", line)]
    for found in SECTIONS.finditer(line):
        before = [name for place, name in cited if place < found.start()]
        if before and (ROOT / before[-1]).is_file():
            there = headings(ROOT / before[-1])
            yield from (f"{before[-1]} section {number}" for number in spread(found[1]) if number not in there)


def missing_files(text: str) -> Iterator[str]:
    for found in FILE.finditer(prose(text)):
        if not WRITTEN.search(found[1]) and not (ROOT / found[1]).is_file():
            yield found[1]


def test_there_is_something_to_read() -> None:
    assert len(tracked()) > 400


def test_every_cited_file_is_here() -> None:
    missing = [(str(p.relative_to(ROOT)), name) for p in tracked() for name in missing_files(text_of(p))]
    assert missing == []


def test_every_cited_section_is_there() -> None:
    missing = [
        (str(path.relative_to(ROOT)), name)
        for path in tracked()
        if "docs/facts" not in str(path)
        for name in missing_sections(text_of(path))
    ]
    assert missing == []


def test_nothing_points_outside_of_the_repository() -> None:
    pointing = [(str(path.relative_to(ROOT)), found[0]) for path in tracked() for found in GONE.finditer(text_of(path))]
    assert pointing == []


def test_every_link_of_a_page_leads_somewhere() -> None:
    missing = [
        (str(page.relative_to(ROOT)), link)
        for page in tracked()
        if page.suffix == ".md"
        for link in LINK.findall(text_of(page))
        if "://" not in link and not link.startswith("mailto:") and not (page.parent / link).exists()
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("# see docs/facts/telephony.md section 1\n", []),
        ("# see docs/facts/telephony.md\n#   section 99.", ["docs/facts/telephony.md section 99"]),
        ("docs/facts/realtime_api.md sections 3.1 to 3.7, 4 and 3.99", ["docs/facts/realtime_api.md section 3.99"]),
        ("docs/facts/realtime_api.md section 4, RFC 6455 section 99", []),
    ],
)
def test_a_section_that_is_not_there_is_found(text: str, missing: list[str]) -> None:
    assert list(missing_sections(text)) == missing


def test_a_file_that_is_not_there_is_found() -> None:
    text = "as docs/facts/nowhere.md has it, and docs/facts/telephony.md"
    assert list(missing_files(text)) == ["docs/facts/nowhere.md"]
