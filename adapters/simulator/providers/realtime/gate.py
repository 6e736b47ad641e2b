"""Who is let in: the upgrade request against the settings. Pure; the answer is a refusal or none.

Source: docs/facts/realtime_api.md sections 0 and 4: the upgrade succeeds, then one error event, then close 3000 or
4000.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import attrs

from adapters.simulator.providers.realtime import errors
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.settings import ProviderSettings


@attrs.frozen
class Refusal:
    """Why the session does not come to be, and the close code."""

    problem: WireError
    code: int


def model_of(path: str) -> str | None:
    """The model that the request path asks for (`model`, or Azure's `deployment`)."""
    query = parse_qs(urlsplit(path).query)
    found = query.get("model") or query.get("deployment")
    return found[0] if found else None


def check_upgrade(path: str, headers: Mapping[str, str], settings: ProviderSettings) -> Refusal | None:
    """What is wrong with the request, if anything. `headers`: names in lower case."""
    key = headers.get("authorization", "").removeprefix("Bearer ").strip() or headers.get("api-key", "").strip()
    if not key or (settings.api_keys and key not in settings.api_keys):
        return Refusal(errors.invalid_api_key(), 3000)
    if settings.dialect == "ga" and "realtime=v1" in headers.get("openai-beta", ""):
        return Refusal(errors.beta_disabled(), 4000)
    model = model_of(path)
    if model is None:
        return Refusal(errors.missing_model(), 4000)
    if settings.models and model not in settings.models:
        return Refusal(errors.invalid_model(model), 4000)
    return None
