"""A spec with an application of its own, in whole calls: its facts come in, its effects go out."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest

from adapters.active_call import ENDED, ActiveCall
from adapters.call.observers import Observer
from adapters.providers.provider import WireEvent
from adapters.server.server import TurnspecServer
from adapters.settings.config import Settings
from adapters.simulator.providers.realtime import ProviderServer
from fsm.language.problem import SpecError
from fsm.machine.machine import Step
from tests.adapters.server.shop import crm
from tests.adapters.server.test_server import call, settings_for
from tests.adapters.server.test_server_door import HTTP, TOKEN, client_of

pytestmark = pytest.mark.virtual_time

SHOP = Path(__file__).parent / "shop" / "shop.yaml"
HERE = "tests.adapters.server.shop.crm"
HEARD: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]
STAY = {"steps": [*HEARD, {"until_hung_up": {"within_ms": 60000}}]}


@attrs.define
class Watcher:
    """Keeps what a call did."""

    steps: list[Step] = attrs.field(factory=list)
    sent: list[WireEvent] = attrs.field(factory=list)

    def of(self, _call_id: str) -> list[Observer]:
        return [self]

    def stepped(self, step: Step, envelope: object, at_ms: int) -> None:
        del envelope, at_ms
        self.steps.append(step)

    def wire(self, direction: str, event: WireEvent, at_ms: int) -> None:
        del at_ms
        if direction == "out":
            self.sent.append(event)

    def ended(self, summary: object) -> None: ...

    @property
    def variants(self) -> list[str]:
        return [step.variant for step in self.steps]

    def data(self, variant: str) -> list[dict[str, object]]:
        return [dict(step.event.data) for step in self.steps if step.variant == variant]


def shop(folder: Path, url: str, effect: str = f"{HERE}:notify", more: str = "") -> Settings:
    text = f"{HTTP}spec: {SHOP}\neffects: {{notify_crm: {effect}}}\n{more}"
    return settings_for(folder, url, text, DOOR_TOKEN=TOKEN)


@contextlib.asynccontextmanager
async def opened(
    folder: Path, effect: str = f"{HERE}:notify", more: str = ""
) -> AsyncIterator[tuple[TurnspecServer, httpx2.AsyncClient, Watcher]]:
    crm.TOLD.clear()
    watcher = Watcher()
    async with ProviderServer() as provider:
        server = TurnspecServer(shop(folder, provider.url, effect, more), watcher.of)
        await server.start()
        try:
            async with client_of(server) as client:
                yield server, client, watcher
        finally:
            await server.close()


async def said(client: httpx2.AsyncClient, call_id: uuid.UUID, event: str, **data: object) -> httpx2.Response:
    return await client.post(f"/calls/{call_id}/events", json={"event": event, "data": data})


async def test_a_fact_at_the_door_becomes_an_effect_and_what_came_of_it_a_fact_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (server, client, watcher):
        live = asyncio.create_task(call(server, STAY, call_id := uuid.uuid4()))
        await asyncio.sleep(5)
        assert (await said(client, call_id, "application.order_found", number="A7")).json() == {"accepted": True}
        await asyncio.sleep(3)
        shown = (await client.get(f"/calls/{call_id}")).json()
        assert shown["context"]["ticket"] == "taken"
        await said(client, call_id, "application.hang_up_requested")
        await live
    assert [("order", "A7", str(call_id))] == crm.TOLD
    assert watcher.data("application.notify_crm.done") == [{"ticket": "T-A7"}]
    assert not [step for step in watcher.steps if step.outcome == "impossible"]


async def test_an_instruction_of_the_specs_own_is_asked_for_in_the_sessions_words(tmp_path: Path) -> None:
    async with opened(tmp_path, more="say: {found: 'Tell {caller_id}.'}\n") as (server, client, watcher):
        live = asyncio.create_task(call(server, STAY, call_id := uuid.uuid4()))
        await asyncio.sleep(6)
        await said(client, call_id, "application.order_found", number="A7")
        await asyncio.sleep(4)
        await said(client, call_id, "application.hang_up_requested")
        await live
    creates: list[Any] = [event["response"] for event in watcher.sent if event["type"] == "response.create"]
    instructions = [create.get("instructions") for create in creates]
    assert instructions == ["Greet.", "Tell unknown."]


async def test_what_the_door_hears_is_checked_by_type_and_results_are_ours_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as (server, client, watcher):
        live = asyncio.create_task(call(server, STAY, call_id := uuid.uuid4()))
        await asyncio.sleep(5)
        wrong: tuple[tuple[str, dict[str, object], str], ...] = (
            ("application.order_found", {}, "data.number is missing: a text"),
            ("application.order_found", {"number": 7}, "data.number is not a text"),
            ("application.order_found", {"number": "7", "items": "two"}, "data.items is not a number"),
            ("application.notify_crm.done", {"ticket": "T"}, "this is not a request that shop knows"),
            ("playout.drained", {}, "this is not a request that shop knows"),
        )
        for event, data, words in wrong:
            answer = await said(client, call_id, event, **data)
            assert (answer.status_code, words in answer.json()["cause"]) == (422, True), answer.text
        listed = (await client.get("/openapi.json")).text
        assert "application.order_found" in listed and "notify_crm.done" not in listed
        await said(client, call_id, "application.hang_up_requested")
        await live
        late = await said(client, call_id, "application.order_found", number="A7")
        assert (late.status_code, late.json()["cause"]) == (410, "the call is over")
    assert crm.TOLD == [] and "application.order_found" not in watcher.variants


@pytest.mark.parametrize(
    ("effect", "variant", "reason", "text", "told"),
    [
        (f"{{function: '{HERE}:never', deadline_s: 0.5}}", "overdue", "overdue", "it did not return within 0.5 s",
         [("order", "A7", ""), ("lost", None, "")]),
        (f"{HERE}:breaks", "other", "raised", "LookupError: no such order: A7", []),
        (f"{HERE}:says_too_little", "other", "result",
         "what it returned is not what 'application.notify_crm.done' carries: data.ticket is missing: a text", []),
    ],
)  # fmt: skip
async def test_what_fails_in_the_application_is_a_fact_with_its_reason(
    tmp_path: Path, effect: str, variant: str, reason: str, text: str, told: list[Any]
) -> None:
    async with opened(tmp_path, effect) as (server, client, watcher):
        live = asyncio.create_task(call(server, STAY, call_id := uuid.uuid4()))
        await asyncio.sleep(5)
        await said(client, call_id, "application.order_found", number="A7")
        await asyncio.sleep(3)
        assert (await client.get(f"/calls/{call_id}")).json()["context"]["ticket"] == "lost" or told
        await said(client, call_id, "application.hang_up_requested")
        await live
    assert watcher.data(f"application.notify_crm.failed.{variant}")[0] == {"reason": reason, "text": text}
    assert told == crm.TOLD


async def test_what_the_application_is_told_at_the_very_end_still_has_its_time(tmp_path: Path) -> None:
    async with opened(tmp_path, f"{HERE}:at_the_end") as (server, client, _):
        live = asyncio.create_task(call(server, STAY, call_id := uuid.uuid4()))
        await asyncio.sleep(5)
        await said(client, call_id, "application.order_found", number="A7")
        server.calls[str(call_id)].hang_up("test")
        await live
        assert crm.TOLD == [], "the caller does not wait for it"
    assert crm.TOLD == [("order", "A7", "done")]


async def test_keys_are_told_apart_by_their_digit_and_a_recording_by_its_name(tmp_path: Path) -> None:
    steps = [
        *HEARD,
        {"press": "4"},
        {"press": "2"},
        {"press": "#"},
        *HEARD,
        {"press": "0"},
        {"until_hung_up": {"within_ms": 60000}},
    ]
    async with opened(tmp_path) as (server, _client, watcher):
        report = await call(server, {"steps": steps})
    keys = [variant.rpartition(".")[2] for variant in watcher.variants if variant.startswith("caller.pressed_key")]
    assert keys == ["other", "other", "end", "zero"]
    assert any('"42"' in str(event) or "42" in str(event.get("item")) for event in watcher.sent), watcher.sent
    assert not any("42#" in str(event) for event in watcher.sent), "a terminator is not a digit"
    assert watcher.data("prompt.finished.goodbye") == [{"name": "goodbye"}]
    assert report.ended == "hangup" and report.notes == ()


async def test_a_tool_says_facts_and_requests_and_is_refused_when_the_call_is_over(tmp_path: Path) -> None:
    """From a tool's own thread or on the loop; `application.` may be left out."""
    answers: list[Any] = []
    kept: list[ActiveCall] = []
    async with opened(tmp_path) as (server, _client, _):
        live = asyncio.create_task(call(server, STAY, call_id := uuid.uuid4()))
        await asyncio.sleep(5)
        active = server.calls[str(call_id)].active
        kept.append(active)
        answers.append(await active.requested("order_found", number="A7"))
        answers.append(await asyncio.to_thread(active.request, "order_found", number=7))
        answers.append(await active.requested("nothing_known"))
        answers.append(await asyncio.to_thread(active.request, "hang_up_requested"))
        await live
        answers.append(await active.requested("order_found", number="A7"))
    assert [(each.accepted, each.reason) for each in answers[:4]] == [
        (True, ""),
        (False, "application.order_found: data.number is not a text"),
        (False, "'nothing_known' is not a request that shop knows"),
        (True, ""),
    ]
    assert answers[4] is ENDED and [("order", "A7", str(call_id))] == crm.TOLD


def refused(folder: Path, effects: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        settings_for(folder, "ws://127.0.0.1:1", f"spec: {SHOP}\n{effects}\n")
    return [
        f"{Path(p.place.file).name}:{p.place.line}: {p.code}: {p.message} ({p.hint})" for p in caught.value.problems
    ]


def test_an_effect_that_nothing_is_bound_to_is_an_error_where_the_vocabulary_has_it(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, "")
    assert found == (
        "shop_words.yaml:10: unbound: nothing is bound to the effect 'notify_crm', which is for the application "
        "(bind it in the configuration: effects: {notify_crm: module:function})"
    )


@pytest.mark.parametrize(
    ("effects", "message"),
    [
        (f"effects: {{notify_crm: {HERE}:takes_nothing}}",
         "effect-signature: the function does not take what the effect 'notify_crm' gives (argument, number)"),
        (f"effects: {{notify_crm: {HERE}:nobody}}", "tool-import: effects.notify_crm"),
        (f"effects: {{notify_crm: {HERE}:notify, notify_crn: {HERE}:notify}}",
         "'notify_crn' is not an effect that the vocabulary of shop has for the application"),
        ("effects: {notify_crm: {deadline_s: 1}}", "'function:' is missing here"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_binding_is_said_at_its_line(tmp_path: Path, effects: str, message: str) -> None:
    found = refused(tmp_path, effects)
    assert any(message in each for each in found), found
    assert all(each.startswith("turnspec.yaml:6:") for each in found), found
