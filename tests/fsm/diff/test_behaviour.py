"""The shortest run in which two specs act differently; equivalence only where all was searched."""

from __future__ import annotations

from functools import cache

import attrs
import pytest

from adapters.specs import fetcher, specs_folder
from adapters.verify.run import load_environment
from fsm.diff.behaviour import Behaviour, SearchBound, behaviour
from fsm.diff.markdown import sequence
from fsm.diff.report import Diff, behaviour_verdict, text
from fsm.diff.structure import structure
from fsm.language.loader import load
from fsm.language.spec import Spec
from fsm.machine.ledgers import LEDGERS
from fsm.world.world import World
from tests.fsm.bundle import Change, loaded, text_of
from tests.fsm.diff.test_structure import BARGE_IN, SLOWER, changed

TURNS = SearchBound(scenes=("turns",))


@cache
def world() -> World:
    return load_environment().world


@cache
def compared(*changes: Change, bound: SearchBound = TURNS) -> Behaviour:
    return behaviour(loaded("server_vad").spec, changed("server_vad", *changes).spec, world(), bound)


def test_a_spec_is_equivalent_to_itself_within_the_bounds() -> None:
    found = compared()
    assert found.is_same and found.searched[0].done and found.searched[0].states > 300
    assert behaviour_verdict(found).startswith("equivalent within quick bounds (")


def test_the_shortest_run_ends_at_the_row_that_changed() -> None:
    witness = compared(BARGE_IN).witness
    assert witness is not None and witness.kind == "effects" and not witness.deadline
    last = witness.steps[-1]
    assert [a.effects for a in last.old] == [("flush_playout", "watch_silence")]
    assert [a.effects for a in last.new] == [("watch_silence",)]
    assert {a.rows for a in (*last.old, *last.new)} == {("conversation/input_audio_buffer.speech_started.new",)}
    assert all(a.place.file == "specs/server_vad.yaml" and a.place.line for a in (*last.old, *last.new))
    assert len(witness.steps) == 8  # connect, greet, set up: no shorter call has the caller speaking


def test_both_did_the_same_before() -> None:
    witness = compared(BARGE_IN).witness
    assert witness is not None
    for step in witness.steps[:-1]:
        assert [a.effects for a in step.old] == [a.effects for a in step.new]


def test_another_wait_is_no_other_act_but_is_told() -> None:
    source = loaded("server_vad").spec.deadlines
    name, deadline = next((n, d) for n, d in source.items() if n == "connect_overdue" or d.after_ms == 5000)
    old = loaded("server_vad").spec
    slow = attrs.evolve(old, deadlines={**source, name: attrs.evolve(deadline, after_ms=deadline.after_ms + 1000)})
    found = behaviour(old, slow, world(), TURNS)
    assert found.witness is None and not found.is_same
    assert found.timing is not None and found.timing.waits_ms == (deadline.after_ms, deadline.after_ms + 1000)
    assert "the same acts in the same order" in behaviour_verdict(found)


WORDS = """
vocabulary: shop
events:
  application.order_found: {from: application}
  prompt.finished: {variants: {goodbye: {where: {name: goodbye}}, other: {}}}
"""
SHOP = """
spec: server_vad
extends: server_vad
add:
  vocabulary+: [shop_words.yaml]
  prompts: {goodbye: goodbye.wav}
  groups: {live: {on: {application.order_found: {do: [play_prompt(goodbye)]}}}}
  states:
    closing: {ignore: {the call is ending anyhow+: [application.order_found]}}
    closed: {ignore: {the call is over+: [application.order_found]}}
"""


def shop(text: str = SHOP) -> Spec:
    bundled = fetcher(specs_folder())

    def fetch(reference: str) -> tuple[str, str]:
        return (WORDS, reference) if reference == "shop_words.yaml" else bundled(reference)

    return load(text, "shop.yaml", fetch, LEDGERS).spec


def test_where_only_words_were_added_the_rest_is_compared_and_the_words_are_named() -> None:
    old = loaded("server_vad").spec
    for sides in ((old, shop()), (shop(), old)):
        found = behaviour(*sides, world(), TURNS)
        assert found.is_same, found
        assert set(found.left_out) == {"application.order_found"}, "the variants are the event, to who has no others"
        assert behaviour_verdict(found).endswith(", but for what only one of them knows (1 event)")


def test_what_is_done_otherwise_is_found_beside_new_words() -> None:
    cut = SHOP + "override: {groups: {conversation: {on: {caller.interrupted: {do: [], to: user_speaking}}}}}\n"
    quiet = cut.replace("caller.interrupted: {do: []", "input_audio_buffer.speech_started.new: {do: []")
    found = behaviour(loaded("server_vad").spec, shop(quiet), world(), TURNS)
    assert found.witness is not None and found.witness.kind == "effects"


def test_a_cut_search_is_undecided_and_never_equivalent() -> None:
    found = compared(bound=SearchBound(scenes=("turns",), max_states=50))
    assert not found.is_complete and not found.is_same
    assert behaviour_verdict(found).startswith("UNDECIDED")


def test_an_interrupted_search_is_undecided() -> None:
    spec = loaded("server_vad").spec
    assert not behaviour(spec, spec, world(), TURNS, lambda _expanded, _found: False).is_complete


def renamed() -> Spec:
    """The same spec with another name for a state."""

    def fetch(reference: str) -> tuple[str, str]:
        return text_of(reference).replace("playing_out", "draining"), f"specs/{reference}"

    return load(*fetch("server_vad.yaml"), fetch, LEDGERS).spec


def test_states_count_only_if_asked_for() -> None:
    spec, other = loaded("server_vad").spec, renamed()
    assert behaviour(spec, other, world(), TURNS).is_same
    witness = behaviour(spec, other, world(), SearchBound(("turns",), states_too=True)).witness
    assert witness is not None and witness.kind == "states"
    assert (witness.steps[-1].old[-1].after, witness.steps[-1].new[-1].after) == ("playing_out", "draining")


@pytest.mark.parametrize("other", ["owned_turns", "push_to_talk"])
def test_specs_of_other_worlds_are_not_compared(other: str) -> None:
    found = behaviour(loaded("server_vad").spec, loaded(other).spec, world(), TURNS)
    assert "different worlds" in found.reason and not found.is_same and not found.is_complete


def test_a_changed_row_that_no_run_took_is_named() -> None:
    new = changed("server_vad", SLOWER, BARGE_IN)
    old = loaded("server_vad")
    found = behaviour(old.spec, old.spec, world(), TURNS)
    changes = structure(old.spec, new.spec)
    diff = Diff(old, new, changes, attrs.evolve(found, taken=frozenset()))
    assert [c.name for c in diff.unvisited] == ["conversation/input_audio_buffer.speech_started.new"]
    assert "no run took the changed transition" in text(diff)
    assert Diff(old, new, changes, found).unvisited == ()


def test_the_diagram_ends_with_what_each_does() -> None:
    witness = compared(BARGE_IN).witness
    assert witness is not None
    drawn = sequence(witness, "old: a", "new: b; c")
    assert drawn.startswith("sequenceDiagram\n")
    ending = drawn.partition("    alt old: a\n")[2]
    before, _, after = ending.partition("    else new: b#59; c\n")
    assert "flush_playout" in before and "flush_playout" not in after and after.endswith("    end\n")
