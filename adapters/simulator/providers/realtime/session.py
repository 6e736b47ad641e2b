"""The session's configuration: its full GA form, and updates that are applied whole or not at all. No events.

Source: docs/facts/realtime_api.md section 2; field order and defaults from the traces.
"""

from __future__ import annotations

import copy

from adapters.simulator.providers.realtime.dialect import BETA_TO_GA_FORMAT, DEFAULT_INSTRUCTIONS, Json
from adapters.simulator.providers.realtime.errors import (
    model_is_fixed,
    no_turn_detection_here,
    voice_is_fixed,
    wrong_session_type,
)
from adapters.simulator.providers.realtime.shapes import SHARED_FIELDS

# Transcribers that stream on their own and take no turn detection, in a transcription session.
_STREAMING = ("gpt-realtime-whisper", "gpt-live-transcribe")


def _turn_detection(kind: str, silence_ms: int) -> Json:
    if kind == "semantic_vad":
        return {"type": kind, "eagerness": "auto", "create_response": True, "interrupt_response": True}
    return {
        "type": kind,
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": silence_ms,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }


def _wire_format(kind: str) -> Json:
    return {"type": kind, "rate": 24000} if kind == "audio/pcm" else {"type": kind}


def beta_to_ga(flat: Json) -> Json:
    """A checked beta session as a GA one (fields that GA does not have are carried at the top)."""
    nested: Json = {name: flat[name] for name in (*SHARED_FIELDS, "temperature") if name in flat}
    audio_in: Json = {}
    audio_out: Json = {name: flat[name] for name in ("voice", "speed") if name in flat}
    if "input_audio_format" in flat:
        audio_in["format"] = _wire_format(BETA_TO_GA_FORMAT[flat["input_audio_format"]])
    if "output_audio_format" in flat:
        audio_out["format"] = _wire_format(BETA_TO_GA_FORMAT[flat["output_audio_format"]])
    for beta, ga in (
        ("turn_detection", "turn_detection"),
        ("input_audio_transcription", "transcription"),
        ("input_audio_noise_reduction", "noise_reduction"),
    ):
        if beta in flat:
            audio_in[ga] = flat[beta]
    if "max_response_output_tokens" in flat:
        nested["max_output_tokens"] = flat["max_response_output_tokens"]
    if "modalities" in flat:
        nested["output_modalities"] = ["audio"] if "audio" in flat["modalities"] else ["text"]
    nested["audio"] = {"input": audio_in, "output": audio_out}
    return nested


class SimulatedSession:
    """The effective configuration, always in GA form. `config` is what session.created and .updated show."""

    def __init__(self, session_id: str, model: str, expires_at: int, *, transcribes: bool = False) -> None:
        self._newer = model.startswith("gpt-realtime-2")
        self._silence_ms = 500 if self._newer else 200
        self.transcribes = transcribes
        head = {"id": session_id, "expires_at": expires_at}
        self.config: Json = self._transcription(head) if transcribes else self._conversation(head, model)

    def _transcription(self, head: Json) -> Json:
        kind = {"type": "transcription", "object": "realtime.transcription_session"}
        return kind | head | {"audio": {"input": self._audio_input()}, "include": None}

    def _audio_input(self) -> Json:
        return {
            "format": _wire_format("audio/pcm"),
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": _turn_detection("server_vad", self._silence_ms),
        }

    def _conversation(self, head: Json, model: str) -> Json:
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": head["id"],
            "model": model,
            "output_modalities": ["audio"],
            "instructions": DEFAULT_INSTRUCTIONS,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "expires_at": head["expires_at"],
            "audio": {
                "input": self._audio_input(),
                "output": {
                    "format": _wire_format("audio/pcm"),
                    "voice": "marin" if self._newer else "alloy",
                    "speed": 1.0,
                },
            },
            "include": None,
        }

    @property
    def turn_detection(self) -> Json | None:
        detection: Json | None = self.config["audio"]["input"]["turn_detection"]
        return detection

    @property
    def transcription(self) -> Json | None:
        transcription: Json | None = self.config["audio"]["input"]["transcription"]
        return transcription

    @property
    def input_format(self) -> str:
        return str(self.config["audio"]["input"]["format"]["type"])

    @property
    def output_format(self) -> str:
        return str(self.config["audio"]["output"]["format"]["type"])

    @property
    def wants_logprobs(self) -> bool:
        return "item.input_audio_transcription.logprobs" in (self.config["include"] or ())

    def update(self, change: Json, *, beta: bool, voice_locked: bool) -> None:
        """Apply a session.update of the right shape, all or nothing. WireError: why not; then nothing has changed."""
        checked = beta_to_ga(change) if beta else dict(change)
        actual = self.config["type"]
        if checked.get("type", actual) != actual:
            raise wrong_session_type(checked["type"], actual)
        if checked.get("model", self.config.get("model")) != self.config.get("model"):
            raise model_is_fixed()
        merged = copy.deepcopy(self.config)
        audio = checked.pop("audio", {})
        merged.update(checked)
        self._merge_input(merged["audio"]["input"], audio.get("input", {}))
        if "output" in audio:
            _merge_output(merged["audio"]["output"], audio["output"], voice_locked)
        self.config = merged

    def _merge_input(self, current: Json, change: Json) -> None:
        if "format" in change:
            current["format"] = _wire_format(change["format"]["type"])
        if "noise_reduction" in change:
            current["noise_reduction"] = change["noise_reduction"]
        if "transcription" in change:
            base = current["transcription"] or {"model": None, "language": None, "prompt": None}
            wanted = change["transcription"]
            current["transcription"] = None if wanted is None else base | wanted
        if "turn_detection" in change:
            current["turn_detection"] = self._merge_detection(current["turn_detection"], change["turn_detection"])
        if self.transcribes and (current["transcription"] or {}).get("model") in _STREAMING:
            if change.get("turn_detection"):
                raise no_turn_detection_here()
            current["turn_detection"] = None

    def _merge_detection(self, current: Json | None, change: Json | None) -> Json | None:
        if change is None:
            return None
        kind = str(change.get("type", current["type"] if current else "server_vad"))
        base = current if current and current["type"] == kind else _turn_detection(kind, self._silence_ms)
        return base | change


def _merge_output(current: Json, change: Json, voice_locked: bool) -> None:
    if voice_locked and change.get("voice", current["voice"]) != current["voice"]:
        raise voice_is_fixed()
    current.update(change)
    current["format"] = _wire_format(current["format"]["type"])
