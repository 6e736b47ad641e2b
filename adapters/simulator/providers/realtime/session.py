"""The session's configuration: its full GA form, and updates that are applied whole or not at all. No events.

Source: docs/facts/realtime_api.md section 2; field order and defaults from the traces.
"""

from __future__ import annotations

import copy
from typing import Any

from adapters.simulator.providers.realtime import checks as c
from adapters.simulator.providers.realtime.dialect import BETA_TO_GA_FORMAT, DEFAULT_INSTRUCTIONS, Json
from adapters.simulator.providers.realtime.errors import model_is_fixed, voice_is_fixed, wrong_session_type

_FORMAT = c.shape(
    {"type": c.one_of("audio/pcm", "audio/pcmu", "audio/pcma"), "rate": c.number(24000, 24000, whole=True)},
    required=("type",),
)
_TURN_DETECTION = {
    "type": c.one_of("server_vad", "semantic_vad"),
    "threshold": c.number(0, 1),
    "prefix_padding_ms": c.number(0, 10_000, whole=True),
    "silence_duration_ms": c.number(0, 10_000, whole=True),
    "idle_timeout_ms": c.nullable(c.number(5000, 30_000, whole=True)),
    "eagerness": c.one_of("low", "medium", "high", "auto"),
    "create_response": c.flag,
    "interrupt_response": c.flag,
}
_TRANSCRIPTION = c.shape({name: c.nullable(c.text) for name in ("model", "language", "prompt")} | {"delay": c.anything})
_NOISE = c.nullable(c.shape({"type": c.one_of("near_field", "far_field"), "strength": c.anything}, required=("type",)))
_TOOL = c.shape(
    dict.fromkeys(("type", "name", "description", "parameters", "server_label", "server_url"), c.anything),
    required=("type",),
)
_SHARED = {
    "instructions": c.text,
    "tools": c.list_of(_TOOL),
    "tool_choice": c.anything,
    "tracing": c.anything,
    "prompt": c.anything,
    "include": c.nullable(c.list_of(c.text)),
    "model": c.text,
}
_MAX_TOKENS = c.number_or("inf", 1, 4096)
_GA = c.shape(
    _SHARED
    | {
        "type": c.one_of("realtime", "transcription"),
        "output_modalities": c.list_of(c.one_of("text", "audio")),
        "max_output_tokens": _MAX_TOKENS,
        "truncation": c.anything,
        "reasoning": c.anything,
        "parallel_tool_calls": c.flag,
        "audio": c.shape(
            {
                "input": c.shape(
                    {
                        "format": _FORMAT,
                        "transcription": c.nullable(_TRANSCRIPTION),
                        "noise_reduction": _NOISE,
                        "turn_detection": c.nullable(c.shape(_TURN_DETECTION)),
                    }
                ),
                "output": c.shape({"format": _FORMAT, "voice": c.anything, "speed": c.number(0.25, 1.5)}),
            }
        ),
    },
    required=("type",),
)
_BETA_FORMAT = c.one_of(*BETA_TO_GA_FORMAT)
_BETA = c.shape(
    _SHARED
    | {
        "modalities": c.list_of(c.one_of("text", "audio")),
        "input_audio_format": _BETA_FORMAT,
        "output_audio_format": _BETA_FORMAT,
        "voice": c.anything,
        "speed": c.number(0.25, 1.5),
        "turn_detection": c.nullable(c.shape(_TURN_DETECTION)),
        "input_audio_transcription": c.nullable(_TRANSCRIPTION),
        "input_audio_noise_reduction": _NOISE,
        "max_response_output_tokens": _MAX_TOKENS,
        "temperature": c.number(0.6, 1.2),
    }
)


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
    nested: Json = {name: flat[name] for name in (*_SHARED, "temperature") if name in flat}
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

    def __init__(self, session_id: str, model: str, expires_at: int) -> None:
        newer = model.startswith("gpt-realtime-2")
        self._silence_ms = 500 if newer else 200
        self.config: Json = {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": DEFAULT_INSTRUCTIONS,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "expires_at": expires_at,
            "audio": {
                "input": {
                    "format": _wire_format("audio/pcm"),
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": _turn_detection("server_vad", self._silence_ms),
                },
                "output": {
                    "format": _wire_format("audio/pcm"),
                    "voice": "marin" if newer else "alloy",
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

    def update(self, change: Any, *, beta: bool, voice_locked: bool) -> None:
        """Apply a session.update, all or nothing. WireError: why not; then nothing has changed."""
        checked = beta_to_ga(_BETA(change, "session")) if beta else _GA(change, "session")
        if checked.get("type", "realtime") != "realtime":
            raise wrong_session_type()
        if checked.get("model", self.config["model"]) != self.config["model"]:
            raise model_is_fixed()
        merged = copy.deepcopy(self.config)
        audio = checked.pop("audio", {})
        merged.update(checked)
        self._merge_input(merged["audio"]["input"], audio.get("input", {}))
        output = audio.get("output", {})
        if (
            voice_locked
            and output.get("voice", merged["audio"]["output"]["voice"]) != merged["audio"]["output"]["voice"]
        ):
            raise voice_is_fixed()
        if "format" in output:
            output = output | {"format": _wire_format(output["format"]["type"])}
        merged["audio"]["output"].update(output)
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

    def _merge_detection(self, current: Json | None, change: Json | None) -> Json | None:
        if change is None:
            return None
        kind = str(change.get("type", current["type"] if current else "server_vad"))
        base = current if current and current["type"] == kind else _turn_detection(kind, self._silence_ms)
        return base | change
