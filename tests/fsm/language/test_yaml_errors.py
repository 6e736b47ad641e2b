"""Texts that are not YAML: the usual mistakes by cause, cure and place, whichever parser found them."""

from __future__ import annotations

import pytest
import yaml

from fsm.language import yaml_nodes
from fsm.language.problem import SpecError

MISTAKES = [
    ("a:\n\tb: 1\n", (2, 1), "a tab", "indent with spaces"),
    ("a: @b\n", (1, 4), "a value cannot begin with this character", "in quotes"),
    ("a: `b`\n", (1, 4), "a value cannot begin with this character", "in quotes"),
    ("a: b: c\n", (1, 5), "a ':' within a value", "in quotes"),
    ("a: b\n  c: d\n", (2, 4), "this line belongs to nothing", "the same indentation"),
    ("a: {b: 1\nc: 2\n", (1, 4), "a '{' is not closed", "close it"),
    ("a: {b: {c: 1}\n", (1, 4), "a '{' is not closed", "close it"),
    ("a: [b, c\nd: 2\n", (1, 4), "a '[' is not closed", "close it"),
    ('a: "b\nc: 2\n', (1, 4), "a quote is not closed", "the same quote"),
    ("a:\n    b: 1\n  c: 2\n", (3, 3), "indentation fits no line above", "the same indentation"),
    ("a: 1\nb\nc: 2\n", (2, 1), "a key without a ':'", "'key: value'"),
    ("a:\n  - b\n  c: d\n", (3, 3), "a list among keys", "'- ' before each"),
    ("a: *b\n", (1, 4), "is YAML's own", "in quotes"),
    ("a: *\n", (1, 5), "is YAML's own", "in quotes"),
    ('a: "\\q"\n', (1, 5), "begins an escape", "single quotes"),
    ("a: 1\nb: 2\x01\n", (2, 5), "not allowed", "UTF-8"),
]


LOADER = yaml_nodes._Loader


@pytest.mark.parametrize("loader", [LOADER, yaml.SafeLoader])
@pytest.mark.parametrize(("text", "at", "cause", "cure"), MISTAKES)
def test_a_usual_mistake_has_its_place_its_cause_and_its_cure(
    text: str, at: tuple[int, int], cause: str, cure: str, loader: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_nodes, "_Loader", loader)
    with pytest.raises(SpecError) as raised:
        yaml_nodes.read(text, "f.yaml")
    (problem,) = raised.value.problems
    assert problem.message.startswith("this is not YAML: ") and cause in problem.message and cure in problem.hint
    if loader is LOADER:
        assert (problem.place.line, problem.place.column) == at
    else:  # PyYAML's own parser sees some things a line or a column later
        assert abs(problem.place.line - at[0]) <= 1


def test_what_is_no_usual_mistake_is_told_in_the_parsers_words() -> None:
    with pytest.raises(SpecError, match=r"f.yaml:1:5: error\[yaml\]: this is not YAML: while scanning a block scalar"):
        yaml_nodes.read("a: |b\n", "f.yaml")
