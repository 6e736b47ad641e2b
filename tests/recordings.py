"""Recorded calls for tests: as orders of events in every clone, and as the recordings themselves where they are.

Tests name the recordings they are about; what else lies in the folder of recordings is nobody's business. Never a test.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

from tools import sequences

Row = dict[str, Any]
SEQUENCES = Path(__file__).with_name("sequences")
RECORDINGS = Path(os.environ.get("TURNSPEC_RECORDINGS", Path(__file__).resolve().parents[2] / "shared" / "traces"))

DIALECTS = {
    "ga_openai_server_vad_turn": "ga",
    "ga_openai_three_server_vad_turns": "ga",
    "ga_openai_tool_call_round": "ga",
    "ga_openai_text_in_audio_out": "ga",
    "ga_openai_client_cancel_text": "ga",
    "ga_openai_webrtc_sideband_audio": "sideband",
    "ga_azure_vad_transcription_failed": "ga",
    "voicelive_server_vad_turn": "voicelive",
    "beta_openai_webrtc_bargein_after_response_done": "beta",
    "errors_seen": "excerpt",
}
"""Of the Realtime protocol, with the dialect that each is in; `errors_seen` holds single errors."""
OTHERS = ("live_openai_client_delegation",)
"""Of other protocols."""
CALLS = tuple(name for name in DIALECTS if name != "errors_seen")
SOURCES = ("sequence", "recording")


@cache
def _sequence(name: str) -> tuple[Row, ...]:
    return tuple(sequences.read(SEQUENCES / f"{name}.yaml"))


def sequence(name: str) -> list[Row]:
    """The order of events of a recorded call, as wire events with placeholders."""
    return sequences.expanded(_sequence(name))


def recording(name: str) -> list[Row]:
    """The recorded call itself; the test is skipped, loudly, where it is not."""
    files = [folder / f"{name}.jsonl" for folder in (RECORDINGS, RECORDINGS.with_name("live_traces"))]
    file = next((file for file in files if file.is_file()), files[0])
    if not file.is_file():
        pytest.skip(f"NO RECORDING at {file}: compared with its order of events only")
    return sequences.records(file)


@attrs.frozen
class Recorded:
    """Recorded calls by name, from one source."""

    source: str

    def __call__(self, name: str) -> list[Row]:
        return sequence(name) if self.source == "sequence" else recording(name)

    def comparable(self, events: Iterable[Row]) -> list[Row]:
        """Server events of somebody else with no more in them than this source has."""
        if self.source == "recording":
            return list(events)
        rows = [{"dir": "server", "event": event} for event in events]
        return [row["event"] for row in sequences.expanded(sequences.reduced(rows))]


def sent_by(rows: list[Row], side: str) -> Iterator[Row]:
    """The events of one side."""
    return (row["event"] for row in rows if row.get("dir", "server") == side)
