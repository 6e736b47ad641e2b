"""The call benchmark at its smallest: it runs, and what it counts is counted. How fast it was is nobody's test."""

from __future__ import annotations

import base64
import os

import attrs
import pytest

from adapters.audio.g711 import mulaw_to_pcm16, pcm16_to_mulaw
from adapters.lines.audiosocket.protocol import Audio, Decoder
from adapters.providers.provider import AudioDelta
from adapters.providers.realtime.protocol import append_event, decode
from bench import load_wire as wire
from bench.calls import CallPlan, Contender, MeasuredCalls, SideBySide, median_run, run, together
from bench.lines import LinePlan, MeasuredLine
from bench.live import LivePlan
from bench.load_stats import lateness, percentiles
from bench.targets import call_lines, line_lines, live_lines


@pytest.mark.parametrize("who", ["bare", "journal"])
def test_two_calls(who: str) -> None:
    found = run(Contender(who, who), 2, seconds=1.0, spread=0.1, settle=1.5)
    assert found.load["calls"] == 2
    assert found.load["frames_heard"] > 0
    assert found.load["appends"] > 0
    assert found.load["agent_speaks"] > 0
    assert found.cpu_ms > 0
    assert found.bridge.get("violations", 0) == 0
    assert median_run([found]) is found
    assert all(share >= 0 for share in found.waited)
    lines = {line.what: line.cells[who] for line in call_lines(MeasuredCalls(None, [found]))}
    assert len(lines) == 6 and all(what.startswith("2 calls: ") and cell.text for what, cell in lines.items())


@pytest.mark.parametrize("line", ["chan_websocket", "twilio"])
@pytest.mark.parametrize("who", ["bare", "turnspec"])
def test_two_calls_over_a_line_that_plays_by_its_own_clock(who: str, line: str) -> None:
    found = run(Contender(who, who, line=line), 2, seconds=1.0, spread=0.1, settle=1.5)
    assert found.load["calls"] == 2 and found.load["frames_heard"] == 0
    assert found.load["agent_speaks"] > 0  # frames, where nobody counts silence
    assert found.load["uplink_ms"]["count"] > 0
    beside = SideBySide(2, {"bare": 1.0, "turnspec": 2.0}, {"bare": 1.0, "turnspec": 2.0})
    lines = {each.what: each.cells[line] for each in line_lines({line: MeasuredLine(beside, found.calls, found)})}
    assert len(lines) == 6 and [cell.text for cell in lines.values() if cell.holds is False][:1] == ["2.00"]


@pytest.mark.parametrize("who", ["bare", "turnspec"])
def test_two_calls_over_gpt_live(who: str) -> None:
    found = run(Contender(who, who, protocol="live"), 2, seconds=1.0, spread=0.1, settle=1.5)
    assert found.load["calls"] == 2 and found.load["frames_heard"] > 0
    assert found.load["agent_speaks"] > 0 and found.load["uplink_ms"]["count"] > 0
    assert found.cpu_ms > 0 and found.bridge.get("violations", 0) == 0
    held, dear = (SideBySide(2, {"bare": 1.0, "turnspec": 2.0}, {"bare": 1.0, "turnspec": x}) for x in (1.3, 1.31))
    assert [line.missed for each in (held, dear) for line in live_lines(each)] == [False, True]
    assert LivePlan().takes_s < 60


def test_side_by_side() -> None:
    found = together(
        [Contender("bare", "bare"), Contender("turnspec", "turnspec")], 1, seconds=0.5, settle=0.5, windows=1
    )
    assert [each.who for each in found[0]] == ["bare", "turnspec"]
    assert all(each.cpu_ms > 0 for each in found[0])
    beside = SideBySide(1, {"bare": 1.0, "turnspec": 2.0}, {"bare": 1.0, "turnspec": 2.0})
    assert len(beside.table().rows) == 2
    (line,) = call_lines(MeasuredCalls(beside, []))
    assert (line.cells["bare"].holds, line.cells["turnspec"].holds) == (None, False)
    assert line.cells["turnspec"].text == "2.00" and line.missed


def test_a_plan_tells_how_long_it_takes() -> None:
    plan = CallPlan(who=("bare", "turnspec"), calls=(5,), seconds=1, spread=1, settle=1, rounds=2)
    assert plan.turns == [(5, "bare"), (5, "turnspec"), (5, "bare"), (5, "turnspec")]
    alone = attrs.evolve(plan, beside=0)
    assert not alone.is_beside and 20 < alone.takes_s < plan.takes_s < 60
    assert attrs.evolve(plan, who=("turnspec",)).takes_s < alone.takes_s
    assert 100 < LinePlan().takes_s < 300 and LinePlan(lines=["twilio"]).takes_s < LinePlan().takes_s


@pytest.mark.parametrize("number", [0, 1, 63, 64, 4095])
def test_a_frames_number_survives_the_way_to_the_provider(number: int) -> None:
    (message,) = Decoder().feed(wire.caller_message(number))
    assert isinstance(message, Audio)
    text = append_event(pcm16_to_mulaw(message.pcm))
    assert len(text) == wire.APPEND_BYTES
    key = os.urandom(4)
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(text))
    frame = bytes((0x81, 0xFE)) + len(text).to_bytes(2, "big") + key + masked
    ((opcode, mask, start, end),) = wire.frames(frame)
    assert opcode == 1
    assert wire.unmasked(frame, mask, start, end) == text
    assert wire.append_number(frame, mask, start) == number


def test_a_frame_that_is_not_whole_waits() -> None:
    whole = bytes((0x81, 0x80 | 3)) + b"\0\0\0\0abc"
    for size in range(len(whole)):
        assert list(wire.frames(whole[:size])) == []
    assert [end for *_, end in wire.frames(whole + whole[:5])] == [len(whole)]


def test_what_a_caller_over_a_websocket_sends_and_hears() -> None:
    frame = wire.client_frame(wire.caller_payload(77))
    ((opcode, mask, start, end),) = wire.frames(frame)
    assert opcode == wire.TEXT
    assert mulaw_to_pcm16(base64.b64decode(wire.unmasked(frame, mask, start, end))) == wire.caller_frame(77)
    for size in (3, 300, 70_000):
        whole = wire.text_frame(bytes(size))
        assert [(end - start) for _, start, end in wire.server_frames(whole + whole[:-1])] == [size]
        assert list(wire.server_frames(whole[:-1])) == []


def test_the_canned_answer_can_be_read() -> None:
    answer = wire.CannedAnswer(1, 2, b"ts_create_response_1")
    said = answer.begun() + answer.piece() + answer.ended()
    events, position = [], 0
    while position < len(said):
        size, start = said[position + 1], position + 2
        if size == 126:
            size, start = int.from_bytes(said[position + 2 : position + 4], "big"), position + 4
        events.append(decode(said[start : start + size]))
        position = start + size
    assert sum(isinstance(event, AudioDelta) for event in events) == 1
    kinds = [event["type"] for event in events if isinstance(event, dict)]
    assert kinds[0] == "response.created"
    assert kinds[-2:] == ["response.done", "rate_limits.updated"]


def test_lateness_is_against_the_earliest_frame() -> None:
    late = lateness([10.003, 10.020, 10.045, 10.060])
    assert [round(value, 4) for value in late] == [0.003, 0.0, 0.005, 0.0]
    assert percentiles([0.001] * 99 + [0.5])["p50"] == 1.0
    assert percentiles([0.001] * 99 + [0.5])["worst"] == 500.0
    assert percentiles([])["count"] == 0
