"""The wire, event by event, as lines of the log: types and small fields, never audio."""

from __future__ import annotations

from structlog.testing import capture_logs

from adapters.call.wire_log import WireLog


def test_wire_events_are_logged_by_type_and_small_fields() -> None:
    with capture_logs() as lines:
        _log_some(WireLog("c3"))
    first, second, third, fourth, fifth = lines
    assert (first["event"], first["type"], first["at_ms"], first["call_id"]) == ("wire", "response.done", 7, "c3")
    assert first["response"] == {"id": "r1", "status": "completed"}
    assert second["tool_call_id"] == "tool1" and second["call_id"] == "c3" and "arguments" not in second
    assert third["item_id"] == "i" and fourth["direction"] == "out"
    assert "AAAA" not in str(lines)
    assert len(str(fifth["error"])) < 300


def _log_some(wire: WireLog) -> None:
    wire.wire("in", {"type": "response.done", "response": {"id": "r1", "status": "completed", "output": [1] * 99}}, 7)
    wire.wire("in", {"type": "response.function_call_arguments.done", "call_id": "tool1", "arguments": "x" * 999}, 8)
    wire.wire("in", {"type": "response.output_audio.delta", "delta": "AAAA", "item_id": "i"}, 9)
    wire.wire("out", {"type": "input_audio_buffer.append", "audio": "AAAA"}, 10)
    wire.wire("in", {"type": "error", "error": {"code": "x", "message": "m" * 999}, "event": 3}, 11)
