"""What only a whole call shows, and what a log that leaves out events does not show."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fsm.audit.bench import audited, named, only, untimed
from tests.fsm.audit.logbook import LogBook


def transcript(book: LogBook, item: str, text: str) -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    book.server(kind, item_id=item, content_index=0, transcript=text)


# --- answers ----------------------------------------------------------------------------------------------------------


def incomplete(reason: str, goes_on: bool) -> LogBook:
    book = LogBook().greeted()
    book.says().wait(0.001)
    name = book.begin()
    book.item(name)
    book.audio(name, 1000).done(name, "incomplete", reason).wait(1.5)
    if goes_on:
        book.create()
        book.wait(0.03).answer()
    return book.wait(8).turn()


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_answer_that_broke_off_is_a_finding_unless_it_goes_on(reason: str) -> None:
    group = only(audited(incomplete(reason, goes_on=False).rows), "answer-incomplete")
    assert reason in group.first.text and "nobody went on" in group.first.text
    report = audited(incomplete(reason, goes_on=True).rows)
    assert "answer-incomplete" not in named(report.findings)
    assert "answer-incomplete" in named(report.notes)


# --- tools ------------------------------------------------------------------------------------------------------------


def rounds(count: int, speaks: bool = False) -> LogBook:
    book = LogBook().greeted()
    book.says().wait(0.001)
    for _ in range(count):
        (call,) = book.calls()
        book.wait(0.1).output(call)
        book.wait(0.05).create()
        book.wait(0.03)
        if speaks:
            book.answer()
            book.wait(0.5).says().wait(0.001)
    book.answer()
    return book


def test_the_same_call_again_and_again_is_a_loop() -> None:
    assert "called 3 times" in only(audited(rounds(4).rows), "tool-loop").first.text
    assert "tool-loop" in named(audited(untimed(rounds(4).rows)).findings)


def test_the_same_call_is_no_loop_where_the_caller_asks_for_it() -> None:
    assert "tool-loop" not in named(audited(rounds(4, speaks=True).rows).findings)
    assert "tool-loop" not in named(audited(rounds(2).rows).findings)


# --- the caller -------------------------------------------------------------------------------------------------------


def phantoms(count: int, text: str = "", real: int = 1) -> LogBook:
    book = LogBook().greeted()
    for number in range(count + real):
        item = book.speech_started()
        book.wait(0.3).speech_stopped(item)
        book.committed(item).wait(0.001)
        book.answer()
        transcript(book, item, text if number < count else "Hello.")
        book.wait(0.5)
    return book


@pytest.mark.parametrize("text", ["", " ", "...", "-"])
def test_turns_without_a_word_that_are_answered_are_phantoms(text: str) -> None:
    group = only(audited(phantoms(3, text).rows), "phantom-turns")
    assert group.first.text.startswith("3 turns of the caller without a word in it, 3 of them answered")


@pytest.mark.parametrize(("count", "text", "real"), [(3, "Yes.", 0), (1, "", 4), (2, "", 4), (3, "", 12)])
def test_a_cough_is_no_pattern(count: int, text: str, real: int) -> None:
    assert "phantom-turns" not in named(audited(phantoms(count, text, real).rows).findings)


def test_a_turn_that_the_provider_made_of_a_silence_is_no_phantom() -> None:
    book = LogBook().greeted()
    for number in range(4):
        book.server("input_audio_buffer.timeout_triggered", item_id=f"t{number}", audio_start_ms=1, audio_end_ms=5000)
        book.server("input_audio_buffer.committed", item_id=f"t{number}", previous_item_id=None)
        book.answer()
        transcript(book, f"t{number}", "")
        book.wait(5)
    assert "phantom-turns" not in named(audited(book.rows).findings)


def failed(count: int, good: int = 0) -> LogBook:
    book = LogBook().greeted()
    for number in range(count + good):
        book.turn()
        item = f"item_u{number + 1:03d}"
        if number < count:
            kind = "conversation.item.input_audio_transcription.failed"
            book.server(kind, item_id=item, content_index=0, error={"type": "x", "code": "y", "message": "z"})
        else:
            transcript(book, item, "Hello.")
    return book


def test_transcriptions_that_fail_are_named() -> None:
    assert "3 transcriptions failed" in only(audited(failed(3).rows), "transcription-failed").first.text
    assert named(audited(failed(1, 3).rows).notes) == ["transcription-failed"]


def test_speech_that_never_stopped_is_found_in_the_middle_of_a_call() -> None:
    book = LogBook().greeted()
    book.turn()
    book.speech_started()
    book.wait(50)
    book.turn()
    assert "50.0 s later" in only(audited(book.rows), "turn-endless").first.text


def test_where_no_turn_is_ever_said_to_end_none_is_endless() -> None:
    book = LogBook().greeted()
    for _ in range(3):
        book.turn().wait(40)
    rows = [row for row in book.rows if row["event"]["type"] != "input_audio_buffer.speech_stopped"]
    assert "turn-endless" not in named(audited(rows).findings)


def committed_in_speech(stops: bool) -> LogBook:
    book = LogBook().greeted()
    item = book.speech_started()
    book.wait(1)
    book.client("input_audio_buffer.commit")
    book.wait(0.02).committed(item).wait(0.001)
    name = book.begin()
    book.wait(0.3).item(name)
    book.audio(name, 2000).done(name).wait(2.5)
    if stops:
        book.speech_stopped(item)
    return book.wait(1)


def test_who_commits_in_mid_speech_talks_over_the_rest() -> None:
    assert "talked over the rest" in only(audited(committed_in_speech(stops=True).rows), "turn-cut-off").first.text
    assert "turn-cut-off" not in named(audited(committed_in_speech(stops=False).rows).findings)


# --- creates, formats -------------------------------------------------------------------------------------------------


def after_commits(rejected: bool) -> LogBook:
    book = LogBook().greeted()
    for _ in range(4):
        book.says().wait(0.005)
        about = book.create()
        book.wait(0.01)
        name = book.begin()
        if rejected:
            book.busy(name, about)
        book.wait(0.3).item(name)
        book.audio(name, 1000).done(name).wait(1.5)
    return book


def test_creates_that_follow_each_commit_are_named() -> None:
    group = only(audited(after_commits(rejected=True).rows), "create-per-commit")
    assert group.first.text.startswith("4 creates followed a commit at once")
    assert "create-per-commit" in named(audited(after_commits(rejected=False).rows).notes)


def with_formats(asked: Any, got: Any) -> LogBook:
    book = LogBook().created()
    book.client("session.update", session=asked)
    book.wait(0.03).server("session.updated", session=got)
    book.wait(0.02)
    return book


NESTED = {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}
PCM = {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}}


@pytest.mark.parametrize(
    ("asked", "got", "said"),
    [
        (NESTED, PCM, "output audio: asked for audio/pcmu, got audio/pcm at 24000 Hz"),
        ({"input_audio_format": "g711_ulaw"}, {"input_audio_format": "pcm16"}, "asked for audio/pcmu, got audio/pcm"),
        (NESTED, {"output_audio_format": "pcm16"}, "got audio/pcm"),
    ],
)
def test_another_format_than_asked_for_is_a_finding(asked: Any, got: Any, said: str) -> None:
    assert said in only(audited(with_formats(asked, got).rows), "format-mismatch").first.text


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (NESTED, NESTED), (NESTED, {}), ({}, PCM), ({"output_audio_format": "g711_ulaw"}, NESTED),
        ({"audio": {"output": {"format": {"type": "audio/pcm"}}}}, PCM),
        ({"output_audio_format": "pcm16"}, {"output_audio_format": "pcm16_16000hz"}),
    ],
)  # fmt: skip
def test_the_same_format_in_other_words_is_none(asked: Any, got: Any) -> None:
    assert "format-mismatch" not in named(audited(with_formats(asked, got).rows).findings)


# --- what a log does not show -----------------------------------------------------------------------------------------

_ENDS = ("response.done", "session.created", "error", "input_audio_buffer.speech_started")


@pytest.mark.parametrize("hidden", ["response.created", "session.updated", "input_audio_buffer.speech_stopped"])
def test_of_what_a_log_leaves_out_nothing_is_missing(hidden: str) -> None:
    book = LogBook().greeted()
    for _ in range(3):
        book.turn().wait(8)
    kept = (*_ENDS, "session.updated", "response.create", "session.update", "input_audio_buffer.speech_stopped")
    rows = [row for row in book.rows if row["event"]["type"] in kept and row["event"]["type"] != hidden]
    assert named(audited(rows).findings) == []


# --- answers that are cut again and again -----------------------------------------------------------------------------


def cut(count: int, after_s: float, by: str = "turn_detected", shows_audio: bool = True) -> list[dict[str, Any]]:
    book = LogBook().greeted()
    for _ in range(count):
        book.says().wait(0.001)
        name = book.begin()
        book.item(name)
        book.audio(name, 8000, pace=100).wait(after_s)
        item = book.speech_started()
        if by == "client_cancelled":
            book.client("response.cancel", response_id=name)
        book.done(name, "cancelled", by).wait(0.4)
        book.speech_stopped(item)
        book.committed(item)
    return [row for row in book.rows if shows_audio or not row["event"]["type"].endswith("audio.delta")]


@pytest.mark.parametrize("by", ["turn_detected", "client_cancelled"])
@pytest.mark.parametrize("shows_audio", [True, False])
def test_answers_cut_at_once_are_a_pattern_whoever_cuts_them(by: str, shows_audio: bool) -> None:
    group = only(audited(cut(6, 0.3, by, shows_audio)), "self-interruption")
    assert "right after they began" in group.first.text


def test_many_answers_cut_later_are_one_too_and_a_few_are_not() -> None:
    assert "right after" not in only(audited(cut(12, 3.0)), "self-interruption").first.text
    assert "self-interruption" in named(audited(untimed(cut(12, 0.3))).findings)
    assert "self-interruption" not in named(audited(cut(6, 3.0)).findings)


def test_an_answer_with_nothing_in_it_leaves_the_caller_waiting() -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    name = book.begin()
    book.wait(0.2).done(name, said=False).wait(9)
    book.turn()
    assert "was stopped before its first sound" in only(audited(book.rows), "turn-unanswered").first.text


def without(book: LogBook, *kinds: str) -> list[dict[str, Any]]:
    return [row for row in book.rows if not row["event"]["type"].startswith(kinds)]


def test_a_log_that_leaves_out_how_responses_end_shows_none_that_never_ended() -> None:
    book = LogBook().greeted()
    for _ in range(3):
        book.turn().wait(12)
    assert "response-never-done" not in named(audited(without(book, "response.done")).findings)


def test_a_log_that_leaves_out_how_responses_begin_shows_no_create_without_an_answer() -> None:
    book = LogBook().greeted()
    book.create()
    book.wait(0.02).answer()
    book.wait(30)
    book.create()
    book.wait(0.02).answer()
    book.wait(30).server("rate_limits.updated", rate_limits=[])
    found = named(audited(without(book, "response.created", "response.done")).findings)
    assert "create-unanswered" not in found


def test_a_log_that_shows_nothing_of_the_session_loses_no_update() -> None:
    book = LogBook().greeted()
    book.update()
    for _ in range(3):
        book.turn().wait(8)
    assert "update-lost" not in named(audited(without(book, "session.created", "session.updated")).findings)
