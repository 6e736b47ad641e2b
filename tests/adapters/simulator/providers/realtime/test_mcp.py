"""MCP tools: imported, called by the provider itself, with the client's word where it is asked for; how they fail."""

from __future__ import annotations

import json

import pytest

from tests.adapters.simulator.providers.realtime.driver import Driver, Json, every, only, types

SHOP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp", "require_approval": "never"}
SERVER = """
mcp:
  shop:
    tools:
      - name: find
        description: Finds an order.
        input_schema: {type: object, properties: {id: {type: integer}}, required: [id]}
      - {name: drop}
"""
SCRIPT = (
    SERVER
    + """
responses:
  - output: [{mcp: find, server: shop, result: "It is here."}, {say: "I have found it."}]
  - {when: {after: tools, tool: find}, output: [{say: "Afterwards."}]}
"""
)


def listed(text: str, *tools: Json) -> Driver:
    """A session whose tools are imported."""
    driver = Driver(text)
    driver.configure(tools=list(tools), output_modalities=["text"])
    driver.run(0.5)
    return driver


def test_the_tools_of_a_server_are_imported_after_the_update() -> None:
    driver = listed(SCRIPT, SHOP)
    events = driver.events()
    assert types(events)[1:] == [
        "session.updated",
        "conversation.item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "conversation.item.done",
    ]
    item = only(events, "conversation.item.done")["item"]
    assert (item["type"], item["server_label"]) == ("mcp_list_tools", "shop")
    assert [tool["name"] for tool in item["tools"]] == ["find", "drop"]
    assert only(events, "mcp_list_tools.completed")["item_id"] == item["id"]


def test_an_unchanged_server_is_imported_once() -> None:
    driver = listed(SCRIPT, SHOP)
    assert types(driver.send("session.update", session={"type": "realtime", "tools": [SHOP]})) == ["session.updated"]
    bare = {"type": "mcp", "server_label": "shop"}
    assert types(driver.send("session.update", session={"type": "realtime", "tools": [bare]})) == ["session.updated"]


@pytest.mark.parametrize("allowed", [["find"], {"tool_names": ["find"]}])
def test_only_the_allowed_tools_are_there(allowed: object) -> None:
    driver = listed(SCRIPT, SHOP | {"allowed_tools": allowed})
    tools = only(driver.events(), "conversation.item.done")["item"]["tools"]
    assert [tool["name"] for tool in tools] == ["find"]


def test_an_import_fails_by_script_or_for_want_of_any_server() -> None:
    for text in ("mcp: {shop: {fails: true}}", ""):
        driver = listed(text, SHOP)
        assert types(driver.events())[-1] == "mcp_list_tools.failed"


def test_a_server_without_a_script_has_the_tools_that_the_answers_call() -> None:
    driver = listed("responses: [{output: [{mcp: find, server: shop}]}]", SHOP)
    assert [tool["name"] for tool in only(driver.events(), "conversation.item.done")["item"]["tools"]] == ["find"]


def test_a_call_runs_within_its_response() -> None:
    driver = listed(SCRIPT, SHOP)
    driver.send("response.create")
    events = driver.run(5)
    assert types(events)[:9] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
    ]
    item = every(events, "response.output_item.done")[0]["item"]
    assert (item["name"], item["output"], item["error"]) == ("find", "It is here.", None)
    assert json.loads(item["arguments"]) == {"id": 1}  # as the imported schema asks
    assert only(events, "response.output_text.done")["text"] == "I have found it."


@pytest.mark.parametrize(
    "error",
    [
        {"type": "http_error", "code": 502, "message": "Bad Gateway"},
        {"type": "protocol_error", "code": -32600, "message": "Invalid Request"},
        {"type": "tool_execution_error", "message": "no such order"},
    ],
)
def test_a_call_fails_by_script(error: Json) -> None:
    driver = listed(f"responses: [{{output: [{{mcp: find, server: shop, error: {json.dumps(error)}}}]}}]", SHOP)
    driver.send("response.create")
    events = driver.run(5)
    assert "response.mcp_call.failed" in types(events)
    item = only(events, "response.output_item.done")["item"]
    assert (item["error"], item["output"]) == (error, None)


def asked(driver: Driver) -> tuple[Json, str]:
    """Ask for a response that needs the client's word; the request's item, and the call's id."""
    driver.send("response.create")
    events = driver.run(5)
    assert only(events, "response.done")["response"]["status"] == "completed"
    assert every(events, "response.mcp_call.in_progress") == []
    request = next(event["item"] for event in every(events, "conversation.item.done")
                   if event["item"]["type"] == "mcp_approval_request")  # fmt: skip
    return request, only(events, "response.mcp_call_arguments.done")["item_id"]


def answer(request: Json, approve: bool, **more: object) -> Json:
    return {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": approve} | more


NEEDING = [{"require_approval": "always"}, {"require_approval": {"always": {"tool_names": ["find"]}}},
           {"require_approval": {"never": {"tool_names": ["drop"]}}}]  # fmt: skip


@pytest.mark.parametrize("rule", [*NEEDING, {"require_approval": None}])
def test_a_call_waits_for_the_clients_word_and_runs_with_it(rule: Json) -> None:
    driver = listed(SCRIPT, SHOP | rule)
    request, call_id = asked(driver)
    assert (request["name"], request["server_label"], request["arguments"]) == ("find", "shop", '{"id": 1}')
    events = driver.send("conversation.item.create", item=answer(request, True)) + driver.run(1)
    assert types(events) == [
        "conversation.item.added",
        "conversation.item.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
    ]
    item = only(events, "response.output_item.done")["item"]
    assert (item["id"], item["output"], item["approval_request_id"]) == (call_id, "It is here.", request["id"])
    driver.send("response.create")
    assert only(driver.run(5), "response.output_text.done")["text"] == "Afterwards."


@pytest.mark.parametrize("rule", [{"never": {"tool_names": ["find"]}}, {"always": {"tool_names": ["drop"]}}])
def test_a_filter_may_spare_a_tool_the_clients_word(rule: Json) -> None:
    driver = listed(SCRIPT, SHOP | {"require_approval": rule})
    driver.send("response.create")
    assert "response.mcp_call.completed" in types(driver.run(5))


def test_a_rejected_call_fails_with_the_clients_reason() -> None:
    driver = listed(SCRIPT, SHOP | {"require_approval": "always"})
    request, _ = asked(driver)
    events = driver.send("conversation.item.create", item=answer(request, False, reason="Not now."))
    assert only(events, "response.output_item.done")["item"]["error"]["message"] == "Not now."
    assert "response.mcp_call.failed" in types(events)
    again = driver.send("conversation.item.create", item=answer(request, True)) + driver.run(1)
    assert types(again) == ["conversation.item.added", "conversation.item.done"]
    assert "second answer to one MCP approval request" in driver.core.stats.violations


def test_tools_of_a_response_are_imported_before_it_begins() -> None:
    driver = listed(SCRIPT)
    driver.send("response.create", response={"tools": [SHOP], "tool_choice": {"type": "mcp", "server_label": "shop"}})
    kinds = types(driver.run(5))
    assert kinds.index("mcp_list_tools.completed") < kinds.index("response.created")
    assert "response.mcp_call.completed" in kinds


def test_a_turn_that_begins_during_the_import_has_none_of_its_tools() -> None:
    driver = Driver(SCRIPT)
    driver.configure(tools=[SHOP], output_modalities=["text"])
    driver.send("response.create")
    events = driver.run(5)
    assert only(events, "response.output_text.done")["text"] == "I have found it."
    assert "response.mcp_call_arguments.done" not in types(events)


def test_a_forced_server_is_called_although_the_script_only_speaks() -> None:
    driver = listed(SERVER + "responses: [{output: [{say: Hello.}]}]", SHOP)
    choice = {"type": "mcp", "server_label": "shop", "name": "drop"}
    driver.send("response.create", response={"tool_choice": choice})
    assert only(driver.run(5), "response.output_item.done")["item"]["name"] == "drop"


def test_a_cancel_ends_a_running_call_and_spares_one_that_waits() -> None:
    long_call = SERVER + "responses: [{output: [{mcp: find, server: shop, takes_s: 5}]}]"
    driver = listed(long_call, SHOP)
    driver.send("response.create")
    driver.run_to("response.mcp_call.in_progress")
    driver.send("response.cancel")
    events = driver.run(10)
    assert types(events)[:2] == ["response.mcp_call.failed", "conversation.item.done"]
    assert only(events, "response.done")["response"]["status"] == "cancelled"

    waiting = listed(SCRIPT, SHOP | {"require_approval": "always"})
    waiting.send("response.create")
    waiting.run_to("response.mcp_call_arguments.done")
    waiting.send("response.cancel")
    assert "response.mcp_call.failed" not in types(waiting.run(5))


def test_a_call_whose_arguments_are_cut_fails_with_what_there_is_of_them() -> None:
    driver = listed(SCRIPT, SHOP)
    driver.send("response.create", response={"max_output_tokens": 1})
    events = driver.run(5)
    assert only(events, "response.mcp_call_arguments.done")["arguments"] == '{"id'
    assert only(events, "response.output_item.done")["item"]["error"]["type"] == "tool_execution_error"
    assert only(events, "response.done")["response"]["status"] == "incomplete"


def test_history_with_mcp_items_is_taken_as_it_is() -> None:
    driver = listed("")
    call = {"type": "mcp_call", "id": "mcp_1", "server_label": "shop", "name": "find", "arguments": "{}", "output": "x"}
    added = only(driver.send("conversation.item.create", item=call), "conversation.item.added")["item"]
    assert added == call
