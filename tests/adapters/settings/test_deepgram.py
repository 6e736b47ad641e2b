"""The `provider` section over Deepgram's Voice Agent: by URL, by word, by spec; what does not fit is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.providers.deepgram.provider import AgentProvider
from fsm.language.problem import SpecError
from tests.adapters.settings.test_live import provider_of

URL = "ws://127.0.0.1:9/v1/agent/converse"


def test_the_protocol_is_known_by_the_url_or_is_that_of_the_spec(tmp_path: Path) -> None:
    made = provider_of(tmp_path, "provider_turns", f"url: '{URL}', extra: {{tags: [a]}}")
    assert isinstance(made, AgentProvider)
    assert (made.session.model, made.label, made.session.extra) == ("gpt-4o-mini", URL, {"tags": ["a"]})
    made = provider_of(tmp_path, "provider_turns", "api_key: k, model: m, voice: v, format: pcma")
    assert isinstance(made, AgentProvider)
    assert made.label == "wss://agent.deepgram.com/v1/agent/converse"
    assert (made.session.model, made.session.voice, made.session.format) == ("m", "v", "pcma")


@pytest.mark.parametrize(
    ("spec", "section", "wrong"),
    [
        ("server_vad", f"url: '{URL}'", "the provider speaks deepgram, and spec server_vad is one for realtime"),
        ("provider_turns", "protocol: deepgram", "'api_key' is missing"),
        ("provider_turns", f"url: '{URL}', speed: 1.2", "'speed' means nothing to Deepgram's Voice Agent"),
        ("provider_turns", f"url: '{URL}', extra: {{type: x}}", "extra: 'type' is what the message is"),
        ("provider_turns", "protocol: deepgram, api_key: k, url: 'http://x'", "url: the scheme must be ws or wss"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(tmp_path: Path, spec: str, section: str, wrong: str) -> None:
    with pytest.raises(SpecError, match=wrong):
        provider_of(tmp_path, spec, section)
