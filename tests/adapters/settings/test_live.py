"""The `provider` section over GPT-Live: by URL, by word, by spec; what does not fit is an error with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.providers.live.provider import LiveProvider
from adapters.settings.config import AgentSettings, load_settings
from fsm.language.problem import SpecError

URL = "ws://127.0.0.1:9/v1/live/sessions"


def provider_of(folder: Path, spec: str, section: str) -> object:
    path = folder / "turnspec.yaml"
    path.write_text(f"spec: {spec}\ngreeting: Hello.\nprovider: {{{section}}}\n", encoding="utf-8")
    return load_settings(path, {}).provider


def test_the_protocol_is_known_by_the_url_or_is_that_of_the_spec(tmp_path: Path) -> None:
    made = provider_of(tmp_path, "full_duplex", f"url: '{URL}'")
    assert isinstance(made, LiveProvider)
    assert (made.session.model, made.session.delegates, made.label) == ("gpt-live-1", "client", URL)
    made = provider_of(tmp_path, "full_duplex", "api_key: k, delegation: {model: gpt-5}, voice: cedar, format: pcma")
    assert isinstance(made, LiveProvider)
    assert made.label == "wss://api.openai.com/v1/live/sessions"
    assert (made.session.delegates, made.session.delegate_model, made.session.format) == ("responses", "gpt-5", "pcma")


@pytest.mark.parametrize(
    ("spec", "section", "wrong"),
    [
        ("server_vad", f"url: '{URL}'", "the provider speaks live, and spec server_vad is one for realtime"),
        (
            "full_duplex",
            "protocol: realtime, api_key: k",
            "the provider speaks realtime, and spec full_duplex is one for live",
        ),
        (
            "full_duplex",
            f"url: '{URL}', turn_detection: {{type: server_vad}}",
            "'turn_detection' means nothing to GPT-Live",
        ),
        ("full_duplex", f"url: '{URL}?model=x'", "GPT-Live takes no query"),
        ("full_duplex", "url: 'wss://api.openai.com/v1/live/sessions'", "'api_key' is missing"),
        ("full_duplex", f"url: '{URL}', delegation: {{to: responses}}", "name the model that does the work"),
        ("server_vad", "api_key: k, delegation: {model: x}", "'delegation' means nothing to the Realtime protocol"),
    ],
)
def test_what_does_not_fit_is_an_error_with_its_place(tmp_path: Path, spec: str, section: str, wrong: str) -> None:
    with pytest.raises(SpecError) as error:
        provider_of(tmp_path, spec, section)
    found = [problem for problem in error.value.problems if wrong in problem.message]
    assert found, [str(problem) for problem in error.value.problems]
    assert found[0].place.line == 3


def test_work_that_is_given_to_the_application_needs_somebody_who_does_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        provider_of(tmp_path, "full_duplex", f"url: '{URL}', delegation: {{to: client}}")
    (found,) = error.value.problems
    assert (found.code, Path(found.place.file).name) == ("unbound", "session.yaml")
    assert "nothing is bound to the effect 'answer_delegation'" in found.message


def mixed(folder: Path, spec: str, *entries: str, more: str = "") -> AgentSettings:
    path = folder / "turnspec.yaml"
    listed = "".join(f"  - {{{entry}}}\n" for entry in entries)
    path.write_text(f"spec: {spec}\ngreeting: Hello.\nprovider:\n{listed}{more}", encoding="utf-8")
    return load_settings(path, {}).agents[0]


REALTIME = "url: 'ws://127.0.0.1:9/v1/realtime', api_key: k"


def test_providers_of_different_protocols_each_with_its_spec(tmp_path: Path) -> None:
    turns = "turns: {on_talk_over: go_on, on_silent_answer: accept}\n"
    agent = mixed(tmp_path, "server_vad", REALTIME, f"url: '{URL}', spec: full_duplex", more=turns)
    (further,) = agent.further
    assert (agent.spec.name, further.spec.name) == ("server_vad", "full_duplex") and further.digest
    assert [type(each).__name__ for each in agent.providers] == ["RealtimeProvider", "LiveProvider"]
    assert agent.call.turns == {"on_silent_answer": "accept"} and further.call.turns == {"on_talk_over": "go_on"}
    assert "silence" in further.call.say and further.call.greeting == "Hello."
    agent = mixed(tmp_path, "full_duplex", f"url: '{URL}'", f"{REALTIME}, spec: owned_turns")
    assert [each.spec.name for each in agent.further] == ["owned_turns"]


@pytest.mark.parametrize(
    ("spec", "entries", "wrong", "line"),
    [
        ("server_vad", (REALTIME, f"url: '{URL}'"), "the provider speaks live, and spec server_vad is", 5),
        ("server_vad", (REALTIME, f"{REALTIME}, spec: owned_turns"), "a call stays under that one", 5),
        ("push_to_talk", (REALTIME, f"url: '{URL}', spec: full_duplex"), "in push_to_talk the caller holds", 5),
        ("server_vad", (REALTIME, f"url: '{URL}', spec: nothing.yaml"), "the spec cannot be read", 5),
        ("server_vad", (REALTIME, f"{REALTIME}, spec: full_duplex"), "the provider speaks realtime, and spec", 5),
    ],
)
def test_what_does_not_fit_of_several(tmp_path: Path, spec: str, entries: tuple[str], wrong: str, line: int) -> None:
    with pytest.raises(SpecError) as error:
        mixed(tmp_path, spec, *entries)
    found = [each for each in error.value.problems if wrong in each.message]
    assert found and found[0].place.line == line, [str(each) for each in error.value.problems]


def test_a_setting_is_one_of_any_of_the_specs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="'nothing' is not a setting of server_vad or full_duplex"):
        mixed(tmp_path, "server_vad", REALTIME, f"url: '{URL}', spec: full_duplex", more="turns: {nothing: x}\n")
    with pytest.raises(SpecError, match="'x' is not a value of on_talk_over"):
        mixed(tmp_path, "server_vad", REALTIME, f"url: '{URL}', spec: full_duplex", more="turns: {on_talk_over: x}\n")
