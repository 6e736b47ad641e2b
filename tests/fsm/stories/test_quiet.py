"""Nobody waits in silence: a caller who is owed something hears a word every six seconds; one who is not, none."""

from __future__ import annotations

import pytest

from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.stories.story import Story


@pytest.mark.parametrize("spec", NAMES)
def test_while_we_connect_and_connect_again(spec: str) -> None:
    story = Story(spec).tell("wait 30000")
    assert story.count("reassure") >= 2 or story.state in ("closing", "closed"), "\n".join(story.told)


@pytest.mark.parametrize("spec", NAMES)
def test_a_frozen_provider_leaves_nobody_in_silence(spec: str) -> None:
    """Created, and then nothing more."""
    story = Story(spec, owed="greeting").opened()
    story.tell("session_updated").tell("created g ours | responding |").tell("wait 5999 | responding =nothing |")
    story.tell("wait 1 | responding | reassure")


def test_the_wait_is_counted_from_the_last_sound_and_not_from_the_last_event() -> None:
    story = Story("server_vad", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        wait 20000        | user_speaking    =nothing |
        speech_stopped u1 | response_pending | unwatch_silence
        wait 1500
        committed u1      | response_pending |
        wait 3000
        created r1        | responding       |
        wait 1499         | responding       =nothing |
        wait 1            | responding       | reassure
        wait 3999         | responding       =nothing |
        """
    )


@pytest.mark.parametrize("spec", NAMES)
def test_nobody_is_asked_to_wait_for_nothing(spec: str) -> None:
    assert Story(spec, owed="none").ready().tell("wait 3600000").count("reassure") == 0


def test_the_longest_turn_ends_on_a_line_that_is_never_quiet() -> None:
    story = Story("owned_turns", owed="none").ready()
    story.tell("speech_started u1 | user_speaking | flush_playout() watch_silence").tell("flushed")
    story.tell("wait 60000 | response_pending | commit_audio unwatch_silence")
    story.tell("wait 2000 | response_pending | create_response(turn)")


@pytest.mark.parametrize("spec", ["server_vad", "owned_turns"])
def test_a_turn_that_nothing_announced_cuts_what_plays(spec: str) -> None:
    ours = " ours" if spec == "owned_turns" else ""
    story = Story(spec, owed="none").ready().tell("committed u1").tell(f"created r1{ours}")
    story.tell("heard r1 i1 | responding |").tell("committed u2")
    assert story.effects[-1].name in ("flush_playout", "create_response") and story.count("flush_playout") == 1
    assert story.count("cancel_response") == 1
