"""A turn gets exactly one answer: the second, third and twentieth as the first; whatever comes twice or late."""

from __future__ import annotations

import pytest

from fsm.machine.wire import at_path
from tests.fsm.machine import wire_forms as wire
from tests.fsm.stories.story import Story

ONE_TURN = {
    "server_vad": """
        speech_started u{n} | user_speaking    | flush_playout() watch_silence
        flushed             | user_speaking    |
        speech_stopped u{n} | response_pending | unwatch_silence
        committed u{n}      | response_pending |
        created r{n}        | responding       |
        shows_item r{n} i{n} | responding =ignored |
        heard r{n} i{n}     | responding       |
        done r{n}           | playing_out      |
        drained             | configured       |
    """,
    "owned_turns": """
        speech_started u{n} | user_speaking    | flush_playout() watch_silence
        flushed             | user_speaking    |
        speech_stopped u{n} | response_pending | unwatch_silence
        committed u{n}      | response_pending | create_response(turn)
        created r{n} ours   | responding       |
        shows_item r{n} i{n} | responding =ignored |
        heard r{n} i{n}     | responding       |
        done r{n}           | playing_out      |
        drained             | configured       |
    """,
    "push_to_talk": """
        key #               | user_speaking    | flush_playout() clear_audio open_uplink watch_silence
        flushed             | user_speaking    |
        committable         | user_speaking    |
        key #               | response_pending | close_uplink commit_audio unwatch_silence
        committed u{n}      | response_pending | create_response(turn)
        created r{n} ours   | responding       |
        shows_item r{n} i{n} | responding =ignored |
        heard r{n} i{n}     | responding       |
        done r{n}           | playing_out      |
        drained             | configured       |
    """,
}
ONE_TURN["guarded_turns"] = ONE_TURN["owned_turns"]
CREATES = {"server_vad": 0, "owned_turns": 1, "guarded_turns": 1, "push_to_talk": 1}


@pytest.mark.parametrize("spec", ONE_TURN)
def test_the_twentieth_turn_goes_as_the_first(spec: str) -> None:
    story = Story(spec, owed="none").ready()
    control = story.snapshot.control
    for n in range(1, 21):
        story.tell(ONE_TURN[spec].format(n=n))
        assert story.snapshot.control == control, story.told
    assert story.count("create_response") == 20 * CREATES[spec]
    story.tell("wait 60000 | configured =nothing |")


def test_server_vad_a_turn_that_is_heard_again_is_one_turn() -> None:
    """speech_started, speech_stopped, committed: each twice or out of order is still one turn and one answer."""
    story = Story("server_vad", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        speech_started u1 | user_speaking    =ignored |
        speech_stopped u1 | response_pending | unwatch_silence
        speech_stopped u1 | response_pending =ignored |
        speech_started u1 | response_pending =ignored |
        committed u1      | response_pending |
        committed u1      | response_pending =ignored |
        created r1        | responding       |
        created r1        | responding       =ignored |
        done r1           | configured       |
        done r1 unheard   | configured       =ignored |
        committed u1      | configured       =ignored |
        created r1        | configured       =ignored |
        """
    )


@pytest.mark.parametrize("spec", ["server_vad", "owned_turns"])
def test_the_caller_goes_on_after_a_pause(spec: str) -> None:
    """A turn that the provider cut in two: the first answer is interrupted unheard; the caller hears one."""
    ours = " ours" if spec == "owned_turns" else ""
    create = "create_response(turn)" if spec == "owned_turns" else ""
    story = Story(spec, owed="none").ready()
    story.tell(
        f"""
        speech_started u1   | user_speaking    | flush_playout() watch_silence
        flushed             | user_speaking    |
        speech_stopped u1   | response_pending | unwatch_silence
        committed u1        | response_pending | {create}
        created r1{ours}    | responding       |
        speech_started u2   | user_speaking    | flush_playout(r1) watch_silence
        flushed             | user_speaking    |
        done r1 interrupted | user_speaking    |
        speech_stopped u2   | response_pending | unwatch_silence
        committed u2        | response_pending | {create}
        created r2{ours}    | responding       |
        heard r2 i2         | responding       |
        done r2             | playing_out      |
        drained             | configured       |
        wait 60000          | configured =nothing |
        """
    )


def test_the_idle_timeout_of_the_provider() -> None:
    """timeout_triggered, a system item, committed, response.created: an answer of the provider's own, nothing asked."""
    story = Story("server_vad", owed="none").ready()
    story.play({"type": "input_audio_buffer.timeout_triggered", "audio_start_ms": 672, "item_id": "u1"})
    system: wire.Json = {
        "id": "s1",
        "type": "message",
        "role": "system",
        "content": [{"type": "input_text", "text": "No user"}],
    }
    story.play(wire.item_echo(system))
    assert story.state == "configured"
    story.tell("committed u1 | response_pending |")
    story.play(wire.item_echo({"id": "u1", "type": "message", "role": "user", "content": []}))
    story.tell(
        """
        created r1  | responding  |
        heard r1 i1 | responding  |
        done r1     | playing_out |
        drained     | configured  |
        wait 60000  | configured =nothing |
        """
    )
    assert story.count("create_response") == 0


@pytest.mark.parametrize("how", ["filtered", "completed"])
def test_an_answer_of_which_something_was_heard_is_an_answer(how: str) -> None:
    story = Story("server_vad", owed="none").ready()
    story.tell(
        f"""
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        heard r1 i1       | responding       |
        done r1 {how}     | configured       |
        wait 60000
        """
    )
    assert story.count("create_response") == 0


@pytest.mark.parametrize("usage", [None, 0, "none", []])
def test_usage_of_any_shape_ends_a_response(usage: object) -> None:
    story = (
        Story("server_vad").opened().tell("session_updated | response_pending | open_uplink create_response(greeting)")
    )
    story.tell("created g ours | responding |")
    done = wire.done("resp_g")
    body = at_path(done, "response")
    assert isinstance(body, dict)
    body["usage"] = usage
    story.play(done)
    assert story.state == "response_pending"
    story.tell("enough g | configured |")


@pytest.mark.parametrize("how", ["failed", "empty", "failed server_error", "failed rate_limit_exceeded"])
def test_a_failed_answer_is_asked_for_again_after_a_moment_and_given_up_after_three(how: str) -> None:
    story = Story("server_vad", owed="none").ready()
    story.tell(
        f"""
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        done r1 {how}     | response_pending |
        wait 699          | response_pending =nothing |
        timer retry_due   | response_pending | create_response(turn)
        created r2 ours   | responding       |
        done r2 {how}     | response_pending |
        timer retry_due   | response_pending | create_response(turn)
        created r3 ours   | responding       |
        done r3 {how}     | reconnecting     | close_provider close_uplink
        """
    )
    assert story.value("owed") == "turn"  # on the next session


def test_an_answer_that_was_heard_forgets_the_failures_before_it() -> None:
    story = Story("server_vad", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        done r1 failed    | response_pending |
        timer retry_due   | response_pending | create_response(turn)
        created r2 ours   | responding       |
        heard r2 i2       | responding       |
        done r2           | playing_out      |
        """
    )
    assert story.value("retries") == "0"


@pytest.mark.parametrize("code", ["insufficient_quota", "account_deactivated", "billing_hard_limit_reached"])
def test_a_failure_that_no_retry_can_mend_ends_the_call_politely(code: str) -> None:
    story = Story("server_vad", owed="none").ready()
    story.tell(
        f"""
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        created r1        | responding       |
        done r1 failed {code} | closing      | play_prompt(apology) close_provider close_uplink
        prompt_finished   | closed           | hang_up
        """
    )


def test_a_response_of_unknown_id_and_a_late_done_end_nothing() -> None:
    story = (
        Story("server_vad").opened().tell("session_updated | response_pending | open_uplink create_response(greeting)")
    )
    story.tell(
        """
        created g ours | responding |
        done r9 unheard | responding =ignored |
        done r9 failed | responding =ignored |
        done g         | configured |
        done g failed  | configured =ignored |
        done g interrupted | configured =ignored |
        """
    )


def test_a_heard_answer_that_fails_afterwards() -> None:
    """The caller has heard of it: half an answer, but not silence; it is not said again."""
    story = Story("server_vad", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        committed u1      | response_pending |
        created r1        | responding       |
        heard r1 i1       | responding       |
        done r1 failed
        """
    )
    assert story.value("owed") == "none"
    story.tell("drained").tell("wait 60000")
    assert (story.state, story.count("create_response")) == ("configured", 0)


def test_a_server_that_names_no_items_has_a_new_turn_at_each_start() -> None:
    story = Story("server_vad", owed="none").ready()
    for _ in range(2):
        story.play({"type": "input_audio_buffer.speech_started", "audio_start_ms": 1})
        assert story.state == "user_speaking", "\n".join(story.told)
        story.play({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2})
        assert story.state == "response_pending", "\n".join(story.told)
        story.play({"type": "input_audio_buffer.committed"})
    assert story.count("flush_playout") == 2


def test_server_vad_a_commit_that_comes_after_its_answer_owes_no_other() -> None:
    story = Story("server_vad", owed="none").ready()
    story.tell(
        """
        speech_started u1 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u1 | response_pending | unwatch_silence
        created r1        | responding       |
        committed u1      | responding       =ignored |
        heard r1 i1       | responding       |
        done r1           | playing_out      |
        drained           | configured       |
        wait 60000
        """
    )
    assert story.count("create_response") == 0


def test_a_response_without_an_id_is_never_cancelled_without_one() -> None:
    """A bare cancel would hit whatever comes next (docs/facts/realtime_api.md section 5)."""
    story = Story("server_vad", owed="none").ready()
    story.play({"type": "response.created", "response": {"object": "realtime.response"}})
    assert story.state == "responding"
    story.tell("timer response_overdue | response_pending | flush_playout()")
    story.play({"type": "response.done", "response": {"status": "completed", "output": [{}]}})
    assert story.value("response") == "free"
