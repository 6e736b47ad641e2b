"""Damaged logs are no runs of the world, and the first event that none has is the one that is shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.recordings import Recorded
from tests.tools.acceptance.logs import Row, accepted, at, copied, moved, sample, twice, without

Log = list[Row]
VAD, TOOL = "ga_openai_server_vad_turn", "ga_openai_tool_call_round"
TEXT, CANCEL = "ga_openai_text_in_audio_out", "ga_openai_client_cancel_text"
DONE, CREATED, CREATE = "response.done", "response.created", "response.create"
STARTED, STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
COMMITTED, UPDATED = "input_audio_buffer.committed", "session.updated"
ITEM_ADDED, ITEM_DONE = "response.output_item.added", "response.output_item.done"

# (a trace, what is done to it, the event that is impossible then, which of its type in the damaged log)
TRACES: dict[str, tuple[str, Callable[[Log], Log], str, int]] = {
    "no session.created": (VAD, lambda log: without(log, "session.created"), UPDATED, 1),
    "an update nobody asked for": (VAD, lambda log: copied(log, UPDATED, CREATED), UPDATED, 2),
    "an update nobody asked for, after a tool": (TOOL, lambda log: copied(log, UPDATED, CREATED, 2), UPDATED, 2),
    "no request for the update": (VAD, lambda log: without(log, "session.update"), UPDATED, 1),
    "a response nobody asked for": (TEXT, lambda log: without(log, CREATE), CREATED, 1),
    "no second request": (TOOL, lambda log: without(log, CREATE, 2), CREATED, 2),
    "the response begins twice": (VAD, lambda log: twice(log, CREATED), CREATED, 2),
    "an item before its response": (VAD, lambda log: without(log, CREATED), ITEM_ADDED, 1),
    "the response ends twice": (VAD, lambda log: twice(log, DONE), DONE, 2),
    "the next response begins before the end": (TOOL, lambda log: without(log, DONE), CREATED, 2),
    "a call only at the end": (TOOL, lambda log: without(log, ITEM_DONE), DONE, 1),
    "committed before stopped": (VAD, lambda log: moved(log, COMMITTED, STOPPED), COMMITTED, 1),
    "stopped before started": (VAD, lambda log: moved(log, STOPPED, STARTED), STOPPED, 1),
    "no start of the turn": (VAD, lambda log: without(log, STARTED), STOPPED, 1),
    "no end of the turn": (VAD, lambda log: without(log, STOPPED), COMMITTED, 1),
    "an answer to no turn": (VAD, lambda log: without(log, COMMITTED), CREATED, 1),
    "cancelled by nobody": (CANCEL, lambda log: without(log, "response.cancel"), DONE, 1),
    "cancelled before it was asked to": (CANCEL, lambda log: moved(log, DONE, "response.cancel"), DONE, 1),
    "the turn comes before the session": (VAD, lambda log: moved(log, STARTED, "session.created"), STARTED, 1),
}
SAMPLES: dict[str, tuple[str, Callable[[Log], Log], str, int]] = {
    "cut by no turn": ("ga_barge_in", lambda log: without(log, STARTED, 2), DONE, 1),
    "a commit nobody made": ("ga_manual_turns", lambda log: without(log, "input_audio_buffer.commit"), COMMITTED, 1),
    "rejected, and never asked": ("ga_cancel_then_create", lambda log: without(log, CREATE, 2), "error", 1),
    "rejected, and nothing active": ("ga_cancel_then_create", lambda log: moved(log, "error", CREATED), "error", 1),
    "an item nobody sent": (
        "ga_two_sockets", lambda log: without(log, "conversation.item.create"), "conversation.item.added", 3,
    ),
    "an answer to silence": (
        "ga_idle_timeout", lambda log: without(log, "input_audio_buffer.timeout_triggered"), COMMITTED, 1,
    ),
    "one session too many": ("ga_two_sockets", lambda log: [r for r in log if "event" in r], "session.created", 2),
    "the xAI turn ends twice": ("xai_turn_and_tool", lambda log: twice(log, COMMITTED), COMMITTED, 2),
}  # fmt: skip


def check(log: Log, kind: str, nth: int) -> None:
    found = accepted(log)
    assert found.outcome == "refused" and found.stop is not None
    assert (found.stop.type, found.stop.line) == (kind, at(log, kind, nth) + 1)
    assert found.stop.roles and set(found.stop.roles).isdisjoint(found.stop.instead)


@pytest.mark.parametrize("name", TRACES)
def test_a_damaged_trace_is_refused_at_the_right_event(recorded: Recorded, name: str) -> None:
    trace, damage, kind, nth = TRACES[name]
    check(damage(recorded(trace)), kind, nth)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_damaged_sample_is_refused_at_the_right_event(name: str) -> None:
    trace, damage, kind, nth = SAMPLES[name]
    check(damage(sample(trace)), kind, nth)


def test_the_end_of_a_response_that_never_began() -> None:
    log = [r for r in sample("ga_owned_turns") if r["event"]["type"] not in (CREATED, ITEM_ADDED)]
    responses = ("response.output", "response.content", "conversation.item")
    check([r for r in log if not r["event"]["type"].startswith(responses)], DONE, 1)


def test_what_could_have_come_instead() -> None:
    """After the end of a turn: its commit, and nothing else."""
    stop = accepted(without(sample("ga_barge_in"), COMMITTED, 1)).stop
    assert stop is not None and stop.type == CREATED
    assert stop.instead == ("committed",)


def test_nothing_is_explained_by_a_loss_unless_it_is_said() -> None:
    """Losses are not among what may go by itself: with them nearly every log is a run."""
    assert accepted(without(sample("ga_barge_in"), STOPPED, 1)).relaxed == {}
