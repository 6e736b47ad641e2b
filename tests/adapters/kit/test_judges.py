"""What is a fault of a bridge, by what the caller heard and by what the provider saw."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import attrs
import pytest

from adapters.kit.caller_judge import caller_faults, steps_text
from adapters.kit.faults import CALLER_FAULTS, CERTAIN, PROVIDER_FAULTS, CallFault, FaultNameError, chosen, told
from adapters.kit.provider_judge import audit_kinds, audited, provider_faults
from adapters.simulator.caller.report import CallerNote, CallerReport
from adapters.simulator.caller.script import Script, load_script
from adapters.simulator.providers.realtime import ProviderScenario, Seen, SessionStats, parse_scenario
from adapters.simulator.providers.realtime.provider_numbers import provider_numbers, provider_times
from adapters.simulator.providers.realtime.provider_words import WORDS
from tests.adapters.simulator.caller.reports import report

SCRIPT = load_script({"steps": ["wait_agent_speaking", {"say": "caller_returns"}, {"wait_ms": 500}, "hang_up"]})
DONE = len(SCRIPT.steps)


def kinds(played: CallerReport, script: Script = SCRIPT) -> list[str]:
    return [each.kind for each in caller_faults(played, script)]


def test_a_good_call_has_no_fault() -> None:
    assert kinds(report([(500, 2000), (4000, 8000)], [(2500, 3500)], steps_done=DONE)) == []


def test_a_call_that_nobody_took_is_that_and_nothing_else() -> None:
    nobody = report(ended="dropped", dropped="cannot connect: refused", duration_ms=0, events=False)
    assert [str(each) for each in caller_faults(nobody, SCRIPT)] == ["not-connected: 0.00 s: cannot connect: refused"]


@pytest.mark.parametrize(("ended", "words"), [("hangup", "hung up"), ("fin", "closed"), ("rst", "reset")])
def test_a_call_that_dies_in_mid_script_says_how_far_it_came(ended: str, words: str) -> None:
    [fault] = caller_faults(report([(500, 2000)], ended=ended, steps_done=1, duration_ms=3000), SCRIPT)  # type: ignore[arg-type]
    assert fault.kind == "call-died" and words in fault.text and "after 1 of 4 steps, in Say" in fault.text


def test_an_agent_that_hangs_up_when_the_script_is_over_is_no_fault() -> None:
    assert kinds(report([(500, 2000)], ended="hangup", steps_done=DONE - 1, duration_ms=3000)) == []
    until = load_script({"steps": ["wait_agent_speaking", "until_hung_up"]})
    assert kinds(report([(500, 2000)], ended="hangup", steps_done=1, duration_ms=3000), until) == []


def test_what_asterisk_would_not_have_taken_is_a_fault_and_the_script_is_not_done() -> None:
    dropped = report([(500, 2000)], ended="dropped", dropped="audio of length 0", steps_done=1, duration_ms=3000)
    assert kinds(dropped) == ["dropped", "call-died"]
    assert steps_text(dropped, SCRIPT) == "1 of 4 steps"


def test_an_agent_that_was_never_heard() -> None:
    assert kinds(report(steps_done=DONE, duration_ms=3000)) == ["agent-silent"]


def test_a_turn_is_unanswered_where_somebody_waited_for_its_answer() -> None:
    quick = report([(500, 2000)], [(2500, 3500)], steps_done=DONE, duration_ms=4000)
    assert kinds(quick) == []
    slow = report([(500, 2000)], [(2500, 3500)], steps_done=DONE, duration_ms=9000)
    assert kinds(slow) == ["turn-unanswered", "dead-air"]
    note = CallerNote(3900.0, 2, "WaitAgentSpeaking: not within 400 ms")
    in_vain = caller_faults(attrs.evolve(quick, notes=(note,)), SCRIPT)
    assert [each.kind for each in in_vain] == ["waited-in-vain", "turn-unanswered"]
    assert "dead after 0 answered turns" in in_vain[1].text and "step 3" in in_vain[0].text


def test_a_turn_in_the_middle_that_was_not_answered_is_not_called_the_end() -> None:
    played = report(
        [(500, 2000), (11_000, 12_000)], [(2500, 3500), (9500, 10_500)], steps_done=DONE, duration_ms=13_000
    )
    [fault, silence] = caller_faults(played, SCRIPT)
    assert fault.kind == "turn-unanswered" and "dead" not in fault.text and silence.kind == "dead-air"


def test_a_barge_in_is_ignored_where_the_agent_goes_on_for_too_long() -> None:
    assert kinds(report([(500, 4000), (5000, 6000)], [(3000, 3800)], steps_done=DONE, duration_ms=7000)) == []
    [fault] = caller_faults(report([(500, 8000), (9000, 9900)], [(3000, 3800)], steps_done=DONE), SCRIPT)
    assert str(fault) == "barge-in-ignored: 3.00 s: the agent went on for 5.0 s (allowed are 1.5 s)"


def test_an_agent_that_speaks_on_is_not_called_silent_as_well() -> None:
    assert kinds(report([(500, 9900)], [(3000, 3800)], steps_done=DONE)) == ["barge-in-ignored"]


def test_what_is_not_as_expected_is_a_fault() -> None:
    script = load_script({"steps": ["hang_up"], "expect": {"summary": {"answers": 1, "steps_done": 1}}})
    [fault] = caller_faults(report([(500, 2000)], steps_done=1, duration_ms=3000), script)
    assert str(fault) == "not-as-expected: answers: expected 1, actual 0"


# --- which of them count ----------------------------------------------------------------------------------------------


def test_faults_are_chosen_by_name() -> None:
    assert chosen("dead-air, dropped", CALLER_FAULTS) == {"dead-air", "dropped"}
    assert chosen("all", CALLER_FAULTS) == set(CALLER_FAULTS)
    assert chosen("none", CALLER_FAULTS) == frozenset()
    with pytest.raises(FaultNameError, match="there is no fault 'dead-ear'; did you mean 'dead-air'"):
        chosen("dead-ear", CALLER_FAULTS)
    with pytest.raises(FaultNameError, match="there are not-connected"):
        chosen("xyz", CALLER_FAULTS)


def test_those_that_are_certain_exist() -> None:
    assert set(CERTAIN) <= {*CALLER_FAULTS, *PROVIDER_FAULTS}


def test_a_fault_that_does_not_count_is_a_note() -> None:
    faults = [CallFault("dead-air", "7 s"), CallFault("dropped", "why")]
    assert told(faults, {"dropped"}) == ["note: dead-air: 7 s", "fault: dropped: why"]


# --- the provider's side ----------------------------------------------------------------------------------------------


def stats(**given: object) -> SessionStats:
    return SessionStats(1, **given)  # type: ignore[arg-type]


def provider_kinds(*each: SessionStats, scenario: ProviderScenario | None = None) -> list[str]:
    return [fault.kind for fault in provider_faults(each, scenario or ProviderScenario())]


def test_a_provider_to_whom_nobody_came() -> None:
    assert provider_kinds() == ["nobody-came"]


def test_a_good_session_has_no_fault() -> None:
    assert provider_kinds(stats(responses=2, close_code=1000)) == []


def test_what_was_refused_rejected_and_careless_is_told_of_each_session() -> None:
    bad = stats(rejections=Counter(invalid_value=2), violations=["invalid_value", "a commit too many"])
    refused = SessionStats(2, close_code=3000, close_reason="invalid_api_key")
    texts = [str(fault) for fault in provider_faults([bad, refused], ProviderScenario())]
    assert texts == [
        "rejected: session 1: 2 x invalid_value",
        "careless: session 1: a commit too many",
        "refused: session 2: closed with 3000: invalid_api_key",
    ]


def test_a_scenarios_expectation_is_of_all_sessions_together() -> None:
    text = """
    expect:
      summary: {sessions: 1, creates: "> 1", tools: 1}
      deadlines: [{of: response.create, comes: response.created, within_ms: 100}]
    """
    scenario = parse_scenario(text, Path("x.yaml"))
    output = {"type": "conversation.item.create", "item": {"type": "function_call_output"}}
    one = stats(
        creates=1,
        received=[Seen(5.0, "response.create", {}), Seen(5.1, "conversation.item.create", output)],
        sent=[Seen(5.2, "response.created", {})],
    )
    assert [fault.text for fault in provider_faults([one], scenario)] == [
        "creates: expected > 1, actual 1",
        "response.created after response.create at 0 ms: expected within 100 ms, actual after 200 ms",
    ]
    assert set(provider_numbers([one])) == set(WORDS)
    assert [round(each) for each in provider_times([one], "response.created")] == [200]
    assert provider_times([], "response.created") == ()


def test_an_audit_of_the_wire_names_what_it_finds() -> None:
    message = "Conversation already has an active response in progress: resp_1."
    error = {"type": "error", "error": {"code": "conversation_already_has_active_response", "message": message}}
    response = {"id": "resp_1", "status": "in_progress"}
    one = stats(
        received=[
            Seen(1.0, "response.create", {"type": "response.create"}),
            Seen(1.5, "response.create", {"type": "response.create"}),
        ],
        sent=[
            Seen(0.9, "session.created", {"type": "session.created", "session": {"id": "sess_1"}}),
            Seen(1.1, "response.created", {"type": "response.created", "response": response}),
            Seen(1.6, "error", error),
        ],
    )
    found = [fault.kind for fault in audited([one])]
    assert "create-while-active" in found
    assert set(found) <= set(audit_kinds())
