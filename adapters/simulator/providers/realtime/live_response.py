"""One response: its options, its timetable, its output items as far as they got, its wire object. Nothing is sent here.

Source: docs/facts/realtime_api.md sections 3.1, 3.6, 3.10 and 7: transcript ahead of the audio, audio in 250 ms deltas
at about 13 times real time, a call may begin while the message before it is still being spoken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal

import attrs

from adapters.simulator.providers.realtime.conversation import ConversationItem
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.provider_scenario import (
    AnswerRule,
    FunctionCall,
    McpCall,
    SpokenMessage,
)
from adapters.simulator.providers.realtime.provider_settings import Latency
from adapters.simulator.providers.realtime.session import beta_to_ga
from adapters.simulator.providers.realtime.wire_audio import delta_bytes, duration_ms, utterance

StepKind = Literal["open", "words", "audio", "arguments", "run", "close", "finish"]

TOKEN_MS = 50  # of speech in one output token: docs/facts/realtime_api.md section 3.10
_ENDLESS = 2**31
_WORDS_AHEAD = 3
_ARGUMENT_CHUNK = 4
_GAP_S = 0.010


@attrs.frozen
class ResponseStep:
    """At `at_s` after `response.created`: `open` an output item, a delta of it, `run` an MCP call, `close` the item, or
    `finish` it all. `tokens`: what it costs of max_output_tokens."""

    at_s: float
    index: int
    kind: StepKind
    text: str = ""
    audio: bytes = b""
    tokens: int = 0


def tokens(text: str) -> list[str]:
    """Text as the wire streams it: words with their leading space, punctuation by itself; the sum is the text."""
    return re.findall(r"\s*\w+|\s*[^\w\s]", text) or ([text] if text else [])


def timetable(
    rule: AnswerRule, latency: Latency, wire_format: str, *, text_only: bool, waits: Callable[[McpCall], bool] = bool
) -> list[ResponseStep]:
    """Every step of the response in order. Text-only responses carry their words as output text.

    `waits`: whether an MCP call needs the client's word; then the response ends there.
    """
    steps: list[ResponseStep] = []
    begin_s = latency.first_item_s + rule.delay_s
    end_s = begin_s
    pace = rule.pace or latency.pace
    for index, output in enumerate(rule.output):
        if isinstance(output, FunctionCall | McpCall):
            made = _call(output, index, begin_s, latency)
            next_s = made[-1].at_s + _GAP_S
            if isinstance(output, McpCall) and waits(output):
                steps += made[:-1]
                end_s = max(end_s, made[-2].at_s)
                break
        elif text_only:
            made = _text(output, index, begin_s, latency)
            next_s = made[-1].at_s + _GAP_S
        else:
            made = _speech(output, index, begin_s, attrs.evolve(latency, pace=pace), wire_format, rule.cut_after_ms)
            follower = rule.output[index + 1] if index + 1 < len(rule.output) else None
            overlaps = rule.interleave and isinstance(follower, FunctionCall)
            next_s = (begin_s + made[-1].at_s) / 2 if overlaps else made[-1].at_s + _GAP_S
        steps += made
        end_s = max(end_s, made[-1].at_s)
        begin_s = next_s
    finish_s = end_s + latency.close_s if rule.output else begin_s
    steps.append(ResponseStep(finish_s, -1, "finish"))
    return sorted(steps, key=lambda step: step.at_s)


def _call(output: FunctionCall | McpCall, index: int, begin_s: float, latency: Latency) -> list[ResponseStep]:
    chunks = re.findall(rf"(?s).{{1,{_ARGUMENT_CHUNK}}}", output.arguments or "{}")
    first_s = begin_s + latency.first_transcript_s - latency.first_item_s
    steps = [ResponseStep(begin_s, index, "open")]
    steps += [
        ResponseStep(first_s + n * latency.token_s, index, "arguments", chunk, tokens=1)
        for n, chunk in enumerate(chunks)
    ]
    said_s = steps[-1].at_s + latency.close_s
    if isinstance(output, FunctionCall):
        return [*steps, ResponseStep(said_s, index, "close")]
    return [*steps, ResponseStep(said_s, index, "run"), ResponseStep(said_s + output.takes_s, index, "close")]


def _text(output: SpokenMessage, index: int, begin_s: float, latency: Latency) -> list[ResponseStep]:
    first_s = begin_s + latency.first_transcript_s - latency.first_item_s
    steps = [ResponseStep(begin_s, index, "open")]
    steps += [
        ResponseStep(first_s + n * latency.token_s, index, "words", word, tokens=1)
        for n, word in enumerate(tokens(output.say))
    ]
    return [*steps, ResponseStep(steps[-1].at_s + latency.close_s, index, "close")]


def _speech(
    output: SpokenMessage, index: int, begin_s: float, latency: Latency, wire_format: str, cut_after_ms: int | None
) -> list[ResponseStep]:
    audio = utterance(output.say, output.speech, wire_format)
    if cut_after_ms is not None:
        audio = audio[: delta_bytes(cut_after_ms, wire_format)]
    size = delta_bytes(latency.audio_delta_ms, wire_format)
    every_s = latency.audio_delta_ms / 1000 / latency.pace
    first_audio_s = begin_s + latency.first_audio_s - latency.first_item_s
    sound = [
        _sound_step(first_audio_s + n * every_s, index, audio[start : start + size], wire_format)
        for n, start in enumerate(range(0, len(audio), size))
    ]
    words = _words(output, index, begin_s, latency, sound)
    if cut_after_ms is not None and sound:
        spoken = cut_after_ms / max(duration_ms(len(utterance(output.say, output.speech, wire_format)), wire_format), 1)
        words = words[: max(int(len(words) * min(spoken, 1)), 1)]
    steps = sorted([ResponseStep(begin_s, index, "open"), *words, *sound], key=lambda step: step.at_s)
    return [*steps, ResponseStep(steps[-1].at_s + latency.close_s, index, "close")]


def _sound_step(at_s: float, index: int, audio: bytes, wire_format: str) -> ResponseStep:
    return ResponseStep(
        at_s, index, "audio", audio=audio, tokens=math.ceil(duration_ms(len(audio), wire_format) / TOKEN_MS)
    )


def _words(
    output: SpokenMessage, index: int, begin_s: float, latency: Latency, sound: list[ResponseStep]
) -> list[ResponseStep]:
    """The transcript: a few words before the first sound, the rest always ahead of it."""
    said = tokens(output.say)
    ahead_s = begin_s + latency.first_transcript_s - latency.first_item_s
    steps = [ResponseStep(ahead_s, index, "words", word, tokens=1) for word in said[:_WORDS_AHEAD]]
    rest = said[_WORDS_AHEAD:]
    first_s, last_s = (sound[0].at_s, sound[-1].at_s) if sound else (ahead_s, ahead_s)
    each_s = (last_s - first_s) * 0.8 / max(len(rest), 1)
    return steps + [ResponseStep(first_s + n * each_s, index, "words", word, tokens=1) for n, word in enumerate(rest)]


# fmt: off
_OPTIONS = frozenset((
    "conversation", "metadata", "input", "instructions", "tools", "tool_choice", "prompt", "max_output_tokens", "audio",
    "output_modalities",
))
# fmt: on


def read_options(given: Json | None, *, beta: bool) -> Json:
    """The `response` of a response.create, of the right shape, in GA form."""
    if given is None or not beta:
        return given or {}
    translated = given | beta_to_ga(given)
    return {name: value for name, value in translated.items() if name in _OPTIONS}


@attrs.define
class LiveItem:
    """One output item: what of it was sent so far."""

    item: ConversationItem
    words: list[str] = attrs.field(factory=list)
    arguments: list[str] = attrs.field(factory=list)
    audio_bytes: int = 0
    closed: bool = False


@attrs.define(kw_only=True)
class LiveResponse:
    """One response. `opened`: response.created was sent; `ending`: it is being cancelled; `done`: response.done was."""

    id: str
    out_of_band: bool
    automatic: bool
    options: Json
    session: Json
    conversation_id: str | None
    opened: bool = False
    ending: bool = False
    done: bool = False
    spent: int = 0
    rule: AnswerRule = attrs.field(factory=AnswerRule)
    items: dict[int, LiveItem] = attrs.field(factory=dict)
    held_echoes: list[Callable[[float], None]] = attrs.field(factory=list)

    @property
    def tools(self) -> list[Json]:
        """The tools offered for it: its own, else the session's."""
        return list(self._option("tools") or ())

    def _option(self, name: str) -> Any:
        return self.options[name] if name in self.options else self.session[name]

    def tokens_left(self) -> int:
        """What max_output_tokens still pays for."""
        most = self._option("max_output_tokens")
        return _ENDLESS if most == "inf" else int(most) - self.spent

    def affords(self, step: ResponseStep) -> bool:
        return step.tokens <= self.tokens_left()

    @property
    def text_only(self) -> bool:
        return "audio" not in self._modalities

    @property
    def _modalities(self) -> list[str]:
        return list(self.options.get("output_modalities") or self.session["output_modalities"])

    @property
    def wire_format(self) -> str:
        return str(self._output["format"]["type"])

    @property
    def _output(self) -> Json:
        configured = self.session["audio"]["output"]
        asked = self.options.get("audio", {}).get("output", {})
        chosen = {name: asked.get(name, configured[name]) for name in ("format", "voice")}
        if isinstance(chosen["voice"], dict):  # a custom voice: a response shows its id alone
            chosen["voice"] = chosen["voice"]["id"]
        return chosen

    def has_call(self, call_id: str | None) -> bool:
        return any(live.item.call_id == call_id for live in self.items.values() if live.item.type == "function_call")

    def audio_ms(self) -> float:
        return sum(duration_ms(live.audio_bytes, self.wire_format) for live in self.items.values())

    def wire(
        self,
        status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"],
        details: Json | None = None,
        usage: Json | None = None,
    ) -> Json:
        """The response object as the wire shows it."""
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [self.items[index].item.wire() for index in sorted(self.items)] if usage else [],
            "conversation_id": self.conversation_id,
            "output_modalities": self._modalities,
            "max_output_tokens": self._option("max_output_tokens"),
            "audio": {"output": self._output},
            "usage": usage,
            "metadata": self.options.get("metadata"),
        }

    def usage(self, input_text: int, input_audio: int) -> Json:
        """Tokens as the recordings have them: about one for 50 ms of speech, one for a word or a piece of arguments."""
        if not self.items and self.rule.status == "failed":
            input_text = input_audio = 0
        words = sum(len(live.words) + len(live.arguments) for live in self.items.values())
        audio = math.ceil(self.audio_ms() / TOKEN_MS)
        return {
            "total_tokens": input_text + input_audio + words + audio,
            "input_tokens": input_text + input_audio,
            "output_tokens": words + audio,
            "input_token_details": {
                "text_tokens": input_text,
                "audio_tokens": input_audio,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": words, "audio_tokens": audio},
        }
