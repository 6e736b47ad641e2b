"""`step` is pure and total: whatever comes, in whatever order, with whatever data; old snapshots stay as they were."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.machine.machine import Event, Snapshot, Step, TurnSpecMachine
from fsm.machine.wire import read_wire
from tests.fsm.bundle import NAMES, machine
from tests.fsm.language.mini import HOUSE, load_mini
from tests.fsm.machine import wire_forms as wire
from tests.fsm.stories.story import ACTED

OUTCOMES = {"taken", "stayed", "deferred", "ignored", "refused", "impossible"}
QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)

IDS = st.sampled_from(["resp_1", "resp_2", "item_1", "item_2", "call_1", "call_2", "ts_create_response_2", "", "?"])
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | IDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
FIELDS = (
    "response_id", "item_id", "call_id", "event_id", "tag", "status", "reason", "code", "outputs", "message", "digit",
    "items", "fatal", "text", "output", "epoch", "name", "arguments", "heard_ms",
)  # fmt: skip
ITEM = st.fixed_dictionaries(
    {"item_id": IDS, "response_id": IDS, "content_index": st.just(0), "heard_ms": st.integers(0, 5000),
     "received_ms": st.integers(0, 5000)}
)  # fmt: skip
DATA = st.dictionaries(st.sampled_from(FIELDS), IDS | GARBAGE, max_size=4)


def base_names(spec: str) -> list[str]:
    vocabulary = machine(spec).spec.vocabulary
    plain = [name for name, word in vocabulary.events.items() if word.base == name]
    timers = [d.event for d in machine(spec).spec.deadlines.values()]
    return sorted({*plain, *vocabulary.identities, *timers, "no.such.event"})


def events(spec: str) -> st.SearchStrategy[Event]:
    return st.builds(Event, st.sampled_from(base_names(spec)), DATA)


def sensible(spec: str) -> st.SearchStrategy[Event | wire.Json]:
    """What a provider could say, with few ids, so that calls get somewhere."""
    response, item, call = (st.sampled_from([f"{kind}_{n}" for n in (1, 2, 3)]) for kind in ("resp", "item", "call"))
    said: list[st.SearchStrategy[Event | wire.Json]] = [
        st.builds(wire.created, response, st.sampled_from([None, *(f"ts_create_response_{n}" for n in range(2, 6))])),
        st.builds(wire.done, response), st.builds(wire.failed, response),
        st.builds(wire.cancelled, response, st.sampled_from(["turn_detected", "client_cancelled"])),
        st.builds(wire.item_done, response, st.builds(wire.function_call, call)),
        st.builds(wire.committed, item), st.builds(wire.speech, st.sampled_from(["started", "stopped"]), item),
        st.builds(wire.busy, st.sampled_from([None, "ts_create_response_2"]), st.none() | response),
        st.builds(lambda c: wire.item_echo(wire.output_item(c)), call),
        st.builds(lambda c: Event("tool.returned", {"call_id": c, "output": "x"}), call),
        st.builds(lambda i: Event("playout.flushed", {"items": i}), st.lists(ITEM, max_size=2)),
        st.builds(lambda r: Event("playout.started", {"response_id": r}), response),
        st.sampled_from([Event(n) for n in ("playout.drained", "caller.silent", "uplink.committable")]),
        st.just(Event("caller.pressed_key", {"digit": "#"})), st.just(wire.session("updated")),
        st.builds(Event, st.sampled_from(base_names(spec)), DATA),
        st.just(Event("timer.*")),
    ]  # fmt: skip
    return st.one_of(said)


def opened(mach: TurnSpecMachine) -> Snapshot:
    snapshot = mach.start(talk_key="#")[-1].snapshot
    for event in (Event("provider.opened"), Event("session.created"), Event("session.updated")):
        snapshot = mach.step(snapshot, event).snapshot
    return snapshot


def same(one: Step, other: Step) -> bool:
    """Equal in all that can be seen of a step."""
    return (
        (one.outcome, one.variant, one.reason, one.effects, one.start, one.stop, one.transitions)
        == (other.outcome, other.variant, other.reason, other.effects, other.start, other.stop, other.transitions)
        and one.snapshot.control == other.snapshot.control
        and one.snapshot.ledger == other.snapshot.ledger
        and (one.snapshot.armed, one.snapshot.data, one.snapshot.serial)
        == (other.snapshot.armed, other.snapshot.data, other.snapshot.serial)
    )


def run(mach: TurnSpecMachine, snapshot: Snapshot, said: Sequence[Event | wire.Json]) -> list[tuple[Snapshot, Step]]:
    """Steps all of it; `timer.*` is the oldest armed deadline."""
    steps = []
    for each in said:
        for event in (each,) if isinstance(each, Event) else read_wire(mach.spec.vocabulary, each):
            if event.name == "timer.*":
                if not snapshot.armed:
                    continue
                name, epoch = next(iter(snapshot.armed.items()))
                event = Event(f"timer.{name}", {"epoch": epoch})
            step = mach.step(snapshot, event)
            steps.append((snapshot, step))
            snapshot = step.snapshot
    return steps


def frozen(snapshot: Snapshot) -> tuple[object, ...]:
    return (
        snapshot.control.values, snapshot.control.waiting, snapshot.ledger, dict(snapshot.armed), dict(snapshot.data),
        snapshot.serial,
    )  # fmt: skip


def check(mach: TurnSpecMachine, snapshot: Snapshot, step: Step) -> None:
    spec = mach.spec
    assert step.outcome in OUTCOMES
    assert step.before == snapshot.state
    if step.outcome not in (*ACTED, "ignored"):
        assert (step.effects, step.start, step.stop) == ((), (), ())
        assert step.snapshot.control.values == snapshot.control.values
    if step.outcome in ("refused", "ignored", "impossible"):
        assert step.reason
    if step.outcome == "refused":
        assert spec.vocabulary.events[step.variant].is_request
    if snapshot.is_final:
        assert (step.effects, step.start, step.snapshot.state) == ((), (), snapshot.state)
    holds = {d.name for d in spec.deadlines.values() if d.condition.run(step.snapshot.control.values)}
    assert set(step.snapshot.armed) == holds or (snapshot.is_final and set(step.snapshot.armed) <= holds)
    assert set(step.snapshot.data) == set(step.snapshot.control.waiting)


@pytest.mark.parametrize("spec", NAMES)
def test_a_call_that_is_over_starts_no_deadline(spec: str) -> None:
    mach = machine(spec)
    over = mach.step(mach.start()[-1].snapshot, Event("caller.hung_up")).snapshot
    step = mach.step(over, Event("playout.started"))
    assert (step.outcome, step.start, step.snapshot.armed) == ("ignored", (), {})


@pytest.mark.parametrize("spec", NAMES)
def test_any_sequence_with_any_data(spec: str) -> None:
    mach = machine(spec)

    @QUICK
    @given(st.lists(events(spec), max_size=25), st.booleans())
    def property_(said: list[Event], is_open: bool) -> None:
        start = opened(mach) if is_open else mach.start()[-1].snapshot
        for before, step in run(mach, start, said):
            check(mach, before, step)

    property_()


@pytest.mark.parametrize("spec", NAMES)
def test_any_sequence_a_provider_could_say_is_pure(spec: str) -> None:
    """Old snapshots are untouched and step again to the same; effects are legal where they are emitted."""
    mach = machine(spec)

    @QUICK
    @given(st.lists(sensible(spec), min_size=12, max_size=40))
    def property_(said: list[Event | wire.Json]) -> None:
        start = opened(mach)
        kept = frozen(start)
        steps = run(mach, start, said)
        before_and_after = [(frozen(before), before, step) for before, step in steps]
        for seen, before, step in before_and_after:
            check(mach, before, step)
            again = mach.step(before, step.event)
            assert same(step, again)
            assert frozen(before) == seen
            ids = [e.args["event_id"] for e in step.effects if "event_id" in e.args]
            assert len(ids) == len(set(ids))
        assert frozen(start) == kept
        sent = [e.args["event_id"] for _, step in steps for e in step.effects if "event_id" in e.args]
        assert len(sent) == len(set(sent)), "an event id is used once in a call"

    property_()


@pytest.mark.parametrize("spec", NAMES)
def test_any_json_is_read_and_stepped(spec: str) -> None:
    mach = machine(spec)
    kinds = sorted({*mach.spec.vocabulary.wire, *list(mach.spec.vocabulary.noise)[:3], "error", "nonsense"})
    nested = st.dictionaries(
        st.sampled_from(["id", "status", "metadata", "output", "type", "call_id", "turnspec", "error", "code"]), GARBAGE
    )
    body = st.dictionaries(
        st.sampled_from(["response", "item", "item_id", "response_id", "error", "event_id"]),
        GARBAGE | nested,
        max_size=4,
    )

    @QUICK
    @given(st.lists(st.tuples(st.sampled_from(kinds) | GARBAGE, body), max_size=8))
    def property_(said: list[tuple[object, dict[str, object]]]) -> None:
        for before, step in run(mach, opened(mach), [{**fields, "type": kind} for kind, fields in said]):
            check(mach, before, step)

    property_()


@pytest.mark.parametrize("name", ["playout.flushed", "playout.dropped"])
def test_what_the_playout_says_may_be_no_list(name: str) -> None:
    for items in (None, "text", {"item_id": "i"}, 7):
        malformed(name, items)


@pytest.mark.parametrize("item", [None, {}, {"item_id": "i"}, {"item_id": "i", "heard_ms": "x", "received_ms": 5}])
@pytest.mark.parametrize("name", ["playout.flushed", "playout.dropped"])
def test_an_item_the_playout_tells_of_may_be_malformed(name: str, item: object) -> None:
    malformed(name, [item])


def malformed(name: str, items: object) -> None:
    mach = machine("server_vad")
    step = mach.step(opened(mach), Event(name, {"items": items}))
    assert step.outcome in ACTED
    assert step.effects == ()


def test_a_machine_serves_many_calls_that_do_not_know_each_other() -> None:
    mach = machine("server_vad")
    first, second = opened(mach), opened(mach)
    assert first.control == second.control
    after = mach.step(first, Event("caller.hung_up"))
    assert after.snapshot.is_final
    assert not second.is_final
    assert frozen(mach.step(second, Event("playout.drained")).snapshot)[0] == second.control.values


def test_two_machines_of_one_spec_agree() -> None:
    one, other = machine("owned_turns"), TurnSpecMachine(machine("owned_turns").spec)
    said = [wire.speech("started", "u1"), wire.speech("stopped", "u1"), wire.committed("u1"), wire.created("resp_1")]
    for (_, a), (_, b) in zip(run(one, opened(one), said), run(other, opened(other), said), strict=True):
        assert (a.outcome, a.effects, a.snapshot.control.values) == (b.outcome, b.effects, b.snapshot.control.values)


def test_forgetting_what_was_worked_out_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of reactions is bounded; a call that holds an old snapshot goes on as before."""
    monkeypatch.setattr("fsm.machine.machine.MAX_PLANS", 3)
    mach = TurnSpecMachine(load_mini(HOUSE).spec)
    snapshot = mach.start()[-1].snapshot
    seen = []
    for name in ("bell.rang", "bulb.lit", "bell.rang_twice", "bulb.broke", "bell.rang", "bell.rang", "bulb.lit") * 3:
        step, again = mach.step(snapshot, Event(name)), mach.step(snapshot, Event(name))
        assert (step.outcome, step.effects) == (again.outcome, again.effects)
        assert step.snapshot.control.values == again.snapshot.control.values
        snapshot = step.snapshot
        seen.append((name, step.outcome, snapshot.state))
    fresh = TurnSpecMachine(load_mini(HOUSE).spec)
    monkeypatch.setattr("fsm.machine.machine.MAX_PLANS", 10_000)
    snapshot = fresh.start()[-1].snapshot
    for name, outcome, state in seen:
        step = fresh.step(snapshot, Event(name))
        snapshot = step.snapshot
        assert (step.outcome, snapshot.state) == (outcome, state)


def test_the_ids_of_an_event_that_is_out_of_place_are_not_kept() -> None:
    """A turn that is reported before the session is configured is no turn; the same item may begin one later."""
    mach = machine("server_vad")
    early, begun = mach.start()[-1].snapshot, Event("input_audio_buffer.speech_started", {"item_id": "u1"})
    step = mach.step(early, begun)
    assert (step.outcome, step.reaction.admitted, step.snapshot.ledger) == ("ignored", False, early.ledger)
    later = mach.step(attrs.evolve(opened(mach), ledger=step.snapshot.ledger), begun)
    assert (later.variant, later.outcome) == ("input_audio_buffer.speech_started.new", "taken")


def test_the_memory_of_reactions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm.machine.machine.MAX_PLANS", 3)
    mach = TurnSpecMachine(load_mini(HOUSE).spec)
    snapshot = mach.start()[-1].snapshot
    for name in ("bell.rang", "bulb.lit", "bell.rang_twice", "bulb.broke", "bell.rang", "bell.rang", "bulb.lit") * 3:
        snapshot = mach.step(snapshot, Event(name)).snapshot
        assert len(mach.plans) <= 3
