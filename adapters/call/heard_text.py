"""How much of a text was heard, from the milliseconds of its audio: whole words, and never more than was heard.

No provider says when which word is spoken. Two readings are made, by the length of the words and by their number, and
the shorter one holds: speech has pauses, and what a model believes to have said and nobody heard is never said again.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

CUT: Final = "…"
"""Ends a text that was cut: no word a model could take up and say, and the usual sign of an interruption in text."""

_WORDS: Final = re.compile(r"\s*(?:[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+)")
_SLOW_SPEECH_MS: Final = 80  # a letter, at some 150 words a minute: voices are as fast or faster
_WIDE: Final = 3  # letters, that an ideograph or a digit takes to be spoken


def heard_text(text: str, heard_ms: float, received_ms: float, *, is_whole: bool) -> str:
    """The words of `text` that were heard for certain, marked if that is not all; "": not one.

    `is_whole`: all audio of the text has come. Where it has not, words run ahead of it, and how long it would have
    been is guessed, rather too long.
    """
    words = _WORDS.findall(text)
    lengths = [_length(word) for word in words]
    total_ms = received_ms if is_whole else max(received_ms, sum(lengths) * _SLOW_SPEECH_MS)
    if total_ms <= 0 or not words:
        return ""
    share = heard_ms / total_ms
    if share >= 1:
        return text
    by_length = _words_within(lengths, share * sum(lengths))
    kept = min(by_length, int(share * len(words)))
    return "".join(words[:kept]) + CUT if kept else ""


def _words_within(lengths: list[int], length: float) -> int:
    for number, each in enumerate(lengths):
        length -= each
        if length < 0:
            return number
    return len(lengths)


def _length(word: str) -> int:
    return sum(_WIDE if each.isdigit() or unicodedata.east_asian_width(each) in "WF" else 1 for each in word)
