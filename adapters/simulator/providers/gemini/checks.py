"""Whether a client message is one that Gemini Live takes. No state. What it does not take ends the session.

Source: docs/facts/gemini_live.md sections 2, 3 and 5; the wordings are ours where no source has them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

INVALID: Final = 1007
POLICY: Final = 1008


@attrs.frozen
class GeminiClosing:
    """The socket is closed: with this code. There are no error messages."""

    code: int
    reason: str = ""


_DETECTION: Final = {
    "disabled": None, "startOfSpeechSensitivity": None, "endOfSpeechSensitivity": None, "prefixPaddingMs": None,
    "silenceDurationMs": None,
}  # fmt: skip
_SCHEMA_REFUSED: Final = ("additionalProperties", "$schema")
SETUP: Final[Mapping[str, Any]] = {
    "model": None,
    "generationConfig": {
        "responseModalities": None, "speechConfig": None, "thinkingConfig": None, "temperature": None, "topP": None,
        "topK": None, "maxOutputTokens": None, "mediaResolution": None, "enableAffectiveDialog": None,
    },
    "systemInstruction": {"parts": None, "role": None},
    "tools": None,
    "realtimeInputConfig": {
        "automaticActivityDetection": _DETECTION, "activityHandling": None, "turnCoverage": None,
    },
    "sessionResumption": {"handle": None, "transparent": None},
    "contextWindowCompression": {"triggerTokens": None, "slidingWindow": None},
    "inputAudioTranscription": {},
    "outputAudioTranscription": {},
    "historyConfig": {"initialHistoryInClientContent": None},
    "proactivity": None,
    "explicitVadSignal": None,
}  # fmt: skip
"""What a setup may say; None: looked into no further."""
INPUTS: Final = ("audio", "text", "activityStart", "activityEnd", "audioStreamEnd", "video")
_KEYS: Final = ("setup", "clientContent", "realtimeInput", "toolResponse", "contextUpdate")
_RATE: Final = re.compile(r"audio/pcm(?:;rate=(\d{4,6}))?")


def refused(message: object) -> GeminiClosing | None:
    """Why a message ends the session; None: its form is right."""
    if not isinstance(message, dict):
        return _invalid("the message is not a JSON object")
    if len(message) != 1 or next(iter(message)) not in _KEYS:
        return _invalid(f"unknown name at the root, or not exactly one of {', '.join(_KEYS)}")
    key, body = next(iter(message.items()))
    if not isinstance(body, dict):
        return _invalid(f"'{key}' is not an object")
    check = {"setup": _setup, "clientContent": _content, "realtimeInput": _input, "toolResponse": _response}.get(key)
    return check(body) if check is not None else None


def audio_of(blob: Mapping[str, Any]) -> tuple[bytes, int] | None:
    """The audio of a blob and its rate; the server resamples. None: it is none."""
    found = _RATE.fullmatch(str(blob.get("mimeType")))
    try:
        payload = base64.b64decode(blob.get("data", 0), validate=True)
    except (ValueError, TypeError):
        return None
    return (payload, int(found[1] or 16000)) if found and len(payload) % 2 == 0 else None


def _setup(setup: Mapping[str, Any]) -> GeminiClosing | None:
    unknown = _stranger(setup, SETUP, "setup")
    if unknown is not None:
        return _invalid(f"unknown name '{unknown}'")
    model = setup.get("model")
    if not isinstance(model, str) or "models/" not in model:
        return _invalid("setup.model: models/NAME is expected")
    if (setup.get("generationConfig") or {}).get("responseModalities") != ["AUDIO"]:
        return _invalid("setup.generationConfig.responseModalities: this server has audio alone")
    detection = (setup.get("realtimeInputConfig") or {}).get("automaticActivityDetection") or {}
    for key, value in detection.items():
        if key.endswith("Sensitivity") and not str(value).endswith(("_LOW", "_HIGH")):
            return _invalid(f"setup.realtimeInputConfig.automaticActivityDetection.{key}: {value}")
    return _tools(setup.get("tools") or [])


def _tools(tools: Any) -> GeminiClosing | None:
    for tool in tools if isinstance(tools, list) else [tools]:
        declared = tool.get("functionDeclarations") if isinstance(tool, dict) else None
        if not isinstance(declared, list) or not all(isinstance(each, dict) and each.get("name") for each in declared):
            return _invalid("setup.tools: functionDeclarations with a name each are expected")
        for function in declared:
            for key in function:
                if key not in ("name", "description", "parameters", "behavior", "response"):
                    return _invalid(f"unknown name 'setup.tools.functionDeclarations.{key}'")
            word = next((word for word in _SCHEMA_REFUSED if word in str(function.get("parameters"))), None)
            if word is not None:
                return _invalid(f"unknown name '{word}' at setup.tools.functionDeclarations.parameters")
    return None


def _content(content: Mapping[str, Any]) -> GeminiClosing | None:
    turns = content.get("turns", [])
    for turn in turns if isinstance(turns, list) else [None]:
        if not isinstance(turn, dict) or turn.get("role") not in ("user", "model") or not turn.get("parts"):
            return _invalid("clientContent.turns: parts by user or model are expected")
    return None


def _input(given: Mapping[str, Any]) -> GeminiClosing | None:
    if len(given) != 1 or next(iter(given)) not in INPUTS:
        return _invalid(f"realtimeInput: exactly one of {', '.join(INPUTS)} is expected")
    if "audio" in given and (not isinstance(given["audio"], dict) or audio_of(given["audio"]) is None):
        return _invalid("realtimeInput.audio: base64 data of mimeType audio/pcm;rate=HZ is expected")
    return None


def _response(given: Mapping[str, Any]) -> GeminiClosing | None:
    responses = given.get("functionResponses")
    if not isinstance(responses, list) or not responses:
        return _invalid("toolResponse.functionResponses is expected")
    for each in responses:
        if not isinstance(each, dict) or not each.get("name") or not isinstance(each.get("response"), dict):
            return _invalid("toolResponse.functionResponses: a name and a response object are expected")
    return None


def _stranger(given: Mapping[str, Any], known: Mapping[str, Any], path: str) -> str | None:
    """The path of the first field that is not known, or is no object where one is expected."""
    for key, value in given.items():
        if key not in known:
            return f"{path}.{key}"
        if isinstance(known[key], dict):
            if not isinstance(value, dict):
                return f"{path}.{key}"
            found = _stranger(value, known[key], f"{path}.{key}")
            if found is not None:
                return found
    return None


def _invalid(what: str) -> GeminiClosing:
    return GeminiClosing(INVALID, f"Request contains an invalid argument: {what}"[:120])
