"""The type check against the same check written plainly: what is looked up there is worked out anew here."""

from __future__ import annotations

import pytest

from fsm.language import typestate
from fsm.language.problem import Problem, Problems
from fsm.language.proof import Proof
from fsm.language.spec import Spec
from fsm.language.typestate import Flow, Typestate
from tests.fsm.bundle import NAMES, loaded
from tests.fsm.language.mini import HOUSE, load_mini
from tests.fsm.language.plain_check import PlainCheck
from tools.mutants.mutants import mutants

BRANCHED = HOUSE.replace(
    "[bells += 1, open_door]", "[{if: tired, do: [{if: lamp != on, do: [light]}], else: [open_door]}]"
)
GUARDED = HOUSE.replace(
    "      bell.rang: {to: hall}\n",
    "      bell.rang:\n"
    "        - {if: lamp == on and mood == calm, to: where}\n"
    "        - {if: lamp == lost, do: [light], to: where}\n"
    "        - {if: else, do: [open_door]}\n",
) + (
    "choices:\n"
    "  where:\n"
    "    - {if: lamp == on and tired, to: hall}\n"
    "    - {if: lamp == on and not tired, do: [presume(bulb_gone)], to: hall}\n"
    "    - {if: else, to: cellar}\n"
)

IGNORED = GUARDED.replace("    - {if: else, to: cellar}\n", "    - {if: else, ignore: nobody looks}\n")


def finding(problem: Problem) -> tuple[str, str]:
    """As PlainCheck has it."""
    if problem.code == "illegal-effect":
        return problem.code, f"{problem.place} {problem.message.split(chr(39))[1]}"
    return problem.code, problem.message


def checked(spec: Spec, largest_proof: int) -> tuple[Flow, tuple[Problem, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typestate, "LARGEST_PROOF", largest_proof)
        problems = Problems()
        return Typestate(spec, problems).check(), tuple(problems)


def assert_alike(spec: Spec, what: str) -> None:
    """The proof, the search and the plain check; nothing is proved of what has errors, so the search speaks of them."""
    flow, problems = checked(spec, largest_proof=1 << 20)
    searched, found = checked(spec, largest_proof=0)
    assert (problems, flow, flow.reached) == (found, searched, searched.reached), what
    errors = [p for p in problems if p.severity == "error"]
    on_ways = [p for p in errors if p.code not in ("unreachable", "no-way-out")]
    assert Proof(spec).holds() == (not on_ways), what
    plain, states = PlainCheck(spec), list(spec.states)
    reached = {(states.index(state), *slots) for state, found in flow.reached.items() for slots in found}
    assert (reached, set(flow.live_cells)) == (plain.reached, plain.live), what
    assert {finding(p) for p in errors} == plain.found, what


@pytest.mark.parametrize("text", [HOUSE, BRANCHED, GUARDED, IGNORED], ids=["house", "branched", "guarded", "ignored"])
def test_each_mutant_of_a_small_spec(text: str) -> None:
    spec = load_mini(text).spec
    assert_alike(spec, "as written")
    changed = mutants(spec)
    assert len(changed) > 40
    for mutant in changed:
        assert_alike(mutant.rewrite(spec), mutant.id)


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_spec(name: str) -> None:
    assert_alike(loaded(name).spec, name)


@pytest.mark.parametrize("kind", ["guard negated", "effect moved"])
def test_a_mutant_of_a_bundled_spec(kind: str) -> None:
    spec = loaded("owned_turns").spec
    mutant = [m for m in mutants(spec) if m.kind == kind][7]
    assert_alike(mutant.rewrite(spec), mutant.id)
