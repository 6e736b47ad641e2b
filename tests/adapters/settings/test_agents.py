"""Several agents in one file: what each says is its own, and what it does not say is the file's."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from adapters.providers.realtime.provider import RealtimeProvider
from adapters.settings import config as settings_config
from fsm.language.problem import SpecError
from tests.adapters.settings.test_config import load_once, loaded

FILE = """\
greeting: Good day.
talk_key: "1"
provider: {voice: marin, instructions: Be kind.}
tools: [{name: clock, function: "time:ctime"}]
agents:
  night:
    numbers: ["+4930123", "100"]
    greeting: Good night, {caller_id}.
    instructions: Take a message.
    tools: []
  keys:
    spec: push_to_talk
    voice: cedar
"""


@pytest.fixture(autouse=True)
def _specs_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_config, "load_file", load_once)


def test_an_agent_is_the_file_with_its_own_words_laid_over_it(tmp_path: Path) -> None:
    settings = loaded(tmp_path, FILE)
    default, night, keys = settings.agents
    assert [each.name for each in settings.agents] == ["default", "night", "keys"]
    assert (default.call.greeting, night.call.greeting, keys.call.greeting) == (
        "Good day.", "Good night, {caller_id}.", "Good day.",
    )  # fmt: skip
    sessions = [each.provider.session for each in settings.agents if isinstance(each.provider, RealtimeProvider)]
    assert [each.instructions for each in sessions] == ["Be kind.", "Take a message.", "Be kind."]
    assert [each.voice for each in sessions] == ["marin", "marin", "cedar"]
    assert [list(each.call.tools) for each in settings.agents] == [["clock"], [], ["clock"]]
    assert [each.spec.name for each in settings.agents] == ["server_vad", "server_vad", "push_to_talk"]
    assert (sessions[0].turn_detection, sessions[2].turn_detection) != (None, None) and sessions[
        2
    ].turn_detection is None
    assert [each.call.talk_key for each in settings.agents] == ["1", "1", "1"]
    assert (settings.spec, settings.call) == (default.spec, default.call)
    assert night.numbers == ("+4930123", "100")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("agents: {default: {}}", "1:9: error[name]: agents: 'default' is the agent of the file itself"),
        ("agents: {'a b': {}}", "1:10: error[name]: 'a b' is not a name"),
        ("agents: {a: {greet: x}}", "1:14: error[unknown-key]: 'greet' is not a key of 'agents.a'"),
        ("agents: [a]", "1:9: error[type]: agents: a mapping of agents is expected here"),
        ("agents: {a: {spec: no_such}}", "1:20: error[no-file]: the spec cannot be read"),
        ("agents: {a: {numbers: ['1']}, b: {numbers: ['1']}}", "1:44: error[two-meanings]: '1' is already the"),
        ("prompts: {apology: none.wav}", "1:20: error[prompt]: prompts.apology: the recording cannot be played: No"),
        ("prompts: {apology: turnspec.yaml}", "prompts.apology: the recording cannot be played: not a PCM WAV"),
        ("call_tools: [transfer_call]", "1:13: error[missing]: transfer_call needs somebody to put a"),
        ("call_tools: [hang_up]", "1:14: error[unknown-name]: call_tools[0]: 'hang_up' is not known here"),
        ("transfers: {'a b': {}}", "1:13: error[name]: 'a b' is not a name"),
        ("greeting: '{callerid}'", "1:11: warning[unknown-name]: '{callerid}' is not filled in"),
        ("agents: {a: {instructions: 'x {caller}'}}", "1:28: warning[unknown-name]: '{caller}' is not filled in"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_agent_has_its_place(tmp_path: Path, text: str, problem: str) -> None:
    try:
        found = loaded(tmp_path, text).warnings
    except SpecError as error:
        found = error.problems
    assert [str(each) for each in found if problem in str(each)], [str(each) for each in found]


def test_what_agents_share_is_wrong_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, "agents: {a: {}, b: {}}", {})
    assert len(caught.value.problems) == 1, "the key is missing for all three"


def test_prompts_of_ones_own(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "hold.wav"), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(bytes(400))
    settings = loaded(tmp_path, "prompts: {opening: hold.wav}\nagents: {a: {prompts: {apology: hold.wav}}}")
    assert [sorted(each.prompts) for each in settings.agents] == [["opening"], ["apology", "opening"]]


def test_the_tools_of_the_call_itself(tmp_path: Path) -> None:
    text = (
        "call_tools: [end_call, transfer_call]\n"
        "transfers: {sales: {about: orders}, desk: {}}\nagents: {a: {call_tools: []}}"
    )
    default, other = loaded(tmp_path, text).agents
    assert list(default.call.tools) == ["end_call", "transfer_call"] and not other.call.tools
    target = default.call.tools["transfer_call"].parameters["properties"]["target"]  # type: ignore[index]
    assert target == {"type": "string", "enum": ["sales", "desk"], "description": "sales: orders; desk"}
    assert [each["name"] for each in default.provider.session.tools or ()] == ["end_call", "transfer_call"]


def test_the_calls_of_an_agent_may_leave_neither_journal_nor_recording(tmp_path: Path) -> None:
    agents = "agents: {doctor: {journal: false, recording: false}, shop: {journal: false}}\n"
    text = f"journal: {{dir: j}}\nrecording: {{dir: r}}\n{agents}"
    calls = [each.call for each in loaded(tmp_path, text).agents]
    assert [each.journal_dir is not None for each in calls] == [True, False, False]
    assert [each.recording_dir is not None for each in calls] == [True, False, True]
