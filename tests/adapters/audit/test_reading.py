"""One small call as the loggers of many programs show it: every form gives the same events and the same finding."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from adapters.audit import documents, stream, told
from adapters.audit.literals import loose, pairs
from adapters.audit.run import Auditor
from adapters.audit.told import name_in, names_in, words_in
from adapters.cli import main
from fsm.audit.realtime_events import CLIENT_FIELDS, SERVER_FIELDS
from tests.fsm.audit.bench import named

Json = dict[str, Any]
BUSY = {
    "type": "invalid_request_error", "code": "conversation_already_has_active_response",
    "message": "Conversation already has an active response in progress: r1", "param": None, "event_id": None,
}  # fmt: skip
CALL: list[tuple[str, Json]] = [
    ("server", {"type": "session.created", "event_id": "e0", "session": {"id": "s", "voice": "cedar"}}),
    ("client", {"type": "response.create"}),
    ("server", {"type": "response.created", "event_id": "e1", "response": {"id": "r1", "status": "in_progress"}}),
    ("client", {"type": "response.create"}),
    ("server", {"type": "error", "event_id": "e2", "error": BUSY}),
    ("server", {"type": "response.done", "event_id": "e3", "response": {"id": "r1", "status": "completed"}}),
]
_FIRST_NS = 1_792_576_800_000_000_000


def words(side: str) -> str:
    return "sent" if side == "client" else "received"


def each(made: Callable[[int, str, Json], str]) -> str:
    return "".join(made(at, side, event) for at, (side, event) in enumerate(CALL))


def text(made: Callable[[Json], str]) -> str:
    return each(lambda at, side, event: f"2026-10-21 10:00:0{at} app {words(side)} {made(event)}\n")


def objects(made: Callable[[Json], Json]) -> str:
    return each(lambda at, side, event: json.dumps({"ts": at, "dir": side, **made(event)}) + "\n")


def attribute(key: str, value: str) -> Json:
    return {"key": key, "value": {"stringValue": value}}


def otlp_spans() -> str:
    spans = [
        {"spanId": str(at), "name": "websocket", "startTimeUnixNano": str(_FIRST_NS + at * 10**9),
         "attributes": [attribute("direction", side), attribute("payload", json.dumps(event))]}
        for at, (side, event) in enumerate(CALL)
    ]  # fmt: skip
    return json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]})


def otlp_logs() -> str:
    logs = [
        {"timeUnixNano": str(_FIRST_NS + at * 10**9), "body": {"stringValue": f"{words(side)} {json.dumps(event)}"}}
        for at, (side, event) in enumerate(CALL)
    ]
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]})


def otlp_events() -> str:
    made = [
        {"timeUnixNano": _FIRST_NS + at * 10**9, "name": event["type"],
         "attributes": [attribute(key, str(value)) for key, value in flattened(event) if value is not None]}
        for at, (_, event) in enumerate(CALL)
    ]  # fmt: skip
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "call", "events": made}]}]}]})


def flattened(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, child in value.items():
        if isinstance(child, dict):
            yield from flattened(child, f"{before}{key}.")
        else:
            yield f"{before}{key}", child


def console_span() -> str:
    """What the console exporter of OpenTelemetry prints: a span over several lines, attributes flattened."""
    events = [
        {"name": event["type"], "timestamp": f"2026-10-21T10:00:0{at}.000000Z",
         "attributes": {key: value for key, value in flattened(event) if key != "type" and value is not None}}
        for at, (_, event) in enumerate(CALL)
    ]  # fmt: skip
    return json.dumps({"name": "call", "context": {"trace_id": "0x1"}, "events": events}, indent=4) + "\n"


def deep(event: Json) -> Json:
    for name in "abcdefghijk":
        event = {name: event}
    return event


def pydantic(value: Any) -> str:
    if isinstance(value, dict):
        return f"Realtime({', '.join(f'{key}={pydantic(child)}' for key, child in value.items())})"
    return repr(value)


def swift(value: Any) -> str:
    if isinstance(value, dict):
        return f"[{', '.join(f'{json.dumps(key)}: {swift(child)}' for key, child in value.items())}]"
    return "<null>" if value is None else json.dumps(value)


def go(value: Any) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go(child)}' for key, child in value.items())}]"
    return "<nil>" if value is None else str(value)


def objective(value: Any, indent: int = 0) -> str:
    if isinstance(value, dict):
        inner = "".join(
            f"{'    ' * (indent + 1)}{key} = {objective(child, indent + 1)};\n" for key, child in value.items()
        )
        return f"{{\n{inner}{'    ' * indent}}}"
    return '"<null>"' if value is None else json.dumps(value)


def without_type(event: Json) -> Json:
    return {key: value for key, value in event.items() if key != "type"}


def elided(event: Json) -> str:
    if event["type"] != "error":
        return json.dumps(event)
    return '{"type":"error","event_id":"e2", ... "code":"conversation_already_has_active_response","message":"x"}}'


FORMS: dict[str, Callable[[], str]] = {
    "spans": otlp_spans,
    "log records": otlp_logs,
    "events of a span": otlp_events,
    "a span on the console": console_span,
    "twelve levels": lambda: objects(deep),
    "a cassette of texts": lambda: yaml.safe_dump(
        {"interactions": [{"direction": words(side), "message": json.dumps(event)} for side, event in CALL]}
    ),
    "a cassette of objects": lambda: yaml.safe_dump(
        {"version": 1, "interactions": [{"type": words(side), "data": event} for side, event in CALL]}
    ),
    "documents of YAML": lambda: each(
        lambda at, side, e: "---\n" + yaml.safe_dump({"at": at, "dir": side, "event": e})
    ),
    "a side as the key": lambda: "".join(f"- {words(side)}: |\n    {json.dumps(event)}\n" for side, event in CALL),
    "str() of an SDK's object": lambda: text(lambda e: " ".join(f"{k}={pydantic(v)}" for k, v in e.items())),
    "repr() of an SDK's object": lambda: text(pydantic),
    "the type in brackets before": lambda: text(lambda e: f"[{e['type']}] {json.dumps(without_type(e))}"),
    "the type as a pair before": lambda: text(lambda e: f"event={e['type']} no=5 data={json.dumps(without_type(e))}"),
    "the type as the event": lambda: objects(lambda e: {"event": e["type"], "payload": without_type(e)}),
    "the type as the name": lambda: objects(lambda e: {"name": e["type"], "data": json.dumps(without_type(e))}),
    "the type in the message": lambda: objects(
        lambda e: {"msg": f"Received event {e['type']}", "fields": without_type(e)}
    ),
    "an event type": lambda: objects(lambda e: {"event_type": e["type"], "data": without_type(e)}),
    "flattened objects": lambda: objects(lambda e: dict(flattened(e))),
    "flattened objects with a prefix": lambda: objects(lambda e: dict(flattened({"event": e}))),
    "flattened lines": lambda: text(lambda e: " ".join(f"{k}={json.dumps(v)}" for k, v in flattened(e))),
    "a description of a payload": lambda: text(lambda e: f"Frame(op=1, payloadDescription=[{json.dumps(e)}], n=1)"),
    "a description in Swift": lambda: text(lambda e: f"payloadDescription={swift(e)}"),
    "Go": lambda: text(go),
    "Ruby": lambda: text(lambda e: json.dumps(e).replace('": ', '"=>').replace("null", "nil")),
    "Objective-C": lambda: text(objective),
    "an elided middle": lambda: text(elided),
    "each line twice": lambda: each(
        lambda at, side, e: f"10:00:0{at} a: {json.dumps(e)}\n10:00:0{at} b: {words(side)} {json.dumps(e)}\n"
    ),
}


def audited(runner: Auditor, folder: Path, content: str) -> Any:
    path = folder / "log"
    path.write_text(content, encoding="utf-8")
    return runner.audit(str(path))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(runner: Auditor, tmp_path: Path, form: str) -> None:
    report = audited(runner, tmp_path, FORMS[form]())
    assert dict(report.kinds) == {
        "session.created": 1, "response.create": 2, "response.created": 1, "error": 1, "response.done": 1,
    }  # fmt: skip
    assert named(report.findings) == ["create-while-active"]
    assert report.figures.skipped == 0


@pytest.mark.parametrize(
    "content",
    [
        "".join(
            f"10:00:0{at} event: {event['type']}\n" for at, (_, event) in enumerate(CALL) if event["type"] != "error"
        ),
        json.dumps([event["type"] for _, event in CALL]),
        json.dumps({"call": 1, "events": [event["type"] for _, event in CALL]}) + "\n",
        "events: " + " -> ".join(event["type"] for _, event in CALL) + "\n",
    ],
)
def test_the_names_of_events_are_read(runner: Auditor, tmp_path: Path, content: str) -> None:
    report = audited(runner, tmp_path, content)
    kinds = {kind: count for kind, count in report.kinds.items() if kind != "error"}
    assert kinds == {"session.created": 1, "response.create": 2, "response.created": 1, "response.done": 1}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("2026-10-21 10:00:00,123 INFO app:33 Received event: response.done", "response.done"),
        ("[response.done]", "response.done"),
        ("<- session.created", "session.created"),
        ("waiting for response.done", ""),
        ("no response.done after 5 s", ""),
        ("handler of response.done is missing", ""),
        ("response.done_at", ""),
        ("x.response.done", ""),
    ],
)
def test_a_name_is_an_event_where_it_is_said_to_have_come(line: str, name: str) -> None:
    assert name_in(line) == name


def test_a_sentence_with_names_in_it_is_not_a_list() -> None:
    assert names_in("we wait for session.created, send session.update and wait for session.updated again") == []


def test_words_of_a_bridge_are_an_event() -> None:
    assert words_in("10:00 INFO [Speech ended]") == {"type": "input_audio_buffer.speech_stopped"}
    said = words_in("Truncating item with ID: item_A, Truncated at: 120ms")
    assert said == {"type": "conversation.item.truncate", "item_id": "item_A", "audio_end_ms": 120}
    assert words_in("nothing of the kind") is None


def test_words_count_only_where_the_log_has_not_the_event(runner: Auditor, tmp_path: Path) -> None:
    event = {"type": "input_audio_buffer.speech_started", "event_id": "e1", "item_id": "i"}
    report = audited(runner, tmp_path, f"x {json.dumps(event)}\nSpeech started detected.\n[Speech ended]\n")
    assert dict(report.kinds) == {"input_audio_buffer.speech_started": 1, "input_audio_buffer.speech_stopped": 1}


def test_what_is_left_around_a_hole_is_used() -> None:
    assert loose('{"a": 1, "b": "x ... y", "c": {"d": 2, ... "e": 3}}') == (
        {"a": 1, "b": "x ... y", "c": {"d": 2, "e": 3}}, 51, False,
    )  # fmt: skip
    assert loose('{"a": {"b": "unti...<90 chars>..."z": 1}, "c": [1, [...300 more], 2]}') == (
        {"a": {"z": 1}, "c": [1, 2]}, 69, False,
    )  # fmt: skip


def test_pairs_may_hold_objects() -> None:
    assert pairs("x a=1 b='c d' e=Obj(f=2) g.h=word,i=[1]") == {
        "a": 1, "b": "c d", "e": {"f": 2}, "g.h": "word", "i": [1],
    }  # fmt: skip


def test_servers_that_give_each_event_the_same_id_lose_none(runner: Auditor, tmp_path: Path) -> None:
    rows = [
        {
            "type": "response.output_audio.delta",
            "event_id": "evt",
            "response_id": "r",
            "item_id": "i",
            "delta": f"AAA{n}",
        }
        for n in range(5)
    ]
    assert audited(runner, tmp_path, "".join(json.dumps(row) + "\n" for row in rows)).figures.records == 5


# --- what is not read -------------------------------------------------------------------------------------------------


def test_what_could_not_be_read_is_counted_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(CALL[0][1]) + "\n" + '\x1b[2J{"broken\n' * 5)
    result = CliRunner().invoke(main, ["audit", str(path)])
    assert result.exit_code == 0
    assert "5 lines could not be read, the first is line 2: \\x1b[2J" in " ".join(result.output.split())
    assert "no finding in what was read (1 event)" in result.output


def test_with_nothing_read_the_forms_and_the_switches_are_named(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("hello\nworld\n" * 20)
    result = CliRunner().invoke(main, ["audit", str(path)])
    assert result.exit_code == 2
    assert "is line 1: hello" in result.output
    for said in ("OpenTelemetry", "cassettes in YAML", "LK_OPENAI_DEBUG=1", "WEBSOCKETS_MAX_LOG_SIZE", "HAR"):
        assert said in result.output


def test_a_gzip_bomb_is_refused(runner: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_UNPACKED_BYTES", 4 << 20)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"0" * (8 << 20)))
    with pytest.raises(stream.LogBombError, match="MiB came out of"):
        runner.audit(str(path))
    for arguments, given in ([str(path)], None), (["-"], path.read_bytes()):
        result = CliRunner().invoke(main, ["audit", *arguments], input=given)
        assert result.exit_code == 2 and "came out of" in result.output


def test_a_log_that_packs_well_is_read(runner: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_UNPACKED_BYTES", 1 << 16)
    path = tmp_path / "log.gz"
    rows = "".join(json.dumps({"at": n, "event": CALL[1][1]}) + "\n" for n in range(4000))
    path.write_bytes(gzip.compress(rows.encode()))
    assert runner.audit(str(path)).figures.records == 4000


def test_a_value_without_an_end_is_refused(runner: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_LARGEST", 1 << 20)
    path = tmp_path / "endless.json"
    path.write_bytes(b'[{"a":"' + b"x" * (2 << 20))
    with pytest.raises(documents.LogRefusedError, match="is not read"):
        runner.audit(str(path))
    assert CliRunner().invoke(main, ["audit", str(path)]).exit_code == 2


def test_aliases_that_multiply_are_not_followed(runner: Auditor, tmp_path: Path) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    report = audited(runner, tmp_path, "a0: &a0\n  - type: response.done\n" + levels)
    assert report.figures.records <= 1


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("ERROR Conversation already has an active response in progress: resp_1. Wait until", "create-rejected"),
        ("x {'message': 'Cancellation failed: no active response found', 'code': None, 'type': 'x_error'}",
         "cancel-of-nothing"),
        ("openai: Error committing input audio buffer: buffer too small. Expected at least 100ms", "commit"),
        ("Missing required parameter: 'session.type'.", "update-rejected"),
    ],
)  # fmt: skip
def test_the_sentence_of_an_error_is_enough(runner: Auditor, tmp_path: Path, line: str, rule: str) -> None:
    assert named(audited(runner, tmp_path, f"call begins\n{line}\n").findings) == [rule]


def test_every_phrase_of_the_table_has_a_word_that_lines_are_looked_through_for() -> None:
    table = yaml.safe_load((Path(told.__file__).parent / "words.yaml").read_text())
    for row in table["phrases"]:
        assert told.is_known(row["event"]) or row["event"] == "error"
        assert all(any(hint in says.lower() for hint in told._HINTS) for says in row["says"])
    assert all(any(hint in name for hint in told._HINTS) for name in (*SERVER_FIELDS, *CLIENT_FIELDS) if "." in name)
