"""Recordings of the real wire: clean ones have notes at most, errors seen in the field are explained each."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from fsm.audit import realtime_errors
from fsm.audit.conversation import AuditOptions, LoggedConversation
from fsm.audit.realtime_events import CLIENT_FIELDS, SERVER_FIELDS, direction_of
from fsm.audit.rules.rule import explained
from fsm.audit.tracking.session import error_of
from tests.fsm.audit.bench import audited, machine, named, record
from tests.recordings import CALLS, Recorded


@pytest.mark.parametrize("name", CALLS)
def test_a_clean_recording_has_notes_at_most(recorded: Recorded, name: str) -> None:
    report = audited(recorded(name))
    assert report.findings == []
    assert report.figures.responses > 0


NOTES = {
    "ga_openai_client_cancel_text": ["update-early"],
    "ga_openai_tool_call_round": ["tool-answered-early"],
    "ga_openai_webrtc_sideband_audio": ["update-early"],
    "ga_azure_vad_transcription_failed": ["not-in-vocabulary", "transcription-failed"],
    "ga_openai_three_server_vad_turns": [],
}


@pytest.mark.parametrize("name", NOTES)
def test_what_was_unwise_or_new_is_noted(recorded: Recorded, name: str) -> None:
    assert named(audited(recorded(name)).notes) == NOTES[name]


@pytest.mark.parametrize("silence_ms", [20.0, 100.0])
@pytest.mark.parametrize("name", CALLS)
def test_a_clean_recording_with_times_stays_clean(recorded: Recorded, name: str, silence_ms: float) -> None:
    """The same events a few milliseconds apart; the caller's audio in its own time."""
    at, timed = 0.0, []
    for row in recorded(name):
        at += silence_ms / 1000 if row["event"]["type"] == "input_audio_buffer.append" else 0.01
        timed.append({**row, "at": at})
    assert named(audited(timed, options=AuditOptions(dead_air_ms=8000)).findings) == []


def test_each_error_seen_is_explained(recorded: Recorded) -> None:
    found = recorded("errors_seen")
    assert len(found) == 15
    for line, row in enumerate(found, 1):
        fault = error_of(LoggedConversation(AuditOptions()), record(line, row))
        assert realtime_errors.of_error(fault), line
        assert fault.message in explained(fault)
        alone = audited([row])
        (found_alone,) = [*alone.findings, *alone.notes]
        assert found_alone.rule.id != "error", line


def test_fields_and_sides_are_those_of_the_published_types() -> None:
    """The `openai` package's own event types: every type has its side, every top field is known."""
    from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

    vocabulary = machine().spec.vocabulary
    seen = 0
    for union, side, table in (
        (RealtimeClientEvent, "client", CLIENT_FIELDS), (RealtimeServerEvent, "server", SERVER_FIELDS),
    ):  # fmt: skip
        for model in _members(get_args(union)):
            (wire_type,) = get_args(model.model_fields["type"].annotation)
            fields = set(model.model_fields) - {"type", "event_id", "obfuscation"}
            assert direction_of(vocabulary, wire_type) == side
            assert fields <= table[wire_type], wire_type
            seen += 1
    assert seen >= 57


def _members(found: object) -> list[Any]:
    members: list[Any] = []
    for each in found if isinstance(found, tuple) else ():
        members += [each] if hasattr(each, "model_fields") else _members(get_args(each))
    return members
