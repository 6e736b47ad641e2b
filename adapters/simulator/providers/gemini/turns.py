"""What the simulated model says in one turn, as chunks of audio with the words that go along. No time, no socket."""

from __future__ import annotations

import base64
from typing import Any, Final

import attrs

from adapters.simulator.providers.gemini.script import GeminiRule
from adapters.simulator.providers.realtime.wire_audio import utterance
from adapters.simulator.speech import line_for_text, wav_path

CHUNK_MS: Final = 100
OUT_HZ: Final = 24_000
_CHUNK_BYTES: Final = OUT_HZ * CHUNK_MS // 1000 * 2


@attrs.define(eq=False)
class ModelTurn:
    """From the thought to `turnComplete`. `is_over`: what was planned for it is not to happen any more."""

    rule: GeminiRule
    is_over: bool = False
    is_generated: bool = False
    sounded_at_s: float | None = None
    said_ms: int = 0
    called_at_s: float = 0.0
    calls: dict[str, str] = attrs.field(factory=dict)
    """Open ones: id to name."""

    @property
    def played_at_s(self) -> float:
        """When it has been heard, as the model thinks."""
        return 0.0 if self.sounded_at_s is None else self.sounded_at_s + self.said_ms / 1000


def chunks(text: str) -> list[dict[str, Any]]:
    """The `serverContent` of each piece of an utterance, its words in the first ones: text runs ahead of audio."""
    line = line_for_text(text)
    audio = utterance(text, wav_path(line.name) if line is not None else None, "audio/pcm")
    pieces = [audio[at : at + _CHUNK_BYTES] for at in range(0, len(audio), _CHUNK_BYTES)]
    words = text.split()
    found: list[dict[str, Any]] = []
    for index, piece in enumerate(pieces):
        data = base64.b64encode(piece).decode()
        content: dict[str, Any] = {
            "modelTurn": {"parts": [{"inlineData": {"mimeType": f"audio/pcm;rate={OUT_HZ}", "data": data}}]}
        }
        said = words[index:] if index == len(pieces) - 1 else words[index : index + 1]
        if said:
            content["outputTranscription"] = {"text": " " + " ".join(said)}
        found.append(content)
    return found
