"""The one summary line of a call: each number from a call told line by line."""

from __future__ import annotations

import pytest

from adapters.audio.playout_counts import PlayoutStats
from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from fsm.machine.machine import Effect, Step
from tests.fsm.bundle import machine
from tests.fsm.stories.story import Story

TURN = """
    speech_started u1 | user_speaking    | flush_playout() watch_silence
    flushed           | user_speaking    |
    speech_stopped u1 | response_pending | unwatch_silence
    committed u1      | response_pending |
    created r1        | responding       |
"""


class Counted(Story):
    """A story that is summed up as it is told."""

    def __init__(self, spec: str = "server_vad", **context: str) -> None:
        self.summary = Summary(machine(spec).spec)
        super().__init__(spec, **context)

    def _take(self, step: Step) -> list[Effect]:
        self.summary.count(step, Envelope(step.event, "story"), self.now_ms)
        return super()._take(step)

    def numbers(self) -> dict[str, object]:
        self.summary.duration_ms = self.now_ms
        return self.summary.as_json()

    def number(self, key: str) -> object:
        return self.numbers()[key]


def test_all_that_an_operator_was_promised_is_in_it() -> None:
    assert {
        "turns", "answers", "answers_by_outcome", "creates", "creates_by_cause", "creates_per_minute", "rejections",
        "rejections_by_cause", "barge_ins", "agent_audio_generated_s", "agent_audio_played_s", "underruns",
        "longest_silence_ms", "end_reason", "mailbox_dropped",
    } <= Counted().numbers().keys()  # fmt: skip


def test_a_turn_answered_and_one_answer_cut() -> None:
    """The greeting is no answer; a cut is one barge-in, however often the caller starts to speak in it."""
    story = Counted().greeted().tell(TURN).tell("heard r1 i1 | responding |").tell("done r1 | playing_out |")
    assert isinstance(story, Counted)
    assert (story.number("turns"), story.number("answers"), story.number("barge_ins")) == (1, 1, 0)
    story.tell(
        """
        drained           | configured       |
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        created r2        | responding       |
        heard r2 i2       | responding       |
        speech_started u3 | user_speaking    | flush_playout(r2) watch_silence
        speech_started u4 | user_speaking    |
        flushed           | user_speaking    |
        done r2 interrupted | user_speaking  |
        """
    )
    assert (story.number("turns"), story.number("answers"), story.number("barge_ins")) == (2, 2, 1)
    assert story.number("answers_by_outcome") == {"completed": 1, "cancelled": 1}
    assert story.number("creates_by_cause") == {"greeting": 1}


def test_an_answer_that_was_cut_before_it_was_heard_is_none() -> None:
    story = Counted(owed="none").ready().tell(TURN)
    story.tell("speech_started u2 | user_speaking | flush_playout(r1) watch_silence").tell("done r1 interrupted")
    assert isinstance(story, Counted)
    assert (story.number("answers"), story.number("answers_by_outcome"), story.number("barge_ins")) == (0, {}, 0)


def test_failed_answers_creates_and_rejections_by_cause() -> None:
    story = Counted(owed="none").ready().tell(TURN)
    story.tell(
        """
        done r1 failed    | response_pending |
        timer retry_due   | response_pending | create_response(turn)
        created r2        | responding       |
        busy r2           | responding       |
        calls r2 c1       | responding       | run_tool(c1)
        done r2 calls c1  | tool_call        |
        returned c1       | response_pending | send_tool_output(c1) create_response(tools)
        echo c1           | response_pending |
        error server_error create_response | response_pending |
        """
    )
    assert isinstance(story, Counted)
    assert story.number("creates_by_cause") == {"turn": 1, "tools": 1} and story.number("creates") == 2
    assert story.number("rejections_by_cause") == {"create_rejected.busy": 1, "create_failed.ours": 1}
    assert (story.number("rejections"), story.number("tools")) == (2, 1)
    assert (story.number("answers"), story.number("answers_by_outcome")) == (0, {"failed": 1})


@pytest.mark.parametrize(("wait_ms", "rate"), [(0, 1.0), (50_000, 1.0), (150_000, 0.4), (600_000, 0.1)])
def test_creates_per_minute_of_a_call_of_at_least_one(wait_ms: int, rate: float) -> None:
    story = Counted().greeted()
    assert isinstance(story, Counted)
    story.now_ms = wait_ms
    assert story.number("creates_per_minute") == rate


def test_the_longest_silence_is_when_neither_has_a_voice() -> None:
    story = Counted(owed="none").ready()
    assert isinstance(story, Counted)
    story.tell("wait 1000").tell("speech_started u1 | user_speaking | flush_playout() watch_silence").tell("flushed")
    assert story.number("longest_silence_ms") == 1000
    story.tell("wait 9000").tell("speech_stopped u1").tell("committed u1").tell("created r1").tell("wait 1500")
    story.tell("heard r1 i1 | responding |").tell("done r1 | playing_out |")
    assert story.number("longest_silence_ms") == 1500, "the caller spoke for longer"
    story.tell("wait 5000").tell("drained | configured |")
    assert story.number("longest_silence_ms") == 1500, "the agent was heard for longer"
    story.tell("wait 7000").tell("hung_up | closed | close_provider")
    assert story.number("longest_silence_ms") == 7000


def test_the_apology_is_no_silence() -> None:
    story = Counted().opened().tell("closed fatal | closing | close_uplink play_prompt(apology)")
    assert isinstance(story, Counted)
    story.tell("wait 3000").tell("prompt_finished | closed | hang_up")
    assert story.number("longest_silence_ms") == 0


def test_seconds_of_audio_and_underruns_are_the_playouts() -> None:
    story = Counted()
    assert (story.number("agent_audio_generated_s"), story.number("underruns")) == (0.0, 0)
    story.summary.played = PlayoutStats(
        generated_ms=12_340, played_ms=9_960, underruns=3, gap_ms=80, longest_gap_ms=40, flushes=1, late_dropped_ms=0,
        overflow_dropped_ms=1_500,
    )  # fmt: skip
    names = ("agent_audio_generated_s", "agent_audio_played_s", "agent_audio_dropped_s", "underruns")
    assert [story.number(name) for name in names] == [12.3, 10.0, 1.5, 3]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("hung_up", "caller.hung_up: fin"),
        ("operator", "operator.hang_up_requested: operator"),
        ("closed fatal\nhung_up", "provider.closed.fatal"),
        ("closed\nclosed\ntimer reconnect_due\nhung_up", "caller.hung_up: fin"),
        ("closed\n" + 2 * "timer reconnect_due\nopened\nclosed\n" + "prompt_finished", "provider.closed.retryable"),
    ],
)
def test_why_it_ended_is_what_began_the_end(table: str, reason: str) -> None:
    story = Counted().opened()
    assert isinstance(story, Counted)
    story.tell(table)
    assert story.snapshot.is_final and story.number("end_reason") == reason


def test_a_wait_is_silence_in_which_something_is_owed_and_a_word_to_the_caller_ends_it() -> None:
    story = Counted(owed="none").ready()
    assert isinstance(story, Counted)
    story.tell("wait 9000").tell("speech_started u1").tell("flushed")
    assert (story.number("longest_silence_ms"), story.number("longest_wait_ms")) == (9000, 0), "nothing is owed"
    story.tell("speech_stopped u1").tell("committed u1").tell("created r1")
    story.tell("wait 8000").tell("heard r1 i1").tell("wait 1000")
    assert story.number("longest_wait_ms") == 6000, "the caller was asked for a moment"


def test_with_a_guard_an_echo_is_no_turn_and_a_late_word_is_one() -> None:
    """One turn is the caller's from its first moment, one comes to nothing, one is known from its transcript."""
    story = (
        Counted("guarded_turns", owed="none")
        .ready()
        .tell("""
        speech_started u0 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u0 | response_pending | unwatch_silence
        committed u0      | response_pending | create_response(turn)
        created r1 ours   | responding       |
        heard r1 i1       | responding       |
    """)
    )
    assert isinstance(story, Counted) and story.number("turns") == 1
    for name in ("u1", "u2"):
        story.tell(f"speech_started {name}").tell(f"speech_stopped {name}").tell(f"committed {name}")
        assert story.number("turns") == 1
    story.tell("transcript u2 Stop. | response_pending | cancel_response(r1) flush_playout(r1)")
    assert story.number("turns") == 2
