"""Whether one more call is taken, by how late the loop is: its hysteresis, and the timers that feed it."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from adapters.server.admission import EVERY_S, MOST_WAIT_S, Admission, LoopWatch, NewCalls
from adapters.simulator.providers.realtime import ProviderServer
from tests.adapters.server.test_server import GREETED, call, serving, settings_for
from tests.adapters.server.test_server_door import client_of, with_door

pytestmark = pytest.mark.virtual_time


def fed(admission: Admission, from_s: float, *late_ms: float) -> list[bool]:
    """Whether it is open after each of these timers."""
    found = []
    for number, each_ms in enumerate(late_ms):
        admission.note(from_s + number * EVERY_S, each_ms / 1000)
        found.append(admission.is_open)
    return found


def test_a_loop_that_is_late_closes_it_and_half_of_the_limit_opens_it_again() -> None:
    admission = Admission(0.05)
    assert all(fed(admission, 0.0, *[1.0] * 100))
    assert fed(admission, 1.0, 60, 60, 60) == [True, False, False], "one late timer is spared"
    assert admission.p99_s() == pytest.approx(0.06)
    assert not any(fed(admission, 1.03, *[40.0] * 200)), "under the limit, and over half of it"
    after = fed(admission, 3.03, *[20.0] * 200)
    assert after.index(True) == 98 and all(after[98:]), "as soon as the last second has one that was later"


def test_one_stall_is_no_overload() -> None:
    admission = Admission(0.05)
    assert all(fed(admission, 0.0, *[0.0] * 60, 900.0, *[0.0] * 60))
    assert admission.p99_s() == 0.0


def test_nothing_is_said_of_a_handful_of_timers_and_without_a_limit_nothing_ever() -> None:
    assert all(fed(Admission(0.05), 0.0, *[500.0] * 49))
    assert not all(fed(Admission(0.05), 0.0, *[500.0] * 50))
    assert all(fed(Admission(None), 0.0, *[500.0] * 200))
    assert Admission(0.05).p99_s() == 0.0


async def test_a_loop_that_is_never_late_keeps_it_open_and_says_nothing() -> None:
    watch, said = LoopWatch(0.05), list[bool]()
    watch.on_changed = said.append
    watch.start()
    await asyncio.sleep(3.0)
    assert not watch.is_busy() and said == []
    watch.close()
    silent = LoopWatch(None)
    silent.start()
    silent.close()


async def test_a_change_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, said = LoopWatch(0.05), list[bool]()
    watch.on_changed = said.append
    answers = iter([False, True, False, True])
    monkeypatch.setattr(Admission, "note", lambda *_: next(answers, False))
    watch.start()
    watch.admission.is_open = False
    await asyncio.sleep(0.025)
    watch.admission.is_open = True
    await asyncio.sleep(0.025)
    watch.close()
    assert said == [True, False]


async def test_while_the_loop_is_late_callers_are_refused_by_name(tmp_path: Path) -> None:
    async with (
        ProviderServer() as provider,
        serving(with_door(tmp_path, provider.url)) as server,
        client_of(server) as client,
    ):
        server.watch.close()
        server.watch.admission.is_open = False
        late = await call(server, GREETED)
        assert late.ended == "rst"
        assert (await client.get(f"/calls/{late.call_id}/result")).text == "refused:busy"
        reasons = (await client.get("/readyz")).json()["reasons"]
        assert [each["reason"] for each in reasons] == ["busy"]
        assert (await client.post("/calls", json={})).status_code == 503
        server.watch.admission.is_open = True
        report = await call(server, GREETED, uuid.uuid4())
        assert len(report.agent_speech) == 1


def test_of_a_burst_some_begin_one_after_the_other_and_the_others_are_refused() -> None:
    calls = NewCalls(per_s=50.0)
    assert not calls.is_full(7.0)
    waits = [calls.wait_s(7.0) for _ in range(700)]
    taken = [each for each in waits if each is not None]
    assert taken == pytest.approx([0.0, 0.0, *(number * 0.02 for number in range(26))]), "hardly two at once"
    assert max(taken) <= MOST_WAIT_S and waits[28:] == [None] * 672, "one that is refused takes no place"
    assert calls.is_full(7.0) and not calls.is_full(7.03)
    assert calls.wait_s(7.03) == pytest.approx(0.49), "a place is free again"


def test_calls_that_come_evenly_never_wait() -> None:
    calls = NewCalls(per_s=50.0)
    assert {calls.wait_s(number * 0.0201) for number in range(2000)} == {0.0}


async def test_who_comes_in_a_crowd_is_refused_by_name_and_the_next_second_is_served(tmp_path: Path) -> None:
    async with ProviderServer() as provider:
        settings = settings_for(tmp_path, provider.url, "limits: {new_calls_s: 2}\n")
        async with serving(settings) as server:
            reports = await asyncio.gather(*(call(server, GREETED, uuid.uuid4()) for _ in range(4)))
            assert sorted(each.ended for each in reports)[-2:] == ["rst", "rst"]
            assert sum(len(each.agent_speech) for each in reports) == 2
            later = await call(server, GREETED, uuid.uuid4())
            assert len(later.agent_speech) == 1


async def test_the_limit_is_the_configurations(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "ws://127.0.0.1:1/", "limits: {loop_lag_ms: 20}\n")
    assert settings.loop_lag_s == 0.02
