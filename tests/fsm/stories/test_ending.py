"""Ends of calls: the caller hangs up, the operator, the provider for good; in every state of every spec."""

from __future__ import annotations

import pytest

from fsm.machine.machine import Event
from tests.fsm.bundle import REALTIME as NAMES
from tests.fsm.machine import wire_forms as wire
from tests.fsm.stories.places import LIVE, SESSION, STATES, in_state
from tests.fsm.stories.story import Story


def names(story: Story, since: int = 0) -> list[str]:
    return [e.name for e in story.effects[since:]]


@pytest.mark.parametrize("spec", NAMES)
def test_every_state_is_reached_by_a_story(spec: str) -> None:
    assert set(STATES) == set(in_state(spec, "connecting").machine.spec.states)
    for state in STATES:
        assert in_state(spec, state).state == state


@pytest.mark.parametrize("state", STATES[:-1])
@pytest.mark.parametrize("spec", NAMES)
def test_the_caller_hangs_up(spec: str, state: str) -> None:
    """Everything is given back at once: the provider, the tools; nobody hangs up on nobody."""
    story = in_state(spec, state)
    had_session, tools = story.value("session") != "absent", story.value("tools_running")
    before = len(story.effects)
    story.tell("hung_up")
    assert (story.state, story.snapshot.is_final) == ("closed", True), "\n".join(story.told)
    done = names(story, before)
    assert ("close_provider" in done) == had_session
    assert ("forget_tools" in done) == (tools != "0")
    assert "hang_up" not in done
    assert story.snapshot.control.waiting == ()


@pytest.mark.parametrize("spec", NAMES)
def test_no_deadline_outlives_the_call(spec: str) -> None:
    for state in STATES[:-1]:
        story = in_state(spec, state).tell("hung_up")
        assert story.due == {}, "\n".join(story.told)


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("spec", NAMES)
def test_the_operator_hangs_up(spec: str, state: str) -> None:
    """What is being heard is heard to its end; otherwise at once."""
    story = in_state(spec, state)
    playing = story.value("playout") == "playing"
    story.tell("operator")
    if playing:
        assert story.state == "closing", "\n".join(story.told)
        story.tell("operator | closing =refused |").tell("progressed | closing |").tell("drained")
    assert story.state == "closed", "\n".join(story.told)
    assert names(story)[-1] == "hang_up"
    assert (story.value("session"), story.value("line"), story.due) == ("absent", "down", {})


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("spec", NAMES)
def test_the_application_wants_something_said(spec: str, state: str) -> None:
    """Said when nobody has the floor; waits otherwise, several become one; refused when the call is ending."""
    story = in_state(spec, state)
    if state in ("closing", "closed"):
        story.tell(f"say goodbye | {state} =refused |")
    elif state == "configured":
        story.tell("say goodbye | response_pending | create_response(say)")
        assert story.effects[-1].args["instructions"] == "goodbye"
    else:
        story.tell(f"say hello | {state} =deferred |").tell(f"say goodbye | {state} =deferred |")
        assert story.snapshot.control.waiting == ("application.say_requested",)


@pytest.mark.parametrize("spec", NAMES)
def test_what_waited_is_said_once_and_last(spec: str) -> None:
    story = in_state(spec, "playing_out")
    story.tell(
        """
        say first   | playing_out      =deferred |
        say second  | playing_out      =deferred |
        drained     | response_pending | create_response(say)
        """
    )
    assert story.effects[-1].args["instructions"] == "second"
    story.tell("created r2 ours | responding |").tell("done r2 | configured |").tell("wait 60000")
    assert story.count("create_response(say)") == 1


def test_a_request_whose_create_crosses_the_providers_answer_is_said_later() -> None:
    """Nothing is dropped silently: a request that was taken is said, or refused."""
    story = in_state("server_vad", "configured")
    story.tell(
        """
        say hello  | response_pending | create_response(say)
        committed u1
        created r1 | responding       |
        busy r1    | responding       |
        done r1
        """
    )
    story.tell("wait 5000")
    assert story.count("create_response(say)") == 2, "\n".join(story.told)


def test_a_request_whose_create_is_lost_is_said_later() -> None:
    story = in_state("owned_turns", "configured")
    story.tell("say hello | response_pending | create_response(say)").tell("timer create_overdue").tell("wait 5000")
    assert story.count("create_response(say)") == 2, "\n".join(story.told)


def test_a_response_that_only_says_something_answers_no_turn_and_no_tool() -> None:
    story = in_state("owned_turns", "configured")
    story.tell(
        """
        say hello         | response_pending | create_response(say)
        speech_started u2 | user_speaking    | flush_playout() watch_silence
        flushed           | user_speaking    |
        speech_stopped u2 | response_pending | unwatch_silence
        committed u2      | response_pending |
        created r1 ours   | responding       |
        heard r1 i1       | responding       |
        done r1           | response_pending | create_response(turn)
        """
    )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("spec", NAMES)
def test_a_request_is_never_impossible(spec: str, state: str) -> None:
    for request in ("operator.hang_up_requested", "application.say_requested"):
        story = in_state(spec, state)
        assert story.play(Event(request, {}))[1] in ("taken", "deferred", "refused")


@pytest.mark.parametrize("state", SESSION)
@pytest.mark.parametrize("spec", NAMES)
def test_the_provider_closes_for_good(spec: str, state: str) -> None:
    """The caller hears an apology, then the dialplan goes on."""
    story = in_state(spec, state)
    story.tell("closed fatal")
    assert story.state == "closing"
    assert "play_prompt" in names(story)
    story.tell("drained").tell("prompt_finished")
    assert (story.state, names(story)[-1]) == ("closed", "hang_up"), "\n".join(story.told)


@pytest.mark.parametrize("spec", NAMES)
def test_the_provider_cannot_be_reached(spec: str) -> None:
    story = Story(spec)
    story.tell(
        """
        unreachable         | reconnecting | close_uplink
        timer reconnect_due | connecting   | connect_provider
        unreachable         | reconnecting | close_uplink
        timer reconnect_due | connecting   | connect_provider
        unreachable         | closing      | close_uplink play_prompt(apology)
        prompt_finished     | closed       | hang_up
        """
    )
    fatal = Story(spec).tell("unreachable fatal | closing | close_uplink play_prompt(apology)")
    assert fatal.value("session") == "absent"


@pytest.mark.parametrize("spec", NAMES)
def test_nothing_comes_of_a_connection_nobody_answers(spec: str) -> None:
    story = Story(spec)
    for _ in range(3):
        assert story.state == "connecting"
        story.tell("timer connect_overdue")
        if story.state == "reconnecting":
            story.tell("timer reconnect_due | connecting | connect_provider")
    story.tell("prompt_finished | closed | hang_up")


@pytest.mark.parametrize("spec", NAMES)
def test_an_apology_nobody_ever_finishes(spec: str) -> None:
    story = in_state(spec, "closing")
    story.tell("timer closing_overdue | closed | hang_up")


@pytest.mark.parametrize(
    "said",
    [
        wire.error("unknown_parameter", "Unknown parameter: 'session.output_modalities'.", param="session.x"),
        wire.error("missing_required_parameter", "Missing required parameter: 'session.type'.", param="session.type"),
        wire.error("invalid_value", "Invalid value: 'x'.", param="session.audio.input.format"),
        wire.error(None, "Something about it is wrong", event_id="ts_update_session_1"),
    ],
)
@pytest.mark.parametrize("spec", NAMES)
def test_a_rejected_session_update_ends_the_call_politely(spec: str, said: wire.Json) -> None:
    story = in_state(spec, "configuring")
    story.play(said)
    assert (story.state, names(story)[-3:]) == ("closing", ["play_prompt", "close_provider", "close_uplink"]), (
        "\n".join(story.told)
    )
    story.tell("prompt_finished | closed | hang_up")


@pytest.mark.parametrize(
    "message", ["Unknown parameter: 'session.audio'.", "Missing required parameter: 'session.type'."]
)
def test_a_rejected_session_update_that_only_its_message_tells(message: str) -> None:
    """Recorded (openai-python#2638): no param, event_id null; the session would go on with its defaults."""
    story = in_state("server_vad", "configuring")
    story.play(wire.error("unknown_parameter", message))
    assert story.state == "closing"


@pytest.mark.parametrize(
    "code",
    ["invalid_api_key", "missing_model", "invalid_model", "model_not_found", "beta_api_shape_disabled",
     "insufficient_quota", "account_deactivated", "billing_hard_limit_reached"],
)  # fmt: skip
@pytest.mark.parametrize("state", ["awaiting_session_created", "configuring", "responding"])
def test_an_error_that_makes_the_session_useless(state: str, code: str) -> None:
    story = in_state("server_vad", state)
    story.play(wire.error(code, "No"))
    assert story.state == "closing"
    assert "play_prompt" in names(story)


def test_the_caller_hears_the_end_of_an_answer_and_the_apology() -> None:
    story = in_state("server_vad", "playing_out")
    story.tell(
        """
        closed fatal    | closing | close_uplink play_prompt(apology)
        prompt_finished | closing |
        drained         | closed  | hang_up
        """
    )


@pytest.mark.parametrize("spec", NAMES)
def test_nothing_happens_after_the_end(spec: str) -> None:
    story = in_state(spec, "closed")
    before = len(story.effects)
    for name in story.machine.spec.vocabulary.events:
        story.play(Event(name.rpartition(".")[0] if name.count(".") > 1 else name, {}))
        story.play(Event(name, {}))
        assert (story.state, len(story.effects)) == ("closed", before)


@pytest.mark.parametrize("spec", NAMES)
def test_the_last_words_are_the_last_also_when_their_session_is_lost(spec: str) -> None:
    """Keys that were pressed before them are owed an answer; after the last words none is asked for."""
    story = Story(spec).opened().tell("session_updated").tell("created g ours").tell("heard g ig").tell("key 5")
    story.play(Event("application.hang_up_requested", {}))
    story.tell("drained | responding |").tell("timer keys_done | responding | send_digits(5)")
    story.tell("closed | reconnecting | close_uplink" if spec != "push_to_talk" else "closed")
    story.tell("timer reconnect_due").opened().tell("session_updated")
    assert (story.state, story.count("create_response"), story.count("hang_up")) == ("closed", 1, 1)
