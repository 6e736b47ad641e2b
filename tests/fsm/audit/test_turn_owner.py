"""Logs of providers that own their turns, scripted: each classic failure by its name, and clean calls without any."""

from __future__ import annotations

from typing import Any

import pytest

from fsm.audit.report.report import LogReport
from tests.fsm.audit.bench import audited, named, only, untimed
from tests.fsm.audit.logbook import LogBook, Row


class OwnerBook(LogBook):
    """A client of such a provider, as our codecs show it, and what a playout of ours reports."""

    spec = "provider_turns"

    def local(self, kind: str, **fields: Any) -> None:
        self._row("local", {"type": kind, **fields})

    def begins(self) -> str:
        """An answer is sent, and the playout starts with it."""
        self.responses += 1
        name = f"a_{self.responses}"
        self.server("voice.began", speech_id=name)
        self.wait(0.02)
        self.local("playout.started", response_id=name, item_id=name)
        return name

    def plays_out(self, seconds: float = 1.5) -> None:
        self.wait(seconds)
        self.local("playout.drained")

    def hangs_up(self) -> OwnerBook:
        self.local("caller.hung_up", reason="caller_hung_up")
        return self

    def report(self) -> LogReport:
        return audited(self.rows, self.spec)


class AgentBook(OwnerBook):
    """Deepgram's Voice Agent."""

    def settings(self) -> None:
        self.client("Settings", agent={})

    def opened(self) -> AgentBook:
        self.server("Welcome", request_id="r")
        self.settings()
        self.server("SettingsApplied")
        return self

    def greeted(self) -> AgentBook:
        self.opened()
        self.client("InjectAgentMessage", message="Hello!", behavior="queue")
        self.wait(0.7)
        self.speaks()
        return self

    def speaks(self) -> None:
        self.server("ConversationText", role="assistant", content="Well.")
        name = self.begins()
        self.wait(0.2)
        self.server("AgentAudioDone")
        self.server("voice.ended", speech_id=name)
        self.plays_out()

    def asked(self) -> AgentBook:
        self.wait(0.5)
        self.server("UserStartedSpeaking")
        self.wait(1.0)
        self.taken()
        return self

    def taken(self) -> None:
        self.server("ConversationText", role="user", content="Where is it?", turn_id="t")
        self.wait(0.7)

    def wants(self, *names: str) -> AgentBook:
        made = [{"id": name, "name": name, "arguments": "{}", "client_side": True} for name in names]
        self.server("FunctionCallRequest", functions=made)
        self.wait(0.3)
        return self

    def withdraws(self, *names: str) -> None:
        self.server("FunctionCallCancelled", functions=[{"id": name, "name": name} for name in names])

    def gives(self, name: str) -> AgentBook:
        self.client("FunctionCallResponse", id=name, name=name, content="{}")
        return self


class GeminiBook(OwnerBook):
    """Gemini Live, by the events of our codec."""

    spec = "gemini_turns"

    def opened(self, **setup: Any) -> GeminiBook:
        self.server("session.welcomed")
        self.client("setup", setup={"model": "models/gemini-2.5", **setup})
        self.server("setupComplete", session_id="s")
        return self

    def handle(self) -> GeminiBook:
        self.server("sessionResumptionUpdate", resumable="yes", handle="h")
        return self

    def content(self, *texts: str, answer: bool = True) -> None:
        turns = [{"role": "user", "parts": [{"text": text}]} for text in texts]
        self.client("clientContent", clientContent={"turns": turns, "turnComplete": answer})

    def greeted(self) -> GeminiBook:
        self.opened().handle().content("Greet the caller.")
        self.wait(0.4)
        self.speaks()
        return self

    def speaks(self) -> None:
        name = self.begins()
        self.wait(0.2)
        self.server("voice.ended", speech_id=name)
        self.server("generationComplete")
        self.plays_out()
        self.server("turnComplete", reason="", outcome="whole")

    def asked(self) -> GeminiBook:
        self.wait(1.5)
        self.server("inputTranscription", text=" Where is it?")
        self.wait(0.5)
        return self

    def wants(self, *names: str) -> GeminiBook:
        self.server("toolCall", calls=[{"id": name, "name": name, "arguments": "{}"} for name in names])
        self.wait(0.3)
        return self

    def gives(self, *names: str) -> GeminiBook:
        given = [{"id": name, "name": name, "response": {}} for name in names]
        self.client("toolResponse", toolResponse={"functionResponses": given})
        return self


Book = type[AgentBook] | type[GeminiBook]
BOTH = pytest.mark.parametrize("book", [AgentBook, GeminiBook])


@BOTH
def test_a_clean_call_has_no_finding(book: Book) -> None:
    made = book().greeted().asked()
    made.speaks()
    made.asked().wants("weather", "clock").gives("weather").gives("clock").wait(0.7)
    made.speaks()
    report = made.report()
    assert report.findings == [] and report.notes == []
    figures = report.figures
    assert (figures.sessions, figures.responses, figures.tools, report.heard) == (1, 3, 2, "told")
    assert audited(untimed(made.rows), book.spec).findings == []
    (timeline,) = report.timelines
    assert len(timeline.lanes.heard) == len(timeline.lanes.generated) == 3
    assert all(bar.end_ms > bar.start_ms for bar in (*timeline.lanes.heard, *timeline.lanes.generated))


# --- calls ------------------------------------------------------------------------------------------------------------


@BOTH
def test_a_call_that_is_never_answered(book: Book) -> None:
    made = book().greeted().asked().wants("weather", "clock").gives("clock")
    made.wait(9)
    group = only(made.hangs_up().report(), "call-unanswered")
    assert "'weather' had no answer in 9.3 s" in group.first.text
    assert group.forbids and group.forbids[0].spec == book.spec


@BOTH
def test_a_call_of_a_moment_ago_may_still_be_answered(book: Book) -> None:
    made = book().greeted().asked().wants("weather")
    made.wait(2)
    assert made.hangs_up().report().findings == []


def test_an_answer_after_its_withdrawal() -> None:
    made = AgentBook().greeted().asked().wants("weather")
    made.server("UserStartedSpeaking")
    made.withdraws("weather")
    made.wait(0.5)
    made.gives("weather")
    group = only(made.report(), "call-answered-in-vain")
    assert group.key == "withdrawn"
    assert [each.type for each in group.first.evidence] == [
        "FunctionCallRequest", "FunctionCallCancelled", "FunctionCallResponse",
    ]  # fmt: skip
    gemini = GeminiBook().greeted().asked().wants("weather")
    gemini.server("toolCallCancellation", calls=[{"id": "weather"}])
    assert only(gemini.gives("weather").report(), "call-answered-in-vain").key == "withdrawn"


@BOTH
def test_a_call_that_was_withdrawn_needs_no_answer(book: Book) -> None:
    made = book().greeted().asked().wants("weather")
    if isinstance(made, AgentBook):
        made.withdraws("weather")
    else:
        made.server("toolCallCancellation", calls=[{"id": "weather"}])
    made.speaks()
    made.wait(9)
    assert made.hangs_up().report().findings == []


@BOTH
def test_an_answer_for_nothing(book: Book) -> None:
    made = book().greeted().asked().wants("weather").gives("weather").gives("weather").gives("nobodys")
    keys = {group.key for group in made.report().findings}
    assert keys == {"twice", "unknown"}


@pytest.mark.parametrize(("code", "found"), [(1008, ["call-blocked"]), (1000, [])])
def test_audio_while_a_call_is_open_ends_the_session(code: int, found: list[str]) -> None:
    made = GeminiBook().greeted().asked().wants("weather")
    for _ in range(3):
        made.client("realtimeInput", realtimeInput={"audio": {"audio_bytes": 640}})
    made.closed(code, "Operation is not implemented, or supported, or enabled.")
    report = made.report()
    assert [each for each in named(report.findings) if each != "closed"] == found
    if found:
        assert "audio was sent 3 times" in only(report, "call-blocked").first.text


# --- the settings -----------------------------------------------------------------------------------------------------


def test_settings_that_are_sent_twice() -> None:
    made = AgentBook().greeted()
    made.settings()
    group = only(made.report(), "settings-misplaced")
    assert (group.key, len(group.first.evidence)) == ("twice", 2)
    gemini = GeminiBook().greeted()
    gemini.client("setup", setup={})
    assert only(gemini.report(), "settings-misplaced").key == "twice"


def test_settings_that_are_sent_late() -> None:
    made = AgentBook()
    made.server("Welcome", request_id="r")
    made.wait(8)
    made.settings()
    assert "8.0 s after the socket had opened" in only(made.report(), "settings-misplaced").first.text


def test_something_before_the_settings() -> None:
    made = AgentBook()
    made.server("Welcome", request_id="r")
    made.client("InjectUserMessage", content="Hello")
    made.settings()
    group = only(made.report(), "settings-misplaced")
    assert "InjectUserMessage was sent before the settings" in group.first.text
    gemini = GeminiBook()
    gemini.server("session.welcomed")
    gemini.content("Hello")
    assert only(gemini.report(), "settings-misplaced").key == "not first"


# --- what is heard ----------------------------------------------------------------------------------------------------


def cut(book: Book) -> tuple[AgentBook | GeminiBook, str]:
    """The caller talks over an answer."""
    made = book().greeted().asked()
    if isinstance(made, AgentBook):
        made.server("ConversationText", role="assistant", content="A long story.")
    name = made.begins()
    made.wait(1)
    made.server("UserStartedSpeaking" if isinstance(made, AgentBook) else "interrupted")
    made.server("voice.ended", speech_id=name)
    return made, name


@BOTH
def test_an_answer_that_is_flushed_is_not_late(book: Book) -> None:
    made, _ = cut(book)
    made.local("effect.flush_playout")
    made.wait(1.5)
    made.speaks()
    assert made.report().findings == []


@BOTH
def test_an_answer_that_is_not_flushed(book: Book) -> None:
    made, _ = cut(book)
    made.plays_out(4)
    group = only(made.report(), "audio-after-cut")
    assert (group.key, "went on 4.0 s later" in group.first.text) == ("on", True)
    assert group.forbids


@BOTH
def test_an_answer_that_is_heard_again(book: Book) -> None:
    made, name = cut(book)
    made.local("effect.flush_playout")
    made.wait(0.5)
    made.local("playout.started", response_id=name, item_id=name)
    assert only(made.report(), "audio-after-cut").key == "again"


@BOTH
def test_late_audio_that_is_taken_for_the_next_answer(book: Book) -> None:
    made, _ = cut(book)
    made.local("effect.flush_playout")
    made.wait(0.2)
    made.begins()
    assert only(made.report(), "audio-after-cut").key == "began"


# --- silence ----------------------------------------------------------------------------------------------------------


@BOTH
def test_words_that_nobody_answers(book: Book) -> None:
    made = book().greeted().asked()
    made.wait(7)
    made.speaks()
    group = only(made.report(), "answer-owed")
    assert group.key == "the caller's words"
    assert group.forbids and group.forbids[0].says == "an answer is asked for again after 6 s"


def test_a_greeting_that_nobody_hears() -> None:
    made = AgentBook().opened()
    made.client("InjectAgentMessage", message="Hello!", behavior="queue")
    made.wait(8)
    assert only(made.hangs_up().report(), "answer-owed").key == "what it was to say"


@pytest.mark.parametrize("is_heard", [False, True])
def test_a_turn_that_our_own_ear_alone_hears_the_end_of(is_heard: bool) -> None:
    made = AgentBook().greeted()
    made.wait(1)
    if is_heard:
        made.server("UserStartedSpeaking")
    made.local("caller.spoke")
    made.wait(1)
    made.local("caller.silent")
    made.wait(7)
    assert only(made.hangs_up().report(), "answer-owed").key == "the caller's words"


def test_what_is_asked_for_while_the_agent_is_heard_waits_for_its_end() -> None:
    made = AgentBook().greeted().asked()
    made.server("ConversationText", role="assistant", content="A long story.")
    name = made.begins()
    made.client("InjectAgentMessage", message="And this.", behavior="queue")
    made.wait(0.5)
    made.server("voice.ended", speech_id=name)
    made.plays_out(9)
    made.wait(1)
    made.speaks()
    assert made.report().findings == []


@pytest.mark.parametrize(("wait_s", "found"), [(1.0, False), (7.0, True)])
@pytest.mark.parametrize("outcome", ["empty", "failed"])
def test_a_turn_without_a_word(outcome: str, wait_s: float, found: bool) -> None:
    made = GeminiBook().greeted().asked()
    made.server("turnComplete", reason="", outcome=outcome)
    made.wait(wait_s)
    made.content("Answer now.")
    made.wait(0.5)
    made.speaks()
    report = made.report()
    assert named(report.findings) == (["turn-empty", "answer-owed"] if found else [])
    assert found or named(report.notes) == ["turn-empty"]
    if found:
        assert only(report, "answer-owed").because == "A turn in which the model said nothing"


def test_the_end_of_an_answer_that_was_cut_is_not_an_empty_turn() -> None:
    made, _ = cut(AgentBook)
    assert isinstance(made, AgentBook)
    made.local("effect.flush_playout")
    made.wait(1)
    made.taken()
    made.server("AgentAudioDone")
    made.speaks()
    assert named(made.report().notes) == []
    empty = AgentBook().greeted().asked()
    empty.server("AgentAudioDone")
    empty.wait(0.5)
    empty.speaks()
    assert named(empty.report().notes) == ["turn-empty"]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_connection_that_ends_as_it_was_said() -> None:
    made = GeminiBook().greeted()
    made.server("goAway", time_left_ms=5000)
    made.wait(5)
    made.closed(1011, "Deadline expired")
    group = only(made.report(), "ending-overlooked")
    assert (group.key, [each.type for each in group.first.evidence]) == ("in mid-call", ["goAway", "closed"])
    agent = AgentBook().greeted()
    agent.server("Warning", code="MAXIMUM_SESSION_LENGTH_APPROACHING", description="")
    agent.closed(1000)
    assert "ending-overlooked" in named(agent.report().findings)


@pytest.mark.parametrize(
    ("setup", "is_told", "found"),
    [({}, False, True), ({}, True, False), ({"sessionResumption": {"handle": "h"}}, False, False)],
)
def test_a_session_that_could_have_been_taken_up(setup: Row, is_told: bool, found: bool) -> None:
    made = GeminiBook().greeted()
    made.server("goAway", time_left_ms=50_000)
    made.wait(1)
    made.opened(**setup)
    if is_told:
        made.content("What was said.", "Go on.")
    made.wait(0.5)
    report = made.report()
    assert report.figures.sessions == 2
    assert named(report.findings) == (["ending-overlooked"] if found else [])


def test_a_handle_is_used_once() -> None:
    made = GeminiBook().greeted()
    made.opened(sessionResumption={"handle": "h"})
    made.opened()
    assert named(made.report().findings) == []
