"""Every fault of a scenario file, shown to happen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.simulator.providers.realtime import ProviderSettings
from adapters.simulator.providers.realtime.faults import KINDS
from tests.adapters.simulator.providers.realtime.driver import Driver, Json, every, only, silence, tone, types


def faulty(*faults: str, sane: bool = True) -> Driver:
    driver = Driver("faults:\n" + "".join(f"  - {fault}\n" for fault in faults), sane=sane)
    driver.run(0.05)
    return driver


def answer(driver: Driver, seconds: float = 5) -> list[Json]:
    return driver.send("response.create") + driver.run(seconds)


def test_lose_the_second() -> None:
    driver = faulty("{fault: lose, type: response.done, nth: 2}")
    assert [len(every(answer(driver), "response.done")) for _ in range(3)] == [1, 0, 1]


def test_lose_by_field() -> None:
    driver = faulty("{fault: lose, type: response.done, where: {response.status: cancelled}}")
    assert every(answer(driver), "response.done")
    driver.send("response.create")
    driver.run_to("response.created")
    driver.send("response.cancel")
    assert not every(driver.run(3), "response.done")


def test_delay_lets_others_pass() -> None:
    driver = faulty("{fault: delay, type: response.done, by_s: 1}")
    kinds = types(answer(driver))
    assert kinds[-2:] == ["rate_limits.updated", "response.done"]


def test_delay_with_hold_keeps_the_order() -> None:
    driver = faulty("{fault: delay, type: response.output_audio.done, by_s: 1, hold: true}")
    kinds = types(answer(driver))
    assert kinds[-7:] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    at = {out.event["type"]: out.at_s for out in driver.out if out.event}
    assert at["response.done"] == at["response.output_audio.done"]


def test_duplicate_late() -> None:
    driver = faulty("{fault: duplicate, type: response.done, after_s: 2}")
    first, second = every(answer(driver), "response.done")
    assert first == second


def test_reorder() -> None:
    driver = faulty("{fault: reorder, type: response.created, past: 2}")
    assert types(answer(driver))[:3] == ["response.output_item.added", "conversation.item.added", "response.created"]
    driver = faulty("{fault: reorder, type: rate_limits.updated}")
    assert "rate_limits.updated" in types(answer(driver)), "nothing passes: it comes a second late"


def test_mutate() -> None:
    driver = faulty(
        "{fault: mutate, type: response.output_audio.delta, nth: 1, set: {delta: {}}}",
        "{fault: mutate, type: response.done, set: {response.usage: null}, drop: [response.output, event_id]}",
        sane=False,
    )
    events = answer(driver)
    assert next(event["delta"] for event in every(events, "response.output_audio.delta")) == {}
    done = only(events, "response.done")
    assert done["response"]["usage"] is None and "output" not in done["response"] and "event_id" not in done


def test_ignore_client() -> None:
    driver = faulty("{fault: ignore_client, type: response.create, nth: 1}")
    assert answer(driver) == []
    assert driver.core.stats.received_types() == ["response.create"]
    assert every(answer(driver), "response.done")


def test_delay_client() -> None:
    driver = faulty("{fault: delay_client, type: response.create, by_s: 2}")
    assert driver.send("response.create") + driver.run(2) == []
    assert types(driver.run(0.1)) == ["response.created"]


def test_refuse_client() -> None:
    driver = faulty("{fault: refuse_client, type: response.create, nth: 1, code: server_busy}")
    refused = only(driver.send("response.create", event_id="c"), "error")["error"]
    assert (refused["code"], refused["event_id"]) == ("server_busy", "c")
    assert "response.created" in types(driver.send("response.create") + driver.run(0.1))


def test_refuse_update() -> None:
    driver = faulty("{fault: refuse_update, nth: 1}")
    session = {"type": "realtime", "instructions": "x"}
    refused = only(driver.send("session.update", event_id="u", session=session), "error")["error"]
    assert (refused["code"], refused["param"], refused["event_id"]) == ("unknown_parameter", "session.audio", "u")
    assert types(driver.send("session.update", session=session)) == ["session.updated"]


def test_overrule_update() -> None:
    pcm = "{type: audio/pcm, rate: 24000}"
    detects_none = "audio.input.turn_detection: null"
    driver = faulty(f"{{fault: overrule_update, set: {{audio.output.format: {pcm}, {detects_none}, tools: []}}}}")
    tool = {"type": "function", "name": "look"}
    session = driver.configure(wire_format="audio/pcmu", tools=[tool], instructions="x")
    assert (session["audio"]["input"]["format"], session["instructions"]) == ({"type": "audio/pcmu"}, "x")
    assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"] is None and session["tools"] == []
    assert every(driver.hear(tone(600, 8000), silence(1500, 8000)), "input_audio_buffer.speech_started") == []
    deltas = every(answer(driver), "response.output_audio.delta")
    assert len(deltas[0]["delta"]) == 24 * 2 * 250 * 4 // 3, "250 ms of PCM"


@pytest.mark.parametrize(("order", "first"), [("false", "response.created"), ("true", "error")])
def test_cross_create(order: str, first: str) -> None:
    driver = faulty(f"{{fault: cross_create, error_first: {order}}}")
    events = driver.send("response.create", event_id="mine", response={"metadata": {"a": "b"}}) + driver.run(5)
    kinds = types(events)
    assert kinds[0] == first and {"error", "response.created"} == set(kinds[:2])
    created, refused = only(events, "response.created")["response"], only(events, "error")["error"]
    assert created["metadata"] is None and created["id"] in refused["message"] and refused["event_id"] == "mine"
    assert driver.core.stats.rejections == {"conversation_already_has_active_response": 1}
    assert "conversation_already_has_active_response" not in driver.core.stats.violations
    assert only(answer(driver), "response.done")


def test_cross_create_with_the_next_answer_of_the_turn_detection() -> None:
    driver = faulty("{fault: cross_create, hold_s: 5}")
    driver.hear(tone(200))
    driver.send("response.create", event_id="mine")
    kinds = types(driver.hear(silence(400)))
    assert kinds[-2:] == ["response.created", "error"]
    driver.run(5)
    driver = faulty("{fault: cross_create, hold_s: 1}")
    assert types(answer(driver))[:2] == ["response.created", "error"], "no turn came: one is made"


def test_deaf_before_created() -> None:
    driver = Driver("faults: [{fault: deaf_before_created}]")
    driver.send("session.update", session={"type": "realtime"})
    assert types(driver.run(0.1)) == ["session.created"]
    assert types(driver.send("session.update", session={"type": "realtime"})) == ["session.updated"]


@pytest.mark.parametrize(
    ("moment", "deltas"),
    [("at_s: 3", 14), ("after: response.output_audio.delta, nth: 3", 3), ("after_client: response.create", 0)],
)
def test_close(moment: str, deltas: int) -> None:
    driver = faulty(f"{{fault: close, {moment}, code: 1012, reason: restart}}")
    answer(driver)
    closing = driver.out[-1].closing
    assert closing and (closing.code, closing.reason) == (1012, "restart")
    assert len(every(driver.events(), "response.output_audio.delta")) == deltas
    assert driver.core.stats.close_code == 1012


@pytest.mark.parametrize(
    "garbage", ["invalid_json", "binary", "unknown_event", "not_an_object", "no_type", "empty", "custom, text: '{}'"]
)
def test_inject(garbage: str) -> None:
    driver = faulty(f"{{fault: inject, garbage: {garbage}, after: response.created}}")
    answer(driver)
    raw = [out.frame() for out in driver.out if out.event is None]
    assert len(raw) == 1 and (isinstance(raw[0], bytes) == (garbage == "binary"))
    assert only(driver.events(), "response.done")


def test_stall_sending() -> None:
    driver = faulty("{fault: stall_sending, after: response.output_audio.delta, for_s: 2}")
    driver.send("response.create")
    before = driver.run(2)
    assert "response.output_audio.delta" not in types(before)
    assert types(driver.run(2))[-2:] == ["response.done", "rate_limits.updated"]


def test_stall_reading() -> None:
    driver = faulty("{fault: stall_reading, at_s: 0.1, for_s: 2}")
    driver.run(0.1)
    assert driver.core.reading_from_s() == pytest.approx(2.1)
    driver.send("session.update", session={"type": "realtime"})
    assert answer(driver, 1.9) == []
    assert types(driver.run(1))[:2] == ["session.updated", "response.created"]


def test_only_one_connection_of_several() -> None:
    text = "faults: [{fault: close, connection: 2, at_s: 1}]"
    closings = []
    for number in (1, 2):
        driver = Driver(text, connection=number)
        driver.run(2)
        closings.append(driver.core.closing is not None)
    assert closings == [False, True]


def test_faults_count_wire_names_of_the_dialect() -> None:
    driver = Driver("faults: [{fault: lose, type: response.audio.done}]", ProviderSettings(dialect="beta"))
    driver.run(0.1)
    assert "response.audio.done" not in types(answer(driver))


def test_latency_of_the_lines_both_ways() -> None:
    driver = Driver("latency: {uplink_s: 0.1, downlink_s: 0.2}")
    driver.run(1)
    assert driver.send("session.update", session={"type": "realtime"}) == []
    assert driver.run(0.29) == []
    assert types(driver.run(0.02)) == ["session.updated"]


NO_METADATA = (
    "{fault: mutate, type: response.created, drop: [response.metadata]}",
    "{fault: mutate, type: response.done, drop: [response.metadata]}",
)


def test_a_server_that_echoes_no_metadata() -> None:
    driver = faulty(*NO_METADATA, sane=False)
    events = driver.send("response.create", response={"metadata": {"turnspec": "ts_1"}}) + driver.run(5)
    bodies = [event["response"] for event in every(events, "response.created") + every(events, "response.done")]
    assert len(bodies) == 2 and not any("metadata" in body for body in bodies)


@pytest.mark.parametrize(
    ("fault", "commits"),
    [
        ("{fault: mutate, type: input_audio_buffer.committed, drop: [item_id]}", [False]),
        ("{fault: lose, type: input_audio_buffer.committed}", []),
    ],
)
def test_a_server_that_commits_without_an_item_or_says_nothing_of_it(fault: str, commits: list[bool]) -> None:
    driver = faulty(fault, sane=False)
    driver.configure()
    events = driver.hear(tone(600), silence(1500)) + driver.run(3)
    assert ["item_id" in event for event in every(events, "input_audio_buffer.committed")] == commits
    assert every(events, "response.done"), "and it answers all the same"


def test_every_kind_is_tested() -> None:
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in KINDS if f"fault: {kind}" not in tests] == []


def test_flood() -> None:
    driver = faulty("{fault: flood, at_s: 0.1, event: {type: made.up, item_id: 'item_{n}'}, count: 4, for_s: 2}")
    driver.run(0.9)
    raw = [json.loads(out.frame()) for out in driver.out if out.raw is not None]
    assert raw == [{"type": "made.up", "item_id": f"item_{n}"} for n in (0, 1)]
    driver.run(2)
    assert len([out for out in driver.out if out.raw is not None]) == 4
