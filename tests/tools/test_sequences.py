"""Recorded calls as orders of events: facts and nothing else, and no other recording beside them turns anything red."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests import recordings
from tests.adapters.providers.realtime import test_traces
from tests.fsm.machine import test_wire
from tests.recordings import DIALECTS, OTHERS, SEQUENCES, recording, sequence
from tools import sequences

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = {"dir": "server", "event": {"type": "session.thinking.appended", "thinking": {"id": "thk_1"}}}
FACT = re.compile(r"[a-z0-9_./-]*|DeploymentNotFound|[rictsuvx]\d+|((Unknown|Missing required) parameter: .[\w.]+.)")


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from leaves(entry)
    else:
        yield value


def test_every_sequence_has_its_dialect_and_the_other_way_round() -> None:
    assert {file.stem for file in SEQUENCES.glob("*.yaml")} == {*DIALECTS, *OTHERS}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_sequence_holds_facts_only(name: str) -> None:
    """Words of the protocol, our own ids, openings of errors; of a text, that there was one."""
    for row in sequences.read(SEQUENCES / f"{name}.yaml"):
        for value in leaves(row):
            told = isinstance(value, str) and value not in sequences.OPENINGS
            assert not told or (FACT.fullmatch(value) and len(value) < 80), (row, value)
            assert not isinstance(value, float)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_sequence_as_wire_events_is_reduced_to_itself(name: str) -> None:
    assert sequences.reduced(sequence(name)) == sequences.read(SEQUENCES / f"{name}.yaml")


@pytest.mark.parametrize("name", DIALECTS)
def test_a_sequence_is_what_its_recording_says(name: str) -> None:
    assert sequences.reduced(recording(name)) == sequences.read(SEQUENCES / f"{name}.yaml")


def test_ids_are_renamed_by_kind_and_texts_are_gone() -> None:
    item = {"id": "item_Abc", "type": "message", "content": [{"type": "text", "text": "Mr. Smith, 555-0100"}]}
    event = {"type": "conversation.item.added", "event_id": "event_Q", "item": item, "previous_item_id": "item_0"}
    (row,) = sequences.reduced([{"dir": "server", "at": 12.5, "event": event}])
    assert row == {
        "server": "conversation.item.added",
        "item": {"id": "i1", "type": "message", "content": [{"type": "text", "text": "text"}]},
        "previous_item_id": "i2",
    }


def test_equal_events_in_a_row_are_counted() -> None:
    appends = [{"dir": "client", "event": {"type": "input_audio_buffer.append", "audio": text}} for text in "abc"]
    assert sequences.reduced(appends) == [{"client": "input_audio_buffer.append", "times": 3}]
    assert len(sequences.expanded(sequences.reduced(appends))) == 3


def test_a_recording_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "of_another_protocol.jsonl"
    other.write_text(json.dumps(FOREIGN), encoding="utf-8")
    result = CliRunner().invoke(sequences.main, [str(other), "--check"])
    assert (result.exit_code, result.output) == (0, "of_another_protocol.jsonl: not one of tests/sequences\n")


def test_a_recording_that_has_changed_is_reported(tmp_path: Path) -> None:
    changed = tmp_path / "ga_openai_tool_call_round.jsonl"
    changed.write_text(json.dumps(FOREIGN), encoding="utf-8")
    result = CliRunner().invoke(sequences.main, [str(changed), "--check"])
    assert result.exit_code == 1 and "ga_openai_tool_call_round.jsonl" in result.output


def test_another_recording_beside_them_turns_nothing_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads recordings, over a folder of ours with one of another API and one that is not even JSON."""
    for name in DIALECTS:
        lines = (json.dumps(row) for row in sequence(name))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "live_openai_client_delegation.jsonl").write_text(json.dumps(FOREIGN), encoding="utf-8")
    (tmp_path / "notes.jsonl").write_text("not even JSON\n", encoding="utf-8")
    monkeypatch.setattr(recordings, "RECORDINGS", tmp_path)
    recorded = recordings.Recorded("recording")
    test_traces.test_every_server_event_decodes(recorded)
    for name in DIALECTS:
        test_wire.test_every_server_event_of_all_dialects_is_known(recorded, name)


def test_only_one_module_knows_where_recordings_are() -> None:
    """So nothing can take all that lies there for ours."""
    knowing = [file.name for file in (ROOT / "tests").rglob("*.py") if "RECORDINGS" in file.read_text(encoding="utf-8")]
    assert sorted(knowing) == ["recordings.py", "test_sequences.py"]
