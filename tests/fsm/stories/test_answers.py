"""Each cell of the table in docs/answers.md, in both orders of what becomes known, through every bundled spec."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import pytest

from tests.fsm.stories.story import Story

ROOT = Path(__file__).resolve().parents[3]
ENDS = {
    "completed": "done r1 unheard",
    "incomplete: max_output_tokens": "done r1 limited",
    "incomplete: content_filter": "done r1 filtered",
    "failed": "done r1 failed",
    "cancelled: client_cancelled": "done r1 cancelled",
    "cancelled: turn_detected": "done r1 interrupted",
}
TURNS = {
    "server_vad": ("speech_started {0}", "speech_stopped {0}", "committed {0}", "created {1}"),
    "owned_turns": ("speech_started {0}", "speech_stopped {0}", "committed {0}", "created {1} ours"),
    "push_to_talk": ("key #", "committable", "key #", "committed {0}", "created {1} ours"),
}


def table() -> dict[str, dict[str, str]]:
    """By the end of a response and by what was heard of it: what becomes of the answer."""
    text = (ROOT / "docs/answers.md").read_text(encoding="utf-8")
    head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line[:1] == "|")
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


TABLE = table()
CROSSED = tuple(
    (spec, end) for spec, end in product(TURNS, ENDS) if (spec, end) != ("push_to_talk", "cancelled: turn_detected")
)  # which has no turn detection


def answered(spec: str) -> Story:
    """A call whose first turn r1 is the answer to; nothing of it is known but that it has begun."""
    story = Story(spec, owed="none").ready()
    return turn(story, spec, "u1", "r1")


def turn(story: Story, spec: str, item: str, response: str) -> Story:
    for cue in TURNS[spec]:
        story.tell(cue.format(item, response))
        if cue.startswith(("speech_started", "key")) and story.value("playout") == "flushing":
            story.tell("flushed")
    return story


def becomes(story: Story) -> str:
    """What the machine makes of it: seen from outside, by its creates within a second."""
    before = 0 if story.spec == "server_vad" else 1
    if story.value("playout") == "playing":
        story.tell("drained")
    story.tell("wait 1000")
    asked = story.count("create_response") - before
    if asked:
        assert asked == 1
        return "continued once" if story.value("unfinished") == "continued" else "asked again"
    return {"configured": "settled", "user_speaking": "the caller has the floor"}.get(story.state, story.state)


def test_the_table_has_every_end_of_a_response() -> None:
    assert list(TABLE) == list(ENDS)


@pytest.mark.parametrize(("spec", "end"), CROSSED)
def test_heard_in_either_order(spec: str, end: str) -> None:
    for order in permutations((ENDS[end], "heard r1 i1")):
        if order[0] != "heard r1 i1" and end.startswith(("failed", "cancelled")):
            continue  # asked again by then: nobody waits for what may still be heard of it
        story = answered(spec)
        for cue in order:
            story.tell(cue)
        assert becomes(story) == TABLE[end]["heard"], order


@pytest.mark.parametrize(("spec", "end"), CROSSED)
def test_silent_in_either_order(spec: str, end: str) -> None:
    for order in permutations((ENDS[end], "soundless r1")):
        story = answered(spec)
        for cue in order:
            story.tell(cue)
        assert becomes(story) == TABLE[end]["silent"], order


@pytest.mark.parametrize(("spec", "end"), CROSSED)
def test_cut_by_the_caller_before_it_was_heard(spec: str, end: str) -> None:
    assert TABLE[end]["cut by the caller"] == "with the next turn"
    story = answered(spec).tell("starts r1 i1")
    first = story.count("create_response")
    begin, *rest = TURNS[spec]
    story.tell(begin.format("u2", "r2")).tell("flushed").tell(ENDS[end])
    for cue in rest:
        if cue.startswith("created") and end == "failed":
            story.tell("wait 700")
        story.tell(cue.format("u2", "r2"))
    story.tell("heard r2 i2").tell("done r2").tell("drained").tell("wait 60000")
    asked = story.count("create_response") - first
    assert story.state == "configured" and asked == (0 if spec == "server_vad" else 1)


def test_a_silent_answer_may_be_accepted() -> None:
    story = Story("server_vad", owed="none", silent_answers="accept").ready()
    turn(story, "server_vad", "u1", "r1").tell("done r1 unheard").tell("soundless r1")
    assert becomes(story) == "settled"


# --- a turn in which nothing was said ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["done r1 unheard", "done r1 failed", "done r1 filtered"])
@pytest.mark.parametrize("spec", TURNS)
def test_a_turn_in_which_nothing_was_said_is_not_asked_for_twice(spec: str, end: str) -> None:
    for order in permutations(("wordless u1", end, "soundless r1")):
        if order.index("wordless u1") > order.index(end) and end.endswith("failed"):
            continue  # asked again by then
        story = answered(spec)
        for cue in order:
            story.tell(cue)
        assert becomes(story) == "settled", order


@pytest.mark.parametrize("spec", TURNS)
def test_nor_is_it_said_for_the_session_that_comes_after_the_one_that_lost_its_answer(spec: str) -> None:
    story = answered(spec).tell("wordless u1").tell("closed").tell("timer reconnect_due").opened()
    before = story.count("create_response")
    story.tell("session_updated").tell("wait 60000")
    assert (story.state, story.count("create_response")) == ("configured", before)


@pytest.mark.parametrize("spec", TURNS)
def test_a_noise_does_not_take_away_the_answer_to_what_was_said_before(spec: str) -> None:
    """The first answer was cut before it was heard: the next response answers both, and it is silent."""
    story = turn(answered(spec), spec, "u2", "r2")
    before = story.count("create_response")
    story.tell("wordless u2").tell("done r2 unheard").tell("soundless r2").tell("wait 1000")
    assert story.count("create_response") == before + 1


@pytest.mark.parametrize("spec", TURNS)
def test_the_transcript_of_a_turn_before_says_nothing_of_the_last_one(spec: str) -> None:
    story = turn(answered(spec).tell("heard r1 i1").tell("done r1").tell("drained"), spec, "u2", "r2")
    story.tell("wordless u1").tell("done r2 unheard").tell("soundless r2").tell("wait 1000")
    assert story.count("create_response") == {"server_vad": 1}.get(spec, 3)


@pytest.mark.parametrize("spec", TURNS)
def test_words_that_are_there_change_nothing(spec: str) -> None:
    story = answered(spec).tell("wordless u1 Hello?").tell("done r1 unheard").tell("soundless r1")
    assert becomes(story) == "asked again"
