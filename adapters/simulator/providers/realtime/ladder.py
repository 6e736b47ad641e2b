"""The timetable of one response: which step of which item comes when, from `response.created` on. Pure; no ids.

Source: docs/facts/realtime_api.md sections 3.1, 3.6 and 7: transcript ahead of the audio, audio in 250 ms deltas at
about 13 times real time, a call may begin while the message before it is still being spoken.
"""

from __future__ import annotations

import re
from typing import Literal

import attrs

from adapters.simulator.providers.realtime.scenario import Call, Rule, Say
from adapters.simulator.providers.realtime.settings import Latency
from adapters.simulator.providers.realtime.voice import delta_bytes, duration_ms, utterance

StepKind = Literal["open", "words", "audio", "arguments", "close", "finish"]

_WORDS_AHEAD = 3
_ARGUMENT_CHUNK = 4
_GAP_S = 0.010


@attrs.frozen
class Step:
    """At `at_s` after `response.created`: `open` an output item, a delta of it, `close` it, or `finish` it all."""

    at_s: float
    index: int
    kind: StepKind
    text: str = ""
    audio: bytes = b""


def tokens(text: str) -> list[str]:
    """Text as the wire streams it: words with their leading space, punctuation by itself; the sum is the text."""
    return re.findall(r"\s*\w+|\s*[^\w\s]", text) or ([text] if text else [])


def timetable(rule: Rule, latency: Latency, wire_format: str, *, text_only: bool) -> list[Step]:
    """Every step of the response in order. Text-only responses carry their words as output text."""
    steps: list[Step] = []
    begin_s = latency.first_item_s + rule.delay_s
    end_s = begin_s
    pace = rule.pace or latency.pace
    for index, output in enumerate(rule.output):
        if isinstance(output, Call):
            made = _call(output, index, begin_s, latency)
            next_s = made[-1].at_s + _GAP_S
        elif text_only:
            made = _text(output, index, begin_s, latency)
            next_s = made[-1].at_s + _GAP_S
        else:
            made = _speech(output, index, begin_s, attrs.evolve(latency, pace=pace), wire_format, rule.cut_after_ms)
            follower = rule.output[index + 1] if index + 1 < len(rule.output) else None
            overlaps = rule.interleave and isinstance(follower, Call)
            next_s = (begin_s + made[-1].at_s) / 2 if overlaps else made[-1].at_s + _GAP_S
        steps += made
        end_s = max(end_s, made[-1].at_s)
        begin_s = next_s
    finish_s = end_s + latency.close_s if rule.output else begin_s
    steps.append(Step(finish_s, -1, "finish"))
    return sorted(steps, key=lambda step: step.at_s)


def _call(output: Call, index: int, begin_s: float, latency: Latency) -> list[Step]:
    chunks = re.findall(rf"(?s).{{1,{_ARGUMENT_CHUNK}}}", output.arguments)
    first_s = begin_s + latency.first_transcript_s - latency.first_item_s
    steps = [Step(begin_s, index, "open")]
    steps += [Step(first_s + n * latency.token_s, index, "arguments", chunk) for n, chunk in enumerate(chunks)]
    return [*steps, Step(steps[-1].at_s + latency.close_s, index, "close")]


def _text(output: Say, index: int, begin_s: float, latency: Latency) -> list[Step]:
    first_s = begin_s + latency.first_transcript_s - latency.first_item_s
    steps = [Step(begin_s, index, "open")]
    steps += [Step(first_s + n * latency.token_s, index, "words", word) for n, word in enumerate(tokens(output.say))]
    return [*steps, Step(steps[-1].at_s + latency.close_s, index, "close")]


def _speech(
    output: Say, index: int, begin_s: float, latency: Latency, wire_format: str, cut_after_ms: int | None
) -> list[Step]:
    audio = utterance(output.say, output.speech, wire_format)
    if cut_after_ms is not None:
        audio = audio[: delta_bytes(cut_after_ms, wire_format)]
    size = delta_bytes(latency.audio_delta_ms, wire_format)
    every_s = latency.audio_delta_ms / 1000 / latency.pace
    first_audio_s = begin_s + latency.first_audio_s - latency.first_item_s
    sound = [
        Step(first_audio_s + n * every_s, index, "audio", audio=audio[start : start + size])
        for n, start in enumerate(range(0, len(audio), size))
    ]
    words = _words(output, index, begin_s, latency, sound)
    if cut_after_ms is not None and sound:
        spoken = cut_after_ms / max(duration_ms(len(utterance(output.say, output.speech, wire_format)), wire_format), 1)
        words = words[: max(int(len(words) * min(spoken, 1)), 1)]
    steps = sorted([Step(begin_s, index, "open"), *words, *sound], key=lambda step: step.at_s)
    return [*steps, Step(steps[-1].at_s + latency.close_s, index, "close")]


def _words(output: Say, index: int, begin_s: float, latency: Latency, sound: list[Step]) -> list[Step]:
    """The transcript: a few words before the first sound, the rest always ahead of it."""
    said = tokens(output.say)
    ahead_s = begin_s + latency.first_transcript_s - latency.first_item_s
    steps = [Step(ahead_s, index, "words", word) for word in said[:_WORDS_AHEAD]]
    rest = said[_WORDS_AHEAD:]
    first_s, last_s = (sound[0].at_s, sound[-1].at_s) if sound else (ahead_s, ahead_s)
    each_s = (last_s - first_s) * 0.8 / max(len(rest), 1)
    return steps + [Step(first_s + n * each_s, index, "words", word) for n, word in enumerate(rest)]
