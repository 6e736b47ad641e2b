"""Tools: run once per call id, the output sent at once, the create when all is there; coverage by a later response."""

from __future__ import annotations

import pytest

from fsm.machine.ledgers.realtime.recipes import TOO_MANY_TOOLS, TOOL_OVERDUE
from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.stories.story import Story

ASKED = {
    "server_vad": """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
    """,
    "owned_turns": """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending | create_response(turn)
        created r1 ours   | responding       |
    """,
    "push_to_talk": """
        key #             | user_speaking    | flush_playout() clear_audio open_uplink watch_silence
        flushed           | user_speaking    |
        committable       | user_speaking    |
        key #             | response_pending | close_uplink commit_audio unwatch_silence
        committed u1      | response_pending | create_response(turn)
        created r1 ours   | responding       |
    """,
}
ASKED["guarded_turns"] = ASKED["owned_turns"]


def asked(spec: str = "server_vad") -> Story:
    """A turn is being answered by the response r1."""
    return Story(spec, owed="none").ready().tell(ASKED[spec])


def tool_creates(story: Story) -> int:
    return story.count("create_response(tools)")


@pytest.mark.parametrize("spec", NAMES)
def test_one_call_whose_result_comes_after_a_moment(spec: str) -> None:
    story = asked(spec).tell(
        """
        arguments r1 c1  | responding       =nothing |
        calls r1 c1      | responding       | run_tool(c1)
        done r1 calls c1 | tool_call        |
        wait 10000       | tool_call        | reassure
        returned c1      | response_pending | send_tool_output(c1) create_response(tools)
        echo c1          | response_pending |
        created r2 ours  | responding       |
        heard r2 i2      | responding       |
        done r2          | playing_out      |
        drained          | configured       |
        wait 200000
        """
    )
    assert (story.state, tool_creates(story), story.count("run_tool")) == ("configured", 1, 1)


def test_arguments_come_as_they_are_with_their_whitespace() -> None:
    story = asked().tell("calls r1 c1 | responding | run_tool(c1)")
    run = next(e for e in story.effects if e.name == "run_tool")
    assert run.args == {"call_id": "c1", "name": "get_weather", "arguments": '{  \n  "city": "London"\n}'}


@pytest.mark.parametrize("spec", NAMES)
def test_the_result_is_there_before_the_parent_is_done(spec: str) -> None:
    story = asked(spec).tell(
        """
        calls r1 c1      | responding       | run_tool(c1)
        returned c1      | responding       | send_tool_output(c1)
        done r1 calls c1 | response_pending | create_response(tools)
        echo c1          | response_pending |
        created r2 ours  | responding       |
        done r2          | configured       |
        wait 200000
        """
    )
    assert tool_creates(story) == 1


@pytest.mark.parametrize("spec", NAMES)
def test_several_calls_get_one_create_after_the_last_output(spec: str) -> None:
    story = asked(spec).tell(
        """
        calls r1 c1      | responding       | run_tool(c1)
        calls r1 c2      | responding       | run_tool(c2)
        calls r1 c3      | responding       | run_tool(c3)
        returned c2      | responding       | send_tool_output(c2)
        done r1 calls c1 c2 c3 | tool_call  |
        echo c2          | tool_call        |
        returned c1      | tool_call        | send_tool_output(c1)
        echo c1          | tool_call        |
        returned c3      | response_pending | send_tool_output(c3) create_response(tools)
        created r2 ours  | responding       |
        echo c3          | responding       |
        done r2          | configured       |
        wait 200000
        """
    )
    assert tool_creates(story) == 1


@pytest.mark.parametrize("spec", NAMES)
def test_spoken_text_beside_a_call_plays_on(spec: str) -> None:
    asked(spec).tell(
        """
        shows_item r1 i1             | responding       =ignored |
        heard r1 i1                  | responding       |
        calls r1 c1                  | responding       | run_tool(c1)
        done r1 spoke_and_calls c1   | playing_out      |
        returned c1                  | response_pending | send_tool_output(c1) create_response(tools)
        created r2 ours              | responding       |
        heard r2 i2                  | responding       |
        done r2                      | playing_out      |
        """
    )


@pytest.mark.parametrize("spec", NAMES)
def test_calls_that_are_found_only_in_response_done(spec: str) -> None:
    asked(spec).tell(
        """
        done r1 calls c1 c2 | tool_call        | run_tool(c1) run_tool(c2)
        returned c1         | tool_call        | send_tool_output(c1)
        returned c2         | response_pending | send_tool_output(c2) create_response(tools)
        """
    )


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_a_call_that_was_cut_is_not_run(status: str) -> None:
    asked().tell(
        f"""
        calls r1 c1 {status} | responding =nothing |
        arguments r1 c1      | responding =nothing |
        done r1 cancelled
        """
    )


def test_a_fifth_call_is_refused_and_the_model_is_told() -> None:
    story = asked().tell(
        """
        calls r1 c1 | responding | run_tool(c1)
        calls r1 c2 | responding | run_tool(c2)
        calls r1 c3 | responding | run_tool(c3)
        calls r1 c4 | responding | run_tool(c4)
        calls r1 c5 | responding | send_tool_output(c5)
        calls r1 c6 | responding | send_tool_output(c6)
        done r1 calls c1 c2 c3 c4 c5 c6 | tool_call |
        echo c5     | tool_call |
        echo c6     | tool_call |
        returned c1 | tool_call | send_tool_output(c1)
        returned c2 | tool_call | send_tool_output(c2)
        returned c3 | tool_call | send_tool_output(c3)
        returned c5 | tool_call =ignored |
        returned c4 | response_pending | send_tool_output(c4) create_response(tools)
        """
    )
    refused = [e.args["output"] for e in story.effects if e.name == "send_tool_output"][:2]
    assert refused == [TOO_MANY_TOOLS, TOO_MANY_TOOLS]


def test_calls_over_the_count_of_echoes_saturate_and_the_overflow_is_an_event() -> None:
    """Five outputs without an echo: the count stays at four, its overflow is answered, a deadline clears it."""
    story = asked().tell("\n".join(f"calls r1 c{n}\nreturned c{n}" for n in range(1, 6)))
    assert [s.variant for s in story.steps].count("echoes.overflowed") == 1
    assert story.value("unechoed") == "4"
    story.tell("done r1 calls c1 c2 c3 c4 c5 | response_pending | create_response(tools)")
    story.tell("created r2 ours | responding |").tell("done r2 | configured |").tell(
        "timer echo_overdue | configured |"
    )
    assert story.value("unechoed") == "0"


@pytest.mark.parametrize("spec", NAMES)
def test_a_tool_that_never_returns_is_answered_as_late(spec: str) -> None:
    story = asked(spec).tell(
        """
        calls r1 c1         | responding       | run_tool(c1)
        calls r1 c2         | responding       | run_tool(c2)
        done r1 calls c1 c2 | tool_call        |
        timer tools_overdue | response_pending | send_tool_output(c1) send_tool_output(c2) create_response(tools)
        returned c1         | response_pending =ignored |
        created r2 ours     | responding       |
        returned c2         | responding       =ignored |
        """
    )
    assert story.now_ms >= 120_000
    assert {e.args["output"] for e in story.effects if e.name == "send_tool_output"} == {TOOL_OVERDUE}


def test_the_result_comes_while_the_caller_speaks_and_the_next_answer_covers_it() -> None:
    story = asked().tell(
        """
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        returned c1       | user_speaking    | send_tool_output(c1)
        echo c1           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        created r2        | responding       |
        done r2           | configured       |
        wait 200000
        """
    )
    assert story.count("create_response") == 0


def test_an_answer_created_before_the_echo_does_not_cover_the_result() -> None:
    story = asked().tell(
        """
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        returned c1       | response_pending | send_tool_output(c1)
        created r2        | responding       |
        echo c1           | responding       |
        heard r2 i2       | responding       |
        done r2           | response_pending | create_response(tools)
        created r3 ours   | responding       |
        done r3           | playing_out      |
        """
    )
    assert tool_creates(story) == 1


@pytest.mark.parametrize("echo", ["echo", "beta_echo"])
def test_the_result_comes_while_another_response_runs(echo: str) -> None:
    story = asked().tell(
        f"""
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        created r2        | responding       |
        returned c1       | responding       | send_tool_output(c1)
        {echo} c1         | responding       |
        done r2           | response_pending | create_response(tools)
        created r3 ours   | responding       |
        done r3           | configured       |
        wait 200000
        """
    )
    assert tool_creates(story) == 1


def test_owned_turns_a_turn_beside_a_running_tool_is_answered_at_once() -> None:
    story = asked("owned_turns").tell(
        """
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending | create_response(turn)
        returned c1       | response_pending | send_tool_output(c1)
        echo c1           | response_pending |
        created r2 ours   | responding       |
        done r2           | configured       |
        wait 200000
        """
    )
    assert tool_creates(story) == 0  # r2 was created after the echo: it covers the result


def test_a_barge_in_before_the_answer_to_a_tool_was_heard_owes_it_again() -> None:
    story = asked().tell(
        """
        calls r1 c1         | responding       | run_tool(c1)
        done r1 calls c1    | tool_call        |
        returned c1         | response_pending | send_tool_output(c1) create_response(tools)
        echo c1             | response_pending |
        created r2 ours     | responding       |
        speech_started u2   | user_speaking    | flush_playout(r2) watch_silence
        flushed             | user_speaking    |
        done r2 interrupted | user_speaking    |
        speech_stopped u2   | response_pending | unwatch_silence
        committed u2        | response_pending |
        created r3          | responding       |
        done r3             | configured       |
        wait 200000
        """
    )
    assert tool_creates(story) == 1  # r3 has seen the result


def test_a_failed_parent_does_not_lose_its_tools() -> None:
    asked().tell(
        """
        calls r1 c1     | responding       | run_tool(c1)
        done r1 failed  | tool_call        |
        returned c1     | response_pending | send_tool_output(c1)
        timer retry_due | response_pending | create_response(tools)
        """
    )


def test_outputs_sent_as_late_are_covered_only_after_their_echo() -> None:
    """The tool is given up while the caller speaks; the provider answers the turn before it has seen our output."""
    story = asked().tell(
        """
        calls r1 c1         | responding       | run_tool(c1)
        done r1 calls c1    | tool_call        |
        speech_started u2   | user_speaking    | flush_playout() watch_silence
        flushed             | user_speaking    |
        timer tools_overdue | user_speaking    | send_tool_output(c1)
        speech_stopped u2   | response_pending | unwatch_silence
        committed u2        | response_pending |
        created r2          | responding       |
        echo c1             | responding       |
        done r2             | response_pending | create_response(tools)
        """
    )
    assert tool_creates(story) == 1


def test_owned_turns_a_result_sent_while_a_create_is_in_flight_is_not_covered_before_its_echo() -> None:
    asked("owned_turns").tell(
        """
        calls r1 c1       | responding       | run_tool(c1)
        done r1 calls c1  | tool_call        |
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending | create_response(turn)
        returned c1       | response_pending | send_tool_output(c1)
        created r2 ours   | responding       |
        echo c1           | responding       |
        done r2           | response_pending | create_response(tools)
        """
    )


def test_an_echo_that_came_after_its_deadline_counts_for_nothing() -> None:
    """The deadline runs only while nothing is under way: a provider that generates may take its time."""
    story = (
        asked()
        .tell("calls r1 c1")
        .tell("returned c1")
        .tell("done r1 calls c1 | response_pending | create_response(tools)")
    )
    story.tell("created r2 ours | responding |").tell("done r2 | configured |").tell(
        "timer echo_overdue | configured |"
    )
    story.tell("speech_started u2").tell("speech_stopped u2").tell("committed u2").tell("created r3 | responding |")
    story.tell("calls r3 c2").tell("returned c2").tell("echo c1 | responding =ignored |")
    assert story.value("unechoed") == "1"


@pytest.mark.parametrize("spec", NAMES)
def test_the_create_waits_for_a_parent_that_takes_its_time_after_the_first_call(spec: str) -> None:
    """A reasoning model between two calls: silent on the wire for five seconds, and still the parent."""
    asked(spec).tell(
        """
        calls r1 c1         | responding       | run_tool(c1)
        returned c1         | responding       | send_tool_output(c1)
        echo c1             | responding       |
        wait 5000           | responding       =nothing |
        calls r1 c2         | responding       | run_tool(c2)
        done r1 calls c1 c2 | tool_call        |
        returned c2         | response_pending | send_tool_output(c2) create_response(tools)
        """
    )
