"""A simulated model calls what it was offered, as tool_choice says, with arguments that fit; and stops at its limit."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from adapters.simulator.providers.realtime.offered_tools import fitting
from tests.adapters.simulator.providers.realtime.driver import Driver, Json, every, only, types

LOOK = {"type": "function", "name": "look", "parameters": {
    "type": "object",
    "properties": {"order": {"type": "integer", "minimum": 40}, "city": {"enum": ["Berlin", "Paris"]}, "note": {}},
    "required": ["order", "city"],
}}  # fmt: skip
BARE = {"type": "function", "name": "bare"}
SCRIPT = "responses: [{output: [{say: 'One moment.'}, {call: look}, {call: bare}]}]"


def calls(driver: Driver, script_tools: list[Json], **response: object) -> list[tuple[str, Json]]:
    driver.configure(tools=script_tools)
    driver.send("response.create", response=response)
    done = every(driver.run(5), "response.function_call_arguments.done")
    return [(event["name"], json.loads(event["arguments"])) for event in done]


def test_a_call_without_arguments_gets_what_the_offered_schema_asks_for() -> None:
    assert calls(Driver(SCRIPT), [LOOK, BARE]) == [("look", {"order": 40, "city": "Berlin"}), ("bare", {})]


def test_a_call_of_what_was_not_offered_is_not_made_and_the_report_says_so() -> None:
    driver = Driver(SCRIPT)
    assert calls(driver, [BARE]) == [("bare", {})]
    assert driver.core.stats.notes == ["the script calls 'look', which the client has not offered: not called"]


def test_a_script_may_make_the_calls_that_nobody_offered() -> None:
    assert [name for name, _ in calls(Driver(SCRIPT + "\nunoffered_calls: make"), [])] == ["look", "bare"]


def test_an_answer_of_nothing_but_calls_that_were_not_offered_becomes_words() -> None:
    driver = Driver("responses: [{output: [{call: look}]}]")
    assert calls(driver, []) == []
    assert only(driver.events(), "response.output_audio_transcript.done")["transcript"]


def test_the_tools_of_a_response_stand_in_for_those_of_the_session() -> None:
    assert [name for name, _ in calls(Driver(SCRIPT), [LOOK], tools=[BARE])] == ["bare"]


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ("none", []),
        ("auto", ["look", "bare"]),
        ({"type": "function", "name": "bare"}, ["bare"]),
    ],
)
def test_tool_choice_rules_over_the_script(choice: object, made: list[str]) -> None:
    assert [name for name, _ in calls(Driver(SCRIPT), [LOOK, BARE], tool_choice=choice)] == made


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "look"}])
def test_a_required_call_is_made_although_the_script_only_speaks(choice: object) -> None:
    driver = Driver("responses: [{output: [{say: Hello.}]}]")
    assert calls(driver, [LOOK], tool_choice=choice) == [("look", {"order": 40, "city": "Berlin"})]
    assert every(driver.events(), "response.output_audio.delta") == []


def test_without_parallel_calls_the_first_one_is_made() -> None:
    assert [name for name, _ in calls(Driver(SCRIPT), [LOOK, BARE], parallel_tool_calls=False)] == ["look"]


@pytest.mark.parametrize(("arguments", "why"), [("{order: x}", "is not of type 'integer'"), ("'{'", "not JSON")])
def test_arguments_that_do_not_fit_are_sent_and_reported(arguments: str, why: str) -> None:
    driver = Driver(f"responses: [{{output: [{{call: look, arguments: {arguments}}}]}}]")
    driver.configure(tools=[{**LOOK, "parameters": {"properties": {"order": {"type": "integer"}}}}])
    driver.send("response.create")
    assert only(driver.run(5), "response.function_call_arguments.done")["name"] == "look"
    (note,) = driver.core.stats.notes
    assert note.startswith("the arguments of 'look' do not fit") and why in note


@pytest.mark.parametrize("broken", [{"type": "no such type"}, {"pattern": "("}, {"$ref": "https://x.example/s"}])
def test_a_schema_that_is_none_stops_no_call(broken: Json) -> None:
    driver = Driver("responses: [{output: [{call: look, arguments: '\"x\"'}]}]")
    driver.configure(tools=[{**LOOK, "parameters": broken}])
    driver.send("response.create")
    assert only(driver.run(5), "response.done")["response"]["status"] == "completed"


@pytest.mark.parametrize(
    "schema",
    [
        {"const": 3},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"type": ["null", "boolean"]},
        {"type": "array", "items": {"type": "number"}, "minItems": 2},
        {"type": "string", "minLength": 5},
        {"$ref": "#/$defs/a", "$defs": {"a": {"required": ["b"], "properties": {"b": {"type": "null"}}}}},
        {"type": "object", "properties": {"a": {"default": 1}}, "required": ["a"]},
    ],
)  # fmt: skip
def test_a_made_up_value_fits_its_schema(schema: Json) -> None:
    assert list(Draft202012Validator(schema).iter_errors(fitting(schema, schema))) == []


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "elsewhere"}, {"properties": 3}, {"required": 7}, 5])
def test_a_value_for_a_senseless_schema_is_found_without_an_end(schema: object) -> None:
    fitting(schema, schema if isinstance(schema, dict) else {})


# --- the limit --------------------------------------------------------------------------------------------------------

LONG = "responses: [{output: [{say: long, speech: agent_long_story}]}]"


def test_max_output_tokens_cuts_an_answer_in_mid_sound() -> None:
    driver = Driver(LONG)
    driver.configure()
    driver.send("response.create", response={"max_output_tokens": 24})
    events = driver.run(5)
    done = only(events, "response.done")["response"]
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["status"] == "incomplete" and done["max_output_tokens"] == 24
    assert done["usage"]["output_tokens"] == 24
    audio = sum(len(event["delta"]) * 3 // 4 for event in every(events, "response.output_audio.delta"))
    assert audio == 23 * 50 * 48  # one token was a word; of the last delta there is a part


def test_max_output_tokens_of_the_session_cuts_every_answer_also_in_text() -> None:
    driver = Driver("responses: [{times: 0, output: [{say: 'one two three four five'}]}]")
    driver.configure(max_output_tokens=3, output_modalities=["text"])
    for _ in range(2):
        driver.send("response.create")
        events = driver.run(5)
        assert only(events, "response.output_text.done")["text"] == "one two three"
        assert only(events, "response.done")["response"]["status"] == "incomplete"


def test_a_call_that_is_cut_has_half_its_arguments_and_is_incomplete() -> None:
    driver = Driver("responses: [{output: [{call: look, arguments: {order: 42, city: Paris}}]}]")
    driver.configure(tools=[LOOK])
    driver.send("response.create", response={"max_output_tokens": 2})
    events = driver.run(5)
    assert only(events, "response.function_call_arguments.done")["arguments"] == '{"order"'
    assert only(events, "response.output_item.done")["item"]["status"] == "incomplete"


def test_an_answer_within_its_limit_is_whole() -> None:
    driver = Driver("responses: [{output: [{say: 'one two three'}]}]")
    driver.configure(output_modalities=["text"], max_output_tokens=3)
    driver.send("response.create")
    assert types(driver.run(5))[-2:] == ["response.done", "rate_limits.updated"]
    assert only(driver.events(), "response.done")["response"]["status"] == "completed"
