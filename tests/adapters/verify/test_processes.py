"""Searches over processes: the same verdicts as in one, an end on request, and a process that dies is told."""

from __future__ import annotations

import multiprocessing
import operator
import os
import time

import attrs
import click
import pytest

from adapters.cli.search_request import SearchRequest
from adapters.verify.parallel import spread
from adapters.verify.processes import results
from adapters.verify.run import SearchProgress, VerifyOptions, all_searched, load_environment
from tests.fsm.verify import house

SHORT = VerifyOptions(size="full", scenes=("hung", "hasty"))


def nothing() -> bool:
    return True


def test_every_task_comes_back_and_no_process_stays() -> None:
    others = set(multiprocessing.active_children())
    assert sorted(results(operator.neg, range(20), os.getpid, (), nothing)) == sorted(-n for n in range(20))
    # The pool's own thread may be the one that reaps a process, and takes it off the list a moment later.
    ends = time.monotonic() + 10.0
    while set(multiprocessing.active_children()) - others and time.monotonic() < ends:
        time.sleep(0.01)
    assert set(multiprocessing.active_children()) - others == set()


def test_a_process_that_is_ended_from_outside_is_told_and_not_waited_for() -> None:
    with pytest.raises(click.ClickException, match="ended from outside"):
        list(results(os._exit, [9], os.getpid, (), nothing))


def test_it_ends_when_it_is_asked_to() -> None:
    assert list(results(operator.neg, range(20), os.getpid, (), lambda: False)) == []


@pytest.mark.parametrize("size", ["quick", "full"])
def test_scenes_over_processes_say_what_they_say_in_one(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full bounds at once; quick ones when their time is over."""
    monkeypatch.setattr("adapters.cli.search_request.PATIENCE_S", 0.0)
    options = attrs.evolve(SHORT, size=size)
    around, spec = load_environment(), house.spec("push_to_talk")
    asked = SearchRequest(
        ("push_to_talk",), (spec,), {"push_to_talk": around}, options, SearchProgress(quiet=True), typestate=True
    )
    found = asked.searched()
    alone = all_searched(spec, around, options, SearchProgress(quiet=True))
    assert [v.scene for v in found["push_to_talk"]] == ["hung", "hasty"]
    for one, other in zip(found["push_to_talk"], alone, strict=True):
        assert (one.outcome, one.states, one.transitions) == (other.outcome, other.states, other.transitions)
        assert not any(one.cut.values())


def test_ctrl_c_leaves_out_what_is_not_judged() -> None:
    watch = SearchProgress(quiet=True)
    watch.stopped = True
    assert spread([("push_to_talk", "hung"), ("push_to_talk", "hasty")], SHORT, watch, typestate=True) == {}
