"""The calls at the head of specs/parts/conversation/answers.yaml: what is owed after each cue is what stands there."""

from __future__ import annotations

import pytest

from tests.fsm.bundle import ANSWERS, text_of
from tests.fsm.stories.story import Story

HEAD = [line.lstrip("# ") for line in text_of(ANSWERS).split("offers:")[0].splitlines()]
AFTER, *VARIABLES = next(line for line in HEAD if line.startswith("after ")).split()
RUNS = {
    title: rows.splitlines() for title, _, rows in (run.partition("\n") for run in "\n".join(HEAD).split("--- ")[1:])
}


@pytest.mark.parametrize("title", RUNS)
def test_debts_are_what_the_table_says(title: str) -> None:
    spec, _, _ = title.partition(":")
    story = Story(spec, owed="none").ready()
    rows = [row for row in RUNS[title] if row and not row.startswith("A spec")]
    assert len(rows) >= 3
    for row in rows:
        words = row.split()
        cue, said = words[: -len(VARIABLES)], words[-len(VARIABLES) :]
        story.cue(cue[0], cue[1:])
        found = [story.value(variable) for variable in VARIABLES]
        assert ["." if value in ("none", "no") else value for value in found] == said, row
