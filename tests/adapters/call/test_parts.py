"""Parts of the cookbook over providers that are not Realtime: what they want said is heard, over real sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from adapters.simulator.providers.deepgram import AgentScenario
from adapters.simulator.providers.live import LiveScenario
from tests.adapters.call.agent_rig import play_agent
from tests.adapters.call.live_rig import play_live
from tests.adapters.call.model_rig import PlayedModel


async def over_live(steps: list[Any]) -> PlayedModel:
    return await play_live(steps, LiveScenario(), spec="cookbook/live_line")


async def over_deepgram(steps: list[Any]) -> PlayedModel:
    return await play_agent(steps, AgentScenario(), spec="cookbook/deepgram_line")


pytestmark = pytest.mark.virtual_time
BOTH = pytest.mark.parametrize("play", [over_live, over_deepgram], ids=["live", "deepgram"])
Play = Callable[[list[Any]], Awaitable[PlayedModel]]
HEAR: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]


def asked(played: PlayedModel) -> list[str]:
    """What was put in, in order."""
    return [
        str(effect.args["cause"])
        for _, step in played.watcher.steps
        for effect in step.effects
        if effect.name == "request_speech"
    ]


@BOTH
async def test_a_callee_who_says_nothing_is_spoken_to_warned_and_bidden_goodbye(play: Play) -> None:
    played = await play([*HEAR, *HEAR, *HEAR, {"until_hung_up": {"within_ms": 30_000}}])
    numbers = played.summary.as_json()
    assert asked(played) == ["greeting", "time_is_short", "time_is_up"], "\n".join(played.watcher.story)
    assert len(played.caller.agent_speech) == 3 and played.caller.ended == "hangup"
    assert (numbers["rejections"], numbers["violations"], numbers["turns"]) == (0, 0, 0)
    assert numbers["agent_audio_played_s"] == pytest.approx(numbers["agent_audio_generated_s"], abs=0.1)


@BOTH
async def test_a_key_is_answered_by_an_announcement_before_the_transfer(play: Play) -> None:
    """And that only when it has been heard to its end; then the dialplan goes on."""
    played = await play([*HEAR, {"press": "0"}, "wait_agent_speaking", {"until_hung_up": {"within_ms": 30_000}}])
    done = {effect.name: step.variant for _, step in played.watcher.steps for effect in step.effects}
    assert asked(played) == ["greeting", "putting_through"], "\n".join(played.watcher.story)
    assert (done["transfer"], done["hang_up"]) == ("playout.drained", "transfer.completed")
    assert "send_digits" not in done and len(played.caller.agent_speech) == 2


async def test_what_must_be_heard_first_is_heard_to_its_end_and_what_was_said_meanwhile_is_answered() -> None:
    steps = [{"wait_ms": 500}, {"say": "caller_where_is_it"}, *HEAR, "hang_up"]
    played = await play_agent(steps, AgentScenario(), spec="cookbook/announcement")
    variants = [step.variant for _, step in played.watcher.steps]
    done = {effect.name: step.variant for _, step in played.watcher.steps for effect in step.effects}
    assert done["connect_provider"] == "prompt.finished", "\n".join(played.watcher.story)
    assert "flush_playout" not in done and played.caller.talk_over_ms > 500
    assert asked(played) == ["greeting"]
    assert (variants.count("turn.taken"), variants.count("voice.began.new")) == (1, 2)
