"""Each classic failure is named from its log alone, with evidence, the deciding line and what turnspec does."""

from __future__ import annotations

import json
import re

import pytest

from fsm.audit.report import as_json, markdown
from fsm.audit.report.report import LogReport
from fsm.audit.rules import RULES
from tests.fsm.audit import failures
from tests.fsm.audit.bench import audited, named, only, untimed
from tests.fsm.audit.failures import FAILURES
from tests.fsm.audit.logbook import LogBook


@pytest.mark.parametrize("name", FAILURES)
def test_a_classic_failure_is_named(name: str) -> None:
    make, rule = FAILURES[name]
    report = audited(make())
    assert rule in named(report.findings)
    for group in report.findings:
        assert group.count >= 1
        assert group.first.evidence, group.rule.id
        assert all(e.line and e.where.startswith("log.jsonl:") for e in group.first.evidence)
        assert group.forbids, group.rule.id
        assert all(f.place.line > 0 and f.place.file.startswith("specs/") for f in group.forbids)
        assert group.excerpt is not None and group.excerpt.lines


_ALONE = sorted(set(FAILURES) - {"storm", "storm, rejected"})


@pytest.mark.parametrize("name", _ALONE)
def test_a_failure_is_given_one_name(name: str) -> None:
    make, rule = FAILURES[name]
    assert named(audited(make()).findings) == [rule]


@pytest.mark.parametrize("make", [failures.healthy, failures.update_honoured])
def test_a_call_without_harm_has_notes_at_most(make: object) -> None:
    assert callable(make)
    assert named(audited(make()).findings) == []
    assert named(audited(untimed(make())).findings) == []


def test_the_storm_is_counted_not_listed() -> None:
    report = audited(failures.storm())
    figures = report.figures
    assert (figures.creates, figures.accepted, figures.rejected) == (148, 135, 13)
    assert figures.causes == {"create-while-active": 13}
    assert 69_000 < report.duration_ms < 71_000
    group = only(report, "create-while-active")
    assert group.count == 13
    assert len(group.cases) == 4
    assert len(markdown.page([report])) < 20_000
    assert figures.ours == 1  # the greeting; the provider answers the turns


def test_the_storm_is_seen_without_times() -> None:
    report = audited(untimed(failures.storm()))
    assert only(report, "create-while-active").count == 13
    assert not report.timed


def test_two_tool_results_are_told_with_the_gap_between_them() -> None:
    group = only(audited(failures.two_tools_ask()), "create-per-tool")
    assert "1 ms after another create" in group.first.text
    assert any("create_response(tools)" in line.text for line in group.excerpt.lines) if group.excerpt else False


def test_rejections_are_known_by_message_where_old_servers_send_no_code() -> None:
    book = LogBook().opened()
    book.create()
    book.wait(0.03)
    name = book.begin()
    book.wait(0.1).create()
    book.error(None, "Conversation already has an active response")
    book.wait(0.3).item(name)
    book.audio(name, 1000).done(name)
    assert named(audited(book.rows).findings) == ["create-while-active"]


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("late", [0.0, 0.2])
def test_a_create_that_crosses_the_providers_own_answer_is_not_taken_for_answered(is_named: bool, late: float) -> None:
    """The answer to the turn comes after the create was sent; only the rejection tells that it was not its answer."""
    book = LogBook().greeted()
    book.says().wait(0.002)
    about = book.create()
    book.wait(0.01)
    name = book.begin()
    book.wait(late).busy(name, about if is_named else None)
    book.item(name)
    book.audio(name, 1000).done(name)
    report = audited(book.wait(3.0).rows)
    assert named(report.findings) == ["create-while-owed"]
    assert only(report, "create-while-owed").first.text.startswith("a create while the provider was about to answer")
    assert (report.figures.creates, report.figures.accepted, report.figures.rejected) == (2, 1, 1)
    assert named(report.notes) == []


def test_a_create_that_is_answered_counts_when_nobody_has_rejected_it() -> None:
    book = LogBook().greeted()
    book.create(instructions="Go on.")
    book.wait(0.03).begin()
    report = audited(book.wait(0.1).rows)
    assert (report.figures.creates, report.figures.accepted, report.figures.unanswered) == (2, 2, 0)


def test_an_update_that_is_rejected_and_sent_again_is_not_lived_with() -> None:
    book = LogBook().created()
    about = book.update()
    book.error("unknown_parameter", "Unknown parameter: 'session.voice'.", about, "session.voice")
    book.update()
    book.server("session.updated", session=book.session())
    book.create()
    book.wait(0.03).answer()
    report = audited(book.rows)
    assert [group.key for group in report.findings] == ["session.voice"]


def test_a_cancel_without_an_id_that_hits_the_next_response() -> None:
    book = LogBook().greeted()
    book.says()
    book.client("response.cancel")
    book.wait(0.05)
    name = book.begin()
    book.wait(0.1).done(name, "cancelled", "client_cancelled", said=False)
    group = only(audited(book.rows), "cancel-of-nothing")
    assert "hit the next response: resp_0002" in group.first.text


def test_a_cancel_that_was_let_pass_is_a_note() -> None:
    book = LogBook().greeted()
    book.client("response.cancel", response_id="resp_0001")
    report = audited(book.turn().rows)
    assert named(report.findings) == []
    assert "cancel-of-nothing" in named(report.notes)


def test_a_truncation_beyond_the_end_harms_nobody() -> None:
    report = audited(failures.truncate_beyond())
    assert (named(report.findings), named(report.notes)) == ([], ["truncate-beyond"])


def test_an_answer_that_goes_on_over_the_caller_is_talk_over() -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    name = book.begin()
    book.item(name)
    book.audio(name, 1000)
    turn = book.speech_started()
    book.audio(name, 2500, pace=1.0).done(name)
    book.speech_stopped(turn)
    book.committed(turn).wait(0.001).answer()
    assert "went on for 2.2 s" in only(audited(book.rows), "talk-over").first.text


def test_an_output_before_its_parents_end_is_a_note() -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    calls = book.calls()
    done = book.rows.pop()
    book.output(calls[0])
    book.rows.append({**done, "at": book.now})
    book.create()
    book.wait(0.03).answer()
    report = audited(book.rows)
    assert named(report.findings) == []
    assert named(report.notes) == ["tool-answered-early"]


def test_an_output_before_its_parents_end_that_is_rejected_was_no_output() -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    calls = book.calls()
    done = book.rows.pop()
    book.output(calls[0], echo=False)
    book.error(None, "Tool call ID not found in conversation.", book.rows[-1]["event"]["event_id"])
    book.rows.append({**done, "at": book.now})
    book.wait(0.03).output(calls[0])
    book.create()
    book.wait(0.03).answer()
    report = audited(book.rows)
    assert "tool-answered-early" not in named([*report.findings, *report.notes])
    assert "tool-unanswered" not in named([*report.findings, *report.notes])


def test_audio_that_was_on_its_way_at_a_cut_is_a_note() -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    name = book.begin()
    item = book.item(name)
    book.audio(name, 2000)
    turn = book.speech_started()
    book.client("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=150)
    book.audio(name, 500).done(name, "cancelled", "turn_detected")
    book.wait(1.0).speech_stopped(turn)
    book.committed(turn).wait(0.001).answer()
    report = audited(book.rows)
    assert named(report.findings) == []
    assert named(report.notes) == ["audio-after-flush"]


def test_the_length_of_a_silence_is_a_choice() -> None:
    from fsm.audit.conversation import AuditOptions

    rows = failures.late_answer()
    assert named(audited(rows, options=AuditOptions(dead_air_ms=12_000)).findings) == []
    assert named(audited(rows, options=AuditOptions(dead_air_ms=8000)).findings) == ["dead-air"]


def test_closes_are_explained() -> None:
    for code, reason, expected in (
        (1006, "", "connection broke"), (3000, "invalid_request_error.invalid_api_key", "key is not accepted"),
        (1001, "Your session hit the maximum duration of 60 minutes.", "maximum duration"),
    ):  # fmt: skip
        book = LogBook().greeted()
        book.closed(code, reason)
        assert expected in only(audited(book.rows), "closed").first.text
    book = LogBook().greeted()
    book.closed(1000)
    assert named(audited(book.rows).findings) == []


def test_what_nobody_has_described_is_a_note_and_counted() -> None:
    book = LogBook().greeted()
    for _ in range(3):
        book.server("session.weather.changed", city="London")
    book.server("rate_limits.updated", rate_limits=[], mood="good")
    report = audited(book.rows)
    assert [(g.key, g.count) for g in report.notes] == [
        ("session.weather.changed", 3), ("rate_limits.updated: mood", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("spec", ["server_vad", "owned_turns", "push_to_talk"])
def test_any_bundled_spec_can_be_compared_with(spec: str) -> None:
    report = audited(failures.storm(), spec)
    assert report.spec == spec
    assert all(group.forbids for group in report.findings)


def pages(report: LogReport) -> tuple[str, str]:
    return markdown.page([report]), json.dumps(as_json.document([report]))


@pytest.mark.parametrize("name", FAILURES)
def test_every_form_of_the_report_tells_the_same(name: str) -> None:
    report = audited(FAILURES[name][0]())
    for page in pages(report):
        for group in report.findings:
            assert group.rule.id in page
            assert group.forbids[0].place.file in page
            assert f"log.jsonl:{group.first.evidence[0].line}" in page or '"line": ' in page


def test_what_a_log_says_is_not_markup() -> None:
    book = LogBook().greeted()
    about = book.create()
    book.error("odd<b>", "<script>alert(1)</script> | `x`", about, "response")
    outside_code = re.sub(r"`[^`\n]*`", "", markdown.page([audited(book.rows)]))
    assert not re.search(r"(?<!\\)<script", outside_code)


def test_reports_are_deterministic() -> None:
    first, second = (pages(audited(failures.storm())) for _ in range(2))
    assert first == second


_WITHOUT_LINKS = ("not-in-vocabulary", "nonsense-number", "calls-mixed", "transcription-failed")


def test_every_rule_is_complete() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.title and rule.why.endswith(".") and rule.instead.endswith("."), rule.id
        assert rule.links or rule.id in _WITHOUT_LINKS, rule.id


def test_a_response_whose_beginning_was_lost_still_answers() -> None:
    book = LogBook().greeted()
    book.says().wait(0.001)
    book.answer()
    rows = [row for row in book.rows if row["event"].get("response", {}).get("id") != "resp_0002"]
    book.wait(0.5).turn()
    late = [*rows, *book.rows[len(rows) + 2 :]]
    assert "turn-unanswered" not in named(audited(late).findings)


def test_a_late_answer_is_told_where_audio_is_not_logged() -> None:
    rows = [row for row in failures.late_answer() if not row["event"]["type"].endswith("audio.delta")]
    group = only(audited(rows), "dead-air")
    assert group.count == 1
    assert "9.0 s of silence" in group.first.text


def test_a_caller_who_says_nothing_may_be_spoken_to_again() -> None:
    book = LogBook().opened()
    book.create()
    book.wait(0.03).answer()
    book.wait(9.0).create()
    book.wait(0.03).answer()
    report = audited(book.rows)
    assert named(report.findings) == []
    assert named(report.notes) == ["turn-answered-twice"]


def test_a_transcription_session_answers_nobody() -> None:
    book = LogBook().created()
    session = {**book.session(), "type": "transcription"}
    book.client("session.update", session=session)
    book.server("session.updated", session=session)
    book.says().wait(20.0).says()
    assert named(audited(book.rows).findings) == []


def test_a_commit_in_vad_mode_is_a_note_and_one_that_nobody_answers_a_finding() -> None:
    book = LogBook().greeted()
    book.client("input_audio_buffer.commit")
    report = audited(book.turn().rows)
    assert (named(report.findings), [g.key for g in report.notes]) == ([], ["in VAD mode"])
    book = LogBook(vad=False).greeted()
    book.client("input_audio_buffer.commit")
    book.wait(9.0).server("rate_limits.updated", rate_limits=[])
    group = only(audited(book.rows), "commit")
    assert group.first.text == "a commit has neither input_audio_buffer.committed nor an error 9.0 s later"


def test_an_update_before_the_session_that_is_rejected_is_named_early() -> None:
    book = LogBook()
    about = book.update()
    book.wait(0.1).created()
    book.error("unknown_parameter", "Unknown parameter: 'session.x'.", about, "session.x")
    group = only(audited(book.rows), "update-early")
    assert group.first.text.startswith("a session.update before session.created was rejected: Unknown parameter")


def test_a_create_that_waits_too_long_is_given_up() -> None:
    book = LogBook().greeted()
    book.create()
    book.wait(20.0).create()
    book.wait(0.03).answer()
    report = audited(book.rows)
    assert only(report, "create-unanswered").first.text.endswith("neither a response nor a rejection 20.0 s later")
    assert report.figures.unanswered == 1


def test_speech_that_never_stopped_is_found() -> None:
    book = LogBook().greeted()
    book.speech_started()
    book.wait(31.0).server("rate_limits.updated", rate_limits=[])
    assert named(audited(book.rows).findings) == ["turn-endless"]


def test_an_output_for_a_call_that_the_log_does_not_show_is_a_note() -> None:
    book = LogBook().greeted()
    book.output("call_before", echo=False)
    report = audited(book.turn().rows)
    assert (named(report.findings), named(report.notes)) == ([], ["tool-unknown"])


def test_of_several_logs_a_table_stands_first() -> None:
    text = markdown.page([audited(failures.healthy()), audited(failures.two_tools_ask())])
    assert "| log | findings | notes | what |" in text
    assert "| `log.jsonl` | 0 | 1 | clean |" in text
    assert "| `log.jsonl` | 1 | 0 | `create-per-tool` |" in text
