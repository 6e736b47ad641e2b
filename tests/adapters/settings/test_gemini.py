"""The `provider` section over Gemini Live: by URL, by word, by spec; what does not fit is an error with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.providers.gemini.provider import GeminiProvider
from adapters.settings.config import load_settings
from adapters.specs import specs_folder
from fsm.language.problem import SpecError

KEYED = specs_folder() / "cookbook" / "gemini_push_to_talk.yaml"
URL = "ws://127.0.0.1:9/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


def provider_of(folder: Path, spec: str, section: str, environment: dict[str, str] | None = None) -> GeminiProvider:
    path = folder / "turnspec.yaml"
    path.write_text(f"spec: {spec}\ngreeting: Hello.\nprovider: {{{section}}}\n", encoding="utf-8")
    made = load_settings(path, environment or {}).provider
    assert isinstance(made, GeminiProvider)
    return made


def test_the_protocol_is_known_by_the_url_or_is_that_of_the_spec(tmp_path: Path) -> None:
    made = provider_of(tmp_path, "gemini_turns", f"url: '{URL}'")
    assert (made.session.model, made.label) == ("gemini-3.8-live", URL)
    assert made.facts() == {"audio during calls": "goes on"}
    section = "model: gemini-2.5-flash-native-audio-x, voice: Kore, instructions: Be brief."
    made = provider_of(tmp_path, "gemini_turns", section, {"GEMINI_API_KEY": "secret"})
    assert made.endpoint.url.endswith("?key=secret")
    assert "secret" not in made.label
    assert (made.session.voice, made.session.instructions) == ("Kore", "Be brief.")
    assert made.facts() == {"audio during calls": "waits"}


def test_fields_of_the_setup_go_through_and_the_detection_is_checked(tmp_path: Path) -> None:
    extra = "extra: {proactivity: {}, automaticActivityDetection: {silenceDurationMs: 900}}"
    made = provider_of(tmp_path, "gemini_turns", f"url: '{URL}', {extra}")
    assert made.session.extra == {"proactivity": {}}
    assert made.session.detection == {"silenceDurationMs": 900}


def test_a_spec_in_which_a_key_holds_turns_disables_the_detection(tmp_path: Path) -> None:
    made = provider_of(tmp_path, str(KEYED), f"url: '{URL}'")
    assert made.session.detection == {"disabled": True} and not made.session.finds_turns
    said = "extra: {automaticActivityDetection: {disabled: true}}"
    assert provider_of(tmp_path, str(KEYED), f"url: '{URL}', {said}").session.detection == {"disabled": True}
    assert provider_of(tmp_path, "gemini_turns", f"url: '{URL}'").session.finds_turns


@pytest.mark.parametrize(
    ("spec", "section", "wrong"),
    [
        ("server_vad", f"url: '{URL}'", "the provider speaks gemini, and spec server_vad is one for realtime"),
        ("provider_turns", f"url: '{URL}'", "the provider speaks gemini, and spec provider_turns is one for deepgram"),
        ("gemini_turns", f"url: '{URL}', format: pcma", "'format' means nothing to Gemini Live"),
        ("gemini_turns", "voice: Kore", "'api_key' is missing"),
        ("gemini_turns", "url: 'http://x/BidiGenerateContent'", "the scheme must be ws or wss"),
        ("gemini_turns", f"url: '{URL}', extra: {{tools: []}}", "'tools' is made from 'tools'"),
        ("gemini_turns", f"url: '{URL}', extra: {{automaticActivityDetection: 7}}", "is not a mapping"),
        (
            "gemini_turns",
            f"url: '{URL}', extra: {{automaticActivityDetection: {{disabled: true}}}}",
            "is disabled, but gemini_turns needs it",
        ),
        (
            "gemini_turns",
            f"url: '{URL}', extra: {{automaticActivityDetection: {{disabled: 7}}}}",
            "disabled is true or false",
        ),
        (
            str(KEYED),
            f"url: '{URL}', extra: {{automaticActivityDetection: {{silenceDurationMs: 900}}}}",
            "gemini_push_to_talk turns the provider's turn detection off",
        ),
    ],
)
def test_what_does_not_fit_is_an_error_with_its_place(tmp_path: Path, spec: str, section: str, wrong: str) -> None:
    with pytest.raises(SpecError) as error:
        provider_of(tmp_path, spec, section)
    found = [problem for problem in error.value.problems if wrong in problem.message]
    assert found, [str(problem) for problem in error.value.problems]
    assert found[0].place.line == 3
