"""What a campaign would notice: no end, silence, a second answer, something left, an exception, a broken file."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest

from adapters.call.mailbox import Envelope
from adapters.call.summary import Summary
from adapters.specs import load_spec
from fsm.machine.machine import Event, Step
from tests.tools.campaign.ears import heard
from tools.campaign import attacks
from tools.campaign.attacks import Attack, Stranger
from tools.campaign.holdings import holdings, left_over
from tools.campaign.plan import DrawnCall, drawn
from tools.campaign.play import play_virtually
from tools.campaign.watch import CallWatch


def stepped(watch: CallWatch, *story: str) -> CallWatch:
    """Each is a variant and the effects that come of it: `"tool.returned.pending create_response"`."""
    for at_ms, each in enumerate(story):
        variant, *names = each.split()
        outcome = "ignored" if names[:1] == ["ignored"] else "taken"
        effects = [SimpleNamespace(name=name) for name in names if name != "ignored"]
        snapshot = SimpleNamespace(state="s")
        step = SimpleNamespace(variant=variant, outcome=outcome, effects=effects, before="s", snapshot=snapshot)
        watch.stepped(cast(Step, step), Envelope(Event(variant), "test"), at_ms)
    return watch


GREETED = (
    "session.updated create_response", "response.created.ours", "playout.heard.current", "response.done.completed",
)  # fmt: skip
ANSWERED = ("response.created.ours", "response.done.completed", "playout.heard.current")
TURN = "input_audio_buffer.committed.new create_response"


def test_one_answer_for_each_turn_is_as_it_should_be() -> None:
    assert stepped(CallWatch("c"), *GREETED, TURN, *ANSWERED, TURN, *ANSWERED).second_answers == []


def test_an_answer_that_nothing_asked_for_is_a_second_one() -> None:
    watch = stepped(CallWatch("c"), *GREETED, TURN, *ANSWERED, "timer.x create_response", *ANSWERED)
    assert watch.second_answers == ["at 11 ms an answer of ours was heard that nothing had asked for"]


@pytest.mark.parametrize(
    "between",
    [
        ["response.created.own", "response.done.cancelled"],
        ["response.created.ours", "response.done.completed", "playout.silent.current"],
        ["create_rejected.active"],
        ["tool.returned.pending"],
        ["timer.keys_done send_digits"],
        ["provider.lost connect_provider"],
        ["response.created.own", "playout.heard.current"],  # and its end is lost
    ],
)
def test_what_came_to_nothing_may_be_asked_for_again(between: list[str]) -> None:
    story = [*GREETED, TURN, *ANSWERED, *between, "timer.x create_response", *ANSWERED]
    assert stepped(CallWatch("c"), *story).second_answers == []


def test_an_answer_of_the_providers_own_and_one_that_calls_a_tool_are_no_second_answers() -> None:
    own = ("response.created.own", "playout.heard.current", "response.done.completed")
    tool = ("timer.x create_response", "response.created.ours", "tool.called.new run_tool", *ANSWERED[1:])
    assert stepped(CallWatch("c"), *GREETED, *own, *own, *tool).second_answers == []


def test_silence_and_a_call_without_an_end_are_told() -> None:
    watch = CallWatch("c")
    assert list(watch.findings()) == [("stuck", "call c never ended")]
    summary = Summary(load_spec("server_vad").spec)
    summary._wait.longest_ms = 8_001
    watch.ended(summary)
    assert list(watch.findings()) == [("silence", "8001 ms of silence while something was owed")]


async def _leaves(peer: Stranger) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(9_999, print)
    _kept.append(loop.create_task(asyncio.Event().wait(), name="forgotten"))
    _kept.append((os.open("/dev/null", os.O_RDONLY), peer))


_kept: list[Any] = []


def _plan(**changes: Any) -> DrawnCall:
    steps = [{"wait_ms": 6_000}, "hang_up"]
    return attrs.evolve(
        drawn(1, 0), line="audiosocket", spec="server_vad", attack=None, steps=steps, telephone={},
        provider={"faults": []}, keeps_files=False, **changes,
    )  # fmt: skip


def test_what_a_call_leaves_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attacks, "ATTACKS", {"leaves": Attack(_leaves)})
    with heard() as complaints:
        call = play_virtually(attrs.evolve(_plan(), attack="leaves"), complaints)
    leaks = [each.text for each in call.findings if each.kind == "leak"]
    assert any("forgotten" in each for each in leaks) and any("print" in each for each in leaks)
    assert any(each.startswith("descriptor ") and "/dev/null" in each for each in leaks)
    os.close(_kept.pop()[0])


def test_an_exception_that_nobody_handles_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("an observer that fails")

    monkeypatch.setattr(CallWatch, "stepped", fails)
    with heard() as complaints:
        call = play_virtually(_plan(), complaints)
    assert [each.kind for each in call.findings] == ["exception"]
    assert "observer_failed | RuntimeError: an observer that fails | File " in call.findings[0].text


def test_a_journal_that_is_not_whole_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.call.journal_writer.CallJournal.ended", lambda *_: None)
    with heard() as complaints:
        call = play_virtually(attrs.evolve(_plan(), keeps_files=True), complaints)
    assert "file" in {each.kind for each in call.findings}


def test_what_libraries_and_the_interpreter_complain_of_is_heard() -> None:
    with heard() as complaints:
        logging.getLogger("asyncio").error("Task exception was never retrieved")
        logging.getLogger("websockets").warning("only a warning")
        args = SimpleNamespace(object=len, exc_value=ValueError("in a finalizer"), exc_type=ValueError)
        sys.unraisablehook(cast(Any, args))
        assert complaints.taken() == [
            "Task exception was never retrieved",
            "in <built-in function len> | ValueError: in a finalizer",
        ]
        assert complaints.taken() == []


async def test_what_goes_in_time_is_not_left_over() -> None:
    before = holdings()
    task = asyncio.create_task(asyncio.sleep(0.01))
    assert holdings().more_than(before)
    assert await left_over(before, 5) == []
    assert task.done()


def test_descriptors_are_not_looked_at_where_the_system_does_not_list_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tools.campaign.holdings._DESCRIPTORS", tmp_path / "none")

    async def look() -> None:
        assert holdings().descriptors == frozenset()

    asyncio.run(look())
