"""Functions bound to effects for the application: what they are given, and what is said of how they went."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adapters.active_call import ActiveCall
from adapters.application import MOST_RUNNING, ApplicationEffects, effects_for_application, mismatch
from adapters.tools import Tool
from fsm.language.loader import load
from fsm.language.vocabulary import Vocabulary
from fsm.machine.ledgers import LEDGERS
from tests.fsm.language.mini import HOUSE, WORDS, changed, said

EVENTS = (
    "  application.ring.done: {from: application, data: {result: optional text, name: optional text}}\n"
    "  application.ring.failed: {from: application}\n"
)
TALK = changed(
    ("events:\n", "events:\n" + EVENTS),
    ("effects:\n", "effects:\n  ring: {to: application, choices: [loud], args: [who]}\n  hum: {to: application}\n"),
    text=WORDS,
)


@functools.cache
def vocabulary() -> Vocabulary:
    spec = changed(("nothing to do here: [", "nothing to do here: [application.*, "),
                   ("nothing to do outside: [", "nothing to do outside: [application.*, "))  # fmt: skip
    return load(spec, "mini.yaml", lambda _name: (TALK, "words.yaml"), LEDGERS).spec.vocabulary


Facts = list[tuple[str, dict[str, object]]]
Make = Callable[..., tuple[ApplicationEffects, Facts]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[ApplicationEffects] = []
    with ThreadPoolExecutor(2) as threads:

        def effects(deadline_s: float = 60.0, **functions: Callable[..., object]) -> tuple[ApplicationEffects, Facts]:
            facts: Facts = []
            bound = {name: Tool(name, function, deadline_s=deadline_s) for name, function in functions.items()}
            active = ActiveCall(lambda _event, _answer: None, "call-1")
            found = ApplicationEffects(
                vocabulary(), bound, lambda name, data: facts.append((name, dict(data))), threads, active
            )
            made.append(found)
            return found, facts

        yield effects
        for each in made:
            await each.close()


async def test_a_plain_function_is_given_argument_fields_and_call_in_a_thread(make: Make) -> None:
    told: list[Any] = []

    def ring(argument: str, who: str, call: ActiveCall) -> str:
        told.append((argument, who, call.id))
        return "rung"

    effects, facts = make(ring=ring)
    await effects.run("ring", {"argument": "loud", "who": "aunt"})
    assert told == [("loud", "aunt", "call-1")]
    assert facts == [("application.ring.done", {"result": "rung"})]


@pytest.mark.parametrize(("returned", "data"), [(None, {}), ({"name": "x"}, {"name": "x"}), ("y", {"result": "y"})])
async def test_what_an_async_function_returns_is_what_the_fact_carries(
    make: Make, returned: object, data: dict[str, object]
) -> None:
    async def ring(**_given: object) -> object:
        return returned

    effects, facts = make(ring=ring)
    await effects.run("ring", {})
    assert facts == [("application.ring.done", data)]


class Unspeakable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("raised", "text"),
    [(LookupError("no"), "LookupError: no"), (SystemExit(3), "SystemExit: 3"), (Unspeakable(), "Unspeakable"),
     (ValueError("x" * 1000), ("ValueError: " + "x" * 1000)[:300])],
)  # fmt: skip
async def test_whatever_a_function_raises_is_a_failure_with_its_words(
    make: Make, raised: BaseException, text: str
) -> None:
    def ring(**_given: object) -> None:
        raise raised

    effects, facts = make(ring=ring)
    await effects.run("ring", {})
    assert facts == [("application.ring.failed", {"reason": "raised", "text": text})]


async def test_what_is_of_another_type_than_declared_is_a_failure(make: Make) -> None:
    async def ring(**_given: object) -> object:
        return {"name": 5}

    effects, facts = make(ring=ring)
    await effects.run("ring", {})
    ((name, data),) = facts
    assert (name, data["reason"]) == ("application.ring.failed", "result") and "data.name is not a text" in str(data)


@pytest.mark.virtual_time
async def test_a_function_that_is_late_is_cancelled_and_has_failed(make: Make) -> None:
    async def ring(**_given: object) -> None:
        await asyncio.sleep(3600)

    effects, facts = make(deadline_s=0.5, ring=ring)
    await effects.run("ring", {})
    assert facts == [("application.ring.failed", {"reason": "overdue", "text": "it did not return within 0.5 s"})]


async def test_an_effect_that_nothing_is_bound_to_has_failed(make: Make) -> None:
    effects, facts = make()
    assert effects.takes("ring") and not effects.takes("greet")
    await effects.run("ring", {})
    assert facts[0][1]["reason"] == "unbound"


async def test_of_an_effect_without_words_for_it_nothing_is_said(make: Make) -> None:
    effects, facts = make(hum=lambda: 5)
    await effects.run("hum", {})
    await make()[0].run("hum", {})
    assert facts == []


@pytest.mark.virtual_time
async def test_too_many_at_once_have_failed_and_the_others_go_on(make: Make) -> None:
    async def ring(**_given: object) -> None:
        await asyncio.sleep(1)

    effects, facts = make(ring=ring)
    await asyncio.gather(*(effects.run("ring", {}) for _ in range(MOST_RUNNING + 2)))
    assert [data.get("reason", "done") for _, data in facts] == ["too_many"] * 2 + ["done"] * MOST_RUNNING


def test_a_function_must_take_what_it_is_given() -> None:
    ring, hum = (effects_for_application(vocabulary())[name] for name in ("ring", "hum"))

    def right(argument: str, who: str) -> None: ...

    def wrong(argument: str, who: str, more: str) -> None: ...

    assert mismatch(right, ring, "") == "" and mismatch(print, hum, "") == "" and mismatch(dict.update, ring, "") == ""
    assert "(argument, who): missing a required argument" in mismatch(wrong, ring, "")
    assert "gives (nothing)" in mismatch(right, hum, "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("args: [who]", "args: [who, 'a b']", "'a b' cannot be a parameter of a function here"),
        ("args: [who]", "args: [argument]", "'argument' cannot be a parameter of a function here"),
        ("args: [who]", "recipe: numbered", "an effect of the application's has no recipe"),
        ("ring.failed: {from: application}", "ring.failed: {from: caller}",
         "'application.ring.failed' is what comes of an effect"),
        ("ring.failed: {from: application}", "ring.failed: {from: application, data: {reason: text}}",
         "'application.ring.failed' carries what we say of it: reason, text"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_effect_for_the_application_is_said(old: str, new: str, message: str) -> None:

    found = said(HOUSE, changed((old, new), text=TALK))
    assert any(message in each for each in found), found
