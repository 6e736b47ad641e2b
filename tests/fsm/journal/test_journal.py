"""Journal lines: written and read back the same, without audio and secrets, and hard to break."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.journal.journal import (
    EffectLine,
    EndLine,
    Header,
    Journal,
    JournalError,
    Line,
    LostLine,
    StepLine,
    TakeoverLine,
    TimerLine,
    WireLine,
    decode,
    digest,
    encode,
    read,
    step_line,
)
from fsm.journal.scrub import HIDDEN, scrub
from fsm.machine.machine import Event
from tests.fsm.bundle import machine

HEADER = Header("server_vad", "specs/server_vad.yaml", "0123456789abcdef", "call-1", "", {"owed": "none"})
STEP = StepLine(
    7, 1250, "response.created", "response.created.ours", "taken", "response_pending", "responding",
    {"response_id": "resp_1", "tag": "ts_create_response_2", "outputs": 0}, "wire:event_9", ("conversation/x", "y"),
    "specs/parts/conversation.yaml:124", (EffectLine("flush_playout", {"response_ids": ["resp_0"]}),),
    (TimerLine("response_overdue", 10000, 7),), ("create_overdue",), "because",
)  # fmt: skip
LINES: tuple[Line, ...] = (
    STEP,
    StepLine(8, 1251, "session.updated", "session.updated", "ignored", "responding", "responding"),
    WireLine(1252, "in", {"type": "response.done", "response": {"id": "resp_1", "usage": None}}),
    WireLine(1253, "out", {"type": "response.create", "event_id": "ts_create_response_3"}),
    TakeoverLine(1260, "full_duplex", "specs/full_duplex.yaml", "fedc", {"owed": "turn"}, {"wish": "Hi."}, "ws://a"),
    LostLine(1300, 12, "the writer could not keep up"),
    EndLine(2000, {"turns": 3, "answers": {"completed": 2}}),
)


def test_a_call_under_two_specs_is_two_journals() -> None:
    whole = read(journal_text(*LINES))
    before, after = whole.parts
    assert before.header == HEADER and before.lines == LINES[:4]
    assert (after.header.spec, after.header.digest, after.header.call_id) == ("full_duplex", "fedc", "call-1")
    assert after.header.context == {"owed": "turn"} and after.header.ids == {"wish": "Hi."}
    assert after.lines == LINES[5:] and after.end is not None and before.end is None
    assert before.parts == (before,)


@pytest.mark.parametrize("line", [HEADER, *LINES], ids=lambda line: type(line).__name__)
def test_a_line_is_read_back_as_it_was_written(line: Line) -> None:
    text = encode(line)
    assert "\n" not in text
    assert decode(text) == line


def journal_text(*lines: Line) -> list[str]:
    return [encode(line) + "\n" for line in (HEADER, *lines)]


def test_a_journal_is_read_whole() -> None:
    journal = read(journal_text(*LINES), "call.jsonl")
    assert journal == Journal(HEADER, LINES, (), "call.jsonl")
    assert [step.serial for step in journal.steps] == [7, 8]
    assert journal.end == LINES[-1]


def test_fields_of_a_later_writer_are_passed_over() -> None:
    raw = {**json.loads(encode(STEP)), "mood": "fine", "effects": [{"name": "hang_up", "priority": 3}]}
    line = decode(json.dumps(raw))
    assert isinstance(line, StepLine)
    assert line.effects == (EffectLine("hang_up"),)


@pytest.mark.parametrize("cut", range(1, len(encode(STEP)), 7))
def test_a_last_line_cut_by_a_crash_is_a_warning(cut: int) -> None:
    journal = read([*journal_text(LINES[1]), encode(STEP)[:cut]], "call.jsonl")
    assert journal.lines == (LINES[1],)
    assert [warning.code for warning in journal.warnings] == ["cut-line", "no-end"]
    assert str(journal.warnings[0]).startswith("call.jsonl:3:1: warning[cut-line]")


def test_a_broken_line_that_is_not_the_last_is_an_error() -> None:
    lines = [*journal_text(), encode(STEP)[:40], *journal_text(LINES[1])[1:]]
    with pytest.raises(JournalError, match=r"^call.jsonl:2: this is not JSON"):
        read(lines, "call.jsonl")


def test_a_broken_line_written_to_its_end_is_an_error_also_at_the_end() -> None:
    with pytest.raises(JournalError, match=r"^call.jsonl:2: "):
        read([*journal_text(), '{"kind": "step"}\n'], "call.jsonl")


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(encode(STEP)), **fields})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense", "f:3: this is not JSON"),
        ("[1]", "f:3: a JSON object is expected here"),
        ('{"kind": "stepp"}', "f:3: 'stepp' is not a kind of line; known: header, step, wire, takeover, lost, end"),
        ('{"kind": "end"}', r"f:3: required field missing @ $.t_ms"),
        (changed(t_ms="soon"), 'f:3: a whole number is expected, not "soon" @ $.t_ms'),
        (changed(serial=True), "f:3: a whole number is expected, not true @ $.serial"),
        (changed(effects=[{"args": {}}]), "f:3: required field missing @ $.effects[0].name"),
        (changed(event=5), "f:3: a text is expected, not 5 @ $.event"),
        (encode(HEADER).replace('"version":1', '"version":2'), "f:3: version 2 of a journal; this reads version 1"),
    ],
)
def test_a_wrong_line_names_file_line_and_field(text: str, problem: str) -> None:
    with pytest.raises(JournalError) as caught:
        decode(text, "f", 3)
    assert str(caught.value).startswith(problem)


def test_an_outcome_or_direction_that_does_not_exist_is_wrong() -> None:
    for text in (changed(outcome="guessed"), encode(LINES[2]).replace('"in"', '"up"')):
        with pytest.raises(JournalError):
            decode(text)


@pytest.mark.parametrize("lines", [[], ["\n"], [encode(STEP) + "\n"], [encode(HEADER)[:20]]])
def test_a_journal_begins_with_its_header(lines: list[str]) -> None:
    with pytest.raises(JournalError):
        read(lines, "f")


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(JournalError):
        decode(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_any_wire_event_can_be_written_and_scrubbing_twice_changes_nothing(event: dict[str, object]) -> None:
    line = decode(encode(WireLine(1, "in", event)))
    assert isinstance(line, WireLine)
    assert encode(line) == encode(WireLine(1, "in", event))


def test_what_json_cannot_hold_is_written_nevertheless() -> None:
    for odd in (10**30, "\ud800", "é\ud800", b"bytes", {1, 2}, float("nan"), {5: 6}):
        text = encode(WireLine(1, "in", {"x": odd}))
        assert text.encode()
        assert json.loads(text, parse_constant=pytest.fail)["t_ms"] == 1


def test_words_of_any_language_stay_readable() -> None:
    assert "grüß Gott" in encode(WireLine(1, "in", {"transcript": "grüß Gott"}))


def test_an_event_nested_without_end_is_cut() -> None:
    deep: dict[str, object] = {"x": 1}
    for _ in range(100_000):
        deep = {"x": deep}
    text = encode(WireLine(1, "in", deep))
    assert len(text) < 1000
    with pytest.raises(JournalError):
        decode("[" * 100_000)


# --- what must not be in it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "input_audio_buffer.append", "audio": "AAAA" * 80}, {"audio": {"audio_bytes": 240}}),
        ({"type": "response.output_audio.delta", "delta": "QUJDRA=="}, {"delta": {"audio_bytes": 4}}),
        ({"type": "response.audio.delta", "delta": "QUJD"}, {"delta": {"audio_bytes": 3}}),
        ({"type": "response.audio_transcript.delta", "delta": "Hello"}, {"delta": "Hello"}),
        (
            {"item": {"type": "message", "content": [{"type": "input_audio", "audio": "QUJD"}]}},
            {"item": {"type": "message", "content": [{"type": "input_audio", "audio": {"audio_bytes": 3}}]}},
        ),
        (
            {"session": {"audio": {"output": {"voice": "marin"}}}, "type": "session.update"},
            {"session": {"audio": {"output": {"voice": "marin"}}}},
        ),
    ],
)
def test_audio_is_replaced_by_its_length(event: dict[str, object], expected: dict[str, object]) -> None:
    clean = scrub(event)
    assert isinstance(clean, dict)
    clean.pop("type", None)
    assert clean == expected


SECRET = "sk-proj-abcDEF123456"


@pytest.mark.parametrize(
    "event",
    [
        {"Authorization": f"Bearer {SECRET}"},
        {"headers": {"X-Custom": SECRET[8:], "api-key": SECRET}},
        {"session": {"client_secret": {"value": f"ek_{SECRET[8:]}"}}},
        {"error": {"message": f"Incorrect API key provided: {SECRET}. You can find it at https://x"}},
        {"url": f"wss://host/realtime?api-key={SECRET[8:]}&model=gpt-realtime"},
        {"log": f"authorization: bearer {SECRET[8:]}"},
        {"tools": [{"type": "mcp", "authorization": SECRET[8:], "headers": {"a": SECRET[8:]}}]},
    ],
)
def test_secrets_are_hidden(event: dict[str, object]) -> None:
    text = encode(WireLine(0, "out", event))
    assert SECRET[8:] not in text
    assert HIDDEN in text


def test_what_only_looks_like_a_secret_stays() -> None:
    event = {"usage": {"input_tokens": 7}, "text": "ask-me-anything, task-force-one", "item_id": "item_sk12345678"}
    assert scrub(event) == event


# --- from the machine -------------------------------------------------------------------------------------------------


def test_a_step_of_the_machine_becomes_a_line() -> None:
    core = machine("server_vad")
    opened = core.step(core.start(owed="none")[-1].snapshot, Event("provider.opened"))
    step = core.step(opened.snapshot, Event("session.created"))
    line = step_line(step, 2, 310, "wire:event_1")
    assert (line.before, line.after, line.outcome) == ("awaiting_session_created", "configuring", "taken")
    assert line.effects == (EffectLine("update_session", {"event_id": "ts_update_session_1"}),)
    assert line.transitions == ("awaiting_session_created/session.created",)
    assert line.place.startswith("specs/parts/conversation/session.yaml:")
    assert "created_overdue" in line.stopped
    assert [timer.name for timer in line.started] == ["update_overdue"]
    assert decode(encode(line)) == line


def test_the_digest_tells_texts_apart_and_where_one_ends() -> None:
    assert digest(["ab", "c"]) == digest(iter(["ab", "c"]))
    assert len({digest(texts) for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"])}) == 4
