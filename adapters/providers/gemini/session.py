"""What a Gemini Live session is set up with, and how generations of models differ. Never a message, a resumption.

There is one setup a connection; a field that the model does not know ends it with 1007, so nothing is said that is not
needed. Source: docs/facts/gemini_live.md sections 2, 3 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from fsm.errors import LocalError

MOST_INSTRUCTION_CHARS: Final = 64_000
MOST_SILENCE_MS: Final = 10_000
_DETECTION: Final = frozenset(
    {"disabled", "startOfSpeechSensitivity", "endOfSpeechSensitivity", "prefixPaddingMs", "silenceDurationMs"}
)
_OF_OTHER_KEYS: Final[Mapping[str, str]] = {
    "model": "model",
    "systemInstruction": "instructions",
    "tools": "tools",
    "realtimeInputConfig": "vad",
    "sessionResumption": "resume",
    "inputAudioTranscription": "transcripts",
    "outputAudioTranscription": "transcripts",
    "historyConfig": "model",
}
"""Fields of a setup that are not `extra`, with the setting that makes them."""
_SCHEMA_WORDS_REFUSED: Final = frozenset({"additionalProperties", "$schema", "strict"})


class GeminiSettingsError(LocalError, ValueError):
    """A setting that no session can be set up with; the message is `field: what is wrong`."""


@attrs.frozen(kw_only=True)
class ModelFamily:
    """How the models of a name's beginning differ from others."""

    prefix: str
    blocks_at_tools: bool
    """A call holds the model up, and audio sent meanwhile may end the session."""
    generates_from_content: bool
    """`clientContent` begins an answer; else it is history, and an answer needs `realtimeInput`."""


MODEL_FAMILIES: Final = (
    ModelFamily(prefix="gemini-2", blocks_at_tools=True, generates_from_content=True),
    ModelFamily(prefix="gemini-live-2", blocks_at_tools=True, generates_from_content=True),
    ModelFamily(prefix="", blocks_at_tools=False, generates_from_content=False),
)
"""The first that fits counts."""


def family_of(model: str) -> ModelFamily:
    """By the model's own name: the last part of a resource path."""
    name = model.rpartition("/")[2]
    return next(each for each in MODEL_FAMILIES if name.startswith(each.prefix))


@attrs.frozen(kw_only=True)
class GeminiSettings:
    """`tools` are function definitions in the form of OpenAI's, as everywhere in this house."""

    model: str
    instructions: str | None = None
    voice: str | None = None
    detection: Mapping[str, object] = attrs.field(factory=dict)
    """Of voice activity, by the provider's names."""
    tools: Sequence[Mapping[str, object]] = ()
    blocks_at_tools: bool | None = None
    """None: as its generation does."""
    resumes: bool = True
    """The provider is asked for handles by which another connection takes the session up."""
    extra: Mapping[str, object] = attrs.field(factory=dict)
    """Fields of the setup that are sent as they are."""

    def __attrs_post_init__(self) -> None:
        if not self.model or self.model.endswith("/"):
            raise GeminiSettingsError("model: is missing; the session is set up with it")
        if len(self.instructions or "") > MOST_INSTRUCTION_CHARS:
            raise GeminiSettingsError(f"instructions: more than {MOST_INSTRUCTION_CHARS} characters")
        self._check_detection()
        for tool in self.tools:
            if not isinstance(tool.get("name"), str) or not tool["name"]:
                raise GeminiSettingsError("tools: a function without a name")
        for key in self.extra:
            if key in _OF_OTHER_KEYS:
                raise GeminiSettingsError(f"extra: '{key}' is made from '{_OF_OTHER_KEYS[key]}'")
        self._check_modality()

    def _check_detection(self) -> None:
        unknown = sorted(set(self.detection) - _DETECTION)
        if unknown:
            raise GeminiSettingsError(f"vad: {unknown[0]!r} is not one of {', '.join(sorted(_DETECTION))}")
        if not isinstance(self.detection.get("disabled", False), bool):
            raise GeminiSettingsError(f"vad: disabled is true or false, not {self.detection['disabled']!r}")
        for key in ("startOfSpeechSensitivity", "endOfSpeechSensitivity"):
            of = f"{key[: key.index('Of')].upper()}_SENSITIVITY_"
            if key in self.detection and self.detection[key] not in (f"{of}LOW", f"{of}HIGH"):
                raise GeminiSettingsError(f"vad: {key} is {of}LOW or {of}HIGH, not {self.detection[key]!r}")
        for key in ("prefixPaddingMs", "silenceDurationMs"):
            value = self.detection.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SILENCE_MS:
                raise GeminiSettingsError(f"vad: {key} is 0 to {MOST_SILENCE_MS} ms, not {value!r}")

    def _check_modality(self) -> None:
        config = self.extra.get("generationConfig", {})
        if not isinstance(config, Mapping):
            raise GeminiSettingsError("extra: generationConfig is not a mapping")
        if config.get("responseModalities", ["AUDIO"]) != ["AUDIO"]:
            raise GeminiSettingsError("extra: a call is spoken, so responseModalities is [AUDIO]")
        if "speechConfig" in config and self.voice is not None:
            raise GeminiSettingsError("extra: speechConfig has the voice already")

    @property
    def family(self) -> ModelFamily:
        return family_of(self.model)

    @property
    def finds_turns(self) -> bool:
        """The provider does, by what it hears; else it is told of them."""
        return self.detection.get("disabled") is not True

    @property
    def holds_audio_at_tools(self) -> bool:
        return self.family.blocks_at_tools if self.blocks_at_tools is None else self.blocks_at_tools


def setup_object(settings: GeminiSettings, *, handle: str | None = None, history: bool = False) -> dict[str, object]:
    """The `setup` of a connection: `handle` is of the session it takes up, `history` is to come before any turn."""
    setup: dict[str, object] = {
        "contextWindowCompression": {"slidingWindow": {}},
        **settings.extra,
        "model": settings.model if "/" in settings.model else f"models/{settings.model}",
        "generationConfig": _generation_config(settings),
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
    }
    if settings.instructions:
        setup["systemInstruction"] = {"parts": [{"text": settings.instructions}]}
    if settings.tools:
        setup["tools"] = [{"functionDeclarations": [_declaration(tool, settings) for tool in settings.tools]}]
    if settings.detection:
        setup["realtimeInputConfig"] = {"automaticActivityDetection": dict(settings.detection)}
    if settings.resumes:
        setup["sessionResumption"] = {} if handle is None else {"handle": handle}
    if history and not settings.family.generates_from_content:
        setup["historyConfig"] = {"initialHistoryInClientContent": True}
    return setup


def _generation_config(settings: GeminiSettings) -> dict[str, object]:
    given = settings.extra.get("generationConfig")
    config: dict[str, object] = {"responseModalities": ["AUDIO"], **(given if isinstance(given, Mapping) else {})}
    if settings.voice is not None:
        config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": settings.voice}}}
    return config


def _declaration(tool: Mapping[str, object], settings: GeminiSettings) -> dict[str, object]:
    declared: dict[str, object] = {"name": tool["name"]}
    if tool.get("description"):
        declared["description"] = tool["description"]
    parameters = tool.get("parameters")
    if isinstance(parameters, Mapping) and parameters.get("properties"):
        declared["parameters"] = _schema(parameters)
    if settings.blocks_at_tools is False and settings.family.blocks_at_tools:
        declared["behavior"] = "NON_BLOCKING"
    return declared


def _schema(value: Any) -> Any:
    """A JSON schema without the words that this provider refuses; what `properties` names are no words."""
    if isinstance(value, Mapping):
        kept = {key: each for key, each in value.items() if key not in _SCHEMA_WORDS_REFUSED}
        named = kept.get("properties")
        properties = {name: _schema(each) for name, each in named.items()} if isinstance(named, Mapping) else {}
        return {key: properties if each is named else _schema(each) for key, each in kept.items()}
    return [_schema(each) for each in value] if isinstance(value, list | tuple) else value
