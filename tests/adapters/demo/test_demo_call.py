"""The demo's own call: healthy with every bundled spec, the same again for a seed, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from adapters.demo.demo_call import DemoCall, run_demo
from adapters.demo.display_events import DisplayEvent
from adapters.demo.lines import LINES
from adapters.demo.plan import PlanError
from adapters.simulator.providers.realtime.server import ProviderServer
from adapters.virtual_time import VirtualTimeLoop
from fsm.journal.journal import read
from tests.adapters.demo.played_demo import PlayedDemo, planned, play

COUNTS = ("turns", "answers", "creates", "rejections", "barge_ins", "underruns", "tools", "creates_by_cause", "states")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> PlayedDemo:
    return play(tmp_path_factory.mktemp("demo"))


def test_a_demo_call_is_healthy(demo: PlayedDemo) -> None:
    summary = demo.summary
    assert summary["problems"] == [] and summary["healthy"]
    assert (summary["turns"], summary["answers"], summary["rejections"], summary["underruns"]) == (6, 6, 0, 0)
    assert summary["creates_by_cause"] == {"greeting": 1, "turn": 1, "tools": 1}
    assert (summary["barge_ins"], summary["tools"], summary["tool_rounds"], summary["violations"]) == (1, 2, 1, 0)
    assert summary["caller"]["waited_in_vain"] == []


def test_it_takes_about_half_a_minute(demo: PlayedDemo) -> None:
    assert 25 < demo.summary["duration_s"] < 35


def test_both_sides_are_shown_with_tools_keys_and_the_barge_in(demo: PlayedDemo) -> None:
    assert demo.said("caller") == [
        "Hello, where is my order?",
        "And the weather in Berlin and Paris?",
        "How do I return my order?",
        "Wait, when are you open?",
        "Thank you, bye.",
    ]
    assert demo.said("key") == ["4 2"]
    assert demo.said("agent")[0] == "Hello! How can I help you?"
    assert demo.said("agent")[-1] == "You are welcome. Bye!"
    assert len(demo.said("tool")) == 4
    [cut] = demo.said("cut")
    assert cut.startswith('"Let me explain how') and "the agent is cut after 1." in cut
    assert [event.turn for event in demo.events if event.turn] == [1, 2, 3, 4, 5, 6]


def test_the_tools_run_side_by_side(demo: PlayedDemo) -> None:
    berlin, paris = (
        next(event.at_ms for event in demo.events if event.text.startswith(f"weather(city={city}) ="))
        for city in ("Berlin", "Paris")
    )
    begun = [event.at_ms for event in demo.events if event.kind == "tool" and event.text.endswith("...")]
    assert max(begun) < min(berlin, paris)


def test_the_recording_has_speech_on_both_sides(demo: PlayedDemo) -> None:
    with wave.open(str(demo.folder / "recording.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(float)
    assert len(samples) / 8000 == pytest.approx(demo.summary["duration_s"], abs=1.0)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160, 2)
    loud_s = (np.sqrt((frames**2).mean(axis=1)) > 300).sum(axis=0) * 0.02
    assert loud_s[0] > 5 and loud_s[1] > 10


def test_the_journal_has_the_whole_call(demo: PlayedDemo) -> None:
    journal = read((demo.folder / "journal.jsonl").read_text(encoding="utf-8").splitlines(keepends=True))
    assert journal.warnings == ()
    assert journal.header.spec == "server_vad" and journal.header.digest
    assert [line.after for line in journal.steps][-1] == "closed"
    assert journal.end is not None and journal.end.summary["answers"] == 6


def test_the_summary_is_left_as_json(demo: PlayedDemo) -> None:
    assert json.loads((demo.folder / "summary.json").read_text(encoding="utf-8")) == demo.summary
    assert {path.name for path in demo.folder.iterdir()} == {"journal.jsonl", "recording.wav", "summary.json"}


@pytest.mark.parametrize("audio_format", ["pcma", "pcm16"])
def test_other_formats_change_nothing(audio_format: str, tmp_path: Path, demo: PlayedDemo) -> None:
    summary = play(tmp_path, audio_format=audio_format).summary
    assert summary["problems"] == []
    assert {key: summary[key] for key in COUNTS} == {key: demo.summary[key] for key in COUNTS}


@pytest.mark.parametrize("line", ["chan_websocket", "twilio", "sideband"])
def test_a_caller_of_another_line_has_the_same_call(line: str, tmp_path: Path, demo: PlayedDemo) -> None:
    other = play(tmp_path, line=line)
    assert other.summary["healthy"], other.summary["problems"]
    is_elsewhere = bool(LINES[line].lacks)  # then the moments are the provider's, and with them the states between
    same = [key for key in COUNTS if not (is_elsewhere and key == "states")]
    assert {key: other.summary[key] for key in same} == {key: demo.summary[key] for key in same}
    assert other.summary["caller"]["waited_in_vain"] == []
    recorded = set() if "recording" in LINES[line].lacks else {"recording.wav"}
    assert {each.name for each in tmp_path.iterdir()} == {"journal.jsonl", "summary.json"} | recorded


def test_a_seed_repeats_turns_states_and_counts(tmp_path: Path) -> None:
    first, second = (play(tmp_path / name, seed=4321).summary for name in ("first", "second"))
    assert {key: first[key] for key in COUNTS} == {key: second[key] for key in COUNTS}
    assert first["problems"] == []


def test_a_seed_changes_the_ids() -> None:
    assert planned(seed=1).call_id != planned(seed=2).call_id
    assert planned(seed=1).call_id == planned(seed=1).call_id


def test_the_users_own_spec_is_played(tmp_path: Path) -> None:
    spec = tmp_path / "mine.yaml"
    text = (Path(__file__).parents[3] / "specs" / "server_vad.yaml").read_text(encoding="utf-8")
    spec.write_text(text.replace("spec: server_vad", "spec: mine"), encoding="utf-8")
    summary = play(tmp_path / "out", spec=str(spec)).summary
    assert (summary["spec"], summary["problems"]) == ("mine", [])


class TestRealProvider:
    """`--provider openai`, against a simulator in OpenAI's place."""

    def test_without_a_key_it_says_which_is_missing(self) -> None:
        with pytest.raises(PlanError, match="OPENAI_API_KEY"):
            planned(provider="openai")

    def test_a_wrong_address_is_said_without_the_key(self) -> None:
        with pytest.raises(PlanError, match="scheme must be ws or wss") as caught:
            planned({"OPENAI_API_KEY": "sk-secret", "OPENAI_REALTIME_BASE_URL": "https://x"}, provider="openai")
        assert "sk-secret" not in str(caught.value)

    def test_it_talks_to_the_address_with_the_key_and_the_model(self, tmp_path: Path) -> None:
        async def run() -> tuple[dict[str, Any], list[Any]]:
            simulated = planned()
            settings = attrs.evolve(simulated.simulated, api_keys=("sk-real",), models=("gpt-realtime-2",))
            async with ProviderServer(settings, simulated.scenario) as provider:
                environment = {
                    "OPENAI_API_KEY": "sk-real", "OPENAI_MODEL": "gpt-realtime-2",
                    "OPENAI_REALTIME_BASE_URL": provider.url, "OPENAI_VOICE": "marin",
                }  # fmt: skip
                plan = planned(environment, provider="openai")
                outcome = await run_demo(plan, tmp_path, lambda _event: None)
                updates = [seen.event for seen in provider.stats[0].received if seen.type == "session.update"]
                return outcome.summary, updates

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            summary, updates = runner.run(run())
        assert summary["problems"] == []
        assert updates[0]["session"]["audio"]["output"]["voice"] == "marin"
        left = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json*"))
        assert "sk-real" not in left


def test_hanging_up_in_the_middle_leaves_what_there_is(tmp_path: Path) -> None:
    events: list[DisplayEvent] = []

    async def run() -> dict[str, Any]:
        call = DemoCall(planned(), tmp_path, events.append)
        asyncio.get_running_loop().call_later(8.0, call.hang_up)
        return dict((await call.play()).numbers)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        numbers = runner.run(run())
    assert numbers["end_reason"] == "operator.hang_up_requested: ctrl-c"
    assert numbers["duration_s"] < 12
    assert (tmp_path / "recording.wav").stat().st_size > 8 * 8000
    assert (tmp_path / "journal.jsonl").is_file()


def test_an_answer_that_comes_in_one_burst_with_the_turn_it_is_for_is_heard(tmp_path: Path, demo: PlayedDemo) -> None:
    """Audio passes the mailbox: the flush for the turn's beginning is not about the answer behind it."""
    file = tmp_path / "stall.yaml"
    file.write_text("faults: [{fault: stall_sending, after: response.created, nth: 2, for_s: 2}]\n", encoding="utf-8")
    stalled = play(tmp_path / "out", scenario=str(file))
    assert stalled.summary["answers"] == demo.summary["answers"]
    longest = [one.summary["longest_silence_ms"] for one in (stalled, demo)]
    assert longest[0] <= longest[1] + 2000  # the stall itself
