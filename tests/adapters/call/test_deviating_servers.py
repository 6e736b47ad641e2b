"""Calls of four turns with a tool against servers that leave out ids: no turn is lost, none answered twice.

Source: docs/facts/realtime_api.md section 8: speaches echoes no metadata, Hugging Face's server never says committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.simulator.providers.realtime import parse_scenario
from adapters.tools import Tool
from tests.adapters.call.rig import play

pytestmark = pytest.mark.virtual_time

HEARD_OUT: list[Any] = ["wait_agent_speaking", {"wait_agent_silent": {"for_ms": 800}}]
SAID = ("caller_order_status", "caller_weather", "caller_when_open", "caller_yes")
KEY: list[Any] = [{"press": "*"}, {"wait_ms": 150}]
SPOKEN = [step for line in SAID for step in ({"say": line}, *HEARD_OUT)]
KEYED = [step for line in SAID for step in (*KEY, {"say": line}, {"wait_ms": 150}, KEY[0], *HEARD_OUT)]
CALLS_A_TOOL = "responses: [{when: {after: user, user_turn: 2}, output: [{call: get_weather}]}]"

NO_METADATA = (
    "{fault: mutate, type: response.created, drop: [response.metadata]},"
    "{fault: mutate, type: response.done, drop: [response.metadata]}"
)
NO_COMMIT = "{fault: lose, type: input_audio_buffer.committed}"
DEVIATIONS = {
    "does as OpenAI": "",
    "echoes no metadata": NO_METADATA,
    "commits without an item": "{fault: mutate, type: input_audio_buffer.committed, drop: [item_id]}",
    "says nothing of commits": NO_COMMIT,
    "echoes no metadata and says nothing of commits": f"{NO_METADATA}, {NO_COMMIT}",
}
SESSIONS: dict[str, dict[str, Any]] = {
    "server_vad": {},
    "owned_turns": {"turn_detection": {"type": "server_vad", "create_response": False}},
    "push_to_talk": {"turn_detection": None},
}


@pytest.mark.parametrize("spec", SESSIONS)
@pytest.mark.parametrize("server", DEVIATIONS)
async def test_every_turn_is_answered_once(server: str, spec: str) -> None:
    tool = Tool("get_weather", lambda: "sunny", parameters={"type": "object"})
    scenario = parse_scenario(f"{CALLS_A_TOOL}\nfaults: [{DEVIATIONS[server]}]", Path("deviates.yaml"))
    script = {"steps": [*HEARD_OUT, *(KEYED if spec == "push_to_talk" else SPOKEN), "hang_up"]}
    session = {"tools": [tool.definition], **SESSIONS[spec]}
    played = await play(script, spec=spec, scenario=scenario, session=session, settings={"tools": {tool.name: tool}})
    story = "\n".join(played.watcher.story)
    [provider] = played.sessions
    assert played.caller.notes == () and len(played.caller.reply_ms) == 4, story
    assert provider.rejections == {} and played.summary.as_json()["violations"] == 0, story
    first_ms, *later_ms = played.caller.reply_ms
    # Whether a server says that it commits is learned once: 2 s are waited for the first commit of ours, not again.
    learns = "says nothing of commits" in server and spec != "server_vad"
    assert first_ms < (3000 if learns else 2000) and max(later_ms) < 2000, played.caller.reply_ms
    # A greeting, one for each turn, one after the tool; where a pause splits a turn, its first part may get one, too.
    assert 6 <= provider.responses <= 2 + provider.user_turns, story
