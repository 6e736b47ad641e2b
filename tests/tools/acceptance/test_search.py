"""The search itself: bounds are told and are no answer, losses and doubles only where they are said, exact places."""

from __future__ import annotations

import attrs
import pytest

from tests.tools.acceptance.logs import Row, accepted, at, projection, sample, twice, without
from tools.acceptance.acceptance import AcceptOptions

LOST = {
    "response.created": "ga_barge_in",
    "input_audio_buffer.speech_started": "ga_barge_in",
    "input_audio_buffer.speech_stopped": "ga_barge_in",
    "input_audio_buffer.committed": "ga_barge_in",
    "session.updated": "ga_parallel_tools",
    "response.output_item.done": "ga_parallel_tools",
    "response.done": "ga_parallel_tools",
}


@pytest.mark.parametrize("kind", LOST)
def test_one_lost_event_is_a_run_where_one_may_be_lost(kind: str) -> None:
    log = without(sample(LOST[kind]), kind)
    assert accepted(log).outcome == "refused"
    found = accepted(log, AcceptOptions(losses=1))
    assert found.outcome == "accepted"
    assert found.assumed == {"events_may_be_lost": "yes"}


def test_two_lost_events_are_not_one() -> None:
    log = without(without(sample("ga_barge_in"), "input_audio_buffer.speech_stopped", 2), "response.created", 3)
    assert accepted(log, AcceptOptions(losses=1)).outcome == "refused"
    assert accepted(log, AcceptOptions(losses=2)).outcome == "accepted"


def test_an_end_that_is_told_twice_is_a_run_only_where_it_may_be() -> None:
    log = twice(sample("ga_barge_in"), "response.done")
    assert accepted(log).outcome == "refused"
    assert accepted(log, AcceptOptions(assume={"events_may_come_twice": "yes"})).outcome == "accepted"


def test_too_many_states_is_no_answer() -> None:
    found = accepted(sample("ga_history_seeding"), AcceptOptions(most_states=20))
    assert found.outcome == "gave up" and found.stop is not None
    assert "20 states" in found.stop.why
    assert accepted(sample("ga_history_seeding")).most_states > 20


def test_a_full_counter_of_the_world_is_no_refusal() -> None:
    """A cancel behind seven items: the provider has to take more of them than the world can count."""
    log = sample("ga_cancel_then_create")
    cancel = at(log, "response.cancel")
    items: list[Row] = [{"dir": "client", "event": {"type": "conversation.item.create", "item": {"type": "message"}}}]
    found = accepted([*log[:cancel], *items * 7, *log[cancel:]])
    assert accepted([*log[:cancel], *items * 5, *log[cancel:]]).outcome == "accepted"
    assert found.outcome in ("accepted", "gave up")
    broken = without([*log[:cancel], *items * 7, *log[cancel:]], "response.create", 2)
    assert accepted(broken).outcome == "gave up"


def test_a_log_may_be_longer_than_any_bound_of_the_world() -> None:
    log = sample("ga_owned_turns")
    turn = log[3 : at(log, "response.done") + 1]
    ids = [(f'"{i}_', f'"{i}x{n}_') for n in range(30) for i in ("item", "resp")]
    many = [_renamed(row, dict(ids[2 * n : 2 * n + 2])) for n in range(30) for row in turn]
    found = accepted([*log[:3], *many])
    assert found.outcome == "accepted"
    assert found.events > 150


def _renamed(value: object, names: dict[str, str]) -> Row:
    """A copy with other ids."""

    def walk(node: object) -> object:
        if isinstance(node, dict):
            return {k: walk(v) for k, v in node.items()}
        if isinstance(node, list):
            return [walk(v) for v in node]
        if isinstance(node, str):
            for old, new in names.items():
                node = new[1:] + node[len(old) - 1 :] if node.startswith(old[1:]) else node
        return node

    found = walk(value)
    assert isinstance(found, dict)
    return found


def test_what_the_user_says_is_not_given_up() -> None:
    found = accepted(sample("ga_no_interrupt"), AcceptOptions(assume={"auto_create_when_busy": "queues"}))
    assert found.outcome == "refused"
    found = accepted(sample("ga_no_interrupt"), AcceptOptions(assume={"auto_create_when_busy": "drops"}))
    assert (found.outcome, found.relaxed) == ("accepted", {})
    assert found.assumed == {"auto_create_when_busy": "drops"}
    found = accepted(sample("ga_no_interrupt"), AcceptOptions(assume={"provider_interrupts": "yes"}))
    assert found.outcome == "refused"


def test_an_unknown_event_is_told_by_name_and_nothing_before_it_is_taken_back() -> None:
    log = sample("ga_barge_in")
    place = at(log, "response.done")
    news: Row = {"dir": "server", "event": {"type": "response.telepathy.delta"}}
    found = accepted([*log[:place], news, *log[place:]])
    assert (found.outcome, found.relaxed) == ("unknown", {})
    assert found.stop is not None and (found.stop.line, found.stop.type) == (place + 1, "response.telepathy.delta")
    assert "specs/worlds/projection.yaml" in found.stop.why
    impossible = without(log, "response.created")
    found = accepted([*impossible, news])
    assert found.outcome == "refused"


def test_a_role_of_no_rule_is_told() -> None:
    log = sample("ga_barge_in")
    log[at(log, "response.done")]["event"]["response"]["status"] = "lost in thought"
    found = accepted(log)
    assert found.outcome == "unknown" and found.stop is not None
    assert "no rule" in found.stop.why


def test_a_client_may_send_what_it_likes() -> None:
    """Nothing that a client sends is impossible, at any time; only what comes back can be."""
    head = sample("ga_owned_turns")[:3]
    kinds = (
        "response.create", "response.cancel", "conversation.item.create", "input_audio_buffer.commit",
        "input_audio_buffer.clear", "session.update", "conversation.item.truncate", "input_audio_buffer.append",
    )  # fmt: skip
    sent: list[Row] = [{"dir": "client", "event": {"type": kind}} for kind in kinds * 6]
    assert accepted([*head, *sent]).outcome == "accepted"


def test_a_dialect_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        accepted(sample("ga_barge_in"), dialect="klingon")


def test_an_empty_log_is_a_run_of_nothing() -> None:
    found = accepted([])
    assert (found.outcome, found.events) == ("accepted", 0)


def test_the_order_of_search_shows_no_earlier_event_than_the_first_impossible_one() -> None:
    """What is in flight is compared with what the log has next; a mismatch there must not be told too early."""
    log = sample("ga_parallel_tools")
    last = at(log, "response.done", 2)
    for cut in range(4, last):
        assert accepted(log[:cut]).outcome == "accepted"
    broken = without(log, "response.done")
    stop = accepted(broken).stop
    assert stop is not None
    assert accepted(broken[: stop.line - 1]).outcome == "accepted"
    assert accepted(broken[: stop.line]).outcome == "refused"


def test_every_beginning_of_a_run_is_a_run() -> None:
    for name in ("ga_cancel_hits_the_next", "ga_create_crosses_answer", "ga_out_of_band"):
        log = sample(name)
        found = [accepted(log[:cut], dialect="ga").outcome for cut in range(len(log))]
        assert set(found) == {"accepted"}


def test_a_world_that_does_less_accepts_less() -> None:
    """The verdict is the world's: without the move that rejects a create the log of a rejection is none of its runs."""
    log = sample("ga_cancel_then_create")
    world = projection().world
    moves = tuple(m for m in world.moves if not m.name.startswith("rejects_create"))
    narrower = attrs.evolve(projection(), world=attrs.evolve(world, moves=moves))
    assert accepted(log).outcome == "accepted"
    stop = accepted(log, by=narrower).stop
    assert stop is not None and stop.type == "error"
