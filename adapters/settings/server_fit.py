"""What a configured session can mean to the server of its row: what it refuses, what has no effect, which formats."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from adapters.providers.realtime.realtime_server import RealtimeServer
from adapters.providers.realtime.session import SessionSettings
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ProviderSection

TELEPHONE: Final = "pcmu"
_PCM: Final = ("pcm16", "pcm16_16k", "wav_16k", "pcm16_8k")
"""By preference, where PCM of whatever rate is meant."""

Misfit = tuple[str, str, str]
"""A key, what is wrong with it, and the cure."""


def format_of(written: str | None, offered: Collection[str]) -> str:
    """Of one direction: what is written, or PCM of another rate for PCM; else the telephone's own, else PCM."""
    if not offered:
        return written or TELEPHONE
    wanted = (written or TELEPHONE,) + (_PCM if written is None or written in _PCM else ())
    return next((each for each in wanted if each in offered), written or next(iter(offered)))


def check_fit(
    reader: SettingsReader, section: ProviderSection, session: SessionSettings, server: RealtimeServer
) -> Iterator[Misfit]:
    """Why this server would refuse the session; of what has no effect the reader is warned."""
    name = server.about or server.name
    for key, why in server.refuses.items():
        if key in section.written.pairs:
            yield key, f"{key}: {name} refuses it: {why}", "leave it out"
    for key, why in (*server.ignores.items(), *_idle(session)):
        if key in section.written.pairs:
            reader.problems.warn(section.written.place_of(key), "no-effect", f"{key} has no effect: {why}")
    for each in section.mcp:
        if (each.server_url is None) == (each.connector_id is None):
            yield "mcp", f"mcp: '{each.server_label}' needs a server_url or a connector_id", "one of them, not both"
    detection = session.turn_detection
    kind = detection.get("type") if isinstance(detection, Mapping) else None
    if kind is not None and server.detections and kind not in server.detections:
        known = ", ".join(server.detections)
        yield "turn_detection", f"turn_detection: {name} has no {kind}: it knows {known}", "another kind, or none"


def _idle(session: SessionSettings) -> Iterator[tuple[str, str]]:
    """What stands beside something that it would need."""
    if session.include and session.transcription is None:
        yield "include", "nothing is written down: set transcription"
    if session.parallel_tool_calls is not None and not session.tools:
        yield "parallel_tool_calls", "there are no tools"
