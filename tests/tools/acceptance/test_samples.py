"""Hand-made logs after docs/facts/realtime_api.md sections 3, 5, 8 and 9: what other recordings look like, all of
them runs.

For each: its dialect, and exactly the assumptions that have to go for it.
"""

from __future__ import annotations

import attrs
import pytest

from tests.tools.acceptance.logs import SAMPLES, accepted, at, projection, sample
from tools.acceptance.acceptance import AcceptOptions

FAILS = {"things_fail": "yes"}
RELAXED: dict[str, dict[str, str]] = {
    "beta_self_hosted": {},  # section 8, speaches: the transcript comes before the response
    "ga_barge_in": {},  # 3.3: one response is cut in the middle, the next before it has said anything
    "ga_cancel_before_created": {},  # 5: a create crosses the provider's own answer, its cancel finds nothing
    "ga_cancel_hits_the_next": {},  # 5: a cancel without an id hits the reply to the barge-in
    "ga_cancel_then_create": {},  # 5: a create that does not wait for the end of what was cancelled
    "ga_commentary_then_tool": {},  # 3.6: items of one response interleave
    "ga_create_crosses_answer": {},  # 5: rejected, and asked again
    "ga_default_session_and_leftovers": {},  # 5: commits in VAD mode, one of them empty; no session.update at all
    "ga_failures": FAILS,  # 4 and 3.10: failed, incomplete, a create and an item with something wrong in them
    "ga_history_seeding": {},  # 5, reconnect: ten items at once
    "ga_idle_timeout": {},  # 3.9
    "ga_idle_timeout_owned_turns": {},  # 3.9: the provider answers, though create_response is false
    "ga_manual_turns": FAILS,  # 3.8: one commit is too short
    "ga_no_interrupt": {"auto_create_when_busy": "drops"},  # 3.4
    "ga_out_of_band": {},  # 3.7: beside a response, before a turn, cancelled
    "ga_owned_turns": {},  # 3.0: create_response false
    "ga_parallel_tools": {},  # 3.6: three calls, an output before the end of the response
    "ga_two_sockets": {},  # 5, reconnect: the log goes on with the next session
    "ga_update_rejected_then_owned_turns": FAILS,  # 2: the session goes on with its defaults, then changes its mode
    "sideband_text": {},  # 6
    "xai_turn_and_tool": {},  # 8
}


def test_no_sample_is_left_out() -> None:
    assert {file.stem for file in SAMPLES.glob("*.jsonl")} == set(RELAXED)


@pytest.mark.parametrize("name", RELAXED)
def test_a_sample_is_a_run_of_the_world(name: str) -> None:
    found = accepted(sample(name))
    assert (found.outcome, found.stop) == ("accepted", None)
    assert found.dialect == name.split("_")[0]
    assert found.relaxed == RELAXED[name]
    assert found.assumed == {}


@pytest.mark.parametrize("name", [name for name, relaxed in RELAXED.items() if relaxed])
def test_without_what_has_to_go_it_is_none(name: str) -> None:
    strict = accepted(sample(name), AcceptOptions(relax=False))
    held = accepted(
        sample(name), AcceptOptions(assume={k: "no" if v == "yes" else "queues" for k, v in RELAXED[name].items()})
    )
    assert strict.outcome == held.outcome == "refused"
    assert strict.stop == held.stop


def test_what_a_response_is_about_is_told_by_its_request_alone() -> None:
    """Out of band is what was asked for so; a response without a conversation that nobody asked for is one too many."""
    log = sample("ga_out_of_band")
    log[at(log, "response.create")]["event"]["response"]["conversation"] = "auto"
    stop = accepted(log).stop
    assert stop is not None and stop.type == "response.created"
    assert log[stop.line - 1]["event"]["response"]["conversation_id"] is None


def test_a_response_out_of_band_may_show_other_metadata_than_asked_for() -> None:
    log = sample("ga_out_of_band")
    for row in log:
        if row["event"].get("response", {}).get("metadata") == {"topic": "classify"} and row["dir"] == "server":
            row["event"]["response"]["metadata"] = {"topic": "classify", "by": "the server"}
    assert accepted(log).outcome == "accepted"


def test_a_server_that_names_no_conversation_has_responses_in_one() -> None:
    created = [row for row in sample("xai_turn_and_tool") if row["event"]["type"] == "response.created"]
    assert [row["event"]["response"]["conversation_id"] for row in created] == [None] * 3
    assert projection().every[0].reason not in accepted(sample("xai_turn_and_tool")).passed
    assert projection().every[0].reason in accepted(sample("ga_out_of_band")).passed


def test_the_settings_of_a_session_change_what_is_possible() -> None:
    """With create_response the provider owes the answer; without it nobody but the client asks for one."""
    log = sample("ga_owned_turns")
    asked = at(log, "response.create")
    del log[asked]
    stop = accepted(log).stop
    assert stop is not None and (stop.line, stop.type) == (at(log, "response.created") + 1, "response.created")
    log = sample("ga_owned_turns")
    for row in log:
        if row["event"]["type"] == "session.updated":
            row["event"]["session"]["audio"]["input"]["turn_detection"]["create_response"] = True
    log = [row for row in log if row["event"]["type"] != "response.create"]
    assert accepted(log).outcome == "accepted"


def test_a_log_of_one_side_only() -> None:
    """Only what the provider sent is in the log: its client may have sent anything, and that is said."""
    for name in ("ga_create_crosses_answer", "ga_manual_turns", "ga_cancel_then_create", "ga_parallel_tools"):
        log = [row for row in sample(name) if row["dir"] == "server"]
        found = accepted(log)
        assert (name, found.outcome) == (name, "accepted")
        assert found.assumed == {"client_is_recorded": "no", "updates_are_recorded": "no"}


def test_a_log_that_begins_in_the_middle_has_to_be_named() -> None:
    log = sample("ga_barge_in")
    middle = log[at(log, "response.output_audio.delta") :]
    assert accepted(middle).outcome == "refused"
    found = accepted(middle, AcceptOptions(assume={"client_is_recorded": "yes"}), dialect="excerpt")
    assert found.outcome == "accepted"
    assert found.assumed["things_fail"] == "yes"


def test_a_free_client_needs_no_controller_of_ours() -> None:
    """What our own ledger would make of it is not asked: no log of these has a tag of ours."""
    logs = [sample(name) for name in RELAXED]
    assert not any("turnspec" in str(row) for log in logs for row in log)


def test_acceptances_are_values() -> None:
    first, second = (accepted(sample("ga_barge_in")) for _ in range(2))
    assert first == second and attrs.asdict(first) == attrs.asdict(second)
