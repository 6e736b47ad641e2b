"""The classic failures of voice agents as wire logs, each the smallest that shows it. Deterministic. Never a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.fsm.audit.logbook import LogBook, Row


def storm() -> list[Row]:
    """148 creates in 70 s, 13 of them rejected: whatever happens, somebody asks for an answer."""
    book = LogBook().opened()
    for number in range(148):
        if number % 20 == 10:
            book.says(0.05)
        about = book.create()
        if number % 11 == 5:  # 13 of them, each while the one before is active
            book.busy(f"resp_{book.responses:04d}", about)
            book.wait(0.02).done(f"resp_{book.responses:04d}")
            book.wait(0.3)
            continue
        book.wait(0.03)
        name = book.begin()
        book.item(name)
        book.audio(name, 250, pace=50.0)
        book.wait(0.421)
        if (number + 1) % 11 != 5:
            book.done(name)
        book.wait(0.03)
    return book.rows


def two_tools_ask() -> list[Row]:
    """Two results a millisecond apart, and each asks."""
    book = LogBook().greeted()
    book.says().wait(0.001)
    first, second = book.calls(2)
    book.wait(0.5).output(first)
    book.create()
    book.wait(0.001).output(second)
    about = book.create()
    book.wait(0.03)
    name = book.begin()
    book.busy(name, about)
    book.item(name)
    book.audio(name, 1000).done(name)
    book.wait(3.0)
    return book.rows


def update_lost() -> list[Row]:
    """session.update before session.created, and lost: the session has its defaults."""
    book = LogBook()
    book.update()
    book.wait(0.2).created()
    book.create()
    book.wait(0.03).answer()
    book.wait(0.5).turn()
    return book.wait(7.0).turn().rows


def update_honoured() -> list[Row]:
    """The same, and honoured: unwise, but no harm."""
    book = LogBook()
    book.update()
    book.wait(0.2).created()
    book.server("session.updated", session=book.session())
    book.create(instructions="Greet.")
    book.wait(0.03).answer()
    return book.wait(0.5).turn().rows


def no_greeting() -> list[Row]:
    """Both sides wait; the caller breaks the silence."""
    book = LogBook().opened()
    book.wait(9.0).turn()
    return book.rows


def never_answered() -> list[Row]:
    """The event that should have brought the answer was lost: silence for ever."""
    book = LogBook().greeted()
    book.turn()
    book.says()
    book.wait(12.0).says(0.5)
    book.wait(15.0)
    book.server("rate_limits.updated", rate_limits=[])
    return book.rows


def response_lost() -> list[Row]:
    """response.done never comes; everybody waits for it."""
    book = LogBook().greeted()
    book.says().wait(0.001)
    book.begin()
    book.wait(40.0)
    book.server("rate_limits.updated", rate_limits=[])
    return book.rows


def talk_over() -> list[Row]:
    """The caller speaks, the client asks all the same, and the answer is played over the caller."""
    book = LogBook().greeted()
    item = book.speech_started()
    book.wait(0.8)
    book.create()
    book.wait(0.03)
    name = book.begin()
    book.wait(0.3).item(name)
    book.audio(name, 3000).done(name)
    book.wait(1.5).speech_stopped(item)
    book.committed(item)
    book.wait(0.01).answer()
    return book.rows


def played_on() -> list[Row]:
    """Six seconds are in the client's queue when the caller begins; nothing cuts them."""
    book = LogBook().greeted()
    book.says().wait(0.001)
    book.answer(6000, play=False)
    book.wait(0.4)
    item = book.speech_started()
    book.wait(3.0).speech_stopped(item)
    book.committed(item).wait(0.001)
    book.answer()
    return book.rows


def cancel_of_nothing() -> list[Row]:
    book = LogBook().greeted()
    item = book.speech_started()
    about = book.client("response.cancel")
    book.wait(0.02).error("response_cancel_not_active", "Cancellation failed: no active response found", about)
    book.wait(1.0).speech_stopped(item)
    book.committed(item).wait(0.001).answer()
    return book.rows


def commit_too_little() -> list[Row]:
    book = LogBook(vad=False).greeted()
    book.client("input_audio_buffer.append", audio="/" * (40 * 8 * 4 // 3))
    about = book.client("input_audio_buffer.commit")
    message = (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has "
        "40.00ms of audio."
    )
    book.wait(0.02).error("input_audio_buffer_commit_empty", message, about)
    return book.rows


def truncate_beyond() -> list[Row]:
    book = LogBook().greeted()
    book.says().wait(0.001)
    name = book.answer(4000, play=False)
    book.wait(3.0)
    item = book.speech_started()
    about = book.client(
        "conversation.item.truncate", item_id=name.replace("resp", "item"), content_index=0, audio_end_ms=4085
    )
    book.wait(0.02).error(None, "Audio content of 4000ms is already shorter than 4085ms", about)
    book.wait(1.0).speech_stopped(item)
    book.committed(item).wait(0.001).answer()
    return book.rows


def tool_twice() -> list[Row]:
    book = LogBook().greeted()
    book.says().wait(0.001)
    (call,) = book.calls()
    book.wait(0.2).output(call).wait(0.1).output(call)
    book.create()
    book.wait(0.03).answer()
    return book.rows


def tool_never() -> list[Row]:
    book = LogBook().greeted()
    book.says().wait(0.001)
    book.calls()
    book.wait(9.0).turn()
    return book.wait(20.0).turn().rows


def tool_unasked() -> list[Row]:
    """The output is there; nobody asks the model to go on."""
    book = LogBook().greeted()
    book.says().wait(0.001)
    (call,) = book.calls()
    book.wait(0.2).output(call).wait(20.0)
    book.server("rate_limits.updated", rate_limits=[])
    return book.rows


def late_audio() -> list[Row]:
    """The client truncates and plays what comes after; nobody cancels."""
    book = LogBook().greeted()
    book.says().wait(0.001)
    name = book.begin()
    item = book.item(name)
    book.audio(name, 2000)
    turn = book.speech_started()
    book.client("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=200)
    book.wait(1.0).audio(name, 2000)
    book.client("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=1700)
    book.done(name)
    book.wait(0.5).speech_stopped(turn)
    book.committed(turn).wait(0.001).answer()
    return book.rows


def voice_change() -> list[Row]:
    book = LogBook().greeted()
    about = book.update()
    message = "Cannot update a conversation's voice if assistant audio is present."
    book.wait(0.02).error("cannot_update_voice", message, about, "session.audio.output.voice")
    return book.turn().rows


def update_rejected() -> list[Row]:
    """A beta-shaped update at a GA endpoint, and the call goes on with the defaults."""
    book = LogBook().created()
    about = book.update()
    message = "Missing required parameter: 'session.type'."
    book.wait(0.02).error("missing_required_parameter", message, about, "session.type")
    book.create()
    book.wait(0.03).answer()
    return book.wait(0.3).turn().rows


def beta_refused() -> list[Row]:
    book = LogBook()
    message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
    book.error("beta_api_shape_disabled", message)
    book.wait(0.01).closed(4000, "invalid_request_error.beta_api_shape_disabled")
    return book.rows


def answered_twice() -> list[Row]:
    """The provider answers, and the client asks for an answer to the same turn."""
    book = LogBook().greeted()
    book.says().wait(0.001)
    book.answer()
    book.create()
    book.wait(0.03).answer()
    return book.rows


def late_answer() -> list[Row]:
    book = LogBook().greeted()
    book.says().wait(9.0)
    book.answer()
    return book.rows


def healthy() -> list[Row]:
    """A call as it should be: a greeting, two turns, a barge-in, a tool."""
    book = LogBook().greeted()
    book.turn().turn()
    book.says().wait(0.001)
    name = book.answer(4000, play=False)
    book.wait(1.0)
    turn = book.speech_started()
    item = name.replace("resp", "item")
    book.client("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=1300)
    book.server("conversation.item.truncated", item_id=item, content_index=0, audio_end_ms=1300)
    book.wait(1.0).speech_stopped(turn)
    book.committed(turn).wait(0.001)
    first, second = book.calls(2)
    book.wait(0.4).output(first).wait(0.2).output(second)
    book.create()
    book.wait(0.03).answer()
    book.closed(1000)
    return book.rows


FAILURES: Mapping[str, tuple[Callable[[], list[Row]], str]] = {
    "storm": (storm, "create-crowd"),
    "storm, rejected": (storm, "create-while-active"),
    "two tools ask": (two_tools_ask, "create-per-tool"),
    "update lost": (update_lost, "update-early"),
    "no greeting": (no_greeting, "no-greeting"),
    "never answered": (never_answered, "turn-unanswered"),
    "response lost": (response_lost, "response-never-done"),
    "talk-over": (talk_over, "talk-over"),
    "played on": (played_on, "talk-over"),
    "cancel of nothing": (cancel_of_nothing, "cancel-of-nothing"),
    "commit of too little": (commit_too_little, "commit"),
    "tool answered twice": (tool_twice, "tool-answered-twice"),
    "tool never answered": (tool_never, "tool-unanswered"),
    "nobody asks after a tool": (tool_unasked, "tool-round-unasked"),
    "late audio": (late_audio, "audio-after-flush"),
    "voice change": (voice_change, "voice-change"),
    "update rejected": (update_rejected, "update-rejected"),
    "beta refused": (beta_refused, "beta-shape"),
    "answered twice": (answered_twice, "turn-answered-twice"),
    "late answer": (late_answer, "dead-air"),
}
