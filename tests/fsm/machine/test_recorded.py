"""Recorded calls: all server events through every spec, as far as a call of ours can be made to fit."""

from __future__ import annotations

import itertools

import pytest

from fsm.machine.wire import at_path
from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.machine.wire_forms import Json
from tests.fsm.stories.story import Story
from tests.recordings import CALLS, Recorded, sent_by


def play(story: Story, events: list[Json], heard: bool) -> list[str]:
    """Plays a recording; our facts in between: the playout hears an answer, tools return at once. All outcomes."""
    first = len(story.steps)
    for event in events:
        effects, _ = story.play(event, str(event["type"]))
        for effect in effects:
            if effect.name == "run_tool":
                story.tell(f"returned {effect.args['call_id']}")
            if effect.name == "flush_playout":
                story.tell("flushed")
        if heard and event["type"] == "response.output_item.added":
            response = str(event["response_id"]).removeprefix("resp_")
            story.tell(f"heard {response} {at_path(event, 'item.id')}")
        if heard and event["type"] == "response.done":
            story.tell("drained")
    return [step.outcome for step in story.steps[first:]]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("spec", NAMES)
def test_a_recording_never_surprises(recorded: Recorded, spec: str, name: str) -> None:
    """Nothing raises, and nothing happens that the spec calls impossible, heard by the caller or not."""
    for heard in (True, False):
        story = Story(spec, owed="none")
        story.tell("opened")
        outcomes = play(story, list(sent_by(recorded(name), "server")), heard)
        assert "impossible" not in outcomes, "\n".join(story.told)
        assert not story.snapshot.is_final
        story.tell("hung_up")
        assert story.state == "closed"


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("spec", NAMES)
def test_a_recording_comes_to_rest(recorded: Recorded, spec: str, name: str) -> None:
    """After it, deadlines alone bring the call to where nobody waits: idle, or politely over."""
    story = Story(spec, owed="none").tell("opened")
    play(story, list(sent_by(recorded(name), "server")), heard=True)
    for _ in range(60):
        due = story.next_due()
        if due is None or story.snapshot.is_final:
            break
        effects, _ = story.cue("timer", [due.name])
        for effect in effects:
            if effect.name == "connect_provider":
                story.tell("unreachable fatal")
            elif effect.name == "play_prompt":
                story.tell("prompt_finished")
    assert story.state in ("configured", "closed"), "\n".join(story.told)


@pytest.mark.parametrize("name", CALLS[:2])
def test_server_vad_follows_a_recorded_call_without_a_word_of_its_own(recorded: Recorded, name: str) -> None:
    """Turns found and answered by the provider: we send nothing but the session's settings."""
    story = Story("server_vad", owed="none").tell("opened")
    events = list(sent_by(recorded(name), "server"))
    play(story, events, heard=True)
    turns = sum(e["type"] == "input_audio_buffer.speech_started" for e in events)
    provider = {e.name for e in story.effects} & {"create_response", "cancel_response", "truncate_item", "commit_audio"}
    assert (provider, story.state) == (set(), "configured"), "\n".join(story.told)
    assert story.count("flush_playout") == turns
    steps = itertools.pairwise(step.snapshot.state for step in story.steps)
    assert sum(pair == ("response_pending", "responding") for pair in steps) == turns


def test_the_tool_round_asks_once(recorded: Recorded) -> None:
    story = Story("server_vad", owed="none").tell("opened")
    play(story, list(sent_by(recorded("ga_openai_tool_call_round"), "server")), heard=False)
    assert (story.count("run_tool"), story.count("send_tool_output")) == (1, 1)
    assert story.count("create_response") == 1, "\n".join(story.told)
