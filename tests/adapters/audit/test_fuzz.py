"""Nobody's log ends in a traceback, in a control character or in an event that is none, whatever it is made of."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from adapters.audit import terminal
from adapters.audit.documents import LogRefusedError
from adapters.audit.literals import loose, objects, pairs
from adapters.audit.page import page
from adapters.audit.plain import plain
from adapters.audit.run import Auditor, auditor
from adapters.audit.told import told
from fsm.audit.conversation import AuditOptions
from fsm.audit.realtime_events import CLIENT_FIELDS, SERVER_FIELDS
from fsm.audit.record import visible
from fsm.audit.report import as_json, markdown

KINDS = sorted([*SERVER_FIELDS, *CLIENT_FIELDS, "session.\x1b[2J", "x"])
FIELDS = sorted({field for fields in (*SERVER_FIELDS.values(), *CLIENT_FIELDS.values()) for field in fields})
_TEXT = st.text(max_size=12) | st.sampled_from(
    ["\x1b]0;x\x07", "<script>", "r1", "i1", "completed", "\u202e", "9" * 400]
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | _TEXT, inner, max_size=4),
    max_leaves=8,
)
_EVENTS = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from([*FIELDS, "event_id", "ts", "dir", "event"]), _VALUES, max_size=5),
)
_PRINTED = st.sampled_from("""{}[]()"'=:,.;<>\\ \n""") | st.sampled_from(
    [
        "...",
        "type",
        "response.done",
        "map[",
        "Obj(",
        "event=",
        "=>",
        "null",
        "nil",
        "AnyHashable(",
        "Optional(",
        "1",
        "x",
    ]
)
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def shared() -> Auditor:
    return auditor("server_vad", AuditOptions())


def check(runner: Auditor, folder: Path, content: bytes) -> None:
    """Every form of the report, without an error and without a control character."""
    path = folder / "log"
    path.write_bytes(content)
    report = runner.audit(str(path))
    console = Console(width=160, record=True, file=io.StringIO(), color_system=None)
    terminal.show(console, [report])
    forms = (page([report]), markdown.page([report]), json.dumps(as_json.document([report])), console.export_text())
    for text in forms:
        text.encode()
        assert not any(visible(each) != each for each in text.split("\n"))
    assert "<script" not in forms[0]


@FUZZ
@given(events=st.lists(_EVENTS, max_size=12))
def test_any_events(shared: Auditor, tmp_path_factory: pytest.TempPathFactory, events: list[Any]) -> None:
    rows = "".join(json.dumps(event) + "\n" for event in events)
    check(shared, tmp_path_factory.mktemp("fuzz"), rows.encode("utf-8", "surrogatepass"))


@FUZZ
@given(
    lines=st.lists(st.lists(_PRINTED, max_size=14), max_size=8), head=st.sampled_from(["", "{", "[", "---\n", "- a:\n"])
)
def test_any_print(
    shared: Auditor, tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], head: str
) -> None:
    check(shared, tmp_path_factory.mktemp("fuzz"), (head + "\n".join("".join(line) for line in lines)).encode())


@FUZZ
@given(
    content=st.binary(max_size=300),
    head=st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"\xff\xfe", b'{"type":', b"type: "]),
)
def test_any_bytes(shared: Auditor, tmp_path_factory: pytest.TempPathFactory, content: bytes, head: bytes) -> None:
    try:
        check(shared, tmp_path_factory.mktemp("fuzz"), head + content)
    except OSError:
        assert (head + content).startswith(b"\x1f\x8b")  # a gzip that is none is refused


@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(_PRINTED, max_size=40))
def test_any_text_is_taken_apart(pieces: list[str]) -> None:
    text = "".join(pieces)
    list(objects(text))
    pairs(text)
    loose("{" + text)
    list(told(text))


@settings(max_examples=200, deadline=None)
@given(value=_VALUES)
def test_any_value_is_made_plain(value: object) -> None:
    plain(value)


@pytest.mark.parametrize("opening", ["[", '{"a":', "map[a:", "X(a=", '["a": ', "{a = "])
def test_what_is_nested_without_end_ends(shared: Auditor, tmp_path: Path, opening: str) -> None:
    check(shared, tmp_path, ("10:00 " + opening * 20_000).encode())
    with contextlib.suppress(LogRefusedError):
        check(shared, tmp_path, (opening * 20_000).encode())
