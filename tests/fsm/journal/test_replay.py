"""A recorded call steps again as it did, and a change of the spec shows at the first step it touches."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from fsm.journal.journal import WAITED, Header, Journal, Line, LostLine, StepLine, decode, encode, step_line
from fsm.journal.replay import STRICT, Replay, describe, replay
from fsm.machine.machine import Event, TurnSpecMachine
from tests.fsm.bundle import Change, load_changed, machine

Cue = tuple[str, dict[str, object]]
CALL: tuple[Cue, ...] = (
    ("provider.opened", {}),
    ("application.say_requested", {"text": "One moment."}),
    ("session.created", {}),
    ("session.updated", {}),
    ("response.created", {"response_id": "resp_1", "tag": "ts_create_response_2"}),
    ("playout.started", {"response_id": "resp_1", "item_id": "item_1"}),
    ("playout.heard", {"response_id": "resp_1"}),
    ("playout.progressed", {}),
    ("response.done", {"response_id": "resp_1", "status": "completed", "outputs": 1}),
    ("playout.drained", {}),
    ("response.created", {"response_id": "resp_2", "tag": "ts_create_response_3"}),
    ("playout.started", {"response_id": "resp_2", "item_id": "item_2"}),
    ("playout.heard", {"response_id": "resp_2"}),
    ("response.done", {"response_id": "resp_2", "status": "completed", "outputs": 1}),
    ("no.such.event", {}),
    ("input_audio_buffer.speech_started", {"item_id": "item_3"}),
    ("playout.flushed", {"items": [{"item_id": "item_2", "response_id": "resp_2", "content_index": 0,
                                    "heard_ms": 700, "received_ms": 4000}]}),
    ("input_audio_buffer.speech_stopped", {"item_id": "item_3"}),
    ("input_audio_buffer.committed", {"item_id": "item_3"}),
    ("timer.answer_overdue", {}),
    ("timer.create_overdue", {"epoch": 1}),
    ("response.created", {"response_id": "resp_3", "tag": None}),
    ("caller.hung_up", {"reason": "closed"}),
)  # fmt: skip


def record(core: TurnSpecMachine, cues: tuple[Cue, ...] = CALL, **context: str) -> Journal:
    """A call as the one loop makes it: what waited is taken up before the next event from outside; timers in force."""
    steps = core.start(**context)
    lines: list[Line] = [step_line(steps[0], 0, 0, "start")]
    for name, data in cues:
        snapshot = steps[-1].snapshot
        if snapshot.is_final:
            break
        if name.startswith("timer.") and "epoch" not in data:
            data = {"epoch": snapshot.armed.get(name.removeprefix("timer."), -1)}
        steps = core.advance(snapshot, Event(name, data))
        for step, cause in zip(steps, ("test", *[WAITED] * len(steps)), strict=False):
            lines.append(step_line(step, len(lines), 20 * len(lines), cause))
    header = Header("server_vad", "specs/server_vad.yaml", "", context=context)
    return Journal(header, tuple(decode(encode(line)) for line in lines))


@pytest.fixture(scope="module")
def journal() -> Journal:
    return record(machine("server_vad"))


def test_the_recorded_call_holds_what_replay_must_get_right(journal: Journal) -> None:
    outcomes = {line.outcome for line in journal.steps}
    assert {"taken", "stayed", "deferred", "ignored"} <= outcomes
    assert any(line.cause == WAITED for line in journal.steps)
    assert any(line.event.startswith("timer.") and line.outcome == "taken" for line in journal.steps)
    assert any(line.reason == "a stale timer is not an event" for line in journal.steps)
    assert any(effect.name == "truncate_item" for line in journal.steps for effect in line.effects)
    assert journal.steps[-1].after == "closed"


def test_the_same_spec_matches_step_for_step(journal: Journal) -> None:
    result = replay(journal, machine("server_vad"), STRICT)
    assert result == Replay(len(journal.steps), len(journal.steps))
    assert result.matches
    assert describe(result) == f"all {len(journal.steps)} steps are the same"


def replayed(journal: Journal, *changes: Change) -> Replay:
    return replay(journal, TurnSpecMachine(load_changed("server_vad", *changes).spec))


def first_difference(result: Replay) -> tuple[str, tuple[str, ...]]:
    assert result.divergence is not None
    return result.divergence.event, tuple(difference.what for difference in result.divergence.differences)


def test_another_decision_shows_as_a_state(journal: Journal) -> None:
    old = "presume(auto_lost), owed = turn]"
    result = replayed(journal, ("server_vad.yaml", old, "presume(auto_lost)]"))
    event, what = first_difference(result)
    assert event == "timer.answer_overdue"
    assert what == ("state", "effects", "timers")
    assert "    journal   response_pending\n    replayed  response_pending → configured\n" in describe(result)


def test_another_effect_shows_with_the_lines_that_decided(journal: Journal) -> None:
    old = "input_audio_buffer.speech_started.new: {do: [stop_talking, begins_to_speak], to: user_speaking}"
    result = replayed(journal, ("server_vad.yaml", old, old.replace("stop_talking, ", "")))
    event, what = first_difference(result)
    assert event == "input_audio_buffer.speech_started"
    assert "effects" in what
    found = result.divergence
    assert found is not None and found.expected is not None and found.got is not None
    assert found.expected.place == found.got.place
    assert found.expected.place.startswith("specs/server_vad.yaml:")
    text = describe(result)
    assert text.startswith(f"{found.serial} of {result.total} steps are the same; step {found.serial} at ")
    assert "    journal   flush_playout(response_ids=[])" in text or "flush_playout" in text
    assert text.count(found.expected.place) == 2


def test_another_deadline_shows_as_a_timer(journal: Journal) -> None:
    change = ("server_vad.yaml", "answer_overdue: {after_ms: 4000", "answer_overdue: {after_ms: 4500")
    event, what = first_difference(replayed(journal, change))
    assert event == "input_audio_buffer.committed"  # from here on the provider owes its answer
    assert what == ("timers",)
    unheeded = replay(
        journal, TurnSpecMachine(load_changed("server_vad", change).spec), ("outcome", "state", "effects")
    )
    assert unheeded.matches


def test_a_timer_in_force_is_in_force_also_where_epochs_differ(journal: Journal) -> None:
    """A spec that knows an event more counts one step more; the journal's timers must not turn stale by that."""
    change = (
        "vocabularies/realtime/session.yaml",
        "  error.unrelated: {noise",
        "  no.such.event: {noise: new}\n  error.unrelated: {noise",
    )
    result = replayed(journal, change)
    assert result.matches, describe(result)


def test_what_waited_must_be_taken_up_at_the_same_step(journal: Journal) -> None:
    waited = next(line for line in journal.steps if line.cause == WAITED)
    lines = tuple(attrs.evolve(line, cause="test") if line == waited else line for line in journal.steps)
    result = replay(attrs.evolve(journal, lines=lines), machine("server_vad"))
    assert first_difference(result) == (waited.event, ("step",))
    claimed = tuple(attrs.evolve(line, cause=WAITED) if line.serial == 3 else line for line in journal.steps)
    result = replay(attrs.evolve(journal, lines=claimed), machine("server_vad"))
    assert first_difference(result) == (journal.steps[3].event, ("step",))
    assert result.divergence is not None and result.divergence.got is None
    assert "nothing that waited is next" in describe(result)


def test_lost_steps_stop_the_replay(journal: Journal) -> None:
    lines: tuple[Line, ...] = (*journal.steps[:4], LostLine(90, 2, "overflow"), *journal.steps[6:])
    result = replay(attrs.evolve(journal, lines=lines), machine("server_vad"))
    assert (result.steps, result.divergence) == (4, None)
    assert result.stopped == "steps 4 to 5 are missing (2 lines were lost when it was written)"
    assert not result.matches


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda j: attrs.evolve(j, lines=j.lines[1:]), "the start of the call is not in the journal"),
        (lambda j: attrs.evolve(j, lines=()), "the start of the call is not in the journal"),
        (
            lambda j: attrs.evolve(j, header=attrs.evolve(j.header, context={"mood": "fine"})),
            "the call starts with mood = fine, which spec 'server_vad' does not have",
        ),
    ],
)
def test_a_journal_that_cannot_be_started_says_why(
    journal: Journal, change: Callable[[Journal], Journal], why: str
) -> None:
    result = replay(change(journal), machine("server_vad"))
    assert result.stopped == why
    assert why in describe(result)


def test_start_context_and_another_spec_altogether(journal: Journal) -> None:
    quiet = record(machine("server_vad"), owed="none")
    assert replay(quiet, machine("server_vad"), STRICT).matches
    other = replay(journal, machine("owned_turns"))
    assert other.divergence is not None
    assert other.divergence.serial > 4, "the beginning of a call is the same in both"


def test_secrets_hidden_in_the_journal_are_no_difference() -> None:
    cues: tuple[Cue, ...] = (
        *CALL[:1],
        *CALL[2:5],
        ("tool.called", {"call_id": "call_1", "name": "f", "arguments": "{}"}),
        ("tool.returned", {"call_id": "call_1", "output": "the key is sk-abcdefghijk"}),
    )
    found = record(machine("server_vad"), cues)
    assert "sk-abc" not in str(found)
    assert any(effect.name == "send_tool_output" for line in found.steps for effect in line.effects)
    assert replay(found, machine("server_vad"), STRICT).matches


def test_a_step_line_is_all_that_is_compared(journal: Journal) -> None:
    """Each aspect is seen: a journal in which it is another diverges there."""
    at = next(i for i, line in enumerate(journal.steps) if line.effects and line.started and line.transitions)
    for what, change in {
        "outcome": {"outcome": "refused"},
        "state": {"after": "elsewhere"},
        "effects": {"effects": ()},
        "timers": {"stopped": ("nobody",)},
        "variant": {"variant": "other"},
        "transitions": {"transitions": ()},
    }.items():
        steps: list[StepLine] = list(journal.steps)
        steps[at] = attrs.evolve(steps[at], **change)  # type: ignore[arg-type]  # a table of any fields
        result = replay(attrs.evolve(journal, lines=tuple(steps)), machine("server_vad"), STRICT)
        assert first_difference(result) == (steps[at].event, (what,))
