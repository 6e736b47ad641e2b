"""What is fixed about a simulated provider before the first byte: dialect, keys, delays, and whom it lets in. No I/O.

Source: docs/facts/realtime_api.md sections 0, 3.1, 3.3, 4, 7 and 10. A refused upgrade succeeds; then come one error
event and close 3000 or 4000. All times in seconds unless named otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import attrs

from adapters.providers.realtime.realtime_server import RealtimeServer
from adapters.simulator.providers.realtime import errors
from adapters.simulator.providers.realtime.errors import WireError

Dialect = Literal["ga", "beta"]


def _not_negative(_instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} must not be negative")


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0")


@attrs.frozen(kw_only=True)
class Latency:
    """How long the server takes. `first_*` count from `response.created`; `pace` is audio seconds per second."""

    session_created_s: float = attrs.field(default=0.02, validator=_not_negative)
    response_created_s: float = attrs.field(default=0.03, validator=_not_negative)
    first_item_s: float = attrs.field(default=0.30, validator=_not_negative)
    first_transcript_s: float = attrs.field(default=0.37, validator=_not_negative)
    first_audio_s: float = attrs.field(default=0.49, validator=_not_negative)
    pace: float = attrs.field(default=13.0, validator=_positive)
    audio_delta_ms: int = attrs.field(default=250, validator=_positive)
    token_s: float = attrs.field(default=0.008, validator=_not_negative)
    close_s: float = attrs.field(default=0.004, validator=_not_negative)
    interrupt_s: float = attrs.field(default=0.039, validator=_not_negative)
    rate_limits_s: float = attrs.field(default=0.035, validator=_not_negative)
    transcription_s: float = attrs.field(default=0.15, validator=_not_negative)
    transcription_done_s: float = attrs.field(default=0.60, validator=_not_negative)
    uplink_s: float = attrs.field(default=0.0, validator=_not_negative)
    downlink_s: float = attrs.field(default=0.0, validator=_not_negative)

    def scaled(self, factor: float) -> Latency:
        """The same server, every wait times `factor` (for tests on a real clock)."""
        waits = {name: getattr(self, name) * factor for name in attrs.fields_dict(Latency) if name.endswith("_s")}
        return attrs.evolve(self, pace=self.pace / factor if factor else 1e9, **waits)


@attrs.frozen(kw_only=True)
class ProviderSettings:
    """One simulated provider.

    api_keys, models: what the upgrade is checked against; empty means any. `skew_ms`: how much shorter the server
    believes an audio item to be than the bytes it sent; `truncation_tolerance_ms`: how much more than that a truncation
    may ask for. `epoch_s`: the wall-clock second that is connection time zero; None: now.
    """

    dialect: Dialect = "ga"
    server: RealtimeServer | None = None
    """The row that is played (simulated_accent.py); its names are those of `dialect`."""
    api_keys: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    seed: int = 1
    latency: Latency = attrs.field(factory=Latency)
    session_max_s: float = attrs.field(default=3600.0, validator=_positive)
    skew_ms: int = attrs.field(default=85, validator=_not_negative)
    truncation_tolerance_ms: int = attrs.field(default=0, validator=_not_negative)
    vad_trigger_frames: int = attrs.field(default=2, validator=_positive)
    semantic_silence_ms: int = attrs.field(default=800, validator=_positive)
    ping_interval_s: float | None = 20.0
    epoch_s: int | None = None
    plays_audio: bool = False
    """As over WebRTC and SIP: clients get no audio; the server plays it, and says when (media.py)."""


@attrs.frozen
class UpgradeRefusal:
    """Why the session does not come to be, and the close code."""

    problem: WireError
    code: int


def model_of(path: str) -> str | None:
    """The model that the request path asks for (`model`, or Azure's `deployment`)."""
    query = parse_qs(urlsplit(path).query)
    found = query.get("model") or query.get("deployment")
    return found[0] if found else None


def call_id_of(path: str) -> str:
    """The call that the request path names; "": none. With a model it is that of a new one, else one to attach to."""
    return parse_qs(urlsplit(path).query).get("call_id", [""])[0]


def has_media(path: str) -> bool:
    """Whether the client stands in for a caller's own, over WebRTC or SIP, and wants to hear (media_peer.py)."""
    return parse_qs(urlsplit(path).query).get("media") == ["pcm"]


def transcribes(path: str, settings: ProviderSettings) -> bool:
    """Whether the request path asks for a transcription session, which the GA wire has."""
    return settings.dialect == "ga" and parse_qs(urlsplit(path).query).get("intent") == ["transcription"]


def _key(headers: Mapping[str, str], server: RealtimeServer | None) -> str:
    """The key that was said, in the form in which this server takes it; "": none."""
    if server is None:
        return headers.get("authorization", "").removeprefix("Bearer ").strip() or headers.get("api-key", "").strip()
    before, _, after = server.key_form.partition("{key}")
    said = headers.get(server.key_header.lower(), "")
    if not said and not server.needs_key:
        return "none is needed"
    fits = said.startswith(before) and said.endswith(after)
    return said.removeprefix(before).removesuffix(after).strip() if fits else ""


def _check_query(path: str, server: RealtimeServer) -> UpgradeRefusal | None:
    query = parse_qs(urlsplit(path).query)
    wanted = (*server.query, *filter(None, (server.session_query,)))
    if any(not query.get(key) for key in wanted) or any(key in query for key in server.no_query):
        return UpgradeRefusal(errors.missing_model(), 4000)
    return None


def has_key(headers: Mapping[str, str], settings: ProviderSettings) -> bool:
    """Whether a key is said that is accepted. `headers`: names in lower case."""
    key = _key(headers, settings.server)
    return bool(key) and (not settings.api_keys or key in settings.api_keys)


def check_upgrade(path: str, headers: Mapping[str, str], settings: ProviderSettings) -> UpgradeRefusal | None:
    """What is wrong with the request, if anything. `headers`: names in lower case."""
    if not has_key(headers, settings):
        return UpgradeRefusal(errors.invalid_api_key(), 3000)
    if settings.server is not None:
        return _check_query(path, settings.server)
    if settings.dialect == "ga" and "realtime=v1" in headers.get("openai-beta", ""):
        return UpgradeRefusal(errors.beta_disabled(), 4000)
    model = model_of(path)
    if transcribes(path, settings):
        return UpgradeRefusal(errors.model_for_transcription(), 4000) if model else None
    if model is None:
        return UpgradeRefusal(errors.missing_model(), 4000)
    if settings.models and model not in settings.models:
        return UpgradeRefusal(errors.invalid_model(model), 4000)
    return None
