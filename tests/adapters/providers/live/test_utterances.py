"""What the model says is found in endless audio; silence is dropped, speech never, and nothing drifts."""

from __future__ import annotations

import random

import numpy as np
import pytest

from adapters.audio.formats import PCM_24K, PCMU, AudioFormat, converted
from adapters.providers.live.utterances import ENDS_MS, LEADING_MS, PAUSE_MS, SpeechPiece, Utterances

PCM_8K = AudioFormat("pcm16", 8000)
CHUNK_MS = 100


def tone(duration_ms: int, amplitude: int = 6000) -> bytes:
    at = np.arange(8 * duration_ms)
    return bytes((np.sin(at * 0.6) * amplitude).astype("<i2").tobytes())


def hiss(duration_ms: int) -> bytes:
    """Silence as the provider sends it: not all zeros."""
    return bytes(np.random.default_rng(1).integers(-12, 12, 8 * duration_ms).astype("<i2").tobytes())


def chunks(pcm: bytes, audio: AudioFormat = PCM_8K) -> list[bytes]:
    whole = pcm if audio == PCM_8K else converted(pcm, PCM_8K, audio)
    size = audio.bytes_in(CHUNK_MS)
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def found(pieces: list[bytes], audio: AudioFormat = PCM_8K, late_s: float = 0.0) -> list[SpeechPiece]:
    utterances, heard = Utterances(audio), []
    for number, piece in enumerate(pieces):
        heard += utterances.push(piece, number * CHUNK_MS / 1000 + late_s)
    return heard


def audio_ms(heard: list[SpeechPiece], audio: AudioFormat = PCM_8K) -> int:
    return sum(audio.ms(len(each.payload)) for each in heard)


@pytest.mark.parametrize("audio", [PCM_8K, PCMU, PCM_24K])
def test_speech_begins_and_ends_and_silence_is_no_answer(audio: AudioFormat) -> None:
    heard = found(chunks(hiss(1000) + tone(800) + hiss(2000) + tone(400) + hiss(1000), audio), audio)
    assert [(each.what, each.number) for each in heard if each.what != "audio"] == [
        ("began", 1), ("ended", 1), ("began", 2), ("ended", 2),
    ]  # fmt: skip
    spoken_ms, around_ms = 1200, 2 * (LEADING_MS + ENDS_MS)
    assert spoken_ms <= audio_ms(heard, audio) <= spoken_ms + around_ms


def test_endless_silence_is_nothing() -> None:
    assert found(chunks(hiss(30_000))) == []


def test_a_click_is_no_speech() -> None:
    assert found(chunks(hiss(500) + tone(20) + hiss(500))) == []


def test_a_short_pause_is_a_part_of_speech() -> None:
    heard = found(chunks(hiss(200) + tone(400) + hiss(200) + tone(400) + hiss(600)))
    assert [each.what for each in heard if each.what != "audio"] == ["began", "ended"]


def test_speech_is_never_dropped_however_late_it_comes() -> None:
    speech = tone(3000)
    heard = b"".join(each.payload for each in found(chunks(hiss(200) + speech + hiss(600)), late_s=0.0))
    assert speech in heard
    at_once = Utterances(PCM_8K).push(hiss(200) + speech + hiss(600), 0.0)
    assert speech in b"".join(each.payload for each in at_once)


def test_what_is_late_is_caught_up_in_pauses() -> None:
    """Six words come at once: their pauses are shortened, they are not."""
    word, pause = tone(300), hiss(240)
    utterances = Utterances(PCM_8K)
    heard = [each for piece in chunks(hiss(200) + (word + pause) * 6) for each in utterances.push(piece, 0.0)]
    dropped_ms = 5 * (240 - PAUSE_MS)
    assert audio_ms(heard) <= LEADING_MS + 6 * 540 - dropped_ms + 240 + 2 * CHUNK_MS
    assert b"".join(each.payload for each in heard).count(word[:3200]) == 6


def test_after_thirty_minutes_playout_is_no_later_than_at_the_beginning() -> None:
    """The queue of a playout that is fed so, on a network that delays chunks by up to 300 ms now and then."""
    random.seed(7)
    utterances, queued_ms, at_s, lag_ms = Utterances(PCM_8K), 0.0, 0.0, 0.0
    talk = chunks(tone(2400) + hiss(200) + tone(1500) + hiss(900))
    late_s = 0.0
    for number in range(30 * 60 * 1000 // CHUNK_MS):
        late_s = max(0.0, late_s - 0.1) if random.random() > 0.05 else 0.3
        now_s = max(at_s, number * CHUNK_MS / 1000 + late_s)
        lag_ms = max(0.0, queued_ms - (now_s - at_s) * 1000)  # of what comes now
        at_s = now_s
        queued_ms = lag_ms + audio_ms(utterances.push(talk[number % len(talk)], now_s))
    assert lag_ms < 200


def test_frames_cut_anywhere_make_no_difference() -> None:
    whole = hiss(300) + tone(500) + hiss(500)
    once = Utterances(PCM_8K).push(whole, 0.0)
    pieces = Utterances(PCM_8K)
    cut = [each for at in range(0, len(whole), 33) for each in pieces.push(whole[at : at + 33], at / 16_000)]
    assert b"".join(each.payload for each in once) == b"".join(each.payload for each in cut)
    assert [each.what for each in once if each.what != "audio"] == [each.what for each in cut if each.what != "audio"]
