"""The order of events of a recorded call as facts, in tests/sequences; and such a sequence as wire events again.

    python -m tools.sequences RECORDING.jsonl... --write      reduce these, one YAML file each
    python -m tools.sequences RECORDING.jsonl... --check      are those that tests/sequences has still the same?

A recording is somebody's conversation and stays where it is. What is kept of it is who sent what after what: types,
which ids are the same (r1 a response, i1 an item, c1 a call ...), statuses, codes, settings of turn detection. Of a
text it is kept that there was one, of an error's message how it opens (servers before August 2025 sent no code). Never
here: a word, a sample, an id, a time or a count of tokens of a recording.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import yaml

Json = dict[str, Any]
FOLDER = Path(__file__).resolve().parents[1] / "tests" / "sequences"

HEAD = "# The order of events of a recorded call, as facts: written by tools/sequences.py, whose head says more.\n"
WITHIN = frozenset(
    (
        "session", "audio", "input", "output", "turn_detection", "format", "transcription",
        "input_audio_transcription", "item", "content", "part", "response", "error", "status_details", "tools",
        "delegation",
    )
)  # fmt: skip
"""What is looked into."""
KEPT = frozenset(
    (
        "type", "object", "status", "reason", "code", "param", "role", "phase", "content_index", "output_index",
        "audio_start_ms", "audio_end_ms", "create_response", "interrupt_response", "idle_timeout_ms",
        "prefix_padding_ms", "silence_duration_ms", "output_modalities", "modalities", "rate", "model",
        "tool_choice", "target",
    )
)  # fmt: skip
"""What is kept as it is: words of the protocol, positions, durations of turns."""
TEXTS = frozenset(("text", "transcript", "arguments", "output"))
"""What is kept is whether it is empty, null or a text."""
TEXT = "text"

PREFIXES = {
    "r": "resp_",
    "i": "item_",
    "c": "call_",
    "s": "sess_",
    "u": "sess_u0_",
    "v": "conv_",
    "x": "evt_",
    "d": "item_d",
}
KINDS = {
    "response_id": "r",
    "item_id": "i",
    "previous_item_id": "i",
    "call_id": "c",
    "conversation_id": "v",
    "delegation_id": "d",
}
"""Kinds of ids; u: the session that a sideband is beside, x: the client's own event ids."""
OWNERS = {"response": "r", "item": "i", "output": "i", "session": "s", "delegation": "d"}

OPENINGS = (
    "Conversation already has an active response",
    "Cancellation failed: no active response found",
    "Error committing input audio buffer: buffer too small",
    "Error committing input audio buffer: the buffer is empty",
    "Audio content of",
    "Only model output audio messages can be truncated",
    "The Realtime Beta API is no longer supported",
    "Your session hit the maximum duration",
)
"""Of docs/facts/realtime_api.md section 4."""
ABOUT_FIELD = re.compile(r"(?:Unknown|Missing required) parameter: '[\w.]+'")


class Reduction:
    """One recording; ids are numbered by first appearance."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def rows(self, records: Iterable[Json]) -> list[Json]:
        """A row for each event, or for a run of equal ones (`times`)."""
        found = []
        for row, same in itertools.groupby(self._row(record) for record in records if "event" in record):
            times = len(list(same))
            found.append(row | {"times": times} if times > 1 else row)
        return found

    def _row(self, record: Json) -> Json:
        side, event = record.get("dir", "server"), record["event"]
        facts = self.facts(event)
        if side == "client" and isinstance(event.get("event_id"), str):
            facts["event_id"] = self._id("x", event["event_id"])
        return {side: facts.pop("type"), **facts}

    def facts(self, value: Json, owner: str = "") -> Json:
        found: Json = {}
        for key, entry in value.items():
            if key == "id" and owner in OWNERS and isinstance(entry, str):
                sideband = owner == "session" and entry.startswith(PREFIXES["u"])
                found[key] = self._id("u" if sideband else OWNERS[owner], entry)
            elif key in KINDS or (key == "event_id" and owner == "error"):
                found[key] = self._id(KINDS.get(key, "x"), entry) if isinstance(entry, str) else None
            elif key == "message" and owner == "error":
                found[key] = _opening(str(entry))
            elif key == "name" and owner in ("", "tools", "item", "output"):
                found[key] = self._id("t", entry)
            elif key in TEXTS and not isinstance(entry, (dict, list)):
                found[key] = TEXT if entry else entry
            elif key in KEPT:
                found[key] = entry
            elif key in WITHIN and not isinstance(entry, str):
                found[key] = self._within(key, entry)
        return found

    def _within(self, key: str, entry: Any) -> Any:
        if isinstance(entry, list):
            return [self.facts(each, key) for each in entry if isinstance(each, dict)]
        return self.facts(entry, key) if isinstance(entry, dict) else None

    def _id(self, kind: str, name: str) -> str:
        if (kind, name) not in self._ids:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._ids[kind, name] = f"{kind}{self._counts[kind]}"
        return self._ids[kind, name]


class Expansion:
    """A sequence as wire events: placeholder texts, ids of the length that readers may rely on, no audio."""

    def rows(self, rows: Iterable[Json]) -> Iterator[Json]:
        serial = 0
        for row in rows:
            side = "server" if "server" in row else "client"
            facts = {key: value for key, value in row.items() if key not in (side, "times")}
            for _ in range(row.get("times", 1)):
                serial += 1
                yield {"dir": side, "event": self._event(side, row[side], facts, serial)}

    def _event(self, side: str, wire_type: str, facts: Json, serial: int) -> Json:
        event = {"type": wire_type, **({"event_id": f"event_{serial}"} if side == "server" else {})}
        event |= self._value("", facts)
        if wire_type.endswith(".delta"):
            event["delta"] = "AAAA" if "audio.delta" in wire_type else "la "
        if wire_type == "input_audio_buffer.append":
            event["audio"] = "AAAA"
        return event

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._value(key, entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self._value(name, entry) for entry in value]
        if name == "arguments" and value == TEXT:
            return "{}"
        if name in (*TEXTS, "message") and value == TEXT:
            return "La la la."
        if name == "name":
            return f"tool_{value[1:]}"
        if (name == "id" or name.endswith("_id")) and value is not None:
            return PREFIXES[value[0]] + value[1:]
        return value


def _opening(message: str) -> str:
    found = ABOUT_FIELD.match(message)
    return found[0] if found else next((opening for opening in OPENINGS if message.startswith(opening)), TEXT)


def records(recording: Path) -> list[Json]:
    return [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines() if line.strip()]


def reduced(rows: Iterable[Json]) -> list[Json]:
    return Reduction().rows(rows)


def expanded(sequence: Iterable[Json]) -> list[Json]:
    return list(Expansion().rows(sequence))


def read(file: Path) -> list[Json]:
    found: list[Json] = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return found


def written(rows: Iterable[Json]) -> str:
    """One line a row."""
    lines = (yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=sys.maxsize) for row in rows)
    return HEAD + "".join(f"- {line}" for line in lines)


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--write", is_flag=True, help="Write the file of tests/sequences for each recording.")
@click.option("--check", is_flag=True, help="Compare with those that are in tests/sequences; others are left alone.")
def main(recordings: tuple[Path, ...], write: bool, check: bool) -> None:
    """Reduce recorded calls to their order of events."""
    if write == check:
        raise click.UsageError("either --write or --check")
    stale = []
    for recording in recordings:
        file = FOLDER / f"{recording.stem}.yaml"
        if write:
            file.write_text(written(reduced(records(recording))), encoding="utf-8")
        elif not file.is_file():
            click.echo(f"{recording.name}: not one of tests/sequences")
        elif file.read_text(encoding="utf-8") != written(reduced(records(recording))):
            stale.append(recording.name)
    if stale:
        click.echo(f"not as recorded: {', '.join(stale)}; write them again with --write", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
