"""Formats of logs: the same call in every one of them gives the same findings; nothing in a log ends a reader."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.audit import readers
from adapters.audit.events import unwrap
from adapters.audit.page import page
from adapters.audit.run import Auditor
from adapters.audit.times import LogClock, of_text
from fsm.audit.record import CLOSED
from fsm.audit.report import as_json, markdown
from fsm.audit.report.report import LogReport
from fsm.journal.journal import EffectLine, EndLine, Header, StepLine, WireLine, encode
from tests.fsm.audit import failures
from tests.fsm.audit.bench import named
from tests.fsm.audit.logbook import Row

ROWS = failures.two_tools_ask()


def as_lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def bare(rows: list[Row]) -> str:
    return "".join(json.dumps(row["event"]) + "\n" for row in rows)


def enveloped(rows: list[Row]) -> str:
    """A JSON log of an application: its own words around an event that is a text."""
    made = [
        {
            "level": "debug",
            "event": "ws_send" if row["dir"] == "client" else "ws_receive",
            "timestamp": f"2026-10-21T10:00:{row['at']:09.6f}Z",
            "payload": json.dumps(row["event"]),
        }
        for row in rows
    ]
    return "".join(json.dumps(row) + "\n" for row in made)


def text(rows: list[Row]) -> str:
    arrows = {"client": "-->", "server": "<--"}
    lines = [
        f"2026-10-21 10:00:{row['at']:06.3f} DEBUG realtime {arrows[row['dir']]} {json.dumps(row['event'])} (sent)\n"
        for row in rows
    ]
    return "call begins\n" + "still nothing { here\n}\n" + "".join(lines)


def python_text(rows: list[Row]) -> str:
    return "".join(f"[10:00:{row['at']:06.3f}] got event: {row['event']!r}\n" for row in rows)


def pretty_text(rows: list[Row]) -> str:
    return "".join(f"10:00:{row['at']:06.3f} event:\n{json.dumps(row['event'], indent=2)}\n" for row in rows)


def array(rows: list[Row]) -> str:
    return json.dumps(rows, indent=2)


def wrapped_array(rows: list[Row]) -> str:
    return json.dumps({"call": "abc", "events": rows}, indent=1)


def journal(rows: list[Row]) -> str:
    lines = [encode(Header("server_vad", "specs/server_vad.yaml", "0"))]
    for row in rows:
        direction = "out" if row["dir"] == "client" else "in"
        lines.append(encode(WireLine(int(row["at"] * 1000), direction, row["event"])))  # type: ignore[arg-type]
    lines.append(encode(EndLine(round(ROWS[-1]["at"] * 1000))))
    return "\n".join(lines) + "\n"


FORMATS: dict[str, tuple[Callable[[list[Row]], str], str, bool]] = {
    "lines": (as_lines, readers.LINES, True),
    "bare events": (bare, readers.LINES, False),
    "application log": (enveloped, readers.LINES, True),
    "text": (text, readers.TEXT, True),
    "python text": (python_text, readers.TEXT, True),
    "pretty text": (pretty_text, readers.TEXT, True),
    "array": (array, readers.DOCUMENT, True),
    "array in an object": (wrapped_array, readers.DOCUMENT, True),
    "journal": (journal, readers.JOURNAL, True),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_call_in_every_format(runner: Auditor, tmp_path: Path, name: str, packed: bool) -> None:
    make, known_as, timed = FORMATS[name]
    data = make(ROWS).encode()
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(data) if packed else data)
    report = runner.audit(str(path))
    assert report.format == known_as
    assert report.figures.records == len(ROWS)
    assert named(report.findings) == ["create-per-tool"]
    assert report.timed is timed
    if timed:
        assert abs(report.duration_ms - ROWS[-1]["at"] * 1000) < 2.5


def lines_of(report: LogReport) -> list[int]:
    return [e.line for e in report.findings[0].first.evidence]


def test_evidence_names_lines_of_the_log(runner: Auditor, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(as_lines(ROWS))
    plain = lines_of(runner.audit(str(path)))
    written = path.read_text().splitlines()
    assert ["response.create" in written[n - 1] for n in plain] == [True, True, False]
    path.write_text("\n\n" + text(ROWS))
    shifted = lines_of(runner.audit(str(path)))
    assert [n - 5 for n in shifted] == plain
    path.write_text(array(ROWS))
    begins = [number for number, line in enumerate(path.read_text().splitlines(), 1) if line == "  {"]
    assert lines_of(runner.audit(str(path))) == [begins[n - 1] for n in plain]


CLOSES = (
    ('{"kind": "close", "at": 3.5, "code": 4000, "reason": "invalid_request_error.invalid_model"}', 4000),
    ('{"type": "websocket.close", "code": 1006}', 1006),
    ('{"event": "closed", "data": {"code": 1011, "reason": "internal"}}', 1011),
)


@pytest.mark.parametrize(("line", "code"), CLOSES)
def test_closes_in_json_lines(runner: Auditor, tmp_path: Path, line: str, code: int) -> None:
    path = tmp_path / "log"
    path.write_text(as_lines(failures.update_honoured()) + line + "\n")
    (group,) = runner.audit(str(path)).findings
    assert group.rule.id == "closed" and f"closed with {code}" in group.first.text


TEXT_CLOSES = (
    "2026-10-21 10:01:00 ERROR websockets.exceptions.ConnectionClosedError: received 1011 (internal error) keepalive",
    "10:01:00 WebSocket closed: code=1011 reason='oops'",
    "2026-10-21T10:01:00Z realtime socket was closed by peer (1011)",
)


@pytest.mark.parametrize("line", TEXT_CLOSES)
def test_closes_in_text(runner: Auditor, tmp_path: Path, line: str) -> None:
    path = tmp_path / "log"
    path.write_text(text(failures.update_honoured()) + line + "\n")
    assert [g.first.text[:16] for g in runner.audit(str(path)).findings] == ["closed with 1011"]


def test_a_journal_tells_what_was_flushed_and_heard(runner: Auditor, tmp_path: Path) -> None:
    """Audio that is heard after a flush is in no wire event; in a journal it is a fact."""
    rows = failures.played_on()
    began = next(row for row in rows if row["event"]["type"].endswith("speech_started") and row["at"] > 3)
    lines = journal(rows).splitlines()
    at = next(i for i, line in enumerate(lines) if began["event"]["event_id"] in line) + 1
    t_ms = int(began["at"] * 1000)
    flush = EffectLine("flush_playout", {"response_ids": ["resp_0002"]})
    step = StepLine(1, t_ms, "x", "x", "taken", "playing_out", "user_speaking", effects=(flush,))
    path = tmp_path / "journal"
    path.write_text("\n".join([*lines[:at], encode(step), *lines[at:]]))
    assert named(runner.audit(str(path)).findings) == []
    heard = {"response_id": "resp_0002", "item_id": "item_0002"}
    again = StepLine(2, t_ms + 200, "playout.started", "playout.started.other", "stayed", "a", "a", data=heard)
    path.write_text("\n".join([*lines[:at], encode(step), encode(again), *lines[at:]]))
    assert named(runner.audit(str(path)).findings) == ["audio-after-flush"]


TIMES = (
    ("2026-10-21T10:00:00.250Z x", "2026-10-21T10:00:01.250Z", 1000.0),
    ("2026-10-21 10:00:00,250 x", "2026-10-21 12:00:01,250+02:00", 1000.0),
    ("2026/10/21 10:00:00.250000 x", "2026/10/21 10:00:01.250000", 1000.0),
    ("[10:00:00.250] x", "[10:00:01.250] y", 1000.0),
    ("Oct 21 10:00:00 host x", "Oct 21 10:00:01 host y", 1000.0),
    ("1792576800.250 x", "1792576801.250 y", 1000.0),
    ("1792576800250 x", "1792576801250 y", 1000.0),
    ("[  12.250000] x", "[  13.250000] y", 1000.0),
)


@pytest.mark.parametrize(("first", "second", "apart_ms"), TIMES)
def test_times_of_common_forms(first: str, second: str, apart_ms: float) -> None:
    one, two = of_text(first), of_text(second)
    assert one is not None and two is not None
    assert two.ms - one.ms == pytest.approx(apart_ms, abs=0.001)


def test_a_clock_may_pass_midnight() -> None:
    clock = LogClock()
    assert clock.since_first(of_text("23:59:59.000")) == 0
    assert clock.since_first(of_text("00:00:01.000")) == 2000


def test_times_in_milliseconds_and_seconds_are_told_apart(runner: Auditor, tmp_path: Path) -> None:
    path = tmp_path / "log"
    for key, factor, base in (("t_ms", 1000, 0), ("ts", 1, 1_792_576_800), ("time", 1000, 1_792_576_800_000)):
        rows = [{"dir": r["dir"], key: base + r["at"] * factor, "event": r["event"]} for r in ROWS]
        path.write_text(as_lines(rows))
        assert runner.audit(str(path)).duration_ms == pytest.approx(ROWS[-1]["at"] * 1000, abs=2)


def test_secrets_and_audio_are_not_kept(runner: Auditor, tmp_path: Path) -> None:
    rows = failures.update_rejected()
    rows[2]["event"]["error"]["message"] = "Incorrect API key provided: sk-abcdefghijklmnop."
    path = tmp_path / "log"
    path.write_text(as_lines(rows))
    report = runner.audit(str(path))
    told = [case.text + str(case.evidence) for group in report.findings for case in group.cases]
    assert told and not any("sk-abc" in each or "////" in each for each in told)


@pytest.mark.parametrize("seed", range(30))
def test_no_log_ends_a_reader(runner: Auditor, tmp_path: Path, seed: int) -> None:
    """Bytes flipped, lines cut, doubled and shuffled, types and values that nobody would send."""
    chance = random.Random(seed)
    make = chance.choice([make for make, _, _ in FORMATS.values()])
    data = bytearray(make(failures.healthy()[:-1]).encode())
    for _ in range(chance.randrange(1, 60)):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(1, 4)] = chance.randbytes(chance.randrange(0, 3))
    path = tmp_path / "log"
    path.write_bytes(bytes(data[: chance.randrange(len(data) // 2, len(data))]))
    runner.audit(str(path))


ODD: tuple[object, ...] = (None, 7, "x", [], {}, [[]], {"type": 3}, True, -1e308, 10**400, "\ud800\x1b[2J")


@pytest.mark.parametrize("seed", range(30))
def test_no_event_ends_an_audit(runner: Auditor, tmp_path: Path, seed: int) -> None:
    """Every field may be of any type."""
    chance = random.Random(seed)
    rows = [json.loads(json.dumps(row)) for row in failures.healthy() if "event" in row]
    chance.shuffle(rows) if seed % 2 else None
    for row in rows:
        for _ in range(2):
            target = row["event"]
            while isinstance(target, dict) and chance.random() < 0.6:
                deeper = [v for v in target.values() if isinstance(v, dict) and v]
                if not deeper:
                    break
                target = chance.choice(deeper)
            key = chance.choice([k for k in target if k != "type"] or ["x"])
            target[key] = copy.deepcopy(chance.choice(ODD))
    path = tmp_path / "log"
    path.write_text(as_lines(rows))
    report = runner.audit(str(path))
    for text in (page([report]), markdown.page([report]), json.dumps(as_json.document([report]))):
        text.encode()


def test_a_packed_log_that_was_cut_is_read_to_where_it_ends(runner: Auditor, tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    packed = gzip.compress(as_lines(failures.storm()).encode())
    path.write_bytes(packed[: len(packed) // 2])
    report = runner.audit(str(path))
    assert report.figures.records > 50
    assert report.figures.skipped >= 1


CLOSE_FORMS: tuple[Row, ...] = (
    {"dir": "server", "kind": "close", "at": 9.5, "event": {"code": 4000, "reason": "bad"}},
    {"dir": "server", "at": 9.5, "event": {"type": "close", "code": 4000, "reason": "bad"}},
    {"type": "connection.closed", "code": "4000", "reason": "bad"},
    {"event": "websocket_closed", "close_code": 4000, "close_reason": "bad"},
    {"msg": "ws closed", "code": 4000, "reason": "bad"},
)


@pytest.mark.parametrize("form", CLOSE_FORMS)
def test_a_close_has_many_forms(form: Row) -> None:
    found = unwrap(form)
    assert found is not None and found.side == "local"
    assert found.event == {"type": CLOSED, "code": 4000, "reason": "bad"}


def test_what_is_no_close_is_none() -> None:
    assert unwrap({"type": "session.close", "event_id": "x"}) is not None
    assert unwrap({"event": "file closed", "code": 0}) is None
    assert unwrap({"message": "hello"}) is None
