"""Small logs that were once read or judged wrongly, each standing for a kind; and what else is of the same kind."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from adapters.audit import terminal
from adapters.audit.events import unwrap
from adapters.audit.page import page
from adapters.audit.run import Auditor
from adapters.audit.times import of_mapping
from adapters.cli import main
from fsm.audit.record import visible
from fsm.audit.report import as_json, markdown
from fsm.audit.report.report import LogReport
from tests.fsm.audit.bench import named
from tests.fsm.audit.failures import FAILURES
from tests.fsm.audit.logbook import LogBook, Row
from tests.fsm.audit.shapes import Wire

CASES = Path(__file__).parent / "cases"
FOUND = {
    "ava_half.jsonl": ["error: x"],  # the provider's own; no create is missing its answer
    "big_number.jsonl": [],
    "content_filter.jsonl": ["turn-unanswered: turn 1: nobody answered for 21.5 s"],
    "error_body.log": ["create-rejected: a create was rejected that this log does not show: Conversation already has"],
    "esc.jsonl": ["error: A\\x1b]0;PWN\\x07\\x1b[2J\\x1b[31mB"],
    "item_call_id.jsonl": [
        "tool-unanswered: w (call_abcdefgh1) has no output: the one that was sent was rejected",
        "error: Missing required parameter: 'item.call_id'. - a field of the item is missing: the item is not in the",
    ],
    "name_payload.log": ["update-rejected: Unknown parameter: 'session.bogus_field'."],
    "ns_epoch.jsonl": [],
    "self_interruption.jsonl": ["self-interruption: 12 of 12 answers were cut by a turn right after they began"],
    "str_of_sdk_error.log": [],
    "text_only.jsonl": ["answer-not-heard: turn 1 was answered by resp_1 in text alone: nobody heard it"],
    "tool_never_answered_untimed.jsonl": ["tool-unanswered: transferToSupervisor (call_abcdefgh1) has no output"],
}
NOTED = {
    "big_number.jsonl": "field input_audio_buffer.speech_started: audio_start_ms holds a number beyond all bounds",
    "str_of_sdk_error.log": "Audio content of 2450ms is already shorter than 2535ms - the item is shorter than where",
}


@pytest.mark.parametrize("case", FOUND)
def test_a_case_is_judged_as_it_is(runner: Auditor, case: str) -> None:
    report = runner.audit(str(CASES / case))
    said = [f"{group.rule.id}: {group.first.text}" for group in report.findings]
    assert len(said) == len(FOUND[case])
    for text, begins in zip(said, FOUND[case], strict=True):
        assert text.startswith(begins)
    noted = NOTED.get(case)
    assert noted is None or any(group.first.text.startswith(noted) for group in report.notes)


def test_no_case_is_left_out() -> None:
    assert {file.name for file in CASES.iterdir()} == set(FOUND)


def audited(runner: Auditor, folder: Path, text: str) -> LogReport:
    path = folder / "log"
    path.write_text(text, encoding="utf-8")
    return runner.audit(str(path))


def lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# --- control characters -----------------------------------------------------------------------------------------------


EVIL = "A\x1b]0;PWN\x07\x1b[2J\x9b31m\u202eB\ud800\r"


def test_no_form_of_a_report_has_a_control_character(runner: Auditor, tmp_path: Path) -> None:
    book = LogBook().greeted()
    book.error(EVIL, EVIL, EVIL, EVIL)
    book.server(f"session.{EVIL}", city=EVIL)
    book.closed(4000, EVIL)
    rows = [{"call_id": f"c1{EVIL}", **row} for row in book.rows]
    report = audited(runner, tmp_path, lines(rows))
    assert len(report.findings) == 2
    console = Console(width=200, record=True, file=io.StringIO(), color_system=None)
    terminal.show(console, [report])
    forms = (page([report]), markdown.page([report]), json.dumps(as_json.document([report])), console.export_text())
    for text in forms:
        text.encode()
        assert "PWN" in text
        assert not any(visible(each) != each for each in text.split("\n"))


def test_the_name_of_a_log_is_shown_escaped(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["audit", str(tmp_path / "a\x1b[2J")])
    assert result.exit_code == 2
    assert "a\\x1b[2J cannot be read" in result.output


# --- numbers and times ------------------------------------------------------------------------------------------------


HUGE = "9" * 400


@pytest.mark.parametrize("number", [HUGE, "-" + HUGE, "1e999", "NaN", "Infinity", "1e300"])
@pytest.mark.parametrize("field", ["at", "audio_start_ms", "code", "audio_end_ms", "audio_tokens", "audio_bytes"])
def test_no_number_ends_an_audit(runner: Auditor, tmp_path: Path, number: str, field: str) -> None:
    made = [
        '{"at": 0, "event": {"type": "session.created", "session": {}}}',
        '{"at": AT, "event": {"type": "input_audio_buffer.speech_started", "audio_start_ms": AUDIO_START_MS}}',
        '{"at": 2, "event": {"type": "conversation.item.truncate", "item_id": "i", "audio_end_ms": AUDIO_END_MS}}',
        '{"at": 3, "event": {"type": "input_audio_buffer.append", "audio": {"audio_bytes": AUDIO_BYTES}}}',
        '{"at": 4, "event": {"type": "response.done", "response": {"id": "r", "status": "completed", "usage": '
        '{"output_token_details": {"audio_tokens": AUDIO_TOKENS}}}}}',
        '{"at": 5, "kind": "close", "code": CODE}',
    ]
    text = "\n".join(made).replace(field.upper(), number)
    for each in ("AT", "AUDIO_START_MS", "AUDIO_END_MS", "AUDIO_BYTES", "AUDIO_TOKENS", "CODE"):
        text = text.replace(f" {each}}}", " 1}").replace(f" {each},", " 1,")
    report = audited(runner, tmp_path, text + "\n")
    assert report.figures.records == 6
    assert report.duration_ms == pytest.approx(5000)
    page([report])


EPOCH = 1_792_576_800


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timestamp", EPOCH), ("timestamp", EPOCH * 10**3), ("timestamp", EPOCH * 10**6), ("timestamp", EPOCH * 10**9),
        ("timeUnixNano", str(EPOCH * 10**9)), ("observedTimeUnixNano", EPOCH * 10**9), ("ts", f"{EPOCH}.000000000"),
        ("time", str(EPOCH * 10**6)),
    ],
)  # fmt: skip
def test_an_epoch_of_any_unit_is_the_same_time(key: str, value: object) -> None:
    time = of_mapping({key: value})
    assert time is not None and time.ms == pytest.approx(EPOCH * 1000.0)


def test_a_key_that_holds_no_time_hides_no_other() -> None:
    time = of_mapping({"timestamp": "yesterday", "ts": EPOCH})
    assert time is not None and time.ms == EPOCH * 1000.0
    assert of_mapping({"timestamp": "²", "at": float("inf")}) is None


# --- events in other clothes ------------------------------------------------------------------------------------------


def test_an_entry_that_names_its_event_by_event_type_is_read() -> None:
    found = unwrap({"event_type": "response.done", "response": {"id": "r"}, "level": "debug", "timestamp": 1.0e9})
    assert found is not None
    assert (found.event, found.side, found.whole) == (
        {"type": "response.done", "response": {"id": "r"}},
        "server",
        True,
    )
    bare = unwrap({"event_type": "response.done", "event": "Unhandled event"})
    assert bare is not None and (bare.event, bare.whole) == ({"type": "response.done"}, False)
    assert unwrap({"event_type": "user.signed_up", "event": "x"}) is None


def test_fields_of_the_log_are_not_fields_of_the_event() -> None:
    found = unwrap({"type": "session.update", "level": "debug", "event": "OpenAI send", "call_id": "1.1"})
    assert found is not None
    assert (found.event, found.whole, found.calls) == ({"type": "session.update"}, False, {"call_id": "1.1"})


BODY = {
    "type": "invalid_request_error", "code": "invalid_value", "message": "Audio content of 1ms is already shorter",
    "param": None, "event_id": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        f"ERROR Error: {BODY!r}",
        f"ERROR Error: {json.dumps(BODY)}",
        json.dumps({"msg": "failed", "err": BODY}),
        "x RealtimeError(type='invalid_request_error', code=None, message='Audio content of 1', event_id=None)",
    ],
)
def test_the_body_of_an_error_is_an_error(runner: Auditor, tmp_path: Path, line: str) -> None:
    report = audited(runner, tmp_path, f"call begins\n{line}\n")
    assert (named(report.findings), named(report.notes)) == ([], ["truncate-beyond"])


def test_the_body_of_another_services_error_is_not_one() -> None:
    assert unwrap({"type": "invalid_request_error", "code": "context_length_exceeded", "message": "too long"}) is None
    assert unwrap({"type": "error", "message": "disk full", "code": 28}) is None


@pytest.mark.parametrize("between", ["   ", ": ", " | ", " -> ", "]: "])
def test_a_type_may_stand_before_its_payload(runner: Auditor, tmp_path: Path, between: str) -> None:
    rows = [row["event"] for row in FAILURES["two tools ask"][0]()]
    bodies = [{key: value for key, value in row.items() if key not in ("type", "event_id")} for row in rows]
    made = [f"recv {row['type']}{between}{json.dumps(body)}\n" for row, body in zip(rows, bodies, strict=True) if body]
    report = audited(runner, tmp_path, "call begins\n" + "".join(made))
    assert report.figures.records == len(made)
    assert report.figures.rejected == 1


# --- judging ----------------------------------------------------------------------------------------------------------


def test_from_a_log_that_shows_no_answer_of_any_kind_none_is_missing(runner: Auditor, tmp_path: Path) -> None:
    book = LogBook()
    book.create()
    book.wait(60.0).error("invalid_value", "x")
    assert named(audited(runner, tmp_path, lines(book.rows)).findings) == ["error"]


def test_a_caller_who_interrupts_three_times_is_not_an_echo(runner: Auditor, tmp_path: Path) -> None:
    book = LogBook().greeted()
    for number in range(9):
        book.says().wait(0.001)
        name = book.begin()
        book.item(name)
        book.audio(name, 500)
        if number % 3 == 0:
            book.done(name, "cancelled", "turn_detected")
        else:
            book.done(name).wait(0.5)
    assert "self-interruption" not in named(audited(runner, tmp_path, lines(book.rows)).findings)


@pytest.mark.parametrize("how", ["by the session", "by the create", "typed"])
def test_an_answer_that_was_wanted_in_text_is_heard_as_it_is(runner: Auditor, tmp_path: Path, how: str) -> None:
    wire = Wire()
    wire.opened()
    if how == "by the session":
        wire.server("session.updated", session={**wire.session(), "output_modalities": ["text"]})
    if how == "typed":
        wire.says_text("And now?")
    else:
        wire.speaks()
    wire.create(**({"output_modalities": ["text"]} if how == "by the create" else {}))
    name = wire.began()
    item = wire.message(name)
    wire.ended(name, [{**item, "content": [{"type": "output_text", "text": "Yes."}]}])
    assert named(audited(runner, tmp_path, lines(wire.rows)).findings) == []


def test_without_times_a_log_may_end_right_after_a_tool_was_called(runner: Auditor, tmp_path: Path) -> None:
    rows = (CASES / "tool_never_answered_untimed.jsonl").read_text().splitlines()
    assert named(audited(runner, tmp_path, "\n".join(rows[:-1])).findings) == []


@pytest.mark.parametrize("is_named", [True, False])
def test_an_output_that_was_rejected_answers_no_call(runner: Auditor, tmp_path: Path, is_named: bool) -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    (call,) = book.calls()
    book.wait(0.2).output(call, echo=False)
    about = book.rows[-1]["event"]["event_id"] if is_named else None
    book.error("invalid_value", "Tool call ID not found in conversation.", about, "item.call_id")
    found = named(audited(runner, tmp_path, lines(book.wait(0.1).rows)).findings)
    assert found == ["tool-unanswered", "error"]
