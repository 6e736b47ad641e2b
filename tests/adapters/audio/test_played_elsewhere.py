"""Audio that the provider plays itself: what it says of it, as facts of the playout."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from adapters.audio.played_elsewhere import PlayedElsewhere

pytestmark = pytest.mark.virtual_time


def path() -> tuple[PlayedElsewhere, list[str]]:
    facts: list[str] = []

    def note(name: str, _data: Mapping[str, object]) -> None:
        facts.append(name.removeprefix("playout."))

    return PlayedElsewhere(note, asyncio.get_running_loop().call_later), facts


async def test_an_answer_is_heard_once_after_a_moment_and_drained_at_its_end() -> None:
    audio, facts = path()
    audio.moment("started", "r1")
    await asyncio.sleep(0.3)
    assert audio.is_playing
    audio.moment("stopped", "r1")
    assert facts == ["started", "heard", "drained"] and not audio.is_playing


async def test_a_short_answer_is_heard_at_its_end() -> None:
    audio, facts = path()
    audio.moment("started", "r1")
    audio.moment("stopped", "r1")
    await asyncio.sleep(1)
    assert facts == ["started", "heard", "drained"]


async def test_a_response_without_a_playout_is_silent_but_not_before_one_could_have_begun() -> None:
    audio, facts = path()
    audio.end_response("r1")
    await asyncio.sleep(0.9)
    assert facts == []
    await asyncio.sleep(0.2)
    assert facts == ["silent"]
    audio.end_response("r2")
    audio.moment("started", "r2")
    await asyncio.sleep(2)
    assert facts == ["silent", "started", "heard"]


async def test_a_flush_is_done_when_the_provider_says_so_and_gives_no_verdict() -> None:
    audio, facts = path()
    audio.flush([], ())
    audio.moment("started", "r1")
    audio.flush(["r1"], ())
    assert facts == ["flushed", "started"]
    audio.moment("cleared", "r1")
    await asyncio.sleep(2)
    assert facts == ["flushed", "started", "flushed"] and audio.stats.flushes == 2


async def test_what_the_provider_cuts_by_itself_is_over() -> None:
    audio, facts = path()
    audio.moment("started", "r1")
    audio.moment("cleared", "r1")
    await asyncio.sleep(2)
    assert facts == ["started", "drained"]


async def test_the_end_of_an_answer_that_began_before_we_came_says_that_it_was_heard() -> None:
    audio, facts = path()
    audio.moment("started", "r1")
    audio.moment("stopped", "r0")
    assert facts == ["started", "heard"] and audio.is_playing, "r0 was heard; r1 plays on"


async def test_a_prompt_ends_at_once_and_no_timer_is_left() -> None:
    audio, facts = path()
    audio.play_prompt("apology")
    audio.end_response("r1")
    for number in range(100):
        audio.moment("started", f"s{number}")
        audio.moment("stopped", f"s{number}")
    audio.close()
    await asyncio.sleep(2)
    assert facts[0] == "prompt.finished" and "silent" not in facts
    assert (audio.unheard(), audio.pull(), audio.advance(20), audio.duration_ms(b"xx")) == ([], None, None, 0.0)
