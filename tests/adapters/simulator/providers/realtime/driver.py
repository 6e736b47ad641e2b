"""Drives the simulated provider's core with lists of events and audio. Checks every event against the openai SDK."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from adapters.audio.g711 import alaw_encode, mulaw_encode
from adapters.simulator.providers.realtime import (
    Outgoing,
    ProviderCore,
    ProviderScenario,
    ProviderSettings,
    parse_scenario,
)

Json = dict[str, Any]
Samples = npt.NDArray[np.int16]

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def scenario(text: str) -> ProviderScenario:
    return parse_scenario(text, Path("test.yaml"))


def silence(ms: int, rate_hz: int = 24000) -> Samples:
    return np.zeros(rate_hz * ms // 1000, dtype=np.int16)


def tone(ms: int, rate_hz: int = 24000) -> Samples:
    time_s = np.arange(rate_hz * ms // 1000) / rate_hz
    return (8000 * np.sin(2 * np.pi * 300 * time_s)).astype(np.int16)


def encode(samples: Samples, wire_format: str) -> str:
    match wire_format:
        case "audio/pcmu":
            payload = mulaw_encode(samples)
        case "audio/pcma":
            payload = alaw_encode(samples)
        case _:
            payload = samples.astype("<i2").tobytes()
    return base64.b64encode(payload).decode()


class Driver:
    """A client of one core. `now_s` is its clock; `out` all that left; events are validated as they leave."""

    def __init__(
        self, text: str = "", settings: ProviderSettings | None = None, *, sane: bool = True, **more: Any
    ) -> None:
        self.settings = settings or ProviderSettings()
        self.core = ProviderCore(self.settings, scenario(text), **more)
        self.now_s, self.out, self._sane = 0.0, list[Outgoing](), sane and self.settings.dialect == "ga"
        self.wire_format, self.rate_hz = "audio/pcm", 24000

    def _take(self, leaving: list[Outgoing]) -> list[Json]:
        self.out += leaving
        events = [out.event for out in leaving if out.event is not None]
        for event in events if self._sane else []:
            SERVER_EVENT.validate_python(event)
        return events

    def send(self, kind: str, **fields: Any) -> list[Json]:
        return self.feed({"type": kind, **fields})

    def feed(self, event: Any) -> list[Json]:
        """A whole client event as it is, e.g. one from a recording."""
        return self._take(self.core.receive(event, self.now_s))

    def feed_frame(self, frame: str | bytes) -> list[Json]:
        return self._take(self.core.receive_frame(frame, self.now_s))

    def run(self, seconds: float) -> list[Json]:
        """Let time pass, stopping at every deadline as the server does."""
        end_s, events = self.now_s + seconds, list[Json]()
        while (deadline_s := self.core.next_deadline()) is not None and deadline_s <= end_s:
            self.now_s = max(deadline_s, self.now_s)
            events += self._take(self.core.advance(self.now_s))
        self.now_s = end_s
        return events

    def run_to(self, kind: str, limit_s: float = 10.0) -> list[Json]:
        """Let time pass until an event of this type has left."""
        events, end_s = list[Json](), self.now_s + limit_s
        while not any(event["type"] == kind for event in events):
            deadline_s = self.core.next_deadline()
            assert deadline_s is not None and deadline_s <= end_s, f"no {kind} within {limit_s} s: {types(events)}"
            self.now_s = max(deadline_s, self.now_s)
            events += self._take(self.core.advance(self.now_s))
        return events

    def hear(self, *pieces: Samples, chunk_ms: int = 20) -> list[Json]:
        """Speak into the session in real time, a chunk at a time."""
        samples, events = np.concatenate(pieces), list[Json]()
        size = self.rate_hz * chunk_ms // 1000
        for start in range(0, len(samples), size):
            events += self.run(chunk_ms / 1000)
            events += self.send(
                "input_audio_buffer.append", audio=encode(samples[start : start + size], self.wire_format)
            )
        return events

    def configure(self, *, wire_format: str = "audio/pcm", detection: Json | bool | None = True, **more: Any) -> Json:
        """Wait for session.created and update the session; the new session."""
        self.run(0.05)
        audio_in: Json = {"format": {"type": wire_format}}
        if detection is not True:
            audio_in["turn_detection"] = detection
        audio_in |= more.pop("audio_in", {})
        audio = {"input": audio_in, "output": {"format": {"type": wire_format}}}
        self.wire_format, self.rate_hz = wire_format, 24000 if wire_format == "audio/pcm" else 8000
        updated, *_imports = self.send("session.update", session={"type": "realtime", "audio": audio, **more})
        assert updated["type"] == "session.updated", updated
        session: Json = updated["session"]
        return session

    def events(self) -> list[Json]:
        return [out.event for out in self.out if out.event is not None]


def types(events: list[Json]) -> list[str]:
    """The types in order; a run of the same delta counts once."""
    kinds = [event["type"] for event in events]
    return [kind for n, kind in enumerate(kinds) if not (kind.endswith("delta") and n and kinds[n - 1] == kind)]


def only(events: list[Json], kind: str) -> Json:
    """The one event of this type."""
    (found,) = [event for event in events if event["type"] == kind]
    return found


def every(events: list[Json], kind: str) -> list[Json]:
    return [event for event in events if event["type"] == kind]
