"""What a `session.updated` says against what our session.update asked for. Pure: two dicts in, differences out.

A server shows the effective session, all of it or a part (docs/facts/realtime_api.md section 2), and some keep what
they like: PCM where G.711 was asked for, turn detection off. Compared is only what is shown: what a server leaves out
is not a difference. Servers mix the dialects, so each field is looked for in both places and both spellings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from adapters.audio.formats import G711_HZ, PCM_24K, RATES_HZ, AudioFormat, Encoding
from adapters.providers.provider import Difference, SessionConfirmed
from adapters.providers.realtime.session import PATHS

Session = Mapping[str, object]

_MISSING: Final = object()
_FORMATS: Final = ("input_format", "output_format")
_G711: Final[Mapping[str, Encoding]] = {
    "audio/pcmu": "pcmu", "g711_ulaw": "pcmu", "pcmu": "pcmu",
    "audio/pcma": "pcma", "g711_alaw": "pcma", "pcma": "pcma",
}  # fmt: skip
_PCM: Final = re.compile(r"(?:audio/)?(?:pcm|pcm16|wav|(?P<khz>pcm24))(?:_(?P<hz>\d+)hz)?")  # pcm24 is 24 kHz (Qwen)
_OFF: Final = frozenset({"", "none", "client_vad"})
_DETECTION: Final = {"create_response": True, "interrupt_response": True}  # where nothing is asked, what the API does
_SHOWN_CHARS: Final = 120


def differences(asked: Session, got: Session) -> tuple[Difference, ...]:
    """What the server shows that is not as asked: formats, turn detection, tools, voice, in this order.

    `asked` is the `session` of our update, `got` that of session.updated. Without turn detection in `asked` the
    server's default is meant, which detects turns and answers them.
    """
    return (*_formats(asked, got), *_turn_detection(asked, got), *_tools(asked, got), *_voice(asked, got))


def confirmation(
    asked: Session, got: Session, audio_in: AudioFormat = PCM_24K, audio_out: AudioFormat = PCM_24K
) -> SessionConfirmed:
    """The formats in use (what is not shown is as asked; None: not one of ours), and what else differs.

    `audio_in`, `audio_out`: what we asked for, since a server may have words of its own for that ("pcm", "wav").
    """
    used_in = _in_use("input_format", asked, got, audio_in)
    return SessionConfirmed(used_in, _in_use("output_format", asked, got, audio_out), differences(asked, got))


def _in_use(field: str, asked: Session, got: Session, ours: AudioFormat) -> AudioFormat | None:
    wanted, shown = _at(field, asked), _at(field, got)
    if shown is _MISSING or shown == wanted:
        return ours
    says_rate = isinstance(wanted, str) and wanted.endswith("hz")
    return audio_format(shown, ours.rate_hz if ours.encoding == "pcm16" and not says_rate else PCM_24K.rate_hz)


def audio_format(wire: object, plain_hz: int = PCM_24K.rate_hz) -> AudioFormat | None:
    """A format as a wire spells it, in either dialect; None for one that we cannot decode.

    `plain_hz`: the rate of PCM that says none.
    """
    name, rate = (wire.get("type"), wire.get("rate")) if isinstance(wire, Mapping) else (wire, None)
    if not isinstance(name, str):
        return None
    encoding = _G711.get(name.lower())
    if encoding is not None:
        return AudioFormat(encoding, G711_HZ)
    pcm = _PCM.fullmatch(name.lower())
    if pcm is None:
        return None
    said_hz = int(pcm["hz"] or (PCM_24K.rate_hz if pcm["khz"] else plain_hz))
    rate_hz = rate if isinstance(rate, int) else said_hz
    return AudioFormat("pcm16", rate_hz) if rate_hz in RATES_HZ else None


# --- one by one -------------------------------------------------------------------------------------------------------


def _formats(asked: Session, got: Session) -> Iterator[Difference]:
    for field in _FORMATS:
        wanted, shown = _at(field, asked), _at(field, got)
        if _MISSING in (wanted, shown) or wanted == shown:
            continue
        if (kept := audio_format(shown)) is None or kept != audio_format(wanted):
            yield Difference(field, _text(wanted), _text(shown))


def _turn_detection(asked: Session, got: Session) -> Iterator[Difference]:
    wanted, shown = _at("turn_detection", asked), _at("turn_detection", got)
    if shown is _MISSING:
        return
    if wanted is None:
        if not _is_off(shown):
            yield Difference("turn_detection", "off", _text(shown))
    elif _is_off(shown):
        yield Difference("turn_detection", "the default" if wanted is _MISSING else _text(wanted), "off")
    elif isinstance(shown, Mapping):
        expected = {**_DETECTION, **(wanted if isinstance(wanted, Mapping) else {})}
        for key in ("type", *_DETECTION):
            if key in expected and key in shown and shown[key] != expected[key]:
                yield Difference(f"turn_detection.{key}", _text(expected[key]), _text(shown[key]))


def _is_off(detection: object) -> bool:
    kind = detection.get("type") if isinstance(detection, Mapping) else detection
    return kind is None or kind in _OFF


def _tools(asked: Session, got: Session) -> Iterator[Difference]:
    wanted, shown = _at("tools", asked), _at("tools", got)
    if not isinstance(wanted, list) or not (shown is None or isinstance(shown, list)):
        return
    names, kept = _names(wanted), _names(shown or [])
    if set(names) - set(kept):
        yield Difference("tools", _text(", ".join(names)), _text(", ".join(kept) or "none"))


def _names(tools: list[object]) -> list[str]:
    """Of tools as OpenAI spells them, or nested as in chat completions (Qwen)."""
    found = []
    for tool in tools:
        inner = tool.get("function", tool) if isinstance(tool, Mapping) else None
        name = inner.get("name") if isinstance(inner, Mapping) else None
        if isinstance(name, str):
            found.append(name)
    return found


def _voice(asked: Session, got: Session) -> Iterator[Difference]:
    wanted, shown = _voice_name(_at("voice", asked)), _voice_name(_at("voice", got))
    if wanted and shown and wanted.casefold() != shown.casefold():
        yield Difference("voice", _text(wanted), _text(shown))


def _voice_name(voice: object) -> str:
    if isinstance(voice, Mapping):
        voice = voice.get("id") or voice.get("name")
    return voice if isinstance(voice, str) else ""


# --- where a field is -------------------------------------------------------------------------------------------------


def _at(field: str, session: Session) -> object:
    """A field where either dialect has it; _MISSING: it is not there, or an empty place where a value belongs."""
    for path in PATHS[field].values():
        value: object = session
        for step in path or ():
            value = value.get(step, _MISSING) if isinstance(value, Mapping) else _MISSING
        if value is not _MISSING and not (value is None and field in (*_FORMATS, "voice")):
            return value
    return _MISSING


def _text(value: object) -> str:
    """A value as a log line shows it; a server may send anything."""
    if isinstance(value, Mapping):
        value = " ".join(f"{key}={item}" for key, item in value.items() if item is not None)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "".join(char if char.isprintable() else " " for char in text)[:_SHOWN_CHARS]
