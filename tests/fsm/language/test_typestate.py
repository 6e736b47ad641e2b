"""The type check: each of its findings with place, message, hint and trail; the bundled specs, damaged, are refused."""

from __future__ import annotations

import pytest

from fsm.language.problem import Problem
from tests.fsm.bundle import ANSWERS, FLOOR, NAMES, OPENING, PLAYOUT, Change, line_of, loaded, problems_of
from tests.fsm.language.mini import HOUSE, WORDS, changed, found, load_mini

RANG = "      bell.rang: {do: [bells += 1, open_door]}\n"


def only(problems: tuple[Problem, ...], code: str) -> Problem:
    """The one problem of a code, which must be the only kind there is."""
    assert {p.code for p in problems} == {code}, "\n".join(map(str, problems))
    return problems[0]


def at(problem: Problem) -> tuple[int, int]:
    return problem.place.line, problem.place.column


# --- on the small spec, whole messages --------------------------------------------------------------------------------


def test_an_effect_where_its_slot_forbids_it() -> None:
    problem = only(found(changed((RANG, "      bell.rang: {do: [light, light]}\n"))), "illegal-effect")
    assert str(problem) == (
        "mini.yaml:15:24: error[illegal-effect]: 'light' while lamp is on\n"
        "    it needs lamp: off or lost; guard it, or send it from where that holds\n"
        "    how it gets there:\n"
        "      hall: the call starts  (mini.yaml:12:3)\n"
        "      hall: bell.rang  (mini.yaml:15:18)  -> lamp on"
    )


def test_an_effect_in_an_action_names_the_place_that_uses_it() -> None:
    text = changed((RANG, "      bell.rang: {do: [shine]}\n")) + "actions:\n  shine: [light]\n"
    problem = only(found(text), "illegal-effect")
    assert (at(problem), problem.message) == ((42, 11), "'light' while lamp is on (used at mini.yaml:15:18)")


def test_a_guard_on_the_slot_makes_it_legal() -> None:
    guarded = "      bell.rang: {do: [{if: lamp != on, do: [light]}]}\n"
    assert found(changed((RANG, guarded))) == ()
    rows = "      bell.rang:\n        - {if: lamp == on, do: []}\n        - {if: lamp != on, do: [light]}\n"
    assert found(changed((RANG, rows))) == ()


def test_a_guard_on_the_context_does_not() -> None:
    guarded = "      bell.rang: {do: [{if: mood == calm, do: [light, mood = cross]}]}\n"
    assert only(found(changed((RANG, guarded))), "illegal-effect").place.column == 48


BRANCHES = {  # every half of a branch: where `light` stands, and what the lamp is there
    "then, the context is unknown": ("{if: tired, do: [light]}", True),
    "else, the context is unknown": ("{if: tired, do: [], else: [light]}", True),
    "then, the slots say yes": ("{if: lamp == on, do: [light]}", True),
    "then, the slots say no": ("{if: lamp != on, do: [light]}", False),
    "else, the slots say no": ("{if: lamp != on, do: [], else: [light]}", True),
    "else, the slots say yes": ("{if: lamp == on, do: [], else: [light]}", False),
    "else of an else": ("{if: lamp != on, do: [], else: [{if: tired, do: [], else: [light]}]}", True),
    "after a then that makes it illegal": ("{if: lamp != on, do: [light]}, light", True),
    "after an else that makes it illegal": ("{if: lamp == on, do: [presume(bulb_gone)], else: [light]}, light", True),
    "after halves that both make it legal": ("{if: lamp == on, do: [presume(bulb_gone)], else: []}, light", False),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_both_halves_of_a_branch_are_followed(name: str) -> None:
    do, illegal = BRANCHES[name]
    problems = found(changed((RANG, f"      bell.rang: {{do: [{do}]}}\n")))
    assert [(p.code, at(p)) for p in problems] == [("illegal-effect", (15, 24 + do.rindex("light")))] * illegal


def test_what_else_leaves_behind_goes_where_the_row_goes() -> None:
    text = changed(
        (RANG, "      bell.rang: {do: [{if: tired, do: [], else: [{if: lamp != on, do: [light]}]}], to: garden}\n"),
        ("    about: Outside.\n", "    about: Outside.\n    slots: {lamp: [off, lost]}\n"),
        ("      bell.rang_twice: {to: garden}\n", "      bell.rang_twice: {do: []}\n"),
        ("      bulb.lit: {do: []}\n", "      bulb.lit: {to: hall}\n"),
    )
    first = next(p for p in found(text) if p.code == "state-slots")
    assert first.message == "'bell.rang' reaches 'garden' with lamp on"
    assert first.trail == ("hall: the call starts  (mini.yaml:12:3)",)


def test_an_effect_in_an_else_is_checked_in_a_whole_spec() -> None:
    answer = "      caller.silent:                         {to: next_floor}\n"
    careless = answer.replace("{to", "{do: [{if: owed == none, do: [], else: [create_response(turn)]}], to")
    problems = problems_of("server_vad", ("server_vad.yaml", answer, careless))
    line, column = line_of("server_vad.yaml", answer)
    column += careless.index("create_response")
    hits = [p for p in problems if (p.place.file, *at(p)) == ("specs/server_vad.yaml", line, column)]
    assert [p.code for p in hits] == ["illegal-effect"], "\n".join(map(str, problems))
    assert hits[0].message.startswith("'create_response(turn)' while ")


def test_a_presumption_where_there_is_nothing_to_presume() -> None:
    problem = only(found(changed((RANG, "      bell.rang: {do: [presume(bulb_gone)]}\n"))), "illegal-effect")
    assert problem.message == "'presume(bulb_gone)' while lamp is off"
    assert problem.hint.startswith("it needs lamp: on;")


def test_a_target_that_does_not_admit_the_slots() -> None:
    text = changed(("    about: Outside.\n", "    about: Outside.\n    slots: {lamp: [off]}\n"))
    first = next(p for p in found(text) if p.code == "state-slots" and p.message.endswith("lamp on"))
    assert (at(first), first.message) == ((16, 24), "'bell.rang_twice' reaches 'garden' with lamp on")
    assert first.hint == "'garden' admits lamp off (mini.yaml:22:3)"
    assert first.trail == ("hall: the call starts  (mini.yaml:12:3)", "hall: bulb.lit  (mini.yaml:17:17)  -> lamp on")


def test_a_cell_without_an_answer() -> None:
    problem = only(found(changed((RANG, ""))), "no-answer")
    assert (at(problem), problem.message) == ((12, 3), "'bell.rang' has no answer in state 'hall'")
    assert problem.hint == "add it under 'on:', or to a group, or say why not: ignore, cannot_happen"
    assert problem.trail == ("hall: the call starts  (mini.yaml:12:3)",)


def test_an_event_the_slots_rule_out_needs_no_answer_and_an_answer_to_it_is_dead() -> None:
    words = WORDS.replace("  visit.requested", "  sun.rose: {from: socket, when: {lamp: [lost]}}\n  visit.requested")
    assert [p.message for p in found(HOUSE, words)] == ["'sun.rose' has no answer in 2 states: garden, hall"]
    never_lost = HOUSE.replace("[presume(bulb_gone)]", "[]")
    assert found(never_lost, words) == ()
    dead = changed((RANG, RANG + "      sun.rose: {do: []}\n"), text=never_lost)
    warning = next(w for w in load_mini(dead, words).warnings if "sun" in w.message)
    assert str(warning) == (
        "mini.yaml:16:7: warning[dead-cell]: 'sun.rose' cannot be in state 'hall'\n"
        "    its slots rule it out; delete the line"
    )


def test_two_answers_and_no_answer_by_the_values_that_show_it() -> None:
    rows = "      bell.rang:\n        - {if: mood == calm, do: []}\n        - {if: mood != cross, do: []}\n"
    problems = found(changed((RANG, rows)))
    assert [(at(p), p.code) for p in problems] == [((15, 7), "no-answer"), ((15, 7), "two-answers")]
    assert problems[0].hint == "no row holds with lamp off, mood cross; add one with 'if: else'"
    assert problems[1].hint == "rows at mini.yaml:16:11 and mini.yaml:17:11 both hold: lamp off, mood calm"
    two_else = "      bell.rang:\n        - {if: else, do: []}\n        - {do: [open_door]}\n"
    assert only(found(changed((RANG, two_else))), "two-answers").message.endswith("has two rows without a guard")


def test_a_choice_must_be_total_and_without_overlap() -> None:
    text = changed((RANG, "      bell.rang: {to: where}\n"))
    text += "choices:\n  where:\n    - {if: mood == calm, to: hall}\n    - {if: tired, to: garden}\n"
    problems = found(text)
    assert {(p.code, at(p)) for p in problems} == {("no-answer", (42, 3)), ("two-answers", (42, 3))}
    assert "choice 'where' has no answer" in str(problems[0])


def test_a_choice_that_leads_to_itself() -> None:
    text = changed((RANG, "      bell.rang: {to: where}\n")) + "choices:\n  where:\n    - {if: else, to: where}\n"
    problem = only(found(text), "endless-choice")
    assert (at(problem), problem.message) == ((42, 3), "choice 'where' leads to itself")


def test_a_group_that_asks_for_the_state_is_decided_in_each_state() -> None:
    """The rows are written once; what they decide in one state is not what they decide in another."""
    rows = "      bell.rang: [{if: state == hall, to: garden}, {if: state == garden, to: cellar}]\n"
    text = changed((RANG, ""), ("      bell.rang: {to: hall}\n", ""), ("{to: cellar}", "{to: hall}"))
    assert found(f"{text}groups:\n  house:\n    states: [hall, garden]\n    on:\n{rows}") == ()


def test_a_choice_that_asks_for_the_state_is_decided_in_each_state() -> None:
    text = changed(
        (RANG, "      bell.rang: {to: where}\n"), ("      bell.rang: {to: hall}\n", "      bell.rang: {to: where}\n")
    )
    text += "choices:\n  where:\n    - {if: state == hall, to: garden}\n    - {if: else, do: [open_door], to: cellar}\n"
    stolen = "      bulb.stolen: {to: cellar}\n"
    assert found(text.replace(stolen, "      bulb.stolen: {do: []}\n")) == ()


def test_what_is_wrong_in_a_group_is_reported_once_with_its_states() -> None:
    rows = "      bell.rang: [{if: tired, do: []}, {if: lamp == on, do: []}, {if: else, do: []}]\n"
    text = changed((RANG, ""), ("      bell.rang: {to: hall}\n", ""))
    problems = found(f"{text}groups:\n  house:\n    states: [hall, garden]\n    on:\n{rows}")
    assert [p.message for p in problems if p.code == "two-answers"] == [
        "'bell.rang' in state 'garden' has two answers, also in hall",
    ]


def test_entry_operations_see_the_state_that_is_entered() -> None:
    entry = "    entry: [shut_door]\n"
    here = "    entry: [{if: state == garden and lamp == on, do: [light]}]\n"
    assert only(found(changed((entry, here))), "illegal-effect").message.startswith("'light' while lamp is on")
    left = "    entry: [{if: state == hall and lamp == on, do: [light]}]\n"
    assert found(changed((entry, left))) == ()


def test_a_state_that_is_never_reached() -> None:
    problem = only(
        found(changed(("      bulb.stolen: {to: cellar}\n", "      bulb.stolen: {do: []}\n"))), "unreachable"
    )
    assert (at(problem), problem.message) == ((36, 3), "state 'cellar' is never reached")


def test_a_state_whose_name_is_misspelt_where_it_is_changed() -> None:
    text = HOUSE + "  hal: {on: {bell.rang: garden}}\n"
    problem = only(found(text), "unreachable")
    assert problem.hint == "no row leads to it; did you mean 'hall'?"


def test_a_state_that_is_never_left() -> None:
    text = changed(
        ("      bulb.stolen: {to: cellar}\n", "      bulb.stolen: {do: []}\n"),
        ("      bell.rang: {to: hall}\n", "      bell.rang: {do: []}\n"),
        ("      bulb.lit: {do: []}\n", "      bulb.lit: {to: cellar}\n"),
    )
    problem = only(found(text), "no-way-out")
    assert (at(problem), problem.message, problem.hint) == (
        (22, 3),
        "state 'garden' is never left",
        "no row leads out of it",
    )


def test_a_wait_that_nobody_ends() -> None:
    text = changed(("while: lamp == on}", "while: lamp == on and tired}"))
    problems = found(text)
    assert {p.code for p in problems} == {"endless-wait"}
    assert (at(problems[0]), problems[0].message) == ((12, 3), "'hall' can wait forever (lamp on)")
    assert problems[0].trail[-1] == "hall: bulb.lit  (mini.yaml:17:17)  -> lamp on"


def test_a_deadline_that_never_runs_is_a_warning() -> None:
    text = changed(("while: mood == cross", "while: lamp == off and lamp == on"))
    warning = next(w for w in load_mini(text).warnings if w.code == "dead-deadline")
    assert (warning.code, warning.severity, at(warning)) == ("dead-deadline", "warning", (10, 3))


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    text = changed(
        (RANG, "      bell.rang: {do: [light, light]}\n"),
        ("    about: Outside.\n", "    about: Outside.\n    slots: {lamp: [off]}\n"),
        ("      bulb.stolen: {to: cellar}\n", "      bulb.stolen: {do: []}\n"),
    )
    problems = found(text)
    codes = [p.code for p in problems]
    assert (codes[:2], codes[-1]) == (["illegal-effect", "illegal-effect"], "unreachable")
    assert "state-slots" in codes
    assert list(problems) == sorted(problems)


# --- the bundled specs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", NAMES)
def test_the_bundled_specs_are_accepted_without_a_warning(spec: str) -> None:
    assert loaded(spec).warnings == ()


@pytest.mark.parametrize("spec", NAMES)
def test_every_state_is_reached_and_every_reachable_cell_answered(spec: str) -> None:
    flow, read = loaded(spec).flow, loaded(spec).spec
    assert all(flow.reached.values())
    assert flow.live_cells <= set(read.cells)


ASK = (ANSWERS, "create_response(owed)]}]")
TALK = "push_to_talk.yaml"
DAMAGE: dict[str, tuple[str, tuple[Change, ...], str, tuple[str, str], str]] = {
    "create while a response is active": (
        "owned_turns",
        ((FLOOR, "turn != open and response == active, to", "turn == committing and response == active, to"),
         (FLOOR, "turn == quiet and response != active and not waiting", "turn == quiet and not waiting")),
        "illegal-effect", ASK, "response is active",
    ),
    "create while the provider owes an answer": (
        "server_vad", (("server_vad.yaml", "create == sent or auto == due or turn", "create == sent or turn"),),
        "illegal-effect", ASK, "auto is due",
    ),
    "a second create": (
        "owned_turns", (("owned_turns.yaml", "create == sent or turn", "turn"),),
        "illegal-effect", ASK, "create is sent",
    ),
    "update_session before session.created": (
        "owned_turns",
        ((OPENING, "       awaiting_session_created\n", " {do: [update_session], to: awaiting_session_created}\n"),),
        "illegal-effect", (OPENING, "provider.opened:"), "session is open",
    ),
    "a commit of too little": (
        TALK.removesuffix(".yaml"),
        ((TALK, "{if: buffer == enough, do:", "{if: buffer == enough or turn == open, do:"),
         (TALK, "{if: buffer == short, do:", "{if: buffer == short and turn != open, do:")),
        "illegal-effect", (TALK, "commit_audio, {if: commit_out == no"), "buffer is short",
    ),
    "no deadline for our create": (
        "owned_turns", ((ANSWERS, "while: create == sent}", "while: create == sent and backoff}"),),
        "endless-wait", (FLOOR, "  response_pending:\n"), "create sent",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_spec_is_refused(name: str) -> None:
    """At the very place, for the very reason, with the way there from the start of the call."""
    spec, changes, code, (file, fragment), says = DAMAGE[name]
    problems = problems_of(spec, *changes)
    hits = [p for p in problems if p.code == code and says in p.message]
    assert hits, "\n".join(map(str, problems))
    assert hits[0].trail[0].startswith("connecting: the call starts")
    line, _ = line_of(file, fragment)
    assert any((p.place.file, p.place.line) == (f"specs/{file}", line) for p in hits), "\n".join(map(str, hits))


def test_a_row_taken_away_is_a_cell_without_an_answer() -> None:
    row = "      timer.flush_overdue:                    {do: [presume(playout_idle)], to: next_floor}\n"
    problems = problems_of("owned_turns", (PLAYOUT, row, ""))
    (problem,) = problems
    assert problem.code == "no-answer" and problem.message.startswith("'timer.flush_overdue' has no answer in ")
    assert all(state in problem.message for state in ("configured", "user_speaking", "responding", "tool_call"))
