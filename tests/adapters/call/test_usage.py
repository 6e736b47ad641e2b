"""What a call has cost, by what its providers say."""

from __future__ import annotations

from adapters.call.usage import CallUsage
from adapters.providers.provider import ProviderUsage
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings


def test_seconds_are_those_of_each_session_and_tokens_add_up() -> None:
    usage = CallUsage()
    for session, seconds in (("a", 15.0), ("a", 30.0), ("b", 4.0), ("a", 29.0)):
        usage.take(session, ProviderUsage(seconds, {}))
    usage.take("a", ProviderUsage(None, {"input_tokens": 10, "output_tokens": 5}))
    usage.take("b", ProviderUsage(None, {"input_tokens": 1}))
    assert usage.as_json() == {"sessions_s": 34.0, "tokens": {"input_tokens": 11, "output_tokens": 5}}


def test_realtime_says_it_with_a_response() -> None:
    provider = RealtimeProvider(endpoint=openai_endpoint("gpt-realtime", "k"), session=SessionSettings(model="m"))
    said = {"input_tokens": 90, "output_tokens": 12, "total_tokens": 102, "input_token_details": {"cached_tokens": 64}}
    found = provider.usage({"type": "response.done", "response": {"usage": said}})
    assert found == ProviderUsage(None, {"input_tokens": 90, "output_tokens": 12, "cached_tokens": 64})
    for response in (None, {}, {"usage": None}, {"usage": {"input_tokens": -1, "output_tokens": True}}):
        assert provider.usage({"type": "response.done", "response": response}) is None
    assert provider.usage({"type": "response.created", "response": {"usage": said}}) is None
