"""One conversation over any protocol: a script of its own words, played by each protocol's simulator. Never a test.

A protocol is a row of PROTOCOLS: how its simulator is told the script, and what is left of a call to look at.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from adapters.call.summary import Summary
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.providers.live import LiveFault, LiveRule, LiveScenario
from adapters.simulator.providers.realtime import parse_scenario
from adapters.simulator.speech import lines
from tests.adapters.call.live_rig import play_live
from tests.adapters.call.rig import Watcher, play

LOST_AT_S: Final = 9
"""Of the session: the greeting and a first answer have been heard."""


@attrs.frozen(kw_only=True)
class SaidTurn:
    """A turn of the caller's, by the name of its recorded line, and what the model does about it."""

    line: str
    answer: str
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    then: str = ""
    """What it says of what came of its calls."""

    @property
    def text(self) -> str:
        return lines()[self.line].text


@attrs.frozen(kw_only=True)
class Conversation:
    """What is said, in order; every session begins it anew. `goes_wrong`: a session is lost, or none may be opened."""

    turns: tuple[SaidTurn, ...] = ()
    goes_wrong: Literal["", "lost", "refused"] = ""


@attrs.frozen
class Outcome:
    """What is left of a call. `said`: by the model; `sessions`: how many there were."""

    summary: Summary
    caller: CallerReport
    watcher: Watcher
    said: Sequence[str]
    sessions: int

    @property
    def numbers(self) -> Mapping[str, Any]:
        return self.summary.as_json()

    @property
    def states(self) -> list[str]:
        return [step.snapshot.state for _, step in self.watcher.steps]

    @property
    def sent(self) -> list[Mapping[str, Any]]:
        """To the provider, but the audio."""
        return [event for _, way, event in self.watcher.wires if way == "out"]

    @property
    def outputs(self) -> list[Any]:
        """The results of tools, as they were sent."""
        items = (event.get("item") or {} for event in self.sent)
        return [json.loads(item["output"]) for item in items if item.get("type") == "function_call_output"]

    @property
    def told(self) -> str:
        """All that the last session was told."""
        opened = max(i for i, (_, step) in enumerate(self.watcher.steps) if "connect_provider" in _effects(step))
        since_ms = self.watcher.steps[opened][0]
        return json.dumps([event for at, way, event in self.watcher.wires if way == "out" and at >= since_ms])

    @property
    def story(self) -> str:
        return "\n".join(self.watcher.story)


def _effects(step: Any) -> list[str]:
    return [effect.name for effect in step.effects]


Settings = Mapping[str, Any]
Play = Callable[[Conversation, list[Any], Settings], Awaitable[Outcome]]


async def _play_realtime(conversation: Conversation, steps: list[Any], settings: Settings) -> Outcome:
    faults = {
        "": [],
        "lost": [{"fault": "close", "connection": 1, "at_s": LOST_AT_S, "code": 1011}],
        "refused": [{"fault": "http_status", "status": 401}],
    }
    responses: list[dict[str, Any]] = []
    for number, turn in enumerate(conversation.turns, 1):
        calls = [{"call": name, "arguments": json.dumps(arguments)} for name, arguments in turn.calls]
        responses.append({"when": {"user_turn": number, "after": "user"}, "output": [{"say": turn.answer}, *calls]})
        if turn.then:
            responses.append({"when": {"after": "tools"}, "output": [{"say": turn.then}]})
    document = {
        "user_turns": [turn.text for turn in conversation.turns],
        "responses": responses,
        "faults": faults[conversation.goes_wrong],
    }
    scenario = parse_scenario(json.dumps(document), Path("conversation.yaml"))
    session = {"transcription": {"model": "gpt-4o-transcribe"}}
    played = await play({"steps": steps}, scenario=scenario, session=session, settings=settings)
    said = [
        str(event["transcript"])
        for _, way, event in played.watcher.wires
        if way == "in" and event.get("type") == "response.output_audio_transcript.done"
    ]
    return Outcome(played.summary, played.caller, played.watcher, said, len(played.sessions))


async def _play_live(conversation: Conversation, steps: list[Any], settings: Settings) -> Outcome:
    faults = {
        "": (),
        "lost": (LiveFault(kind="close", at_ms=LOST_AT_S * 1000),),
        "refused": (LiveFault(kind="reject_key", session=0, at_ms=1000),),
    }
    rules = tuple(
        LiveRule(heard=turn.text, say=turn.answer, calls=turn.calls, then=turn.then) for turn in conversation.turns
    )
    turns = tuple(turn.text for turn in conversation.turns)
    scenario = LiveScenario(user_turns=turns, rules=rules, faults=faults[conversation.goes_wrong])
    played = await play_live(steps, scenario, settings=settings)
    return Outcome(played.summary, played.caller, played.watcher, played.said, len(played.sessions))


@attrs.frozen
class SpokenProtocol:
    """A protocol. `asks`: how often a caller who says nothing is asked, before the call ends; 0: it does not."""

    play: Play
    asks: int = 0


PROTOCOLS: Final[Mapping[str, SpokenProtocol]] = {
    "realtime": SpokenProtocol(_play_realtime),
    "live": SpokenProtocol(_play_live, asks=2),
}
