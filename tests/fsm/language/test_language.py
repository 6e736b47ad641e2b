"""The words of the spec language, each on a small spec: what a row, a choice, a group, a deadline or `defer` means."""

from __future__ import annotations

import pytest

from fsm.language.spec import MAX_CHOICES
from fsm.machine.machine import Event, TurnSpecMachine
from fsm.machine.reaction import MAX_REACTIONS
from tests.fsm.language.mini import HOUSE, WORDS, Walk, changed, effects, found, load_mini, said

RANG = "      bell.rang: {do: [bells += 1, open_door]}\n"


def rows(*lines: str) -> str:
    """HOUSE with other answers to bell.rang in the hall."""
    return changed((RANG, "".join(f"      {line}\n" for line in lines)))


def test_the_house_is_a_good_spec() -> None:
    assert found(HOUSE) == ()
    assert {warning.code for warning in load_mini(HOUSE).warnings} == {"unused", "never-reset"}  # what tests change


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_row_with_do_alone_stays_and_one_with_a_target_goes() -> None:
    walk = Walk(HOUSE)
    step = walk("bell.rang")
    assert (step.outcome, step.before, step.snapshot.state, effects(step)) == ("stayed", "hall", "hall", ["open_door"])
    step = walk("bell.rang_twice")
    assert (step.outcome, step.before, step.snapshot.state) == ("taken", "hall", "garden")
    assert (str(step.place), step.transitions) == ("mini.yaml:16:24", ("hall/bell.rang_twice",))


def test_reaching_the_state_one_is_in_runs_no_exit_and_no_entry() -> None:
    walk = Walk(HOUSE)
    walk("bell.rang_twice")
    step = walk("bell.rang_twice")
    assert (step.outcome, effects(step)) == ("taken", ["greet"])


def test_guards_choose_and_else_is_what_is_left() -> None:
    walk = Walk(
        rows(
            "bell.rang:",
            "  - {if: mood == angry, to: garden}",
            "  - {if: tired and mood != angry, do: [greet(goodbye)]}",
            "  - {if: else, do: [greet(hello), tired = yes, mood = cross]}",
        ).replace("bell.rang_twice: {to: garden}", "bell.rang_twice: {do: [mood = angry, tired = no]}")
    )
    assert walk("bell.rang").effects[0].args == {}
    assert (walk.value("tired"), walk.value("mood")) == ("yes", "cross")
    step = walk("bell.rang")
    assert step.reaction.effects[0][1] == "goodbye"
    walk("bell.rang_twice")
    assert walk("bell.rang").snapshot.state == "garden"


def test_the_loader_can_leave_the_type_check_out() -> None:
    """For the verifier, to show what a broken spec would do: what only the type check refuses is accepted."""
    broken = rows("bell.rang: {do: [light, light]}")
    assert {p.code for p in found(broken)} == {"illegal-effect"}
    assert load_mini(broken, typestate=False).spec.name == "house"


@pytest.mark.parametrize(
    ("guard", "holds"),
    [
        ("mood == calm", True), ("mood != calm", False), ("mood in (cross, angry)", False),
        ("mood not in (cross, angry)", True),
        ("mood in (calm,)", True), ("bells < 1", True), ("0 < bells", False), ("bells >= 0 and not tired", True),
        ("tired or lamp == off", True), ("not (tired or lamp == off)", False), ("mood < angry", True),
        ("True", True), ("state == hall", True), ("lamp == lost", False),
    ],
)  # fmt: skip
def test_what_a_guard_may_say(guard: str, holds: bool) -> None:
    text = rows("bell.rang:", f'  - {{if: "{guard}", to: garden}}', "  - {if: else, do: []}")
    assert (Walk(text)("bell.rang").outcome == "taken") == holds


def test_actions_are_written_out_and_nested_and_conditional() -> None:
    text = rows("bell.rang: {do: [welcome]}") + (
        "actions:\n"
        "  welcome: [say_it, {if: tired, do: [shut_door], else: [open_door, tired = yes]}]\n"
        "  say_it: [greet(hello)]\n"
    )
    walk = Walk(text)
    assert effects(walk("bell.rang")) == ["greet", "open_door"]
    assert effects(walk("bell.rang")) == ["greet", "shut_door"]


def test_an_effects_argument_is_read_when_the_step_is_taken() -> None:
    text = rows("bell.rang: {do: [greet(word), word = goodbye, greet(word)]}").replace(
        "  tired:", "  word: {values: [hello, goodbye]}\n  tired:"
    )
    step = Walk(text)("bell.rang")
    assert [literal for _, literal in step.reaction.effects] == ["hello", "goodbye"]


def test_order_of_a_step() -> None:
    """The event moves slots, the row acts, the choice acts, exit, entry."""
    text = changed(
        ("bulb.lit: {do: []}", "bulb.lit: {do: [greet(hello)], to: way_out}"),
        ("    ignore:\n      nothing to do here", "    exit: [shut_door]\n    ignore:\n      nothing to do here"),
        ("    entry: [shut_door]\n", "    entry: [open_door]\n"),
    ) + (
        "choices:\n"
        "  way_out:\n"
        "    - {if: lamp == on, do: [greet(goodbye)], to: garden}\n"
        "    - {if: lamp != on, to: hall}\n"
    )
    step = Walk(text)("bulb.lit")
    said = [f"{word.name} {literal or ''}".strip() for word, literal in step.reaction.effects]
    assert said == ["greet hello", "greet goodbye", "shut_door", "open_door"]
    assert step.transitions == ("hall/bulb.lit", "way_out/[lamp == on]")


def test_a_choice_may_lead_to_a_choice() -> None:
    text = rows("bell.rang: {do: [mood = cross], to: where}") + (
        "choices:\n"
        "  where:\n    - {if: mood == calm, to: hall}\n    - {if: mood != calm, to: outside}\n"
        "  outside:\n    - {if: tired, to: hall}\n    - {if: else, do: [tired = yes], to: garden}\n"
    )
    walk = Walk(text)
    assert (walk("bell.rang").snapshot.state, walk.value("tired")) == ("garden", "yes")


# --- who answers ------------------------------------------------------------------------------------------------------

FUSE = ("bulb.stolen, bells.overflowed, fuse.blew]\n    defer", "bulb.stolen, bells.overflowed]\n    defer")
NO_VISIT = ("    defer: [visit.requested, tea.requested]", "    defer: [tea.requested]")
GROUP = """
groups:
  house:
    states: [hall, garden]
    on:
      bell.*: {do: [greet(goodbye)]}
      bell.rang: {do: [greet(hello)]}
"""


def test_a_whole_name_beats_a_pattern_and_a_state_beats_its_group() -> None:
    text = changed((RANG, ""), ("      bell.rang_twice: {to: garden}\n", "      visit.requested: garden\n"), NO_VISIT)
    walk = Walk(text + GROUP)
    assert walk("bell.rang").reaction.effects[0][1] == "hello"
    assert walk("bell.rang_twice").reaction.effects[0][1] == "goodbye"
    assert effects(Walk(HOUSE + GROUP)("bell.rang")) == ["open_door"]
    by_state = changed(
        (RANG, "      bell.*: {do: [shut_door]}\n"),
        ("      bell.rang_twice: {to: garden}\n", "      visit.requested: garden\n"),
        NO_VISIT,
    )
    assert effects(Walk(by_state + GROUP)("bell.rang")) == ["shut_door"]  # a state's pattern beats its group's name


def test_several_events_in_one_row() -> None:
    text = changed((RANG, ""), ("      bell.rang_twice: {to: garden}\n", "      bell.rang, bell.rang_twice: garden\n"))
    for name in ("bell.rang", "bell.rang_twice"):
        assert Walk(text)(name).snapshot.state == "garden"


def test_ignore_refuse_and_cannot_happen_give_their_reason() -> None:
    walk = Walk(HOUSE)
    step = walk("bulb.broke")
    assert (step.outcome, step.reason) == ("ignored", "it is dark already")  # the vocabulary's, by slot
    walk("bulb.lit")
    step = walk("bulb.stolen")
    assert (step.outcome, step.reason, walk.value("lamp")) == ("ignored", "nothing to do here", "on")
    walk("bell.rang_twice")
    step = walk("tea.requested")
    assert (step.outcome, step.reason) == ("refused", "no tea in the garden")
    text = changed((RANG, ""), ("    defer:", "    cannot_happen:\n      the bell is broken: [bell.rang]\n    defer:"))
    step = Walk(text)("bell.rang")
    assert (step.outcome, step.reason, effects(step)) == ("impossible", "the bell is broken", [])


def test_an_ignored_fact_still_moves_its_slots() -> None:
    text = changed(("      bulb.lit: {do: []}\n", ""), ("nothing to do here: [", "nothing to do here: [bulb.lit, "))
    walk = Walk(text)
    step = walk("bulb.lit")
    assert (step.outcome, walk.value("lamp"), [t.name for t in step.start]) == ("ignored", "on", ["bulb_overdue"])


def test_noise_and_unknown_events_change_nothing() -> None:
    walk = Walk(HOUSE)
    for name, reason in (
        ("fly.buzzed", "nobody listens to a fly"),
        ("no.such", "'no.such' is not an event of the vocabulary"),
    ):
        before = walk.snapshot
        step = walk(name)
        assert (step.outcome, step.reason, effects(step)) == ("ignored", reason, [])
        assert step.snapshot.control == before.control


def test_an_event_out_of_its_slots_is_a_violation_and_the_call_goes_on() -> None:
    walk = Walk(HOUSE)
    step = walk("fuse.blew")
    assert (step.outcome, step.reason) == ("impossible", "'fuse.blew' cannot be while lamp off")
    assert walk("bell.rang").outcome == "stayed"


def test_instead_is_another_event_where_the_slots_say_so() -> None:
    walk = Walk(HOUSE)
    step = walk("bulb.stolen")
    assert (step.variant, effects(step)) == ("bell.rang", ["open_door"])


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_defer_waits_several_become_one_and_the_last_data_counts() -> None:
    walk = Walk(HOUSE)
    for number in (1, 2):
        (step,) = walk.advance("visit.requested", number=number)
        assert (step.outcome, effects(step)) == ("deferred", [])
    assert walk.snapshot.control.waiting == ("visit.requested",)
    _, step = walk.advance("bell.rang_twice")
    assert step.event == Event("visit.requested", {"number": 2})
    assert (step.outcome, effects(step)) == ("stayed", ["greet"])
    assert not walk.snapshot.control.waiting
    assert walk.snapshot.data == {}


def test_what_waits_may_be_refused_in_the_end_and_waits_no_longer() -> None:
    walk = Walk(HOUSE)
    walk("tea.requested")
    walk("visit.requested")
    assert list(walk.snapshot.control.waiting) == ["tea.requested", "visit.requested"]
    steps = walk.advance("bell.rang_twice")
    assert [(step.variant, step.outcome) for step in steps[1:]] == [
        ("tea.requested", "refused"),
        ("visit.requested", "stayed"),
    ]
    assert walk.snapshot.control.waiting == ()


def test_what_waits_and_is_out_of_place_in_the_end_waits_no_longer() -> None:
    waits = HOUSE.replace("bells.overflowed, fuse.blew]", "bells.overflowed]", 1).replace(
        "defer: [visit.requested, tea.requested]", "defer: [visit.requested, tea.requested, fuse.blew]", 1
    )
    lit = "bell.rang_twice: {do: [{if: lamp == lost, do: [light]}], to: garden}"
    walk = Walk(waits.replace("bell.rang_twice: {to: garden}", lit, 1))
    walk("bulb.lit")
    walk.timer("bulb_overdue")
    assert walk("fuse.blew").outcome == "deferred"
    assert [(step.variant, step.outcome) for step in walk.advance("bell.rang_twice")] == [
        ("bell.rang_twice", "taken"),
        ("fuse.blew", "impossible"),
    ]
    assert walk.snapshot.control.waiting == ()


# --- context ----------------------------------------------------------------------------------------------------------


def test_a_count_saturates_and_its_overflow_is_an_event() -> None:
    walk = Walk(HOUSE)
    assert [walk("bell.rang").reaction.raised for _ in range(3)] == [(), (), ("bells.overflowed",)]
    assert (walk.value("bells"), walk.snapshot.control.waiting) == ("2", ("bells.overflowed",))
    _, step = walk.advance("bell.rang")
    assert (step.variant, step.outcome) == ("bells.overflowed", "ignored")
    assert walk.snapshot.control.waiting == ()


def test_a_spec_that_answers_itself_without_end_is_stopped_and_the_call_continues() -> None:
    noted = changed(
        ("bulb.stolen, bells.overflowed, fuse", "bulb.stolen, fuse"),
        (RANG, RANG + "      bells.overflowed: {do: [bells += 1, open_door]}\n"),
    )
    walk = Walk(noted)
    walk.advance("visit.requested")
    for _ in range(2):
        walk.advance("bell.rang")
    steps = walk.advance("bell.rang")
    assert [step.outcome for step in steps] == ["stayed"] * MAX_REACTIONS + ["impossible"]
    assert steps[-1].reason.startswith(f"'bells.overflowed' is due after {MAX_REACTIONS} reactions to one event")
    assert walk.snapshot.control.waiting == ("visit.requested",)  # what waits rightly is not lost
    assert [step.variant for step in walk.advance("bell.rang_twice")] == ["bell.rang_twice", "visit.requested"]


def test_what_the_entry_of_the_initial_state_raises_is_answered_at_the_start() -> None:
    text = changed(("    about: Where a call begins.\n", "    entry: [bells += 2, bells += 1]\n"))
    steps = Walk(text).machine.start()
    assert [(step.variant, step.outcome) for step in steps] == [
        ("call.started", "taken"),
        ("bells.overflowed", "ignored"),
    ]


def test_assignments() -> None:
    text = rows('bell.rang: {do: [bells -= 1, "mood = max(mood, cross)", tired = yes]}')
    walk = Walk(text)
    step = walk("bell.rang")
    assert (walk.value("bells"), walk.value("mood"), walk.value("tired")) == ("0", "cross", "yes")
    assert step.reaction.raised == ()


def test_a_call_may_start_with_another_context() -> None:
    walk = Walk(HOUSE, mood="cross")
    assert (walk.value("mood"), [t.name for t in walk.first.start]) == ("cross", ["patience"])


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_a_deadline_runs_while_its_condition_holds() -> None:
    walk = Walk(HOUSE)
    step = walk("bulb.lit")
    assert [(t.name, t.after_ms) for t in step.start] == [("bulb_overdue", 1000)]
    step = walk("bulb.broke")
    assert (step.stop, dict(walk.snapshot.armed)) == (("bulb_overdue",), {})


def test_what_does_not_touch_a_deadline_leaves_it_alone() -> None:
    walk = Walk(HOUSE)
    epoch = walk("bulb.lit").start[0].epoch
    step = walk("bell.rang")
    assert (step.start, step.stop, dict(walk.snapshot.armed)) == ((), (), {"bulb_overdue": epoch})
    assert walk.timer("bulb_overdue").outcome == "stayed"
    assert walk.value("lamp") == "lost"


def test_a_stale_timer_is_no_event() -> None:
    walk = Walk(HOUSE)
    old = walk("bulb.lit").start[0].epoch
    walk("bulb.broke")
    fresh = walk("bulb.lit").start[0].epoch
    assert old != fresh
    for data in ({"epoch": old}, {"epoch": None}, {}, {"epoch": str(fresh)}):
        step = walk.machine.step(walk.snapshot, walk.first.event.__class__("timer.bulb_overdue", data))
        assert (step.outcome, step.reason, step.snapshot) == ("ignored", "a stale timer is not an event", walk.snapshot)
    assert walk("timer.bulb_overdue", epoch=fresh).outcome == "stayed"


def test_restart_and_a_change_of_what_is_read_start_a_deadline_anew() -> None:
    text = changed(
        (RANG, "      bell.rang: {do: [restart(bulb_overdue)]}\n"),
        ("while: lamp == on", "while: lamp == on and bells < 2"),
        ("bell.rang_twice: {to: garden}\n", "bell.rang_twice: {do: [bells += 1]}\n      visit.requested: garden\n"),
        NO_VISIT,
        ("  patience:", "  glow: {after_ms: 9000, while: lamp == on}\n  patience:"),
        ("nothing to do here: [", "nothing to do here: [timer.glow, "),
        ("nothing to do outside: [", "nothing to do outside: [timer.glow, "),
    )
    walk = Walk(text)
    assert [t.name for t in walk("bell.rang").start] == []  # it does not run: there is nothing to restart
    first = walk("bulb.lit").start[0].epoch
    again = walk("bell.rang")
    assert again.start[0].epoch != first
    assert [t.name for t in walk("bell.rang_twice").start] == ["bulb_overdue"]
    assert walk("bell.rang_twice").stop == ("bulb_overdue",)


def test_after_is_a_deadline_of_a_state() -> None:
    text = changed(
        ("    entry: [shut_door]\n", "    entry: [shut_door]\n    after: {cold: 300}\n"),
        ("      bulb.stolen: {to: cellar}\n", "      bulb.stolen: {to: cellar}\n      timer.cold: {to: hall}\n"),
    )
    walk = Walk(text)
    step = walk("bell.rang_twice")
    assert [(t.name, t.after_ms) for t in step.start] == [("cold", 300)]
    assert walk("bell.rang_twice").start == ()  # it is not entered again
    assert walk.timer("cold").snapshot.state == "hall"
    assert walk("bell.rang_twice").snapshot.armed
    assert walk("bell.rang").stop == ("cold",)


# --- parts ------------------------------------------------------------------------------------------------------------

PART = """
context:
  jars: {range: 0..3, overflow: bells.overflowed}
groups:
  house:
    states: [hall]
    on:
      fuse.blew: {do: [jars += 1]}
states:
  hall:
    exit: [greet(hello)]
"""
USES = HOUSE.replace("vocabulary:", "include: [part.yaml]\nvocabulary:").replace(*FUSE)


def test_an_included_part_is_merged_key_by_key() -> None:
    loaded = load_mini(USES, part=PART)
    assert [v.name for v in loaded.spec.context] == ["jars", "bells", "mood", "tired"]
    walk_spec = loaded.spec
    assert walk_spec.cells["hall", "fuse.blew"].group == "house"
    assert walk_spec.cells["hall", "fuse.blew"].place.file == "part.yaml"
    assert [op.text for op in walk_spec.states["hall"].exit] == ["greet(hello)"]


def test_what_both_say_is_written_twice() -> None:
    problems = found(USES, part=PART.replace("  jars:", "  mood: calm\n  jars:"))
    assert [(str(p.place), p.code, p.hint) for p in problems] == [
        ("mini.yaml:7:3", "duplicate-key", "the included part says it at part.yaml:3:3")
    ]


# --- tags -------------------------------------------------------------------------------------------------------------


def test_a_tag_that_means_nothing_is_refused_with_its_place() -> None:
    text = changed(("    about: Where a call begins.\n", "    about: Where a call begins.\n    tags: [quite]\n"))
    assert said(text) == ["mini.yaml:14:12: error[unknown-name]: 'quite' is not known here\n    did you mean 'quiet'?"]


def test_tags_slots_that_are_heard_and_the_start_without_a_greeting_are_read() -> None:
    words = changed(("waits: [on]", "waits: [on], audible: [on, lost]"), text=WORDS)
    text = changed(
        ("    about: Where a call begins.\n", "    about: Where a call begins.\n    tags: [quiet, floor_caller]\n"),
        ("mood: {values: [calm, cross, angry]}", "mood: {values: [calm, cross, angry], without_greeting: cross}"),
    )
    spec = load_mini(text, words).spec
    assert spec.tagged("quiet") == spec.tagged("floor_caller") == {"hall"}
    assert spec.tagged("ending") == {"cellar"}  # it is final
    assert spec.audible == ((spec.slot_index["lamp"], frozenset({1, 2})),)
    assert spec.start_context(has_greeting=False) == {"mood": "cross"}


def test_a_setting_is_the_value_that_an_operator_chooses() -> None:
    calm = "mood: {values: [calm, cross, angry]}"
    spec = load_mini(changed((calm, "mood: {values: [calm, cross, angry], setting: temper}"))).spec
    assert spec.settings == {"temper": "mood"}
    chosen = spec.start_context(has_greeting=True, settings={"temper": "angry"})
    assert spec.values_at_start(chosen)[spec.variable("mood").index] == 2
    twice = changed(
        (calm, "mood: {values: [calm, cross, angry], setting: temper}\n  other: {values: [a], setting: temper}")
    )
    assert any("setting 'temper' is already that of 'mood'" in line for line in said(twice))


# --- what only a spec that was not type-checked can do ----------------------------------------------------------------


def unchecked(text: str) -> TurnSpecMachine:
    return TurnSpecMachine(load_mini(text, typestate=False).spec)


def test_an_event_without_an_answer_is_a_violation() -> None:
    mach = unchecked(rows("bell.rang: {if: tired, do: [open_door]}"))
    start = mach.start()[-1].snapshot
    (step,) = mach.advance(start, Event("bell.rang"))
    assert (step.outcome, step.reason) == ("impossible", "no run of the spec brings 'bell.rang' to 'hall'")
    assert step.snapshot.control.values == start.control.values


def test_a_choice_that_leads_to_itself_is_left_where_it_was_entered() -> None:
    text = changed(
        (RANG, "      bell.rang: {do: [open_door], to: round}\n"),
        ("states:\n", "choices:\n  round: [{to: round}]\nstates:\n"),
    )
    mach = unchecked(text)
    (step,) = mach.advance(mach.start()[-1].snapshot, Event("bell.rang"))
    assert (step.snapshot.state, effects(step)) == ("hall", ["open_door"])
    assert len(step.reaction.path) == MAX_CHOICES + 1


def test_a_deadline_that_runs_starts_anew_when_what_its_condition_reads_changes() -> None:
    walk = Walk(changed(("while: lamp == on", "while: lamp == on and bells >= 0")))
    first = walk("bulb.lit").start[0].epoch
    step = walk("bell.rang")
    assert [(timer.name, timer.after_ms) for timer in step.start] == [("bulb_overdue", 1000)]
    assert step.start[0].epoch > first and step.stop == ()
