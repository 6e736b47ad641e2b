"""The `provider` section over GPT-Live: by URL, by word, by spec; what does not fit is an error with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.providers.live.provider import LiveProvider
from adapters.settings.config import load_settings
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
        (
            "full_duplex",
            f"url: '{URL}', delegation: {{to: client}}",
            "nothing is bound to the effect",
        ),
        ("server_vad", "api_key: k, delegation: {model: x}", "'delegation' means nothing to the Realtime protocol"),
    ],
)
def test_what_does_not_fit_is_an_error_with_its_place(tmp_path: Path, spec: str, section: str, wrong: str) -> None:
    with pytest.raises(SpecError) as error:
        provider_of(tmp_path, spec, section)
    found = [problem for problem in error.value.problems if wrong in problem.message]
    assert found, [str(problem) for problem in error.value.problems]
    assert found[0].place.line == 3 or found[0].code == "unbound"
