"""The provider's socket breaks: what is owed is asked of the next session, the history is told, no second greeting."""

from __future__ import annotations

import pytest

from fsm.machine.ledgers.realtime.ids import Ledger
from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.stories.places import SESSION, in_state
from tests.fsm.stories.story import Story

AGAIN = """
    timer reconnect_due | connecting               | connect_provider
    opened              | awaiting_session_created |
    session_created     | configuring              | update_session
"""


def ids(story: Story) -> Ledger:
    ledger = story.snapshot.ledger
    assert isinstance(ledger, Ledger)
    return ledger


def listen(spec: str) -> str:
    return "" if spec == "push_to_talk" else "open_uplink"


@pytest.mark.parametrize("spec", NAMES)
def test_no_second_greeting(spec: str) -> None:
    story = Story(spec).greeted().tell("closed | reconnecting | close_uplink").tell(AGAIN)
    story.tell(f"session_updated | configured | restore_history {listen(spec)}")
    story.tell("wait 60000")
    assert story.count("create_response") == 1


@pytest.mark.parametrize("spec", NAMES)
def test_a_greeting_nobody_has_heard_is_asked_for_again(spec: str) -> None:
    """Broken off before the session was configured: the greeting is still owed."""
    story = Story(spec, owed="greeting").opened().tell("closed | reconnecting | close_uplink").tell(AGAIN)
    story.tell(f"session_updated | response_pending | restore_history {listen(spec)} create_response(greeting)")


@pytest.mark.parametrize("state", ["response_pending", "responding"])
@pytest.mark.parametrize("spec", NAMES)
def test_an_answer_that_was_owed_is_asked_of_the_next_session(spec: str, state: str) -> None:
    story = in_state(spec, state).tell("closed | reconnecting | close_uplink").tell(AGAIN)
    story.tell(f"session_updated | response_pending | restore_history {listen(spec)} create_response(turn)")
    story.tell("created r9 ours | responding |").tell("heard r9 i9 | responding |").tell("done r9 | playing_out |")
    assert story.value("reconnects") == "0"


@pytest.mark.parametrize("spec", NAMES)
def test_an_answer_that_was_heard_is_not_asked_for_again(spec: str) -> None:
    story = in_state(spec, "playing_out").tell("closed | reconnecting | close_uplink")
    story.tell("drained | reconnecting |").tell(AGAIN)
    story.tell(f"session_updated | configured | restore_history {listen(spec)}")


@pytest.mark.parametrize("spec", NAMES)
def test_tools_of_the_old_session_are_forgotten(spec: str) -> None:
    story = in_state(spec, "tool_call")
    story.tell("closed | reconnecting | forget_tools(c1) close_uplink")
    story.tell("returned c1 | reconnecting =ignored |").tell(AGAIN)
    assert story.value("tools_running") == "0"


@pytest.mark.parametrize("spec", NAMES)
def test_a_turn_whose_tool_was_running_is_answered_by_the_next_session(spec: str) -> None:
    """The caller waits for an answer; the new session cannot take the old call's output, so the turn is asked again."""
    story = in_state(spec, "tool_call").tell("closed").tell(AGAIN).tell("session_updated")
    assert story.count("create_response") > in_state(spec, "tool_call").count("create_response")


@pytest.mark.parametrize("spec", NAMES)
def test_counts_and_waits_of_a_session_end_with_it(spec: str) -> None:
    story = in_state(spec, "responding").tell("calls r1 c1").tell("returned c1").tell("key 5").tell("done r1 failed")
    waits = ("unechoed", "retries", "backoff", "keys", "tools_running")
    assert [story.value(name) for name in waits] == ["1", "1", "yes", "yes", "0"]
    story.tell("closed | reconnecting | close_uplink")
    assert [story.value(name) for name in waits] == ["0", "0", "no", "no", "0"]
    assert set(story.due) == {"reconnect_due", "quiet_overdue"} | ({"flush_overdue"} & set(story.due))
    assert not ids(story).sent.unechoed


@pytest.mark.parametrize("state", SESSION)
@pytest.mark.parametrize("spec", NAMES)
def test_from_every_state_a_broken_socket_is_opened_anew(spec: str, state: str) -> None:
    """And the ids of the old session mean nothing on the new one."""
    story = in_state(spec, state).tell("closed").tell(AGAIN)
    story.tell("session_updated")
    held = ("user_speaking",) if (spec, state) == ("push_to_talk", "user_speaking") else ()  # with a key: it goes on
    assert story.state in ("configured", "response_pending", "playing_out", *held), "\n".join(story.told)
    assert ids(story).responses.current is None
    assert ids(story).turns == ()


@pytest.mark.parametrize("spec", NAMES)
def test_the_old_socket_is_heard_no_longer(spec: str) -> None:
    story = in_state(spec, "reconnecting")
    for cue in ("closed", "closed fatal", "opened", "session_created", "session_updated"):
        story.tell(f"{cue} | reconnecting =ignored |")
    story.tell("created r7 | reconnecting =ignored |").tell("calls r7 c7 | reconnecting =ignored |")


@pytest.mark.parametrize("spec", NAMES)
def test_reconnecting_has_an_end(spec: str) -> None:
    story = in_state(spec, "response_pending")
    for _ in range(2):
        story.tell("closed").tell(AGAIN)
    story.tell("closed | closing | close_uplink play_prompt(apology)")
    story.tell("prompt_finished | closed | hang_up")


@pytest.mark.parametrize("spec", NAMES)
def test_a_session_that_is_never_created_or_updated(spec: str) -> None:
    """session.created lost: another connection; session.updated lost: taken for granted."""
    story = Story(spec).tell(
        """
        opened                | awaiting_session_created |
        timer created_overdue | reconnecting             | close_provider close_uplink
        """
    )
    story.tell(AGAIN)
    story.tell(f"timer update_overdue | response_pending | restore_history {listen(spec)} create_response(greeting)")
    story.tell("session_updated | response_pending |")
    assert story.value("session") == "configured"


def test_a_request_that_waited_survives_the_reconnect() -> None:
    story = in_state("server_vad", "playing_out").tell("say hello | playing_out =deferred |")
    story.tell("closed | reconnecting | close_uplink").tell("drained | reconnecting |").tell(AGAIN)
    story.tell("session_updated | response_pending | restore_history open_uplink create_response(say)")
    assert story.effects[-1].args["instructions"] == "hello"


def test_a_turn_that_waited_for_its_answer_when_the_caller_spoke_again_is_asked_for_on_the_next_session() -> None:
    """The session goes in the middle of the second turn; of the first one we know that nobody has answered it."""
    story = (
        Story("server_vad", owed="none")
        .ready()
        .tell(
            """
        speech_started u1    | user_speaking    | flush_playout() watch_silence
        flushed              | user_speaking    |
        speech_stopped u1    | response_pending | unwatch_silence
        committed u1         | response_pending |
        speech_started u2    | user_speaking    | flush_playout() watch_silence
        closed               | reconnecting     | close_uplink unwatch_silence
        """
        )
    )
    story.tell(AGAIN).tell("session_updated | response_pending | restore_history open_uplink create_response(turn)")
