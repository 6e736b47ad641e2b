"""Wire events as machine events: GA and beta names, errors by code, opening, id and parameter, noise, odd shapes."""

from __future__ import annotations

import pytest

from fsm.language.vocabulary import Vocabulary
from fsm.machine.machine import Event
from fsm.machine.wire import at_path, knows, read_wire
from tests.fsm.bundle import NAMES, REALTIME, machine
from tests.fsm.machine import wire_forms as wire
from tests.recordings import DIALECTS, Recorded, sent_by


def vocabulary(spec: str = "server_vad") -> Vocabulary:
    return machine(spec).spec.vocabulary


def one(said: wire.Json, spec: str = "server_vad") -> Event:
    (event,) = read_wire(vocabulary(spec), said)
    return event


# --- names and fields -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "name", "data"),
    [
        (wire.session("created"), "session.created", {}),
        (wire.session("updated"), "session.updated", {}),
        (wire.speech("started", "u1"), "input_audio_buffer.speech_started", {"item_id": "u1"}),
        (wire.speech("stopped", "u1"), "input_audio_buffer.speech_stopped", {"item_id": "u1"}),
        (wire.committed("u1"), "input_audio_buffer.committed", {"item_id": "u1"}),
        (wire.created("resp_1"), "response.created", {"response_id": "resp_1", "tag": None, "echoes": 1}),
        (wire.created("resp_1", "ts_x_1"), "response.created", {"response_id": "resp_1", "tag": "ts_x_1", "echoes": 1}),
        (
            {"type": "response.created", "response": {"id": "resp_1"}}, "response.created",
            {"response_id": "resp_1", "tag": None, "echoes": 0},
        ),
        (wire.item_added("resp_1", "i1"), "response.created", {"response_id": "resp_1"}),
        (wire.done("resp_1"), "response.done", {"response_id": "resp_1", "status": "completed", "outputs": 1}),
        (
            wire.done("resp_1", output=[]), "response.done",
            {"response_id": "resp_1", "status": "completed", "outputs": 0},
        ),
        (
            wire.failed("resp_1", "x"), "response.done",
            {"response_id": "resp_1", "status": "failed", "code": "x", "outputs": 0},
        ),
        (
            wire.cancelled("resp_1", "turn_detected"), "response.done",
            {"response_id": "resp_1", "status": "cancelled", "reason": "turn_detected", "outputs": 1},
        ),
        (wire.item_echo(wire.output_item("c1")), "conversation.item.added", {"call_id": "c1", "item_id": "item_o_c1"}),
        (
            wire.item_echo(wire.output_item("c1"), beta=True), "conversation.item.added",
            {"call_id": "c1", "item_id": "item_o_c1"},
        ),
    ],
)  # fmt: skip
def test_what_a_wire_event_is(said: wire.Json, name: str, data: dict[str, object]) -> None:
    event = one(said)
    assert (event.name, {k: v for k, v in event.data.items() if v is not None or k == "tag"}) == (name, data)


def test_tools_are_found_in_both_places_and_before_the_response_ends() -> None:
    call = one(wire.item_done("resp_1", wire.function_call("c1")))
    assert call.name == "tool.called"
    assert set(call.data) == {"call_id", "name", "arguments"}
    done = read_wire(
        vocabulary(), wire.done("resp_1", output=[wire.message("i1"), *map(wire.function_call, ("c1", "c2"))])
    )
    assert [e.name for e in done] == ["tool.called", "tool.called", "response.done"]
    assert [e.data["call_id"] for e in done[:2]] == ["c1", "c2"]
    assert read_wire(vocabulary(), wire.item_done("resp_1", wire.message("i1"))) == ()
    assert read_wire(vocabulary(), wire.item_done("resp_1", wire.function_call("c1", "incomplete"))) == ()


def test_a_call_without_a_status_is_a_call() -> None:
    """Beta servers and some others leave the status out."""
    call = {k: v for k, v in wire.function_call("c1").items() if k != "status"}
    assert one(wire.item_done("resp_1", call)).name == "tool.called"


BETA_TO_GA = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.text.delta": "response.output_text.delta",
    "conversation.item.created": "conversation.item.added",
}


@pytest.mark.parametrize("spec", REALTIME)
def test_beta_names_mean_the_same(spec: str) -> None:
    words = vocabulary(spec)
    for beta, ga in BETA_TO_GA.items():
        assert knows(words, beta) and knows(words, ga)
        assert (beta in words.noise, words.noise.get(beta)) == (ga in words.noise, words.noise.get(ga))


@pytest.mark.parametrize("spec", NAMES)
@pytest.mark.parametrize("delta", ["text", {"text": "an object"}, 7, None])
def test_noise_gives_nothing_whatever_is_in_it(spec: str, delta: object) -> None:
    words = vocabulary(spec)
    for name in words.noise:
        assert words.noise[name], "noise has a reason"
        assert read_wire(words, {"type": name, "delta": delta}) == ()


@pytest.mark.parametrize("spec", NAMES)
def test_what_is_unknown_is_known_to_be_unknown(spec: str) -> None:
    assert not knows(vocabulary(spec), "session.closed_for_lunch")
    assert read_wire(vocabulary(spec), {"type": "session.closed_for_lunch"}) == ()
    assert knows(vocabulary(spec), "error")


@pytest.mark.parametrize("name", DIALECTS)
def test_every_server_event_of_all_dialects_is_known(recorded: Recorded, name: str) -> None:
    """Nothing that was ever recorded is a stranger to the default vocabulary."""
    types = {event["type"] for event in sent_by(recorded(name), "server")}
    assert {wire_type for wire_type in types if not knows(vocabulary(), wire_type)} == set()


# --- errors -----------------------------------------------------------------------------------------------------------

EMPTY = (
    "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has 0ms"
)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (wire.busy("ts_create_response_2", "resp_1"), "create_rejected"),
        (wire.busy(None, None, None), "create_rejected"),
        (wire.error(None, "Cancellation failed: no active response found"), "error.harmless"),
        (wire.error("response_cancel_not_active", "No"), "error.harmless"),
        (wire.error(None, "Audio content of 3700ms is already shorter than 3760ms"), "error.harmless"),
        (wire.error(None, "Only model output audio messages can be truncated"), "error.harmless"),
        (wire.error("invalid_value", "No", "ts_truncate_item_4"), "error.harmless"),
        (wire.error("input_audio_buffer_commit_empty", "No"), "error.harmless"),
        (wire.error(None, EMPTY), "error.harmless"),
        (wire.error("server_error", "No", "ts_create_response_2"), "create_failed"),
        (wire.error("invalid_value", "No", "ts_send_tool_output_3"), "item_rejected"),
        (wire.error("invalid_value", "No", "ts_update_session_1"), "session.update_rejected"),
        (wire.error("unknown_parameter", "No", None, "session.audio"), "session.update_rejected"),
        (wire.error("unknown_parameter", "No", None, "session"), "session.update_rejected"),
        (wire.error("unknown_parameter", "No", None, "sessions.audio"), "error.unrelated"),
        (wire.error("invalid_api_key", "No"), "provider.refused"),
        (wire.error("rate_limit_exceeded", "No"), "error.unrelated"),
        (wire.error("session_expired", "Your session hit the maximum duration of 60 minutes."), "error.unrelated"),
        (wire.error("invalid_value", "No", "evt_NbVvtzwXpGmqUT3Jt"), "error.unrelated"),
        (wire.error("invalid_value", "No", "ts_"), "error.unrelated"),
        (wire.error("invalid_value", "No", "ts_make_tea_4"), "error.unrelated"),
        ({"type": "error"}, "error.unrelated"),
        ({"type": "error", "error": None}, "error.unrelated"),
        ({"type": "error", "error": {"code": 4, "message": None, "param": [], "event_id": {}}}, "error.unrelated"),
    ],
)  # fmt: skip
def test_what_an_error_is(said: wire.Json, name: str) -> None:
    assert one(said).name == name


def test_an_empty_commit_matters_only_where_commits_are_ours() -> None:
    assert one(wire.error(None, EMPTY), "push_to_talk").name == "commit_rejected"
    assert one(wire.error(None, EMPTY), "owned_turns").name == "error.harmless"


def test_the_code_counts_more_than_the_message_and_both_more_than_the_id() -> None:
    message = "Cancellation failed: no active response found"
    assert one(wire.error(wire.BUSY, message, "ts_truncate_item_1")).name == "create_rejected"
    assert one(wire.error(None, message, "ts_create_response_1")).name == "error.harmless"


RECORDED = {
    wire.BUSY: "create_rejected",
    "Conversation already": "create_rejected",
    "response_cancel_not_active": "error.harmless",
    "input_audio_buffer_commit_empty": "error.harmless",
    "Error committing": "error.harmless",
    "Audio content": "error.harmless",
    "unknown_parameter": "session.update_rejected",
    "missing_required_parameter": "session.update_rejected",
    "beta_api_shape_disabled": "provider.refused",
    "session_expired": "error.unrelated",
}


def test_every_error_that_was_ever_recorded(recorded: Recorded) -> None:
    errors = list(sent_by(recorded("errors_seen"), "server"))
    assert len(errors) > 10
    for event in errors:
        body = event["error"]
        key = next(k for k in RECORDED if k == body.get("code") or body["message"].startswith(k))
        assert one(event).name == RECORDED[key], body


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {}, {"type": None}, {"type": 7}, {"type": ["response.done"]},
        {"type": "response.done"}, {"type": "response.done", "response": None},
        {"type": "response.done", "response": {"id": 7, "status": {}, "output": "no", "status_details": "text"}},
        {"type": "response.done", "response": {"output": [None, "x", {"type": "function_call"}]}},
        {"type": "response.created", "response": {"id": None, "metadata": "x"}},
        {"type": "response.output_item.done", "item": [1]},
        {"type": "conversation.item.added", "item": "x"},
        {"type": "input_audio_buffer.committed", "item_id": {"a": 1}},
    ],
)  # fmt: skip
def test_odd_shapes_are_read_as_far_as_they_go(said: wire.Json) -> None:
    for event in read_wire(vocabulary(), said):
        assert all(isinstance(v, str | int) or k == "tag" for k, v in event.data.items())


def test_paths() -> None:
    tree = {"a": {"b": [1, 2, 3], "c": "x"}}
    assert at_path(tree, "a.c") == "x"
    assert at_path(tree, "a.b.#") == 3
    assert at_path(tree, "a.c.#") is None
    assert at_path(tree, "a.b.c") is None
    assert at_path(tree, "z") is None


@pytest.mark.parametrize("opening", ["", "Note: ", "x"])
def test_an_error_is_known_by_how_its_message_opens_not_by_what_it_quotes(opening: str) -> None:
    message = f"{opening}Conversation already has an active response in progress: resp_1"
    (event,) = read_wire(vocabulary(), {"type": "error", "error": {"message": message}})
    assert event.name == ("error.unrelated" if opening else "create_rejected")
