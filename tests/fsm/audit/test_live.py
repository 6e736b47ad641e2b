"""Logs of GPT-Live, scripted: the classic failures each by its name, and a clean call without any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.audit.run import auditor
from fsm.audit.conversation import AuditOptions
from fsm.audit.report.report import LogReport
from fsm.journal.journal import EndLine, Header, Line, StepLine, TakeoverLine, WireLine, encode
from tests.fsm.audit.bench import audited, named, only, untimed
from tests.fsm.audit.logbook import LogBook, Row


class LiveBook(LogBook):
    """A client and GPT-Live, and what a playout of ours reports."""

    def started(self) -> LiveBook:
        self.client("session.start", session={"model": "gpt-live-1"})
        self.server("session.started", session={"id": "live_1"})
        return self

    def local(self, kind: str, **fields: Any) -> None:
        self._row("local", {"type": kind, **fields})

    def speaks(self, name: str, *, late_s: float = 0.1, lasts_s: float = 1.5) -> LiveBook:
        self.server("voice.began", speech_id=name)
        self.server("session.output_transcript.delta", delta=" Hello.", start_ms=0, end_ms=200)
        self.wait(lasts_s)
        self.server("voice.ended", speech_id=name)
        self.wait(late_s)
        self.local("playout.drained")
        return self

    def asked(self) -> LiveBook:
        self.server("session.input_transcript.delta", delta=" Where", start_ms=0, end_ms=200)
        self.wait(0.2)
        self.server("session.input_transcript.delta", delta=" is it?", start_ms=200, end_ms=400)
        self.wait(0.6)
        return self

    def delegates(self, *calls: str, ends: str = "response.completed") -> LiveBook:
        delegation = {"id": "dl_1", "target": "responses", "response_id": "r_1"}
        self.server("session.delegation.created", offset_ms=0, delegation=delegation)
        for name in calls:
            item = {"type": "function_call", "call_id": name, "name": name, "arguments": "{}", "status": "completed"}
            self._nested({"type": "response.output_item.done", "item": item})
        self._nested({"type": ends})
        return self

    def _nested(self, event: Row, delegation: str | None = "dl_1") -> None:
        self.server("response.event", delegation_id=delegation, event=event)

    def gives(self, call: str) -> LiveBook:
        self.client("response.item.create", item={"type": "function_call_output", "call_id": call, "output": "{}"})
        return self

    def continues(self, *, answered: bool = True) -> LiveBook:
        self.client("response.create")
        if answered:
            self._nested({"type": "response.created"}, None)
            self._nested({"type": "response.completed"}, None)
        return self

    def goodbye(self) -> LiveBook:
        self.client("session.close")
        self.server("session.closed", reason="close_requested", usage={"seconds": 9})
        return self

    def report(self) -> LogReport:
        return audited(self.rows, "full_duplex")


def greeted() -> LiveBook:
    book = LiveBook().started()
    book.client("session.commentary.append", content="Hello!", delegation_id=None)
    book.wait(0.9)
    return book.speaks("s_1")


def test_a_clean_call_has_no_finding() -> None:
    book = greeted().asked().speaks("s_2").asked().delegates("weather", "clock")
    book.wait(0.5)
    book.gives("weather").gives("clock").continues().wait(0.4)
    report = book.speaks("s_3").goodbye().report()
    assert report.findings == [] and [each.rule.id for each in report.notes] == []
    assert audited(untimed(book.rows), "full_duplex").findings == []


def test_a_round_that_is_continued_in_part() -> None:
    report = greeted().asked().delegates("weather", "clock").gives("weather").continues(answered=False).report()
    group = only(report, "partial-batch")
    assert "1 outputs, and 1 calls had none (clock)" in group.first.text
    assert [each.type for each in group.first.evidence] == ["response.event", "response.create"]
    assert group.forbids and group.forbids[0].spec == "full_duplex"


@pytest.mark.parametrize(("calls", "key"), [(("weather",), "early"), ((), "none")])
def test_a_continuation_without_outputs(calls: tuple[str, ...], key: str) -> None:
    report = greeted().asked().delegates(*calls).continues(answered=False).report()
    assert only(report, "continuation-without-outputs").key == key


def test_an_output_for_a_response_that_has_failed() -> None:
    report = greeted().asked().delegates("weather", ends="response.failed").gives("weather").report()
    assert "weather" in only(report, "output-void").first.text


def test_work_that_nobody_answers() -> None:
    book = greeted().asked()
    book.server("session.delegation.created", offset_ms=0, delegation={"id": "dl_9", "target": "client"})
    book.wait(0.5)
    book.speaks("s_2").wait(9)
    assert (
        "a delegation to client was not answered" in only(book.goodbye().report(), "delegation-unanswered").first.text
    )


def test_work_that_is_answered() -> None:
    book = greeted().asked()
    book.server("session.delegation.created", offset_ms=0, delegation={"id": "dl_9", "target": "client"})
    book.wait(2)
    book.client("session.commentary.append", content="It comes tomorrow.", delegation_id="dl_9")
    book.wait(0.8)
    book.speaks("s_2").wait(9)
    assert named(book.goodbye().report().findings) == []


@pytest.mark.parametrize(
    ("outputs", "told"),
    [((), "a call of a tool was not"), (("weather",), "a round of tools, for want of a continuation, was not")],
)
def test_a_round_that_is_never_ended(outputs: tuple[str, ...], told: str) -> None:
    book = greeted().asked().delegates("weather")
    for each in outputs:
        book.gives(each)
    book.wait(0.2)
    book.speaks("s_2").wait(9)
    assert told in only(book.goodbye().report(), "delegation-unanswered").first.text


def test_a_continuation_that_never_comes() -> None:
    book = greeted().asked().delegates("weather").gives("weather").continues(answered=False)
    book.wait(0.2)
    book.speaks("s_2").wait(9)
    assert "a continuation was not answered" in only(book.goodbye().report(), "delegation-unanswered").first.text


def test_words_that_the_model_does_not_answer() -> None:
    book = greeted().wait(2)
    assert isinstance(book, LiveBook)
    book.asked().wait(7)
    book.speaks("s_2")
    assert "7.6 s of silence after the caller's words" in only(book.report(), "live-silence").first.text
    book = LiveBook().started()
    book.client("session.commentary.append", content="Hello!", delegation_id=None)
    book.wait(8)
    assert "what it was to say" in only(book.goodbye().report(), "live-silence").first.text


def test_words_that_lag_behind_their_answer_are_answered() -> None:
    book = greeted().wait(2)
    assert isinstance(book, LiveBook)
    book.server("voice.began", speech_id="s_2")
    book.server("session.input_transcript.delta", delta=" Where is it?", start_ms=0, end_ms=200)
    book.wait(1)
    book.server("voice.ended", speech_id="s_2")
    book.server("session.input_transcript.delta", delta=" Hm?", start_ms=0, end_ms=200)
    book.wait(9)
    assert named(book.goodbye().report().findings) == []


def test_speech_that_is_played_late() -> None:
    book = greeted().asked()
    group = only(book.speaks("s_2", late_s=4.0).report(), "drift")
    assert "4.0 s after it had ended" in group.first.text
    cut = greeted().asked()
    cut.server("voice.began", speech_id="s_2")
    cut.server("voice.ended", speech_id="s_2")
    cut.local("effect.flush_playout")
    cut.wait(4)
    cut.local("playout.drained")
    assert "drift" not in named(cut.report().findings)


def test_another_session_begins_anew() -> None:
    book = greeted().asked().delegates("weather")
    book.closed(1011)
    book.wait(1)
    book.started().wait(0.2)
    report = book.speaks("s_9").goodbye().report()
    assert report.figures.sessions == 2 and "partial-batch" not in named(report.findings)


def test_a_journal_of_a_call_that_went_on_elsewhere_is_read_in_both_parts(tmp_path: Path) -> None:
    begun = {"type": "session.created", "event_id": "e1", "session": {}}
    item = {"type": "function_call", "call_id": "c", "name": "clock", "arguments": "{}"}
    nested = {
        "type": "response.event",
        "delegation_id": "d",
        "event": {"type": "response.output_item.done", "item": item},
    }
    lines: list[Line] = [
        Header("server_vad", "specs/server_vad.yaml", "", "call-1"), WireLine(10, "in", begun),
        StepLine(
            0, 2000, "provider.closed", "provider.closed.retryable", "taken", "configured", "reconnecting",
            {"code": 1011, "reason": ""},
        ),
        TakeoverLine(3000, "full_duplex", "specs/full_duplex.yaml", "", {"owed": "turn", "reconnects": "1"}),
        WireLine(3010, "out", {"type": "session.start", "session": {}}),
        WireLine(3020, "in", {"type": "session.started", "session": {"id": "l"}}), WireLine(3030, "in", nested),
        WireLine(3040, "out", {"type": "response.create"}), EndLine(4000, {}),
    ]  # fmt: skip
    path = tmp_path / "call-1.jsonl"
    path.write_text("".join(encode(line) + "\n" for line in lines))
    report = auditor(None, AuditOptions()).audit(str(path))
    assert set(named(report.findings)) == {"closed", "continuation-without-outputs"}
    assert not [each for each in report.notes if each.rule.id == "not-in-vocabulary"]
