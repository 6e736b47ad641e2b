"""The process may open as many files as its calls need, or says that it may not."""

from __future__ import annotations

import resource

import pytest

from adapters.server.descriptors import make_room, needed


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """The limits of a process of its own: `now`."""
    held = {"now": (1024, 4096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: held["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, pair: held.update(now=pair))
    return held


def test_a_soft_limit_is_raised_as_far_as_it_must_be(limits: dict[str, tuple[int, int]]) -> None:
    assert make_room(1000) == "" and limits["now"] == (1024, 4096)
    assert make_room(2000) == "" and limits["now"] == (2000, 4096)


def test_above_the_hard_limit_the_number_is_reported(limits: dict[str, tuple[int, int]]) -> None:
    assert make_room(5000) == "that needs 5000 file descriptors, and this process may have 4096 (ulimit -Hn)"
    assert limits["now"] == (1024, 4096)


def test_without_a_limit_there_is_room(limits: dict[str, tuple[int, int]]) -> None:
    limits["now"] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert make_room(10**9) == ""


@pytest.mark.usefixtures("limits")
def test_a_limit_that_cannot_be_raised_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_kind: int, _pair: tuple[int, int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(resource, "setrlimit", refused)
    assert "the limit of 1024 cannot be raised" in make_room(2000)


def test_files_of_a_call_count() -> None:
    assert needed(200, 2) - needed(200, 0) == 400
