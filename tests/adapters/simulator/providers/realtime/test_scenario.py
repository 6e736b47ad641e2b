"""Scenario files: what they say to the model, and errors that name the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.simulator.providers.realtime import ProviderScenario, ScenarioError, load_scenario, parse_scenario
from adapters.simulator.providers.realtime.live_response import timetable, tokens
from adapters.simulator.providers.realtime.provider_scenario import (
    AnswerRule,
    FunctionCall,
    OutputPart,
    SpokenMessage,
)
from adapters.simulator.providers.realtime.provider_settings import Latency
from adapters.simulator.providers.realtime.scripted_model import Question, ScriptedModel
from adapters.simulator.speech import lines, read_samples, wav_path
from tests.adapters.simulator.providers.realtime.driver import scenario


def said(rule: AnswerRule) -> list[str]:
    return [_said(part) for part in rule.output]


def _said(part: OutputPart) -> str:
    match part:
        case SpokenMessage():
            return part.say
        case FunctionCall():
            return f"{part.call}()"
    return f"{part.server}.{part.mcp}()"


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("responses: [{output: [{say: 1}]}]", "responses[0].output[0].say", "expected str, got 1"),
        ("responses: [{output: [{say: a, cal: b}]}]", "responses[0].output[0]", "unknown key cal"),
        ("responses: [{output: [{}]}]", "responses[0].output[0]", "one of `say`, `call` and `mcp`"),
        ("responses: [{when: {after: lunch}}]", "responses[0].when.after", "lunch"),
        ("responses: [{when: {after: user, herd: x}}]", "responses[0].when", "unknown key herd"),
        (
            "responses: [{output: [{say: a, speech: nowhere}]}]",
            "responses[0].output[0].speech",
            "no WAV file",
        ),
        ("faults: [{fault: lose}]", "faults[0]", "'type'"),
        ("faults: [{fault: explode}]", "faults[0]", "must be one of lose, delay"),
        ("faults: [{fault: delay, type: x, by_s: soon}]", "faults[0].by_s", "expected float, got 'soon'"),
        ("faults: [{fault: lose, type: respnse.done}]", "faults[0]", "did you mean 'response.done'?"),
        ("faults: [{fault: lose, type: response.create}]", "faults[0]", "type: no provider sends"),
        ("faults: [{fault: ignore_client, type: response.done}]", "faults[0]", "type: no client sends"),
        ("faults: [{fault: close, after_client: response.done}]", "faults[0]", "after_client: no client sends"),
        ("faults: [{fault: close, at_s: 1, code: 1005}]", "faults[0]", "no close frame may carry it"),
        ("faults: [{fault: http_status, status: 999}]", "faults[0]", "999"),
        ("responses: [{output: [{say: a, speech: /dev/null}]}]", "responses[0].output[0].speech", "no WAV file"),
        (f"responses: [{{output: [{{say: a, speech: {__file__}}}]}}]", "output[0].speech", "not a PCM WAV file"),
        ("faults: [{fault: close, code: 1011}]", "faults[0]", "exactly one of at_s, after, after_client"),
        ("latency: {pace: 0}", "latency", "pace must be more than 0"),
        ("unoffered_calls: maybe", "unoffered_calls", "expected one of drop, make; got 'maybe'"),
        ("skew_ms: -1", "test.yaml", "'skew_ms' must be >= 0"),
        ("mcp: [1]", "mcp", "expected a mapping"),
        ("mcp: {shop: {tools: [find]}}", "mcp['shop'].tools[0]", "expected a mapping, got 'find'"),
        ("mcp: {shop: {listing_s: -1}}", "mcp['shop']", "'listing_s' must be >= 0"),
        ("responses: [{output: [{mcp: find}]}]", "responses[0].output[0].server", "missing key 'server'"),
        (
            "responses: [{output: [{mcp: f, server: s, error: {type: http_error, message: x}}]}]",
            "responses[0].output[0].error",
            "an http_error have one",
        ),
        ("respones: []", "test.yaml", "unknown key respones"),
        ("- 1", "test.yaml", "expected a mapping"),
        ("a: [", "test.yaml", "not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(text: str, place: str, reason: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(text)
    assert str(caught.value).startswith("test.yaml: ")
    assert place in str(caught.value) and reason in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"gone\.yaml: No such file"):
        load_scenario(tmp_path / "gone.yaml")


def test_an_empty_file_is_a_scenario(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert load_scenario(tmp_path / "empty.yaml") == ProviderScenario()


def test_speech_is_found_by_name_by_text_and_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "own.wav").write_bytes(wav_path("goodbye").read_bytes())
    (tmp_path / "s.yaml").write_text(
        "responses: [{output: [{say: a, speech: agent_weather}, {say: 'Are you still there?'}, "
        "{say: b, speech: own.wav}, {say: made up}]}]"
    )
    (rule,) = load_scenario(tmp_path / "s.yaml").responses
    found = [
        output.speech.name if isinstance(output, SpokenMessage) and output.speech else None for output in rule.output
    ]
    assert found == ["agent_weather.wav", "agent_still_there.wav", "own.wav", None]


def test_arguments_are_an_object_or_a_verbatim_string() -> None:
    (rule,) = scenario("responses: [{output: [{call: f, arguments: {a: 1}}, {call: f, arguments: '{ }'}]}]").responses
    assert [output.arguments for output in rule.output if isinstance(output, FunctionCall)] == ['{"a": 1}', "{ }"]


def test_rules_in_order_each_once_then_defaults() -> None:
    model = ScriptedModel(
        scenario(
            """
            responses:
              - {when: {after: nothing}, output: [{say: greeting}]}
              - {when: {heard: order}, output: [{call: order_status}]}
              - {when: {after: tools, tool: order_status}, output: [{say: shipped}]}
              - {when: {user_turn: 2}, output: [{say: second}]}
              - {when: {heard: bye}, times: 0, output: [{say: bye}]}
              - {when: {instructions: sorry}, output: [{say: sorry}]}
              - {when: {out_of_band: true, automatic: false}, output: [{say: aside}]}
            """
        )
    )

    def ask(**more: object) -> list[str]:
        return said(model.answer(Question(**more)))  # type: ignore[arg-type]

    assert ask() == ["greeting"]
    assert ask(new_user=True, heard="My ORDER?", user_turn=1, automatic=True) == ["order_status()"]
    assert ask(tools=("order_status",)) == ["shipped"]
    assert ask(new_user=True, user_turn=2, heard="order") == ["second"]
    assert ask(new_user=True, user_turn=3, heard="Bye") == ask(new_user=True, user_turn=4, heard="bye!") == ["bye"]
    assert ask(instructions="Say sorry.") == ["sorry"]
    assert ask(out_of_band=True) == ["aside"]
    assert ask(tools=("other",)) == ["Here is what I found for you."]
    assert ask(idle=True) == ["Are you still there?"]
    rotation = [ask(new_user=True, user_turn=5) for _ in range(4)]
    assert rotation[0] == rotation[3] and len({str(answer) for answer in rotation}) == 3


def test_without_a_scenario_it_greets_first() -> None:
    model = ScriptedModel(ProviderScenario())
    assert said(model.answer(Question())) == [lines()["agent_greeting"].text]
    assert said(model.answer(Question(new_user=True, user_turn=1))) != [lines()["agent_greeting"].text]


def test_tokens_add_up_to_the_text() -> None:
    for text in (*(line.text for line in lines().values()), "", " a  b\n", "1,2;(3)", "Grüße!"):
        assert "".join(tokens(text)).rstrip() == text.rstrip()
    assert tokens("Hi there!") == ["Hi", " there", "!"]


def test_the_transcript_is_always_ahead_of_the_sound() -> None:
    rule = AnswerRule(
        output=(SpokenMessage(say=lines()["agent_long_story"].text, speech=wav_path("agent_long_story")),)
    )
    steps = timetable(rule, Latency(), "audio/pcmu", text_only=False)
    words = [step.at_s for step in steps if step.kind == "words"]
    sound = [step.at_s for step in steps if step.kind == "audio"]
    assert words[0] < sound[0] and words[-1] < sound[-1]
    assert sum(len(step.audio) for step in steps) == len(read_samples(wav_path("agent_long_story"), 8000))


def test_latency_scales_as_a_whole() -> None:
    scaled = Latency().scaled(0.1)
    assert scaled.first_audio_s == pytest.approx(0.049) and scaled.pace == pytest.approx(130)


def test_every_recorded_line_is_there_and_small() -> None:
    sizes = [wav_path(name).stat().st_size for name in lines()]
    assert sum(sizes) < 1_500_000
    for name, line in lines().items():
        samples = read_samples(wav_path(name), 8000)
        assert 0.5 < len(samples) / 8000 < 15 and abs(samples).max() > 8000, line


def test_parse_takes_json_too() -> None:
    assert parse_scenario('{"description": "x"}', Path("x")).description == "x"
