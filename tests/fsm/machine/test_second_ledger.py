"""The seam of the ledgers: a protocol that the core has never heard of runs on a ledger and a vocabulary of its own."""

from __future__ import annotations

import pytest

from fsm.language.ledger import NO_LEDGER
from fsm.language.schema import vocabulary_schema
from fsm.machine.ledgers import LEDGERS, call
from fsm.machine.machine import Event, Snapshot, Step, TurnSpecMachine
from fsm.machine.wire import Wire, read_wire
from fsm.scenario.coverage import all_targets
from fsm.scenario.reader import read_scenarios
from fsm.scenario.runner import run_scenario
from fsm.scenario.search import NoveltySearch
from tests.fsm.bundle import loaded
from tests.fsm.language.mini import HOUSE, WORDS, load_mini
from tests.fsm.machine.second_ledger import NUMBERS, load_second


@pytest.fixture(scope="module")
def machine() -> TurnSpecMachine:
    return TurnSpecMachine(load_second().spec)


class Call:
    """Steps a call by wire events and by facts."""

    def __init__(self, machine: TurnSpecMachine) -> None:
        self.machine = machine
        self.snapshot: Snapshot = machine.start(talk_key="#")[-1].snapshot

    def wire(self, **wire: object) -> Step:
        heard: Wire = wire
        (event,) = read_wire(self.machine.spec.vocabulary, heard)
        return self.fact(event)

    def fact(self, event: Event) -> Step:
        (step,) = self.machine.advance(self.snapshot, event)
        self.snapshot = step.snapshot
        return step


def test_its_identities_and_recipes_run(machine: TurnSpecMachine) -> None:
    call = Call(machine)
    asked = call.fact(Event("caller.pressed_key", {"digit": "#"}))
    assert [(e.name, dict(e.args)) for e in asked.effects] == [("ask", {"number": "ask#1"})]
    tool = {"type": "function.called", "call": "c1"}
    assert [effect.args["call_id"] for effect in call.wire(**tool).effects] == ["c1"]
    assert call.wire(**tool).variant == "called.seen"
    assert call.snapshot.ledger.running == ("c1",)
    assert call.fact(Event("tool.returned", {"call_id": "c1"})).variant == "tool.returned.pending"
    assert call.wire(type="reply.done", id="r1").variant == "replied.first"
    assert call.snapshot.state == "listening"
    assert call.wire(type="reply.done", id="r1").variant == "replied.again"
    assert call.fact(Event("playout.heard", {"response_id": "r1"})).variant == "playout.heard.current"


def test_an_error_finds_its_effect_by_the_ids_of_this_protocol(machine: TurnSpecMachine) -> None:
    call = Call(machine)
    call.fact(Event("caller.pressed_key", {"digit": "#"}))
    assert call.wire(type="error", error={"event_id": "ts_ask_1"}).variant == "error.unrelated"
    assert call.wire(type="error", error={"event_id": "ask#1"}).variant == "ask_rejected"


def test_scenarios_by_role_and_the_search_for_them_use_its_roles(machine: TurnSpecMachine) -> None:
    steps = "[caller.pressed_key.talk, called.new, tool.returned.pending, replied.first, replied.again]"
    (scenario,) = read_scenarios(
        f"spec: numbers\ntalk_key: '#'\nscenarios: {{s: {{steps: {steps}}}}}\n", "s.yaml"
    ).scenarios
    result = run_scenario(machine, scenario)
    assert result.failure is None
    assert [step.variant for step in result.steps[1:]] == steps.strip("[]").split(", ")
    wanted = {target for target, why in all_targets(load_second()).items() if why == "open"}
    ways = {str(way.target): (*way.given, way.last) for way in NoveltySearch(machine).ways(wanted)}
    assert ways["waiting / replied.first"] == ("caller.pressed_key.talk", "replied.first")
    pending = ways["listening / tool.returned.pending"]
    assert (pending[:2], pending[-1]) == (("caller.pressed_key.talk", "called.new"), "tool.returned.pending")


def test_the_schema_of_vocabularies_offers_what_it_has() -> None:
    assert '"ask"' in vocabulary_schema({NUMBERS.name: NUMBERS})


def test_what_all_ledgers_share_is_what_the_words_of_every_call_need() -> None:
    """specs/vocabularies/call.yaml is the same with every protocol: its identities and recipes stand in `call`."""
    vocabulary = load_second().spec.vocabulary
    theirs = {name for base, name in vocabulary.identities.items() if base not in ("replied", "called")}
    assert theirs <= call.IDENTITIES.keys()
    assert {word.recipe for word in vocabulary.effects.values()} <= {"plain", "ask", *call.RECIPES}


@pytest.mark.parametrize("ledger", [*LEDGERS.values(), NUMBERS], ids=lambda ledger: ledger.name)
def test_every_ledger_has_what_all_share(ledger: object) -> None:
    assert isinstance(ledger, type(NUMBERS))
    assert call.IDENTITIES.keys() <= ledger.identities.keys()  # one may know more of a word: whose call a call is
    assert call.RECIPES.items() <= ledger.recipes.items()


def test_a_vocabulary_holds_its_ledger() -> None:
    assert load_second().spec.vocabulary.ledger is NUMBERS
    assert loaded("server_vad").spec.vocabulary.ledger is LEDGERS["realtime"]


def test_a_vocabulary_without_ids_needs_no_ledger() -> None:
    spec = load_mini(HOUSE, WORDS.replace("ledger: realtime\n", "")).spec
    assert spec.vocabulary.ledger is NO_LEDGER
    machine = TurnSpecMachine(spec)
    snapshot = machine.start(talk_key="#")[-1].snapshot
    assert (snapshot.ledger.create, snapshot.ledger.running) == (None, ())
    (step,) = machine.advance(snapshot, Event("bell.rang"))
    assert [effect.name for effect in step.effects] == ["open_door"]
    (event,) = read_wire(spec.vocabulary, {"type": "error", "error": {"event_id": "ts_light_1"}})
    assert event.name == "error.unrelated"


def test_words_of_a_wait_are_read_by_the_ledger_alone(machine: TurnSpecMachine) -> None:
    """What OpenAI's rate limiter writes means nothing in a protocol whose ledger reads no such words."""
    error = {"type": "error", "error": {"event_id": "ask#1", "message": "Please try again in 20s."}}
    (event,) = read_wire(machine.spec.vocabulary, error)
    assert "retry_after_ms" not in event.data
