"""Our create crosses the provider's own response: adopted, one answer, no dead air; what releases a create."""

from __future__ import annotations

import pytest

from tests.fsm.machine import wire_forms as wire
from tests.fsm.stories.story import Story

OVERDUE = """
    speech_started u1    | user_speaking    | flush_playout() watch_silence
    flushed              | user_speaking    |
    speech_stopped u1    | response_pending | unwatch_silence
    committed u1         | response_pending |
    timer answer_overdue | response_pending | create_response(turn)
"""


def overdue() -> Story:
    """The provider's answer to a turn is overdue; our create for it is in flight."""
    return Story("server_vad", owed="none").ready().tell(OVERDUE)


def one_answer(story: Story, response: str) -> None:
    story.tell(
        f"""
        heard {response} i1 | responding  |
        done {response}     | playing_out |
        drained             | configured  |
        wait 60000
        """
    )
    assert (story.state, story.count("create_response")) == ("configured", 1), "\n".join(story.told)


@pytest.mark.parametrize("busy", ["busy r1", "busy", "busy r1 nocode", "busy - nocode"])
def test_the_providers_answer_comes_first_then_the_rejection(busy: str) -> None:
    story = overdue().tell(
        f"""
        created r1 | responding |
        {busy}     | responding |
        """
    )
    one_answer(story, "r1")


def test_the_rejection_comes_before_the_response_it_names() -> None:
    """Adopted by its name; its response.created then says that it answers the turn: the caller hears one answer."""
    story = overdue().tell(
        """
        busy r1    | responding |
        created r1
        """
    )
    one_answer(story, "r1")


def test_a_rejection_that_names_nothing_comes_before_the_response() -> None:
    story = overdue().tell(
        """
        busy       | response_pending |
        created r1 | responding       |
        """
    )
    one_answer(story, "r1")


def test_the_rejection_comes_after_the_response_is_done() -> None:
    story = overdue().tell(
        """
        created r1  | responding  |
        heard r1 i1 | responding       |
        done r1     | response_pending |
        busy r1     | playing_out      |
        drained     | configured       |
        wait 60000
        """
    )
    assert (story.state, story.count("create_response")) == ("configured", 1)


def test_the_rejection_comes_after_the_response_is_done_and_names_nothing() -> None:
    """A response that is over cannot be waited for: what is owed is asked for soon, not after the longest deadline."""
    story = Story("server_vad", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        returned c1       | response_pending | send_tool_output(c1) create_response(tools)
        created r2        | responding       |
        echo c1           | responding       |
        done r2
        busy
        """
    )
    story.tell("wait 5000")
    assert story.count("create_response(tools)") == 2, "\n".join(story.told)


def test_a_tool_round_that_crosses_asks_again_only_if_not_covered() -> None:
    before = """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        returned c1       | response_pending | send_tool_output(c1) create_response(tools)
        committed u2      | response_pending |
    """
    covered = Story("server_vad", owed="none").ready().tell(before)
    covered.tell(
        """
        echo c1    | response_pending |
        created r2 | responding       |
        busy r2    | responding       |
        done r2    | configured       |
        wait 60000
        """
    )
    assert covered.count("create_response") == 1
    not_covered = Story("server_vad", owed="none").ready().tell(before)
    not_covered.tell(
        """
        created r2 | responding       |
        busy r2    | responding       |
        echo c1    | responding       |
        done r2    | response_pending | create_response(tools)
        """
    )


def test_an_unrelated_error_releases_nothing() -> None:
    story = overdue()
    unrelated: tuple[wire.Json, ...] = (
        wire.error("rate_limit_exceeded", "Rate limit reached"),
        wire.error("invalid_value", "Invalid value: 'x'.", param="item.id"),
        wire.error(None, "The server had an error while processing your request"),
        wire.error("invalid_value", "Invalid value", event_id="event_of_somebody_else"),
        wire.error("invalid_value", "Invalid value", event_id="ts_create_response_999"),
        wire.busy("ts_create_response_999", "resp_r1"),
        {"type": "error"},
        {"type": "error", "error": "text"},
        {"type": "error", "error": {"code": 7, "message": ["x"], "event_id": {}}},
    )
    for said in unrelated:
        _, outcome = story.play(said)
        assert (outcome, story.value("create")) == ("ignored", "sent"), "\n".join(story.told)
    story.tell("created r1 ours | responding |")


@pytest.mark.parametrize("event_id", ["cancel_response", "-"])
def test_a_cancel_of_nothing_is_noise(event_id: str) -> None:
    story = overdue().tell(
        """
        created r1 ours        | responding       |
        timer response_overdue | response_pending | cancel_response(r1) flush_playout(r1)
        """
    )
    about = None if event_id == "-" else story.sent(event_id)
    message = "Cancellation failed: no active response found"
    for code in ("response_cancel_not_active", None):
        _, outcome = story.play(wire.error(code, message, about))
        assert outcome == "ignored"
    assert story.value("response") == "closing"  # still waited for, until its deadline
    story.tell("timer close_overdue | response_pending | create_response(turn)")


def test_an_old_server_whose_rejection_carries_neither_code_nor_id() -> None:
    """It cannot be told from a rejection of the provider's own create; ours is given up at its deadline and retried."""
    story = overdue().tell(
        """
        busy - nocode noid   | response_pending =ignored |
        timer create_overdue | response_pending |
        timer retry_due      | response_pending | create_response(turn)
        created r2 ours      | responding       |
        """
    )
    assert story.now_ms < 15_000


def test_an_old_servers_rejection_of_its_own_create_while_an_answer_is_due() -> None:
    """interrupt_response: false, say: the automatic create fails, the error names no id; we ask after the response."""
    Story("server_vad", owed="none").ready().tell(
        """
        speech_started u1  | user_speaking    | flush_playout() watch_silence
        flushed            | user_speaking    |
        speech_stopped u1  | response_pending | unwatch_silence
        committed u1       | response_pending |
        busy - nocode noid | response_pending | create_response(turn)
        """
    )


def test_a_create_that_is_rejected_for_another_reason_is_retried_and_given_up() -> None:
    overdue().tell(
        """
        error server_error create_response | response_pending |
        timer retry_due                    | response_pending | create_response(turn)
        error server_error create_response | response_pending |
        timer retry_due                    | response_pending | create_response(turn)
        error server_error create_response | reconnecting     | close_provider close_uplink
        """
    )


def test_our_own_create_that_was_given_up_and_comes_true_later() -> None:
    """The first create was only slow: adopted when it comes, and the second one's rejection changes nothing."""
    story = overdue().tell(
        """
        timer create_overdue | response_pending |
        timer retry_due      | response_pending | create_response(turn)
        created r1 ours~1    | responding       |
        busy r1              | responding       |
        heard r1 i1          | responding       |
        done r1              | playing_out      |
        drained              | configured       |
        wait 60000
        """
    )
    assert (story.state, story.count("create_response")) == ("configured", 2)


def test_at_most_one_accepted_create_for_each_round() -> None:
    """A create is sent only when none is in flight: two never cross each other."""
    story = overdue()
    story.tell(
        """
        committed u1     | response_pending =ignored |
        key 5            | response_pending |
        timer keys_done  | response_pending | send_digits(5)
        digits_echo      | response_pending |
        created r1 ours  | responding |
        done r1          | configured |
        """
    )
    assert story.count("create_response") == 1


def test_a_response_nobody_ever_saw_begin_does_not_cover_a_tool_round() -> None:
    """The rejection names it, its response.created is lost: whether it had seen the outputs nobody knows."""
    Story("server_vad", owed="none").ready().tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        returned c1       | response_pending | send_tool_output(c1) create_response(tools)
        echo c1           | response_pending |
        busy r2           | responding       |
        done r2           | response_pending | create_response(tools)
        """
    )


def test_what_an_application_wants_said_outlives_a_crossing_and_the_tools_after_it() -> None:
    """Our create for it is rejected: the caller's turn was answered first, and that answer calls a tool."""
    story = (
        Story("server_vad", owed="none")
        .ready()
        .tell(
            """
        say hello         | response_pending | create_response(say)
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        busy r1           | responding       |
        calls r1 c1       | responding       | run_tool(c1)
        returned c1       | responding       | send_tool_output(c1)
        done r1           | response_pending | create_response(tools)
        created r2 ours   | responding       |
        heard r2 i2       | responding       |
        done r2           | response_pending | create_response(say)
        """
        )
    )
    assert story.effects[-1].args["instructions"] == "hello"
