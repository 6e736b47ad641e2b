"""A spec's own recordings and instructions: named in the spec, there before a call, else an error with its line."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from adapters.call.words import filler
from adapters.lines.line import CallData
from adapters.settings.config import Settings, load_settings
from adapters.settings.words import unsaid, words_of
from adapters.specs import load_spec, specs_folder
from fsm.language.problem import SpecError

TOPICS = Path("parts/conversation")


def recording(path: Path, seconds: float = 0.5, rate_hz: int = 44_100, channels: int = 2) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(bytes(2 * channels * round(seconds * rate_hz)))


def spec_of(folder: Path, *sections: str, nudges: bool = True) -> Path:
    """The bundled server_vad that asks for a nudge when a key is pressed and plays a goodbye instead of the apology."""
    text = (specs_folder() / "server_vad.yaml").read_text(encoding="utf-8")
    asks = "ask_to_say: [create_response({}), asked = say"
    changed(folder, "playout", "play_prompt(apology)", "play_prompt(goodbye)")
    if nudges:
        changed(folder, "answers", asks.format("say"), asks.format("nudge"))
    path = folder / "shop.yaml"
    path.write_text(text + "".join(f"{section}\n" for section in sections), encoding="utf-8")
    return path


def changed(folder: Path, topic: str, old: str, new: str) -> None:
    """A topic of the bundled conversation with one thing else, beside the spec."""
    text = (specs_folder() / TOPICS / f"{topic}.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / TOPICS).mkdir(parents=True, exist_ok=True)
    (folder / TOPICS / f"{topic}.yaml").write_text(text.replace(old, new), encoding="utf-8")


def served(folder: Path, text: str = "") -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(f"spec: shop.yaml\nprovider: {{url: ws://127.0.0.1:1, api_key: ''}}\n{text}\n", encoding="utf-8")
    return load_settings(path, {})


def refused(folder: Path, text: str = "") -> list[str]:
    with pytest.raises(SpecError) as caught:
        served(folder, text)
    return [
        f"{Path(p.place.file).name}:{p.place.line}: {p.code}: {p.message} ({p.hint})" for p in caught.value.problems
    ]


def line_of(path: Path, text: str) -> int:
    return 1 + next(n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines()) if text in line)


def test_a_recording_and_an_instruction_beside_the_spec_are_the_calls_own(tmp_path: Path) -> None:
    recording(tmp_path / "bye.wav")
    spec_of(tmp_path, "prompts: {goodbye: bye.wav}", "say: {nudge: Ask whether the caller is there.}")
    (agent,) = served(tmp_path).agents
    assert agent.prompts == {"goodbye": tmp_path / "bye.wav"}
    assert agent.call.say == {"nudge": "Ask whether the caller is there."}


def test_a_name_that_is_left_empty_is_the_configurations(tmp_path: Path) -> None:
    recording(tmp_path / "own.wav", rate_hz=8_000, channels=1)
    path = spec_of(tmp_path, "prompts: {goodbye: }", "say: {nudge: }")
    assert not list(unsaid(load_spec(path).spec)), "check cannot know it"
    (agent,) = served(tmp_path, "prompts: {goodbye: own.wav}\nsay: {nudge: 'Ask {caller_id}.'}").agents
    assert agent.prompts == {"goodbye": tmp_path / "own.wav"}
    fill = filler("id", "default", CallData("0301", "", {}))
    assert agent.call.with_words(fill).say == {"nudge": "Ask 0301."}


def test_the_configuration_goes_before_the_spec(tmp_path: Path) -> None:
    recording(tmp_path / "bye.wav")
    recording(tmp_path / "own.wav")
    spec_of(tmp_path, "prompts: {goodbye: bye.wav}", "say: {nudge: Ask.}")
    text = "prompts: {goodbye: own.wav, apology: bye.wav}\nsay: {nudge: Nudge.}\n"
    default, other = served(tmp_path, text + "agents: {a: {spec: shop.yaml, say: {nudge: Other.}}}").agents
    assert default.prompts == {"apology": tmp_path / "bye.wav", "goodbye": tmp_path / "own.wav"} == other.prompts
    assert (default.call.say, other.call.say) == ({"nudge": "Nudge."}, {"nudge": "Other."})


def test_what_nobody_says_is_an_error_at_the_line_that_wants_it_said(tmp_path: Path) -> None:
    spec_of(tmp_path, "prompts: {goodbye: }", "say: {nudge: }")
    playout, answers = (tmp_path / TOPICS / f"{topic}.yaml" for topic in ("playout", "answers"))
    found = refused(tmp_path)
    assert [each.split(" (")[0] for each in found] == [
        f"answers.yaml:{line_of(answers, 'create_response(nudge)')}: unsaid: "
        "'create_response(nudge)': there is no instruction 'nudge'",
        f"playout.yaml:{line_of(playout, 'play_prompt(goodbye)')}: unsaid: "
        "'play_prompt(goodbye)': there is no recording 'goodbye'",
    ]
    assert "in the spec or the configuration: prompts: {goodbye: goodbye.wav}" in found[1]


def test_an_argument_that_the_spec_does_not_name_is_an_error_of_the_language(tmp_path: Path) -> None:
    path = spec_of(tmp_path)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert [(p.code, p.message, p.hint) for p in caught.value.problems] == [
        ("argument", "'nudge' is not an argument of 'create_response'",
         "one of: greeting, turn, tools, say; or name it under 'say:'"),
        ("argument", "'goodbye' is not an argument of 'play_prompt'", "one of: apology; or name it under 'prompts:'"),
    ]  # fmt: skip


def test_a_word_that_a_vocabulary_adds_and_nobody_knows_is_an_error(tmp_path: Path) -> None:
    path = spec_of(tmp_path, nudges=False)
    (tmp_path / "more.yaml").write_text("vocabulary: more\neffects: {play_prompt: {choices: [apology, goodbye]}}\n")
    text = path.read_text(encoding="utf-8").replace("vocabulary: [", "vocabulary: [", 1)
    text = text.replace("realtime/answers_turns.yaml]", "realtime/answers_turns.yaml, more.yaml]")
    path.write_text(text, encoding="utf-8")
    (problem,) = unsaid(load_spec(path).spec)
    assert (problem.code, problem.message) == ("unsaid", "'play_prompt(goodbye)': nobody knows the recording 'goodbye'")


@pytest.mark.parametrize(
    ("content", "name", "reason", "hint"),
    [
        (None, "bye.wav", "No such file or directory", "16-bit PCM, any rate"),
        (b"RIFF", "bye.wav", "not a PCM WAV file", "16-bit PCM, any rate"),
        (
            None,
            "'Goodbye and thank you.'",
            "No such file or directory",
            "a text is not read out: make a WAV of it first",
        ),
    ],
)
def test_a_recording_that_cannot_be_played_is_an_error_at_its_name(
    tmp_path: Path, content: bytes | None, name: str, reason: str, hint: str
) -> None:
    if content is not None:
        (tmp_path / "bye.wav").write_bytes(content)
    path = spec_of(tmp_path, f"prompts: {{goodbye: {name}}}", nudges=False)
    (problem,) = unsaid(load_spec(path).spec)
    assert problem.place.line == line_of(path, "prompts: {")
    assert reason in problem.message and problem.hint == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("say: {nugde: Ask.}", "'nugde' is not the name of any instruction of server_vad (did you mean 'nudge'?)"),
        (
            "prompts: {godbye: bye.wav}",
            "'godbye' is not the name of any recording of server_vad (did you mean 'goodbye'?)",
        ),
        (
            "agents: {a: {spec: shop.yaml, say: {x: y}}}",
            "'x' is not the name of any instruction of server_vad (known: nudge)",
        ),
    ],
)
def test_a_name_that_no_spec_has_is_an_error_of_the_configuration(tmp_path: Path, text: str, message: str) -> None:
    recording(tmp_path / "bye.wav")
    spec_of(tmp_path, "prompts: {goodbye: bye.wav}", "say: {nudge: Ask.}")
    found = refused(tmp_path, text)
    assert len(found) == 1 and message in found[0]


def test_each_bundled_spec_has_its_words() -> None:
    for name in ("server_vad", "push_to_talk"):
        spec = load_spec(name).spec
        assert not list(unsaid(spec, words_of(spec)))


def test_a_recording_that_a_deadline_would_cut_short_is_an_error(tmp_path: Path) -> None:
    recording(tmp_path / "bye.wav", seconds=15.1, rate_hz=8_000, channels=1)
    path = spec_of(tmp_path, "prompts: {goodbye: bye.wav}", nudges=False)
    (found,) = refused(tmp_path)
    assert found.startswith(
        f"shop.yaml:{line_of(path, 'prompts: {')}: prompt-deadline: the recording 'goodbye' lasts 15.1 s: "
        "the deadline 'prompt_overdue' takes its end for granted after 15 s (a longer deadline ("
    )


def test_a_recording_that_is_not_there_is_one_error_of_the_server_too(tmp_path: Path) -> None:
    spec_of(tmp_path, "prompts: {goodbye: gone.wav}", nudges=False)
    (found,) = refused(tmp_path)
    assert "prompt: the recording 'gone.wav' cannot be played: No such file or directory" in found
